# SPDX-License-Identifier: Apache-2.0
"""For test_texts.py: the texts of stock are walked where the items are."""
TEXTS = {("POST", "/api/v1/device-items"): ["model", "serial", "batch", "code", "donor", "shelf", "note", "centre"],
         ("PATCH", "/api/v1/device-items/{item}"): ["shelf", "note", "donor"]}
ELSEWHERE = {(*endpoint, field): "test_device_items.py::test_naughty_texts_come_back" for endpoint, fields in TEXTS.items() for field in fields}
