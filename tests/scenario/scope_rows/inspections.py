# SPDX-License-Identifier: Apache-2.0
STATEMENTS = {
    "inspection_create": (lambda w: [None, None, w["case"], None, "2023-05-25T02:00:00Z", "[]", None, None, "pass", None, None], ()),
    "inspections_of_case": (lambda w: [w["case"], None, 200], ()),
    "follow_ups_make": (lambda w: [w["accepted"], 8], ()),
    "follow_up_scan": (lambda w: [], ()),
    "rework_scan": (lambda w: [], ()),
    "follow_ups_list": (lambda w: ["tongxin", None, None, None, None, 200], ()),
    "follow_ups_of_assessor": (lambda w: ["tongxin", None, None, None, None, 200], ()),
    "follow_ups_of_case": (lambda w: [w["case"]], ()),
    "follow_up_end": (lambda w: [None, None, w["case"], 1, None, "2023-08-01T02:00:00Z", "in_use", None], ()),
    "follow_up_take_back": (lambda w: [None, None, w["case"], 1, None], ()),
    "acceptance_rule_put": (lambda w: [None, None, "tongxin", None, 5, "[]"], {"plan", "rework_days", "follow_ups", "version"}),
}
EXCEPTED = {"acceptance_rule_get": "rules of plans are no secret within the service"}
ADMINISTRATORS = {"acceptance_rule_put"}
READ_BY_ALL = {"acceptance_rule"}
WORLD = """
INSERT INTO inspection (plan_region, case_id, number, case_version, inspected_at, account_id, result)
SELECT plan_region, id, 1, 1, now(), 1, 'pass' FROM retrofit_case ORDER BY id LIMIT 1;
INSERT INTO inspection_item (plan_region, case_id, inspection, item, name, kind, unit, quantity, measured)
SELECT plan_region, case_id, 1, 900, 'a', 'retrofit', 'a', 1, 1 FROM inspection;
INSERT INTO follow_up (plan_region, case_id, acceptance, number, plan_id, region, due_on)
SELECT plan_region, id, 1, 1, plan_id, region, '2023-07-01' FROM retrofit_case ORDER BY id LIMIT 1;
"""
