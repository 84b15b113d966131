# SPDX-License-Identifier: Apache-2.0
"""The three sample files must give exactly the figures written beside them, and come in once only."""
import csv
import io
import json
import re
import zipfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
from needs import COLUMNS
from processes import ROOT, Program

NEEDS = ROOT.parent / "shared" / "data" / "needs"
SAMPLES = {"tongxin": ("tongxin.csv", "640324"), "yanbian": ("yanbian.gbk.csv", "222400"),
           "daqing": ("daqing.xlsx", "230600")}
pytestmark = pytest.mark.skipif(not NEEDS.is_dir(), reason="no ../shared beside this tree")


def expected(plan):
    return json.loads((NEEDS / f"{SAMPLES[plan][0]}.expected.json").read_text(encoding="utf-8"))


def sample(plan):
    return (NEEDS / SAMPLES[plan][0]).read_bytes()


def known(finished, plan):
    """The finished import's fields that the sample has figures for."""
    return {name: finished.get(name) for name in expected(plan)}


def rows_of(data):
    """Header and rows of CSV (UTF-8, GB18030) or of a workbook's first sheet."""
    if data[:2] == b"PK":
        return sheet_rows(data)
    text = data.decode("utf-8-sig" if data[:3] == b"\xef\xbb\xbf" else "gb18030")
    return list(csv.reader(io.StringIO(text, newline="")))


def sheet_rows(data):
    name = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        shared = []
        if "xl/sharedStrings.xml" in book.namelist():
            strings = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
            shared = ["".join(text.text or "" for text in entry.iter(f"{name}t")) for entry in strings]
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    rows = []
    for row in sheet.iter(f"{name}row"):
        cells = {}
        for cell in row.iter(f"{name}c"):
            text = "".join(part.text or "" for part in cell.iter() if part.tag in (f"{name}v", f"{name}t"))
            cells[column_of(cell.get("r"))] = shared[int(text)] if cell.get("t") == "s" else text
        rows.append([cells.get(column, "") for column in range(max(cells, default=-1) + 1)])
    width = len(rows[0])
    return [row + [""] * (width - len(row)) for row in rows]


def column_of(reference):
    number = 0
    for letter in re.match("[A-Z]+", reference).group():
        number = number * 26 + ord(letter) - 64
    return number - 1


@pytest.fixture(scope="module", params=SAMPLES)
def imported(request, server, admin_session):
    """Dry run, then good rows, then the same again; what each said and what the plan held before and after."""
    from conftest import People
    plan = request.param
    people = People(admin_session)
    manager = people.manager(SAMPLES[plan][1])

    def cases():
        return sum(manager.progress(plan)["by_stage"].values())

    steps = {"plan": plan, "manager": manager, "before": cases()}
    for step, mode in (("dry", "dry_run"), ("first", "good_rows"), ("again", "good_rows")):
        steps[step] = manager.import_file(plan, sample(plan), mode)
        steps[f"after_{step}"] = cases()
    yield steps
    manager.close()


def test_a_dry_run_says_what_would_happen_and_changes_nothing(imported):
    assert known(imported["dry"], imported["plan"]) == expected(imported["plan"])
    assert imported["after_dry"] == imported["before"]


def test_good_rows_give_exactly_the_figures(imported):
    assert known(imported["first"], imported["plan"]) == expected(imported["plan"])


def test_a_case_opens_for_each_household_with_a_retrofit_need(imported):
    opened = imported["after_first"] - imported["after_dry"]
    assert opened == expected(imported["plan"])["households_with_retrofit_need"]


def test_the_same_file_again_adds_nothing_and_says_so(imported):
    want = expected(imported["plan"])
    assert imported["again"]["accepted"] == 0
    assert imported["again"]["rows"] == want["rows"]
    assert imported["again"]["rejected_by_code"].get("duplicate_registered") == want["accepted"]
    assert imported["after_again"] == imported["after_first"]


def test_refused_rows_come_back_as_they_were_with_two_more_columns(imported):
    plan = imported["plan"]
    answer = imported["manager"].get(f"/imports/{imported['first']['id']}/rejected", headers={"Accept": "*/*"})
    header, *refused = rows_of(answer.body)
    assert header == [*COLUMNS, "错误代码", "错误说明"]
    assert len(refused) == expected(plan)["rejected"]
    assert dict(Counter(row[-2] for row in refused)) == expected(plan)["rejected_by_code"]
    assert all(row[-1] for row in refused)
    sent = {row[0]: row for row in rows_of(sample(plan))}
    assert all(row[:len(COLUMNS)] == sent[row[0]] for row in refused)


def test_the_refused_rows_file_has_the_format_of_what_was_sent(imported):
    answer = imported["manager"].get(f"/imports/{imported['first']['id']}/rejected", headers={"Accept": "*/*"})
    sent = sample(imported["plan"])
    assert answer.body[:2] == sent[:2]
    if sent[:2] != b"PK":
        assert (answer.body[:3] == b"\xef\xbb\xbf") == (sent[:3] == b"\xef\xbb\xbf")
        assert b"\r\n" in answer.body


def test_the_command_gives_the_same_figures(make_database):
    own = make_database()
    Program(own, "serve").start().stop()  # makes the key
    for plan, (name, _) in SAMPLES.items():
        done = own.run("import", "--plan", plan, NEEDS / name, check=False)
        assert done.returncode == 3, done.stderr  # rows were refused
        assert known(json.loads(done.stdout), plan) == expected(plan)
        again = json.loads(own.run("import", "--plan", plan, NEEDS / name, check=False).stdout)
        assert (again["accepted"], again["nothing_new"], again["cases_opened"]) == (0, True, 0)
