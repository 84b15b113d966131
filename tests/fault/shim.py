# SPDX-License-Identifier: Apache-2.0
"""Arms tests/fault/shim.c in a program that was started with `environment`."""
import errno
import mmap
import struct

from processes import ROOT

LIBRARY = ROOT / "build" / "release" / "tests" / "libfault_shim.so"
POINT = 4 * 8
MEMORY, FILE, ERRNO, FOLDER = 0, POINT, 2 * POINT, 2 * POINT + 8
SIZE = FOLDER + 256


class Shim:
    def __init__(self, file, folder=None):
        self.path = file
        file.write_bytes(bytes(SIZE))
        file.chmod(0o666)
        with open(file, "r+b") as opened:
            self.map = mmap.mmap(opened.fileno(), SIZE)
        if folder:
            name = str(folder).encode()
            assert len(name) < 255
            self.map[FOLDER:FOLDER + len(name)] = name
        self.environment = {"LD_PRELOAD": str(LIBRARY), "FAULT_CONTROL": str(file)}

    def _set(self, at, value):
        self.map[at:at + 8] = struct.pack("q", value)

    def _get(self, at):
        return struct.unpack("q", self.map[at:at + 8])[0]

    def _arm(self, point, n, run):
        self.disarm()
        self._set(point + 8, run)
        self._set(point + 16, 0)
        self._set(point + 24, 0)
        self._set(point, n)

    def fail_allocation(self, n, run=1):
        """The n-th from now fails, and run - 1 after it."""
        self._arm(MEMORY, n, run)

    def fail_file(self, n, error=errno.ENOSPC, run=1):
        self._set(ERRNO, error)
        self._arm(FILE, n, run)

    def disarm(self):
        self._set(MEMORY, 0)
        self._set(FILE, 0)

    @property
    def fired(self):
        return self._get(MEMORY + 16) + self._get(FILE + 16)

    @property
    def seen(self):
        return self._get(MEMORY + 24), self._get(FILE + 24)


def steps(every=300, growth=1.07):
    """1, 2, 3, … and from `every` on in growing strides."""
    n = 1
    while True:
        yield n
        n = n + 1 if n < every else int(n * growth) + 1
