# SPDX-License-Identifier: Apache-2.0
"""bench/looks: all photos that look like a given one. Every search is checked against the scan that it is measured beside."""
import argparse
import os
import random
import statistics
import sys
import time

import psycopg2

from ground import OPTIONS, Ground, say

MUST_MS = 50
WITHIN = 7
# Random hashes; the planted ones are copies of the first photos with a few bits turned, none farther than WITHIN + 1.
FILL = """INSERT INTO photo (hash, kind, bytes, width, height, looks)
SELECT sha256(int4send(n)), 'jpeg', 300000, 4000, 3000, ('x' || left(md5(n::text), 16))::bit(64)::bigint FROM generate_series(1, %s) AS n"""
PLANT = """INSERT INTO photo (hash, kind, bytes, width, height, looks)
SELECT sha256(int4send(-n)), 'jpeg', 300000, 4000, 3000, (SELECT looks FROM photo WHERE hash = sha256(int4send(n))) #
    (SELECT bit_or(1::bigint << ((n * 31 + 7 * b) %% 64)) FROM generate_series(0, n %% 9) AS b WHERE b < n %% 9 OR n %% 9 = 0)
FROM generate_series(1, %s) AS n"""
SEARCH = "SELECT encode(hash, 'hex'), distance FROM photo_looks_near(%s, %s) ORDER BY 1"
SCAN = """SELECT encode(hash, 'hex'), bit_count((looks # %s)::bit(64))::int FROM photo
WHERE bit_count((looks # %s)::bit(64)) <= %s ORDER BY 1"""


def timed(cursor, statement, *values):
    begun = time.perf_counter()
    cursor.execute(statement, values)
    rows = cursor.fetchall()
    return rows, (time.perf_counter() - begun) * 1000


def percentile(found, share):
    return sorted(found)[min(len(found) - 1, int(len(found) * share))]


def measure(cursor, photos, planted, searches, scans):
    """Milliseconds of each search and of each scan; every fourth is for a photo that has no like."""
    search_ms, scan_ms, hits = [], [], 0
    for number in range(searches):
        wanted = random.randint(planted + 1, photos) if number % 4 == 0 else random.randint(1, planted)
        cursor.execute("SELECT looks FROM photo WHERE hash = sha256(int4send(%s))", (wanted,))
        looks = cursor.fetchone()[0]
        found, ms = timed(cursor, SEARCH, looks, WITHIN)
        search_ms.append(ms)
        hits += len(found)
        if number % max(1, searches // scans) == 0:
            truth, ms = timed(cursor, SCAN, looks, looks, WITHIN)
            scan_ms.append(ms)
            if found != truth:
                raise SystemExit(f"the search is not exact: {found} is not {truth}")
    return search_ms, scan_ms, hits


def main():
    parser = argparse.ArgumentParser(prog="bench/looks", description="All photos that look like a given one.")
    parser.add_argument("--photos", type=int, default=1000000)
    parser.add_argument("--searches", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="does it work at all?")
    options = parser.parse_args()
    photos, searches = (20000, 40) if options.quick else (options.photos, options.searches)
    planted, scans = photos // 20, min(100, searches)
    ground = Ground(0)
    try:
        ground.start_postgres()
        ground.migrate()
        ground.sql(FILL % photos)
        ground.sql(PLANT % planted)
        ground.sql("VACUUM ANALYZE photo")
        size = ground.sql("SELECT sum(pg_relation_size(indexrelid)) / 1000000 FROM pg_stat_user_indexes WHERE indexrelname LIKE 'photo_looks_%'")
        connection = psycopg2.connect(ground.environment["TANTU_SUPER_DATABASE"], options=OPTIONS)
        with connection.cursor() as cursor:
            measure(cursor, photos, planted, 20, 1)
            say(f"load {os.getloadavg()[0]:.1f}")
            search_ms, scan_ms, hits = measure(cursor, photos, planted, searches, scans)
        connection.close()
        middle, tail = statistics.median(search_ms), percentile(search_ms, 0.99)
        print(f"{photos + planted} photos, {searches} searches to {WITHIN} bits, {hits} found, {len(scan_ms)} compared with a scan and exact")
        print(f"search ms: median {middle:.2f}, p99 {tail:.2f} ({'must' if tail <= MUST_MS else 'ABOVE'} {MUST_MS}); "
              f"scan median {statistics.median(scan_ms):.0f}: ratio {statistics.median(scan_ms) / middle:.0f}")
        print(f"the four indexes: {float(size[0][0]):.0f} MB; load at the end {os.getloadavg()[0]:.1f}")
    finally:
        ground.destroy()


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
