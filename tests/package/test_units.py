# SPDX-License-Identifier: Apache-2.0
"""What systemd itself thinks of the units, and what the package consists of."""
import re
import shutil

import pytest
from box import ROOT, run

UNITS = sorted((ROOT / "package" / "systemd").glob("*.service"))
# The rest is the network, which a server and its database need.
MOST_EXPOSED = 1.3


@pytest.fixture(scope="module")
def unpacked(package, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    run("dpkg-deb", "-x", package, folder)
    run("dpkg-deb", "-e", package, folder / "DEBIAN")
    return folder


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_sound_and_closed(unit, unpacked):
    """Looked at where it will be: its program and its manual are there too."""
    done = run("systemd-analyze", "verify", f"--root={unpacked}", "--man=no", "--recursive-errors=no", unit.name, check=False)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit).stdout
    score = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said)[1])
    assert score <= MOST_EXPOSED, said


def test_the_server_is_not_given_the_owners_password():
    named = {unit.name: unit.read_text(encoding="utf-8") for unit in UNITS}
    assert [name for name, text in named.items() if "owner_database:" in text] == ["tantu-backup.service", "tantu-migrate.service"]
    hardening = [text[text.index("# What it may do"):].split("[Install]")[0].strip() for text in named.values()]
    assert len(set(hardening)) == 1, "the units differ in what they may do"


def test_the_package_says_what_it_needs_and_is(unpacked, package):
    control = (unpacked / "DEBIAN" / "control").read_text(encoding="utf-8")
    field = dict(re.findall(r"^(\S+): (.*)$", control, re.MULTILINE))
    version = re.search(r"project\(tantu VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))[1]
    assert (field["Package"], field["Version"]) == ("tantu", version)
    needed = {part.split()[0] for part in field["Depends"].split(", ")}
    linked = {line.split()[0] for line in run("ldd", unpacked / "usr/bin/tantu").stdout.splitlines() if "=>" in line}
    assert {"libc6", "libpq5", "libuv1", "libjansson4", "libsodium23", "adduser"} <= needed, (needed, linked)
    assert "postgresql-15" in field["Recommends"]
    assert (unpacked / "DEBIAN" / "conffiles").read_text().split() == ["/etc/tantu/tantu.conf"]
    assert package.stat().st_size < 5e6


def test_everything_in_it_has_its_mode(unpacked, package):
    executables = {"./usr/bin/tantu", "./usr/sbin/tantu-setup"}
    for line in run("dpkg-deb", "-c", package).stdout.splitlines():
        mode, owner, *_, name = line.split()
        assert owner == "root/root", line
        assert mode == ("drwxr-xr-x" if name.endswith("/") else "-rwxr-xr-x" if name in executables else "-rw-r--r--"), line
    for name in ("postinst", "prerm", "postrm"):
        assert (unpacked / "DEBIAN" / name).stat().st_mode & 0o777 == 0o755
        run("sh", "-n", unpacked / "DEBIAN" / name)
    for name in ("README.md", "runbook.md", "copyright", "examples/nginx.conf"):
        assert (unpacked / "usr/share/doc/tantu" / name).is_file(), name


def test_the_settings_it_brings_are_sound(unpacked, tmp_path):
    """Read by the program itself, with the secret where the test can read it."""
    text = (unpacked / "etc/tantu/tantu.conf").read_text(encoding="utf-8")
    secret = tmp_path / "database"
    secret.write_text("host=127.0.0.1 dbname=tantu user=tantu_app password=x\n")
    assert "/etc/tantu/secrets/database" in text
    settings = tmp_path / "tantu.conf"
    settings.write_text(text.replace("/etc/tantu/secrets/database", str(secret)))
    done = run(unpacked / "usr/bin/tantu", "config", "check", "--config", settings, check=False, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which("lintian"), reason="lintian is not installed")
def test_lintian_finds_no_error(package):
    said = run("lintian", "--no-tag-display-limit", "--suppress-tags", "statically-linked-binary", package, check=False).stdout
    assert not [line for line in said.splitlines() if line.startswith("E:")], said
