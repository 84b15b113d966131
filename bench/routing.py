# SPDX-License-Identifier: Apache-2.0
"""bench/routing: `tantu route` on published problems. Every plan is checked here once more, by the file alone."""
import argparse
import csv
import math
import os
import re
import resource
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("TANTU_BENCH_BUILD", ROOT / "build" / "release"))
MUST_MEAN, MUST_WORST = 1.0, 4.0
# No plan can be near a figure that lies below what is proven: Kohl's optimum for R109, with distances cut to one decimal, is 1146.9.
UNREACHABLE = {"R109": 1146.9}


def read(path):
    """Capacity and rows (number, x, y, demand, ready, due, service) of a file."""
    numbers = [[float(cell) for cell in line.split()] for line in path.read_text().splitlines() if re.fullmatch(r"[\s\d.]+", line) and line.strip()]
    return numbers[0][1], numbers[1:]


def length(path, routes):
    """The distance of the routes; raises when they break a rule of the problem."""
    capacity, rows = read(path)
    seen, whole = [], 0.0
    for route in routes:
        at, time, load = rows[0], rows[0][4], 0
        for number in route:
            row = rows[number]
            leg = math.hypot(at[1] - row[1], at[2] - row[2])
            time = max(time + leg, row[4])
            assert time <= row[5] + 1e-6, f"{path.stem}: {number} is reached at {time}, due {row[5]}"
            time, load, at, whole = time + row[6], load + row[3], row, whole + leg
        leg = math.hypot(at[1] - rows[0][1], at[2] - rows[0][2])
        assert time + leg <= rows[0][5] + 1e-6 and load <= capacity, f"{path.stem}: a route is too long or too full"
        whole += leg
        seen += route
    assert sorted(seen) == list(range(1, len(rows))), f"{path.stem}: not everybody is served once"
    return whole


def solve(path, seconds, seed):
    """(distance, vehicles, seconds of processor time)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run([BUILD / "tantu", "route", "--solomon", path, "--seconds", str(seconds), "--seed", str(seed)], text=True,
                          stdout=subprocess.PIPE, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    routes = [[int(one) for one in line.split(":")[1].split()] for line in said.splitlines() if line.startswith("route ")]
    distance = length(path, routes)
    assert abs(distance - float(re.search(r"distance ([\d.]+)", said)[1])) < 0.01 and "\nfeasible" in said
    return distance, len(routes), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data" / "solomon")
    options.add_argument("--seconds", type=float, default=1.75, help="of processor time, without reading and writing (must: 1.8 in all)")
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--quick", action="store_true", help="0.2 seconds each")
    options = options.parse_args()
    if not (options.data / "best-known.csv").exists():
        print(f"no problems in {options.data}: skipped")
        return
    gaps, most = [], 0.0
    with open(options.data / "best-known.csv", encoding="ascii") as file:
        known = {row["instance"]: float(row["distance"]) for row in csv.DictReader(file)}
    print("instance   distance  vehicles  best known     gap")
    for name, best in known.items():
        runs = [solve(options.data / f"{name}.txt", 0.2 if options.quick else options.seconds, seed) for seed in range(1, options.seeds + 1)]
        distance, vehicles, _ = sorted(runs)[len(runs) // 2]
        most = max(most, *(run[2] for run in runs))
        gaps.append((100 * (distance / best - 1), name))
        below = f"  (nothing under {UNREACHABLE[name]} can be)" if UNREACHABLE.get(name, 0) > best else ""
        print(f"{name:8} {distance:10.2f} {vehicles:9} {best:11.2f} {gaps[-1][0]:6.2f} %{below}")
    reachable = [gap for gap, name in gaps if name not in UNREACHABLE]
    print(f"mean {statistics.mean(gap for gap, _ in gaps):.2f} % (must {MUST_MEAN}), worst {max(gaps)[0]:.2f} % of {max(gaps)[1]} (must {MUST_WORST}), "
          f"of what can be reached {max(reachable):.2f} %; at most {most:.2f} s of processor time each; all feasible")


main()
