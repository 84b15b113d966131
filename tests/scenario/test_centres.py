# SPDX-License-Identifier: Apache-2.0
"""Centres: where they are and whose people they serve, who says so, and that their place stays once it is written elsewhere."""
import itertools
import json
import threading

import psycopg2
import pytest
import step_centre
from conftest import People
from processes import ROOT, wait_until

NAUGHTY = ROOT.parent / "shared" / "data" / "json" / "naughty-strings.json"
numbers = itertools.count(1)


@pytest.fixture(scope="module")
def office(server, admin_session):
    people = People(admin_session)
    yield {"people": people, "admin": admin_session, "county": people.county("640324"), "manager": people.manager("640324"),
           "elsewhere": people.county("630105"), "other_plan": people.manager("630000"), "auditor": people.auditor("640324")}
    for client in people.made:
        client.close()


def code():
    return f"centre-{next(numbers)}"


def test_an_office_makes_a_centre_and_moves_it(office):
    one = code()
    made = step_centre.put(office["county"], one, "640324101", name="同心康复中心", address="新区路 1 号", phone="0953-1")
    assert {name: made[name] for name in ("code", "name", "plan", "region", "address", "phone", "version")} == {
        "code": one, "name": "同心康复中心", "plan": "tongxin", "region": "640324101", "address": "新区路 1 号", "phone": "0953-1", "version": 1}
    assert made.etag == '"1"' and office["auditor"].get(f"/centres/{one}").json == made.json
    moved = step_centre.put(office["manager"], one, match=made.etag)
    assert (moved["region"], moved["address"], moved["phone"], moved["version"]) == ("640324", "", "", 2)
    lost = step_centre.put(office["county"], one, match=made.etag, expect=412)
    assert lost["code"] == "stale" and lost["current"] == moved.json == office["county"].get(f"/centres/{one}").json
    again = step_centre.put(office["admin"], one, key=f"place-{one}")
    assert step_centre.put(office["admin"], one, key=f"place-{one}").json == again.json == office["auditor"].get(f"/centres/{one}").json
    office["auditor"].get("/centres/nothing", expect=404, code="not_found")


@pytest.mark.parametrize("given, status, refused, field", [
    ({"plan": "nothing"}, 422, "plan_unknown", "/plan"), ({"region": "640399"}, 422, "region_unknown", "/region"),
    ({"region": "630106"}, 422, "region_not_within", "/region"), ({"region": "x"}, 422, "not_a_region", "/region"),
    ({"name": None}, 422, "required", "/name"), ({"match": '"1"'}, 404, "not_found", None)], ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "")
def test_what_cannot_be_a_centre_is_refused(office, given, status, refused, field):
    for client in (office["admin"], office["manager"]):
        one = code()
        answer = step_centre.put(client, one, **given, expect=status)
        assert (answer["code"], answer.json.get("field")) == (refused, field)
        client.get(f"/centres/{one}", expect=404)
    assert step_centre.put(office["admin"], "a%20b", expect=422)["code"] == "centre_code_invalid"


def test_no_text_but_a_plan_is_one(office):
    if not NAUGHTY.exists():
        pytest.skip("no ../shared beside this tree")
    for text in json.loads(NAUGHTY.read_text(encoding="utf-8"))[::8]:
        refused = step_centre.put(office["admin"], "texts", plan=text, expect=422)
        assert refused["field"] == "/plan" and refused["code"] in ("plan_unknown", "too_short", "too_long", "nul_in_text"), (text, refused)


def test_an_office_keeps_the_centres_of_its_region_only(office):
    one = code()
    step_centre.put(office["county"], one)
    for who in ("elsewhere", "other_plan"):
        for region in ("640324", "630105"):
            assert step_centre.put(office[who], one, region, expect=403)["code"] == "region_foreign"
        assert step_centre.put(office[who], code(), expect=403)["code"] == "region_foreign"
    for client in (office["auditor"], office["people"].centre(one), office["people"].contractor("firm-centres")):
        assert step_centre.put(client, one, expect=403)["code"] == "role_not_allowed"
    assert office["county"].get(f"/centres/{one}")["version"] == 1


def test_one_that_came_with_its_account_is_placed_by_an_administrator(office):
    one = code()
    own = office["people"].centre(one)
    shown = own.get(f"/centres/{one}")
    assert (shown["plan"], shown["region"], shown["name"]) == (None, None, one)
    for who in ("county", "manager", "elsewhere"):
        assert step_centre.put(office[who], one, expect=403)["code"] == "region_foreign"
    step_centre.put(office["admin"], one)
    assert step_centre.put(office["county"], one, name="改")["name"] == "改"


def test_centres_are_listed_by_region(office):
    near, far, nowhere = code(), code(), code()
    step_centre.put(office["admin"], near, "640324102")
    step_centre.put(office["admin"], far, "630106", plan="qinghai")
    office["people"].centre(nowhere)

    def listed(**query):
        return [one["code"] for one in office["auditor"].pages("/centres", limit=3, **query)]
    assert {near, far, nowhere} <= set(listed()) and len(listed()) == len(set(listed()))
    assert near in listed(region="640324") and near in listed(region="640300") and near in listed(region="640324102")
    for region in ("640324", "640324101"):
        assert not {far, nowhere} & set(listed(region=region))
    assert far in listed(region="630122") and near not in listed(region="630122")  # a code that the county once had
    assert listed(region="640399") == []
    shown = next(one for one in office["auditor"].pages("/centres", limit=200) if one["code"] == near)
    assert shown == office["auditor"].get(f"/centres/{near}").json


USES = {
    "an item": "INSERT INTO device_item (code, model, serial, centre_id, source, acquired_on) SELECT 'in-' || c.code, %(model)s, '', c.id, 'purchased', '2024-01-01' FROM centre c WHERE c.code = %(code)s",
    "a transfer": "INSERT INTO device_transfer (plan_region, id, from_centre, to_centre, from_region, to_region, sent_at, account_id) SELECT 640324000, id_in(640324000, 'device_fact_number'), o.id, c.id, o.region, c.region, now(), 1 FROM centre c, centre o WHERE c.code = %(code)s AND o.code = %(other)s",
}


@pytest.mark.parametrize("use", USES)
def test_its_place_stays_once_it_is_used(office, database, use):
    one, other = code(), code()
    for each in (one, other):
        step_centre.put(office["county"], each)
    values = {"code": one, "other": other, "model": step_centre.model(office["admin"])}
    with database.connect("super") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT set_config('tantu.role', 'system', true)")
        cursor.execute(USES[use], values)
    refused = step_centre.put(office["county"], one, "640324101", expect=409)
    assert (refused["code"], refused["field"]) == ("centre_in_use", "/region")
    assert step_centre.put(office["admin"], one, "640324101", expect=409)["code"] == "centre_in_use"
    assert step_centre.put(office["county"], one, name="改")["name"] == "改"
    with database.connect("super") as connection, connection.cursor() as cursor, pytest.raises(psycopg2.Error) as raised:
        cursor.execute("UPDATE centre SET region = 640324101 WHERE code = %s", (one,))
    assert raised.value.pgcode == "TT005" and "centre_in_use" in str(raised.value)


def test_an_item_that_comes_while_its_centre_moves_is_where_the_centre_is(office, database):
    """The move holds the centre and is not committed: the item waits, and has the new place."""
    one, model = code(), step_centre.model(office["admin"])
    step_centre.put(office["county"], one)
    moving = database.connect("super")
    moving.autocommit = False
    moving.cursor().execute("SELECT 1 FROM centre WHERE code = %s FOR UPDATE", (one,))
    moving.cursor().execute("UPDATE centre SET region = 640324101 WHERE code = %s", (one,))
    coming = database.connect("super")
    pid, failed = coming.info.backend_pid, []

    def come():
        try:
            with coming, coming.cursor() as cursor:
                cursor.execute("SELECT set_config('tantu.role', 'system', true)")
                cursor.execute(USES["an item"], {"code": one, "model": model})
        except psycopg2.Error as error:
            failed.append(error)
    thread = threading.Thread(target=come)
    thread.start()
    wait_until(lambda: database.sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'", pid), 20, "the item")
    moving.commit()
    thread.join()
    moving.close()
    coming.close()
    assert not failed and database.sql("SELECT region FROM device_item WHERE code = %s", f"in-{one}") == [(640324101,)]


@pytest.mark.parametrize("role, may", [("admin", True), ("system", True), ("county", True), ("manager", True), ("auditor", False), ("centre", False), ("", False)])
def test_who_places_a_centre_in_the_database(database, role, may):
    """Whoever writes: an office in its own region only."""
    connection = database.connect("app")
    try:
        with connection.cursor() as cursor:
            for name, value in (("role", role), ("low", "640324000"), ("high", "640324999")):
                cursor.execute("SELECT set_config(%s, %s, false)", (f"tantu.{name}", value))
            cursor.execute("SELECT scope_places(640324101), scope_places(630106000)")
            near, far = cursor.fetchone()
            assert (bool(near), bool(far)) == (may, may and role in ("admin", "system"))
    finally:
        connection.close()
