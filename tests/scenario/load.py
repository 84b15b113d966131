# SPDX-License-Identifier: Apache-2.0
"""Many clients that move cases at random, and what may be said afterwards.

    book = Book(admin, "qinghai")           the cases as last seen; shared by all movers
    Mover(book, addresses, token, seed)     one client: picks a case, does something that is allowed, notes the answer
    Recount(database, "qinghai")            figures as the server's statements give them, and counted anew from the
                                            events, in one snapshot
"""
import copy
import itertools
import json
import random
import re
import socket
import threading
import time
import uuid
from collections import Counter
from datetime import datetime, timedelta, timezone

import contract as contracts
import needs
from statements import statements

STAGES = ("registered approved surveyed designed assigned building built accepted closed rejected withdrawn suspended "
          "rework").split()
# How eagerly a stage is gone to; what is not named here: 1.
EAGERNESS = {"approved": 30, "surveyed": 30, "designed": 20, "assigned": 20, "building": 20, "built": 25, "accepted": 40,
             "rework": 4, "closed": 2}
NO_ANSWER = (OSError, ValueError, EOFError)


class Headers(dict):
    def get(self, name, default=None):
        return dict.get(self, name.lower(), default)


class Reply:
    """Looks like client.Answer, so that a contract can check it."""

    def __init__(self, method, status, headers, body):
        self.method, self.status, self.headers, self.body = method, status, headers, body

    @property
    def json(self):
        return contracts.parse_json(self.body)

    def __repr__(self):
        return f"{self.status} {self.body[:400].decode('utf-8', 'replace')}"


class Wire:
    """A keep-alive connection without any comfort: several times cheaper than http.client, and never sends again."""

    def __init__(self, address, token=None, timeout=60):
        self.address, self.token, self.timeout = address, token, timeout
        self.socket = None
        self.rest = b""
        self.half = False  # the last connection ended within an answer

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket, self.rest = None, b""

    def request(self, method, path, body=None, key=None, match=None):
        """The answer, or one of NO_ANSWER is raised: then nobody knows."""
        data = b"" if body is None else json.dumps(body).encode()
        return self.send(method, path, data, "application/json", key, match)

    def upload(self, path, data, key=None):
        return self.send("POST", path, data, "text/csv", key)

    def send(self, method, path, data=b"", kind=None, key=None, match=None):
        try:
            self.begin(method, path, data, kind, key, match)
            return self.answer(method)
        except BaseException:
            self.half = bool(self.rest)
            self.close()
            raise

    def begin(self, method, path, data=b"", kind=None, key=None, match=None):
        """Sends the request and leaves its answer for later."""
        lines = [f"{method} /api/v1{path} HTTP/1.1", f"Host: {self.address}"]
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        if key:
            lines.append(f"Idempotency-Key: {key}")
        if match is not None:
            lines.append(f'If-Match: "{match}"')
        if data:
            lines += [f"Content-Type: {kind}", f"Content-Length: {len(data)}"]
        if not self.socket:
            host, port = self.address.rsplit(":", 1)
            self.socket = socket.create_connection((host, int(port)), self.timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError("the connection ended before the answer")
        self.rest += data

    def answer(self, method):
        while b"\r\n\r\n" not in self.rest:
            self.more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = Headers((name.lower(), value.strip()) for name, value in (line.split(":", 1) for line in lines))
        length = int(headers.get("content-length", 0))
        while len(self.rest) < length:
            self.more()
        body, self.rest = self.rest[:length], self.rest[length:]
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Reply(method, int(first.split(" ", 2)[1]), headers, body)


# --- the cases ---


class Case:
    __slots__ = ("id", "stage", "stage_at", "version", "region", "resume")

    def __init__(self, item):
        self.see(item)

    def see(self, item):
        self.id, self.stage, self.version = item["id"], item["stage"], item["version"]
        self.stage_at = datetime.fromisoformat(item["stage_at"].replace("Z", "+00:00"))
        self.region, self.resume = item["region"], item.get("resume_stage")


class Book:
    """Every case as last seen by anybody. Old news never replaces newer."""

    def __init__(self, client, plan, region=None, townships=()):
        self.lock = threading.Lock()
        self.cases = {item["id"]: Case(item) for item in client.pages("/cases", plan=plan, region=region, limit=200)}
        self.ids = list(self.cases)
        self.townships = list(townships)
        self.rules = {}
        for rule in client.get("/transition-rules").items:
            self.rules.setdefault(rule["from"], []).append(rule)

    def see(self, item):
        with self.lock:
            case = self.cases[item["id"]]
            if item["version"] >= case.version:
                case.see(item)

    def pick(self, dice):
        """A case as it is known now. Some are much busier than others, so that clients meet."""
        with self.lock:
            return copy.copy(self.cases[self.ids[int(len(self.ids) * dice.random() ** 2)]])


class Deed:
    """One request that changes a case, and how it went."""

    __slots__ = ("case", "path", "body", "key", "match", "kind", "status", "answer", "sent", "from_stage", "from_region")

    def __init__(self, case, path, body, kind, match):
        self.case, self.path, self.body, self.kind, self.match = case.id, path, body, kind, match
        self.key = str(uuid.uuid4())
        self.from_stage, self.from_region = case.stage, case.region
        self.status = self.answer = None
        self.sent = 0


def eagerness(rule):
    if rule["from"] == "assigned" and rule["to"] == "designed":
        return 1
    return EAGERNESS.get(rule["to"], 6 if rule["kind"] == "revoke" else 1)


def happened(dice, case):
    """When it was done: some days after the step before it, never in the future."""
    now = datetime.now(timezone.utc) - timedelta(seconds=90)
    when = min(now, case.stage_at + timedelta(hours=dice.randrange(24 * 14)))
    return max(when, case.stage_at).strftime("%Y-%m-%dT%H:%M:%SZ")


def choose(book, dice):
    """Something that may be done to some case. Every note is the request's key: so an event tells its request."""
    case = book.pick(dice)
    roll = dice.random()
    if roll < 0.04 and book.townships:
        place = dice.choice(book.townships)
        deed = Deed(case, f"/cases/{case.id}/relocation", {"region": place, "village": "新村", "address": "新村1号"},
                    "relocate", case.version)
    elif roll < 0.08:
        deed = Deed(case, f"/cases/{case.id}/take-back", {}, "take_back", case.version)
        deed.body["note"] = deed.key
    else:
        rules = [rule for rule in book.rules[case.stage]
                 if "manager" in rule["roles"] and (rule["kind"] != "resume" or rule["to"] == case.resume)]
        rule = dice.choices(rules, [eagerness(rule) for rule in rules])[0]
        deed = Deed(case, f"/cases/{case.id}/transitions", {"to": rule["to"]}, "transition", case.version)
        deed.body["note"] = deed.key
        if dice.random() < 0.98:
            deed.body["happened_at"] = happened(dice, case)
    return deed


class Mover(threading.Thread):
    """One client. Fails at the first answer that may not be; `patient` sends again, with the same key, whatever was not
    answered or answered 503, until it is."""

    LAWFUL = {200, 403, 412, 422}
    REFUSALS = {"stale", "stage_not_allowed", "nothing_to_take_back", "not_your_action", "happened_before_last",
                "happened_in_future", "region_not_within"}

    def __init__(self, book, addresses, token, seed, stop, contract=None, patient=False, repeats=0.03):
        super().__init__(daemon=True)
        self.book, self.stop_at, self.contract, self.patient, self.repeats = book, stop, contract, patient, repeats
        self.wires = [Wire(address, token) for address in addresses]
        self.dice = random.Random(seed)
        self.deeds = []
        self.codes = Counter()
        self.last_good = 0.0
        self.retried = 0
        self.trouble = None

    def run(self):
        try:
            while not self.stop_at.is_set():
                self.act()
        except BaseException as trouble:
            self.trouble = trouble
            self.stop_at.set()
        finally:
            for wire in self.wires:
                wire.close()

    def act(self):
        deed = choose(self.book, self.dice)
        reply = self.send(deed)
        self.judge(deed, reply)
        self.deeds.append(deed)
        if deed.status == 200 and self.dice.random() < self.repeats:
            again = self.send(deed)
            assert (again.status, json.loads(again.body)) == (200, json.loads(reply.body)), \
                f"the same key, another answer: {reply!r} then {again!r}"
        return deed

    def send(self, deed):
        while True:
            deed.sent += 1
            try:
                reply = self.dice.choice(self.wires).request("POST", deed.path, deed.body, deed.key, deed.match)
            except NO_ANSWER:
                if not self.patient:
                    raise
                self.codes["no answer"] += 1
            else:
                if not self.patient or (reply.status != 503 and b'"request_in_progress"' not in reply.body):
                    return reply
                self.codes[json.loads(reply.body)["code"]] += 1
            self.retried += 1
            time.sleep(0.02)

    def judge(self, deed, reply):
        deed.status = reply.status
        assert reply.status in self.LAWFUL, f"{deed.path} {deed.body}: {reply!r}"
        if self.contract and self.dice.random() < 0.01:
            self.contract.check("POST", f"/api/v1{deed.path}", reply)
        found = json.loads(reply.body)
        if reply.status == 200:
            deed.answer = found
            self.last_good = time.monotonic()
            self.codes[f"{deed.kind} {deed.from_stage}→{found['stage']}"] += 1
            self.book.see(found)
            return
        self.codes[found["code"]] += 1
        assert found["code"] in self.REFUSALS, f"{deed.path} {deed.body}: {reply!r}"
        if reply.status == 412:
            self.look(deed.case)

    def look(self, case):
        """What has become of a case that somebody else moved."""
        wire = self.dice.choice(self.wires)
        try:
            reply = wire.request("GET", f"/cases/{case}")
        except NO_ANSWER:
            if not self.patient:
                raise
            return
        if reply.status == 200:
            self.book.see(json.loads(reply.body))
        else:
            assert self.patient and reply.status == 503, repr(reply)


def run_all(threads, stop, seconds):
    """Starts them, lets them run, ends them; the first trouble of any is raised."""
    for thread in threads:
        thread.start()
    stop.wait(seconds)
    stop.set()
    finish(threads)


def finish(threads, seconds=90):
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.1, deadline - time.monotonic()))
    for thread in threads:
        if thread.trouble:
            raise thread.trouble
    assert not any(thread.is_alive() for thread in threads), "a client never ended"


def tally(movers):
    """What happened, by name."""
    return sum((mover.codes for mover in movers), Counter())


# --- figures, counted anew ---


def texts(*names):
    """Statements of the program, with psycopg2's %(pN)s for $N."""
    found = statements()
    return {name: re.sub(r"\$(\d+)", r"%(p\1)s", found[name].text.replace("%", "%%")) for name in names}


# Where each case is now, and since when it counts: straight from its own events, none of the server's views.
RECOUNT = """
WITH last AS (
    SELECT DISTINCT ON (case_id) case_id, region, to_stage::text AS stage FROM case_event e
    WHERE e.plan_id = (SELECT id FROM plan WHERE code = %(plan)s) ORDER BY case_id, version DESC
), counts AS (
    SELECT case_id, sum(counted) AS n FROM case_event e
    WHERE e.plan_id = (SELECT id FROM plan WHERE code = %(plan)s) GROUP BY case_id
), since AS (
    SELECT DISTINCT ON (case_id) case_id, counted_on FROM case_event e
    WHERE e.counted = 1 AND e.plan_id = (SELECT id FROM plan WHERE code = %(plan)s) ORDER BY case_id, version DESC
)
SELECT last.region, last.stage, counts.n, CASE WHEN counts.n = 1 THEN since.counted_on END, count(*)
FROM last JOIN counts USING (case_id) LEFT JOIN since USING (case_id) GROUP BY 1, 2, 3, 4"""
SCOPE = "SELECT " + ", ".join(f"set_config('tantu.{name}', %s, true)" for name in
                              ("low", "high", "role", "account", "contractor", "centre"))
SYSTEM = ("0", "999999999", "system", "", "", "")


def within(place, code):
    """Is a place (nine digits) in the region of this code?"""
    code = code[:2] if code.endswith("0000") else code[:4] if len(code) == 6 and code.endswith("00") else code
    return f"{place:09}".startswith(code)


class Recount:
    """A snapshot's figures, twice. As the application role, whose rows are filtered, and as the superuser."""

    TEXTS = texts("progress", "totals_by_county", "totals_by_year", "totals_by_month", "totals_by_stage")

    def __init__(self, database, plan, regions):
        self.connection = database.connect("super")
        self.connection.autocommit = False
        self.connection.set_session("REPEATABLE READ", readonly=True)
        self.plan, self.regions = plan, regions
        self.checks = self.figures = 0
        self.seen = set()

    def close(self):
        self.connection.close()

    def ask(self, cursor, name, region=None):
        cursor.execute(self.TEXTS[name], {"p1": self.plan, "p2": region})
        columns = [column.name for column in cursor.description]
        return [dict(zip(columns, row)) for row in cursor]

    def check(self):
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute("SET LOCAL ROLE tantu_app")
            cursor.execute(SCOPE, SYSTEM)
            progress = {region: self.ask(cursor, "progress", region) for region in [None, *self.regions]}
            counties = self.ask(cursor, "totals_by_county")
            years = {region: self.ask(cursor, "totals_by_year", region) for region in [None, *self.regions]}
            months = {region: self.ask(cursor, "totals_by_month", region) for region in [None, *self.regions]}
            by_stage = self.ask(cursor, "totals_by_stage")
            cursor.execute("SELECT count(*) FROM total_delta")
            waiting = cursor.fetchone()[0]
            cursor.execute("RESET ROLE")
            cursor.execute(RECOUNT, {"plan": self.plan})
            cases = cursor.fetchall()
        for region, rows in progress.items():
            assert len(rows) == 1, (region, rows)
            self.compare(f"progress {region}", rows[0], self.count(cases, region))
        for row in counties:
            self.compare(f"county {row['region']}", row, self.count(cases, row["region"]))
        stages = self.count(cases, None)
        assert {row["stage"]: row["cases"] for row in by_stage} == \
            {stage: stages[f"by_stage.{stage}"] for stage in STAGES}, "totals_by_stage"
        for region in progress:
            self.compare_periods(region, years[region], months[region], cases)
        self.checks += 1
        self.seen.add((progress[None][0]["accepted"], waiting > 0))
        return progress[None][0]["accepted"]

    def count(self, cases, region):
        """The columns of progress."""
        found = Counter({f"by_stage.{stage}": 0 for stage in STAGES}, accepted=0)
        for place, stage, counted, _, n in cases:
            assert counted == (stage in ("accepted", "closed")), f"a case in {stage} counts {counted} times"
            if region is None or within(place, region):
                found[f"by_stage.{stage}"] += n
                found["accepted"] += counted * n
        return found

    def compare(self, what, row, wanted):
        differs = {name: (row[name], n) for name, n in wanted.items() if row[name] != n}
        self.figures += len(wanted)
        assert not differs, f"{what}: figure, recount: {differs}"

    def compare_periods(self, region, years, months, cases):
        by_year, by_month = Counter(), Counter()
        for place, _, counted, day, n in cases:
            if counted and (region is None or within(place, region)):
                by_year[day.year] += n
                by_month[day.year, day.month] += n
        assert {row["year"]: row["accepted"] for row in years if row["accepted"]} == by_year, f"years of {region}"
        assert {(row["year"], row["month"]): row["accepted"] for row in months} == by_month, f"months of {region}"
        self.figures += len(by_year) + len(by_month)


# --- what is needed to begin ---


def households(places, count, plan="qinghai"):
    """A needs file of `count` households in turn in these townships."""
    turn = itertools.cycle(places)
    return needs.to_csv([needs.row(plan, **{"区划代码": next(turn), "改造需求": "坡道"}) for _ in range(count)])


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
