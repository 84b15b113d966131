# SPDX-License-Identifier: Apache-2.0
"""The bytes of photos: sent whole and in pieces, refused for every reason there is, seen by whom they are for."""
import base64
import hashlib
import http.client
import uuid

import pictures
import pytest
import step_photos
import step_survey
from processes import wait_until
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


def digest(data):
    return "sha-256=:" + base64.b64encode(hashlib.sha256(data).digest()).decode() + ":"


def piece(client, case, name, data, start, end, slot="during", **options):
    headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}", "Repr-Digest": digest(data)}
    return client.put(f"/cases/{case}/photos/{name}", data[start:end], query={"slot": slot}, headers=headers, **options)


def test_a_photo_in_pieces(team, case, database):
    name, data = str(uuid.uuid4()), pictures.png(300, 200)
    where = f"/cases/{case}/photos/{name}"
    assert team.contractor.get(where)["kept"] == 0
    third = len(data) // 3
    first = piece(team.contractor, case, name, data, 0, third)
    assert (first["complete"], first["kept"], first.headers["Upload-Offset"]) == (False, third, str(third))
    # A piece that does not go on there is refused and changes nothing; the answer says where to go on.
    wrong = piece(team.contractor, case, name, data, third + 1, len(data), expect=409, code="photo_offset_wrong")
    assert wrong.headers["Upload-Offset"] == str(third)
    piece(team.contractor, case, name, data, 0, third, expect=409, code="photo_offset_wrong")
    assert team.contractor.request("HEAD", where).headers["Upload-Offset"] == str(third)
    assert team.county.get(where)["kept"] == 0, "what somebody else is sending"
    asked = team.contractor.put(where, None, query={"slot": "during"}, headers={"Content-Range": f"bytes */{len(data)}"})
    assert (asked["complete"], asked["kept"]) == (False, third)
    assert not photos(team.county, case)
    last = piece(team.contractor, case, name, data, third, len(data))
    assert last["complete"] and last["kept"] == len(data) and last.headers["Upload-Offset"] == str(len(data))
    found = team.county.get(where)
    assert found.json == last.json and found.headers["Upload-Offset"] == str(len(data))
    assert [photo["id"] for photo in photos(team.county, case)] == [last["id"]]
    # Who missed that answer has it when he goes on, whatever has become of the case; who sends something else does not.
    assert piece(team.contractor, case, name, data, third, len(data)).json == last.json
    asked = team.contractor.put(where, None, query={"slot": "during"}, headers={"Content-Range": f"bytes */{len(data)}"})
    assert asked.json == last.json and asked.headers["Upload-Offset"] == str(len(data))
    piece(team.contractor, case, name, data + b"x", third, len(data), expect=409, code="photo_sent_otherwise")
    assert piece(team.contractor, case, name, data, 0, len(data)).json == last.json
    assert not list((database.var / "photos" / "parts").glob(f"*/*{name}")), "nothing of it is on its way"


def hang_up(client, case, name, data, sent, total=None, slot="during"):
    """Sends so much of the body and goes away."""
    connection = http.client.HTTPConnection(client.server.address, timeout=20)
    connection.putrequest("PUT", f"/api/v1/cases/{case}/photos/{name}?slot={slot}")
    connection.putheader("Authorization", f"Bearer {client.token}")
    connection.putheader("Content-Length", str(total or len(data)))
    connection.endheaders()
    connection.send(data[:sent])
    return connection


def test_what_came_before_the_line_broke_is_kept(team, case, database):
    name, data = str(uuid.uuid4()), pictures.png(400, 300)
    sent = len(data) * 2 // 3
    line = hang_up(team.contractor, case, name, data, sent)
    where = f"/cases/{case}/photos/{name}"
    # While it comes nobody else may send it. (It comes when its part is there.)
    wait_until(lambda: list((database.var / "photos" / "parts").glob(f"*/{case}.{name}*")), 20)
    piece(team.contractor.clone(), case, name, data, 0, 10, expect=409, code="request_in_progress")
    line.close()
    kept = wait_until(lambda: team.contractor.get(where)["kept"], 20)
    assert kept == sent
    wait_until(lambda: piece_or_busy(team.contractor, case, name, data, kept), 20)
    assert team.contractor.get(where)["complete"]
    # Sent as a whole it begins anew.
    other = str(uuid.uuid4())
    hang_up(team.contractor, case, other, data, sent).close()
    wait_until(lambda: team.contractor.get(f"/cases/{case}/photos/{other}")["kept"] == sent, 20)
    assert step_photos.send(team.contractor, case, "during", data, other)["complete"]


def piece_or_busy(client, case, name, data, kept):
    """The server may not have seen yet that the line broke."""
    headers = {"Content-Range": f"bytes {kept}-{len(data) - 1}/{len(data)}"}
    answer = client._send("PUT", f"/api/v1/cases/{case}/photos/{name}?slot=during", data[kept:],
                          {"Authorization": f"Bearer {client.token}", **headers}, 20)
    assert answer.status == 200 or answer["code"] == "request_in_progress", answer
    return answer.status == 200


def test_the_same_uuid_is_the_same_photo(team, case):
    name, data = str(uuid.uuid4()), pictures.jpeg()
    first = step_photos.send(team.contractor, case, "during", data, name)
    again = step_photos.send(team.contractor, case, "during", data, name.upper())
    assert again.json == first.json
    keyed = step_photos.send(team.contractor, case, "during", data, name, key="a-key-of-photos")
    assert step_photos.send(team.contractor, case, "during", data, name, key="a-key-of-photos").json == keyed.json == first.json
    step_photos.send(team.contractor, case, "during", pictures.jpeg(), name, key="a-key-of-photos", expect=422, code="idempotency_key_reused")
    step_photos.send(team.contractor, case, "during", pictures.jpeg(), name, expect=409, code="photo_sent_otherwise")
    step_photos.send(team.contractor, case, "after", data, name, expect=409, code="photo_sent_otherwise")
    # Whatever has become of the case, and of the photo.
    move(team.manager, case, "built", "2023-05-20T02:00:00Z")
    move(team.manager, case, "accepted", "2023-06-01T02:00:00Z")
    assert step_photos.send(team.contractor, case, "during", data, name).json == first.json
    assert len(photos(team.county, case)) == 1


def test_one_file_for_all_who_use_it(team, case, database):
    (other,) = bring_in(team.manager)
    data = pictures.png(200, 100)
    before = set((database.var / "photos").glob("*/*.photo"))
    first = step_photos.send(team.manager, case, "before", data)
    second = step_photos.send(team.manager, other, "before", data)
    (file,) = set((database.var / "photos").glob("*/*.photo")) - before
    assert first["id"] != second["id"]
    assert data[:100] not in file.read_bytes() and file.stat().st_mode & 0o077 == 0, "sealed"
    assert team.county.get(f"/photos/{first['id']}").body == team.county.get(f"/photos/{second['id']}").body
    # What was made of it is made again, in the same way.
    for ending, path in ((".view", ""), (".thumb", "/thumb")):
        shown = team.county.get(f"/photos/{first['id']}{path}").body
        copy = file.with_suffix(ending)
        copy.unlink()
        assert team.county.get(f"/photos/{first['id']}{path}").body == shown and copy.exists()
        copy.write_bytes(copy.read_bytes()[:-1])
        assert team.county.get(f"/photos/{first['id']}{path}").body == shown
    # A broken original is said to be none.
    file.with_suffix(".view").unlink()
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    team.county.get(f"/photos/{first['id']}", expect=503, code="storage_unavailable")
    file.write_bytes(whole)
    team.county.get(f"/photos/{first['id']}")


def test_what_the_camera_said_stays_here(team, case):
    exif = pictures.exif("2023:05:02 09:30:00", longitude=106.25, latitude=37.5, orientation=6)
    sent = step_photos.send(team.contractor, case, "during", pictures.jpeg(640, 320, exif=exif), taken_at="2023-05-03T00:00:00Z")
    assert (sent["width"], sent["height"]) == (320, 640), "upright"
    assert sent["taken_at"] == "2023-05-02T01:30:00Z"
    body = team.county.get(f"/photos/{sent['id']}").body
    assert pictures.jpeg_size(body)[:2] == (320, 640)
    assert 0xE1 not in pictures.jpeg_size(body)[2] and b"Exif" not in body
    for client, sees in ((team.county, True), (team.manager, True), (team.assessor, True), (team.contractor, False)):
        (photo,) = photos(client, case)
        assert photo["place_known"] and photo["captured_at"] == "2023-05-02T09:30:00"
        assert (photo["longitude"], photo["latitude"]) == ((106.25, 37.5) if sees else (None, None))


@pytest.mark.parametrize("camera, client, day", [
    ("2023:02:31 09:30:00", "2023-05-03T00:00:00Z", "2023-05-03"), ("2093:05:02 09:30:00", "2023-05-03T00:00:00Z", "2023-05-03"),
    (None, "2023-05-03T00:00:00Z", "2023-05-03"), (None, "2093-05-03T00:00:00Z", None), (None, None, None)])
def test_when_it_was_taken(team, case, camera, client, day):
    sent = step_photos.send(team.contractor, case, "during", pictures.jpeg(exif=pictures.exif(camera)),
                            **({"taken_at": client} if client else {}))
    if day:
        assert sent["taken_at"].startswith(day)
    else:
        (photo,) = photos(team.county, case)
        assert sent["taken_at"] == photo["sent_at"]


BROKEN = pictures.png(60, 40, seed=1)
REFUSED = {
    "photo_kind": (422, b"GIF89a" + b"\0" * 100),
    "photo_heic": (415, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 100),
    "photo_truncated": (422, BROKEN[:-20]),
    "photo_malformed": (422, BROKEN[:60] + bytes([BROKEN[60] ^ 255]) + BROKEN[61:]),
    "photo_animated": (422, BROKEN[:33] + pictures._chunk(b"acTL", b"\0\0\0\2\0\0\0\0") + BROKEN[33:]),
    "photo_unsupported": (422, pictures.jpeg().replace(b"\xff\xc0", b"\xff\xc3", 1)),
    "photo_too_many_pixels": (422, pictures.png_header(10000, 10001)),
}


@pytest.mark.parametrize("code", REFUSED)
def test_a_photo_that_is_none_is_refused(team, case, database, code):
    status, data = REFUSED[code]
    name = str(uuid.uuid4())
    before = set((database.var / "photos").rglob("*"))
    step_photos.send(team.contractor, case, "during", data, name, expect=status, code=code)
    # Nothing of it stays, and the name is free.
    assert set((database.var / "photos").rglob("*")) - before <= {database.var / "photos" / "parts" / str(team.contractor.get("/session")["id"])}
    assert team.contractor.get(f"/cases/{case}/photos/{name}")["kept"] == 0
    assert step_photos.send(team.contractor, case, "during", None, name)["complete"]


def test_a_jpeg_that_breaks_off_in_its_pixels_is_refused(team, case):
    data = pictures.jpeg(400, 300)
    step_photos.send(team.contractor, case, "during", data[:-60], expect=422, code="photo_truncated")
    step_photos.send(team.contractor, case, "during", data[:-60] + b"\xff\xd9", expect=422, code="photo_malformed")
    # The type that is declared is not believed.
    where = f"/cases/{case}/photos/{uuid.uuid4()}"
    assert team.contractor.put(where, data, query={"slot": "during"}, headers={"Content-Type": "image/webp"})["complete"]
    sent = step_photos.send(team.contractor, case, "during", pictures.WEBP)
    assert [photo["kind"] for photo in photos(team.county, case)] == ["jpeg", "webp"] and (sent["width"], sent["height"]) == (24, 16)


def test_the_digest_is_of_all_the_bytes(team, case):
    name, data = str(uuid.uuid4()), pictures.png()
    where, query = f"/cases/{case}/photos/{name}", {"slot": "during"}
    for header in ("Repr-Digest", "Digest"):
        team.contractor.put(where, data, query=query, headers={header: digest(data + b"x")}, expect=422, code="photo_digest_wrong")
        team.contractor.put(where, data, query=query, headers={header: "sha-256=:abc:"}, expect=400, code="digest_invalid")
    assert team.contractor.get(where)["kept"] == 0
    old = "md5=Zm9v,sha-256=" + base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert team.contractor.put(where, data, query=query, headers={"Digest": old})["complete"]


@pytest.mark.parametrize("value", ["bytes 0-9/5", "bytes 5-4/10", "lines 0-9/10", "bytes 0-9/*", "bytes 0-8/10", "bytes 0-9/0", "0-9/10",
                                   "bytes */10", "bytes -9/10", "bytes 0-9/99999999999999999999999"])
def test_ranges_that_are_none(team, case, value):
    team.contractor.put(f"/cases/{case}/photos/{uuid.uuid4()}", b"0123456789", query={"slot": "during"}, headers={"Content-Range": value},
                        expect=400, code="content_range_invalid")


def chunked(*pieces):
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def test_what_cannot_be_asked(team, case):
    where, query = f"/cases/{case}/photos/{uuid.uuid4()}", {"slot": "during"}
    team.contractor.put(where, b"", query=query, expect=422, code="file_empty")
    team.contractor.put(where, b"x", query={"slot": "behind"}, expect=422, code="not_allowed")
    team.contractor.put(where, b"x", expect=422, code="required")
    team.contractor.put(f"/cases/{case}/photos/1", b"x", query=query, expect=422, code="not_a_uuid")
    team.contractor.get(f"/cases/{case}/photos/{str(uuid.uuid4())[:-1]}g", expect=422, code="not_a_uuid")
    team.contractor.put(f"/cases/x/photos/{uuid.uuid4()}", b"x", query=query, expect=404)
    team.contractor.put(f"/cases/99999999999999999999999/photos/{uuid.uuid4()}", b"x", query=query, expect=404)
    # More than the range says, though no length was declared.
    team.contractor.put(where, chunked(b"0123456789" * 20), query=query, expect=400, code="content_range_invalid",
                        headers={"Content-Range": "bytes 0-9/10", "Transfer-Encoding": "chunked"})
    assert team.contractor.get(where)["kept"] == 0


def test_slots_are_for_those_who_take_such_photos(team, case):
    for client, may in ((team.contractor, {"during", "after"}), (team.assessor, {"before", "inspection", "signature"}),
                        (team.county, {"before", "during", "after", "inspection", "signature"}),
                        (team.manager, {"before", "during", "after", "inspection", "signature"})):
        for slot in ("before", "during", "after", "inspection", "signature"):
            if slot in may:
                assert step_photos.send(client, case, slot)["slot"] == slot
            else:
                step_photos.send(client, case, slot, expect=403, code="photo_not_yours")
    step_photos.send(team.admin, case, "before", expect=403, code="role_not_allowed")
    assert len(photos(team.county, case)) == 15 and len(photos(team.county, case, slot="after", limit=2)) == 3


def test_a_photo_fits_the_stage_of_its_case(team):
    early, over, suspended = bring_in(team.manager, 3)
    for slot in ("during", "after", "inspection"):
        step_photos.send(team.manager, early, slot, expect=422, code="photo_too_early")
    for slot in ("before", "signature"):
        assert step_photos.send(team.manager, early, slot)["complete"]
    walk(team.manager, suspended, "suspended")
    step_photos.send(team.manager, suspended, "after", expect=422, code="photo_too_early")
    walk(team.manager, over, "accepted", contractor=team.firm)
    step_photos.send(team.contractor, over, "after", expect=409, code="photo_too_late")
    assert step_photos.send(team.manager, over, "inspection")["complete"], "of a visit later on"
    move(team.manager, over, "closed", "2023-06-10T02:00:00Z")
    step_photos.send(team.manager, over, "inspection", expect=409, code="photo_too_late")


def test_items_and_findings_must_be_there(team, case, database):
    database.sql("""INSERT INTO case_item (plan_region, case_id, number, room, measure, kind, name, unit, quantity, price)
        SELECT plan_region, id, 3, 'bathroom', (SELECT code FROM measure ORDER BY code LIMIT 1), 'retrofit', '扶手', '个', 1, 100
        FROM retrofit_case WHERE id = %s""", case)
    sent = step_photos.send(team.contractor, case, "after", item=3)
    assert sent["item"] == 3 and photos(team.county, case, item=3)[0]["id"] == sent["id"] and not photos(team.county, case, item=4)
    step_photos.send(team.contractor, case, "after", item=4, expect=422, code="photo_item_unknown")
    step_photos.send(team.manager, case, "signature", item=3, expect=422, code="photo_item_unknown")
    step_photos.send(team.manager, case, "before", finding=1, expect=422, code="photo_finding_unknown")
    step_photos.send(team.manager, case, "during", finding=1, expect=422, code="photo_finding_unknown")
    (surveyed,) = bring_in(team.manager)
    walk(team.manager, team.give_visit(surveyed), "approved")
    step_survey.save(team.assessor, surveyed, step_survey.document())
    assert step_photos.send(team.assessor, surveyed, "before", finding=2)["finding"] == 2
    step_photos.send(team.assessor, surveyed, "before", finding=4, expect=422, code="photo_finding_unknown")
    step_photos.send(team.manager, surveyed, "signature", finding=2, expect=422, code="photo_finding_unknown")


def test_nobody_begins_hundreds_and_ends_none(team, case, database):
    parts = database.var / "photos" / "parts" / str(team.contractor.get("/session")["id"])
    parts.mkdir(parents=True, exist_ok=True)
    begun = str(uuid.uuid4())
    data = pictures.png()
    piece(team.contractor, case, begun, data, 0, 10)
    left = [parts / f"1.{number}" for number in range(305)]
    for path in left:
        path.touch()
    try:
        step_photos.send(team.contractor, case, "during", expect=409, code="photos_on_their_way")
        assert piece(team.contractor, case, begun, data, 10, len(data))["complete"], "what was begun goes on"
    finally:
        for path in left:
            path.unlink()
    assert step_photos.send(team.contractor, case, "during")["complete"]


def test_a_photo_is_taken_off(team, case):
    first, second = (step_photos.send(team.contractor, case, "during") for _ in range(2))
    where, why = f"/cases/{case}/photos", {"note": "糊了"}
    of_county = step_photos.send(team.county, case, "during")["id"]
    team.contractor.delete(f"{where}/{of_county}", query=why, expect=403, code="photo_of_another")
    team.contractor.delete(f"{where}/{first['id']}", expect=422, code="required")
    assert team.contractor.delete(f"{where}/{first['id']}", query=why)["id"] == first["id"]
    team.contractor.delete(f"{where}/{first['id']}", query=why, expect=404)
    team.county.get(f"/photos/{first['id']}", expect=404)
    team.county.delete(f"{where}/{second['sent_as']}", query=why)
    assert [photo["id"] for photo in photos(team.county, case)] == [of_county]
    move(team.manager, case, "built", "2023-05-20T02:00:00Z")
    move(team.manager, case, "accepted", "2023-06-01T02:00:00Z")
    team.county.delete(f"{where}/{of_county}", query=why, expect=409, code="photo_too_late")


def test_photos_of_a_foreign_case_are_not_there(team, case, people):
    sent = step_photos.send(team.contractor, case, "during")
    others = [people.county("630106"), people.contractor("firm-of-nobody"), people.assessor("640324"), people.manager("630000")]
    for other in others:
        assert other.get(f"/cases/{case}/photos").items == []
        for path in ("", "/thumb"):
            other.get(f"/photos/{sent['id']}{path}", expect=404)
        other.get(f"/cases/{case}/photos/{sent['sent_as']}", expect=404)
        other.delete(f"/cases/{case}/photos/{sent['id']}", query={"note": "a"}, expect=404)
        step_photos.send(other, case, "after" if other.role == "contractor" else "before", expect=404)
        step_photos.send(other, case, "during" if other.role == "contractor" else "before", name=sent["sent_as"], expect=404)
    auditor = people.auditor("640324")
    assert auditor.get(f"/photos/{sent['id']}").body and photos(auditor, case)
    step_photos.send(auditor, case, "before", expect=403, code="role_not_allowed")


def test_limits_are_settings(team, case, make_server, client_of):
    server = make_server("serve", "--no-work", TANTU_PHOTOS_PER_CASE="2", TANTU_PHOTO_BYTES="1")
    contractor = team.contractor.clone(server)
    data = pictures.png()
    contractor.put(f"/cases/{case}/photos/{uuid.uuid4()}", b"x" * (2 ** 20 + 1), query={"slot": "during"}, expect=413, code="photo_too_large")
    contractor.put(f"/cases/{case}/photos/{uuid.uuid4()}", chunked(b"x" * 2 ** 20, b"x"), query={"slot": "during"}, expect=413,
                   code="photo_too_large", headers={"Transfer-Encoding": "chunked"})
    contractor.put(f"/cases/{case}/photos/{uuid.uuid4()}", b"x", query={"slot": "during"}, expect=413, code="photo_too_large",
                   headers={"Content-Range": f"bytes 0-0/{2 ** 20 + 1}"})
    first = step_photos.send(contractor, case, "during", data)
    step_photos.send(contractor, case, "during")
    step_photos.send(contractor, case, "during", expect=409, code="photos_too_many")
    contractor.delete(f"/cases/{case}/photos/{first['id']}", query={"note": "a"})
    assert step_photos.send(contractor, case, "during")["complete"]
