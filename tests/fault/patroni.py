# SPDX-License-Identifier: Apache-2.0
"""Three PostgreSQL under Patroni and etcd, synchronous and strict: what was acknowledged is on two of them. All on random
ports of 127.0.0.1, in one folder below the workspace; processes are found by their working folder, so none is left."""
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psycopg2
from faults import send
from load import free_port
from processes import ROOT, Database, wait_until

POSTGRES_BIN = "/usr/lib/postgresql/15/bin"
MEMBERS = 3
# Seconds; Patroni's own are 30, 10 and 10. A failover takes the lease and then some; a busy machine is not to lose it for nothing.
TTL, LOOP_WAIT, RETRY_TIMEOUT = 8, 1, 3
START_SECONDS = 120


def is_installed():
    return all(shutil.which(program) for program in ("etcd", "patroni")) and Path(POSTGRES_BIN, "initdb").exists()


class Member:
    """One Patroni with its PostgreSQL."""

    def __init__(self, cluster, number):
        self.cluster, self.name = cluster, f"pg{number}"
        self.folder = cluster.folder / self.name
        self.port, self.rest = free_port(), free_port()
        self.patroni = None

    def settings(self):
        connect = {"listen": f"127.0.0.1:{self.port}", "connect_address": f"127.0.0.1:{self.port}",
                   "data_dir": str(self.folder / "data"), "bin_dir": POSTGRES_BIN, "pgpass": str(self.folder / "pgpass"),
                   "authentication": {"superuser": {"username": "postgres", "password": self.cluster.password},
                                      "replication": {"username": "replicator", "password": self.cluster.password},
                                      "rewind": {"username": "rewinder", "password": self.cluster.password}},
                   "parameters": {"unix_socket_directories": ""}}
        rules = ["local all all reject", "host replication replicator 127.0.0.1/32 scram-sha-256",
                 "host all all 127.0.0.1/32 scram-sha-256"]
        parameters = {"max_connections": 80, "shared_buffers": "32MB", "password_encryption": "scram-sha-256", "jit": "off",
                      "wal_keep_size": "256MB", "wal_retrieve_retry_interval": "500ms", "timezone": "UTC", "log_timezone": "UTC", "log_error_verbosity": "terse"}
        return {
            "scope": "tantu", "name": self.name,
            "restapi": {"listen": f"127.0.0.1:{self.rest}", "connect_address": f"127.0.0.1:{self.rest}"},
            "etcd3": {"host": f"127.0.0.1:{self.cluster.etcd_port}"},
            "bootstrap": {
                "dcs": {"ttl": TTL, "loop_wait": LOOP_WAIT, "retry_timeout": RETRY_TIMEOUT, "synchronous_mode": True,
                        "synchronous_mode_strict": True, "maximum_lag_on_failover": 1048576,
                        "postgresql": {"use_pg_rewind": True, "use_slots": True, "parameters": parameters, "pg_hba": rules}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
            },
            "postgresql": {**connect, "pg_hba": rules},
        }

    def start(self):
        self.folder.mkdir(exist_ok=True)
        self.cluster.own(self.folder)
        path = self.folder / "patroni.yml"
        path.write_text(json.dumps(self.settings()))  # JSON is YAML
        self.patroni = self.cluster.run([sys.executable if not Path("/usr/bin/patroni").exists() else "/usr/bin/patroni", path],
                                        self.folder, self.name)

    def processes(self):
        """Patroni itself and its PostgreSQL: their working folder lies in ours."""
        return working_in(self.folder)

    def postmaster(self):
        try:
            return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def kill(self):
        """kill -9 of Patroni and of the postmaster, whose children leave by themselves."""
        postmaster = self.postmaster()
        send(self.patroni.pid, signal.SIGKILL)
        if postmaster:
            send(postmaster, signal.SIGKILL)
        self.patroni.wait(30)
        wait_until(lambda: not self.processes(), 60, f"the end of {self.name}'s processes")

    def ask(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest}{path}", timeout=3) as answer:
                return json.load(answer)
        except (OSError, ValueError):
            return None

    def state(self):
        """role and state as Patroni tells them, also with a status of 503."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.rest}/patroni", timeout=3) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as answer:
            return json.load(answer)
        except (OSError, ValueError):
            return {}


def working_in(folder):
    """The processes whose working folder is this one or below it."""
    folder, found = folder.resolve(), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            place = (process / "cwd").resolve(strict=True)
        except OSError:
            continue
        if place == folder or folder in place.parents:
            found.append(int(process.name))
    return sorted(found)


class PatroniCluster:
    """Looks like processes.Cluster to Database and Program."""

    def __init__(self, workspace, name="patroni"):
        self.workspace = workspace
        self.folder = workspace.path / name
        self.password = secrets.token_hex(12)
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        self.etcd_port, self.etcd_peer = free_port(), free_port()
        self.etcd = None
        self.members = []
        self.conninfo = {}

    # --- processes ---

    def own(self, folder):
        if os.geteuid() == 0:
            shutil.chown(folder, self.user, pwd.getpwnam(self.user).pw_gid)

    def run(self, command, folder, name):
        """As the cluster's user, and gone when we are."""
        drop = ["setpriv", "--pdeathsig", "KILL"]
        if os.geteuid() == 0:
            drop += ["--reuid", self.user, "--regid", str(pwd.getpwnam(self.user).pw_gid), "--init-groups"]
        with open(self.workspace.new_log(name), "wb") as out:
            return subprocess.Popen([*drop, "env", "-i", "PATH=/usr/bin:/bin", "LANG=C.UTF-8", f"HOME={folder}", *map(str, command)],
                                    cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)

    def watch_our_end(self):
        """However this process ends, what works in the folder ends with it: a postmaster outlives its Patroni."""
        script = 'tail --pid="$1" -f /dev/null; cd /; [ -d "$2" ] || exit 0; for p in /proc/[0-9]*; do ' \
                 'case $(readlink "$p/cwd") in "$2"*) kill -9 "${p#/proc/}";; esac; done'
        subprocess.Popen(["sh", "-c", script, "watch", str(os.getpid()), str(self.folder)], cwd="/", stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

    def start(self):
        self.folder.mkdir()
        self.own(self.folder)
        self.watch_our_end()
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.etcd_peer}"
        (self.folder / "etcd").mkdir()
        self.own(self.folder / "etcd")
        self.etcd = self.run(["etcd", "--name", "one", "--data-dir", "data", "--listen-client-urls", client,
                              "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                              "--initial-cluster", f"one={peer}", "--unsafe-no-fsync"], self.folder / "etcd", "etcd")
        self.members = [Member(self, number) for number in range(MEMBERS)]
        hosts = ",".join(["127.0.0.1"] * MEMBERS)
        ports = ",".join(str(member.port) for member in self.members)
        for role, user in (("app", "tantu_app"), ("owner", "tantu_owner"), ("super", "postgres")):
            self.conninfo[role] = f"host={hosts} port={ports} user={user} password={self.password} dbname=tantu " \
                                  "target_session_attrs=read-write"
        for member in self.members:
            member.start()
        self.wait_for_health(START_SECONDS)
        self.make_roles()
        return self

    def make_roles(self):
        """What scripts/pg does in a cluster of its own; and passwords, as these are reached by TCP."""
        environment = {"PATH": "/usr/bin:/bin", "PGPASSWORD": self.password, "PGTARGETSESSIONATTRS": "read-write",
                       "PGHOST": ",".join(["127.0.0.1"] * MEMBERS), "PGPORT": ",".join(str(m.port) for m in self.members)}
        psql = [f"{POSTGRES_BIN}/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "postgres"]
        subprocess.run(psql, check=True, env=environment, text=True, stdout=subprocess.DEVNULL,
                       input=(ROOT / "scripts" / "roles.sql").read_text() +
                       f"ALTER ROLE tantu_owner PASSWORD '{self.password}'; ALTER ROLE tantu_app PASSWORD '{self.password}';")
        # libpq goes to no other host once one has refused a password: the last replica must have heard of it.
        for member in self.members:
            wait_until(lambda member=member: self.lets_in(member), 30, f"the roles at {member.name}")

    def lets_in(self, member):
        try:
            psycopg2.connect(host="127.0.0.1", port=member.port, user="tantu_app", password=self.password, dbname="tantu",
                             connect_timeout=3).close()
            return True
        except psycopg2.OperationalError:
            return False

    def main_database(self):
        database = Database(self, "tantu")
        database.var = self.workspace.path / f"var-{self.folder.name}"
        return database

    def replicas(self, role="app"):
        """The connection string for reads that may be late."""
        return self.conninfo[role].replace("target_session_attrs=read-write", "target_session_attrs=prefer-standby")

    # --- who is what ---

    def roles(self):
        """{member: role} as the cluster sees it: leader, sync_standby, replica; only who runs and streams."""
        for member in self.members:
            told = member.ask("/cluster")
            if told:
                by_name = {one["name"]: one for one in told["members"]}
                return {m: by_name[m.name]["role"] for m in self.members
                        if by_name.get(m.name, {}).get("state") in ("running", "streaming")}
        return {}

    def leader(self):
        return next((member for member, role in self.roles().items() if role == "leader"), None)

    def switch_over(self):
        """Asks the leader to hand over to the one that is in step with it."""
        roles = self.roles()
        leader = next(member for member, role in roles.items() if role == "leader")
        candidate = next(member for member, role in roles.items() if role == "sync_standby")
        body = json.dumps({"leader": leader.name, "candidate": candidate.name}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{leader.rest}/switchover", body, timeout=60) as answer:
            assert answer.status == 200, answer.read()

    def followers(self):
        return [member for member, role in self.roles().items() if role != "leader"]

    def at(self, member, query):
        """Asks this one, whatever it is; the first value."""
        connection = psycopg2.connect(host="127.0.0.1", port=member.port, user="postgres", password=self.password,
                                      dbname="tantu", connect_timeout=5)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchone()[0]
        finally:
            connection.close()

    def is_healthy(self):
        """All run, one leads and takes writes, and one keeps in step with it: another failover loses nothing."""
        roles = self.roles()
        if len(roles) != MEMBERS or not {"leader", "sync_standby"} <= set(roles.values()):
            return False
        return all(member.state().get("state") == "running" for member in self.members) and self.takes_writes()

    def takes_writes(self):
        try:
            connection = psycopg2.connect(self.conninfo["super"].replace("dbname=tantu", "dbname=postgres"), connect_timeout=3)
        except psycopg2.OperationalError:
            return False
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')")
                return cursor.fetchone()[0] > 0
        except psycopg2.Error:
            return False
        finally:
            connection.close()

    def wait_for_health(self, seconds=90):
        wait_until(self.is_healthy, seconds, f"a healthy cluster: {[(m.name, m.state()) for m in self.members]}")

    def destroy(self):
        for member in self.members:
            if member.patroni and member.patroni.poll() is None:
                send(member.patroni.pid, signal.SIGKILL)
        for pid in working_in(self.folder):
            send(pid, signal.SIGKILL)
        for process in [self.etcd, *(member.patroni for member in self.members)]:
            if process:
                process.wait(30)
        wait_until(lambda: not working_in(self.folder), 60, "the end of all processes")
        shutil.rmtree(self.folder, ignore_errors=True)
