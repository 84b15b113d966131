# SPDX-License-Identifier: Apache-2.0
"""The same Idempotency-Key: one effect, and the very same answer again."""
import itertools
import threading

import needs
import pytest
from conftest import PASSWORD, People
from processes import wait_until
from stages import bring_in, move, walk

numbers = itertools.count(1)


def new_key():
    return f"key-{next(numbers)}"


@pytest.fixture(scope="module")
def people(server, admin_session):
    people = People(admin_session)
    yield people
    for client in people.made:
        client.close()


@pytest.fixture(scope="module")
def manager(people):
    return people.manager("640324")


def same(first, again):
    assert (again.status, again.body, again.etag) == (first.status, first.body, first.etag)


def events(client, case):
    return len(client.get(f"/cases/{case}/events").items)


def test_a_transition_happens_once(manager):
    (case,) = bring_in(manager)
    key = new_key()
    first = move(manager, case, "approved", "2023-03-01T10:20:30.123456+08:00", key=key, satisfaction=3, evidence={"a": [1.5, None, "é"]})
    before = manager.progress("tongxin")
    for _ in range(3):
        same(first, move(manager, case, "approved", "2023-03-01T10:20:30.123456+08:00", key=key, satisfaction=3, evidence={"a": [1.5, None, "é"]}))
    assert events(manager, case) == 2 and manager.progress("tongxin") == before


def test_the_answer_stays_what_it_was_when_the_case_has_moved_on(manager):
    (case,) = bring_in(manager)
    key = new_key()
    first = move(manager, case, "approved", key=key)
    walk_on = move(manager, case, "surveyed")
    same(first, move(manager, case, "approved", key=key))
    assert manager.get(f"/cases/{case}")["version"] == walk_on["version"]


@pytest.mark.parametrize("note", ["", "换行\n和\t制表", "引号\"反斜\\ / \u2028 \U0001f600", "\x01\x1f\x7f", "e\u0301", "<b>&amp;</b>", "0", "null"])
def test_any_text_comes_back_byte_by_byte(manager, note):
    (case,) = bring_in(manager)
    key = new_key()
    first = move(manager, case, "approved", key=key, note=note)
    assert first["stage_note"] == note
    same(first, move(manager, case, "approved", key=key, note=note))


def test_the_same_key_with_another_body_is_refused(manager):
    (case,) = bring_in(manager)
    key = new_key()
    move(manager, case, "approved", key=key)
    for body in ({"to": "approved"}, {"to": "approved", "note": "another"}, {"to": "rejected", "note": "试验"}):
        manager.post(f"/cases/{case}/transitions", body, key=key, expect=422, code="idempotency_key_reused")
    assert events(manager, case) == 2


def test_the_same_key_elsewhere_is_refused(manager):
    first, second = bring_in(manager, 2)
    key = new_key()
    move(manager, first, "approved", key=key)
    move(manager, second, "approved", key=key, expect=422, code="idempotency_key_reused")
    manager.post(f"/cases/{first}/take-back", {}, key=key, expect=422, code="idempotency_key_reused")
    assert events(manager, second) == 1


def test_a_condition_is_no_part_of_the_body(manager):
    (case,) = bring_in(manager)
    key = new_key()
    first = move(manager, case, "approved", key=key, match='"1"')
    same(first, move(manager, case, "approved", key=key, match='"2"'))
    same(first, move(manager, case, "approved", key=key))


def test_keys_are_per_account(people, manager):
    other = people.manager("640324")
    first, second = bring_in(manager, 2)
    key = new_key()
    move(manager, first, "approved", key=key)
    assert move(other, second, "approved", key=key)["id"] == second
    same(move(other, second, "approved", key=key), move(other, second, "approved", key=key))


def test_a_refusal_is_given_again_too(manager):
    (case,) = bring_in(manager)
    key = new_key()
    first = move(manager, case, "accepted", key=key, expect=422, code="stage_not_allowed")
    walk(manager, case, "built")
    again = move(manager, case, "accepted", key=key, expect=422, code="stage_not_allowed")
    same(first, again)
    assert move(manager, case, "accepted", key=new_key())["stage"] == "accepted"


def test_a_lost_race_is_given_again_too(manager):
    (case,) = bring_in(manager)
    move(manager, case, "approved")
    key = new_key()
    first = move(manager, case, "surveyed", key=key, match='"1"', expect=412, code="stale")
    move(manager, case, "surveyed")
    same(first, move(manager, case, "surveyed", key=key, match='"1"', expect=412))


def test_a_foreign_case_is_given_again_too(people, manager):
    (case,) = bring_in(manager)
    foreigner = people.manager("222400")
    key = new_key()
    same(move(foreigner, case, "approved", key=key, expect=404), move(foreigner, case, "approved", key=key, expect=404))


def test_a_request_that_could_not_be_read_takes_no_key(manager):
    (case,) = bring_in(manager)
    key = new_key()
    move(manager, case, "finished", key=key, expect=422, code="not_allowed")
    assert move(manager, case, "approved", key=key)["stage"] == "approved"


def test_take_back_happens_once(manager):
    (case,) = bring_in(manager)
    walk(manager, case, "surveyed")
    key = new_key()
    first = manager.post(f"/cases/{case}/take-back", {}, key=key)
    move(manager, case, "surveyed")
    same(first, manager.post(f"/cases/{case}/take-back", {}, key=key))
    assert manager.get(f"/cases/{case}")["stage"] == "surveyed"


def test_relocation_happens_once(manager):
    (case,) = bring_in(manager)
    key, body = new_key(), {"region": "640324202", "village": "v", "address": "a"}
    first = manager.post(f"/cases/{case}/relocation", body, key=key)
    same(first, manager.post(f"/cases/{case}/relocation", body, key=key))
    assert events(manager, case) == 2


def test_patch_and_put_honour_it(manager, people, admin):
    (case,) = bring_in(manager)
    people.contractor("firm-key")
    key = new_key()
    first = manager.patch(f"/cases/{case}", {"contractor": "firm-key"}, key=key)
    same(first, manager.patch(f"/cases/{case}", {"contractor": "firm-key"}, key=key))
    assert manager.get(f"/cases/{case}")["version"] == 2
    indicator = {"name_zh": "个", "unit": "piece", "target": 0.1, "direction": "at_least", "per": "year"}
    key = new_key()
    first = manager.put("/plans/tongxin/indicators/by_key", indicator, key=key)
    same(first, manager.put("/plans/tongxin/indicators/by_key", indicator, key=key))
    key = new_key()
    items = {"items": [{"year": 2023, "value": 0}]}
    first = manager.put("/plans/tongxin/targets/by_key", items, key=key)
    same(first, manager.put("/plans/tongxin/targets/by_key", items, key=key))
    assert manager.get("/plans/tongxin/targets").items


def test_a_user_is_made_once(admin):
    user, key = f"once-{next(numbers)}", new_key()
    body = {"user": user, "password": PASSWORD, "role": "manager", "region": "640324"}
    first = admin.post("/users", body, key=key, expect=201)
    same(first, admin.post("/users", body, key=key, expect=201))
    admin.post("/users", {**body, "password": PASSWORD + "x"}, key=key, expect=422, code="idempotency_key_reused")
    admin.post("/users", body, key=new_key(), expect=409, code="user_taken")
    assert [account["user"] for account in admin.pages("/users", limit=200)].count(user) == 1


def test_no_password_is_kept_with_the_key(admin, database):
    user, key = f"once-{next(numbers)}", new_key()
    admin.post("/users", {"user": user, "password": "A-secret-not-to-keep", "role": "auditor", "region": "640324"}, key=key)
    kept = database.sql("SELECT answer::text FROM idempotency WHERE key = %s", key)[0][0]
    assert "secret" not in kept and "argon2" not in kept


def test_a_plan_is_made_once(admin):
    key = new_key()
    body = {"code": "by-key", "name_zh": "计划", "region": "640324", "begins_on": "2026-01-01", "ends_on": "2030-12-31",
            "who_counts": "x", "eligibility": "any", "notice_days": 5, "subsidy_ceiling": 100}
    first = admin.post("/plans", body, key=key, expect=201)
    same(first, admin.post("/plans", body, key=key, expect=201))
    assert first["begins_on"] == "2026-01-01"
    admin.post("/plans", body, expect=409, code="plan_taken")


def test_an_import_is_made_once(manager, database):
    data, key = needs.to_csv([needs.row()]), new_key()

    def upload(data, **options):
        return manager.post("/imports", data, query={"plan": "tongxin", "mode": "good_rows"}, headers={"Content-Type": "text/csv"},
                            key=key, **options)

    first = upload(data, expect=202)
    same(first, upload(data, expect=202))
    upload(needs.to_csv([needs.row()]), expect=422, code="idempotency_key_reused")
    manager.post("/imports", data, query={"plan": "tongxin", "mode": "dry_run"}, headers={"Content-Type": "text/csv"}, key=key,
                 expect=422, code="idempotency_key_reused")
    wait_until(lambda: manager.get(f"/imports/{first['id']}")["state"] == "done", 60)
    same(first, upload(data, expect=202))
    assert database.sql("SELECT count(*) FROM needs_import WHERE id >= %s", first["id"]) == [(1,)]
    # Nor does the second upload stay on the disk.
    files = {name for name, in database.sql("SELECT file FROM needs_import")}
    assert {file.name for file in (database.var / "uploads").glob("needs-*")} <= files


def test_a_second_server_gives_the_kept_answer(manager, make_server):
    second = make_server("serve", "--no-work")
    (case,) = bring_in(manager)
    key = new_key()
    first = move(manager, case, "approved", key=key)
    same(first, move(manager.clone(second), case, "approved", key=key))


@pytest.mark.parametrize("servers", [1, 2])
def test_concurrent_duplicates_have_one_effect(manager, make_server, servers):
    clients = [manager.clone() for _ in range(6)]
    if servers == 2:
        second = make_server("serve", "--no-work")
        clients = clients[:3] + [manager.clone(second) for _ in range(3)]
    for case in bring_in(manager, 8):
        key, answers, gate = new_key(), [], threading.Barrier(len(clients))

        def send(client):
            gate.wait()
            answers.append(client._send("POST", f"/api/v1/cases/{case}/transitions", b'{"to": "approved"}', {
                "Authorization": f"Bearer {client.token}", "Content-Type": "application/json", "Idempotency-Key": key}, 30))

        threads = [threading.Thread(target=send, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done = [answer for answer in answers if answer.status == 200]
        assert done and len({answer.body for answer in done}) == 1
        assert all(answer["code"] == "request_in_progress" for answer in answers if answer.status == 409)
        assert {answer.status for answer in answers} <= {200, 409}, [repr(answer) for answer in answers]
        assert events(manager, case) == 2
        assert move(manager, case, "approved", key=key, expect=422, code="idempotency_key_reused")
    for client in clients:
        client.close()


def test_sign_in_takes_no_key(client, manager):
    """The answer holds a secret: it is never kept."""
    body = {"user": manager.user, "password": PASSWORD}
    tokens = {client.post("/session", body, key="sign-in")["token"] for _ in range(2)}
    assert len(tokens) == 2


def test_reading_takes_no_key(manager):
    key = new_key()
    assert manager.get("/plans", headers={"Idempotency-Key": key}).items
    assert manager.get("/cases", headers={"Idempotency-Key": key}, query={"limit": 1})
