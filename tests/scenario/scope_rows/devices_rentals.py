# SPDX-License-Identifier: Apache-2.0
STATEMENTS = {
    "rentals_list": (lambda w: [None, None, None, None, None, 200], ()),
    "rentals_overdue": (lambda w: [None, None, None, None, 200], ()),
    "rental_get": (lambda w: [one(w)], ()),
    "rental_open": (lambda w: [None, None, request(w), "item-14", 1, None, None, None, None, True, None], ()),
    "rental_return": (lambda w: [None, None, one(w), None, None, "good", None], ()),
    "rental_lose": (lambda w: [None, None, one(w), None, None, "why"], ()),
    "rental_extend": (lambda w: [None, None, one(w), None, 1, None, "who", None], ()),
    "rental_settlement": (lambda w: [one(w), 0], ()),
    "rental_close": (lambda w: [None, None, one(w, "returned"), None, None, "[]", 0, "why", None], ()),
    "rental_payments": (lambda w: [one(w), None, 200], ()),
    "rental_pay": (lambda w: [None, None, one(w), "rent", 1, None, None, None], ()),
    "rental_unpay": (lambda w: [None, None, one(w), w["database"].sql("SELECT min(id) FROM rental_payment")[0][0], "why"], ()),
    "rental_rule_put": (lambda w: [None, None, "tongxin", None, "[]", "[]", 1, 1],
                        {"plan", "before", "after", "extend_within", "loan_keep_days", "version"}),
    "device_ledger_by_plan": (lambda w: ["tongxin", None, None, None, None, None, 200], ()),
    "device_ledger_by_centre": (lambda w: ["tongxin", "640324", None, None, None, None, 200], ()),
    "device_ledger_by_county": (lambda w: ["tongxin", None, None, None, None, None, 200], ()),
    "device_ledger_by_month": (lambda w: ["tongxin", None, None, None, None, None, 200], ()),
    "device_entries": (lambda w: ["tongxin", None, None, None, None, None, None, 200], ()),
    "device_entries_of_rental": (lambda w: [one(w), None, 200], ()),
    "rental_chases": (lambda w: [one(w), None, 200], ()),
    "rental_chase": (lambda w: [None, None, one(w), None, "phone", "who", "other", None, None], ()),
    "rental_scan": (lambda w: [10], ()),
    "device_loans_list": (lambda w: [None, None, None, None, 200], ()),
    "device_loans_out": (lambda w: [None, None, "open", None, 200], ()),
    "device_loan_get": (lambda w: [loan(w)], ()),
    "device_loan_out": (lambda w: [None, None, "item-14", None, "who", "1", None, None, None], ()),
    "device_loan_back": (lambda w: [None, None, "item-16", None, None], ()),
    "device_loan_lose": (lambda w: [None, None, loan(w), None, "why"], ()),
    "verify_devices": (lambda w: [], ()),
    "verify_devices_counts": (lambda w: [], ()),
}
EXCEPTED = {"rental_rule_get": "rules of plans are no secret within the service"}
ADMINISTRATORS = {"rental_rule_put"}
READ_BY_ALL = {"rental_rule"}
WORLD = """
SELECT set_config('tantu.role', 'county', false), set_config('tantu.account', (SELECT min(id)::text FROM account WHERE role = 'manager'), false);
INSERT INTO rental (plan_region, handover_id) SELECT plan_region, id FROM handover WHERE kind = 'rental';
INSERT INTO device_model (code, measure, name_zh, name_ko, name_en, class_scheme, class_edition, class_code, service_months, rent, rent_subsidy, deposit, loan_hours)
VALUES ('rented', 'manual_wheelchair', 'a', 'a', 'a', 'iso9999', '1900', '1222', 36, 100, 30, 5000, 9);
INSERT INTO device_item (code, model, serial, centre_id, source, acquired_on, state_at)
SELECT 'item-' || n, 'rented', 'R' || n, (SELECT id FROM centre WHERE code = 'centre'), 'purchased', '2020-01-01', '2020-01-01' FROM generate_series(14, 16) AS n;
INSERT INTO device_assessment (plan_region, request_id, number, centre_id, region, happened_at, account_id, outcome, assessed_for, asked, measure)
SELECT plan_region, id, 9, centre_id, region, now(), 1, 'pass', 'rental', measure, measure FROM device_request WHERE state = 'waiting';
UPDATE device_request SET state = 'assessed', assessed_for = 'rental' WHERE state = 'waiting';
INSERT INTO handover (plan_region, id, kind, item_id, person_id, request_id, happened_at, due_at)
SELECT i.plan_region, id_in(i.plan_region, 'handover_number'), 'rental', i.id, r.person_id, r.id, now() - interval '40 days', now() - interval '10 days'
FROM device_item i, (SELECT * FROM device_request WHERE state = 'assessed' ORDER BY id LIMIT 1) AS r WHERE i.code = 'item-15';
INSERT INTO rental (plan_region, handover_id) SELECT h.plan_region, h.id FROM handover h JOIN device_item i ON i.id = h.item_id WHERE i.code = 'item-15';
INSERT INTO rental_payment (plan_region, handover_id, kind, amount, paid_on) SELECT plan_region, handover_id, 'deposit', 10, '2026-01-01' FROM rental WHERE state = 'open';
SELECT device_ledger_fold(2);
INSERT INTO rental_extension (plan_region, handover_id, due_on, agreed_by)
SELECT plan_region, handover_id, (now() + interval '1 month')::date, 'a' FROM rental WHERE state = 'open' AND china_date(now()) - due_on <= 7;
UPDATE rental_rule SET extend_within = 100;
INSERT INTO rental_extension (plan_region, handover_id, due_on, agreed_by)
SELECT plan_region, handover_id, (now() + interval '2 months')::date, 'a' FROM rental WHERE state = 'open';
INSERT INTO rental_chase (plan_region, handover_id, number, happened_at, how, whom, outcome, account_id)
SELECT plan_region, handover_id, 1, now(), 'phone', 'a', 'other', 1 FROM rental;
INSERT INTO outbox (kind, region, content) SELECT 'rental_overdue', region, json_build_object('rental', handover_id, 'due_on', due_on, 'days', 1)
FROM rental WHERE state = 'open';
UPDATE rental SET remind_on = '2020-01-01', rent_on = '2020-01-01' WHERE state = 'open';
INSERT INTO handover (plan_region, id, kind, item_id, borrower, phone, happened_at, due_at)
SELECT i.plan_region, id_in(i.plan_region, 'handover_number'), 'loan', i.id, 'a', '1', now() - interval '9 hours', now() - interval '7 hours'
FROM device_item i WHERE i.code = 'item-16';
INSERT INTO rental_closing (plan_region, handover_id, closed_on, received)
SELECT r.plan_region, r.handover_id, china_date(now()), s.rest FROM rental r, rental_settlement(r, 0) AS s WHERE r.state = 'returned';
UPDATE device_request SET state = 'waiting', assessed_for = NULL WHERE state = 'assessed';
SELECT set_config('tantu.role', '', false), set_config('tantu.account', '', false);
"""


def one(world, state="open"):
    """The rental of the area's world that is still out; and one that came back, closed by now, whose second closing nobody sees."""
    return world["database"].sql("SELECT max(handover_id) FROM rental WHERE state = %s", "open" if state == "open" else "closed")[0][0]


def request(world):
    return world["database"].sql("SELECT max(id) FROM device_request WHERE state = 'waiting'")[0][0]


def loan(world):
    return world["database"].sql("SELECT max(id) FROM handover WHERE kind = 'loan' AND phone = '1'")[0][0]
