# SPDX-License-Identifier: Apache-2.0
"""The design: every agreed finding answered by an item (or one item, when there is no survey), paid by the plan's sources."""

MEASURE = "step_design_rail"


def measure(admin, code=MEASURE, **fields):
    """A measure of the catalogue, made once; its code."""
    have = {one["code"] for one in admin.pages("/measures", limit=200)}
    if code not in have:
        admin.post("/measures", {"code": code, "kind": "retrofit", "name_zh": "扶手", "unit": "件", "price": 20000, **fields}, expect=201)
    return code


def source(manager, plan, code="province", **fields):
    """A source of subsidies, made once; its code."""
    have = {one["code"] for one in manager.pages(f"/plans/{plan}/subsidy-sources", limit=200)}
    if code not in have:
        manager.post(f"/plans/{plan}/subsidy-sources", {"code": code, "name_zh": "省级补助", **fields}, expect=201)
    return code


def do(team, case, *, items=None, sources=None, dropped=None, by=None, move=True):
    """Writes the design and decides it. items and sources: as PUT /cases/{id}/design takes them. The design."""
    who = by or team.county
    if items is None:
        items = [{"room": "bathroom", "measure": measure(team.admin), "quantity": 2, "price": 15050}]
    body = {"items": items, "sources": sources or [], "dropped": dropped or []}
    etag = who.get(f"/cases/{case}/design").etag
    design = who.put(f"/cases/{case}/design", body, match=etag)
    if move:
        who.move(case, "designed")
    return design
