# SPDX-License-Identifier: Apache-2.0
"""Pages for print: whole, in A4, with nothing of the data become markup, and not read unseen."""
import base64
import hashlib
import re
from html.parser import HTMLParser

import needs
from stages import bring_in, bring_in_rows


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
