# SPDX-License-Identifier: Apache-2.0
"""Photos that look alike under several households: found whatever the order of things, shown to each county for its own side.
The rows of photos are put in as an upload leaves them, with the looks that the test wants."""
import itertools
import random
import secrets

import needs
import pytest
from conftest import People
from processes import wait_until
from stages import bring_in, bring_in_rows

HUANGZHONG, CHENGBEI = "630106101", "630105001"
_random = random.Random(20261122)


def some_looks():
    return _random.getrandbits(64) - 2 ** 63


def away(looks, bits):
    """Looks that many bits from these: the bits lie anywhere."""
    for bit in _random.sample(range(64), bits):
        looks ^= 1 << bit
    return (looks + 2 ** 63) % 2 ** 64 - 2 ** 63


class Photos:
    def __init__(self, database):
        self.connection = database.connect("super")
        self.cursor = self.connection.cursor()

    def sql(self, statement, *values):
        self.cursor.execute(statement, values or None)
        return self.cursor.fetchall() if self.cursor.description else []

    def photo(self, looks):
        photo = secrets.token_bytes(32)
        self.sql("INSERT INTO photo (hash, kind, bytes, width, height, looks) VALUES (%s, 'jpeg', 1, 1, 1, %s)", photo, looks)
        return photo

    def use(self, case, photo, slot="after"):
        return self.sql("""INSERT INTO case_photo (plan_region, id, case_id, slot, photo, taken_at, account_id)
            VALUES (plan_region_of(%s), id_in(plan_region_of(%s), 'case_photo_number'), %s, %s, %s, now(), 1) RETURNING id""",
                        case, case, case, slot, photo)[0][0]

    def add(self, case, looks, slot="after"):
        return self.use(case, self.photo(looks), slot)

    def remove(self, use):
        self.sql("UPDATE case_photo SET removed_at = now() WHERE id = %s", use)

    def compared(self, *uses):
        """Waits until the uses have been compared."""
        for use in uses:
            wait_until(lambda: self.sql("""SELECT 1 FROM job WHERE kind = 'photo_compare' AND (payload->>'use')::bigint = %s
                HAVING bool_and(state = 'done')""", use), 20, f"the comparison of {use}")

    def flags(self, *uses):
        """{(the other use, distance, same bytes)} of each."""
        self.compared(*uses)
        return {(other, distance, same) for other, distance, same in self.sql(
            """SELECT CASE WHEN first_use = ANY (%s) THEN second_use ELSE first_use END, distance, same_bytes FROM photo_flag
               WHERE first_use = ANY (%s) OR second_use = ANY (%s)""", list(uses), list(uses), list(uses))}


@pytest.fixture
def photos(database, server):
    made = Photos(database)
    yield made
    made.connection.close()


@pytest.fixture(scope="module")
def office(server, admin_session):
    """Two counties of one plan with a household each, and everybody who might look."""
    people = People(admin_session)
    manager = people.manager("630000")
    rows = [needs.row("qinghai", **{"区划代码": place}) for place in (HUANGZHONG, CHENGBEI)]
    here, there = bring_in_rows(manager, rows, "qinghai").values()
    yield {"manager": manager, "here": here, "there": there, "county": people.county("630106"), "other_county": people.county("630105"),
           "auditor": people.auditor("630106"), "other_plan": people.manager("640324"), "centre": people.centre("centre-flags"),
           "assessor": people.assessor("630106"), "contractor": people.contractor("firm-flags")}
    for client in people.made:
        client.close()


@pytest.fixture
def manager(office):
    return office["manager"]


@pytest.fixture
def homes(manager):
    return bring_in(manager, 3, "qinghai")


@pytest.mark.parametrize("bits, found", [(0, True), (1, True), (6, True), (7, False), (8, False)])
def test_near_looks_under_another_household_are_flagged(photos, homes, bits, found):
    looks = some_looks()
    first, second = photos.add(homes[0], looks, "before"), photos.add(homes[1], away(looks, bits), "inspection")
    assert photos.flags(second) == ({(first, bits, False)} if found else set())


def test_the_same_bytes_are_flagged_whatever_they_show(photos, homes):
    wall = photos.photo(None)
    first, second = photos.use(homes[0], wall), photos.use(homes[1], wall)
    assert photos.flags(second) == {(first, 0, True)}


def test_a_wall_is_like_no_other_wall(photos, homes):
    photos.add(homes[0], None)
    assert photos.flags(photos.add(homes[1], None)) == set()


def test_what_is_no_flag(photos, homes, database):
    looks = some_looks()
    own, again = photos.add(homes[0], looks), photos.add(homes[0], looks)
    assert photos.flags(own, again) == set(), "one household may show the same thing twice"
    photos.remove(own)
    photos.remove(again)
    assert photos.flags(photos.add(homes[1], looks)) == set(), "what was removed is not there"
    signature = photos.add(homes[2], looks, "signature")
    assert photos.sql("SELECT 1 FROM job WHERE kind = 'photo_compare' AND (payload->>'use')::bigint = %s", signature) == []
    gone = some_looks()
    first, second = photos.add(homes[0], gone), photos.add(homes[1], gone)
    photos.compared(first, second)
    photos.remove(second)
    photos.sql("DELETE FROM photo_flag_side WHERE photo_use = %s OR flag_id IN (SELECT id FROM photo_flag WHERE first_use = %s)", first, first)
    photos.sql("DELETE FROM photo_flag WHERE first_use = %s OR second_use = %s", first, first)
    with database.connect("super") as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN; SELECT set_config('tantu.role', 'system', true)")
        cursor.execute("SELECT photo_compare(%s), photo_compare(%s)", (first, second))
        assert cursor.fetchone() == (0, 0), "a job that comes late"


def test_the_same_people_in_another_plan_are_no_strangers(photos, office):
    """A household moved between plans, or is in two: its members tell."""
    row = needs.row("qinghai", **{"区划代码": HUANGZHONG})
    (here,) = bring_in_rows(office["manager"], [row], "qinghai").values()
    (there,) = bring_in(office["other_plan"], 1, "tongxin")
    looks = some_looks()
    first = photos.add(here, looks)
    photos.sql("""UPDATE person p SET citizen_id_index = o.citizen_id_index FROM retrofit_case a, retrofit_case b, person o
        WHERE a.id = %s AND b.id = %s AND p.plan_region = a.plan_region AND p.household_id = a.household_id
          AND o.plan_region = b.plan_region AND o.household_id = b.household_id""", there, here)
    assert photos.flags(first, photos.add(there, looks)) == set()
    stranger = bring_in(office["other_plan"], 1, "tongxin")[0]
    assert len(photos.flags(photos.add(stranger, looks))) == 2, "plans are no border for a stranger"


def test_households_that_are_one_by_now_are_no_strangers(photos, homes):
    photos.sql("""UPDATE household h SET merged_into = b.household_id FROM retrofit_case a, retrofit_case b
        WHERE a.id = %s AND b.id = %s AND h.plan_region = a.plan_region AND h.id = a.household_id""", *homes[:2])
    looks = some_looks()
    first, second = photos.add(homes[0], looks), photos.add(homes[1], looks)
    assert photos.flags(first, second) == set()
    assert len(photos.flags(photos.add(homes[2], looks))) == 2


def test_a_plan_says_how_near_is_near(photos, office, homes, admin):
    manager, looks = office["manager"], some_looks()
    admin.patch("/plans/qinghai", {"looks_within": 8}, expect=422, code="out_of_range")
    assert admin.get("/plans/qinghai")["looks_within"] == 6
    manager.patch("/plans/qinghai", {"looks_within": 2})
    try:
        first, second = photos.add(homes[0], looks), photos.add(homes[1], away(looks, 3))
        assert photos.flags(first, second) == set()
        assert manager.patch("/plans/qinghai", {"looks_within": 7})["looks_within"] == 7
        third = photos.add(homes[2], away(looks, 7))
        assert (first, 7, False) in photos.flags(third)
    finally:
        manager.patch("/plans/qinghai", {"looks_within": 6})


def test_looks_that_become_known_later_are_compared_then(photos, homes):
    looks = some_looks()
    first, photo = photos.add(homes[0], looks), photos.photo(None)
    second = photos.use(homes[1], photo)
    assert photos.flags(second) == set()
    photos.sql("UPDATE photo SET looks = %s WHERE hash = %s", looks, photo)
    assert photos.flags(second) == {(first, 0, False)}


def test_one_picture_under_many_households_makes_few_flags(photos, manager):
    """The ten nearest of them: a flag each, not one a pair."""
    homes, looks = bring_in(manager, 14, "qinghai"), some_looks()
    uses = [photos.add(home, looks) for home in homes[:13]]
    photos.compared(*uses)
    near = photos.add(homes[13], away(looks, 2))
    assert len(photos.flags(near)) == 10


def test_two_uploads_at_once_see_each_other(photos, homes, database):
    """Neither transaction could have seen the other's photo; the comparison comes after the commit, so the later one does."""
    for number in range(20):
        looks = some_looks()
        sides = [database.connect("super") for _ in range(2)]
        uses = []
        for connection, home in zip(sides, homes):
            connection.autocommit = False
            session = Photos.__new__(Photos)
            session.connection, session.cursor = connection, connection.cursor()
            uses.append(session.add(home, away(looks, number % 4)))
        for connection in sides if number % 2 else reversed(sides):
            connection.commit()
        photos.compared(*uses)
        flags = photos.sql("SELECT count(*) FROM photo_flag WHERE (first_use, second_use) = (%s, %s)", min(uses), max(uses))
        distance = photos.sql("""SELECT bit_count((a.looks # b.looks)::bit(64)) FROM photo a, photo b, case_photo x, case_photo y
            WHERE a.hash = x.photo AND b.hash = y.photo AND x.id = %s AND y.id = %s""", *uses)[0][0]
        assert flags == [(int(distance <= 6),)]
        for connection in sides:
            connection.close()


# --- who is told what ---


@pytest.fixture
def across(photos, office):
    """A flag between the two counties: (its id, here's use, there's use)."""
    looks = some_looks()
    here, there = photos.add(office["here"], looks), photos.add(office["there"], away(looks, 2))
    photos.compared(here, there)
    ((flag,),) = photos.sql("SELECT id FROM photo_flag WHERE first_use = %s AND second_use = %s", here, there)
    return flag, here, there


def listed(client, **query):
    return {flag["id"]: flag for flag in client.pages("/photo-flags", limit=2, **query)}


def test_each_county_sees_its_own_side(office, across):
    flag, here, there = across
    mine, theirs = office["county"].get(f"/photo-flags/{flag}"), office["other_county"].get(f"/photo-flags/{flag}")
    assert (mine["one"]["photo"], mine["one"]["case"], mine["other_is_foreign"]) == (here, office["here"], True)
    assert (theirs["one"]["photo"], theirs["one"]["case"], theirs["other_is_foreign"]) == (there, office["there"], True)
    for answer in (mine, theirs):
        assert answer["state"] == "open" and answer["distance"] == 2 and answer["same_bytes"] is False
        assert all(value is None for value in answer["other"].values()), answer["other"]
    both = office["manager"].get(f"/photo-flags/{flag}")
    assert (both["one"]["photo"], both["other"]["photo"], both["other_is_foreign"]) == (here, there, False)
    assert both["one"]["region"] == HUANGZHONG and both["other"]["region"] == CHENGBEI
    assert office["auditor"].get(f"/photo-flags/{flag}").json == mine.json


def test_who_may_not_look(office, across):
    flag, _, _ = across
    office["other_plan"].get(f"/photo-flags/{flag}", expect=404, code="not_found")
    office["other_plan"].post(f"/photo-flags/{flag}/resolution", {"resolution": "fraud", "note": "a"}, expect=404, code="not_found")
    assert flag not in listed(office["other_plan"])
    for who in ("contractor", "assessor", "centre"):
        office[who].get(f"/photo-flags/{flag}", expect=403, code="role_not_allowed")
        office[who].get("/photo-flags", expect=403, code="role_not_allowed")
    office["auditor"].post(f"/photo-flags/{flag}/resolution", {"resolution": "fraud", "note": "a"}, expect=403, code="role_not_allowed")


def test_the_list_is_narrowed_by_plan_region_and_state(office, across, homes, photos):
    flag, _, _ = across
    manager = office["manager"]
    assert flag in listed(manager) and flag in listed(manager, plan="qinghai") and flag not in listed(manager, plan="tongxin")
    assert flag in listed(manager, region="630106") and flag in listed(manager, region="630105")
    assert flag in listed(manager, region="630122"), "an old code of the county"
    assert flag not in listed(manager, region="630104")
    assert flag in listed(manager, state="open") and flag not in listed(manager, state="explained")
    assert flag not in listed(office["county"], region="630105"), "the other side is not his"
    manager.post(f"/photo-flags/{flag}/resolution", {"resolution": "explained", "note": "同一小区的公共坡道"})
    assert flag in listed(manager, state="explained") and flag not in listed(manager, state="open")


def test_a_county_answers_for_its_own_side_only(office, across):
    flag, _, _ = across
    county, other, manager = office["county"], office["other_county"], office["manager"]
    county.post(f"/photo-flags/{flag}/resolution", {"resolution": "explained"}, expect=422, code="required")
    before = county.get(f"/photo-flags/{flag}").etag
    answer = county.post(f"/photo-flags/{flag}/resolution", {"resolution": "explained", "note": "两户共用坡道"}, match=before)
    assert answer["sides"] == 1
    county.post(f"/photo-flags/{flag}/resolution", {"resolution": "fraud", "note": "b"}, match=before, expect=412)
    mine = county.get(f"/photo-flags/{flag}")
    assert mine["state"] == "explained" and mine["one"]["note"] == "两户共用坡道" and mine["one"]["resolved_at"]
    theirs = other.get(f"/photo-flags/{flag}")
    assert theirs["state"] == "open" and theirs["one"]["note"] == "" and "两户" not in theirs.body.decode("utf-8")
    assert manager.get(f"/photo-flags/{flag}")["state"] == "open", "half an answer"
    other.post(f"/photo-flags/{flag}/resolution", {"resolution": "fraud", "note": "施工方盗用照片"}, match=theirs.etag)
    both = manager.get(f"/photo-flags/{flag}")
    assert (both["state"], both["one"]["state"], both["other"]["state"]) == ("fraud", "explained", "fraud")
    assert manager.post(f"/photo-flags/{flag}/resolution", {"resolution": "fraud", "note": "c"})["sides"] == 2


def test_a_removed_photo_closes_its_flags(photos, office, across):
    flag, here, _ = across
    photos.remove(here)
    for who in ("county", "other_county", "manager"):
        answer = office[who].get(f"/photo-flags/{flag}")
        assert answer["state"] == answer["one"]["state"] == "removed"
        if who != "other_county":
            office[who].post(f"/photo-flags/{flag}/resolution", {"resolution": "fraud", "note": "a"}, expect=409, code="photo_flag_closed")
    assert flag in listed(office["other_county"], state="removed")
    office["manager"].get("/photo-flags/999999999999", expect=404)


def test_what_was_answered_stays_so_when_the_photo_goes(photos, office, across):
    flag, here, there = across
    office["county"].post(f"/photo-flags/{flag}/resolution", {"resolution": "fraud", "note": "照片是邻居家的"})
    photos.remove(there)
    both = office["manager"].get(f"/photo-flags/{flag}")
    assert (both["state"], both["one"]["state"], both["other"]["state"]) == ("fraud", "fraud", "removed")


# --- the search is exact ---


def test_every_photo_within_seven_bits_is_found(make_database):
    """Against the distance to every row: 20,000 at random, and some planted at each distance, also all in one quarter."""
    own = Photos(make_database())
    own.sql("""INSERT INTO photo (hash, kind, bytes, width, height, looks)
        SELECT sha256(int4send(n)), 'jpeg', 1, 1, 1, ('x' || left(md5(n::text), 16))::bit(64)::bigint FROM generate_series(1, 20000) AS n""")
    for number, bits in itertools.product(range(12), range(10)):
        looks = own.sql("SELECT looks FROM photo WHERE hash = sha256(int4send(%s))", number + 1)[0][0]
        if number % 3 == 0: # spread as evenly as can be: the worst case of the quarters
            near = looks ^ sum(1 << (16 * (bit % 4) + bit // 4) for bit in range(bits))
            near = (near + 2 ** 63) % 2 ** 64 - 2 ** 63
        else:
            near = away(looks, bits)
        own.photo(near)
    for number in range(12):
        looks = own.sql("SELECT looks FROM photo WHERE hash = sha256(int4send(%s))", number + 1)[0][0]
        for within in (0, 6, 7):
            found = own.sql("SELECT encode(hash, 'hex'), distance FROM photo_looks_near(%s, %s)", looks, within)
            truth = own.sql("""SELECT encode(hash, 'hex'), bit_count((looks # %s)::bit(64))::int FROM photo
                               WHERE bit_count((looks # %s)::bit(64)) <= %s""", looks, looks, within)
            assert len(truth) > within and sorted(found) == sorted(truth)
    own.connection.close()
