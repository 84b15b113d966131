# SPDX-License-Identifier: Apache-2.0
"""Figures of devices through the API: who may ask, what opens into what, what an indicator counts; and the use of the stock, which
equals a recount out of the lives of the items."""
import datetime
import statistics

import pytest
import step_request
import step_stock
import stock_help

CHINA = datetime.timezone(datetime.timedelta(hours=8))


@pytest.fixture
def office(people):
    return people.manager("640324")


@pytest.fixture
def centre(people, database):
    return stock_help.centre(people, database)


def year():
    return datetime.datetime.now(CHINA).year


def rate(client, **query):
    return client.get("/plans/tongxin/device-rate", query=query).json


def test_a_fitting_counts_at_once_and_opens_into_who_was_fitted(office, centre, database):
    before, served = rate(office), office.get("/plans/tongxin/device-services").items
    needy = step_request.bring(office, 3)
    (item,) = step_stock.take_in(centre, stock_help.model(database))
    step_request.granted(centre, office, needy[0], item["code"])
    now = rate(office)
    assert (now["needing"], now["fitted"], now["waiting"]) == (before["needing"] + 3, before["fitted"] + 1, before["waiting"] + 2)
    assert now["rate"] == pytest.approx(100 * now["fitted"] / now["needing"], abs=0.0051) and now["exact"]
    assert (now["target"], now["direction"], now["met"]) == (95, "more_than", now["fitted"] * 100 > 95 * now["needing"])
    for measure in ("needing", "fitted", "waiting", "rented"):
        people = list(office.pages("/plans/tongxin/device-rate/people", measure=measure, limit=7))
        assert len(people) == len({one["id"] for one in people}) == now[measure]
        mine = {one["id"] for one in people} & {one.person for one in needy}
        assert mine == {"needing": {one.person for one in needy}, "fitted": {needy[0].person}, "waiting": {one.person for one in needy[1:]}}.get(measure, set())
    shown = next(one for one in office.pages("/plans/tongxin/device-rate/people", measure="fitted") if one["id"] == needy[0].person)
    assert shown["name"] == needy[0].row["姓名"][0] + "**" and shown["needs"] == ["手动轮椅"] and shown["region"] == needy[0].row["区划代码"]
    assert needy[0].citizen not in str(shown)
    yesterday = (datetime.datetime.now(CHINA) - datetime.timedelta(days=1)).date().isoformat()
    assert not {one["id"] for one in office.pages("/plans/tongxin/device-rate/people", measure="needing", as_of=yesterday)} & {one.person for one in needy}
    after = {row["service"]: row["people"] for row in office.get("/plans/tongxin/device-services").items}
    gained = {row["service"]: after[row["service"]] - row["people"] for row in served}
    assert gained == {"all": 1, "assessment": 1, "fitting": 1, "repair": 0, "rental": 0, "loan": 0}
    for service, count in after.items():
        assert len(list(office.pages("/plans/tongxin/device-services/people", service=service, limit=50))) == count


def test_figures_are_of_the_own_region(office, centre, people):
    (needy,) = step_request.bring(office)
    stranger, auditor = people.manager("230600"), people.auditor("640324")
    assert rate(auditor) == rate(office)
    lists = [("/device-rate/people", {"measure": "needing"}), ("/device-rate/counties", {}), ("/device-services", {}), ("/indicators/progress", {}),
             ("/device-services/people", {"service": "all"}), ("/device-services/devices", {})]
    stranger.get("/plans/tongxin/device-rate", expect=404, code="not_found")
    office.get("/plans/no-such/device-rate", expect=404)
    office.get("/plans/tongxin/device-rate", query={"region": "230602"}, expect=404)
    for path, query in lists:
        assert office.get("/plans/tongxin" + path, query=query).items
        assert stranger.get("/plans/tongxin" + path, query=query).items == []
        assert office.get("/plans/tongxin" + path, query={**query, "region": "230602"}).items == []
        centre.get("/plans/tongxin" + path, query=query, expect=403, code="role_not_allowed")
    (county,) = office.get("/plans/tongxin/device-rate/counties").items
    assert (county["region"], county["needing"]) == ("640324", rate(office)["needing"])
    here = rate(office, region=needy.row["区划代码"])
    assert 0 < here["needing"] <= county["needing"]
    office.get("/plans/tongxin/device-rate/people", expect=422)
    office.get("/plans/tongxin/device-rate", query={"as_of": "2026-02-30"}, expect=422)


def test_an_indicator_says_what_it_counts(admin, office, centre, database):
    plan = f"figures-{next(stock_help.numbers)}"  # of a time that is over: no day's work belongs to it
    admin.post("/plans", {"code": plan, "name_zh": "试验", "region": "640324", "begins_on": "2011-01-01", "ends_on": "2015-12-31", "who_counts": "a",
                          "eligibility": "any"}, expect=201)
    wheelchairs = {"name_zh": "轮椅", "unit": "piece", "target": 2, "direction": "at_least", "per": "year", "counts": "devices", "measure": "manual_wheelchair"}
    put = lambda indicator, body: office.put(f"/plans/{plan}/indicators/{indicator}", body)
    for change, code, field in (({"measure": "no_such"}, "measure_unknown", "/measure"), ({"measure": "ramp"}, "measure_unknown", "/measure"),
                                ({"counts": "served"}, "counts_no_kind", "/measure"), ({"counts": "served", "per": "period", "measure": None}, "counts_by_year", "/counts")):
        body = {name: value for name, value in {**wheelchairs, **change}.items() if value is not None}
        assert office.put(f"/plans/{plan}/indicators/wheelchairs", body, expect=422, code=code)["field"] == field
    assert put("wheelchairs", wheelchairs)["measure"] == "manual_wheelchair"
    put("ever", {**wheelchairs, "per": "period"})
    put("device_service_people", {"name_zh": "人数", "unit": "person", "target": 100, "direction": "at_least", "per": "year"})
    put("device_fitting_rate", {"name_zh": "适配率", "unit": "percent", "target": 90, "direction": "at_least", "per": "period"})
    put("households", {"name_zh": "户", "unit": "household", "target": 5, "direction": "at_least", "per": "period"})
    put("meals", {"name_zh": "餐", "unit": "piece", "target": 5, "direction": "at_least", "per": "year"})
    kept = put("wheelchairs", {name: value for name, value in wheelchairs.items() if name not in ("counts", "measure")})
    assert (kept["counts"], kept["measure"]) == ("devices", "manual_wheelchair")

    def told(**query):
        return {row["code"]: row for row in office.get(f"/plans/{plan}/indicators/progress", query=query).items}
    before = told()
    assert {code: row["counts"] for code, row in before.items()} == {"wheelchairs": "devices", "ever": "devices", "device_service_people": "served",
                                                                      "device_fitting_rate": "device_rate", "households": "households", "meals": None}
    assert before["meals"]["reached"] is None and before["meals"]["opening"] is None
    (needy,) = step_request.bring(office)
    (item,) = step_stock.take_in(centre, stock_help.model(database))
    given = step_request.granted(centre, office, needy, item["code"])
    now = told()
    for code in ("wheelchairs", "ever", "device_service_people"):
        assert now[code]["reached"] == before[code]["reached"] + 1
    assert now["wheelchairs"]["percent"] == 50 * now["wheelchairs"]["reached"] and now["wheelchairs"]["remaining"] == max(0, 2 - now["wheelchairs"]["reached"])
    assert now["device_fitting_rate"]["reached"] == office.get(f"/plans/{plan}/device-rate")["rate"]
    assert told(year=2014)["wheelchairs"]["reached"] == 0
    for row in now.values():
        if row["opening"] and row["counts"] != "device_rate":
            listed = list(office.pages(row["opening"].removeprefix("/api/v1"), limit=20))
            assert len(listed) == row["reached"], row
    pieces = list(office.pages(f"/plans/{plan}/device-services/devices", measure="manual_wheelchair", year=year()))
    (mine,) = [piece for piece in pieces if piece["id"] == given["id"]]
    assert (mine["item"], mine["person"], mine["name"]) == (item["code"], needy.person, needy.row["姓名"][0] + "**")
    own = next(row for row in admin.get("/plans/tongxin")["indicators"] if row["code"] == "hearing_aids")
    assert (own["counts"], own["measure"]) == ("devices", "hearing_aid")


# --- the stock ---


def some_lives(database, centre, hand, model):
    """Ten items that were taken in 100 days ago, lent for a while, and are somewhere on their way back; as (id, code)."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    ago = lambda days: now - datetime.timedelta(days=days)
    items = []
    for number in range(10):
        (made,) = database.sql("INSERT INTO device_item (model, serial, centre_id, source, acquired_on, state_at) SELECT %s, '', id, 'purchased', '2020-01-01', %s "
                               "FROM centre WHERE code = %s RETURNING id, code", model, ago(100 - number), centre.centre)
        item = {"id": made[0], "code": made[1]}
        items.append(item)
        if number >= 3:
            handover = hand.lend(item, happened=ago(80 - 3 * number))
        if number >= 5:
            hand.sql("UPDATE handover SET ended = 'returned', ended_at = %s WHERE id = %s", ago(30 - number), handover)
        if number >= 8:
            hand.event(item, "disinfect", hand.fact("disinfection", item, method="a", agent="a", began_at=ago(20)), happened=ago(20 - number))
    return items


def recount(database, items, low, high):
    """[(state, days of the time, began, ended)] of every stay, by the events alone."""
    found = []
    for item in items:
        events = database.sql("SELECT to_state, happened_at FROM device_event WHERE item_id = %s AND (from_state <> to_state) ORDER BY version", item["id"])
        events = [[state, at] for state, at in events]
        for before, after in zip(events, events[1:]):
            after[1] = max(before[1], after[1])
        for (state, began), end in zip(events, [at for _, at in events[1:]] + [None]):
            days = (min(end or high, high) - max(began, low)).total_seconds() / 86400
            found.append((state, max(days, 0), began, end, item["id"]))
    return found


def test_the_use_of_the_stock_equals_a_recount(database, centre, office, people):
    model, hand = stock_help.model(database), stock_help.Hand(database, office)
    items = some_lives(database, centre, hand, model)
    today = datetime.datetime.now(CHINA).date()
    first, last = today - datetime.timedelta(days=90), today - datetime.timedelta(days=10)
    low = datetime.datetime.combine(first, datetime.time(), CHINA)
    high = datetime.datetime.combine(last + datetime.timedelta(days=1), datetime.time(), CHINA)
    stays = recount(database, items, low, high)
    days = lambda *states: sum(stay[1] for stay in stays if stay[0] in states)
    asked = {"from": first.isoformat(), "until": last.isoformat()}
    for by, code in (("model", model), ("kind", "manual_wheelchair"), ("centre", centre.centre)):
        (row,) = centre.get("/device-use", query={"by": by, **asked}).items
        assert row["code"] == code and row["items"] == 10
        assert row["days"] == pytest.approx(sum(stay[1] for stay in stays), abs=0.01)
        assert (row["days_lent"], row["days_in_stock"]) == (pytest.approx(days("lent"), abs=0.01), pytest.approx(days("in_stock"), abs=0.01))
        assert row["utilisation"] == pytest.approx(100 * days("lent") / sum(stay[1] for stay in stays), abs=0.02)
        assert office.get("/device-use", query={"by": by, "centre": centre.centre, **asked}).items == [row]
    states = {row["state"]: row for row in centre.get("/device-states", query=asked).items}
    ended = {state: [(stay[3] - stay[2]).total_seconds() / 86400 for stay in stays if stay[0] == state and stay[3] and low <= stay[3] < high] for state in states}
    assert {state: row["items"] for state, row in states.items() if row["items"]} == {"in_stock": 3, "lent": 2, "returned": 3, "disinfecting": 2}
    for state, row in states.items():
        assert row["ended"]["stays"] == len(ended[state])
        assert row["ended"]["median_days"] == (pytest.approx(statistics.median(ended[state]), abs=0.01) if ended[state] else None)
        assert row["ended"]["mean_days"] == (pytest.approx(statistics.mean(ended[state]), abs=0.01) if ended[state] else None)
    assert states["returned"]["longest_days"] == pytest.approx(25, abs=0.05) and states["returned"]["median_days"] == pytest.approx(24, abs=0.05)
    # where items wait, the longest first; and what lies idle
    waiting = list(centre.pages("/device-waits", limit=2))
    assert [(row["id"], row["state"], row["days"]) for row in waiting] == [(items[5]["id"], "returned", 25), (items[6]["id"], "returned", 24),
        (items[7]["id"], "returned", 23), (items[8]["id"], "disinfecting", 12), (items[9]["id"], "disinfecting", 11)]
    assert [row["id"] for row in centre.pages("/device-waits", days=24)] == [items[5]["id"], items[6]["id"]]
    assert [row["id"] for row in office.pages("/device-waits", state="in_stock", centre=centre.centre, never_issued="true")] == [item["id"] for item in items[:3]]
    assert centre.get("/device-waits", query={"state": "lent", "never_issued": "true"}).items == []
    assert centre.get("/device-waits", query={"measure": "hearing_aid"}).items == []
    assert len(centre.get("/device-waits", query={"measure": "manual_wheelchair"}).items) == 5
    for other in (stock_help.centre(people, database), people.manager("230600")):  # another centre, another office
        assert other.get("/device-waits", query={"centre": centre.centre}).items == []
        assert other.get("/device-states", query={"centre": centre.centre}).items == []
        assert other.get("/device-use", query={"by": "model", "centre": centre.centre}).items == []
    assert [row["id"] for row in office.pages("/device-waits", region="640324", limit=200) if row["centre"] == centre.centre] == [row["id"] for row in waiting]
    assert office.get("/device-waits", query={"region": "230602"}).items == []


def test_a_return_by_mistake_has_not_been(database, centre, office):
    model, hand = stock_help.model(database), stock_help.Hand(database, office)
    items = some_lives(database, centre, hand, model)
    handover = database.sql("SELECT id FROM handover WHERE item_id = %s", items[9]["id"])[0][0]
    lent = database.sql("SELECT id FROM handover WHERE item_id = %s", items[3]["id"])[0][0]
    before = database.sql("SELECT version, state, ended_at FROM device_stay WHERE item_id = %s", items[3]["id"])
    hand.end(lent)
    assert database.sql("SELECT state FROM device_stay WHERE item_id = %s AND ended_at IS NULL", items[3]["id"]) == [("returned",)]
    hand.sql("UPDATE handover SET ended = NULL WHERE id = %s", lent)
    assert database.sql("SELECT version, state, ended_at FROM device_stay WHERE item_id = %s", items[3]["id"]) == before
    assert handover != lent and database.run("verify", "devices").returncode == 0


def test_the_application_writes_no_figure(database):
    for table in ("device_effect", "device_delta", "device_total", "device_stay", "need_standing", "household_move"):
        for change in (f"DELETE FROM {table}", f"INSERT INTO {table} DEFAULT VALUES"):
            with pytest.raises(Exception, match="permission denied"):
                database.sql(change, role="app")
    for function in ("device_settle(640324000, '{}')",):
        with pytest.raises(Exception, match="permission denied"):
            database.sql(f"SELECT {function}", role="app")
