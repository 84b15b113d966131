# SPDX-License-Identifier: Apache-2.0
"""Sheets of labels: what is printed is read again by a scanner, both symbols of every label; where they lie is what was asked for."""
import itertools
import re
import shutil
import subprocess

import pytest
import step_centre
import step_stock
from harness import People
from paper import printed
from test_device_intakes import row, take
from test_sheets import check_page, page

numbers = itertools.count(1)


class World:
    def __init__(self, admin, database):
        self.people, self.database = People(admin), database
        self.centre, self.other = step_centre.set_up(self.people), step_centre.set_up(self.people)
        self.county, self.far, self.auditor = self.people.county("640324"), self.people.county("630106"), self.people.auditor("640324")
        self.model = step_centre.model(admin, name_zh="可折叠护理型轮椅（带坐便、脚踏可拆卸、后轮快拆）加宽款 <b>")


@pytest.fixture(scope="module")
def world(admin_session, database):
    world = World(admin_session.clone(), database)
    yield world
    for client in (world.people.admin, *world.people.made):
        client.close()


def items(world, count, **columns):
    return [item["code"] for item in step_stock.take_in(world.centre, world.model, count, **columns)]


def labels(text):
    """(page, x, y, w, h, code) of each, in tenths of a mm."""
    found = []
    for number, sheet in enumerate(text.split('<svg class="sheet"')[1:]):
        found += [(number, *map(float, place), code) for *place, code in
                  re.findall(r'<svg x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"><title>([^<]+)</title>', sheet)]
    return found


def sheet(client, **query):
    answer = client.get("/device-labels", query=query)
    text = answer.body.decode("utf-8")
    check_page(text, answer)
    return text


def scanned(client, path, folder, dots):
    """What a reader finds on the printed pages: [{(symbol, code)}] by page."""
    if not shutil.which("zbarimg"):
        pytest.skip("needs zbar-tools: scripts/test installs them")
    pdf = folder / f"labels-{next(numbers)}.pdf"
    paper = printed(client, path, pdf)
    assert paper.is_a4()
    subprocess.run(["pdftoppm", "-r", str(dots), "-gray", "-png", pdf, folder / pdf.stem], check=True)
    pages = []
    for image in sorted(folder.glob(f"{pdf.stem}-*.png")):
        said = subprocess.run(["zbarimg", "--quiet", "-Sdisable", "-Scode128.enable", "-Sqrcode.enable", image], capture_output=True, text=True).stdout
        pages.append({tuple(line.split(":", 1)) for line in said.splitlines()})
    assert len(pages) == paper.pages
    return pages, paper


def test_both_symbols_of_every_label_are_read(world, tmp_path):
    codes = [*items(world, 3), *items(world, 1, code="WC-0001.a_b"), *items(world, 1, code="l-b"), *items(world, 1, code="LONG" + "x1-._" * 12)]
    path = f"/device-labels?items={','.join(codes)}&first=22"
    pages, paper = scanned(world.centre, path, tmp_path, 300)
    assert pages[0] == {(symbol, code) for code in codes[:3] for symbol in ("CODE-128", "QR-Code")}
    assert pages[1] == {(symbol, code) for code in codes[3:5] for symbol in ("CODE-128", "QR-Code")} | {("QR-Code", codes[5])}, "too long for bars"
    for code in codes[:3]:
        assert " ".join(code[at:at + 4] for at in (0, 4, 8, 12)) in paper.text[0]
        assert world.centre.post("/scans", {"code": " ".join(code[at:at + 4] for at in (0, 4, 8, 12))})["kind"] == "item"
    assert "可折叠护理型轮椅" in paper.text[0].replace(" ", "") and "WC-0001.a_b" in paper.text[1]
    assert set(paper.asked.values()) <= {200, 404} and all(path.endswith("favicon.ico") or status == 200 for path, status in paper.asked.items())


def test_labels_lie_where_the_grid_says(world):
    codes = items(world, 4)
    found = labels(sheet(world.centre, items=",".join(codes)))
    assert found == [(0, 0, 0, 700, 371.3, codes[0]), (0, 700, 0, 700, 371.3, codes[1]), (0, 1400, 0, 700, 371.3, codes[2]), (0, 0, 371.3, 700, 371.3, codes[3])]
    found = labels(sheet(world.centre, items=",".join(codes), columns=2, rows=4, margin_x=5, margin_y="8.5", gap_x=10, gap_y=2, first=7))
    assert found == [(0, 50, 2200, 950, 685, codes[0]), (0, 1100, 2200, 950, 685, codes[1]), (1, 50, 85, 950, 685, codes[2]), (1, 1100, 85, 950, 685, codes[3])]


def test_of_an_intake_and_of_a_day(world):
    centre = step_centre.set_up(world.people)
    done = take(centre, [row(world, 序列号="", 数量="250"), row(world)])
    made = [item["code"] for item in centre.pages(f"/device-intakes/{done['id']}/items", limit=200)]
    first = sheet(centre, intake=done["id"])
    assert [label[-1] for label in labels(first)] == made[:240] and labels(first)[-1][0] == 9
    (last,) = re.findall(r"after=(\d+)", first)
    rest = sheet(centre, intake=done["id"], after=last)
    assert [label[-1] for label in labels(rest)] == made[240:] and "after=" not in rest
    today = world.database.sql("SELECT china_date(now())::text")[0][0]
    assert sheet(centre, day=today) == first
    assert sheet(world.county, day=today, centre=centre.centre) == first
    centre.get("/device-labels", query={"day": "2020-01-01"}, expect=422, code="labels_none")
    world.other.get("/device-labels", query={"intake": done["id"]}, expect=422, code="labels_none")


def test_text_of_the_catalogue_does_not_become_markup(world):
    (code,) = items(world, 1)
    answer, text = page(world.auditor, f"/device-labels?items={code}")
    assert "加宽款 &lt;b&gt;" in text and text.count("<path") == 2


def test_a_code_too_long_for_bars_has_none(world):
    (code,) = items(world, 1, code="Z" * 64)
    text = sheet(world.centre, items=code)
    assert text.count("<path") == 1 and [label[-1] for label in labels(text)] == [code]


def test_named_by_id_too_and_in_the_order_they_were_named(world):
    made = step_stock.take_in(world.centre, world.model, 2, code=f"OR-{next(numbers)}")
    text = sheet(world.centre, items=f" {made[1]['id']}, {made[0]['code']},{made[1]['code']}\r\n,")
    assert [label[-1] for label in labels(text)] == [made[1]["code"], made[0]["code"], made[1]["code"]]


def test_refusals(world, admin, client):
    (code,) = items(world, 1)
    for query in ({}, {"items": code, "intake": 1}, {"items": code, "day": "2024-01-01"}, {"centre": world.centre.centre}, {"items": code, "centre": "x"}):
        world.centre.get("/device-labels", query=query, expect=422, code="labels_of_what")
    for one, wanted in ((world.other, code), (world.far, code), (world.centre, f"{code},nothing"), (world.centre, "9" * 16)):
        one.get("/device-labels", query={"items": wanted}, expect=422, code="label_unknown")
    world.centre.get("/device-labels", query={"items": ","}, expect=422, code="labels_none")
    world.county.get("/device-labels", query={"day": "2024-01-01"}, expect=422, code="centre_unknown")
    for query in ({"columns": 8, "margin_x": 10}, {"rows": 20, "margin_y": 40}, {"columns": 8, "gap_x": 20, "margin_x": 50}):
        world.centre.get("/device-labels", query={"items": code, **query}, expect=422, code="labels_too_small")
    world.centre.get("/device-labels", query={"items": code, "first": 25}, expect=422, code="label_place")
    for query, refusal in (({"columns": 0}, "out_of_range"), ({"rows": 21}, "out_of_range"), ({"margin_x": -1}, "out_of_range"), ({"margin_x": "x"}, "wrong_type"),
                           ({"margin_y": "1e400"}, "wrong_type"), ({"gap_x": "NaN"}, "wrong_type"), ({"gap_y": "[1]"}, "wrong_type"), ({"first": 161}, "out_of_range"),
                           ({"day": "2024-02-30"}, "not_a_date")):
        world.centre.get("/device-labels", query={"items": code, **query}, expect=422, code=refusal)
    admin.get("/device-labels", query={"items": code}, expect=403, code="role_not_allowed")
    client.get("/device-labels", query={"items": code}, expect=401)
