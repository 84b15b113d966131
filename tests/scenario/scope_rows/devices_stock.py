# SPDX-License-Identifier: Apache-2.0
"""Stock: what centre `centre` has (devices.py made it), and what is on its way to `another`."""
TRANSFER = 6403240000000005
STATEMENTS = {
    "device_items_list": (lambda w: [None, None, None, "a-model", None, None, 200], ()),
    "device_items_search": (lambda w: [None, None, None, None, None, "item-", None, 200], ()),
    "device_item_take": (lambda w: [None, None, "centre", "purchased", "a-model", "S9", None, None, None, None, None, None, None, None, None], ()),
    "device_item_get": (lambda w: ["item-1"], ()),
    "device_item_amend": (lambda w: [None, None, "item-1", None, "A1", None, None, None, None], ()),
    "device_item_lose": (lambda w: [None, None, "item-1", None, "why"], ()),
    "device_item_find": (lambda w: [None, None, "item-1", None, "why"], ()),
    "device_item_life": (lambda w: ["item-1"], ()),
    "device_transfer_send": (lambda w: [None, None, "centre", "another", '[{"item": "item-1"}]', None, None], ()),
    "device_transfer_receive": (lambda w: [None, None, TRANSFER, None, None, None], ()),
    "device_transfer_cancel": (lambda w: [None, None, TRANSFER, None, None, None], ()),
    "device_transfer_lose": (lambda w: [None, None, TRANSFER, None, None, "why"], ()),
    "device_transfer_get": (lambda w: [TRANSFER], ()),
    "device_transfers_list": (lambda w: [None, None, None, None, 200], ()),
    "device_item_events": (lambda w: ["item-1", None, 200], ()),
}
# A transfer of its own: the core's has no id that names its region.
WORLD = """
SELECT set_config('tantu.role', 'county', false), set_config('tantu.account', (SELECT min(id)::text FROM account WHERE role = 'manager'), false);
INSERT INTO device_item (code, model, serial, centre_id, source, acquired_on)
SELECT 'item-sent', 'a-model', 'S-sent', (SELECT id FROM centre WHERE code = 'centre'), 'purchased', '2024-01-01';
INSERT INTO device_transfer (plan_region, id, from_centre, to_centre, from_region, to_region, sent_at, account_id)
SELECT a.plan_region, 6403240000000005, a.id, b.id, a.region, b.region, now(), 1 FROM centre a, centre b WHERE a.code = 'centre' AND b.code = 'another';
INSERT INTO device_event (plan_region, item_id, action, reference) SELECT plan_region, id, 'send', 6403240000000005 FROM device_item WHERE code = 'item-sent';
SELECT set_config('tantu.role', '', false), set_config('tantu.account', '', false);
"""
