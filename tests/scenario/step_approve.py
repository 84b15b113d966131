# SPDX-License-Identifier: Apache-2.0
"""Approval and public notice (公示), on the days of `stages`: approved on 2023-03-01, surveyed on 2023-04-01."""
from stages import DAYS, move

# By plan.notice_before: with the registration of needs.row (2022-03-01) a notice of up to 30 days is over in time.
POSTED_ON = {"surveyed": "2023-03-02", "approved": "2022-12-01"}


def publish(client, case, starts_on, days=None, **options):
    """Posts a notice of this case alone; its answer. options: what Client.post takes."""
    seen = client.get(f"/cases/{case}").json
    body = {"region": seen["region"], "cases": [{"case": case}], "starts_on": starts_on}
    if days:
        body["days"] = days
    return client.post(f"/plans/{seen['plan']}/notices", body, **{"expect": 201, **options})


def do(team, case, approved_at=DAYS["approved"], starts_on=None, days=None, note=None):
    """Afterwards the case is approved and its notice over; in the order that its plan wants. A note makes it a manager's exception."""
    plan = team.county.get(f"/plans/{team.county.get(f'/cases/{case}')['plan']}").json
    notice = {"starts_on": starts_on or POSTED_ON[plan["notice_before"]], "days": days or max(plan["notice_days"], 1)}
    if plan["notice_before"] == "approved":
        publish(team.county, case, **notice)
    move(team.manager if note else team.county, case, "approved", approved_at, **({"note": note} if note else {}))
    if plan["notice_before"] == "surveyed":
        publish(team.county, case, **notice)
    return case
