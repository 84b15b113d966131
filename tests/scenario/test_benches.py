# SPDX-License-Identifier: Apache-2.0
"""The benchmarks work: each in its quick form, which measures little and judges nothing."""
import os
import re
import subprocess

import pytest
from processes import ROOT

RELEASE = ROOT / "build" / "release"
# What its last lines must tell.
QUICK = {
    "queue": r"no-op jobs/s: ours \d+, .* ratio [\d.]+[\s\S]*pickup ms, .*p50 [\d.]+, p99 [\d.]+",
    "import": r"2000 rows became \d+ household, 2000 person[\s\S]*COPY of its rows +[\d.]+ s .* ratio [\d.]+",
    "startup": r"ready after ms: median \d+",
    "looks": r"compared with a scan and exact\nsearch ms: median [\d.]+, p99 [\d.]+ .*ratio \d+",
    "growth": r"progress +[\d.]+ +\d+ +[\d.]+ +\d+ +[\d.]+[\s\S]*its history +[\d.]+",
}


@pytest.mark.skipif(not (RELEASE / "tantu").exists(), reason="no release build")
@pytest.mark.parametrize("name", QUICK)
def test_quick(name):
    done = subprocess.run([ROOT / "bench" / name, "--quick"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=180,
                          env={**os.environ, "TANTU_BENCH_BUILD": str(RELEASE)})
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(QUICK[name], done.stdout), done.stdout
