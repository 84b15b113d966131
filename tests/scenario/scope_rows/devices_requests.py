# SPDX-License-Identifier: Apache-2.0
"""Requests and fittings: one that was assessed and fitted, and signed for, beside those of devices.py."""
STATEMENTS = {
    "device_request_open": (lambda w: [None, None, w["person"], None, "crutch", "centre", None], ()),
    "device_request_get": (lambda w: [fitted(w, "request_id")], ()),
    "device_assess": (lambda w: [None, None, fitted(w, "request_id"), None, None, "pass", "fitting", None, None, None, None, None, None], ()),
    "fitting_make": (lambda w: [None, None, fitted(w, "request_id"), "item-4", None, None, None, None], ()),
    "fitting_get": (lambda w: [fitted(w, "id")], ()),
    "device_unassess": (lambda w: [None, None, fitted(w, "request_id"), None], ()),
    "device_request_cancel": (lambda w: [None, None, waiting(w), None, "a"], ()),
    "device_request_give": (lambda w: [None, None, waiting(w), None, "another"], ()),
    "device_request_except": (lambda w: [None, None, waiting(w), None, "a"], ()),
    "device_request_reserve": (lambda w: [None, None, waiting(w), None, "item-3"], ()),
    "device_request_release": (lambda w: [None, None, waiting(w), None], ()),
    "device_request_items": (lambda w: [waiting(w)], ()),
    "device_requests_list": (lambda w: ["tongxin", None, None, None, None, 200], ()),
    "device_requests_of_centre": (lambda w: [None, None, None, None, None, 200, "centre"], ()),
    "device_requests_waiting": (lambda w: ["tongxin", None, "waiting", None, None, 200], ()),
    "device_requests_waiting_of_centre": (lambda w: [None, None, "waiting", None, None, 200, "centre"], ()),
    "device_requests_compared": (lambda w: [waiting(w), fitted(w, "request_id")], ()),
    "requests_from_needs": (lambda w: [None, None, "640324", None, "centre"], ()),
    "requests_from_needs_get": (lambda w: [1], ()),
    "requests_from_needs_step": (lambda w: [1], ()),
    "requests_settle": (lambda w: [2000], ()),
    "walk_in": (lambda w: [None, None, "centre", "crutch", None, w["citizen"], w["citizen"], None, None, "男", "19000101", "41", "a", None, "640324101",
                           None, "a", None], ()),
    "device_measurements_put": (lambda w: [None, None, "crutch", None, "[]"], {"measure", "items", "version"}),
    "fittings_of_centre": (lambda w: [None, None, None, None, 200, "centre"], ()),
    "fittings_list": (lambda w: [None, None, None, None, 200, None], ()),
    "trials_of_centre": (lambda w: [None, None, None, None, 200, "centre"], ()),
    "trials_list": (lambda w: [None, None, None, None, 200, None], ()),
    "trial_make": (lambda w: [None, None, waiting(w), "item-3", "2099-01-01T00:00:00Z", None, None, None, None], ()),
    "trial_keep": (lambda w: [None, None, fitted(w, "id"), None, None, None, None], ()),
    "fitting_sign": (lambda w: [None, None, fitted(w, "id"), '{"strokes": [[1, 1]]}', None], ()),
    "fitting_receipt": (lambda w: [fitted(w, "id")], ()),
}
EXCEPTED = {"device_measurements_get": "what is measured is no secret within the service"}
ADMINISTRATORS = {"device_measurements_put"}
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
INSERT INTO device_request_batch (plan_region, region, high, centre_id, account_id)
SELECT plan_region, region, 640324999, id, 1 FROM centre WHERE code = 'centre';
SELECT set_config('tantu.role', '', false), set_config('tantu.account', '', false);
"""


def fitted(world, column):
    return world["database"].sql(f"SELECT {column} FROM handover WHERE kind = 'fitting'")[0][0]


def waiting(world):
    return world["database"].sql("SELECT min(id) FROM device_request WHERE state = 'waiting'")[0][0]
