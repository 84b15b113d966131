# SPDX-License-Identifier: Apache-2.0
"""The version before this one, built from the history: what a rolling upgrade comes from and a way back leads to."""
import fcntl
import subprocess

import pytest
from processes import ROOT

COMMIT = "0d34bec363c0133ad9751cf8b9a1d25eea6fdf7f"  # schema 7; a release of its own when there are releases
FOLDER = ROOT / "build" / "previous"


def previous_program():
    """The path of its `tantu`; built once. Skips the test where the history does not reach back so far."""
    program = FOLDER / f"tantu-{COMMIT[:7]}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            known = subprocess.run(["git", "-C", ROOT, "cat-file", "-e", f"{COMMIT}^{{commit}}"], check=False, capture_output=True)
            if known.returncode != 0:
                pytest.skip(f"this clone has no commit {COMMIT[:7]} (git fetch --unshallow brings it)")
            build(program)
    return program


def build(program):
    source = FOLDER / f"source-{COMMIT[:7]}"
    source.mkdir(exist_ok=True)
    archive = subprocess.run(["git", "-C", ROOT, "archive", COMMIT], check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", source], check=True, input=archive)
    for command in (["cmake", "-S", source, "-B", source / "build", "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_C_FLAGS=-w"],
                    ["cmake", "--build", source / "build", "--target", "tantu", "-j2"]):
        done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout[-3000:]
    (source / "build" / "tantu").replace(program)
    subprocess.run(["rm", "-rf", source], check=True)
