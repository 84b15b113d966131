# SPDX-License-Identifier: Apache-2.0
"""Ways to lose things: a PostgreSQL of one's own that may be killed, a proxy that loses what passes through it, a disk that
gets full."""
import errno
import os
import select
import signal
import socket
import subprocess
import threading
from pathlib import Path

import psycopg2
from processes import Cluster, Database, wait_until

READY = b"Z\x00\x00\x00\x05I"  # PostgreSQL is through with what it was sent, and has committed it


def send(pid, number):
    """A signal to a process that may have ended by now."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


class MortalCluster(Cluster):
    """Beside the shared one, which lives on."""

    def __init__(self, workspace, name, folder=None):
        super().__init__(workspace)
        self.name = name
        self.folder = folder or workspace.path / f"pg-{name}"

    def main_database(self):
        database = Database(self, "tantu")
        database.var = self.workspace.path / f"var-{self.name}"
        return database

    def kill(self):
        """kill -9 of the postmaster; its children leave by themselves."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)

    def revive(self):
        """Whatever a test has frozen runs again, so that it can be stopped."""
        for pid in self.pids():
            send(pid, signal.SIGCONT)

    def freeze(self, pids=None):
        """SIGSTOP of every process: connections stay open, nothing is answered, new ones are taken by the kernel only."""
        for pid in pids or self.pids():
            send(pid, signal.SIGSTOP)

    def pids(self):
        """Every process of this PostgreSQL: their working folder is the data folder."""
        data = (self.folder / "data").resolve()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").resolve(strict=True) == data:
                    found.append(int(process.name))
            except OSError:
                pass
        return sorted(found)

    def kill_backend(self, dice):
        """kill -9 of one that serves us: PostgreSQL throws all the others out and recovers."""
        pids = wait_until(self._backends, 60)
        os.kill(dice.choice(pids), signal.SIGKILL)

    def _backends(self):
        try:
            return [pid for pid, in self.main_database().sql(
                "SELECT pid FROM pg_stat_activity WHERE usename = 'tantu_app' ORDER BY pid")]
        except psycopg2.OperationalError:  # it still recovers from the time before
            return []

    def wait_for_return(self, seconds=60):
        def answers():
            try:
                return self.main_database().sql("SELECT 1")
            except psycopg2.OperationalError:
                return False
        wait_until(answers, seconds, "PostgreSQL's return")


class Proxy:
    """Stands before a PostgreSQL as a socket of its own: database.conninfo(role) with host=proxy.folder.

    rule(side, data, link) sees everything that passes ("up" to the server, "down" to the client) and answers what goes on,
    or None: both ends are cut, without a word. link is a dict that lasts as long as the connection; link["cut"]() cuts it."""

    def __init__(self, cluster, folder, rule=None):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        host = dict(part.split("=", 1) for part in cluster.conninfo["app"].split())["host"]
        self.server = f"{host}/.s.PGSQL.5432"
        self.rule = rule or (lambda side, data, link: data)
        self.links = 0
        self.cut = 0
        self.open = {}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{folder}/.s.PGSQL.5432")
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def conninfo(self, role="app"):
        return f"host={self.folder} user=tantu_{role} dbname=tantu"

    def close(self):
        self.listener.close()

    def cut_all(self):
        for link in list(self.open.values()):
            try:
                link["cut"]()
            except OSError:  # it ended by itself
                pass

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.links += 1
            threading.Thread(target=self._carry, args=(client, {"number": self.links}), daemon=True).start()

    def _carry(self, client, link):
        server = socket.socket(socket.AF_UNIX)
        link["cut"] = lambda: server.shutdown(socket.SHUT_RDWR)
        self.open[link["number"]] = link
        try:
            server.connect(self.server)
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(1 << 20)
                    if not data:
                        return
                    passed = self.rule("up" if ready is client else "down", data, link)
                    if passed is None:
                        self.cut += 1
                        return
                    (server if ready is client else client).sendall(passed)
        except OSError:
            pass
        finally:
            del self.open[link["number"]]
            client.close()
            server.close()


class SmallDisk:
    """A tmpfs of so many KiB over a folder. `refusal`: why it could not be mounted, or None."""

    def __init__(self, folder, kib):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.refusal = self._mount(f"size={kib}k,mode=0755", "-t", "tmpfs", "tantu-test")
        self.ballast = folder / "ballast"

    def _mount(self, options, *what):
        done = subprocess.run(["mount", "-o", options, *what, self.folder], text=True, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return (done.stderr.strip() or f"mount ended with {done.returncode}").splitlines()[0] if done.returncode else None

    def left(self):
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, leave=0):
        """Until there is no more than that, whoever takes from it meanwhile."""
        with open(self.ballast, "ab", buffering=0) as file:
            while (wanted := self.left() - leave) > 0:
                try:
                    file.write(bytes(min(wanted, 1 << 20)))
                except OSError as refused:
                    if refused.errno != errno.ENOSPC:
                        raise

    def free(self):
        self.ballast.unlink()

    def grow(self, kib):
        refusal = self._mount(f"remount,size={kib}k")
        assert refusal is None, refusal

    def unmount(self):
        if self.refusal is None:
            subprocess.run(["umount", self.folder], check=True, stdin=subprocess.DEVNULL)
