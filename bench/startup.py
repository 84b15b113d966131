# SPDX-License-Identifier: Apache-2.0
"""bench/startup: milliseconds from starting `tantu serve` on an existing database to 200 from /readyz. See docs/performance.md."""
import argparse
import http.client
import socket
import statistics
import subprocess
import sys
import time

from ground import PROGRAM, Ground, process_cpu

MUST_MS = 500


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def is_ready(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def start(ground):
    """Milliseconds until ready, and the server's CPU meanwhile."""
    port = free_port()
    begun = time.monotonic()
    server = subprocess.Popen([PROGRAM, "serve", "--listen", f"127.0.0.1:{port}"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ground.tantu_environment())
    try:
        while not is_ready(port):
            if server.poll() is not None or time.monotonic() > begun + 30:
                raise SystemExit("tantu serve did not get ready")
            time.sleep(0.001)
        return (time.monotonic() - begun) * 1000, process_cpu(server.pid) * 1000
    finally:
        server.terminate()
        server.wait(30)


def main():
    parser = argparse.ArgumentParser(prog="bench/startup", description="From the start to ready, on an existing database.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="does it work at all?")
    options = parser.parse_args()
    ground = Ground(0)
    try:
        ground.start_postgres()
        ground.migrate()
        start(ground)
        found = [start(ground) for _ in range(2 if options.quick else options.rounds)]
        middle, most = statistics.median(ms for ms, _ in found), max(ms for ms, _ in found)
        print(f"ready after ms: median {middle:.0f}, most {most:.0f} ({'must' if middle < MUST_MS else 'ABOVE'} {MUST_MS}); "
              f"CPU of the server {statistics.median(cpu for _, cpu in found):.0f}")
    finally:
        ground.destroy()


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
