# SPDX-License-Identifier: Apache-2.0
STATEMENTS = {
    "cases_overdue": (lambda w: ["tongxin", None, None, None, None, 200], ()),
    "cases_ageing": (lambda w: ["tongxin", None], ()),
    "limits_put": (lambda w: [None, None, "tongxin", None, '[{"stage": "built", "days": 1}]', "[]", 1, "why"],
                   {"plan", "limits", "escalation", "version"}),
    "holiday_put": (lambda w: [None, None, "2048-01-01", False, "元旦", None, None], {"day"}),
    "holiday_remove": (lambda w: [None, None, "2026-01-01", None], {"day", "works", "name", "source", "version"}),
}
EXCEPTED = {
    "load_holidays": "run by tantu_owner in `tantu migrate`", "holidays_list": "days off are no secret",
    "limits_get": "rules of plans, no secret within the service",
}
ADMINISTRATORS = {"limits_put", "holiday_put", "holiday_remove"}
PUBLIC_TABLES = {"calendar": "days, counted"}
READ_BY_ALL = {"holiday", "time_rule", "limit_step", "stage_limit"}
