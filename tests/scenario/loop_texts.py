# SPDX-License-Identifier: Apache-2.0
"""For test_texts.py: the texts of the loop and of recalls are walked where the items are."""
import json

import pytest
from processes import ROOT

TEXTS = {("POST", "/api/v1/device-returns"): ["item", "note"],
         ("POST", "/api/v1/device-returns/undo"): ["item"],
         ("POST", "/api/v1/device-disinfections"): ["method", "agent", "note"],
         ("POST", "/api/v1/device-disinfections/{id}/end"): ["note"],
         ("POST", "/api/v1/device-inspections"): ["item", "note"],
         ("PUT", "/api/v1/disinfection-methods/{method}/{agent}"): ["name_zh", "name_ko", "name_en", "source"],
         ("POST", "/api/v1/device-repairs"): ["item", "fault", "repairer", "note"],
         ("POST", "/api/v1/device-repairs/{id}/end"): ["repairer", "note"],
         ("POST", "/api/v1/device-recyclings"): ["item", "certificate", "note"],
         ("POST", "/api/v1/device-recalls"): ["model", "batch", "serial_from", "serial_to", "reason"],
         ("POST", "/api/v1/device-recalls/{id}/withdrawal"): ["note"],
         ("POST", "/api/v1/device-recalls/{id}/end"): ["note"],
         ("POST", "/api/v1/device-recalls/{id}/items/{item}/attempts"): ["note"],
         ("POST", "/api/v1/device-recalls/{id}/items/{item}/resolution"): ["note"]}
FILES = {"repair": "test_device_repairs", "recycl": "test_device_repairs", "recall": "test_device_recalls"}
ELSEWHERE = {(*endpoint, field): next((file for word, file in FILES.items() if word in endpoint[1]), "test_device_loop")
             + ".py::test_naughty_texts_come_back" for endpoint, fields in TEXTS.items() for field in fields}


def naughty_strings():
    path = ROOT.parent / "shared" / "data" / "json" / "naughty-strings.json"
    if not path.exists():
        pytest.skip("no ../shared beside this tree")
    return json.loads(path.read_text(encoding="utf-8"))


def walk_texts(client, method, path, fields, strings, extra=lambda: {}):
    """Each text in all fields at once, or, refused, in each: taken and given back as it is, or refused with 4xx. How many were taken."""
    taken = 0
    for text in strings:
        tries = [fields]
        while tries:
            names = tries.pop()
            answer = client._send(method, "/api/v1" + path, json.dumps({**extra(), **dict.fromkeys(names, text)}).encode(),
                                  {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}, 60)
            assert answer.status < 300 or 400 <= answer.status < 500, (names, text, answer)
            if answer.status < 300:
                assert all(answer[name] == text for name in names), (names, text, answer)
                taken += len(names)
            elif len(names) > 1:
                tries += [[name] for name in names]
    return taken
