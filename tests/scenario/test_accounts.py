# SPDX-License-Identifier: Apache-2.0
"""Who gets in, as what, and what each role may do."""
import itertools
import threading
import time

import pytest
from conftest import PASSWORD, People
from processes import ADMIN_PASSWORD, wait_until

ROLES = {"contractor": {"contractor": "firm-accounts"}, "assessor": {}, "centre": {"centre": "centre-accounts"},
         "county": {"region": "640324"}, "manager": {"region": "640324"}, "auditor": {"region": "640324"}, "admin": {}}
numbers = itertools.count(1)


def new_user(admin, role="manager", **fields):
    user = f"account-{next(numbers)}"
    return admin.post("/users", {"user": user, "password": PASSWORD, "role": role, **ROLES[role], **fields}, expect=201)


@pytest.fixture(scope="module")
def everybody(server, contract, admin_session):
    people = People(admin_session)
    yield {role: people(role, **fields) for role, fields in ROLES.items()}
    for client in people.made:
        client.close()


# --- signing in and out ---


def test_signing_in_by_bearer_and_by_cookie(admin, client):
    user = new_user(admin)["user"]
    answer = client.post("/session", {"user": user, "password": PASSWORD}, expect=201)
    cookie = answer.headers["Set-Cookie"]
    for word in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="):
        assert word in cookie
    assert cookie.startswith(f"tantu_session={answer['token']};")
    client.token = answer["token"]
    assert client.get("/session")["user"] == user
    client.token = None
    for header in (f"tantu_session={answer['token']}", f"a=b; tantu_session={answer['token']}; c=d"):
        assert client.get("/session", headers={"Cookie": header})["user"] == user
    for header in (f"tantu_session={answer['token']}x", f"xtantu_session={answer['token']}", "tantu_session=", "tantu_session"):
        client.get("/session", headers={"Cookie": header}, expect=401)


def test_signing_out_ends_the_session_and_the_cookie(admin):
    first, second = (admin.sign_in(new_user(admin)["user"], PASSWORD) for _ in range(2))
    answer = first.delete("/session", expect=204)
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    first.get("/session", expect=401, code="sign_in_required")
    first.delete("/session", expect=401)
    assert second.get("/session")


def test_a_session_is_one_of_several(admin):
    user = new_user(admin)["user"]
    first, second = admin.sign_in(user, PASSWORD), admin.sign_in(user, PASSWORD)
    assert first.token != second.token
    first.delete("/session")
    assert second.get("/session")["user"] == user


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer ", "Bearer x", "Basic YWRtaW46YWRtaW4=", "bearer " + "a" * 43,
                                           "Bearer " + "a" * 5000, "Bearer ../../etc", "Bearer \xff"])
def test_a_token_that_is_none_lets_nobody_in(client, authorization):
    answer = client.get("/plans", headers={"Authorization": authorization}, expect=401, code="sign_in_required")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_word_bearer_in_any_case(admin):
    client = admin.clone()
    token, client.token = client.token, None
    assert client.get("/plans", headers={"Authorization": f"bearer {token}"}).items


def test_a_wrong_password_and_an_unknown_user_cannot_be_told_apart(admin, client):
    user = new_user(admin)["user"]

    def refusal(user, password):
        started = time.monotonic()
        answer = client.post("/session", {"user": user, "password": password}, expect=401, code="wrong_user_or_password")
        return time.monotonic() - started, answer.body, sorted(answer.headers.keys())

    wrong, unknown = ([refusal(*pair) for _ in range(5)] for pair in ((user, "wrong-password"), ("nobody-at-all", PASSWORD)))
    assert wrong[0][1:] == unknown[0][1:]
    quick, slow = sorted((min(wrong)[0], min(unknown)[0]))
    assert slow < 3 * quick + 0.02, (wrong, unknown)


@pytest.mark.parametrize("password", [PASSWORD + " ", PASSWORD[:-1], PASSWORD.upper(), " " + PASSWORD, PASSWORD + "x" * 100])
def test_nearly_the_password_is_not_the_password(admin, client, password):
    user = new_user(admin)["user"]
    client.post("/session", {"user": user, "password": password}, expect=401)


@pytest.mark.parametrize("body, field", [({}, "/user"), ({"user": "admin"}, "/password"), ({"password": "x"}, "/user"),
                                         ({"user": "", "password": "x"}, "/user"), ({"user": "admin", "password": ""}, "/password"),
                                         ({"user": 1, "password": "x"}, "/user"), ({"user": "admin", "password": "x" * 201}, "/password"),
                                         ({"user": "admin", "password": None}, "/password")])
def test_signing_in_without_all_it_takes(client, body, field):
    answer = client.post("/session", body, expect=422)
    assert answer["field"] == field and "x" * 201 not in str(answer.json)


def test_a_password_of_any_letters(admin, client):
    user, password = f"account-{next(numbers)}", "坦途 пароль \U0001f600 \"\\ é"
    admin.post("/users", {"user": user, "password": password, "role": "auditor", "region": "640324"})
    assert client.post("/session", {"user": user, "password": password})["role"] == "auditor"


# --- accounts ---


@pytest.mark.parametrize("role", ROLES)
def test_each_role_signs_in_as_what_it_is(everybody, role):
    me = everybody[role].get("/session").json
    assert me["role"] == role and me["user"] == everybody[role].user
    for name in ("region", "contractor", "centre"):
        assert me[name] == ROLES[role].get(name)


@pytest.mark.parametrize("body, status, code, field", [
    ({"role": "boss"}, 422, "not_allowed", "/role"), ({"role": "manager"}, 422, "region_required", "/region"),
    ({"role": "county"}, 422, "region_required", "/region"), ({"role": "auditor"}, 422, "region_required", "/region"),
    ({"role": "manager", "region": "999999"}, 422, "region_unknown", "/region"), ({"role": "contractor"}, 422, "contractor_required", "/contractor"),
    ({"role": "manager", "region": "640324", "contractor": "x"}, 422, "contractor_not_wanted", "/contractor"),
    ({"role": "centre"}, 422, "centre_required", "/centre"), ({"role": "admin", "centre": "x"}, 422, "centre_not_wanted", "/centre"),
    ({"role": "contractor", "contractor": ""}, 422, "too_short", "/contractor"), ({"password": "short"}, 422, "too_short", "/password"),
    ({"user": "admin"}, 409, "user_taken", None), ({"user": ""}, 422, "too_short", "/user"), ({"user": "x" * 65}, 422, "too_long", "/user"),
    ({"password": "x" * 201}, 422, "too_long", "/password"), ({"version": 1}, 422, "unknown_field", "/version")])
def test_an_account_that_cannot_be_made(admin, database, body, status, code, field):
    before = database.sql("SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM contractor), (SELECT count(*) FROM centre)")
    whole = {"user": f"account-{next(numbers)}", "password": PASSWORD, "role": "admin", **body}
    answer = admin.post("/users", whole, expect=status, code=code)
    assert field is None or answer["field"] == field
    assert PASSWORD not in str(answer.json)
    assert database.sql("SELECT (SELECT count(*) FROM account), (SELECT count(*) FROM contractor), (SELECT count(*) FROM centre)") == before


def test_accounts_are_listed_without_their_secrets(admin):
    made = new_user(admin, "contractor")
    listed = {account["id"]: account for account in admin.pages("/users", limit=7)}
    assert listed[made["id"]]["contractor"] == "firm-accounts"
    assert "argon2" not in str(listed) and "password" not in str(listed)
    one = admin.get(f"/users/{made['id']}")
    assert one.etag == '"1"' and one.json == listed[made["id"]]
    admin.get("/users/999999", expect=404)
    assert "firm-accounts" in {firm["code"] for firm in admin.pages("/contractors", limit=1)}


def test_a_changed_account_is_changed_by_who_saw_it_last(admin):
    made = new_user(admin)
    path = f"/users/{made['id']}"
    changed = admin.patch(path, {"region": "222400"}, match='"1"')
    assert changed["region"] == "222400" and changed.etag == '"2"'
    assert admin.patch(path, {"region": "640324"}, match='"1"', expect=412)["current"]["version"] == 2
    admin.patch(path, {"region": "999999"}, expect=422, code="region_unknown")
    admin.patch(path, {"password": "short"}, expect=422)
    admin.patch(path, {"role": "admin"}, expect=422, code="unknown_field")
    admin.patch("/users/999999", {"disabled": True}, expect=404)
    assert admin.get(path)["version"] == 2


def test_a_disabled_account_is_out_at_once_and_can_come_back(admin, client):
    made = new_user(admin)
    sessions = [admin.sign_in(made["user"], PASSWORD) for _ in range(2)]
    assert all(session.get("/session") for session in sessions)
    admin.patch(f"/users/{made['id']}", {"disabled": True})
    for session in sessions:
        session.get("/session", expect=401)
    client.post("/session", {"user": made["user"], "password": PASSWORD}, expect=401, code="wrong_user_or_password")
    admin.patch(f"/users/{made['id']}", {"disabled": False})
    sessions[0].get("/session", expect=401)
    assert admin.sign_in(made["user"], PASSWORD).get("/session")


def test_a_new_password_ends_all_sessions_at_once(admin, client):
    made = new_user(admin)
    session = admin.sign_in(made["user"], PASSWORD)
    assert session.get("/session")
    admin.patch(f"/users/{made['id']}", {"password": "Another-password-2"})
    session.get("/session", expect=401)
    client.post("/session", {"user": made["user"], "password": PASSWORD}, expect=401)
    assert admin.sign_in(made["user"], "Another-password-2").get("/session")


def test_a_new_region_takes_effect_at_once(admin):
    made = new_user(admin)
    session = admin.sign_in(made["user"], PASSWORD)
    assert session.progress("tongxin")
    admin.patch(f"/users/{made['id']}", {"region": "222400"})
    session.get("/plans/tongxin/progress", expect=401)
    again = admin.sign_in(made["user"], PASSWORD)
    again.get("/plans/tongxin/progress", expect=404)
    assert again.progress("yanbian")


@pytest.mark.parametrize("change", [{"disabled": True}, {"password": "Another-password-2"}])
def test_sessions_end_on_a_second_server_too(admin, make_server, change):
    second = make_server("serve", "--no-work")
    for _ in range(5):
        made = new_user(admin)
        session = admin.sign_in(made["user"], PASSWORD)
        elsewhere = session.clone(second)
        assert elsewhere.get("/session") and session.get("/session")
        admin.patch(f"/users/{made['id']}", change)
        session.get("/session", expect=401)

        def refused():
            return elsewhere._send("GET", "/api/v1/session", None, {"Authorization": f"Bearer {elsewhere.token}"}, 10).status == 401

        wait_until(refused, 1, "the other server to know")


def test_signing_out_here_is_signing_out_there(admin, make_server):
    second = make_server("serve", "--no-work")
    session = admin.sign_in(new_user(admin)["user"], PASSWORD)
    elsewhere = session.clone(second)
    assert elsewhere.get("/session")
    elsewhere.delete("/session")
    elsewhere.get("/session", expect=401)
    wait_until(lambda: session._send("GET", "/api/v1/session", None, {"Authorization": f"Bearer {session.token}"}, 10).status == 401, 1)


def test_no_session_lives_on_while_it_is_being_ended(admin):
    """Requests all the time, disabled in the middle: after the first 401 there is never a 200 again."""
    made = new_user(admin)
    session = admin.sign_in(made["user"], PASSWORD)
    seen, stop = [], threading.Event()

    def ask(client):
        while not stop.is_set():
            seen.append(client._send("GET", "/api/v1/session", None, {"Authorization": f"Bearer {client.token}"}, 10).status)

    threads = [threading.Thread(target=ask, args=(session.clone(),)) for _ in range(1)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    admin.patch(f"/users/{made['id']}", {"disabled": True})
    time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join()
    assert 200 in seen and 401 in seen
    assert set(seen[seen.index(401):]) == {401}


def test_an_expired_session_is_none(admin, database, make_server):
    session = admin.sign_in(new_user(admin)["user"], PASSWORD)
    database.sql("UPDATE session SET expires_at = now() - interval '1 second' WHERE account_id = "
                 "(SELECT id FROM account WHERE name = %s)", session.user)
    session.clone(make_server("serve", "--no-work")).get("/session", expect=401)


def test_tokens_are_not_in_the_database(admin, database):
    rows = database.sql("SELECT s::text FROM session s")
    assert rows and not any(admin.token in row for row, in rows)


# --- what each role may do ---


def operations(contract):
    for (method, path), operation in sorted(contract.operations.items(), key=str):
        yield method, path, operation


def example(path):
    return path.replace("{id}", "0").replace("{code}", "none").replace("{indicator}", "none")


def ask(client, method, path):
    """The answer to an empty request of that endpoint."""
    query = "?plan=none&mode=dry_run" if path == "/api/v1/imports" and method == "POST" else ""
    body = b"{}" if method in ("POST", "PUT", "PATCH") else None
    kind = "text/csv" if query else "application/json"
    headers = {"Content-Type": kind} if body else {}
    if client.token:
        headers["Authorization"] = f"Bearer {client.token}"
    return client._send(method, example(path) + query, body, headers, 30)


def test_every_endpoint_says_who_may_use_it(contract):
    for method, path, operation in operations(contract):
        assert isinstance(operation["x-roles"], list), (method, path)
        anybody = operation.get("security") == []
        assert anybody == (operation["x-roles"] == []), (method, path)
        assert set(operation["x-roles"]) <= set(ROLES)
    public = {path for _, path, operation in operations(contract) if operation.get("security") == []}
    assert public - {"/"} == {"/healthz", "/readyz", "/metrics", "/openapi.json", "/api/v1/session"}


def test_without_a_token_every_endpoint_is_401(contract, client):
    for method, path, operation in operations(contract):
        if operation["x-roles"]:
            answer = ask(client, method, path)
            assert (answer.status, answer["code"]) == (401, "sign_in_required"), (method, path)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_refused_exactly_what_is_not_its_own(contract, everybody, role):
    client = everybody[role]
    for method, path, operation in operations(contract):
        if not operation["x-roles"] or (method, path) == ("DELETE", "/api/v1/session"):
            continue
        answer = ask(client, method, path)
        if role in operation["x-roles"]:
            assert answer.status not in (401, 403) and answer.status < 500, (method, path, answer)
        else:
            assert (answer.status, answer["code"]) == (403, "role_not_allowed"), (method, path, answer)


def test_only_administrators_make_accounts(everybody):
    for role, client in everybody.items():
        if role != "admin":
            client.post("/users", {"user": "x", "password": PASSWORD, "role": "admin"}, expect=403)
            client.get("/users", expect=403)


def test_the_first_administrator_is_not_made_again(database, client):
    """Another TANTU_ADMIN_PASSWORD at the next migration changes nothing."""
    database.run("migrate", TANTU_ADMIN_PASSWORD="Some-other-password-9")
    client.post("/session", {"user": "admin", "password": "Some-other-password-9"}, expect=401)
    assert client.post("/session", {"user": "admin", "password": ADMIN_PASSWORD})
