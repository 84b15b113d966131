# SPDX-License-Identifier: Apache-2.0
"""Packages that differ a little from ours."""
import tempfile
from pathlib import Path

from box import run


def with_version(package, version, folder):
    """The same package, made out to be another version."""
    with tempfile.TemporaryDirectory() as work:
        run("dpkg-deb", "-R", package, work)
        control = Path(work) / "DEBIAN" / "control"
        control.write_text("".join(f"Version: {version}\n" if line.startswith("Version:") else line for line in control.read_text().splitlines(True)))
        made = folder / f"tantu_{version}.deb"
        run("dpkg-deb", "--root-owner-group", "-b", work, made)
    made.chmod(0o644)
    return made
