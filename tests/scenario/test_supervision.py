# SPDX-License-Identifier: Apache-2.0
"""What systemd hears (sd_notify): ready only when it serves, stopping, what it does, and that its loop turns; of several
processes the parent speaks for all. And the form of the log."""
import os
import pty
import re
import select
import signal
import socket
import time

import pytest
from processes import PROGRAM, wait_until

WATCHDOG = 400000  # microseconds: it beats every 200 ms


class Listener:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address):
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0"))
        self.heard = []

    def hear(self, seconds):
        """Takes what comes within the time; whether anything did."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return False
        self.heard.append(self.socket.recv(4096).decode())
        return True

    def wait_for(self, word, count=1, seconds=60):
        until = time.monotonic() + seconds
        while sum(word in lines for lines in self.heard) < count:
            assert self.hear(max(0, until - time.monotonic())), f"no {word!r}: {self.heard[-20:]}"

    def drain(self):
        while self.hear(0):
            pass
        self.heard.clear()


@pytest.fixture(params=["path", "abstract"])
def listener(request, tmp_path):
    address = f"@tantu-{os.getpid()}-{time.monotonic_ns()}" if request.param == "abstract" else f"/tmp/tantu-{time.monotonic_ns()}.notify"
    one = Listener(address)
    yield one
    one.socket.close()
    if request.param == "path":
        os.unlink(address)


def test_a_server_tells_its_life(listener, make_server):
    server = make_server("serve", "--no-work", NOTIFY_SOCKET=listener.address, WATCHDOG_USEC=str(WATCHDOG))
    listener.wait_for("READY=1\nSTATUS=serving on 127.0.0.1")
    assert listener.heard[0] == "STATUS=waiting for the database"
    listener.wait_for("WATCHDOG=1", 5)
    server.send_signal(signal.SIGSTOP)  # a loop that does not turn says nothing
    listener.drain()
    assert not listener.hear(1.5)
    server.send_signal(signal.SIGCONT)
    listener.wait_for("WATCHDOG=1", 2)
    server.stop()
    listener.wait_for("STOPPING=1")


def test_it_is_not_ready_before_it_serves(listener, make_server):
    """The database comes later than the server: systemd must not be told otherwise."""
    nobody = "host=127.0.0.1 port=9 user=tantu_app dbname=tantu connect_timeout=2"
    server = make_server("serve", wait=False, NOTIFY_SOCKET=listener.address, TANTU_DATABASE=nobody)
    wait_until(lambda: "Connection refused" in server.text(), 60, "its first try")
    listener.wait_for("STATUS=waiting for the database")
    assert not any("READY" in lines for lines in listener.heard)
    server.stop()
    listener.wait_for("STOPPING=1")
    assert not any("READY" in lines for lines in listener.heard)


def test_a_worker_tells_too(listener, make_server):
    worker = make_server("work", NOTIFY_SOCKET=listener.address)
    listener.wait_for("READY=1\nSTATUS=working")
    worker.stop()
    listener.wait_for("STOPPING=1")
    assert not any("WATCHDOG" in lines for lines in listener.heard)  # nobody asked for it


def children(server):
    with open(f"/proc/{server.pid}/task/{server.pid}/children", encoding="ascii") as file:
        return [int(pid) for pid in file.read().split()]


def test_a_parent_speaks_for_its_children(listener, make_server, unused_port):
    server = make_server("serve", "--processes", "2", wait=False, TANTU_LISTEN=f"127.0.0.1:{unused_port}", NOTIFY_SOCKET=listener.address,
                         WATCHDOG_USEC=str(WATCHDOG))
    listener.wait_for("READY=1\nSTATUS=2 processes serve")
    assert len(server.events("listening")) == 2
    listener.wait_for("WATCHDOG=1", 3)
    frozen = children(server)[1]
    os.kill(frozen, signal.SIGSTOP)
    wait_until(lambda: not listener.hear(1.5), 60, "silence: one of two hangs")
    os.kill(frozen, signal.SIGCONT)
    listener.heard.clear()
    listener.wait_for("WATCHDOG=1", 2)
    os.kill(children(server)[0], signal.SIGKILL)  # started again, without a word
    wait_until(lambda: len(server.events("listening")) == 3, 60, "the third")
    listener.heard.clear()
    listener.wait_for("WATCHDOG=1", 2)
    server.stop()
    listener.wait_for("STOPPING=1")
    assert sum("READY" in lines or "STOPPING" in lines for lines in listener.heard) == 1


@pytest.fixture
def unused_port():
    """One port for several processes: it must be known before they start."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.mark.parametrize("address", ["", "nothing", "/nowhere/at/all", "@" + "x" * 200])
def test_a_socket_that_is_none_is_passed_over(make_server, address):
    server = make_server("serve", NOTIFY_SOCKET=address, WATCHDOG_USEC="soon")
    server.stop()


# --- the log ---

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (DEBUG|INFO |WARN |ERROR) [a-z_]+( [a-z_]+=(\"(\\.|[^\"\\])*\"|[^ \"=]+))*")


def test_a_log_may_be_text(make_server, database):
    server = make_server("serve", wait=False, TANTU_LOG="text", TANTU_NOTHING="1")
    wait_until(lambda: " listening " in server.text(), 60, "listening")
    server.stop()
    lines = server.text().splitlines()
    assert all(LINE.fullmatch(line) for line in lines), lines
    assert any(" stopped" in line for line in lines)


def test_a_level_keeps_the_rest_out(make_server, listener):
    server = make_server("serve", wait=False, TANTU_LOG_LEVEL="error", NOTIFY_SOCKET=listener.address)
    listener.wait_for("READY=1")
    server.stop()
    assert not server.text()


def test_on_a_terminal_it_is_text_and_elsewhere_json(database):
    environment = database.environment(TANTU_NOTHING="1")
    terminal, other = pty.openpty()
    pid = os.fork()
    if pid == 0:
        os.dup2(other, 2)
        os.execve(PROGRAM, ["tantu", "migrate"], environment)
    os.close(other)
    shown = b""
    try:
        while more := os.read(terminal, 4096):
            shown += more
    except OSError:
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert b"\033[33mWARN \033[0m setting note=" in shown and b"{" not in shown
    assert database.run("migrate", TANTU_NOTHING="1").stderr.startswith('{"time":')
