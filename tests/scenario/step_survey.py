# SPDX-License-Identifier: Apache-2.0
"""The survey of a home, through the API: what was found, the household's word, photos, two signatures, the move."""
import step_photos
from stages import DAYS, move

PLACE = {"longitude": 105.9, "latitude": 36.9}
FINDINGS = [
    {"number": 1, "room": "entrance", "problem": "entrance_steps", "measure": "ramp", "consent": "agreed", "consent_by": "户主"},
    {"number": 2, "room": "bathroom", "problem": "toilet_without_support", "measure": "toilet_grab_bar", "quantity": 2, "consent": "agreed"},
    {"number": 3, "room": "kitchen", "problem": "worktop_too_high", "measure": "low_worktop", "consent": "declined", "note": "不需要"}]


def document(findings=None, devices=(), visited_at=DAYS["surveyed"], **more):
    return {"visited_at": visited_at, **PLACE, "findings": FINDINGS if findings is None else findings, "device_needs": list(devices),
            "remark": "", **more}


def save(client, case, body, **options):
    """PUT, with the If-Match of the version that is there unless `match` is given; the answer."""
    if "match" not in options:
        seen = client.request("GET", f"/cases/{case}/survey", expect=None if has_survey(client, case) else 404)
        options["match"] = seen.etag
    return client.put(f"/cases/{case}/survey", body, **options)


def has_survey(client, case):
    return bool(client.get(f"/cases/{case}/survey/versions", query={"limit": 1}).items)


def sign(client, case, by, signature, match=None, **more):
    """signature: the id of a photo of one. more: fields, and what Client.post takes; 201 unless said otherwise."""
    options = {"expect": 201, **{name: more.pop(name) for name in ("expect", "code", "key") if name in more}}
    body = {"by": by, "name": "马文" if by == "household" else "李评", "signature": signature, **more}
    return client.post(f"/cases/{case}/survey/signatures", body, match=match or client.get(f"/cases/{case}/survey").etag, **options)


def do(team, case, findings=None, devices=(), at=DAYS["surveyed"]):
    """Afterwards the case, which was approved, is surveyed: by the team's assessor, all that was agreed to photographed, signed by
    both. findings, else FINDINGS; devices: [{person, item}]."""
    team.give_visit(case)
    saved = save(team.assessor, case, document(findings, devices, at))
    for finding in saved["findings"]:
        if finding["consent"] == "agreed":
            step_photos.do(team, case, "before", finding=finding["number"])
    for by, photo in zip(("household", "assessor"), step_photos.do(team, case, "signature", (None, None))):
        sign(team.assessor, case, by, photo, match=saved.etag, signed_at=at)
    move(team.assessor, case, "surveyed", at)
    return case
