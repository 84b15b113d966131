# SPDX-License-Identifier: Apache-2.0
"""What the largest photos that are taken cost in memory, and that what is larger by a pixel costs nothing."""
import re
import struct
import threading
import zlib

import pictures
import step_photos
from processes import ROOT
from stages import bring_in

RELEASE = ROOT / "build" / "release" / "tantu"
MIB = 1 << 20
DECODER, REST = 160 * MIB, 60 * MIB  # docs/photos.md: what decoding one photo may take; the pictures, the copies and the file


def interlaced(width, height, whole=True):
    """A PNG of black pixels in seven passes; whole: else nothing but its header."""
    rows = b""
    for x, y, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)):
        across, down = (width - x + dx - 1) // dx, (height - y + dy - 1) // dy
        rows += b"\0" * ((1 + (across + 7) // 8) * down) if across > 0 else b""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 1)
    return (b"\x89PNG\r\n\x1a\n" + pictures._chunk(b"IHDR", head) + pictures._chunk(b"IDAT", zlib.compress(rows) if whole else b"")
            + pictures._chunk(b"IEND", b""))


def plain(width, height):
    """A PNG of black pixels, row by row."""
    data = zlib.compress(b"\0" * ((1 + (width + 7) // 8) * height))
    return pictures.png_header(width, height, data)


def progressive(width, height):
    """A grey JPEG of one scan, which has to be kept whole while it is decoded: every block as the one before, one bit each."""
    blocks = -(-width // 8) * -(-height // 8)
    dht = pictures._segment(0xC4, b"\0" + bytes([1] + [0] * 15) + b"\0")
    return (b"\xff\xd8" + pictures._segment(0xDB, b"\0" + b"\x08" * 64)
            + pictures._segment(0xC2, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0)) + dht
            + pictures._segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + b"\0" * (-(-blocks // 8)) + b"\xff\xd9")


def peak(server):
    """The most memory that its process ever had, in bytes."""
    status = (ROOT / "/proc" / str(server.pid) / "status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


def test_the_largest_photos_fit_into_their_budget(place, make_server, manager_at):
    server = make_server("serve", database=place, binary=RELEASE, TANTU_PHOTO_DECODERS="2")
    manager = manager_at(server)
    (case,) = bring_in(manager)
    step_photos.send(manager, case, "before")
    idle = peak(server)
    # Refused in front of the pixels.
    for data in (pictures.png_header(10000, 10001), interlaced(6477, 6476, whole=False), progressive(9200, 9200)):
        step_photos.send(manager, case, "before", data, expect=422, code="photo_too_many_pixels")
    assert peak(server) - idle < 30 * MIB
    took = {}
    for name, data in (("PNG, row by row, 100 MP", plain(10000, 10000)), ("JPEG, progressive, 80 MP", progressive(8960, 8960)),
                       ("PNG, interlaced, 42 MP", interlaced(6476, 6476))):
        step_photos.send(manager, case, "before", data)
        took[name] = (peak(server) - idle) // MIB
    print("\n", took)
    assert took["PNG, row by row, 100 MP"] * MIB < REST
    assert all(mib * MIB < DECODER + REST for mib in took.values()), took
    # Many at once take no more than as many as may be decoded at once.
    senders = [threading.Thread(target=step_photos.send, args=(manager.clone(), case, "before", interlaced(6476, 6470 + number)))
               for number in range(3)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    print(f" three at once: {(peak(server) - idle) // MIB} MiB")
    assert peak(server) - idle < 2 * (DECODER + REST)
    assert place.sql("SELECT count(*) FROM case_photo WHERE case_id = %s", case) == [(7,)]
