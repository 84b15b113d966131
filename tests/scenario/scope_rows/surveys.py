# SPDX-License-Identifier: Apache-2.0
"""The catalogue and the surveys (scope_rows/__init__.py says what is what)."""

EXCEPTED = {
    "load_catalogue": "run by tantu_owner in `tantu migrate`", "rooms_list": "names of rooms", "measures_list": "the catalogue is no secret",
    "measure_get": "the catalogue is no secret", "problems_list": "the catalogue is no secret", "problem_get": "the catalogue is no secret",
}
CATALOGUE = {"code", "kind", "name_zh", "name_ko", "name_en", "unit", "rooms", "need_items", "measures", "version"}
STATEMENTS = {
    "measure_create": (lambda w: [None, None, "thief", "retrofit", "a", None, None, "a", None, None, None, None], ()),
    "measure_change": (lambda w: [None, None, "ramp", None, "a", None, None, None, None, None, None, "[]", None, None], CATALOGUE),
    "problem_create": (lambda w: [None, None, "thief", "a", None, None, None, '["ramp"]'], ()),
    "problem_change": (lambda w: [None, None, "entrance_steps", None, "a", None, None, None, "[]", None], CATALOGUE),
}
STATEMENTS |= {
    "survey_get": (lambda w: [w["case"]], ()),
    "survey_versions": (lambda w: [w["case"], None, 200], ()),
    "survey_put": (lambda w: [None, None, w["case"], 1, None, None, None, '[]', '[]', "thief"], ()),
    "survey_signature_add": (lambda w: [None, None, w["case"], 1, "household", "a", None, 1, None], ()),
}
ADMINISTRATORS = {"measure_create", "measure_change", "problem_create", "problem_change"}
PUBLIC_TABLES = {"room": "names of rooms"}
READ_BY_ALL = {"problem", "problem_measure", "measure_need"}

# A survey of the first case, in every table of it (the case need not be one that may be surveyed).
WORLD = """
INSERT INTO survey SELECT plan_region, id, now(), 105.9, 36.9, 'a', 1, now(), 1 FROM retrofit_case ORDER BY id LIMIT 1;
INSERT INTO survey_version SELECT plan_region, case_id, 1, '{"remark": "a"}', 1 FROM survey;
INSERT INTO survey_finding SELECT plan_region, case_id, 1, 'bathroom', 'squat_toilet', 'toilet', 1, NULL, 'agreed', 'a', 'a' FROM survey;
INSERT INTO survey_device SELECT s.plan_region, s.case_id, n.id, 'hearing_aid' FROM survey s JOIN retrofit_case c ON c.id = s.case_id
    JOIN person n ON n.household_id = c.household_id;
INSERT INTO survey_need SELECT s.plan_region, s.case_id, d.id FROM survey s JOIN retrofit_case c ON c.id = s.case_id
    JOIN need d ON d.household_id = c.household_id WHERE d.kind = 'device';
INSERT INTO case_photo (plan_region, id, case_id, slot, photo, taken_at, account_id)
SELECT plan_region, id_in(plan_region, 'case_photo_number'), case_id, 'signature', (SELECT hash FROM photo ORDER BY hash LIMIT 1), now(), 1 FROM survey;
INSERT INTO survey_signature SELECT s.plan_region, s.case_id, 1, 'household', 'a', 'a', p.id, now(), 1
FROM survey s JOIN case_photo p ON p.case_id = s.case_id AND p.slot = 'signature';
"""
