# SPDX-License-Identifier: Apache-2.0
"""Clients that hold on and give nothing: four thousand that trickle their heads, their bodies or their reading, and ten
thousand that are only there. Somebody else is served all the while. slowhttptest is Debian's."""
import resource
import shutil
import socket
import statistics
import subprocess
import threading
import time

import pytest
from client import Client
from processes import probe, wait_until
from test_refusals import counted, told

SOCKETS, HOLD = 4000, 4  # seconds that all of them are there
TRICKLES = {
    "heads": ["-H", "-i", "3", "-u", "http://{}/api/v1/plans"],
    "bodies": ["-B", "-i", "3", "-s", "100000", "-x", "8", "-t", "POST", "-u", "http://{}/api/v1/session"],
    "reading": ["-X", "-w", "1", "-y", "8", "-n", "3", "-z", "4", "-k", "8", "-u", "http://{}/openapi.json"]}


@pytest.fixture(scope="module", autouse=True)
def many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Probe(threading.Thread):
    """Reads the plans over and over, each time on a connection of its own; remembers how long each took."""

    def __init__(self, client):
        super().__init__()
        self.client, self.stop, self.seconds, self.failures = client, threading.Event(), [], []

    def run(self):
        while not self.stop.wait(0.02):
            client, begun = self.client.clone(), time.monotonic()
            try:
                assert client.get("/plans", timeout=30).items
            except Exception as failure:  # whatever it is, it is what the test is about
                self.failures.append(repr(failure))
            finally:
                client.close()
            self.seconds.append(time.monotonic() - begun)

    def end(self):
        self.stop.set()
        self.join()
        assert not self.failures, self.failures[:3]
        print(f"{len(self.seconds)} probes, median {statistics.median(self.seconds) * 1000:.0f} ms, longest {max(self.seconds) * 1000:.0f} ms")
        return self.seconds


def gauge(server, name):
    text = Client(server, None)._send("GET", "/metrics", None, {}, 30).body.decode()
    return int(next(line.split(" ")[1] for line in text.splitlines() if line.startswith(name + " ")))


def connections(server):
    return gauge(server, "tantu_http_connections")


def attack(server, how):
    command = ["slowhttptest", "-c", str(SOCKETS), "-r", "2000", "-l", "120", "-p", "3", *(part.format(server.address) for part in TRICKLES[how])]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.skipif(not shutil.which("slowhttptest"), reason="slowhttptest is not installed")
@pytest.mark.parametrize("how, bounded", [("heads", False), ("bodies", False), ("reading", False), ("heads", True)])
def test_the_service_stays_available(make_server, admin, how, bounded):
    """Four thousand from a trusted proxy's address, which may have as many connections as there are; and from one that is
    bounded like any other: then the probe, which shares it, gets the place of the oldest of them."""
    server = make_server("serve", "--no-work", **({"TANTU_TRUSTED_PROXIES": "none"} if bounded else {}))
    most, until = 0, None
    watch = Probe(admin.clone(server))
    watch.start()
    slow = attack(server, how)
    try:
        while not until or time.monotonic() < until:
            assert slow.poll() is None, "slowhttptest ended before we did"
            most = max(most, connections(server))
            if not until and gauge(server, "tantu_http_accepted_total") > SOCKETS:
                until = time.monotonic() + HOLD
            time.sleep(0.2)
    finally:
        slow.kill()
        slow.wait()
    seconds = watch.end()
    print(f"{how}: {most} connections at once")
    assert len(seconds) >= 20 and max(seconds) < 10
    assert not bounded or most <= 1000 + 50 and counted(server, "connections_of_address") >= SOCKETS - 1000
    wait_until(lambda: connections(server) < 20, 60, "the slow ones to be let go")
    assert probe(server.address, "/readyz") == 200
    wait_until(lambda: told(server, "connections_of_address") == counted(server, "connections_of_address"), 30)


def trickle(server, head, piece, seconds, read=0):
    """Sends the head, then a piece a second; the status it is answered, 0 for none."""
    host, port = server.address.split(":")
    connection = socket.socket()
    if read:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((host, int(port)))
    connection.sendall(head)
    connection.settimeout(1)
    begun, answer = time.monotonic(), b""
    while time.monotonic() < begun + seconds:
        try:
            if read:
                time.sleep(1)
            more = connection.recv(read or 4096)
            answer += more
            if not more or not read:
                break
        except TimeoutError:
            connection.sendall(piece)
        except OSError:
            break
    connection.close()
    return int(answer[9:12] or b"0"), time.monotonic() - begun


def test_who_is_too_slow_is_refused(make_server):
    """Head: within ten seconds. Body and answer: so many bytes a second, looked at every twenty. All three at once; a high
    rate, because buffers on the way swallow the beginning of an answer."""
    server, ended = make_server("serve", "--no-work", TANTU_SLOWEST_RATE="100000"), {}
    post = b"POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"
    many = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 60
    threads = [threading.Thread(target=lambda name=name, arguments=arguments: ended.update({name: trickle(server, *arguments)}))
               for name, arguments in {"header_too_slow": (b"GET / HTTP/1.1\r\n", b"X: y\r\n", 60), "body_too_slow": (post, b" ", 90),
                                       "answer_not_taken": (many, b"", 120, 500)}.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended["header_too_slow"][0] == 408 and ended["header_too_slow"][1] >= 9
    assert ended["body_too_slow"][0] == 408 and ended["body_too_slow"][1] >= 19
    assert 19 <= ended["answer_not_taken"][1] < 110, "it was cut off"
    for reason in ended:
        assert counted(server, reason) == 1
        wait_until(lambda reason=reason: told(server, reason) == 1, 30)


def resident(server):
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024


def test_ten_thousand_idle_connections(make_server, admin):
    """Each has asked once. They cost less than ten kilobytes each, and everybody is still answered. (The sanitizer's
    quarantine of freed memory is kept small, or it would be what is measured.)"""
    count = 10000
    server = make_server("serve", "--no-work", ASAN_OPTIONS="quarantine_size_mb=1:thread_local_quarantine_size_kb=16")
    host, port = server.address.split(":")
    request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    other = admin.clone(server)

    def ask(connection):
        connection.sendall(request)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        return connection

    def open_many(n):
        return [ask(socket.create_connection((host, int(port)), 60)) for _ in range(n)]

    warm = open_many(200)
    assert other.get("/plans").items
    before = resident(server)
    idle = open_many(count - len(warm))
    cost = (resident(server) - before) / len(idle)
    print(f"{cost:.0f} bytes a connection")
    assert connections(server) > count
    assert cost < 10 * 1024
    for _ in range(50):
        assert other.get("/plans", timeout=30).items
    for connection in (*warm, *idle)[::100]:
        ask(connection)
    assert counted(server, "connections") == counted(server, "connections_of_address") == 0
    for connection in (*warm, *idle):
        connection.close()
    wait_until(lambda: connections(server) < 20, 60)
