# SPDX-License-Identifier: Apache-2.0
"""The loop, as a centre goes it with a scanner. `item` is an item as answered, its label's code, or its id.

    step_loop.give_back(client, item)                    # returned, from whomever it was with
    step_loop.disinfect(client, [item, …])               # disinfected in one request
    step_loop.inspect(client, item, grade="A")           # into stock; result="repair" | "recycle" for the rest
    step_loop.clean(client, item)                        # the last two: from returned into stock
    step_loop.repair(client, item); step_loop.mend(client, repair)
    step_loop.recycle(client, item)
"""
from datetime import datetime, timedelta, timezone


def label(item):
    return str(item["code"] if isinstance(item, dict) else item)


def minutes_ago(minutes=0):
    return (datetime.now(timezone.utc) - timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def within_a_day(minutes):
    """So many minutes of today in China: till now, or, when the day is younger than that, from now (the server bears 5 minutes)."""
    begun_today = (datetime.now(timezone.utc) + timedelta(hours=8) - timedelta(minutes=minutes)).date() == (
        datetime.now(timezone.utc) + timedelta(hours=8)).date()
    return (minutes_ago(minutes), minutes_ago()) if begun_today else (minutes_ago(), minutes_ago(-minutes))


def give_back(client, item, condition="good", **fields):
    options = {name: fields.pop(name) for name in ("expect", "code", "key") if name in fields}
    return client.post("/device-returns", {"item": label(item), "condition": condition, **fields}, **{"expect": 201, **options})


def scans(items):
    return [{"item": label(item)} for item in items]


def disinfect(client, items, method="wipe", agent="alcohol_75", **fields):
    """Done: the items wait for inspection. Unless times are given, it took the 3 minutes that wiping with alcohol must."""
    options = {name: fields.pop(name) for name in ("expect", "code", "key") if name in fields}
    body = {"items": scans(items), "method": method, "agent": agent, **fields}
    if "began_at" not in body and "ended_at" not in body:
        body["began_at"], body["ended_at"] = within_a_day(3)
    return client.post("/device-disinfections", body, **{"expect": 201, **options})


def inspect(client, item, result="pass", grade="B", **fields):
    options = {name: fields.pop(name) for name in ("expect", "code", "key") if name in fields}
    body = {"item": label(item), "result": result, "grade": grade, "all_ok": True, **fields}
    if result != "pass":
        body.setdefault("note", "刹车失灵")
    return client.post("/device-inspections", body, **{"expect": 201, **options})


def clean(client, item, grade="B"):
    disinfect(client, [item])
    return inspect(client, item, grade=grade)


def repair(client, item, fault="轮胎破", **fields):
    options = {name: fields.pop(name) for name in ("expect", "code", "key") if name in fields}
    return client.post("/device-repairs", {"item": label(item), "fault": fault, **fields}, **{"expect": 201, **options})


def mend(client, repair, outcome="mended", **fields):
    """Ends a repair (its id, or as answered)."""
    options = {name: fields.pop(name) for name in ("expect", "code", "key", "match") if name in fields}
    number = repair if isinstance(repair, int) else repair["id"]
    return client.post(f"/device-repairs/{number}/end", {"outcome": outcome, **fields}, **options)


def recycle(client, item, reason="beyond_repair", **fields):
    options = {name: fields.pop(name) for name in ("expect", "code", "key") if name in fields}
    return client.post("/device-recyclings", {"item": label(item), "reason": reason, **fields}, **{"expect": 201, **options})
