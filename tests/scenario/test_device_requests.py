# SPDX-License-Identifier: Apache-2.0
"""Requests for devices: opened, assessed, waiting in their order, given on, cancelled; and what is refused."""
import json

import pytest
import step_request
import step_stock
import stock_help
from processes import ROOT

NAUGHTY = ROOT.parent / "shared" / "data" / "json" / "naughty-strings.json"


@pytest.fixture
def office(people):
    return people.manager("640324")


@pytest.fixture
def centre(people, database):
    return stock_help.centre(people, database)


@pytest.fixture(scope="module")
def strings():
    if not NAUGHTY.exists():
        pytest.skip("no ../shared beside this tree")
    return json.loads(NAUGHTY.read_text(encoding="utf-8"))[::4]


def said(client, path, body):
    """Whether it was taken; refused with 4xx otherwise."""
    answer = client._send("POST", "/api/v1" + path, json.dumps(body).encode(),
                          {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}, 60)
    assert answer.status < 300 or 400 <= answer.status < 500, (body, answer)
    return answer.json if answer.status < 300 else None


def test_naughty_texts_come_back(office, centre, database, strings):
    one, other = step_request.bring(office, 2)
    request = step_request.open_request(office, one.person, centre=centre.centre)
    values = step_request.measurements(centre, request)
    taken = 0
    for text in strings:
        body = {"outcome": "pass_with_changes", "assessed_for": "fitting", "measurements": values, "note": text, "changes": text or "a"}
        if said(centre, f"/device-requests/{request}/assessment", body):
            last = centre.get(f"/device-requests/{request}")["assessments"][-1]
            assert last["note"] == text and last["changes"] == text or text.strip() == ""
            taken += 1
    assert taken > len(strings) * 3 / 4
    for text in strings[::4]:
        for field in ("measure", "reason"):
            said(centre, f"/device-requests/{request}/assessment", {"outcome": "reassess", "reassess_on": "2027-01-01", field: text})
        for field in ("measure", "centre"):
            said(office, "/device-requests", {"person": one.person, field: text})
        said(centre, "/fittings", {"request": request, "item": text})
    step_request.assess(centre, request)
    model, text = stock_help.model(database), next(text for text in strings if "<" in text and len(text) < 90)
    (item,) = step_stock.take_in(centre, model)
    given = centre.post("/fittings", {"request": request, "item": item["code"], "note": text, "signer": text, "signature": {"strokes": [[1, 1]]}})
    assert given["note"] == text and centre.get(f"/fittings/{given['id']}")["signature"]["signer"] == text.strip()
    again = office.post("/device-requests", {"person": other.person, "measure": "manual_wheelchair", "note": text})
    assert again["note"] == text
