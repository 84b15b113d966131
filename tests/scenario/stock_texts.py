# SPDX-License-Identifier: Apache-2.0
"""For test_texts.py: the texts of stock are walked where the things are, a sixth of the strings each."""
import json

import pytest
from processes import ROOT

NAUGHTY = ROOT.parent / "shared" / "data" / "json" / "naughty-strings.json"
HERE = {
    "test_device_items.py::test_naughty_texts_come_back": {
        ("POST", "/api/v1/device-items"): ["model", "serial", "batch", "code", "donor", "shelf", "note", "centre"],
        ("PATCH", "/api/v1/device-items/{item}"): ["shelf", "note", "donor"],
        ("POST", "/api/v1/device-items/{item}/loss"): ["note"], ("POST", "/api/v1/device-items/{item}/finding"): ["note"]},
    "test_device_transfers.py::test_naughty_texts_come_back": {
        ("POST", "/api/v1/device-transfers"): ["to", "note", "centre"], ("POST", "/api/v1/device-transfers/{id}/receipt"): ["note"],
        ("POST", "/api/v1/device-transfers/{id}/cancel"): ["note"], ("POST", "/api/v1/device-transfers/{id}/loss"): ["note"]},
    "test_stock_takings.py::test_naughty_texts_come_back": {
        ("POST", "/api/v1/stock-takings"): ["shelf", "model", "note", "centre"], ("POST", "/api/v1/stock-takings/{id}/close"): ["note"],
        ("POST", "/api/v1/stock-takings/{id}/cancel"): ["note"], ("POST", "/api/v1/stock-takings/{id}/resolutions"): ["note"]},
    "test_stock_takings.py::test_minimums_are_set_read_and_taken_away": {("PUT", "/api/v1/stock-minimums/{kind}/{code}"): ["centre"]}}
ELSEWHERE = {(*endpoint, field): test for test, texts in HERE.items() for endpoint, fields in texts.items() for field in fields}


def strings(every=6):
    if not NAUGHTY.exists():
        pytest.skip("no ../shared beside this tree")
    return json.loads(NAUGHTY.read_text(encoding="utf-8"))[::every]


def send(client, method, path, body):
    answer = client._send(method, "/api/v1" + path, json.dumps(body).encode(),
                          {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}, 60)
    assert answer.status < 300 or 400 <= answer.status < 500, (path, body, answer)
    return answer


def walk(client, method, path, fields, texts, extra=None, back=lambda answer, name: answer[name]):
    """Each text in all fields at once or, refused, in each: taken and given back as it is, or refused with 4xx. How many were taken."""
    taken = 0
    for text in texts:
        tries = [fields]
        while tries:
            names = tries.pop()
            where = path() if callable(path) else path
            answer = send(client, method, where, {**(extra() if callable(extra) else extra or {}), **dict.fromkeys(names, text)})
            if answer.status < 300:
                assert all(back(answer, name) == text for name in names), (names, text, answer)
                taken += len(names)
            elif len(names) > 1:
                tries += [[name] for name in names]
    return taken
