# SPDX-License-Identifier: Apache-2.0
"""bench/import: a needs file through the server, beside two plain COPYs of the same data. See docs/performance.md."""
import argparse
import csv
import io
import statistics
import subprocess
import sys
import threading
import time
from datetime import date

from ground import ROOT, Ground, say

sys.path.insert(0, str(ROOT / "scripts"))
import demo_data  # noqa: E402

MUST = 3
TABLES = ("household", "person", "need", "retrofit_case", "case_event", "total_delta")
# What the import writes into, without its triggers: keys, indexes, checks and foreign keys are the same.
PEER = "CREATE SCHEMA peer; " + "".join(f"CREATE TABLE peer.{name} (LIKE {name} INCLUDING ALL);" for name in TABLES) + """
    ALTER TABLE peer.total_delta ALTER id DROP IDENTITY;
    ALTER TABLE peer.household ADD FOREIGN KEY (region) REFERENCES region;
    ALTER TABLE peer.person ADD FOREIGN KEY (plan_region, household_id) REFERENCES peer.household;
    ALTER TABLE peer.need ADD FOREIGN KEY (plan_region, person_id) REFERENCES peer.person,
        ADD FOREIGN KEY (plan_region, household_id) REFERENCES peer.household;
    ALTER TABLE peer.retrofit_case ADD FOREIGN KEY (plan_id) REFERENCES plan, ADD FOREIGN KEY (region) REFERENCES region,
        ADD FOREIGN KEY (plan_region, household_id) REFERENCES peer.household"""


def make_file(rows):
    plan = demo_data.PLANS[0]._replace(households=rows)
    neighbourhood = demo_data.Neighbourhood(plan, 1, date(2025, 12, 31))
    made = []
    while len(made) < rows:
        made += neighbourhood.household(len(made) + 1).rows
    out = io.StringIO()
    writer = csv.DictWriter(out, demo_data.COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(made[:rows])
    return out.getvalue().encode("utf-8")


class Import:
    def __init__(self, ground, data, rows):
        self.ground, self.data, self.rows = ground, data, rows
        self.files = ground.path / "rows"
        self.files.mkdir()
        self.files.chmod(0o777)
        (self.files / "file.csv").write_bytes(data)
        columns = ", ".join(f'"{name}" text' for name in demo_data.COLUMNS)
        ground.sql(f"{PEER}; CREATE TABLE peer.file ({columns}, PRIMARY KEY (序号))")

    def empty(self, schema):
        g = self.ground
        tables = ", ".join(f"{schema}.{name}" for name in TABLES)
        # (As a replica: what is append-only has triggers that refuse this.)
        g.sql(f"SET session_replication_role = replica; TRUNCATE {tables}" + (", needs_import, total, total_history, device_effect, device_delta, device_total CASCADE" if schema == "public" else ", peer.file"))
        g.sql("VACUUM")
        g.sql("CHECKPOINT")

    def ours(self):
        """Seconds from the first byte of the upload to `done`, and to the end of staging."""
        g = self.ground
        self.empty("public")
        server, database, staged = g.server_cpu(), g.postgres_cpu(), None
        most = Most(g)
        begun = time.monotonic()
        number = g.upload("/api/v1/imports?plan=qinghai&mode=good_rows", self.data, g.tokens[0])["id"]
        while (shown := g.call("GET", f"/api/v1/imports/{number}", token=g.tokens[0]))["state"] in ("queued", "running"):
            staged = staged or (time.monotonic() - begun if shown["checked"] >= self.rows else None)
            time.sleep(0.02)
        whole = time.monotonic() - begun
        if shown["state"] != "done" or shown["accepted"] != self.rows:
            raise SystemExit(f"the import came to {shown}")
        return {"whole": whole, "staged": staged or whole, "server": g.server_cpu() - server,
                "database": g.postgres_cpu() - database, "memory": most.stop()}

    def keep_rows(self):
        for name in TABLES:
            self.ground.sql(f"COPY {name} TO '{self.files}/{name}'")

    def copy_rows(self):
        """COPY of the resulting rows, in one transaction."""
        return self.timed("; ".join(f"COPY peer.{name} FROM '{self.files}/{name}'" for name in TABLES))

    def copy_file(self):
        return self.timed(f"COPY peer.file FROM '{self.files}/file.csv' (FORMAT csv, HEADER)")

    def timed(self, statements):
        self.empty("peer")
        database, begun = self.ground.postgres_cpu(), time.monotonic()
        self.ground.sql(f"BEGIN; {statements}; COMMIT")
        return {"whole": time.monotonic() - begun, "database": self.ground.postgres_cpu() - database}


class Most(threading.Thread):
    """The most memory that the server has resident meanwhile."""

    def __init__(self, ground):
        super().__init__(daemon=True)
        self.ground, self.most, self.over = ground, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.02):
            self.most = max(self.most, self.ground.server_rss())

    def stop(self):
        self.over.set()
        self.join()
        return self.most


def median(found, key):
    return statistics.median(one[key] for one in found)


def main():
    parser = argparse.ArgumentParser(prog="bench/import", description="An import beside COPY of the same rows.")
    parser.add_argument("--rows", type=int, default=100000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="does it work at all?")
    parser.add_argument("--keep", action="store_true", help="leave the database and the server running")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.rounds = 2000, 1
    data = make_file(options.rows)
    ground = Ground(0)
    try:
        ground.start_postgres()
        ground.migrate()
        ground.start_server()
        ground.sign_in_managers(1)
        bench = Import(ground, data, options.rows)
        ours, rows, file = [], [], []
        for number in range(options.rounds):
            ours.append(bench.ours())
            bench.keep_rows()
            rows.append(bench.copy_rows())
            file.append(bench.copy_file())
            say(f"round {number + 1}: import {ours[-1]['whole']:.2f} s (staged after {ours[-1]['staged']:.2f}), COPY of its rows "
                f"{rows[-1]['whole']:.2f}, COPY of the file {file[-1]['whole']:.2f}")
        counts = ", ".join(f"{subprocess.run(['wc', '-l', bench.files / name], stdout=subprocess.PIPE, text=True).stdout.split()[0]} {name}"
                           for name in TABLES)
        whole, peer = median(ours, "whole"), median(rows, "whole")
        print(f"{options.rows} rows became {counts}; medians of {options.rounds}\n"
              f"import            {whole:6.2f} s  CPU: server {median(ours, 'server'):.2f}, PostgreSQL {median(ours, 'database'):.2f}; "
              f"staged after {median(ours, 'staged'):.2f} s; server memory at most {median(ours, 'memory'):.0f} MB\n"
              f"COPY of its rows  {peer:6.2f} s  CPU: {median(rows, 'database'):.2f}; ratio {whole / peer:.2f} "
              f"({'must' if whole <= MUST * peer else 'ABOVE'} {MUST})\n"
              f"COPY of the file  {median(file, 'whole'):6.2f} s  into one table of texts; ratio {whole / median(file, 'whole'):.1f}")
        if options.keep:
            input(f"kept: {ground.path}, server {ground.server.pid}; Enter ends it ")
    finally:
        ground.destroy()


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
