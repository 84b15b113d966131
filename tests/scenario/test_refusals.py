# SPDX-License-Identifier: Apache-2.0
"""What the HTTP server refuses by itself, asked of a running `tantu serve`: each reason with its answer, its metric and its
log line; and what it has to let through."""
import datetime
import json
import random
import re
import resource
import socket
import time

import needs
import pytest
from client import Client
from processes import ADMIN_PASSWORD, ROOT, Program, probe, wait_until

GET = "GET /healthz HTTP/1.1\r\nHost: a\r\n"
POST = "POST /api/v1/session HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
# reason: (status, what is sent)
REFUSED = {
    "request_line": (400, "GET / HTTX/1.1\r\nHost: a\r\n\r\n"),
    "method_unknown": (501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "request_target": (400, "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    "request_target_too_long": (414, "GET /" + "a" * 9000 + " HTTP/1.1\r\nHost: a\r\n\r\n"),
    "http_version": (505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    "bare_cr": (400, GET + "X: a\rb\r\n\r\n"),
    "bare_lf": (400, "GET /healthz HTTP/1.1\nHost: a\n\n"),
    "control_character": (400, GET + "X: a\0b\r\n\r\n"),
    "folded_header": (400, GET + "X: a\r\n b\r\n\r\n"),
    "header_line": (400, GET + "X : a\r\n\r\n"),
    "header_too_long": (431, GET + "X: " + "a" * 17000 + "\r\n\r\n"),
    "header_too_many": (431, GET + "X: a\r\n" * 120 + "\r\n"),
    "host_missing": (400, "GET /healthz HTTP/1.1\r\n\r\n"),
    "host_repeated": (400, GET + "Host: a\r\n\r\n"),
    "host_value": (400, "GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n"),
    "content_length_value": (400, POST + "Content-Length: +1\r\n\r\n"),
    "content_length_repeated": (400, POST + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"),
    "content_length_and_transfer_encoding": (400, POST + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "transfer_encoding_value": (501, POST + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "transfer_encoding_repeated": (400, POST + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "transfer_encoding_in_http_1_0": (400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "chunk_line": (400, POST + "Transfer-Encoding: chunked\r\n\r\nx\r\n"),
    "chunk_end": (400, POST + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc"),
    "trailer_forbidden": (400, POST + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 3\r\n\r\n"),
    "expectation_failed": (417, POST + "Expect: 200-ok\r\nContent-Length: 1\r\n\r\na"),
    "request_ambiguous": (400, "GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    "body_too_long": (413, POST + "Content-Length: 9999999\r\n\r\n"),
}
# Raised by others.
ELSEWHERE = {
    "none": "no refusal",
    "out_of_memory": "tests/unit/http_stream_test.c, tests/fault", "header_too_slow": "test_abuse.py", "body_too_slow": "test_abuse.py",
    "answer_not_taken": "test_abuse.py", "connections": "below", "connections_of_address": "below",
    "out_of_descriptors": "below", "accept_failed": "below"}


@pytest.fixture(scope="module")
def own(database):
    program = Program(database, "serve", "--no-work").start()
    yield program
    program.stop()


def exchange(server, data, source=None, timeout=60):
    """All that is answered to these bytes, to the end of the connection."""
    host, port = server.address.split(":")
    data = data if isinstance(data, bytes) else data.encode("latin-1")
    with socket.create_connection((host, int(port)), timeout, source and (source, 0)) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        answer = b""
        try:
            while more := connection.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
    return answer


def counted(server, reason):
    """The metric, as told to a client of an address that nothing here bounds."""
    text = exchange(server, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").decode()
    found = re.search(rf'^tantu_refused_total\{{reason="{reason}"\}} (\d+)\r?$', text, re.MULTILINE)
    return int(found[1]) if found else 0


def told(server, reason):
    return sum(line.get("times", 1) for line in server.events("refused") + server.events("request") if line.get("reason") == reason)


def heads(answer):
    return re.findall(rb"^HTTP/1\.1 (\d+) ", answer, re.MULTILINE)


def test_every_reason_is_tested():
    source = (ROOT / "service" / "http_refusal.c").read_text(encoding="utf-8")
    reasons = re.findall(r'\] = \{ \d+, "(\w+)" \}', source)
    assert len(reasons) > 30
    assert sorted(reasons) == sorted([*REFUSED, *ELSEWHERE])


@pytest.mark.parametrize("reason", REFUSED)
def test_a_refusal_is_answered_counted_and_told(own, reason):
    status, data = REFUSED[reason]
    before = counted(own, reason), told(own, reason)
    answer = exchange(own, data + GET + "\r\n")
    assert heads(answer) == [str(status).encode()], "one answer, and nothing after it"
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\nConnection: close" in head and b"\r\nContent-Type: application/problem+json" in head
    assert json.loads(body) | {"status": status, "code": reason} == json.loads(body)
    assert counted(own, reason) == before[0] + 1
    wait_until(lambda: told(own, reason) == before[1] + 1, 30, "the log line")


def test_nothing_of_a_refused_request_is_in_the_log(own):
    exchange(own, "GET /secret-path HTTP/1.1\r\nHost: secret-host\r\nX-Secret : secret-value\r\n\r\n")
    exchange(own, "GET /secret-path?secret-query HTTP/1.1\r\nHost: a\r\nCookie: secret-cookie\r\n\r\n")
    wait_until(lambda: own.events("request")[-1]["status"] == 404, 30)
    assert "secret" not in own.text()


def test_lines_and_metrics_agree(own):
    """Of every reason, whatever was sent until now."""
    text = exchange(own, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").decode()
    sums = {reason: int(times) for reason, times in re.findall(r'^tantu_refused_total\{reason="(\w+)"\} (\d+)', text, re.MULTILINE)}
    assert len([reason for reason in sums if sums[reason]]) >= len(REFUSED)
    wait_until(lambda: all(told(own, reason) == times for reason, times in sums.items()), 30, "the lines to tell the same")


# --- being full ---


def hold(server, source, count):
    host, port = server.address.split(":")
    return [socket.create_connection((host, int(port)), 60, (source, 0)) for _ in range(count)]


def close_all(connections):
    for connection in connections:
        connection.close()


def test_one_address_has_so_many_connections(make_server):
    server = make_server("serve", "--no-work", TANTU_CONNECTIONS_PER_ADDRESS="5")
    held = hold(server, "127.0.0.2", 20)
    # Each newcomer took the place of the oldest one; other addresses do not notice.
    wait_until(lambda: counted(server, "connections_of_address") == 15, 30)
    held[-1].sendall((GET + "\r\n").encode())
    assert held[-1].recv(12) == b"HTTP/1.1 200"
    assert heads(exchange(server, GET + "Connection: close\r\n\r\n", "127.0.0.2")) == [b"200"]
    close_all(held)
    wait_until(lambda: told(server, "connections_of_address") == counted(server, "connections_of_address"), 30)


def test_a_full_server_serves_newcomers(make_server):
    server = make_server("serve", "--no-work", TANTU_CONNECTIONS="20")
    held = hold(server, "127.0.0.2", 100)
    assert probe(server.address, "/readyz") == 200
    assert counted(server, "connections") >= 80
    close_all(held)
    wait_until(lambda: told(server, "connections") == counted(server, "connections"), 30)


def limit_files(server, soft):
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors(make_server, client_of, people, admin):
    """Nothing can be opened any more: who is connected is served, an upload is told to come back, newcomers are turned away
    and counted; with descriptors all is as before."""
    server = make_server("serve", "--no-work")
    manager = people.manager("640324").clone(server)
    reader = manager.clone()
    assert manager.get("/plans").items and reader.get("/plans").items
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)[0]

    upload = {"query": {"plan": "tongxin", "mode": "dry_run"}, "headers": {"Content-Type": "text/csv"}}
    limit_files(server, 3)
    try:
        answer = manager.post("/imports", needs.to_csv([needs.row()]), expect=503, **upload)
        assert int(answer.headers["Retry-After"]) >= 1
        assert reader.get("/plans").items, "on the connection that it has"
        newcomers = hold(server, "127.0.0.3", 3)
        wait_until(lambda: told(server, "accept_failed") >= 2, 30, "the failure to be told")
    finally:
        limit_files(server, before)
    for newcomer in newcomers:
        newcomer.sendall((GET + "Connection: close\r\n\r\n").encode())
    assert all(newcomer.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 503") for newcomer in newcomers)
    close_all(newcomers)
    assert manager.post("/imports", needs.to_csv([needs.row()]), expect=202, **upload)
    assert told(server, "accept_failed") >= 1 and probe(server.address, "/readyz") == 200


# --- collected requests ---


WIRE = ROOT.parent / "shared" / "data" / "wire" / "cases.jsonl"


def wire_cases():
    if not WIRE.exists():
        pytest.skip("no ../shared beside this tree")
    return [json.loads(line) for line in WIRE.read_text(encoding="utf-8").splitlines()]


REFUSALS = {400, 408, 413, 414, 417, 431, 501, 505}


def judge(case, answer):
    """At most `messages` are handled, what is to be refused is refused or closed, and nothing comes after a refusal."""
    statuses = [int(status) for status in re.findall(rb"(?:\A|(?<=[\r\n}\]]))HTTP/1\.1 (\d+) ", answer)]
    statuses = [status for status in statuses if status != 100]
    refused = [place for place, status in enumerate(statuses) if status in REFUSALS]
    assert len(statuses) - len(refused) <= case["messages"], (case["name"], statuses)
    assert refused in ([], [len(statuses) - 1]), (case["name"], statuses)
    if case["verdict"] == "reject":
        assert not refused or statuses[-1] in (400, 414, 431, 501, 505), (case["name"], statuses)
        assert refused or len(statuses) <= case["messages"], (case["name"], statuses)


def test_collected_requests_at_the_running_server(own):
    cases = wire_cases()
    for case in cases:
        judge(case, exchange(own, bytes.fromhex(case["hex"])))
    assert len(cases) == 3832
    assert probe(own.address, "/readyz") == 200


def test_collected_requests_in_two_pieces(own):
    """A sample, by a seed; tests/unit/http_wire_test.c has every place of every one."""
    dice = random.Random(20261122)
    host, port = own.address.split(":")
    cases = [case for case in wire_cases() if 2 < len(case["hex"]) <= 600]
    for case in dice.sample(cases, 1500):
        data = bytes.fromhex(case["hex"])
        split = dice.randrange(1, len(data))
        with socket.create_connection((host, int(port)), 60) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answer = b""
            try:
                connection.sendall(data[:split])
                connection.sendall(data[split:])
                connection.shutdown(socket.SHUT_WR)
                while more := connection.recv(65536):
                    answer += more
            except OSError:
                pass
        judge(case, answer)


# --- what HTTP asks of a server ---


def head_of(answer):
    lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return lines[0], {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}


def ask(server, method, path, *fields, version="1.1", body=""):
    lines = "".join(f"{field}\r\n" for field in fields)
    answer = exchange(server, f"{method} {path} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n{lines}\r\n{body}")
    line, head = head_of(answer)
    return int(line.split(" ")[1]), head, answer.partition(b"\r\n\r\n")[2]


def test_head_is_get_without_its_body(own, admin):
    token = f"Authorization: Bearer {admin.token}"
    for path in ("/healthz", "/api/v1/plans", "/openapi.json", "/nothing", "/api/v1/cases/1"):
        got, asked = ask(own, "GET", path, token), ask(own, "HEAD", path, token)
        assert asked[0] == got[0] and asked[2] == b"" and got[2]
        assert asked[1]["content-length"] == str(len(got[2])) and asked[1]["content-type"] == got[1]["content-type"]


@pytest.mark.parametrize("path, allowed", [
    ("*", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"), ("/healthz", "GET, HEAD, OPTIONS"),
    ("/api/v1/session", "POST, GET, HEAD, DELETE, OPTIONS"), ("/api/v1/cases/1", "GET, HEAD, PATCH, OPTIONS")])
def test_options_tells_what_is_allowed(own, path, allowed):
    status, head, body = ask(own, "OPTIONS", path)
    assert (status, body) == (204, b"") and sorted(head["allow"].split(", ")) == sorted(allowed.split(", "))
    if path != "*":
        status, head, _ = ask(own, "TRACE", path)
        assert status == 405 and sorted(head["allow"].split(", ")) == sorted(allowed.split(", "))


def test_the_server_as_a_whole_is_for_options_alone(own):
    assert ask(own, "GET", "*")[0] == 400


def test_an_absolute_target(own):
    assert ask(own, "GET", "http://example.org/healthz")[0] == 200
    assert ask(own, "GET", "HTTPS://user@[::1]:80/healthz?")[0] in (200, 422)
    assert ask(own, "GET", "ftp://example.org/healthz")[0] == 400


@pytest.mark.parametrize("path", ["/api/v1/regions/%2536%2534", "/api/v1/plans%2Ftongxin/progress", "/api/v1/plans/tong%2Fxin/progress",
                                  "/api/v1/plans/tongxin%00/progress", "/api/v1/plans/tong%xin/progress", "/api/v1/plans/%252e%252e/progress",
                                  "/api/v1/plans/%2e%2e/progress", "/api/v1/../v1/plans", "/api/v1//plans", "/api/v1/plans/", "//healthz",
                                  "/api/v1/plans/%c0%af/progress", "/api/v1/plans/%ff/progress"])
def test_a_path_is_decoded_once_and_taken_as_it_is(own, admin, path):
    status, _, body = ask(own, "GET", path, f"Authorization: Bearer {admin.token}")
    assert status in (403, 404), body


def test_an_escaped_letter_of_a_value_is_that_letter(own, people):
    token = f"Authorization: Bearer {people.manager('640324').token}"
    plain = ask(own, "GET", "/api/v1/plans/tongxin/progress?region=640324", token)
    assert plain[0] == 200 and ask(own, "GET", "/api/v1/plans/%74ongxi%6E/progress?reg%69on=6403%32%34", token)[2] == plain[2]


def test_dates_are_right_and_change(own):
    def date():
        text = ask(own, "GET", "/healthz")[1]["date"]
        assert re.fullmatch(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", text)
        return datetime.datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=datetime.timezone.utc)

    first = date()
    assert abs((datetime.datetime.now(datetime.timezone.utc) - first).total_seconds()) < 60
    wait_until(lambda: date() > first, 30, "the next second")


def test_security_headers_are_on_every_answer(own, admin):
    token = f"Authorization: Bearer {admin.token}"
    for method, path in (("GET", "/healthz"), ("GET", "/nothing"), ("GET", "/api/v1/plans"), ("DELETE", "/healthz"), ("BREW", "/"),
                         ("OPTIONS", "*"), ("HEAD", "/api/v1/plans"), ("GET", "/openapi.json"), ("GET", "/api/v1/users")):
        _, head, _ = ask(own, method, path, token)
        assert head["x-content-type-options"] == "nosniff" and head["referrer-policy"] == "no-referrer"
        assert head["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        assert head["cross-origin-opener-policy"] == head["cross-origin-resource-policy"] == "same-origin"
        assert head["cache-control"] == ("no-cache" if path == "/openapi.json" else "no-store")
        assert "server" not in head and "access-control-allow-origin" not in head


def test_behind_tls(own, make_server):
    assert "strict-transport-security" not in ask(own, "GET", "/healthz")[1]
    assert ask(own, "GET", "/healthz", "X-Forwarded-Proto: https")[1]["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    body = json.dumps({"user": "admin", "password": ADMIN_PASSWORD})
    for proto, secure in (("http", False), ("https", True)):
        _, head, _ = ask(own, "POST", "/api/v1/session", "Content-Type: application/json", f"Content-Length: {len(body)}",
                         f"X-Forwarded-Proto: {proto}", body=body)
        assert head["set-cookie"].endswith("; Secure") == secure
    other = make_server("serve", "--no-work", TANTU_HSTS_SECONDS="0", TANTU_FORWARDED_HEADER="forwarded")
    assert "strict-transport-security" not in ask(other, "GET", "/healthz", "Forwarded: proto=https")[1]


# --- bodies ---


def test_a_chunked_body_with_trailers(own):
    body = b'{"user": "nobody", "password": "wrong"}'
    data = (POST + "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n").encode()
    data += b"".join(b"1;a=b\r\n" + body[i:i + 1] + b"\r\n" for i in range(len(body))) + b"0\r\nX-Sum: 1\r\n\r\n"
    assert heads(exchange(own, data)) == [b"401"]


def expect_continue(server, head, body):
    """What comes before the body is sent, and what after."""
    host, port = server.address.split(":")
    with socket.create_connection((host, int(port)), 60) as connection:
        connection.sendall((head + "Expect: 100-continue\r\nConnection: close\r\n\r\n").encode())
        first = connection.recv(65536)
        rest = b""
        if heads(first) == [b"100"]:
            connection.sendall(body)
            while more := connection.recv(65536):
                rest += more
    return heads(first), heads(rest)


@pytest.mark.parametrize("head, before, after", [
    (POST + "Content-Length: 39\r\n", [b"100"], [b"401"]),
    (POST.replace("application/json", "text/plain") + "Content-Length: 39\r\n", [b"415"], []),
    (POST.replace("/session", "/plans") + "Content-Length: 39\r\n", [b"401"], []),
    (POST.replace("/session", "/nothing") + "Content-Length: 39\r\n", [b"404"], []),
    (POST.replace("/session", "/imports?plan=tongxin&mode=dry_run") + "Content-Length: 39\r\n", [b"401"], []),
    (POST + "Content-Length: 9999999\r\n", [b"413"], [])])
def test_a_body_is_asked_for_only_when_it_is_wanted(own, head, before, after):
    assert expect_continue(own, head, b'{"user": "nobody", "password": "wrong"}') == (before, after)


# --- what one token may ask for ---


def test_a_token_has_a_budget(make_server, admin, people):
    server = make_server("serve", "--no-work", TANTU_TOKEN_RATE="1", TANTU_TOKEN_BURST="30")
    greedy, modest = admin.clone(server), people.auditor("640324").clone(server)
    answers = [greedy._send("GET", "/api/v1/plans", None, {"Authorization": f"Bearer {greedy.token}"}, 60) for _ in range(60)]
    spent = [answer for answer in answers if answer.status == 429]
    assert 30 <= len(answers) - len(spent) and len(spent) >= 1, "the machine would have to be very slow"
    assert all(answer["code"] == "token_budget_spent" and int(answer.headers["Retry-After"]) in (1, 2) for answer in spent)
    assert modest.get("/plans").items, "another token is not touched"
    assert probe(server.address, "/healthz") == 200
    wait_until(lambda: greedy._send("GET", "/api/v1/plans", None, {"Authorization": f"Bearer {greedy.token}"}, 60).status == 200, 30)
    wait_until(lambda: told(server, "token_budget_spent") == counted(server, "token_budget_spent") >= len(spent), 30)


def test_unknown_tokens_are_not_looked_up_for_ever(make_server, admin):
    server = make_server("serve", "--no-work")
    guesser = Client(server, None)
    begun, statuses = time.monotonic(), []
    while 429 not in statuses and time.monotonic() < begun + 100:
        token = random.randbytes(32).hex()
        statuses.append(guesser._send("GET", "/api/v1/plans", None, {"Authorization": f"Bearer {token}", "X-Forwarded-For": "198.19.0.1"}, 60).status)
    assert statuses[-1] == 429 and set(statuses[:-1]) == {401} and len(statuses) > 500
    assert guesser._send("GET", "/api/v1/plans", None, {"Authorization": f"Bearer {admin.token}", "X-Forwarded-For": "198.19.0.2"}, 60).status == 200
    wait_until(lambda: told(server, "too_many_unknown_tokens") == counted(server, "too_many_unknown_tokens") == 1, 30)
