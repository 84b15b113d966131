# SPDX-License-Identifier: Apache-2.0
"""The bytes of photos: sent whole and in pieces, refused for every reason there is, seen by whom they are for."""
import base64
import hashlib
import http.client
import uuid

import pictures
import pytest
import step_photos
from stages import bring_in, move, walk
from team import Team


@pytest.fixture(scope="module")
def team(server, admin_session):
    from harness import People
    people = People(admin_session)
    yield Team(people)
    for client in people.made:
        client.close()


@pytest.fixture
def case(team):
    """A case that is being built by the team's contractor, and the assessor's."""
    (case,) = bring_in(team.manager)
    team.give_visit(case)
    return walk(team.manager, case, "building", contractor=team.firm)


def photos(client, case, **query):
    return list(client.pages(f"/cases/{case}/photos", **query))


def test_a_photo_is_sent_listed_and_shown(team, case):
    sent = step_photos.send(team.contractor, case, "during", pictures.jpeg(640, 400), note="墙面")
    assert sent["complete"] and (sent["width"], sent["height"]) == (640, 400) and sent["slot"] == "during"
    (listed,) = photos(team.county, case)
    assert listed["id"] == sent["id"] and listed["kind"] == "jpeg" and listed["note"] == "墙面" and not listed["place_known"]
    shown = team.county.get(f"/photos/{sent['id']}")
    assert shown.headers["Content-Type"] == "image/jpeg" and shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Cache-Control"] == "private, max-age=3600"
    assert pictures.jpeg_size(shown.body)[:2] == (640, 400)
    thumb = team.county.get(f"/photos/{sent['id']}/thumb")
    assert pictures.jpeg_size(thumb.body)[:2] == (320, 200)
    for answer, path in ((shown, ""), (thumb, "/thumb")):
        assert team.county.get(f"/photos/{sent['id']}{path}", headers={"If-None-Match": answer.etag}, expect=304).body == b""
    assert shown.etag != thumb.etag
