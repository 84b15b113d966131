# SPDX-License-Identifier: Apache-2.0
STATEMENTS = {
    "device_follow_up_scan": (lambda w: [], ()),
    "device_follow_ups_list": (lambda w: ["tongxin", None, None, None, None, 200], ()),
    "device_follow_ups_of_centre": (lambda w: [None, None, None, None, None, 200, "centre"], ()),
    "device_follow_ups_of_handover": (lambda w: [w["case"] // 10**10 * 10**10 + 1], ()),
    "device_follow_up_get": (lambda w: [w["case"] // 10**10 * 10**10 + 1], ()),
    "device_follow_up_end": (lambda w: [None, None, w["case"] // 10**10 * 10**10 + 1, None, "2026-01-01T02:00:00Z", "not_used", None, None], ()),
    "device_follow_up_take_back": (lambda w: [None, None, w["case"] // 10**10 * 10**10 + 1, None], ()),
    "device_follow_up_rule_put": (lambda w: [None, None, "tongxin", None, "[]", None], {"plan", "follow_ups", "questions", "version"}),
}
EXCEPTED = {"device_follow_up_rule_get": "rules of plans are no secret within the service"}
ADMINISTRATORS = {"device_follow_up_rule_put"}
READ_BY_ALL = {"device_follow_up_rule", "device_question_set"}
# (The hand-over in the core's rows has made them.)
WORLD = "UPDATE device_follow_up SET state = 'open', due_on = '2024-01-01';"
