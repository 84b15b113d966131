# SPDX-License-Identifier: Apache-2.0
"""bench/queue: jobs without an effect through `tantu work`, beside a bare loop of two commits a batch. See docs/performance.md."""
import argparse
import os
import re
import statistics
import subprocess
import sys
import time

import psycopg2
from ground import Ground, process_cpu, say

BATCH = 50
MUST_RATIO, MUST_P50_MS, MUST_P99_MS = 0.5, 1, 3

# The peer: no priorities, leases, tokens, attempts, retries; one index besides its key; claims and completions commit.
BARE_TABLE = """
    DROP TABLE IF EXISTS bench.bare;
    CREATE TABLE bench.bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text NOT NULL, payload json NOT NULL,
        state text NOT NULL DEFAULT 'queued', run_at timestamptz NOT NULL DEFAULT now(), finished_at timestamptz);
    CREATE INDEX bare_ready ON bench.bare (run_at, id) WHERE state = 'queued';
    GRANT ALL ON bench.bare TO tantu_app"""
BARE_LOOP = f"""
    WITH picked AS (SELECT id FROM bench.bare WHERE state = 'queued' AND run_at <= now()
                    ORDER BY run_at, id LIMIT {BATCH} FOR UPDATE SKIP LOCKED),
         claimed AS (UPDATE bench.bare b SET state = 'running' FROM picked p WHERE b.id = p.id RETURNING b.id)
    SELECT array_agg(id)::text AS ids FROM claimed \\gset
    UPDATE bench.bare SET state = 'done', finished_at = now() WHERE id = ANY (:ids::bigint[]);"""


class Queue:
    def __init__(self, ground):
        self.ground = ground
        self.script = ground.path / "bare.pgbench"
        self.script.write_text(re.sub(r"\n +", "\n", BARE_LOOP) + "\n")
        ground.sql("CREATE SCHEMA bench; GRANT USAGE ON SCHEMA bench TO tantu_app")

    # --- jobs a second ---

    def ours(self, jobs, fresh=True):
        g = self.ground
        g.stop_server()
        g.sql("DELETE FROM job WHERE queue = 'probe'")
        if fresh:
            g.sql("VACUUM FULL job")  # as the peer's table is
        g.sql(f"INSERT INTO job (queue, kind) SELECT 'probe', 'probe' FROM generate_series(1, {jobs})")
        g.sql("VACUUM ANALYZE job")
        g.sql("CHECKPOINT")
        database = g.postgres_cpu()
        g.start_server("work")
        begun = time.time()
        for state in ("queued", "running"):  # through an index: asking must not cost what is measured
            wait_until(lambda state=state: not g.sql("SET enable_seqscan = off; SELECT 1 FROM job WHERE queue = 'probe' AND state = "
                                                     f"'{state}' LIMIT 1"), 300)
        done, last = g.sql("SELECT count(*), extract(epoch FROM max(finished_at)) FROM job WHERE queue = 'probe' AND state = 'done' "
                           "AND attempts = 1")[0]
        if done != jobs:
            raise SystemExit(f"{done} of {jobs} jobs were done, once each: {g.log.read_text()[-2000:]}")
        return {"rate": jobs / (float(last) - begun), "server": g.server_cpu() / jobs * 1e6,
                "database": (g.postgres_cpu() - database) / jobs * 1e6}

    def bare(self, jobs, clients):
        g = self.ground
        g.sql(BARE_TABLE)
        g.sql(f"INSERT INTO bench.bare (kind, payload) SELECT 'nothing', '{{}}' FROM generate_series(1, {jobs})")
        g.sql("VACUUM ANALYZE bench.bare")
        g.sql("CHECKPOINT")
        host = re.search(r"host=(\S+)", g.environment["TANTU_DATABASE"])[1]
        database = g.postgres_cpu()
        done = subprocess.run(["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-t", str(jobs // BATCH // clients), "-f",
                               self.script, "tantu"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, "PGHOST": host, "PGUSER": "tantu_app", "PGOPTIONS": "-c jit=off"})
        time.sleep(0.3)  # until its backends have ended: what they used is counted once
        rate = re.search(r"tps = ([\d.]+)", done.stdout)
        finished = g.sql("SELECT count(*) FROM bench.bare WHERE state = 'done'")[0][0]
        if done.returncode or not rate or finished < jobs * 0.99:
            raise SystemExit(f"pgbench: {finished} of {jobs} done: {done.stderr[-1500:]}")
        return {"rate": float(rate[1]) * BATCH, "database": (g.postgres_cpu() - database) / jobs * 1e6}

    # --- pickup ---

    def pickups(self, count):
        """Of jobs that come one by one: milliseconds from the answer of the enqueuer's COMMIT, and from its sending (so with the
        disk), to the transaction of the completion, which begins a little after the handler."""
        g = self.ground
        g.sql("DELETE FROM job WHERE queue = 'probe'")
        g.sql("VACUUM job")
        connection = psycopg2.connect(g.environment["TANTU_SUPER_DATABASE"])
        times = {}
        with connection.cursor() as cursor:
            for number in range(count):
                cursor.execute("INSERT INTO job (queue, kind) VALUES ('probe', 'probe') RETURNING id")
                job = cursor.fetchone()[0]
                sent = time.time()
                connection.commit()
                times[job] = (time.time(), sent)
                time.sleep(0.004 + number % 7 / 1000)
        connection.close()
        wait_until(lambda: not g.sql("SELECT 1 FROM job WHERE queue = 'probe' AND state <> 'done' LIMIT 1"), 20)
        ended = g.sql("SELECT id, extract(epoch FROM finished_at)::float8 FROM job WHERE queue = 'probe'")
        return [sorted((at - times[job][which]) * 1000 for job, at in ended) for which in (0, 1)]

    def worn(self, jobs):
        """Sizes and jobs a second when the table has seen as many jobs already; autovacuum does what it does."""
        rate = self.ours(jobs, fresh=False)["rate"]
        return self.ground.sql("SELECT pg_size_pretty(pg_table_size('job')), pg_size_pretty(pg_indexes_size('job')), count(*) FROM job")[0], rate


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("the queue does not get empty")
        time.sleep(0.1)


def median(found, key):
    return statistics.median(one[key] for one in found)


def main():
    parser = argparse.ArgumentParser(prog="bench/queue", description="Jobs a second beside a bare loop in SQL, and pickup latency.")
    parser.add_argument("--jobs", type=int, default=200000, help="of each side a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=10, help="of the bare loop")
    parser.add_argument("--pickups", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="does it work at all?")
    options = parser.parse_args()
    if options.quick:
        options.jobs, options.rounds, options.pickups = 10000, 1, 50
    ground = Ground(0)
    try:
        ground.start_postgres()
        ground.migrate()
        queue = Queue(ground)
        queue.ours(min(options.jobs, 20000))  # warm
        ours, bare = [], []
        for number in range(options.rounds):
            ours.append(queue.ours(options.jobs))
            bare.append(queue.bare(options.jobs, options.clients))
            say(f"round {number + 1}: ours {ours[-1]['rate']:.0f}/s, bare {bare[-1]['rate']:.0f}/s")
        ratio = median(ours, "rate") / median(bare, "rate")
        print(f"no-op jobs/s: ours {median(ours, 'rate'):.0f}, bare loop of {options.clients} clients in batches of {BATCH} "
              f"{median(bare, 'rate'):.0f}, ratio {ratio:.2f} ({'must' if ratio >= MUST_RATIO else 'BELOW'} {MUST_RATIO})")
        print(f"CPU us/job: worker {median(ours, 'server'):.1f}, PostgreSQL {median(ours, 'database'):.1f}, under the bare loop "
              f"{median(bare, 'database'):.1f}")
        size, again = queue.worn(options.jobs)
        print(f"as many jobs again, without VACUUM FULL before: {again:.0f}/s; the table of jobs is {size[0]}, its indexes {size[1]}, "
              f"for {size[2]} jobs")
        answered, sent = queue.pickups(options.pickups)
        p50, p99 = (answered[int(len(answered) * share)] for share in (0.5, 0.99))
        good = p50 <= MUST_P50_MS and p99 <= MUST_P99_MS
        print(f"pickup ms, from the enqueuer's COMMIT: p50 {p50:.2f}, p99 {p99:.2f} ({'must' if good else 'BELOW'} {MUST_P50_MS}/"
              f"{MUST_P99_MS}); from before it: p50 {sent[len(sent) // 2]:.2f}, p99 {sent[int(len(sent) * 0.99)]:.2f}")
    finally:
        ground.destroy()


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
