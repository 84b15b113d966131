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
ADMINISTRATORS = {"measure_create", "measure_change", "problem_create", "problem_change"}
PUBLIC_TABLES = {"room": "names of rooms"}
READ_BY_ALL = {"problem", "problem_measure", "measure_need"}
