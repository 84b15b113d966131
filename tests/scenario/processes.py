# SPDX-License-Identifier: Apache-2.0
"""The programs a scenario runs: a throwaway PostgreSQL, `tantu serve`, `tantu work`. Everything they print is kept."""
import http.client
import itertools
import json
import os
import re
import shlex
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg2

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("TANTU_TEST_BIN", ROOT / "build" / "dev" / "tantu"))
ADMIN_PASSWORD = "An-admin-for-tests-1"
# What no program may ever print: a sanitizer's report, a broken invariant.
FATAL = re.compile(r"ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error: |invariant_broken"
                   r"|WARNING: ThreadSanitizer|stack smashing detected")
START_SECONDS = 60


def wait_until(condition, seconds=30, what="the condition"):
    """The condition's first true value; asks often at first, then every 50 ms."""
    deadline = time.monotonic() + seconds
    pause = 0.002
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s in vain for {what}"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


class Workspace:
    """A short folder that every user may pass through, with one log a process."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="tantu-test-", dir="/tmp"))
        self.path.chmod(0o755)
        (self.path / "logs").mkdir()
        self.read_to = {}
        self.numbers = itertools.count(1)

    def new_log(self, name):
        return self.path / "logs" / f"{next(self.numbers):02}-{name}.log"

    def logs(self):
        return sorted((self.path / "logs").glob("*.log"))

    def marks(self):
        """How long each log is now, for `since`."""
        return {log: log.stat().st_size for log in self.logs()}

    def since(self, marks):
        """(log's name, what it gained) for each log that grew."""
        for log in self.logs():
            with open(log, encoding="utf-8", errors="replace") as file:
                file.seek(marks.get(log, 0))
                text = file.read()
            if text:
                yield log.name, text


def fatal_lines(text, context=25):
    """The first report in the text that must not be there, with some lines of it; or nothing."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if FATAL.search(line):
            return "\n".join(lines[number:number + context])
    return ""


class Cluster:
    """A private PostgreSQL made by scripts/pg, durable as in earnest."""

    def __init__(self, workspace):
        self.workspace = workspace
        self.folder = workspace.path / "pg"
        self.numbers = itertools.count(1)
        self.conninfo = {}

    def _pg(self, *arguments):
        return subprocess.run([ROOT / "scripts" / "pg", *arguments], check=True, text=True, stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL).stdout

    def start(self):
        names = {"TANTU_DATABASE": "app", "TANTU_OWNER_DATABASE": "owner", "TANTU_SUPER_DATABASE": "super"}
        for line in self._pg("start", str(self.folder)).splitlines():
            name, value = line.split("=", 1)
            self.conninfo[names[name]] = shlex.split(value)[0]
        return self

    def stop(self, mode="fast"):
        """fast, or immediate: as if the power had gone."""
        self._pg("stop", str(self.folder), mode)

    def destroy(self):
        self._pg("destroy", str(self.folder))

    def main_database(self):
        return Database(self, "tantu")

    def new_database(self):
        """An empty one beside the first, with the same roles and rights."""
        name = f"tantu_{next(self.numbers)}"
        first = self.main_database()
        first.sql(f"CREATE DATABASE {name} OWNER tantu_owner TEMPLATE template0", role="super")
        first.sql(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC", role="super")
        first.sql(f"GRANT CONNECT ON DATABASE {name} TO tantu_app", role="super")
        return Database(self, name)


class Database:
    def __init__(self, cluster, name):
        self.cluster = cluster
        self.name = name
        self.var = cluster.workspace.path / f"var-{name}"

    def conninfo(self, role):
        return self.cluster.conninfo[role].replace("dbname=tantu", f"dbname={self.name}")

    def connect(self, role="owner"):
        connection = psycopg2.connect(self.conninfo(role))
        connection.autocommit = True
        return connection

    def sql(self, query, *arguments, role="super"):
        """Rows as tuples; nothing for a statement without rows. The superuser sees past row-level security."""
        connection = self.connect(role)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query, arguments or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def environment(self, **more):
        self.var.mkdir(exist_ok=True)
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PG", "TANTU_"))},
            "TANTU_DATABASE": self.conninfo("app"), "TANTU_OWNER_DATABASE": self.conninfo("owner"),
            "TANTU_VAR": str(self.var), "TANTU_LISTEN": "127.0.0.1:0", "TANTU_ADMIN_PASSWORD": ADMIN_PASSWORD,
            # Every test signs in from one address, many with a wrong password: test_sign_in.py has the defaults.
            "TANTU_CONFIG": "", "TANTU_SIGN_IN_TRIES": "1000", "TANTU_SIGN_IN_TRIES_PER_ADDRESS": "100000",
            "TANTU_SIGN_IN_TRIES_PER_ACCOUNT": "100000", **more,
        }

    def run(self, *arguments, check=True, **environment):
        """`tantu ARGUMENTS…` to its end; its output is in the answer and in a log."""
        log = self.cluster.workspace.new_log(arguments[0].strip("-"))
        done = subprocess.run([PROGRAM, *map(str, arguments)], env=self.environment(**environment), text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        assert not check or done.returncode == 0, f"tantu {' '.join(map(str, arguments))}: {done.stderr[-2000:]}"
        return done

    def migrate(self, gates=False):
        """gates=False: the gates of every plan, also of those to come, are open, so that tests which are about something else
        walk cases without a survey, a design, photos…"""
        self.run("migrate")
        if not gates:
            self.sql("ALTER TABLE plan ALTER gates SET DEFAULT '{}'")
            self.sql("UPDATE plan SET gates = '{}'")
        return self


class Program:
    """A long-lived `tantu serve` or `tantu work`."""

    def __init__(self, database, *arguments, binary=PROGRAM, **environment):
        self.database = database
        self.binary = binary
        self.arguments = [str(argument) for argument in arguments or ("serve",)]
        self.environment = environment
        self.process = None
        self.log = None
        self.address = None

    def start(self, wait=True):
        assert self.process is None, "it runs already"
        self.log = self.database.cluster.workspace.new_log(self.arguments[0])
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen([self.binary, *self.arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                            env=self.database.environment(**self.environment), start_new_session=True)
        if wait and self.arguments[0] == "serve":
            wait_until(self._is_ready, START_SECONDS, f"readiness; {self.log.name}: {self.text()[-2000:]}")
        return self

    def _is_ready(self):
        assert self.process.poll() is None, f"tantu {self.arguments} ended by itself:\n{self.text()[-3000:]}"
        lines = self.events("listening")
        if not lines:
            return False
        self.address = lines[-1]["address"].removeprefix("http://")
        # The port may have been 0; after that it is kept, so that a restart is found where it was.
        self.environment = {**self.environment, "TANTU_LISTEN": self.address}
        return probe(self.address, "/readyz") == 200

    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def events(self, name):
        """The log's JSON lines with this "event"."""
        found = []
        for line in self.text().splitlines():
            if line.startswith("{") and f'"event":"{name}"' in line.replace('": "', '":"'):
                found.append(json.loads(line))
        return found

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def wait(self, seconds=30):
        """Its exit status, once it has ended."""
        status = self.process.wait(seconds)
        self.process = None
        return status

    def send_signal(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGTERM, seconds=30):
        """Gracefully; anything but a clean end fails."""
        if self.process is None:
            return
        if self.running:
            self.send_signal(number)
        try:
            status = self.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.log.name}: no end within {seconds} s of signal {number}") from None
        assert status == 0, f"{self.log.name}: ended with {status}:\n{self.text()[-3000:]}"

    def kill(self):
        """kill -9; processes it started go too."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.wait()

    def restart(self, number=signal.SIGTERM):
        self.stop(number)
        return self.start()


def probe(address, path):
    """The status of one GET, or 0 when nobody answers."""
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
