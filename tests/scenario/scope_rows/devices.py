# SPDX-License-Identifier: Apache-2.0
"""The tables that all of the devices share (migrations 0029 to 0032): an item whose life has been everywhere, in one county."""
PUBLIC_TABLES = {"device_rule": "rules"}
READ_BY_ALL = {"device_class", "device_class_link", "device_model", "device_term"}
WORLD = """
SELECT set_config('tantu.role', 'county', false), set_config('tantu.account', (SELECT min(id)::text FROM account WHERE role = 'manager'), false);
UPDATE centre SET plan_region = 640324000, region = 640324000 WHERE code = 'centre';
INSERT INTO centre (code, name, plan_region, region) VALUES ('another', 'another', 640324000, 640324101);
INSERT INTO device_class (scheme, edition, code, name_zh, name_ko, name_en) VALUES ('iso9999', '1900', '1222', 'a', 'a', 'a'), ('iso9999', '1901', '1223', 'a', 'a', 'a');
INSERT INTO device_class_link VALUES ('iso9999', '1900', '1222', 'iso9999', '1901', '1223', 'same');
INSERT INTO device_model (code, measure, name_zh, name_ko, name_en, class_scheme, class_edition, class_code, service_months, rent, deposit, loan_hours)
VALUES ('a-model', 'manual_wheelchair', 'a', 'a', 'a', 'iso9999', '1900', '1222', 36, 100, 5000, 24);
INSERT INTO device_term (plan_id, model) SELECT id, 'a-model' FROM plan WHERE code = 'tongxin';
INSERT INTO device_item (code, model, serial, batch, centre_id, source, acquired_on)
SELECT 'item-' || n, 'a-model', 'S' || n, 'b', (SELECT id FROM centre WHERE code = 'centre'), 'purchased', '2024-01-01' FROM generate_series(1, 3) AS n;
INSERT INTO device_request (plan_region, id, plan_id, person_id, need_id, measure, region, centre_id, source, state, assessed_for)
SELECT n.plan_region, id_in(n.plan_region, 'device_request_number'), (SELECT id FROM plan WHERE code = 'tongxin'), n.person_id, n.id,
    'manual_wheelchair', h.region, (SELECT id FROM centre WHERE code = 'centre'), 'import', 'assessed', 'rental'
FROM need n JOIN household h ON h.plan_region = n.plan_region AND h.id = n.household_id WHERE n.kind = 'device' AND n.state = 'open' ORDER BY n.id LIMIT 2;
INSERT INTO handover (plan_region, id, kind, item_id, person_id, request_id, due_at)
SELECT i.plan_region, id_in(i.plan_region, 'handover_number'), 'rental', i.id, r.person_id, r.id, now() + interval '1 month'
FROM device_item i, (SELECT * FROM device_request ORDER BY id LIMIT 1) AS r WHERE i.code = 'item-1';
UPDATE handover SET ended = 'returned';
INSERT INTO device_disinfection (plan_region, id, centre_id, region, method, agent, began_at, ended_at, account_id)
SELECT plan_region, 1, id, region, 'a', 'a', now(), now(), 1 FROM centre WHERE code = 'centre';
INSERT INTO device_event (plan_region, item_id, action, reference) SELECT plan_region, id, 'disinfect', 1 FROM device_item WHERE code = 'item-1';
INSERT INTO device_event (plan_region, item_id, action, reference) SELECT plan_region, id, 'disinfected', 1 FROM device_item WHERE code = 'item-1';
INSERT INTO device_inspection (plan_region, id, item_id, item_version, centre_id, region, happened_at, checklist, grade, result, account_id)
SELECT plan_region, 2, id, version, centre_id, region, now(), '[]', 'B', 'pass', 1 FROM device_item WHERE code = 'item-1';
INSERT INTO device_event (plan_region, item_id, action, reference) SELECT plan_region, id, 'pass', 2 FROM device_item WHERE code = 'item-1';
INSERT INTO device_repair (plan_region, id, item_id, centre_id, region, fault, in_warranty, began_at, account_id)
SELECT plan_region, 3, id, centre_id, region, 'a', false, now(), 1 FROM device_item WHERE code = 'item-2';
INSERT INTO device_event (plan_region, item_id, action, reference) SELECT plan_region, id, 'repair', 3 FROM device_item WHERE code = 'item-2';
INSERT INTO device_recycling (plan_region, id, item_id, centre_id, region, happened_at, reason, certificate, account_id)
SELECT plan_region, 4, id, centre_id, region, now(), 'a', 'R-1', 1 FROM device_item WHERE code = 'item-2';
INSERT INTO device_event (plan_region, item_id, action, reference) SELECT plan_region, id, 'recycle', 4 FROM device_item WHERE code = 'item-2';
INSERT INTO device_transfer (plan_region, id, from_centre, to_centre, from_region, to_region, sent_at, account_id)
SELECT a.plan_region, 5, a.id, b.id, a.region, b.region, now(), 1 FROM centre a, centre b WHERE a.code = 'centre' AND b.code = 'another';
INSERT INTO device_event (plan_region, item_id, action, reference) SELECT plan_region, id, 'send', 5 FROM device_item WHERE code = 'item-3';
INSERT INTO device_recall (region, high, model, batch, reason, due_on, account_id) VALUES (640324000, 640324999, 'a-model', 'b', 'a', '2030-01-01', 1);
SELECT device_recalled(r, i.plan_region, i.id) FROM device_recall r, device_item i;
UPDATE device_request SET state = 'waiting', assessed_for = NULL WHERE state = 'assessed';
SELECT set_config('tantu.role', '', false), set_config('tantu.account', '', false);
"""
