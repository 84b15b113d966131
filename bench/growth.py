# SPDX-License-Identifier: Apache-2.0
"""bench/growth: what a dashboard and its lists cost with few cases and with very many. See docs/performance.md."""
import argparse
import json
import random
import statistics
import subprocess
import sys
import time

from ground import BUILD, FIRST_ID, Ground, say

MUST = 1.2
PLAN = "/api/v1/plans/qinghai"
# The dashboard's figures, then lists as people page through them; {after}: somewhere in the list.
READS = {
    "progress": f"{PLAN}/progress",
    "progress of a county": f"{PLAN}/progress?region=630106",
    "progress as of a day": f"{PLAN}/progress?as_of={{day}}",
    "by county": f"{PLAN}/totals?by=county",
    "by year": f"{PLAN}/totals?by=year",
    "by month": f"{PLAN}/totals?by=month",
    "by stage": f"{PLAN}/totals?by=stage",
    "list: first page": "/api/v1/cases?limit=50",
    "list: a stage, first page": "/api/v1/cases?plan=qinghai&stage=approved&limit=50",
    "list: a stage, anywhere": "/api/v1/cases?plan=qinghai&stage=approved&limit=50&after={after}",
    "list: a county": "/api/v1/cases?plan=qinghai&region=630106&limit=50",
    "list: a county and a stage": "/api/v1/cases?plan=qinghai&region=630106&stage=approved&limit=50",
    "list: a contractor's": "/api/v1/cases?contractor=c3&limit=50",
    "list: counted": "/api/v1/cases?plan=qinghai&counted=true&limit=50",
    "list: a household number": "/api/v1/cases?plan=qinghai&q=B0000012&limit=50",
    "list: a village": "/api/v1/cases?plan=qinghai&q={village}&limit=50",
    "one case": "/api/v1/cases/{id}",
    "its history": "/api/v1/cases/{id}/events",
}
VILLAGE = "%E5%90%91%E9%98%B3%E6%9D%917"  # 向阳村7


class Size:
    def __init__(self, cases):
        self.cases = cases
        self.ground = Ground(cases)

    def start(self):
        g = self.ground
        g.start_postgres()
        g.migrate()
        g.fill()
        g.start_server()
        g.sign_in_managers(1)
        g.wait_for_fold()
        g.sql("VACUUM ANALYZE")  # as autovacuum does once nobody reads without a pause
        self.tokens, self.paths = g.path / "tokens", g.path / "paths"
        self.tokens.write_text("\n".join(g.tokens) + "\n")
        return self

    def path_of(self, read):
        day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 20 * 86400))
        main = self.ground.main
        return READS[read].format(after=FIRST_ID + random.randint(1, main * 3 // 4), id=FIRST_ID + random.randint(1, self.cases), day=day,
                                  village=VILLAGE)

    def measure(self, read, seconds):
        """Median in microseconds, one request at a time, and PostgreSQL's CPU a request."""
        g = self.ground
        self.paths.write_text("\n".join(self.path_of(read) for _ in range(2000)) + "\n")
        database = g.postgres_cpu()
        done = json.loads(subprocess.run([BUILD / "bench-load", "get", str(g.port), "1", str(seconds), self.tokens, self.paths],
                                         check=True, text=True, stdout=subprocess.PIPE).stdout)
        if done["other"]:  # 503: it took longer than a request may
            say(f"{read}: {done['other']} of {done['requests']} answers were not 200")
        return {"p50": done["p50_us"], "cpu": (g.postgres_cpu() - database) / done["requests"] * 1e6}


def median(found, key):
    return statistics.median(one[key] for one in found)


def main():
    parser = argparse.ArgumentParser(prog="bench/growth", description="Dashboard and list times at few and at very many cases.")
    parser.add_argument("--sizes", type=lambda text: [int(n) for n in text.split(",")], default=[1500, 1100000])
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="does it work at all?")
    options = parser.parse_args()
    if options.quick:
        options.sizes, options.rounds, options.seconds = [1500, 3000], 1, 0.1
    sizes = [Size(cases) for cases in options.sizes]
    try:
        for size in sizes:
            size.start()
        print(f"ms, median of {options.rounds} medians, one request at a time (PostgreSQL's CPU, us)\n{'':28}"
              + "".join(f"{size.cases:>20}" for size in sizes) + "     ratio")
        for read in READS:
            found = [[] for _ in sizes]
            for _ in range(options.rounds):
                for number, size in enumerate(sizes):
                    found[number].append(size.measure(read, options.seconds))
            ratio = median(found[-1], "p50") / median(found[0], "p50")
            print(f"{read:28}" + "".join(f"{median(one, 'p50') / 1000:12.2f} {median(one, 'cpu'):7.0f}" for one in found)
                  + f"     {ratio:5.2f} {'' if ratio <= MUST or options.quick else 'GROWS'}", flush=True)
    finally:
        for size in sizes:
            if size.ground.environment:
                size.ground.destroy()


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
