# SPDX-License-Identifier: Apache-2.0
PAIR = 6403240000000900
STATEMENTS = {
    "births_wanted": (lambda w: [10], ()),
    "births_store": (lambda w: [f"{{{w['person']}}}", "{19600101}"], ()),
    "duplicates_scan": (lambda w: [10], ()),
    "duplicates_list": (lambda w: ["tongxin", None, None, None, None, 200], ()),
    "duplicate_get": (lambda w: [PAIR], ()),
    "duplicate_resolve": (lambda w: [None, None, PAIR, None, "not_duplicate", None, None], ()),
    "duplicate_undo": (lambda w: [None, None, PAIR + 1, None, None], ()),
    "person_get": (lambda w: [w["person"]], ()),
}
# One that is open, one that was judged, one that was merged (nothing was moved); and somebody who is still to be compared, whose
# birth is not known.
WORLD = f"""
INSERT INTO duplicate (plan_region, id, low, high, low_region, high_region, score, parts, state)
SELECT 640324000, {PAIR} + n, p.ids[1 + n / 2], p.ids[2 + n - n / 2], 640324101, 640324101, 70, '[]', (ARRAY['open', 'not_duplicate', 'merged'])[n + 1]
FROM generate_series(0, 2) AS n, (SELECT array_agg(id ORDER BY id) AS ids FROM person) AS p;
INSERT INTO duplicate_merge (plan_region, duplicate_id, number, kept_person, kept_household, record, note, merged_by)
SELECT plan_region, id, 1, low, (SELECT min(id) FROM household), '{{}}', '', 1 FROM duplicate WHERE state = 'merged';
UPDATE person SET born = NULL WHERE id = (SELECT max(id) FROM person);
INSERT INTO person_uncompared SELECT plan_region, min(id) FROM person GROUP BY 1 ON CONFLICT DO NOTHING;
"""
