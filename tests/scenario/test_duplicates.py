# SPDX-License-Identifier: Apache-2.0
"""Possible duplicates: found with their reasons, judged once, merged and put back exactly; totals stay right all the way."""
import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import needs
import pytest
from processes import wait_until
from stages import bring_in_rows, move, walk

PLACE, OTHER = "640324101", "640324102"
numbers = itertools.count(1)


def citizen(born, county="640324"):
    """A new citizen born on that day."""
    seventeen = f"{county}{born}{next(numbers):03}"
    return seventeen + needs.check_digit(seventeen)


def birthday():
    """A day that nobody else here was born on."""
    number = next(numbers)
    return f"19{30 + number // 336 % 60}{number // 28 % 12 + 1:02}{number % 28 + 1:02}"


def twin_rows(count=2, **columns):
    """One person, so it seems, in that many households: the same name, day of birth and village."""
    born, name, village = birthday(), f"马重{next(numbers)}", f"重村{next(numbers)}"
    return [needs.row(citizen=citizen(born), **{"姓名": name, "村(社区)": village, **columns}) for _ in range(count)]


def person_of(database, row):
    return database.sql("SELECT p.id FROM person p JOIN household h ON h.id = p.household_id WHERE h.number = %s AND p.name = %s ORDER BY p.id",
                        row["户编号"], row["姓名"])[0][0]


def home_of(database, row):
    return database.sql("SELECT id FROM household WHERE number = %s", row["户编号"])[0][0]


def scanned(database):
    """Everybody is compared."""
    def done():
        database.sql("UPDATE job SET run_at = now() WHERE kind = 'duplicates_scan' AND state = 'queued'; NOTIFY job, 'upkeep'")
        return not database.sql("SELECT (SELECT count(*) FROM person_uncompared) + (SELECT count(*) FROM person WHERE born IS NULL)")[0][0]
    wait_until(done, 60, "the search for duplicates")


def pairs(database, *people):
    """(id, score, {part: points}) of the pairs that are among these people."""
    found = database.sql("SELECT id, score, parts FROM duplicate WHERE low = ANY(%s) AND high = ANY(%s) ORDER BY id", list(people), list(people))
    return [(number, score, {part["part"]: part["points"] for part in parts}) for number, score, parts in found]


class Pair:
    """Two registrations that may be one, with their cases, as the review list has them."""

    def __init__(self, manager, database, rows=None, plan="tongxin"):
        self.manager, self.database = manager, database
        self.rows = rows or twin_rows()
        self.cases = list(bring_in_rows(manager, self.rows, plan).values())
        self.people = [person_of(database, row) for row in self.rows]
        self.homes = [home_of(database, row) for row in self.rows]
        scanned(database)
        self.id = pairs(database, *self.people)[0][0]

    def resolve(self, what, keep=0, client=None, **options):
        body = {"is": what, **({} if keep is None else {"keep": self.people[keep] if keep < 10 else keep}), "note": "核实"}
        return (client or self.manager).post(f"/duplicates/{self.id}/resolution", body, **options)

    def undo(self, client=None, **options):
        return (client or self.manager).post(f"/duplicates/{self.id}/undo", {"note": "弄错了"}, **options)

    def everything(self):
        """What an undo has to bring back, of both households: all but versions and the words of the last move."""
        def rows(table, where, without):
            return self.database.sql(f"SELECT to_jsonb(t) - %s FROM {table} t WHERE {where} ORDER BY id", without, self.homes)
        return (rows("household", "t.id = ANY(%s)", ["version"]), rows("person", "t.household_id = ANY(%s)", []),
                rows("need", "t.household_id = ANY(%s)", []),
                rows("retrofit_case", "t.household_id = ANY(%s)", ["version", "stage_note", "takes_back"]))


@pytest.fixture
def manager(people):
    return people.manager("640324")


def totals_agree(database):
    assert "totals agree" in database.run("verify", "totals").stdout


def waits_rightly(database, *cases):
    """They stand in the waiting list as the facts of their households are now."""
    assert not database.sql("SELECT * FROM priority_differences(NULL) WHERE case_id = ANY(%s)", list(cases))


# --- finding ---


def test_a_pair_is_listed_masked_with_its_reasons(manager, people, database):
    pair = Pair(manager, database, twin_rows(**{"联系电话": ""}))
    assert pairs(database, *pair.people) == [(pair.id, 70, {"name": 25, "birth": 25, "village": 20})]
    county, auditor = people.county("640324"), people.auditor("640324")
    for client in (manager, county, auditor):
        (listed,) = [one for one in client.pages("/duplicates", plan="tongxin", limit=50) if one["id"] == pair.id]
        assert [part["part"] for part in listed["parts"]] == ["name", "birth", "village"] and listed["score"] == 70
        assert [side["person"] for side in (listed["one"], listed["other"])] == pair.people
        assert listed["one"]["name"] == "马" + "*" * (len(pair.rows[0]["姓名"]) - 1) and len(listed["one"]["birth_year"]) == 4
        assert listed["one"]["cases"] == [{"id": pair.cases[0], "plan": "tongxin", "stage": "registered"}]
        assert pair.rows[0]["残疾人证号"][6:14] not in str(listed) and pair.rows[0]["姓名"] not in str(listed)
    for query in ({"region": OTHER}, {"state": "merged"}, {"min_score": 71}):
        assert pair.id not in [one["id"] for one in manager.pages("/duplicates", plan="tongxin", limit=50, **query)]
    assert pair.id in [one["id"] for one in manager.pages("/duplicates", plan="tongxin", limit=50, region="640324", min_score=70)]


def test_one_pair_in_full_and_the_reading_is_recorded(manager, people, database):
    pair = Pair(manager, database)
    whole = manager.get(f"/duplicates/{pair.id}").json
    assert whole["one_is"]["name"] == pair.rows[0]["姓名"] and whole["one_is"]["address"] == pair.rows[0]["详细地址"]
    assert whole["one_is"]["citizen_id"] == pair.rows[0]["残疾人证号"][:6] + "********" + pair.rows[0]["残疾人证号"][14:18]
    assert whole["merges"] is None
    read = database.sql("SELECT subject FROM access_record WHERE what = 'possible duplicate' AND subject = ANY(%s) ORDER BY 1", pair.people)
    assert [subject for subject, in read] == pair.people
    for foreign in (people.manager("630000"), people.county("230602")):
        foreign.get(f"/duplicates/{pair.id}", expect=404)
        foreign.get(f"/persons/{pair.people[0]}", expect=404)
        pair.resolve("not_duplicate", client=foreign, expect=404)
        assert not list(foreign.pages("/duplicates", plan="tongxin"))


def test_what_is_no_pair(manager, database):
    rows = twin_rows(2, **{"联系电话": ""})
    rows[1]["村(社区)"] = "别村"          # the same name and birth elsewhere
    rows += twin_rows(2, **{"联系电话": ""})
    rows[3]["姓名"] += "花"              # the same birth and village, another name
    bring_in_rows(manager, rows)
    scanned(database)
    assert not pairs(database, *(person_of(database, row) for row in rows))


@pytest.mark.parametrize("households, villages, found", [(2, 2, 60), (3, 3, None), (3, 1, 60), (4, 1, None), (7, 1, None)])
def test_a_phone_weighs_by_how_many_households_have_it(manager, database, households, villages, found):
    phone, village = f"138{next(numbers):08}", f"话村{next(numbers)}"
    rows = [needs.row(citizen=citizen(birthday()), **{"联系电话": phone, "村(社区)": f"{village}{number % villages}", "姓名": f"电{number}话{next(numbers)}"})
            for number in range(households)]
    bring_in_rows(manager, rows)
    scanned(database)
    listed = pairs(database, *(person_of(database, row) for row in rows))
    assert len(listed) == (households * (households - 1) // 2 if found else 0) and {score for _, score, _ in listed} == ({found} if found else set())


def test_of_two_families_with_one_phone_one_pair_is_enough(manager, database):
    phone = f"138{next(numbers):08}"
    rows = needs.household(people=3, **{"联系电话": phone}) + needs.household(people=2, **{"联系电话": phone})
    bring_in_rows(manager, rows)
    scanned(database)
    people = [person_of(database, row) for row in rows]
    assert [(one, other) for one, other in database.sql("SELECT low, high FROM duplicate WHERE low = ANY(%s)", people)] == [(people[0], people[3])]


def test_a_mistyped_birth_shows_by_name_and_phone(manager, database):
    phone, name = f"138{next(numbers):08}", f"马错{next(numbers)}"
    rows = [needs.row(citizen=citizen(day), **{"姓名": name, "联系电话": phone, "村(社区)": f"错{day}"}) for day in ("19440102", "19440112")]
    bring_in_rows(manager, rows)
    scanned(database)
    ((_, score, parts),) = pairs(database, *(person_of(database, row) for row in rows))
    assert (score, parts) == (85, {"name": 25, "phone": 60})


def test_people_of_before_get_their_day_of_birth_from_the_sealed_number(manager, database):
    rows = twin_rows(3)
    bring_in_rows(manager, rows)
    people = [person_of(database, row) for row in rows]
    scanned(database)
    born = rows[0]["残疾人证号"][6:14]
    assert database.sql("SELECT DISTINCT born FROM person WHERE id = ANY(%s)", people) == [(born,)]
    assert len(pairs(database, *people)) == 3
    # As an upgrade finds them; one number was sealed with a key that is lost.
    database.sql("DELETE FROM duplicate WHERE low = ANY(%s)", people)
    database.sql("UPDATE person SET born = NULL WHERE id = ANY(%s)", people)
    database.sql("UPDATE person SET citizen_id = sha256('x') || sha256('y') WHERE id = %s", people[2])
    scanned(database)
    assert database.sql("SELECT born FROM person WHERE id = ANY(%s) ORDER BY id", people) == [(born,), (born,), ("",)]
    assert [parts for _, _, parts in pairs(database, *people)] == [{"name": 25, "birth": 25, "village": 20}]


# --- judging ---


def test_not_a_duplicate_is_never_asked_again(manager, people, database):
    pair = Pair(manager, database)
    auditor = people.auditor("640324")
    pair.resolve("not_duplicate", None, client=auditor, expect=403, code="role_not_allowed")
    answer = pair.resolve("not_duplicate", None, client=people.county("640324"), match='"1"')
    assert answer["state"] == "not_duplicate" and answer["version"] == 2 and answer["note"] == "核实"
    database.sql("INSERT INTO person_uncompared SELECT plan_region, id FROM person WHERE id = ANY(%s)", pair.people)
    scanned(database)
    assert len(pairs(database, *pair.people)) == 1
    assert manager.get(f"/duplicates/{pair.id}")["state"] == "not_duplicate"
    pair.resolve("both", expect=409, code="duplicate_resolved")
    database.sql("UPDATE person SET merged_into = %s WHERE id = %s", *pair.people)  # found while it was being merged
    database.sql("UPDATE duplicate SET state = 'open' WHERE id = %s", pair.id)
    pair.resolve("both", expect=409, code="duplicate_resolved")
    database.sql("UPDATE person SET merged_into = NULL WHERE id = %s", pair.people[1])
    database.sql("UPDATE duplicate SET state = 'not_duplicate' WHERE id = %s", pair.id)
    # Said in error: it can be asked again.
    assert pair.undo()["state"] == "open"
    pair.undo(expect=409, code="nothing_to_undo")


def test_a_lost_race_and_wrong_words(manager, database):
    pair = Pair(manager, database)
    pair.resolve("both", match='"7"', expect=412)
    assert pair.resolve("both", None, expect=422, code="duplicate_keep_unknown")["field"] == "/keep"
    pair.resolve("both", pair.people[0] + 999999, expect=422, code="duplicate_keep_unknown")
    manager.post(f"/duplicates/{pair.id + 999999}/resolution", {"is": "not_duplicate"}, expect=404)
    manager.post(f"/duplicates/{pair.id + 999999}/undo", {}, expect=404)
    pair.undo(match='"7"', expect=412)
    first = pair.resolve("both", key=f"merge-{pair.id}")
    assert pair.resolve("both", key=f"merge-{pair.id}").json == first.json


def test_a_county_judges_what_lies_in_it_on_both_sides(people, database):
    qinghai = people.manager("630000")
    born, name, phone = birthday(), f"马跨{next(numbers)}", f"138{next(numbers):08}"
    rows = [needs.row("qinghai", citizen=citizen(born, "630106"), **{"姓名": name, "区划代码": place, "联系电话": phone})
            for place in ("630106101", "630105001")]
    pair = Pair(qinghai, database, rows, "qinghai")
    for county in (people.county("630106"), people.county("630105")):
        county.get(f"/duplicates/{pair.id}", expect=404)
        pair.resolve("both", client=county, expect=404)
    before = pair.everything()
    assert pair.resolve("both")["state"] == "merged"
    pair.undo()
    assert pair.everything() == before


def test_a_pair_goes_where_its_households_go(people, manager, database):
    pair = Pair(manager, database)
    for case in reversed(pair.cases):
        manager.post(f"/cases/{case}/relocation", {"region": OTHER, "village": "新村", "address": "1"})
    assert pair.id in [one["id"] for one in manager.pages("/duplicates", plan="tongxin", region=OTHER, limit=50)]
    assert pair.id not in [one["id"] for one in manager.pages("/duplicates", plan="tongxin", region=PLACE, limit=50)]


def test_an_import_that_commits_goes_first(manager, database):
    pair = Pair(manager, database)
    importing = database.connect("super")
    importing.autocommit = False
    try:
        with importing.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(7301, 640324000)")
        pair.resolve("both", expect=409, code="import_commits")
        importing.rollback()
        pair.resolve("both")
        with importing.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(7301, 640324000)")
        pair.undo(expect=409, code="import_commits")
        importing.rollback()
        pair.undo()
    finally:
        importing.close()


# --- merging, and the way back ---


def test_two_registrations_of_one_household_become_one_and_two_again(manager, people, database):
    rows = twin_rows()
    rows[1].update({"改造需求": "扶手;低位灶台", "辅具需求": "轮椅"})
    pair = Pair(manager, database, rows)
    walk(manager, pair.cases[0], "approved")
    before, progress = pair.everything(), manager.progress("tongxin")
    county = people.county("640324")
    assert pair.resolve("both", client=county)["state"] == "merged"
    kept, gone = (manager.get(f"/cases/{case}").json for case in pair.cases)
    assert (kept["stage"], kept["merged_into"]) == ("approved", None)
    assert (gone["stage"], gone["merged_into"]) == ("withdrawn", pair.cases[0]) and str(pair.cases[0]) in gone["stage_note"]
    (person,) = manager.get(f"/cases/{pair.cases[0]}/persons").items
    assert person["id"] == pair.people[0]
    assert sorted(person["retrofit_needs"]) == ["低位灶台", "坡道", "扶手"] and person["device_needs"] == ["轮椅"]
    # Both still resolve.
    assert manager.get(f"/persons/{pair.people[1]}")["merged_into"] == pair.people[0]
    assert manager.get(f"/persons/{pair.people[0]}")["merged_into"] is None
    (found,) = manager.post("/persons/find", {"citizen_id": rows[1]["残疾人证号"][:18]}).items
    assert (found["merged_into"], found["household_number"]) == (pair.people[0], rows[1]["户编号"])
    merged = manager.progress("tongxin")
    assert merged["by_stage"]["withdrawn"] == progress["by_stage"]["withdrawn"] + 1
    assert merged["by_stage"]["registered"] == progress["by_stage"]["registered"] - 1
    totals_agree(database)
    waits_rightly(database, *pair.cases)
    # The case stays withdrawn: neither opened again nor taken back, by whoever.
    move(manager, pair.cases[1], "registered", expect=409, code="case_merged")
    county.post(f"/cases/{pair.cases[1]}/take-back", {}, expect=409, code="case_merged")
    # (A server older than merging hears a word it knows.)
    ask = """SELECT (case_refusal(c, e.from_stage, now(), '', e.version)).verdict FROM retrofit_case c
             JOIN case_event e ON e.plan_region = c.plan_region AND e.case_id = c.id
             WHERE c.id = %s AND e.version = (SELECT max(version) FROM case_event WHERE case_id = c.id)
             AND set_config('tantu.account', %s, true) <> '' AND set_config('application_name', %s, true) <> ''"""
    account = str(county.get("/session")["id"])
    assert database.sql(ask, pair.cases[1], account, "tantu/14") == [("nothing_to_take_back",)]
    assert database.sql(ask, pair.cases[1], account, "tantu/25") == [("case_merged",)]
    # Undone by another one than who merged.
    assert pair.undo()["state"] == "open"
    assert pair.everything() == before
    assert manager.progress("tongxin")["by_stage"] == progress["by_stage"]
    totals_agree(database)
    waits_rightly(database, *pair.cases)
    last = list(manager.pages(f"/cases/{pair.cases[1]}/events"))[-1]
    assert (last["kind"], last["to"], last["account"]) == ("take_back", "registered", manager.get("/session")["id"])
    (merge,) = manager.get(f"/duplicates/{pair.id}")["merges"]
    assert (merge["kept"], merge["gone"], merge["undo_note"]) == (*pair.people, "弄错了")
    # And once more, the other way round.
    pair.resolve("both", 1)
    assert manager.get(f"/cases/{pair.cases[0]}")["merged_into"] == pair.cases[1]
    pair.undo()
    assert pair.everything() == before


def test_a_withdrawn_case_of_a_household_that_is_its_own_opens_again(manager, database):
    pair = Pair(manager, database)
    walk(manager, pair.cases[0], "withdrawn")
    manager.post(f"/cases/{pair.cases[0]}/take-back", {})
    walk(manager, pair.cases[0], "withdrawn")
    assert move(manager, pair.cases[0], "registered")["stage"] == "registered"


@pytest.mark.parametrize("stage", ["assigned", "suspended", "rework"])
def test_an_undo_brings_back_the_stage_it_was_in(manager, people, database, stage):
    pair = Pair(manager, database)
    people.contractor("firm-duplicates")
    walk(manager, pair.cases[1], stage, contractor="firm-duplicates")
    before = pair.everything()
    pair.resolve("both")
    assert manager.get(f"/cases/{pair.cases[1]}")["stage"] == "withdrawn"
    pair.undo()
    assert pair.everything() == before


def test_one_person_in_two_households_that_both_live_on(manager, database):
    rows = twin_rows()
    family = [needs.row(household=row["户编号"], **{"与户主关系": "父母"}) for row in rows]
    bring_in_rows(manager, family)
    pair = Pair(manager, database, rows)
    before = pair.everything()
    pair.resolve("person")
    # Nothing happens to the cases; the person is in one household only.
    assert [manager.get(f"/cases/{case}")["stage"] for case in pair.cases] == ["registered", "registered"]
    assert [len(manager.get(f"/cases/{case}/persons").items) for case in pair.cases] == [2, 1]
    gone = manager.get(f"/persons/{pair.people[1]}").json
    assert gone["merged_into"] == pair.people[0] and gone["household_number"] == rows[1]["户编号"]
    assert gone["household_merged_into"] == pair.homes[0]
    pair.undo()
    assert pair.everything() == before
    assert not database.sql("SELECT id FROM household WHERE number LIKE %s", rows[1]["户编号"] + "~%")


def test_who_was_the_last_takes_his_household_along(manager, database):
    pair = Pair(manager, database)
    before = pair.everything()
    pair.resolve("person")
    assert manager.get(f"/cases/{pair.cases[1]}")["merged_into"] == pair.cases[0]
    pair.undo()
    assert pair.everything() == before


def test_the_same_person_twice_in_one_household(manager, database):
    first, second = twin_rows()
    second.update({"户编号": first["户编号"], "改造需求": "坡道", "辅具需求": "助听器"})
    bring_in_rows(manager, [first, second])
    scanned(database)
    people = [one for one, in database.sql("SELECT p.id FROM person p JOIN household h ON h.id = p.household_id WHERE h.number = %s ORDER BY 1",
                                          first["户编号"])]
    ((number, score, parts),) = pairs(database, *people)
    assert parts == {"name": 25, "birth": 25, "village": 20, "address": 15} and score == 85
    case = next(one["id"] for one in manager.get("/cases", query={"q": first["户编号"]}).items)
    before = manager.get(f"/cases/{case}/persons").json
    resolution = f"/duplicates/{number}/resolution"
    for what in ("household", "both"):
        manager.post(resolution, {"is": what, "keep": people[0]}, expect=422, code="duplicate_one_household")
    manager.post(resolution, {"is": "person", "keep": people[1]})
    (person,) = manager.get(f"/cases/{case}/persons").items
    assert person["id"] == people[1] and sorted(person["retrofit_needs"]) == ["坡道", "扶手"] and person["device_needs"] == ["助听器"]
    manager.post(f"/duplicates/{number}/undo", {})
    assert manager.get(f"/cases/{case}/persons").json == before


def test_two_people_who_turn_out_to_be_of_one_household(manager, database):
    """The severely disabled one joins the poor one's: what is still registered is judged by both."""
    phone = f"138{next(numbers):08}"
    rows = [needs.row(citizen=citizen(birthday()), **{"联系电话": phone, **columns}) for columns in ({"残疾等级": "三级"}, {"经济状况": "一般"})]
    pair = Pair(manager, database, rows)
    before = pair.everything()
    assert not manager.get(f"/cases/{pair.cases[0]}")["eligible"]
    pair.resolve("household")
    case = manager.get(f"/cases/{pair.cases[0]}").json
    assert case["eligible"] and "severe_member" in case["eligibility_reasons"]
    assert {one["id"] for one in manager.get(f"/cases/{pair.cases[0]}/persons").items} == set(pair.people)
    assert manager.get(f"/persons/{pair.people[1]}")["merged_into"] is None
    pair.undo()
    assert pair.everything() == before and not manager.get(f"/cases/{pair.cases[0]}")["eligible"]


def test_an_elder_friendly_retrofit_of_either_is_one_of_both(manager, database):
    pair = Pair(manager, database)
    manager.patch(f"/cases/{pair.cases[1]}", {"elder_retrofit": True})
    before = pair.everything()
    pair.resolve("both")
    assert "no_second_retrofit" in manager.get(f"/cases/{pair.cases[0]}")["eligibility_reasons"]
    pair.undo()
    assert pair.everything() == before


def test_an_only_case_goes_along_with_its_figures(manager, admin, database):
    """Two plans of one region: each household has a case in one of them, and the one that goes counts."""
    plan = f"dup-{next(numbers)}"
    admin.post("/plans", {"code": plan, "name_zh": "重", "region": "640324", "begins_on": "2021-01-01", "ends_on": "2025-12-31", "who_counts": "a",
                          "eligibility": "any"})
    rows = twin_rows()
    rows[1]["区划代码"] = OTHER
    bring_in_rows(manager, rows[:1])
    counted = bring_in_rows(manager, rows[1:], plan)[rows[1]["户编号"]]
    scanned(database)
    people = [person_of(database, row) for row in rows]
    ((number, _, _),) = pairs(database, *people)
    manager.post(f"/duplicates/{number}/resolution", {"is": "both", "keep": people[0]})
    waits_rightly(database, counted)
    manager.post(f"/duplicates/{number}/undo", {})
    waits_rightly(database, counted)
    walk(manager, counted)
    assert [manager.progress(plan, region=place)["accepted"] for place in (PLACE, OTHER)] == [0, 1]
    manager.post(f"/duplicates/{number}/resolution", {"is": "both", "keep": people[0]})
    moved = manager.get(f"/cases/{counted}").json
    assert (moved["household_number"], moved["region"], moved["stage"], moved["merged_into"]) == (rows[0]["户编号"], PLACE, "accepted", None)
    assert [manager.progress(plan, region=place)["accepted"] for place in (PLACE, OTHER)] == [1, 0]
    manager.post(f"/duplicates/{number}/undo", {})
    back = manager.get(f"/cases/{counted}").json
    assert (back["household_number"], back["region"]) == (rows[1]["户编号"], OTHER)
    assert [manager.progress(plan, region=place)["accepted"] for place in (PLACE, OTHER)] == [0, 1]
    totals_agree(database)


def test_a_counted_case_is_not_withdrawn(manager, database):
    pair = Pair(manager, database)
    walk(manager, pair.cases[1])
    before = pair.everything()
    refused = pair.resolve("both", expect=409, code="duplicate_counted")
    assert refused["reasons"] == [str(pair.cases[1])] and pair.everything() == before
    # Keep that one; or revoke it first.
    pair.resolve("both", 1)
    pair.undo()
    move(manager, pair.cases[1], "built")
    pair.resolve("both")
    totals_agree(database)


def test_of_a_case_that_is_over_and_one_that_is_not_the_latter_stays(manager, database):
    pair = Pair(manager, database)
    walk(manager, pair.cases[0], "rejected")
    assert pair.resolve("both", expect=409, code="duplicate_keep_other")["reasons"] == [str(pair.cases[0])]
    before = pair.everything()
    pair.resolve("both", 1)
    # It was over already: nothing was withdrawn, and an undo leaves it so.
    assert manager.get(f"/cases/{pair.cases[0]}")["stage"] == "rejected"
    pair.undo()
    assert pair.everything() == before


def test_nobody_gets_rid_of_an_objection_by_a_merge(manager, database):
    pair = Pair(manager, database)
    walk(manager, pair.cases[1], "approved")
    notice = manager.post("/plans/tongxin/notices", {"region": "640324", "cases": [{"case": pair.cases[1]}], "days": 7,
                                                    "starts_on": "2023-03-01"}, expect=201)["id"]
    objection = manager.post(f"/notices/{notice}/objections", {"case": pair.cases[1], "content": "a", "received_at": "2023-03-02T02:00:00Z"}, expect=201)
    assert pair.resolve("both", expect=409, code="duplicate_objected")["reasons"] == [str(objection["id"])]


def test_a_merge_that_was_built_upon_is_not_undone(manager, database):
    pair = Pair(manager, database, twin_rows(**{"辅具需求": "轮椅"}))
    pair.resolve("both")

    def refused():
        return pair.undo(expect=409, code="duplicate_built_upon")["reasons"]
    stays = database.sql("SELECT id, state FROM need WHERE person_id = %s ORDER BY id LIMIT 1", pair.people[1])[0]
    database.sql("UPDATE need SET state = 'met' WHERE id = %s", stays[0])
    assert refused() == [f"need {stays[0]}"]
    database.sql("UPDATE need SET state = %s WHERE id = %s", stays[1], stays[0])
    manager.patch(f"/cases/{pair.cases[1]}", {"elder_retrofit": False})
    assert refused() == [f"case {pair.cases[1]}"]


def test_who_came_since_bars_an_undo_and_an_import_knows_both_numbers(manager, database):
    pair = Pair(manager, database)
    pair.resolve("both")
    again = manager.import_file("tongxin", needs.to_csv(pair.rows))
    assert again["rejected_by_code"] == {"duplicate_registered": 2} and again["nothing_new"]
    # A new member under the number that was merged away belongs to the household that goes on; no case is opened for him.
    newcomer = needs.row(household=pair.rows[1]["户编号"], **{"与户主关系": "父母"})
    assert manager.import_file("tongxin", needs.to_csv([newcomer]))["cases_opened"] == 0
    people = manager.get(f"/cases/{pair.cases[0]}/persons").items
    assert [one["name"] for one in people] == [pair.rows[0]["姓名"], newcomer["姓名"]]
    assert not manager.get(f"/cases/{pair.cases[1]}/persons").items[1:]
    assert pair.undo(expect=409, code="duplicate_built_upon")["reasons"] == [f"person {people[1]['id']}"]


def test_three_of_one_person_and_the_order_of_undoing(manager, database):
    rows = twin_rows(3)
    pair = Pair(manager, database, rows)
    listed = pairs(database, *pair.people)
    assert len(listed) == 3
    of = {frozenset(database.sql("SELECT low, high FROM duplicate WHERE id = %s", number)[0]): number for number, _, _ in listed}
    first, second, third = (of[frozenset(two)] for two in itertools.combinations(pair.people, 2))  # a-b, a-c, b-c
    before = pair.everything()
    manager.post(f"/duplicates/{first}/resolution", {"is": "both", "keep": pair.people[0]})
    assert manager.get(f"/duplicates/{third}")["state"] == "moot"
    manager.post(f"/duplicates/{third}/resolution", {"is": "both", "keep": pair.people[1]}, expect=409, code="duplicate_resolved")
    manager.post(f"/duplicates/{second}/resolution", {"is": "both", "keep": pair.people[2]})
    assert manager.get(f"/cases/{pair.cases[1]}")["merged_into"] == pair.cases[2]
    told = manager.post(f"/duplicates/{first}/undo", {}, expect=409, code="duplicate_built_upon")["reasons"]
    assert f"household {pair.homes[0]}" in told
    manager.post(f"/duplicates/{second}/undo", {})
    manager.post(f"/duplicates/{first}/undo", {})
    assert manager.get(f"/duplicates/{third}")["state"] == "open" and pair.everything() == before


def test_merges_that_share_people_at_the_same_time(manager, database, make_server, client_of):
    """Two servers, every pair of three registrations both ways at once: whoever is first wins, and what comes of it can be undone."""
    pair = Pair(manager, database, twin_rows(3))
    before, listed = pair.everything(), pairs(database, *pair.people)
    second = make_server("serve", "--no-work")
    wishes = [(number, keep) for number, _, _ in listed for keep in database.sql("SELECT low, high FROM duplicate WHERE id = %s", number)[0]]

    def merge(at):
        client = manager.clone(second if at % 2 else None)
        try:
            body = json.dumps({"is": "both", "keep": wishes[at][1]}).encode()
            return client._send("POST", f"/api/v1/duplicates/{wishes[at][0]}/resolution", body, {
                "Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}, 60)
        finally:
            client.close()
    with ThreadPoolExecutor(len(wishes)) as pool:
        answers = list(pool.map(merge, range(len(wishes))))
    assert {answer.status for answer in answers} <= {200, 409}, answers
    done = [wishes[at][0] for at, answer in enumerate(answers) if answer.status == 200]
    assert len(done) == len(set(done)) == 2  # three registrations, two merges
    stages = [manager.get(f"/cases/{case}")["stage"] for case in pair.cases]
    assert sorted(stages) == ["registered", "withdrawn", "withdrawn"]
    assert len(manager.get(f"/cases/{pair.cases[stages.index('registered')]}/persons").items) == 1
    for number in sorted(done, key=lambda number: database.sql("SELECT merged_at FROM duplicate_merge WHERE duplicate_id = %s", number), reverse=True):
        manager.post(f"/duplicates/{number}/undo", {})
    assert pair.everything() == before
    totals_agree(database)


def test_pairs_within_a_merged_household_are_settled_with_it(manager, database):
    """Two families with one phone whose first two have one name as well: the pair by phone alone is moot once they are one."""
    phone, born, name = f"138{next(numbers):08}", birthday(), f"马全{next(numbers)}"
    ahead = [needs.row(citizen=citizen(birthday()), **{"联系电话": phone}) for _ in range(2)]
    same = [needs.row(household=row["户编号"], citizen=citizen(born), **{"联系电话": phone, "姓名": name, "与户主关系": "父母"}) for row in ahead]
    bring_in_rows(manager, [*ahead, *same])
    scanned(database)
    heads, people = ([person_of(database, row) for row in rows] for rows in (ahead, same))
    ((by_phone, _, parts),), ((pair, _, _),) = pairs(database, *heads), pairs(database, *people)
    assert parts == {"phone": 60, "village": 20}
    manager.post(f"/duplicates/{pair}/resolution", {"is": "both", "keep": people[0]})
    assert manager.get(f"/duplicates/{by_phone}")["state"] == "moot"
    manager.post(f"/duplicates/{pair}/undo", {})
    assert manager.get(f"/duplicates/{by_phone}")["state"] == "open"
