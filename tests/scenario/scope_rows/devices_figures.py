# SPDX-License-Identifier: Apache-2.0
RATE = {"target", "direction", "as_of", "in_period", "exact", "plan", "region", "name"}
PLAN = {"code", "name_zh", "name_ko", "name_en", "unit", "per", "counts", "measure", "direction", "binding", "target", "remaining", "since", "until", "opening"}
STATEMENTS = {
    "device_rate": (lambda w: ["tongxin", None, None], RATE),
    "device_rate_by_county": (lambda w: ["tongxin", None, None], RATE),
    "device_needing": (lambda w: ["tongxin", None, "needing", None, None, 200], ()),
    "device_people": (lambda w: ["tongxin", None, "rented", None, None, 200], ()),
    "device_services": (lambda w: ["tongxin", None, None], {"service", "year"}),
    "device_served": (lambda w: ["tongxin", None, None, "all", None, 200], ()),
    "device_pieces": (lambda w: ["tongxin", None, None, None, None, 200], ()),
    "indicators_progress": (lambda w: ["tongxin", None, None], PLAN),
    "device_use": (lambda w: [None, None, None, None, "model", None, 200], ()),
    "device_states": (lambda w: [None, None, None, None], ()),
    "device_waits": (lambda w: [None, None, None, None, None, None, None, 200], ()),
    "verify_device_figures": (lambda w: [], ()),
}
EXCEPTED = {"device_fold": "moves deltas of all regions into figures, which changes none; tells only how many"}
READ_BY_ALL = {"indicator_meaning"}
WORLD = """
INSERT INTO need_standing SELECT plan_region, id, china_date(created_at), true FROM need WHERE kind = 'device' ORDER BY id LIMIT 1;
INSERT INTO household_move SELECT plan_region, id, '2020-01-01', region, region FROM household ORDER BY id LIMIT 1;
SELECT device_fold(1000000);
INSERT INTO device_delta (plan_region, measure, region, day, n) VALUES (640324000, 'needing', 640324101, '2020-01-01', 0);
"""
