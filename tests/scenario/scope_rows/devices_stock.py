# SPDX-License-Identifier: Apache-2.0
"""Stock: what centre `centre` has (devices.py made it), and what is on its way to `another`."""
STATEMENTS = {
    "device_items_list": (lambda w: [None, None, None, "a-model", None, None, 200], ()),
    "device_items_search": (lambda w: [None, None, None, None, None, "item-", None, 200], ()),
    "device_item_take": (lambda w: [None, None, "centre", "purchased", "a-model", "S9", None, None, None, None, None, None, None, None], ()),
    "device_item_get": (lambda w: ["item-1"], ()),
    "device_item_amend": (lambda w: [None, None, "item-1", None, "A1", None, None, None, None], ()),
    "device_item_events": (lambda w: ["item-1", None, 200], ()),
}
