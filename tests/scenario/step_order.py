# SPDX-License-Identifier: Apache-2.0
"""The order: a designed case is given to the team's contractor, who accepts it."""


def do(team, case, answer="accept", by=None, **fields):
    """answer: accept, decline, or None: it is left open. fields: more of POST /orders, such as answer_by. The order."""
    given = team.county.post("/orders", {"contractor": team.firm, "cases": [{"id": case}], **fields})
    assert given["given"] == 1, given
    who = by or team.contractor
    if answer == "accept":
        return who.post(f"/cases/{case}/order/accept", {"note": "电话确认"})
    if answer == "decline":
        return who.post(f"/cases/{case}/order/decline", {"reason": "人手不足"})
    return team.county.get(f"/orders/{given['items'][0]['order']}")
