# SPDX-License-Identifier: Apache-2.0
import step_approve
from stages import bring_in, move

seen = {}


def fill(manager, admin, cases, people):
    """One notice with an objection to its only case."""
    move(manager, cases[3], "approved", "2023-03-01T02:00:00Z")
    seen["notice"] = step_approve.publish(manager, cases[3], "2023-03-02", 3)["id"]
    seen["listed"] = cases[3]
    manager.patch(f"/cases/{cases[3]}", {"done_as": cases[1]})
    poor = bring_in(manager, **{"经济状况": "一般"})[0]
    move(manager, poor, "approved", note="例外")
    seen["objection"] = manager.post(f"/notices/{seen['notice']}/objections", {"case": cases[3], "content": "a", "objector": "b"})["id"]


STATEMENTS = {
    "notice_publish": (lambda w: [None, None, "tongxin", "640324", 3, None, "2023-03-02"], ()),
    "notices_list": (lambda w: ["tongxin", None, None, None, 200], ()),
    "notice_get": (lambda w: [seen["notice"]], ()),
    "notice_cases": (lambda w: [seen["notice"], None, 200], ()),
    "notice_sheet": (lambda w: [seen["notice"]], ()),
    "notice_cancel": (lambda w: [None, None, seen["notice"], None, "why"], ()),
    "objection_add": (lambda w: [None, None, seen["notice"], seen["listed"], None, "a", None], ()),
    "objections_of_notice": (lambda w: [seen["notice"], None, 200], ()),
    "objections_of_case": (lambda w: [seen["listed"], None, 200], ()),
    "objection_get": (lambda w: [seen["listed"], seen["objection"]], ()),
    "objection_resolve": (lambda w: [None, None, seen["listed"], seen["objection"], None, "upheld", "why"], ()),
}

# What everybody may know of a plan's rule.
RULE = {"plan", "parts", "criteria", "settled", "changed_at", "changed_by", "version"}
STATEMENTS |= {
    "case_eligibility": (lambda w: [w["case"]], ()),
    "exceptions_list": (lambda w: ["tongxin", None, 200], ()),
    "priority_get": (lambda w: ["tongxin"], RULE),
    "priority_put": (lambda w: [None, None, "tongxin", None, '[{"code": "level_1", "points": 1}]'], RULE),
    "waiting_list": (lambda w: ["tongxin", None, "registered", None, 200], ()),
    "priority_of_case": (lambda w: [w["case"]], ()),
    "priority_compared": (lambda w: [w["case"], seen["listed"]], ()),
    "priority_settle": (lambda w: [10], ()),
    "priority_fill": (lambda w: [0], ()),
}
ADMINISTRATORS = {"priority_put"}
PUBLIC_TABLES = {"priority_criterion": "rules", "priority_default": "rules", "eligibility_criterion": "rules"}
READ_BY_ALL = {"priority_rule", "priority_part"}
VIEWS = ["priority_fact", "priority_point", "priority_score"]
