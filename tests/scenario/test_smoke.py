# SPDX-License-Identifier: Apache-2.0
"""It starts, says so, lets people in and refuses the others; it stops when told."""
import signal

import pytest
from processes import ADMIN_PASSWORD, probe

PLANS = {"qinghai": ("630000", 7500), "linxia": ("622900", 4027), "daqing": ("230600", 2540),
         "yanbian": ("222400", 1500), "tongxin": ("640324", 1500)}


def test_health_and_readiness(client):
    for path in ("/healthz", "/readyz"):
        assert client.get(path).status == 200


def test_the_front_door_says_what_this_is(client):
    assert client.get("/")["description"] == "/openapi.json"


def test_metrics_are_prometheus_text(client):
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert b"# TYPE " in answer.body


def test_admin_signs_in(client):
    answer = client.post("/session", {"user": "admin", "password": ADMIN_PASSWORD}, expect=201)
    assert answer["role"] == "admin"
    assert answer["token"] and answer["expires_at"].endswith("Z")


@pytest.mark.parametrize("user, password", [("admin", "wrong"), ("nobody", ADMIN_PASSWORD)])
def test_wrong_password_and_unknown_user_look_alike(client, user, password):
    answer = client.post("/session", {"user": user, "password": password}, expect=401)
    assert answer["code"] == client.post("/session", {"user": "x" * 20, "password": "y"}, expect=401)["code"]


def test_without_a_token_nothing_is_told(client):
    client.get("/plans", expect=401)
    client.token = "0" * 64
    client.get("/plans", expect=401)


def test_unknown_paths_and_methods(client, admin):
    admin.get("/no-such-thing", expect=404)
    assert "GET" in admin.delete("/plans", expect=405).headers["Allow"]


def test_the_five_plans_are_loaded(people):
    manager = people.manager("640324")
    assert {plan["code"] for plan in manager.pages("/plans", limit=200)} >= set(PLANS)


@pytest.mark.parametrize("code", PLANS)
def test_targets(people, code):
    region, target = PLANS[code]
    progress = people.manager(region).progress(code)
    assert progress["target"] == target
    assert progress["exact"] is True


def test_each_role_signs_in(people):
    for role in ("county", "manager", "auditor", "assessor"):
        assert people(role, region="640324").get("/plans").items


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_server_shares_the_database_and_stops_when_told(make_server, client_of, number):
    second = make_server("serve")
    assert client_of(second).sign_in("admin", ADMIN_PASSWORD).get("/plans").items
    second.stop(number)
    assert probe(second.address, "/readyz") == 0


def test_sessions_survive_kill_and_restart(make_server, client_of):
    second = make_server("serve")
    admin = client_of(second).sign_in("admin", ADMIN_PASSWORD)
    second.kill()
    second.start()
    assert admin.get("/plans").items


def test_jobs_are_listed(admin):
    assert isinstance(admin.get("/jobs").items, list)


def test_version(database):
    assert database.run("--version").stdout.strip()
