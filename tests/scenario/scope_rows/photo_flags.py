# SPDX-License-Identifier: Apache-2.0
"""Photos that look alike (scope_rows/__init__.py says what is what)."""

STATEMENTS = {
    "photo_flags_list": (lambda w: ["tongxin", None, None, None, "10"], ()),
    "photo_flag_get": (lambda w: ["1"], ()),
    "photo_flag_resolve": (lambda w: [None, None, "1", None, "explained", "a"], ()),
    "photo_compare": (lambda w: ["6403240000000001"], ()),
}
# Of the photo that test_scope.py gives the first case; the second case has the same one, and they are flagged.
WORLD = """
INSERT INTO case_photo (plan_region, id, case_id, slot, photo, taken_at, account_id)
SELECT plan_region, id_in(plan_region, 'case_photo_number'), id, 'before', decode(repeat('ef', 32), 'hex'), now(), 1
FROM retrofit_case ORDER BY id OFFSET 1 LIMIT 1;
INSERT INTO photo_flag (first_use, second_use, distance, same_bytes)
SELECT min(id), max(id), 0, true FROM case_photo WHERE photo = decode(repeat('ef', 32), 'hex');
INSERT INTO photo_flag_side (flag_id, plan_region, photo_use, case_id)
SELECT f.id, u.plan_region, u.id, u.case_id FROM photo_flag f JOIN case_photo u ON u.id IN (f.first_use, f.second_use);
"""
