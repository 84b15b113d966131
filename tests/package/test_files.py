# SPDX-License-Identifier: Apache-2.0
"""The files for other people's programs, read by those programs: Docker Compose, nginx, Prometheus' promtool. Those that
would start a service where they are installed are only unpacked."""
import os
import re
import shutil

import pytest
from box import OUT, ROOT, run

TOOLS = OUT / "tools"


def tool(package, path):
    """A program of a Debian package, fetched once and unpacked under build/."""
    folder = TOOLS / package
    if not (folder / path).exists():
        partial = TOOLS / f"{package}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        fetched = run("apt-get", "-q", "-o", "APT::Sandbox::User=", "download", package, cwd=partial, check=False)
        if fetched.returncode:
            pytest.skip(f"the package {package} cannot be fetched: {fetched.stderr.strip()[-200:]}")
        run("dpkg-deb", "-x", next(partial.glob("*.deb")), partial)
        next(partial.glob("*.deb")).unlink()
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    return folder / path


def test_docker_compose_takes_the_file():
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LC_ALL": "C.UTF-8"}
    assert run("docker-compose", "-f", ROOT / "docker-compose.yml", "config", "-q", env=environment).stderr == ""
    shown = run("docker-compose", "-f", ROOT / "docker-compose.yml", "config", env=environment).stdout
    assert shown.count("read_only: true") == 4 and "privileged: true" not in shown
    # No secret but by file, and the server is not given the owner's.
    assert not re.search(r"PASSWORD: |password=", shown)
    serve = shown[shown.index("  serve:"):shown.index("  work:")]
    assert "owner_database" not in serve and "source: database" in serve


def test_the_secrets_are_made_once(tmp_path):
    for name in ("docker", "scripts"):
        (tmp_path / name).mkdir()
    script = shutil.copy(ROOT / "docker" / "secrets", tmp_path / "docker" / "secrets")
    run(script)
    folder = tmp_path / "var" / "secrets"
    made = {file.name: file.read_text() for file in folder.iterdir()}
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert set(made) == set(re.findall(r"file: \./var/secrets/(\S+)", compose)) and folder.stat().st_mode & 0o777 == 0o711
    assert len({re.sub(".*password=", "", text) for text in made.values()}) == len(made)
    run(script)
    assert {file.name: file.read_text() for file in folder.iterdir()} == made


def test_nginx_takes_the_example(tmp_path):
    nginx = tool("nginx", "usr/sbin/nginx")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tantu.example", "-keyout", tmp_path / "key.pem",
        "-out", tmp_path / "fullchain.pem")
    example = (ROOT / "package/examples/nginx.conf").read_text(encoding="utf-8").replace("/etc/ssl/tantu", str(tmp_path))
    whole = tmp_path / "nginx.conf"
    temporary = "".join(f"{name}_temp_path {tmp_path}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    whole.write_text(f"pid {tmp_path}/pid; events {{}} http {{ access_log off; {temporary}\n{example}\n}}\n")
    done = run(nginx, "-t", "-q", "-e", tmp_path / "log", "-p", tmp_path, "-c", whole, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_promtool_takes_the_alerts():
    promtool = tool("prometheus", "usr/bin/promtool")
    said = run(promtool, "check", "rules", ROOT / "package/examples/tantu.rules.yml").stdout
    assert "SUCCESS" in said
    assert "SUCCESS" in run(promtool, "test", "rules", ROOT / "tests/package/alerts.test.yml").stdout


def test_the_runbook_has_a_section_for_every_alert():
    rules = (ROOT / "package/examples/tantu.rules.yml").read_text(encoding="utf-8")
    alerts = re.findall(r"alert: (\S+)", rules)
    runbook = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    sections = re.findall(r"^### (Tantu\S+)", runbook, re.MULTILINE)
    assert sections == alerts
    assert all(f"runbook.md#{alert.lower()}" in rules for alert in alerts)
