# SPDX-License-Identifier: Apache-2.0
"""Fittings and trials: the person keeps it. Who may have it, once in its service life, signed for, by one of many at once."""
import datetime
import threading

import pytest
import step_centre
import step_request
import step_stock

SIGNATURE = {"strokes": [[10, 10, 20, 30.5, 40, 20], [50, 50]]}


@pytest.fixture
def office(people):
    return people.manager("640324")


@pytest.fixture
def centre(people):
    return step_centre.set_up(people)


@pytest.fixture
def model(admin):
    return step_centre.model(admin)


def asked(office, centre, count=1, **more):
    """That many people, each with a request that passed, for a fitting: [(person, request)]."""
    found = []
    for one in step_request.bring(office, count, **more):
        found.append((one, step_request.open_request(office, one.person, centre=centre.centre)))
        step_request.assess(centre, found[-1][1])
    return found


def again(client, office, centre, person):
    """One more request of that person, which passed."""
    request = step_request.open_request(office, person, centre=centre.centre)
    step_request.assess(client, request)
    return request


def months_later(day, months):
    whole = datetime.date.fromisoformat(day)
    year, month = divmod(whole.year * 12 + whole.month - 1 + months, 12)
    for last in (31, 30, 29, 28):
        try:
            return whole.replace(year=year, month=month + 1, day=min(whole.day, last)).isoformat()
        except ValueError:
            continue


def test_the_straight_way(office, centre, model, database):
    """From a need in a file to a wheelchair that is signed for, and what it cost whom."""
    (item,) = step_stock.take_in(centre, model, price=75000)
    (one,) = step_request.bring(office)
    request = step_request.open_request(office, one.person, centre=centre.centre)
    seen = centre.get(f"/device-requests/{request}")
    assert (seen["state"], seen["source"], seen["centre"], seen["person"]) == ("waiting", "import", centre.centre, one.person)
    assert seen["for"]["name"] == one.row["姓名"] and seen["for"]["phone"] == one.row["联系电话"] and seen["for"]["address"] == one.row["详细地址"]
    assert seen["score"] == sum(part["points"] for part in seen["for"]["parts"]) > 0
    assessed = step_request.assess(centre, request)
    assert (assessed["state"], assessed["assessed_for"], assessed["version"]) == ("assessed", "fitting", 2)
    fitting = step_request.fit(centre, request, item["code"], signature=SIGNATURE, key=f"fit-{request}")
    assert step_request.fit(centre, request, item["code"], signature=SIGNATURE, key=f"fit-{request}").json == fitting.json
    assert (fitting["price"], fitting["subsidy"], fitting["self_paid"], fitting["signed"]) == (75000, 60000, 15000, True)
    assert (fitting["service_months"], fitting["life_until"]) == (36, months_later(fitting["fitted_on"], 36))
    whole = centre.get(f"/fittings/{fitting['id']}")
    assert whole["signature"]["strokes"] == SIGNATURE and whole["signature"]["signer"] == one.row["姓名"]
    assert centre.get(f"/device-items/{item['code']}")["state"] == "fitted"
    seen = centre.get(f"/device-requests/{request}")
    assert seen["state"] == "fulfilled" and seen["granted_until"] == fitting["life_until"] and [h["kind"] for h in seen["handovers"]] == ["fitting"]
    assert database.sql("SELECT state FROM need WHERE id = %s", seen["need"]) == [("met",)]
    page = centre.get(f"/fittings/{fitting['id']}/receipt").body.decode("utf-8")
    assert all(text in page for text in (item["code"], "750.00", "600.00", "150.00", fitting["life_until"], one.row["姓名"], 'points="10 10 20 30.5 40 20"'))
    assert len(database.sql("SELECT what FROM access_record WHERE subject = %s AND what LIKE '%%fitting'", one.person)) == 2


def test_terms_are_those_of_the_day(office, centre, model, admin, database):
    """What the plan grants counts; what a model costs later changes nothing that was granted; what was donated costs nothing."""
    a, b, c = step_stock.take_in(centre, model, 3)
    (_, first), (_, second), (_, third) = asked(office, centre, 3)
    done = step_request.fit(centre, first, a["code"])
    assert (done["price"], done["subsidy"], done["self_paid"]) == (80000, 60000, 20000)
    database.sql("UPDATE device_model SET price = 50000, service_months = 12 WHERE code = %s", model)
    assert centre.get(f"/fittings/{done['id']}")["price"] == 80000 and centre.get(f"/fittings/{done['id']}")["service_months"] == 36
    cheap = step_request.fit(centre, second, b["code"])
    assert (cheap["price"], cheap["subsidy"], cheap["self_paid"], cheap["service_months"]) == (50000, 50000, 0, 12)
    database.sql("UPDATE device_item SET source = 'donated' WHERE code = %s", c["code"])
    given = step_request.fit(centre, third, c["code"])
    assert (given["price"], given["subsidy"], given["self_paid"]) == (0, 0, 0)


def test_what_may_not_be_fitted(office, centre, model, people, admin):
    """Each refusal by its name, and nothing is changed by it."""
    item, other = step_stock.take_in(centre, model, 2)
    cane = step_stock.take_in(centre, step_centre.model(admin, measure="white_cane"))[0]
    ((one, request),) = asked(office, centre)
    rental = step_request.open_request(office, step_request.bring(office)[0].person, centre=centre.centre)
    step_request.fit(centre, rental, item["code"], expect=409, code="request_not_assessed")
    step_request.assess(centre, rental, "rental")
    elsewhere = step_stock.take_in(step_centre.set_up(people), model)[0]
    for of, what, code, more in ((1, item, "request_unknown", {}), (request, {"code": "nothing"}, "device_unknown", {}), (request, cane, "device_kind_differs", {}),
                                 (rental, item, "assessed_otherwise", {}), (request, elsewhere, "device_unknown", {}),
                                 (request, item, "signature_unreadable", {"signature": {"strokes": [[1]]}}),
                                 (request, item, "signature_unreadable", {"signature": {"strokes": "a"}}),
                                 (request, item, "signature_unreadable", {"signature": {"strokes": [[1, "a"]]}}),
                                 (request, item, "happened_in_future", {"happened_at": "2199-01-01T00:00:00Z"}),
                                 (request, item, "happened_before_last", {"happened_at": "2020-01-01T00:00:00Z"})):
        step_request.fit(centre, of, what["code"], expect=422 if code.startswith(("request_u", "device_u", "sig", "hap")) else 409, code=code, **more)
    step_request.fit(office, request, elsewhere["code"], expect=409, code="request_elsewhere")
    for stranger in (step_centre.set_up(people), people.county("630106")):
        step_request.fit(stranger, request, item["code"], expect=422, code="request_unknown")
    for role in (people.auditor("640324"), people.assessor("640324"), admin):
        step_request.fit(role, request, item["code"], expect=403, code="role_not_allowed")
    assert centre.get(f"/device-items/{item['code']}")["version"] == 1
    done = step_request.fit(centre, request, item["code"])
    step_request.fit(centre, request, other["code"], expect=409, code="request_not_assessed")
    ((_, late),) = asked(office, centre)
    step_request.fit(centre, late, item["code"], expect=409, code="device_out")
    for stranger in (step_centre.set_up(people), people.county("630106")):
        for path in ("", "/receipt"):
            stranger.get(f"/fittings/{done['id']}{path}", expect=404)
        stranger.post(f"/fittings/{done['id']}/signature", {"signature": SIGNATURE}, expect=404)


def test_once_in_its_service_life(office, centre, people, model, admin):
    """At any centre; told until when, and no more; an office excepts, once; a centre does not."""
    a, b = step_stock.take_in(centre, model, 2)
    other = step_centre.set_up(people)
    (c, d) = step_stock.take_in(other, model, 2)
    ((one, request),) = asked(office, centre)
    done = step_request.fit(centre, request, a["code"])
    second = again(other, office, other, one.person)
    assert other.get(f"/device-requests/{second}")["granted_until"] == done["life_until"]
    refused = step_request.fit(other, second, c["code"], expect=409, code="within_service_life")
    assert refused["reasons"] == [done["life_until"]]
    other.get(f"/fittings/{done['id']}", expect=404)
    other.post(f"/device-requests/{second}/exception", {"reason": "a"}, expect=403)
    office.post(f"/device-requests/{second}/exception", {"reason": " "}, expect=422, code="note_required")
    office.post(f"/device-requests/{second}/exception", {"reason": "a"}, match='"1"', expect=412)
    excepted = office.post(f"/device-requests/{second}/exception", {"reason": "轮椅被洪水冲走"})
    assert excepted["exception"] == "轮椅被洪水冲走"
    office.post(f"/device-requests/{second}/exception", {"reason": "a"}, expect=409, code="exception_there")
    fitted = step_request.fit(other, second, c["code"])
    assert fitted["exception"] == "轮椅被洪水冲走"
    third = again(other, office, other, one.person)  # it was for that one
    step_request.fit(other, third, d["code"], expect=409, code="within_service_life")
    # Another kind is another thing, and needs no exception.
    ((_, fresh),) = asked(office, centre)
    office.post(f"/device-requests/{fresh}/exception", {"reason": "a"}, expect=409, code="exception_not_needed")


def test_what_came_back_was_not_kept(office, centre, model, database):
    """On the same day it was none: the request is assessed again, and another item is fitted for it. Later it was one, but no bar."""
    a, b, c = step_stock.take_in(centre, model, 3)
    ((one, request),) = asked(office, centre)
    done = step_request.fit(centre, request, a["code"])
    give_back(database, office, done["id"])
    seen = centre.get(f"/device-requests/{request}")
    assert (seen["state"], seen["granted_until"]) == ("assessed", None)
    lost = step_request.fit(centre, request, b["code"])
    give_back(database, office, lost["id"], "lost")
    second = again(centre, office, centre, one.person)
    refused = step_request.fit(centre, second, c["code"], expect=409, code="within_service_life")
    assert refused["reasons"] == [lost["life_until"]]


def give_back(database, office, handover, ended="returned"):
    database.sql("""SELECT set_config('tantu.role', 'county', true), set_config('tantu.account', %s, true), set_config('tantu.low', '0', true),
        set_config('tantu.high', '999999999', true); UPDATE handover SET ended = %s, note = '试验' WHERE id = %s""", str(office.get("/session")["id"]), ended, handover)


def test_after_its_life_another(office, centre, model, database):
    """Counted from the day of the fitting, to the day: not the day before."""
    a, b = step_stock.take_in(centre, model, 2)
    ((one, request),) = asked(office, centre)
    done = step_request.fit(centre, request, a["code"])
    second = again(centre, office, centre, one.person)
    database.sql("UPDATE fitting SET life_until = china_date(now()) + 1 WHERE handover_id = %s", done["id"])
    step_request.fit(centre, second, b["code"], expect=409, code="within_service_life")
    database.sql("UPDATE fitting SET life_until = china_date(now()) WHERE handover_id = %s", done["id"])
    step_request.fit(centre, second, b["code"])


def at_once(calls):
    """All of them together; the statuses."""
    gate, statuses = threading.Barrier(len(calls)), []

    def one(call):
        gate.wait()
        statuses.append(call().status)
    threads = [threading.Thread(target=one, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(statuses)


def fits(client, request, item):
    own = client.clone()
    return lambda: own._send(
        "POST", "/api/v1/fittings", f'{{"request": {request}, "item": "{item}"}}'.encode(),
        {"Authorization": f"Bearer {own.token}", "Content-Type": "application/json"}, 60)


def test_many_at_once(office, centre, model, database, people):
    """One item for four requests, one request with four items, two requests of one person: one of each succeeds."""
    items = step_stock.take_in(centre, model, 7)
    waiting = asked(office, centre, 4)
    assert at_once([fits(centre, request, items[0]["code"]) for _, request in waiting]) == [201, 409, 409, 409]
    left = next(request for _, request in waiting if centre.get(f"/device-requests/{request}")["state"] == "assessed")
    assert at_once([fits(centre, left, item["code"]) for item in items[1:5]]) == [201, 409, 409, 409]
    other = step_centre.set_up(people)
    (mine,), ((one, first),) = step_stock.take_in(other, model), asked(office, centre)
    # (Only one request of a person and kind is open: a second one comes by another word for the same thing.)
    database.sql("INSERT INTO need (plan_region, id, household_id, person_id, kind, item) SELECT plan_region, id_in(plan_region, 'need_number'), household_id, "
                 "person_id, kind, '轮椅' FROM need WHERE person_id = %s AND kind = 'device'", one.person)
    database.sql("INSERT INTO device_request (plan_region, person_id, need_id, measure, centre_id, source) SELECT n.plan_region, n.person_id, n.id, "
                 "'manual_wheelchair', c.id, 'import' FROM need n, centre c WHERE n.person_id = %s AND n.item = '轮椅' AND c.code = %s", one.person, other.centre)
    second = other.get("/device-requests").items[0]["id"]
    step_request.assess(other, second)
    assert at_once([fits(centre, first, items[5]["code"]), fits(other, second, mine["code"])]) == [201, 409]


def test_signed_afterwards_once(office, centre, model):
    (item,) = step_stock.take_in(centre, model)
    ((one, request),) = asked(office, centre)
    done = step_request.fit(centre, request, item["code"])
    assert not done["signed"] and centre.get(f"/fittings/{done['id']}")["signature"]["at"] is None
    assert "polyline" not in centre.get(f"/fittings/{done['id']}/receipt").body.decode("utf-8")
    assert [f["id"] for f in centre.get("/fittings", query={"signed": "false"}).items] == [done["id"]]
    centre.post(f"/fittings/{done['id']}/signature", {"signature": {}}, expect=422, code="signature_unreadable")
    signed = centre.post(f"/fittings/{done['id']}/signature", {"signature": SIGNATURE, "signer": "马小红（女儿）"})
    assert signed["signed"] and centre.get(f"/fittings/{done['id']}")["signature"]["signer"] == "马小红（女儿）"
    centre.post(f"/fittings/{done['id']}/signature", {"signature": SIGNATURE}, expect=409, code="handover_signed")
    assert centre.get("/fittings", query={"signed": "false"}).items == [] and len(centre.get("/fittings", query={"signed": "true"}).items) == 1


def test_lists_of_fittings(office, centre, people, model):
    items = step_stock.take_in(centre, model, 3)
    ids = [step_request.fit(centre, request, item["code"])["id"] for (_, request), item in zip(asked(office, centre, 3), items)]
    assert [one["id"] for one in centre.pages("/fittings", limit=2)] == ids
    for client in (office, people.manager("640000"), people.auditor("640324")):
        assert [one["id"] for one in client.pages("/fittings", centre=centre.centre, limit=2)] == ids
        assert set(ids) <= {one["id"] for one in client.pages("/fittings", measure="manual_wheelchair", limit=200)}
        assert not [one for one in client.pages("/fittings", measure="crutch", limit=200) if one["id"] in ids]
    assert all(one["person_name"].endswith("*") for one in centre.get("/fittings").items)
    assert not [one for one in people.manager("630000").pages("/fittings", limit=200) if one["id"] in ids]
    assert [] == step_centre.set_up(people).get("/fittings", query={"centre": centre.centre}).items


def test_a_trial_is_kept_or_comes_back(office, centre, people, model, database):
    a, b = step_stock.take_in(centre, model, 2)
    ((one, request),) = asked(office, centre)
    step_request.try_out(centre, request, a["code"], "2020-01-01T00:00:00Z", expect=422, code="due_before_begin")
    trial = step_request.try_out(centre, request, a["code"], signature=SIGNATURE)
    assert (trial["kind"], trial["signed"], trial["fitted_on"]) == ("trial", True, None)
    assert centre.get(f"/device-items/{a['code']}")["state"] == "lent"
    centre.post(f"/device-requests/{request}/cancellation", {"reason": "a"}, expect=409, code="request_on_trial")
    office.post(f"/device-requests/{request}/centre", {"centre": centre.centre}, expect=409, code="request_on_trial")
    centre.post(f"/device-requests/{request}/assessment/take-back", expect=409, code="assessment_used")
    step_request.assess(centre, request, outcome="reassess", reason="a", reassess_on="2027-01-01", expect=409, code="request_on_trial")
    assert [t["id"] for t in centre.get("/trials").items] == [trial["id"]]
    assert centre.get("/trials", query={"overdue": "true"}).items == []
    database.sql("ALTER TABLE handover DISABLE TRIGGER USER; UPDATE handover SET due_at = now() - interval '1 hour', happened_at = now() - interval '1 day' "
                 "WHERE id = %s; ALTER TABLE handover ENABLE TRIGGER USER", trial["id"])
    for client in (centre, office):
        assert [t["id"] for t in client.get("/trials", query={"overdue": "true", "centre": centre.centre}).items] == [trial["id"]]
    assert trial["id"] in [t["id"] for t in office.pages("/trials", limit=200)]
    step_centre.set_up(people).post(f"/trials/{trial['id']}/keep", {}, expect=404)
    centre.post(f"/trials/{trial['id']}/keep", {}, match='"99"', expect=412)
    kept = centre.post(f"/trials/{trial['id']}/keep", {"signature": SIGNATURE, "signer": "马文"})
    assert (kept["kind"], kept["signed"], kept["ended"]) == ("fitting", True, None) and kept["life_until"] == months_later(kept["fitted_on"], 36)
    assert centre.get(f"/device-requests/{request}")["state"] == "fulfilled" and centre.get(f"/device-items/{a['code']}")["state"] == "fitted"
    centre.post(f"/trials/{trial['id']}/keep", {}, expect=409, code="handover_over")
    second = again(centre, office, centre, one.person)
    tried = step_request.try_out(centre, second, b["code"])
    refused = centre.post(f"/trials/{tried['id']}/keep", {}, expect=409, code="within_service_life")
    assert refused["reasons"] == [kept["life_until"]]
    give_back(database, office, tried["id"])
    centre.post(f"/trials/{tried['id']}/keep", {}, expect=409, code="handover_over")
    centre.post(f"/device-requests/{second}/cancellation", {"reason": "不合适"})


def test_who_writes_around_the_api(office, centre, model, database):
    """As the application's role: no fitting within the life of another, no exception by a centre, nothing granted that is not written down."""
    a, b = step_stock.take_in(centre, model, 2)
    ((one, request),) = asked(office, centre)
    done = step_request.fit(centre, request, a["code"])
    second = again(centre, office, centre, one.person)
    number = database.sql("SELECT id FROM centre WHERE code = %s", centre.centre)[0][0]
    with database.connect("app") as connection, connection.cursor() as cursor:
        for sql in (f"UPDATE device_request SET exception = 'a', exception_by = 1 WHERE id = {second}",
                    f"INSERT INTO handover (plan_region, id, kind, item_id, person_id, request_id) SELECT plan_region, id_in(plan_region, 'handover_number'), "
                    f"'fitting', {b['id']}, person_id, id FROM device_request WHERE id = {second}",
                    f"UPDATE fitting SET life_until = '2000-01-01' WHERE handover_id = {done['id']}",
                    f"DELETE FROM fitting WHERE handover_id = {done['id']}",
                    f"UPDATE device_assessment SET outcome = 'pass' WHERE request_id = {second}"):
            cursor.execute("SELECT set_config('tantu.role', 'centre', true), set_config('tantu.account', '1', true), set_config('tantu.low', '0', true), "
                           "set_config('tantu.high', '999999999', true), set_config('tantu.centre', %s, true)", (str(number),))
            with pytest.raises(Exception) as refused:
                cursor.execute(sql)
            assert refused.value.pgcode in ("TT005", "42501"), (sql, refused.value)
            connection.rollback()
