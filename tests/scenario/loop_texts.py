# SPDX-License-Identifier: Apache-2.0
"""For test_texts.py: the texts of the loop are walked where the items are."""
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
