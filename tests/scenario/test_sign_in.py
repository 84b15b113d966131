# SPDX-License-Identifier: Apache-2.0
"""Guessing passwords: held up longer after each failure, on every server alike, without locking anybody out from elsewhere.

The server of this file has the default limits. Each test has addresses of its own, told by X-Forwarded-For: loopback is a
trusted proxy. Time passes by making the attempts older."""
import itertools
import json
import re
import socket
import threading

import pytest
from client import Client
from harness import PASSWORD
from processes import wait_until

LIMITS = {"TANTU_SIGN_IN_TRIES": "5", "TANTU_SIGN_IN_TRIES_PER_ADDRESS": "50", "TANTU_SIGN_IN_TRIES_PER_ACCOUNT": "100"}
numbers = itertools.count(1)


@pytest.fixture
def strict(make_server):
    return make_server("serve", "--no-work", **LIMITS)


@pytest.fixture
def user(admin):
    name = f"guessed-{next(numbers)}"
    made = admin.post("/users", {"user": name, "password": PASSWORD, "role": "auditor", "region": "640324"}, expect=201)
    return {"user": name, "id": made["id"]}


@pytest.fixture
def address():
    """address(): one that nobody has used."""
    return lambda: "198.18.{}.{}".format(*divmod(next(numbers), 250))


def attempt(server, contract, user, address, password="wrong", **expected):
    client = Client(server, contract)
    try:
        return client.post("/session", {"user": user, "password": password}, headers={"X-Forwarded-For": address},
                           **({"expect": 401, "code": "wrong_user_or_password"} if not expected else expected))
    finally:
        client.close()


def held_up(server, contract, user, address, most, password=PASSWORD):
    """429, and for how many seconds."""
    answer = attempt(server, contract, user, address, password, expect=429, code="too_many_failed_sign_ins")
    seconds = int(answer.headers["Retry-After"])
    assert 1 <= seconds <= most
    return seconds


def let_in(server, contract, user, address):
    return attempt(server, contract, user, address, PASSWORD, expect=201)["token"]


def pass_time(database, seconds):
    database.sql("UPDATE sign_in_attempt SET at = at - make_interval(secs => %s)", seconds)


def test_after_five_failures_the_right_password_has_to_wait_too(strict, contract, user, address, database):
    here, elsewhere = address(), address()
    for _ in range(5):
        attempt(strict, contract, user["user"], here)
    held_up(strict, contract, user["user"], here, 5)
    held_up(strict, contract, user["user"], here, 5, "wrong")
    assert let_in(strict, contract, user["user"], elsewhere), "nobody is locked out from elsewhere"
    pass_time(database, 6)
    assert let_in(strict, contract, user["user"], here)


def test_the_delay_doubles_up_to_a_quarter_of_an_hour(strict, contract, user, address, database):
    here, delays = address(), []
    for _ in range(5):
        attempt(strict, contract, user["user"], here)
    for most in (5, 10, 20, 40, 80, 160, 320, 640, 900, 900):
        delays.append(held_up(strict, contract, user["user"], here, most))
        pass_time(database, most + 1)
        attempt(strict, contract, user["user"], here)
    assert delays == sorted(delays) and delays[-1] > 640
    pass_time(database, 24 * 3600)
    for _ in range(4):
        attempt(strict, contract, user["user"], here)
    assert let_in(strict, contract, user["user"], here), "after a day it is forgotten"


def test_a_success_starts_anew(strict, contract, user, address):
    here = address()
    for _ in range(3):
        for _ in range(4):
            attempt(strict, contract, user["user"], here)
        assert let_in(strict, contract, user["user"], here)


def test_two_servers_count_together(strict, make_server, contract, user, address):
    other, here = make_server("serve", "--no-work", **LIMITS), address()
    for server in (strict, other, strict, other, strict):
        attempt(server, contract, user["user"], here)
    for server in (strict, other):
        held_up(server, contract, user["user"], here, 5)


def test_a_user_that_does_not_exist_is_held_up_alike(strict, contract, address):
    here = address()
    for _ in range(5):
        attempt(strict, contract, "nobody-of-that-name", here)
    held_up(strict, contract, "nobody-of-that-name", here, 5)


def test_guesses_at_once_are_guesses(strict, contract, user, address):
    """After one failure, forty at the same moment: those that are looked at are no more than five."""
    here, seen = address(), []
    attempt(strict, contract, user["user"], here)

    def guess():
        client = Client(strict, contract)
        seen.append(client._send("POST", "/api/v1/session", json.dumps({"user": user["user"], "password": "wrong"}).encode(),
                                 {"Content-Type": "application/json", "X-Forwarded-For": here}, 60).status)
        client.close()

    threads = [threading.Thread(target=guess) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 40 and set(seen) == {401, 429}
    assert seen.count(401) <= 5


def test_many_at_once_with_the_right_password_get_in(strict, contract, user, address):
    here, seen = address(), []

    def enter():
        seen.append(let_in(strict, contract, user["user"], here))

    threads = [threading.Thread(target=enter) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 20


def test_one_address_guessing_at_many_accounts(strict, contract, user, address, database):
    """Fifty failures hold the address up, but not who signed in from there before."""
    here = address()
    assert let_in(strict, contract, user["user"], here)
    for number in range(50):
        attempt(strict, contract, f"nobody-{number // 4}", here)
    seconds = held_up(strict, contract, "nobody-else", here, 5)
    assert seconds <= 5
    assert let_in(strict, contract, user["user"], here)
    assert let_in(strict, contract, user["user"], address())
    pass_time(database, 3700)
    attempt(strict, contract, "nobody-else", here)


def test_one_account_guessed_at_from_everywhere(strict, contract, user, address, database):
    """A hundred failures from many addresses: a newcomer waits a minute at most, who was there before does not."""
    home = address()
    assert let_in(strict, contract, user["user"], home)
    database.sql("""INSERT INTO sign_in_attempt (account_key, address_key, account_id, succeeded)
        SELECT account_key, decode(lpad(to_hex(n), 64, '0'), 'hex'), account_id, false
        FROM (SELECT account_key, account_id FROM sign_in_attempt WHERE account_id = %s LIMIT 1) a, generate_series(1, 130) n""", user["id"])
    held_up(strict, contract, user["user"], address(), 60)
    assert let_in(strict, contract, user["user"], home)


def test_an_ipv6_customer_has_one_network(strict, contract, user):
    for host in range(5):
        attempt(strict, contract, user["user"], f"2001:db8:1:2::{host:x}")
    held_up(strict, contract, user["user"], "2001:db8:1:2:ffff::1", 5)
    assert let_in(strict, contract, user["user"], "2001:db8:1:3::1")


def test_an_address_is_believed_from_a_trusted_proxy_only(make_server, contract, user, address):
    server = make_server("serve", "--no-work", TANTU_TRUSTED_PROXIES="none", **LIMITS)
    statuses = [Client(server, contract)._send("POST", "/api/v1/session", json.dumps({"user": user["user"], "password": "wrong"}).encode(),
                                               {"Content-Type": "application/json", "X-Forwarded-For": address()}, 60).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]


# --- what an administrator can do ---


def test_an_administrator_unlocks(strict, contract, user, address, admin):
    here = address()
    for _ in range(5):
        attempt(strict, contract, user["user"], here)
    held_up(strict, contract, user["user"], here, 5)
    assert admin.post(f"/users/{user['id']}/unlock", {})["forgiven"] == 5
    assert let_in(strict, contract, user["user"], here)
    events = admin.get(f"/users/{user['id']}/events").items
    assert [(event["what"], event["by"]) for event in events] == [("locked_out", None), ("unlocked", "admin")]


def test_a_new_password_unlocks(strict, contract, user, address, admin):
    here = address()
    for _ in range(5):
        attempt(strict, contract, user["user"], here)
    admin.patch(f"/users/{user['id']}", {"region": "640324"})
    held_up(strict, contract, user["user"], here, 5)
    admin.patch(f"/users/{user['id']}", {"password": "Another-password-2"})
    assert attempt(strict, contract, user["user"], here, "Another-password-2", expect=201)


def test_unlocking_nobody(admin, user):
    admin.post("/users/999999/unlock", {}, expect=404, code="not_found")
    admin.post("/users/x/unlock", {}, expect=404)
    admin.post(f"/users/{user['id']}/unlock", {"why": "x"}, expect=422, code="unknown_field")
    assert admin.post(f"/users/{user['id']}/unlock", {})["forgiven"] == 0
    assert admin.get("/users/999999/events").items == []


# --- what is kept and said ---


def test_a_lock_out_is_one_log_line_and_names_nobody(strict, contract, user, address, database):
    here = address()
    for _ in range(5):
        attempt(strict, contract, user["user"], here)
    for _ in range(3):
        held_up(strict, contract, user["user"], here, 5)
    wait_until(lambda: len([line for line in strict.events("request") if line.get("reason") == "too_many_failed_sign_ins"]) == 3, 30)
    assert [line["account"] for line in strict.events("account_locked_out")] == [str(user["id"])]
    assert user["user"] not in strict.text() and here not in strict.text()
    rows = database.sql("SELECT t::text FROM sign_in_attempt t")
    assert rows and not any(user["user"] in text or here in text for text, in rows)
    text = Client(strict, contract)._send("GET", "/metrics", None, {}, 10).body.decode()
    assert 'tantu_refused_total{reason="too_many_failed_sign_ins"} 3' in text
    assert 'tantu_refused_total{reason="wrong_user_or_password"} 5' in text


def test_old_attempts_are_removed(database, user, server, contract, address):
    attempt(server, contract, user["user"], address())
    let_in(server, contract, user["user"], address())
    database.sql("UPDATE sign_in_attempt SET at = at - interval '2 days' WHERE account_id = %s", user["id"])
    database.sql("UPDATE job SET run_at = now() WHERE kind = 'clean_up' AND state = 'queued'")
    wait_until(lambda: database.sql("SELECT count(*), count(*) FILTER (WHERE succeeded) FROM sign_in_attempt WHERE account_id = %s",
                                    user["id"]) == [(1, 1)], 60, "old failures to go, and the success to stay")


# --- what it costs ---


def send_all(server, requests):
    """All on connections of their own, before any answer is read; their heads."""
    host, port = server.address.split(":")
    connections = [socket.create_connection((host, int(port)), timeout=120) for _ in requests]
    for connection, request in zip(connections, requests):
        connection.sendall(request)
    answers = []
    for connection in connections:
        answer = b""
        while b"\r\n\r\n" not in answer:
            more = connection.recv(65536)
            assert more, answer
            answer += more
        answers.append(answer.decode())
        connection.close()
    return answers


def sign_in_bytes(user, address):
    body = json.dumps({"user": user, "password": "wrong"})
    return (f"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Forwarded-For: {address}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def test_sign_ins_do_not_take_all_there_is(strict, contract, admin, address):
    """Two hundred at once, from as many addresses: most are told to come back, and the others are served meanwhile."""
    answers = []
    flood = threading.Thread(target=lambda: answers.extend(
        send_all(strict, [sign_in_bytes(f"flood-{number}", address()) for number in range(200)])))
    flood.start()
    served = 0
    while flood.is_alive() or served == 0:
        assert admin.clone(strict).get("/session")["user"] == "admin"
        served += 1
    flood.join()
    statuses = [int(answer.split(" ")[1]) for answer in answers]
    assert len(statuses) == 200 and set(statuses) == {401, 503}
    assert 64 <= statuses.count(401)
    assert all(re.search(r"\r\nRetry-After: \d+\r\n", answer) for answer in answers if " 503 " in answer[:14])
    assert served > 1


def test_a_flood_of_sign_ins_from_one_address_is_stopped_before_the_database(strict, contract, address):
    here = address()
    host, port = strict.address.split(":")
    with socket.create_connection((host, int(port)), timeout=120) as connection, connection.makefile("rb") as reader:
        statuses = []
        for _ in range(1000):
            connection.sendall(sign_in_bytes("flooded", here))
            status = int(reader.readline().split(b" ")[1])
            length = 0
            while (line := reader.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            code = json.loads(reader.read(length))["code"]
            statuses.append((status, code))
            if code == "too_many_sign_ins":
                break
    assert statuses[-1] == (429, "too_many_sign_ins")
    assert len(statuses) > 200
