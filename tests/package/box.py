# SPDX-License-Identifier: Apache-2.0
"""A box: an empty Debian 12 booted with its own systemd in namespaces of its own, without any network but its loopback.
Nothing of it outlives the test, and it reaches nothing of ours but the folder it is shown (read-only)."""
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "build" / "package"
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
BASE = OUT / "base-bookworm-systemd.tar"


def run(*command, check=True, timeout=600, **more):
    done = subprocess.run([*map(str, command)], text=True, stdin=more.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout, **more)
    assert not check or done.returncode == 0, f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done


def why_no_box():
    """The reason why this machine cannot boot one, or nothing."""
    if run(*AS_ROOT, "true", check=False).returncode:
        return "neither root nor sudo without a password"
    if not shutil.which("systemd-nspawn"):
        return "systemd-nspawn is missing"
    probe = run(*AS_ROOT, "unshare", "--mount", "--net", "--pid", "--fork", "mount", "-t", "tmpfs", "none", "/mnt", check=False)
    return f"no namespaces here: {probe.stderr.strip()}" if probe.returncode else ""


def make_base():
    """Once: Debian's own packages, straight from its archive; nothing of Tantu."""
    if BASE.exists():
        return
    OUT.mkdir(parents=True, exist_ok=True)
    partial = OUT / "base.partial.tar"
    run(*AS_ROOT, "mmdebstrap", "--variant=minbase", "--include=systemd-sysv,dbus", "--mode=root", "bookworm", partial)
    run(*AS_ROOT, "chown", f"{os.getuid()}:{os.getgid()}", partial)
    partial.rename(BASE)


class Box:
    def __init__(self, shown):
        """shown: a folder of ours, at /media/shown inside."""
        self.shown = shown
        self.name = f"tantu-{os.getpid()}-{id(self) % 10000}"
        self.folder = Path(tempfile.mkdtemp(prefix="tantu-box-", dir="/var/tmp"))
        self.process = None
        self.init = None

    def start(self):
        make_base()
        run(*AS_ROOT, "tar", "-xf", BASE, "--numeric-owner", "-C", self.folder)
        keep = [] if Path("/run/systemd/system").is_dir() else ["--keep-unit"]
        self.console = open(self.folder.with_suffix(".console"), "wb")
        self.process = subprocess.Popen(
            [*AS_ROOT, "systemd-nspawn", "--quiet", "--register=no", *keep, "--private-network", "--volatile=overlay", f"--machine={self.name}",
             f"--bind-ro={self.shown}:/media/shown", "-D", str(self.folder), "--boot"],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console)
        self.wait_for(self._booted, 120, "the boot")
        return self

    def _booted(self):
        assert self.process.poll() is None, "the box did not boot:\n" + self.folder.with_suffix(".console").read_text(errors="replace")[-2000:]
        self.init = self.init or self._find_init(self.process.pid)
        return self.init and self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def _find_init(self, pid):
        """Its process 1, a descendant of systemd-nspawn."""
        for child in run("pgrep", "-P", pid, check=False).stdout.split():
            name = run("ps", "-o", "comm=", "-p", child, check=False).stdout.strip()
            found = int(child) if name == "systemd" else self._find_init(child)
            if found:
                return found
        return None

    def run(self, *command, check=True, env=None, **more):
        """Inside, as root."""
        settings = [f"{name}={value}" for name, value in {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **(env or {})}.items()]
        return run(*AS_ROOT, "nsenter", "-t", self.init, "-m", "-u", "-i", "-n", "-p", "-C", "--", "env", "-i", *settings, *command, check=check, **more)

    def shell(self, script, check=True, **more):
        return self.run("bash", "-euo", "pipefail", "-c", script, check=check, **more).stdout.strip()

    def http(self, method, path, body=None, token=None, expect=None, raw=None, port=8080):
        """(status, JSON or text) of a request made inside the box's network."""
        command = [*AS_ROOT, "nsenter", "-t", self.init, "-n", "curl", "-sS", "--max-time", "30", "-X", method, "-w", "\n%{http_code}",
                   f"http://127.0.0.1:{port}{path}"]
        if token:
            command += ["-H", f"Authorization: Bearer {token}"]
        if raw is not None:
            command += ["-H", "Content-Type: text/csv", "--data-binary", f"@{raw}"]
        elif body is not None:
            command += ["-H", "Content-Type: application/json", "--data-binary", json.dumps(body)]
        done = run(*command, check=False)
        text, _, status = done.stdout.rpartition("\n")
        status = int(status or 0)
        assert expect is None or status == expect, f"{method} {path}: {status} {text[:500]} {done.stderr}"
        try:
            return status, json.loads(text)
        except ValueError:
            return status, text

    def wait_for(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
            time.sleep(0.1)

    def main_pid(self, unit):
        return int(self.shell(f"systemctl show -P MainPID {unit}"))

    def stop(self):
        """The whole of it dies with its process 1."""
        if self.init:
            run(*AS_ROOT, "kill", "-KILL", self.init, check=False)
        if self.process:
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                run(*AS_ROOT, "kill", "-KILL", self.process.pid, check=False)
                self.process.wait(30)
            self.console.close()
        run(*AS_ROOT, "rm", "-rf", "--one-file-system", self.folder, check=False)
        self.folder.with_suffix(".console").unlink(missing_ok=True)
