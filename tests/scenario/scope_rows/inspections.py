# SPDX-License-Identifier: Apache-2.0
STATEMENTS = {
    "inspection_create": (lambda w: [None, None, w["case"], None, "2023-05-25T02:00:00Z", "[]", None, None, "pass", None, None], ()),
    "inspections_of_case": (lambda w: [w["case"], None, 200], ()),
}
PUBLIC_TABLES = {"acceptance_rule": "rules"}
WORLD = """
INSERT INTO inspection (plan_region, case_id, number, case_version, inspected_at, account_id, result)
SELECT plan_region, id, 1, 1, now(), 1, 'pass' FROM retrofit_case ORDER BY id LIMIT 1;
INSERT INTO inspection_item (plan_region, case_id, inspection, item, measured) SELECT plan_region, case_id, 1, 900, 1 FROM inspection;
"""
