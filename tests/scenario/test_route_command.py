# SPDX-License-Identifier: Apache-2.0
"""`tantu route`: the visit optimiser on a published problem, as an operator or a reviewer runs it. The plan is checked once more here."""
import csv
import math
import re
from pathlib import Path

import pytest
from processes import ROOT
from test_commands import refused, tantu

SOLOMON = ROOT.parent / "shared" / "data" / "solomon"
# Two customers on opposite sides, each only reached in time by a vehicle of its own.
SMALL = """T2

VEHICLE
NUMBER     CAPACITY
  3         20

CUSTOMER
CUST NO.  XCOORD.  YCOORD.  DEMAND  READY TIME  DUE DATE  SERVICE TIME

 0 0 0 0 0 100 0
 1 30 40 10 0 50 5
 2 -30 -40 15 0 50 5
"""


@pytest.fixture
def small(tmp_path):
    def write(text=SMALL):
        path = tmp_path / "t.txt"
        path.write_text(text)
        return path
    return write


def test_a_small_problem(small):
    done = tantu("route", "--solomon", small().as_posix(), "--seconds", "0.05")
    assert (done.returncode, done.stderr) == (3, "")  # each is 50 away and back in 105: nobody can be served by 100
    assert "served 0 of 2" in done.stdout and done.stdout.endswith("not feasible\n")
    done = tantu("route", "--solomon", small(SMALL.replace(" 0 0 0 0 0 100 0", " 0 0 0 0 0 105 0")).as_posix(), "--seconds", "0.05")
    assert done.returncode == 0 and re.search(r"instance T2\ndistance 200.00\nvehicles 2\nserved 2 of 2\n", done.stdout), done.stdout
    assert {line.split(": ")[1] for line in done.stdout.splitlines() if line.startswith("route ")} == {"1", "2"}


@pytest.mark.parametrize("arguments, word", [
    (["--seconds", "0"], "--seconds"), (["--seconds", "soon"], "--seconds"), (["--seconds", "1e9"], "--seconds"),
    (["--seed", "x"], "--seed"), (["--seed", "-1"], "--seed")])
def test_what_cannot_be_is_refused(small, arguments, word):
    refused(tantu("route", "--solomon", small(), *arguments), word)


def test_a_file_that_is_none_is_refused(small, tmp_path):
    refused(tantu("route", "--solomon", tmp_path / "none"), "cannot be read")
    refused(tantu("route", "--solomon", small("no problem\n")), "VEHICLE")
    refused(tantu("route", "--solomon", small(SMALL + " 3 4\n")), "CUSTOMER")


@pytest.mark.skipif(not SOLOMON.is_dir(), reason="no shared/data")
@pytest.mark.parametrize("name, within", [("C101", 0.001), ("R103", 0.10)])
def test_published_problems(name, within):
    """Feasible by the file alone, and near the best known even in half a second of a sanitized build."""
    path = SOLOMON / f"{name}.txt"
    done = tantu("route", "--solomon", path, "--seconds", "0.5")
    assert done.returncode == 0 and done.stdout.endswith("\nfeasible\n"), done
    rows = [[float(one) for one in line.split()] for line in path.read_text().splitlines() if len(line.split()) == 7 and line.split()[0].isdigit()]
    whole, seen = 0.0, []
    for line in re.findall(r"^route \d+: (.*)$", done.stdout, re.M):
        at, time = rows[0], 0.0
        for number in map(int, line.split()):
            row = rows[number]
            leg = math.dist(at[1:3], row[1:3])
            time = max(time + leg, row[4])
            assert time <= row[5] + 1e-6
            time, at, whole = time + row[6], row, whole + leg
            seen.append(number)
        whole += math.dist(at[1:3], rows[0][1:3])
    assert sorted(seen) == list(range(1, len(rows)))
    assert abs(whole - float(re.search(r"distance ([\d.]+)", done.stdout)[1])) < 0.01
    with open(Path(SOLOMON, "best-known.csv"), encoding="ascii") as file:
        best = {row["instance"]: float(row["distance"]) for row in csv.DictReader(file)}[name]
    assert whole <= best * (1 + within)
