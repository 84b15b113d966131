# SPDX-License-Identifier: Apache-2.0
"""What somebody needs, from the need to what he is given, as a centre does it, or an office for one (centre=…).

    people = step_request.bring(manager, 3)                 # registered, each in need of a manual wheelchair: Needy(person, citizen, row)
    request = step_request.open_request(office, person=…, measure="manual_wheelchair", centre=centre.centre)   # its id
    step_request.assess(centre, request)                    # passed, for a fitting; or "rental"
    fitting = step_request.fit(centre, request, item)       # the answer; item: its code or id
"""
import collections

import needs

Needy = collections.namedtuple("Needy", "person citizen row")


def bring(manager, count=1, device="手动轮椅", plan="tongxin", **columns):
    """So many people, each of a household of his own, registered by a needs file that says what device they need."""
    rows = [needs.row(plan, **{"辅具需求": device, "改造需求": "", **columns}) for _ in range(count)]
    done = manager.import_file(plan, needs.to_csv(rows))
    assert done["accepted"] == count, done
    return [Needy(find(manager, row["残疾人证号"][:18]), row["残疾人证号"][:18], row) for row in rows]


def find(client, citizen):
    """The id of who has that citizen ID."""
    (hit,) = client.post("/persons/find", {"citizen_id": citizen}).items
    return hit["id"]


def open_request(client, person=None, measure="manual_wheelchair", **more):
    """more: need, centre, note. Its id."""
    return client.post("/device-requests", {"person": person, "measure": measure, **more}, expect=201)["id"]


def measurements(client, request, measure=None):
    """What the kind's list requires, each in the middle of what can be."""
    wanted = client.get(f"/device-requests/{request}")["to_measure"]
    return [{"code": one["code"], "value": (one["min"] + one["max"]) / 2} for one in wanted if one["required"]]


def assess(client, request, purpose="fitting", outcome="pass", **more):
    """The answer: the request as it is then. more: fields of the assessment, or what Client.post takes."""
    options = {name: more.pop(name) for name in ("expect", "code", "key", "match") if name in more}
    body = {"outcome": outcome, **more}
    if outcome != "reassess":
        body = {"assessed_for": purpose, "measurements": measurements(client, request), **body}
    return client.post(f"/device-requests/{request}/assessment", body, **options)


def fit(client, request, item, **more):
    """The answer. more: happened_at, signature, signer, note, or what Client.post takes."""
    options = {"expect": 201, **{name: more.pop(name) for name in ("expect", "code", "key") if name in more}}
    return client.post("/fittings", {"request": request, "item": item, **more}, **options)


def granted(client, office, needy, item, measure="manual_wheelchair"):
    """All of it in one go: the fitting of `item` to somebody. client: the centre's."""
    request = open_request(office, needy.person, measure, centre=client.centre)
    assess(client, request)
    return fit(client, request, item)


def walk_in(client, citizen=None, measure="manual_wheelchair", **more):
    """The answer: the request, and whether he was registered by it. more: certificate, and of who is not registered name, category, level,
    region, address; or what Client.post takes."""
    options = {"expect": 201, **{name: more.pop(name) for name in ("expect", "code", "key") if name in more}}
    known = {"citizen_id": citizen} if citizen else {}
    return client.post("/walk-ins", {**known, "measure": measure, **more}, **options)


def try_out(client, request, item, due_at="2099-01-01T00:00:00Z", **more):
    """Out on trial; the answer."""
    options = {"expect": 201, **{name: more.pop(name) for name in ("expect", "code", "key") if name in more}}
    return client.post("/trials", {"request": request, "item": item, "due_at": due_at, **more}, **options)
