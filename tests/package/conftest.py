# SPDX-License-Identifier: Apache-2.0
"""What is installed, and where. package: the .deb; bundle: the file for machines without a network; box: an empty Debian 12."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scenario"))

import box as boxes  # noqa: E402
import pytest  # noqa: E402


@pytest.fixture(scope="session")
def bundle():
    return Path(boxes.run(boxes.ROOT / "scripts" / "bundle").stdout.strip())


@pytest.fixture(scope="session")
def package(bundle):
    (deb,) = boxes.OUT.glob("tantu_*.deb")
    return deb


@pytest.fixture(scope="module")
def box(bundle, tmp_path_factory):
    reason = boxes.why_no_box()
    if reason:
        pytest.skip(reason)
    shown = tmp_path_factory.mktemp("shown")
    shown.chmod(0o755)
    one = boxes.Box(shown)
    try:
        yield one.start()
    finally:
        one.stop()
