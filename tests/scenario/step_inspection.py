# SPDX-License-Identifier: Apache-2.0
"""The inspection of a case that is built, through the API."""
import datetime

import step_photos

TAKEN = object()  # a signature is taken on the spot


def day_after(time, days):
    return str(datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).date() + datetime.timedelta(days=days))


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def do(team, case, *, by=None, signature=TAKEN, satisfaction=5, faults=None, measured=None, inspected_at=None, days=14, **more):
    """What the county's assessor finds (or `by`): every item is there as it was designed, or as `measured` {number: quantity} says.
    faults {number: text} make it a rework, to be done within so many days. signature: the id of a photo of one, or None.
    more: expect=, code=, key=, match=, note=. The answer."""
    client, inspected_at, faults, measured = by or team.assessor, inspected_at or now(), faults or {}, measured or {}
    options = {name: more.pop(name) for name in ("expect", "code", "key", "match") if name in more}
    if signature is TAKEN:
        signature = None if faults else step_photos.do(team, case, "signature", by=client)[0]
    body = {"inspected_at": inspected_at, "satisfaction": satisfaction, "signature": signature,
            "result": "rework" if faults else "pass", "deadline": day_after(inspected_at, days) if faults else None,
            "items": [{"item": item["number"], "measured": measured.get(item["number"], item["quantity"]), "fault": faults.get(item["number"], "")}
                      for item in client.get(f"/cases/{case}/design")["items"]]}
    return client.post(f"/cases/{case}/inspections", {**body, **more}, **options)
