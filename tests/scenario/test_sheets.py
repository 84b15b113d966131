# SPDX-License-Identifier: Apache-2.0
"""Pages for print: whole, in A4, with nothing of the data become markup, and not read unseen."""
import base64
import hashlib
import re
from html.parser import HTMLParser

import needs
import pictures
import pytest
import step_inspection
import step_photos
from money_world import World
from paper import printed
from stages import bring_in, bring_in_rows, move


def page(client, path, **options):
    answer = client.get(path, **options)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return answer, answer.body.decode("utf-8")


def check_page(text, answer):
    """Well-formed as far as it goes, and what the policy admits is what the page has."""
    class Parser(HTMLParser):
        VOID = {"meta", "link", "img", "br", "hr", "input", "col"}

        def __init__(self):
            super().__init__()
            self.open = []
            self.seen = []

        def handle_starttag(self, tag, attributes):
            self.seen.append((tag, dict(attributes)))
            if tag not in self.VOID:
                self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open and self.open.pop() == tag, tag

    parser = Parser()
    parser.feed(text)
    assert not parser.open
    tags = parser.seen
    assert ("html", {"lang": "zh-CN"}) in tags
    for table in re.findall(r"<table>.*?</table>", text, re.DOTALL):
        assert table.startswith("<table>\n<caption>"), table[:80]
    assert all("scope" in attributes for tag, attributes in tags if tag == "th")
    assert not any(tag == "script" or "style" in attributes or any(name.startswith("on") for name in attributes)
                   for tag, attributes in tags)
    assert all("alt" in attributes for tag, attributes in tags if tag == "img")
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policies = answer.headers.get_all("Content-Security-Policy")
    assert policies == [f"default-src 'none'; style-src 'sha256-{hashed}'; img-src 'self'; frame-ancestors 'none'; "
                        "base-uri 'none'; form-action 'none'"]


def test_the_plan_sheet_shows_the_household_and_escapes_it(people, database):
    manager = people.manager("640324")
    row = needs.row("tongxin", **{"村(社区)": "<b>村</b>", "详细地址": "\"7\" & 'x' {{name}}"})
    (case,) = bring_in_rows(manager, [row]).values()
    answer, text = page(manager, f"/cases/{case}/plan-sheet")
    check_page(text, answer)
    assert row["姓名"] in text and row["户编号"] in text
    assert "&lt;b&gt;村&lt;/b&gt;" in text and "&quot;7&quot; &amp; &#39;x&#39; {{name}}" in text
    assert "尚无改造项目" in text
    assert answer.headers["Cache-Control"] == "no-store"


def test_reading_a_sheet_is_recorded(people, database):
    manager, auditor = people.manager("640324"), people.auditor("640324")
    (case,) = bring_in(manager)
    page(auditor, f"/cases/{case}/plan-sheet")
    assert database.sql("SELECT account_id, what FROM access_record WHERE subject = %s", case) == [
        (auditor.get("/session")["id"], "plan sheet of a case")]


def test_sheets_are_for_who_sees_the_case(people, admin):
    manager = people.manager("640324")
    (case,) = bring_in(manager)
    people.county("230602").get(f"/cases/{case}/plan-sheet", expect=404)
    people.assessor("640324").get(f"/cases/{case}/plan-sheet", expect=404)
    admin.get(f"/cases/{case}/plan-sheet", expect=403, code="role_not_allowed")
    manager.get("/cases/1/plan-sheet", expect=404)
    manager.get("/cases/x/plan-sheet", expect=404)


# --- as a browser prints them ---


@pytest.fixture(scope="module")
def world(admin_session):
    world = World(admin_session.clone(), ceiling=100000000)
    yield world
    world.close()


ROOMS = ["entrance", "living_room", "bathroom", "kitchen", "bedroom", "stairs"]


def surveyed_household(world, agreed):
    """A household of three whose survey found that many problems, all agreed to, and one more; the case, its finding's numbers."""
    rows = needs.household("tongxin", 3, **{"详细地址": "东关街道和平路一百二十号三单元五〇二室（菜市场北侧第二个巷口进）", "村(社区)": "东关社区居民委员会"})
    (case,) = bring_in_rows(world.manager, rows, world.plan).values()
    world.walk(case, "approved")
    world.team.give_visit(case)
    code = "money_problem"
    if code not in {one["code"] for one in world.admin.pages("/problems", limit=200)}:
        world.admin.post("/problems", {"code": code, "name_zh": "地面湿滑、无扶手，起身转移困难", "measures": [world.rail, world.ramp]}, expect=201)
    findings = [{"number": number, "room": ROOMS[number % 6], "problem": code, "measure": world.rail, "quantity": 2, "consent": "agreed", "note": ""}
                for number in range(1, agreed + 2)]
    world.team.assessor.put(f"/cases/{case}/survey", {"visited_at": "2023-04-01T02:00:00Z", "findings": findings})
    move(world.manager, case, "surveyed")
    return case


def test_the_plan_of_twelve_items_is_one_page(world):
    case = surveyed_household(world, 12)
    items = [world.item([world.rail, world.ramp][number % 2], 1.5, 9999, ROOMS[number % 6], finding=number) for number in range(1, 13)]
    world.put(case, items, {"province": 50000, "county": 30000}, [{"finding": 13, "reason": "住户改变主意，暂不实施"}])
    paper = printed(world.manager, f"/cases/{case}/plan-sheet")
    assert paper.is_a4() and paper.pages == 1, paper.text
    (text,) = paper.text
    for word in ("（草案）", "地面湿滑", "坡道", "扶手", "省级补助", "500.00", "县级补助", "300.00", "家庭自付", "999.88", "1,799.88", "149.99", "暂不实施",
                 "户主（监护人）签字", "东关社区居民委员会"):
        assert word in text, (word, text)
    assert text.count("地面湿滑") == 13 and re.search(r"\b1 ?/ ?1\s*$", text)
    move(world.manager, case, "designed")
    _, page_text = page(world.manager, f"/cases/{case}/plan-sheet")
    assert "草案" not in page_text
    # A contractor builds from it, and learns nothing of the survey.
    move(world.manager, case, "assigned", contractor=world.team.firm)
    _, page_text = page(world.team.contractor, f"/cases/{case}/plan-sheet")
    assert "地面湿滑" not in page_text and "和平路" in page_text


def test_a_long_plan_repeats_its_header(world):
    case = world.surveyed()
    world.put(case, [world.item(quantity=1, price=100 + number, room=ROOMS[number % 6]) for number in range(100)])
    paper = printed(world.manager, f"/cases/{case}/plan-sheet")
    assert paper.is_a4() and 2 <= paper.pages <= 4
    assert all("改造内容" in text and "单价" in text for text in paper.text[:-1])
    assert all(re.search(rf"\b{number} ?/ ?{paper.pages}\s*$", text) for number, text in enumerate(paper.text, 1))


def test_the_acceptance_of_twelve_items_with_photos_is_one_page(world):
    team = world.team
    case = surveyed_household(world, 12)
    world.put(case, [world.item(room=ROOMS[number % 6], finding=number) for number in range(1, 13)], {"province": 50000}, [{"finding": 13, "reason": "x"}])
    world.walk(case, "building", begin="designed")
    picture = pictures.png()
    step_photos.do(team, case, "before", items=range(1, 13), data=picture)
    step_photos.do(team, case, "after", items=range(1, 13), data=picture)
    move(team.contractor, case, "built")
    # before there is an inspection: a form
    answer, text = page(world.manager, f"/cases/{case}/acceptance-sheet")
    check_page(text, answer)
    assert "☐ 合格" in text and "☐ 整改" in text and text.count("<figure>") == 24
    signature = step_photos.do(team, case, "signature")[0]
    step_inspection.do(team, case, signature=signature, satisfaction=4, faults={3: "扶手松动 <b>", 5: "未安装"}, measured={5: 0, 7: 1.25}, days=14)
    answer, text = page(world.manager, f"/cases/{case}/acceptance-sheet")
    check_page(text, answer)
    assert "☐ 合格" in text and "☑ 整改，限期" in text and "扶手松动 &lt;b&gt;" in text and "0 件" in text and "1.25 件" in text
    assert f"验收人：{team.assessor.user}" in text and f'<img src="/api/v1/photos/{signature}" alt="户主签字">' in text
    paper = printed(world.manager, f"/cases/{case}/acceptance-sheet")
    assert paper.is_a4() and paper.pages == 1, paper.text
    assert set(paper.asked.values()) <= {200} | ({404} if "/favicon.ico" in paper.asked else set()), paper.asked
    assert sum(status == 200 for status in paper.asked.values()) == 26 and paper.images >= 1
    # The contractor sees what is to be mended, and nobody's signature.
    _, text = page(team.contractor, f"/cases/{case}/acceptance-sheet")
    assert "扶手松动" in text and "户主签字\">" not in text
