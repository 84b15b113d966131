# SPDX-License-Identifier: Apache-2.0
"""bench/run: the four operations of the server beside pgbench on the same statements, in turn. See docs/performance.md."""
import argparse
import json
import os
import random
import re
import statistics
import subprocess
import sys
import time

from ground import BUILD, FIRST_ID, Ground, OPTIONS, PLANS, say, statements

# must and aim: server / pgbench at 32 connections (PERFORMANCE.md); p99 in ms at 32
OPERATIONS = {
    "R1": ("one case by id", "case_get", 0.85, 1.0, 3),
    "R2": ("list of 50 by plan and stage", "cases_of_stage", 0.85, 1.0, None),
    "R3": ("one plan's total", "progress", 0.75, 1.0, None),
    "W1": ("transition, all on one plan", "case_transition", 5, 7, 8),
    "W1x50": ("transition, spread over 50 plans", "case_transition", 1.0, 1.5, 8),
}
CPU_MOST_US, RSS_MOST_MB = 12, 32
FEW_MUST = 0.45  # at 8 connections an idle processor's wake-up is the limit


class Side:
    """One operation: what our load and pgbench need for it."""

    def __init__(self, ground, name, clients):
        self.ground, self.name, self.clients = ground, name, clients
        self.writes = name.startswith("W")
        self.statement = OPERATIONS[name][1]
        folder = ground.path / "bench"
        folder.mkdir(exist_ok=True)
        self.tokens, self.input, self.script = folder / "tokens", folder / f"{name}.in", folder / f"{name}.sql"
        self._cases()
        self._write_pgbench_script()

    def _cases(self):
        g = self.ground
        if self.name == "W1":
            self.first, self.count = 1, g.share
        elif self.name == "W1x50":
            self.first, self.count = g.main + 1, g.spread_share

    # --- ours ---

    def _write_paths(self):
        g = self.ground
        if self.name == "R1":
            paths = [f"/api/v1/cases/{FIRST_ID + random.randint(1, g.cases)}" for _ in range(min(g.cases * 2, 200000))]
        elif self.name == "R2":
            paths = [f"/api/v1/cases?plan=qinghai&stage=approved&limit=50&after={self._after()}" for _ in range(50000)]
        else:
            paths = ["/api/v1/plans/qinghai/progress"]
        self.input.write_text("\n".join(paths) + "\n")

    def _after(self):
        return random.randint(*self._after_range())

    def _after_range(self):
        g = self.ground
        return FIRST_ID + 2 * g.share, FIRST_ID + 2 * g.share + int((g.main - 2 * g.share) * 0.85)

    def _write_cases(self):
        rows = self.ground.sql(f"""SELECT (id - {FIRST_ID}) % {PLANS}, id, version, (stage = 'suspended')::int FROM retrofit_case
            WHERE plan_region = 630000000 AND id > {FIRST_ID + self.first - 1} AND id <= {FIRST_ID + self.first - 1 + self.count}""")
        random.shuffle(rows)
        one = self.name == "W1"
        self.input.write_text("".join(f"{0 if one else token} {id_} {version} {away}\n" for token, id_, version, away in rows))

    def ours(self, connections, seconds):
        g = self.ground
        tokens = g.tokens if self.name == "W1x50" else g.tokens[:g.people]
        self.tokens.write_text("\n".join(tokens) + "\n")
        (self._write_cases if self.writes else self._write_paths)()
        g.settle()
        cpu, database = g.server_cpu(), g.postgres_cpu()
        done = subprocess.run([BUILD / "bench-load", "move" if self.writes else "get", str(g.port), str(connections),
                               str(seconds), self.tokens, self.input], check=True, text=True, stdout=subprocess.PIPE)
        found = json.loads(done.stdout)
        found["cpu"] = (g.server_cpu() - cpu) / found["requests"] * 1e6
        found["database"] = (g.postgres_cpu() - database) / found["requests"] * 1e6
        found["rss"] = g.server_rss()
        return found

    # --- pgbench ---

    def _values(self):
        """$n of the statement → pgbench variable; what is not here is never set, and so is NULL."""
        return {
            "R1": {1: "id"},
            "R2": {1: "plan", 2: "stage", 5: "after", 6: "most"},
            "R3": {1: "plan"},
        }.get(self.name, {1: "key", 2: "print", 3: "id", 4: "to", 6: "note", 7: "version"})

    def _text(self, name, values):
        text = re.sub(r"--[^\n]*", "", statements()[name])
        return re.sub(r"\$(\d+)", lambda m: ":" + values.get(int(m[1]), f"unset{m[1]}"), text).strip() + ";\n"

    def _write_pgbench_script(self):
        g = self.ground
        low, high = self._after_range()
        self.scope = self._text("scope_set", {1: "low", 2: "high", 3: "role", 4: "account", 5: "unset5", 6: "unset6"})
        person = f"\\set account {g.first_account}" + (f" + :n % {PLANS}\n" if self.name == "W1x50" else "\n")
        if self.writes:
            text = self._sweep(person)
        else:
            text = {"R1": f"\\set id {FIRST_ID} + random(1, {g.cases})\n",
                    "R2": f"\\set after random({low}, {high})\n"}.get(self.name, "") + person + self._transaction(self._values())
        self.script.write_text(text)

    def _transaction(self, values):
        """As the server sends a group of one: scope and statement in one pipeline, which is one transaction."""
        return "\\startpipeline\n" + self.scope + self._text(self.statement, values) + "\\endpipeline\n"

    def _sweep(self, person):
        """Each client goes through cases of its own in order, so that it knows their versions without asking."""
        each = self.count // self.clients
        back = {**self._values(), 4: "back", 6: "unset6"}
        return f"""\\if :started = 0
SELECT position, version, suspended FROM bench.slice WHERE client = :client_id \\gset
\\set started 1
\\endif
\\set n {self.first + self.count} + :client_id * {each} + :position
\\set id {FIRST_ID} + :n
\\set key random(1, 9000000000000000000)
{person}\\if :suspended = 1
{self._transaction(back)}\\else
{self._transaction(self._values())}\\endif
\\set position (:position + 1) % {each}
\\if :position = 0
\\set version :version + 1
\\set suspended 1 - :suspended
\\endif
"""

    def _note_slices(self):
        """Where each client goes on: whom of its cases it moved last, and which version they are at."""
        each = self.count // self.clients
        start = FIRST_ID + self.first + self.count
        self.ground.sql(f"""DELETE FROM bench.slice; INSERT INTO bench.slice
            SELECT s, count(*) FILTER (WHERE version > least), least, max((stage = 'suspended')::int) FILTER (WHERE version = least)
            FROM (SELECT (id - {start}) / {each} AS s, version, stage, min(version) OVER (PARTITION BY (id - {start}) / {each}) AS least
                  FROM retrofit_case WHERE plan_region = 630000000 AND id >= {start} AND id < {start + self.count}) c
            GROUP BY s, least""")

    def _moves(self):
        start = FIRST_ID + self.first + self.count
        return self.ground.sql(f"""SELECT sum(version) FROM retrofit_case WHERE plan_region = 630000000
            AND id >= {start} AND id < {start + self.count}""")[0][0]

    def pgbench(self, seconds):
        g = self.ground
        if self.writes:
            self._note_slices()
            before = self._moves()
        g.settle()
        given = {"low": 630000000, "high": 639999999, "role": "manager", "plan": "qinghai", "stage": "approved", "most": 51,
                 "to": "suspended", "back": "registered", "note": "the family is away", "started": 0, "print": "\\x" + "00" * 32}
        host = re.search(r"host=(\S+)", g.environment["TANTU_DATABASE"])[1]
        time.sleep(0.3)
        cpu = g.postgres_cpu()
        done = subprocess.run(
            ["pgbench", "-n", "-M", "prepared", "-c", str(self.clients), "-j", "2", "-T", str(seconds), "-f", self.script,
             *[word for name, value in given.items() for word in ("-D", f"{name}={value}")], "tantu"],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PGHOST": host, "PGUSER": "tantu_app", "PGOPTIONS": OPTIONS
                 + " -c tantu.role=manager -c tantu.account=1 -c tantu.low=0 -c tantu.high=999999999"})
        time.sleep(0.3)  # until its backends have ended: what they used is counted once
        rate = re.search(r"tps = ([\d.]+)", done.stdout)
        if done.returncode or not rate:
            raise SystemExit(f"pgbench {self.name}: {done.stderr[-1500:]}")
        count = int(re.search(r"actually processed: (\d+)", done.stdout)[1])
        if self.writes and not 0.98 * count <= self._moves() - before <= count + self.clients:
            raise SystemExit(f"pgbench {self.name}: {count} transactions moved only {self._moves() - before} cases")
        return {"rate": float(rate[1]), "database": (g.postgres_cpu() - cpu) / count * 1e6}


def median(found, key):
    return statistics.median(one[key] for one in found)


def mark(good, best):
    return "aim" if best else "must" if good else "BELOW"


def report(name, connections, ours, theirs):
    _, _, must, aim, p99_most = OPERATIONS[name]
    rate, base = median(ours, "rate"), median(theirs, "rate")
    ratio = rate / base
    p99 = median(ours, "p99_us") / 1000
    if connections == 8:
        verdict = mark(ratio >= FEW_MUST, ratio >= must)
    else:
        verdict = mark(ratio >= must, ratio >= aim)
    if connections == 32 and p99_most and p99 > p99_most:
        verdict += f" p99>{p99_most}ms"
    if connections == 32 and name == "R1" and median(ours, "cpu") > CPU_MOST_US:
        verdict += f" cpu>{CPU_MOST_US}us"
    if median(ours, "rss") > RSS_MOST_MB:
        verdict += f" rss>{RSS_MOST_MB}MB"
    errors = sum(one["other"] for one in ours)
    if errors:
        verdict += f" {errors} ERRORS"
    print(f"{name:6} {connections:4} {rate:9.0f} {base:9.0f} {ratio:6.2f} {median(ours, 'p50_us') / 1000:8.2f} {p99:8.2f} "
          f"{median(ours, 'cpu'):8.1f} {median(ours, 'database'):8.1f} {median(theirs, 'database'):8.1f} {median(ours, 'rss'):6.1f}  {verdict}",
          flush=True)


def measure(ground, name, options):
    side = Side(ground, name, 32)
    ours, theirs = {n: [] for n in options.connections}, []
    for _ in range(options.rounds):
        for connections in options.connections:
            ours[connections].append(side.ours(connections, options.seconds))
        theirs.append(side.pgbench(options.seconds))
    for connections in options.connections:
        report(name, connections, ours[connections], theirs)


def main():
    parser = argparse.ArgumentParser(prog="bench/run", description="The server beside pgbench on the same statements.")
    parser.add_argument("operations", nargs="*", metavar="R1|R2|R3|W1|W1x50")
    parser.add_argument("--cases", type=int, default=10000)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=lambda text: [int(n) for n in text.split(",")], default=[8, 32, 256])
    parser.add_argument("--people", type=int, default=1, help="accounts that share the connections (each is a scope of its own)")
    parser.add_argument("--keep", action="store_true", help="leave the database and the server running")
    options = parser.parse_args()
    names = options.operations or list(OPERATIONS)
    for name in names:
        if name not in OPERATIONS:
            parser.error(f"{name}: one of {' '.join(OPERATIONS)}")
    ground = Ground(options.cases)
    ground.people = max(1, min(options.people, PLANS))
    try:
        ground.start_postgres()
        ground.migrate()
        ground.fill()
        say(f"server ready in {ground.start_server() * 1000:.0f} ms; {ground.path}")
        ground.sign_in_managers()
        print(f"{options.cases} cases, medians of {options.rounds} x {options.seconds} s, {ground.people} account(s); pgbench: 32 clients\n"
              "        conn  ours/s pgbench/s  ratio   p50 ms   p99 ms  srv us/r  pg us/r pgbench's    MB  reached")
        for name in names:
            measure(ground, name, options)
        if options.keep:
            input(f"kept: {ground.path}, port {ground.port}, server {ground.server.pid}; Enter ends it ")
    finally:
        ground.destroy()


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
