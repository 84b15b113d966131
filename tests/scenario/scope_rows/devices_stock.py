# SPDX-License-Identifier: Apache-2.0
"""Stock: what centre `centre` has (devices.py made it), and what is on its way to `another`."""
TRANSFER, TAKING = 6403240000000005, 6403240000000006
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
    "stock_taking_begin": (lambda w: [None, None, "centre", "B", None, None], ()),
    "stock_taking_scan": (lambda w: [None, None, TAKING, '["item-2"]'], ()),
    "stock_taking_close": (lambda w: [None, None, TAKING, None, None], ()),
    "stock_taking_cancel": (lambda w: [None, None, TAKING, None, None], ()),
    "stock_taking_resolve": (lambda w: [None, None, TAKING + 1, '[{"item": "item-1"}]', "explained", "why"], ()),
    "stock_taking_get": (lambda w: [TAKING], ()),
    "stock_takings_list": (lambda w: [None, None, None, 200], ()),
    "stock_taking_lines": (lambda w: [TAKING, None, None, 200], ()),
    "stock_minimums_list": (lambda w: [None, None, None, None, 200], ()),
    "stock_minimum_put": (lambda w: [None, None, "centre", "model", "a-model", 3, None], ()),
    "stock_minimum_remove": (lambda w: [None, None, "centre", "measure", "manual_wheelchair", None], ()),
    "stock_minimum_scan": (lambda w: [], ()),
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
INSERT INTO stock_taking (plan_region, id, centre_id, region, shelf, account_id) SELECT plan_region, 6403240000000006, id, region, 'A', 1 FROM centre WHERE code = 'centre';
INSERT INTO stock_taking (plan_region, id, centre_id, region, state, account_id, ended_at)
SELECT plan_region, 6403240000000007, id, region, 'closed', 1, now() FROM centre WHERE code = 'centre';
INSERT INTO stock_taking_line (plan_region, taking_id, code, expected, result)
SELECT plan_region, id, 'item-1', true, CASE state WHEN 'closed' THEN 'missing' END FROM stock_taking;
INSERT INTO stock_minimum (centre_id, region, measure, minimum, account_id) SELECT id, region, 'manual_wheelchair', 5, 1 FROM centre WHERE code = 'centre';
SELECT set_config('tantu.role', '', false), set_config('tantu.account', '', false);
"""
