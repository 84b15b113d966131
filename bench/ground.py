# SPDX-License-Identifier: Apache-2.0
"""What a benchmark stands on: a throwaway PostgreSQL with durability on, `tantu serve` as a release, and cases.

Cases are numbered 1…N in the province 630000: the first 70 % belong to the plan `qinghai`, the others to fifty plans in turn
(`qinghai` is one of them). SHARE of the first part are kept `registered` for the server to move, as many for pgbench."""
import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg2

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("TANTU_BENCH_BUILD", ROOT / "build" / "release"))
PROGRAM = BUILD / "tantu"
PASSWORD = "A-bench-password-1"
PLANS = 50
REGION = 630000000
FIRST_ID = 6300000000000000
TICK = os.sysconf("SC_CLK_TCK")
# What every connection of the server's read and write lanes is opened with: db/connection.c
OPTIONS = "-c statement_timeout=15000 -c TimeZone=UTC -c plan_cache_mode=force_generic_plan -c jit=off"


def say(text):
    print(text, file=sys.stderr, flush=True)


def statements():
    """name → text, exactly as the server prepares it: out of the source that the build made."""
    found = {}
    source = (BUILD / "generated" / "embedded.c").read_text(encoding="utf-8")
    for name, bytes_ in re.findall(r'\[SQL_\w+\] = \{ "(\w+)".*?\(const char\[\]\)\{([^}]*)\}', source, re.S):
        numbers = [int(n) for n in bytes_.split(",") if n.strip()]
        found[name] = bytes(n & 255 for n in numbers[:-1]).decode("utf-8")
    return found


class Ground:
    def __init__(self, cases):
        self.cases = cases
        self.path = Path(tempfile.mkdtemp(prefix="bench-", dir=os.environ.get("TANTU_BENCH_DIR", "/tmp")))
        self.path.chmod(0o755)
        self.environment = {}
        self.server = None
        self.main = cases * 7 // 10
        self.share = 32 * min(512, self.main * 22 // 100 // 32)  # of the main part, each for the server and for pgbench
        self.spread_share = 32 * min(512, (cases - self.main) // 2 // 32)
        self.tokens = []

    # --- PostgreSQL ---

    def _pg(self, *arguments):
        return subprocess.run([ROOT / "scripts" / "pg", *arguments], check=True, text=True, stdout=subprocess.PIPE,
                              stdin=subprocess.DEVNULL).stdout

    def start_postgres(self):
        for line in self._pg("start", str(self.path / "pg")).splitlines():
            name, value = line.split("=", 1)
            self.environment[name] = shlex.split(value)[0]
        self.postmaster = int((self.path / "pg" / "data" / "postmaster.pid").read_text().split()[0])

    def destroy(self):
        self.stop_server()
        self._pg("destroy", str(self.path / "pg"))
        subprocess.run(["rm", "-rf", str(self.path)], check=True)

    def sql(self, query, role="SUPER_"):
        connection = psycopg2.connect(self.environment[f"TANTU_{role}DATABASE"])
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    # --- the server ---

    def tantu_environment(self):
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("PG", "TANTU_"))}
        return {**kept, **self.environment, "TANTU_VAR": str(self.path / "var"), "TANTU_LISTEN": "127.0.0.1:0",
                "TANTU_ADMIN_PASSWORD": PASSWORD,
                # The budget of a token is kept as ever, only larger than what one client can ask for here.
                "TANTU_TOKEN_RATE": "1000000", "TANTU_TOKEN_BURST": "1000000"}

    def migrate(self):
        (self.path / "var").mkdir(exist_ok=True)
        subprocess.run([PROGRAM, "migrate"], check=True, env=self.tantu_environment(), stderr=subprocess.DEVNULL)

    def start_server(self, command="serve"):
        """`tantu serve` until it listens, or `tantu work` until it works; how long that took."""
        ready = r'"event":"listening","address":"127.0.0.1:(\d+)"' if command == "serve" else r'"event":"(working)"'
        self.log = self.path / "server.log"
        begun = time.monotonic()
        with open(self.log, "ab") as out:
            self.server = subprocess.Popen([PROGRAM, command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                           env=self.tantu_environment())
        while not (found := re.findall(ready, self.log.read_text(errors="replace"))):
            if self.server.poll() is not None or time.monotonic() > begun + 60:
                raise SystemExit(f"tantu {command} did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.005)
        self.port = int(found[-1]) if command == "serve" else None
        return time.monotonic() - begun

    def stop_server(self):
        if self.server:
            self.server.terminate()
            self.server.wait(30)
        self.server = None

    def call(self, method, path, body=None, token=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        text = response.read()
        connection.close()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {text[:500]!r}")
        return json.loads(text) if text else None

    def upload(self, path, data, token):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", path, data, {"Content-Type": "text/csv", "Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        text = response.read()
        connection.close()
        if response.status != 202:
            raise SystemExit(f"POST {path}: {response.status} {text[:500]!r}")
        return json.loads(text)

    def sign_in_managers(self, count=PLANS):
        """A manager of the whole province for each plan; their tokens, and their accounts for pgbench's scopes."""
        admin = self.call("POST", "/api/v1/session", {"user": "admin", "password": PASSWORD})["token"]
        for number in range(count):
            name = f"manager{number}"
            self.call("POST", "/api/v1/users", {"user": name, "password": PASSWORD, "role": "manager", "region": "630000"}, admin)
            self.tokens.append(self.call("POST", "/api/v1/session", {"user": name, "password": PASSWORD})["token"])
        self.first_account = self.sql("SELECT id FROM account WHERE name = 'manager0'")[0][0]

    # --- what was used ---

    def server_cpu(self):
        return process_cpu(self.server.pid)

    def server_rss(self):
        """Resident megabytes now."""
        status = Path(f"/proc/{self.server.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def postgres_cpu(self):
        """Seconds of the whole cluster, those included that ended."""
        seconds = 0
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(entry.name) == self.postmaster:
                seconds += sum(map(int, fields[11:15])) / TICK
            elif int(fields[1]) == self.postmaster:
                seconds += sum(map(int, fields[11:13])) / TICK
        return seconds

    # --- the cases ---

    def fill(self):
        begun = time.monotonic()
        self.sql(f"""
            INSERT INTO plan (code, name_zh, name_ko, name_en, region, begins_on, ends_on, who_counts, eligibility)
            SELECT 'bench' || i, '', '', '', {REGION}, '2021-01-01', '2025-12-31', '', 'any' FROM generate_series(1, {PLANS - 1}) i
            ON CONFLICT DO NOTHING;
            INSERT INTO indicator (plan_id, code, name_zh, name_ko, name_en, unit, target, direction, per, binding)
            SELECT id, 'households', '', '', '', 'household', 7500, 'at_least', 'period', true FROM plan WHERE code LIKE 'bench%';
            INSERT INTO contractor (code, name) SELECT 'c' || i, 'Contractor ' || i FROM generate_series(1, 20) i;
            CREATE SCHEMA bench;
            GRANT USAGE ON SCHEMA bench TO tantu_app;
            CREATE TABLE bench.place AS SELECT place, row_number() OVER (ORDER BY place) - 1 AS i FROM region
                WHERE place BETWEEN {REGION} AND {REGION + 9999999} AND level = 'county';
            CREATE TABLE bench.plans AS SELECT id, code, row_number() OVER (ORDER BY code <> 'qinghai', id) - 1 AS i FROM plan
                WHERE code = 'qinghai' OR code LIKE 'bench%';
            CREATE TABLE bench.slice (client int, position int, version int, suspended int);
            GRANT SELECT ON bench.slice TO tantu_app;
            SELECT set_config('tantu.role', 'manager', false), set_config('tantu.account', '1', false),
                   set_config('tantu.low', '0', false), set_config('tantu.high', '999999999', false)""")
        for first in range(1, self.cases + 1, 100000):
            self._fill_part(first, min(self.cases, first + 99999))
            say(f"filled {min(self.cases, first + 99999)} of {self.cases} cases ({time.monotonic() - begun:.0f} s)")
        for counter in ("household", "person", "need", "case"):
            self.sql(f"SELECT setval('{counter}_number', {self.cases})")
        self.sql("UPDATE plan SET gates = '{}'")  # those that have gone some way went there on paper
        self._move_some()
        self.sql("UPDATE plan SET gates = (SELECT array_agg(code ORDER BY position) FROM case_gate)")
        self.sql("SELECT set_config('tantu.role', 'system', false); SELECT priority_settle(2000000)") # else a job does, while we measure
        # Most cases are overdue, and everybody is new: reminders and a comparison of all of them are not what is measured.
        self.sql("UPDATE job SET run_at = now() + interval '1 day' WHERE kind IN ('overdue_scan', 'duplicates_scan')")
        self.sql("VACUUM ANALYZE")
        self.sql("CHECKPOINT")
        say(f"the database is ready ({time.monotonic() - begun:.0f} s, {self.sql('SELECT pg_size_pretty(pg_database_size(current_database()))')[0][0]})")

    def _fill_part(self, first, last):
        self.sql(f"""
            BEGIN;
            SET LOCAL synchronous_commit = off; SET LOCAL work_mem = '256MB';
            CREATE TEMP TABLE n ON COMMIT DROP AS
                SELECT g AS n, {FIRST_ID} + g AS id, p.place, l.id AS plan_id
                FROM generate_series({first}, {last}) g
                JOIN bench.place p ON p.i = g % (SELECT count(*) FROM bench.place)
                JOIN bench.plans l ON l.i = CASE WHEN g <= {self.main} THEN 0 ELSE g % {PLANS} END;
            INSERT INTO household (plan_region, id, number, region, village, address, hardship)
                SELECT {REGION}, id, 'B' || lpad(n::text, 8, '0'), place, '向阳村' || n % 40, '向阳村' || n % 300 || '号', '低保' FROM n;
            INSERT INTO person (plan_region, id, household_id, name, sex, relation, citizen_id, citizen_id_index, category, level, phone)
                SELECT {REGION}, id, id, '马' || n % 1000, '男', '户主', sha256(('a' || n)::bytea) || sha256(('b' || n)::bytea),
                       sha256(n::text::bytea), 4, 1, '' FROM n;
            INSERT INTO need (plan_region, id, household_id, person_id, kind, item)
                SELECT {REGION}, id, id, id, 'retrofit', '坡化' FROM n;
            INSERT INTO retrofit_case (plan_region, id, plan_id, household_id, household_number, householder, region, village,
                stage_at, stage_on, eligible, eligibility_reasons, contractor_id)
                SELECT {REGION}, id, plan_id, id, 'B' || lpad(n::text, 8, '0'), '马*', place, '向阳村' || n % 40,
                       now() - interval '300 days', current_date - 300, true, '{{retrofit_need,severe_member,hardship}}',
                       CASE WHEN n % 4 = 0 THEN (SELECT min(id) FROM contractor WHERE code LIKE 'c%') + n % 20 END FROM n ORDER BY n;
            COMMIT""")

    def _move_some(self):
        """Of those that nobody will move: 40 % approved, 10 % suspended, and up to 20,000 as far as `accepted`."""
        scope = """BEGIN; SET LOCAL synchronous_commit = off;
            SELECT set_config('tantu.role', 'manager', true), set_config('tantu.account', '1', true),
                   set_config('tantu.low', '0', true), set_config('tantu.high', '999999999', true)"""
        low, high = FIRST_ID + 2 * self.share, FIRST_ID + self.main
        far = min(20000, (high - low) // 20)
        path = ["approved", "surveyed", "designed", "assigned", "building", "built", "accepted"]
        for number, stage in enumerate(path):
            self.sql(f"""{scope}; UPDATE retrofit_case SET stage = '{stage}', stage_at = now() - interval '{200 - 20 * number} days'
                WHERE plan_region = {REGION} AND id > {high - far} AND id <= {high}; COMMIT""")
        self.sql(f"""{scope}; UPDATE retrofit_case SET stage = 'approved', stage_at = now() - interval '30 days'
            WHERE plan_region = {REGION} AND id > {low} AND id <= {high - far} AND id % 10 < 4; COMMIT""")
        self.sql(f"""{scope}; UPDATE retrofit_case SET stage = 'suspended', stage_at = now() - interval '30 days', stage_note = 'away'
            WHERE plan_region = {REGION} AND id > {low} AND id <= {high - far} AND id % 10 = 9; COMMIT""")

    def wait_for_fold(self):
        deadline = time.monotonic() + 120
        while self.sql("SELECT EXISTS (SELECT FROM total_delta)")[0][0] and time.monotonic() < deadline:
            time.sleep(0.3)

    def settle(self):
        """Before a figure: nothing left over from the one before."""
        self.wait_for_fold()
        self.sql("CHECKPOINT")
        os.truncate(self.log, 0)


def process_cpu(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:13])) / TICK
