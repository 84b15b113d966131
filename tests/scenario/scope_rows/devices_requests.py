# SPDX-License-Identifier: Apache-2.0
"""Requests and fittings: one that was assessed and fitted, and signed for, beside those of devices.py."""
STATEMENTS = {
    "device_request_open": (lambda w: [None, None, w["person"], None, "crutch", "centre", None], ()),
    "device_request_get": (lambda w: [fitted(w, "request_id")], ()),
    "device_assess": (lambda w: [None, None, fitted(w, "request_id"), None, None, "pass", "fitting", None, None, None, None, None, None], ()),
    "fitting_make": (lambda w: [None, None, fitted(w, "request_id"), "item-4", None, None, None, None], ()),
    "fitting_get": (lambda w: [fitted(w, "id")], ()),
}
READ_BY_ALL = {"device_measurement"}
WORLD = """
SELECT set_config('tantu.role', 'county', false), set_config('tantu.account', (SELECT min(id)::text FROM account WHERE role = 'manager'), false);
INSERT INTO device_item (code, model, serial, centre_id, source, acquired_on)
SELECT 'item-4', 'a-model', 'S4', (SELECT id FROM centre WHERE code = 'centre'), 'purchased', '2024-01-01';
INSERT INTO device_request (plan_region, person_id, need_id, measure, centre_id, source)
SELECT n.plan_region, n.person_id, n.id, 'manual_wheelchair', (SELECT id FROM centre WHERE code = 'centre'), 'import'
FROM need n WHERE n.kind = 'device' AND n.id NOT IN (SELECT need_id FROM device_request) ORDER BY n.id LIMIT 1;
INSERT INTO device_assessment (plan_region, request_id, number, centre_id, region, happened_at, account_id, outcome, assessed_for, asked, measure)
SELECT plan_region, id, 1, centre_id, region, now(), 1, 'pass', 'fitting', measure, measure FROM device_request ORDER BY id DESC LIMIT 1;
UPDATE device_request SET state = 'assessed', assessed_for = 'fitting' WHERE id = (SELECT max(id) FROM device_request);
INSERT INTO handover (plan_region, id, kind, item_id, person_id, request_id)
SELECT i.plan_region, id_in(i.plan_region, 'handover_number'), 'fitting', i.id, r.person_id, r.id
FROM device_item i, (SELECT * FROM device_request ORDER BY id DESC LIMIT 1) AS r WHERE i.code = 'item-4';
INSERT INTO handover_signature (plan_region, handover_id, kind, centre_id, region, signer, strokes, account_id)
SELECT plan_region, id, kind, centre_id, region, 'a', '{"strokes": [[1, 2]]}', 1 FROM handover WHERE kind = 'fitting';
SELECT set_config('tantu.role', '', false), set_config('tantu.account', '', false);
"""


def fitted(world, column):
    return world["database"].sql(f"SELECT {column} FROM handover WHERE kind = 'fitting'")[0][0]
