# SPDX-License-Identifier: Apache-2.0
"""A small HTTP client for scenarios. It checks every answer against the contract, and by itself expects success:

    client.get("/plans").items
    client.post("/users", {"user": "li", …}, expect=422, code="password_too_short")
"""
import http.client
import json
import time
from urllib.parse import quote, urlencode

import contract as contracts
from processes import wait_until

API = "/api/v1"
ROOT_PATHS = ("/healthz", "/readyz", "/metrics", "/openapi.json", "/api/")
CONTENT_TYPES = {"csv": "text/csv",
                 "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


class Answer:
    def __init__(self, method, response):
        self.method = method
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self._json = None

    @property
    def json(self):
        if self._json is None:
            self._json = contracts.parse_json(self.body)
        return self._json

    @property
    def items(self):
        return self.json["items"]

    @property
    def etag(self):
        return self.headers.get("ETag")

    @property
    def next(self):
        """The path of the next page, or None."""
        for link in (self.headers.get("Link") or "").split(","):
            target, _, relation = link.partition(";")
            if 'rel="next"' in relation.replace(" ", ""):
                return target.strip().strip("<>")
        return None

    def __getitem__(self, name):
        return self.json[name]

    def __repr__(self):
        return f"{self.status} {self.body[:600].decode('utf-8', 'replace')}"


class Client:
    """One keep-alive connection, one account. Not for several threads: give each its own `clone()`."""

    def __init__(self, server, contract, token=None):
        self.server = server
        self.contract = contract
        self.token = token
        self.role = None
        self.user = None
        self.connection = None
        self.connected_to = None
        self.used_at = 0

    def clone(self, server=None):
        """The same account on a connection of its own, perhaps to another server."""
        other = Client(server or self.server, self.contract, self.token)
        other.role, other.user = self.role, self.user
        return other

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def request(self, method, path, body=None, *, query=None, headers=None, key=None, match=None, expect=None,
                code=None, timeout=120):
        """body: bytes, or anything JSON can hold. key: Idempotency-Key. match: If-Match. expect: the status (else any
        success will do). code: the problem's code."""
        if path != "/" and not path.startswith(ROOT_PATHS):
            path = API + path
        if query:
            query = {name: value for name, value in query.items() if value is not None}
            path += ("&" if "?" in path else "?") + urlencode(query)
        sent = {"Accept": "application/json", **(headers or {})}
        if self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        if key is not None:
            sent["Idempotency-Key"] = key
        if match is not None:
            sent["If-Match"] = match
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body, ensure_ascii=False).encode("utf-8")
            sent.setdefault("Content-Type", "application/json")
        answer = self._send(method, path, body, sent, timeout)
        if self.contract:
            self.contract.check(method, path.split("?")[0], answer)
        if expect is None and code is None:
            assert 200 <= answer.status < 300, f"{method} {path}: {answer!r}"
        else:
            assert expect is None or answer.status == expect, f"{method} {path}: wanted {expect}, got {answer!r}"
        assert code is None or answer["code"] == code, f"{method} {path}: wanted code {code}, got {answer!r}"
        return answer

    def _send(self, method, path, body, headers, timeout):
        fresh = time.monotonic() - self.used_at < 20 # after a while the server closes an idle connection
        used = self.connection is not None and self.connected_to == self.server.address and fresh
        self.used_at = time.monotonic()
        if not used:
            self.close()
            self.connected_to = self.server.address
            self.connection = http.client.HTTPConnection(self.server.address)
        self.connection.timeout = timeout
        try:
            self.connection.request(method, path, body, headers)
            answer = Answer(method, self.connection.getresponse())
        except (OSError, http.client.HTTPException):
            self.close()
            # A keep-alive connection may have died while idle (the server was restarted). Reading again is harmless.
            if used and method in ("GET", "HEAD"):
                return self._send(method, path, body, headers, timeout)
            raise
        if (answer.headers.get("Connection") or "").lower() == "close":
            self.close()
        return answer

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.request("POST", path, body, **options)

    def put(self, path, body=None, **options):
        return self.request("PUT", path, body, **options)

    def patch(self, path, body=None, **options):
        return self.request("PATCH", path, body, **options)

    def delete(self, path, **options):
        return self.request("DELETE", path, **options)

    def pages(self, path, **query):
        """Every item of a list, page after page."""
        answer = self.get(path, query=query)
        yield from answer.items
        while answer.next:
            answer = self.get(answer.next)
            yield from answer.items

    # --- what scenarios do all the time ---

    def sign_in(self, user, password):
        """A new client for that account, on a connection of its own."""
        answer = self.post("/session", {"user": user, "password": password}, expect=201)
        other = self.clone()
        other.token, other.role, other.user = answer["token"], answer["role"], user
        return other

    def upload(self, plan, data, mode="good_rows", **options):
        """Uploads a needs file; the import's id."""
        kind = "xlsx" if data[:2] == b"PK" else "csv"
        return self.post("/imports", data, query={"plan": plan, "mode": mode},
                         headers={"Content-Type": CONTENT_TYPES[kind]}, **{"expect": 202, **options})["id"]

    def import_file(self, plan, data, mode="good_rows", seconds=180):
        """Uploads and waits; the finished import."""
        number = self.upload(plan, data, mode)
        done = wait_until(lambda: self._ended(number), seconds, f"import {number}")
        assert done["state"] == "done", f"import {number}: {done}"
        return done

    def _ended(self, number):
        state = self.get(f"/imports/{number}").json
        return state if state["state"] in ("done", "failed", "cancelled") else None

    def progress(self, plan, **query):
        return self.get(f"/plans/{plan}/progress", query=query).json

    def case_of(self, plan, household):
        """The case of a 户编号."""
        for case in self.pages("/cases", plan=plan, limit=200):
            if household in (case.get("household"), case.get("household_number")):
                return case
        raise AssertionError(f"no case of household {household} in {plan}")

    def move(self, case, to, happened_at=None, *, expect=None, code=None, key=None, **fields):
        """A transition of the case with this id, as it is now; the answer."""
        etag = self.get(f"/cases/{quote(str(case))}").etag
        body = {"to": to, **fields}
        if happened_at is not None:
            body["happened_at"] = happened_at
        return self.post(f"/cases/{case}/transitions", body, match=etag, key=key, expect=expect, code=code)
