# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the server at any byte of a photo, and of PostgreSQL: what was acknowledged is there, whole; nothing half has a
final name; after the sweep no file is left that no row wants. TANTU_PHOTO_KILLS and TANTU_PHOTO_SEED: more of them, other ones."""
import hashlib
import http.client
import json
import os
import random
import signal
import subprocess
import threading
import time
import uuid

import pictures
import pytest
from faults import READY, send
from processes import ROOT, wait_until
from stages import bring_in

RELEASE = ROOT / "build" / "release" / "tantu"
KILLS = int(os.environ.get("TANTU_PHOTO_KILLS", 36))
SEED = os.environ.get("TANTU_PHOTO_SEED", "short")
SENDERS = 4


class Killer:
    """The rule of a Proxy before the server: kills it at the commit of a photo's row when it is armed for that."""

    def __init__(self):
        self.point = self.pid = None

    def rule(self, side, data, link):
        if link.get("dead"):
            return None
        if side == "up" and self.point and b"photo_add" in data:
            if self.point == "after":
                link["last"] = True
                return data
            return self.kill(link, data if self.point == "with" else None)
        if side == "down" and self.point == "after" and link.get("last") and data.endswith(READY):
            return self.kill(link, None)
        return data

    def kill(self, link, passes):
        link["dead"], self.point = True, None
        send(self.pid, signal.SIGKILL)
        return passes


class Sender(threading.Thread):
    """Sends one photo after the other, each to its end however often the line breaks. Some twice, some that another has sent."""

    def __init__(self, number, client, case, seen):
        super().__init__()
        self.dice = random.Random(f"{SEED} {number}")
        self.client, self.case, self.seen = client, case, seen
        self.stop, self.trouble = threading.Event(), None
        self.acknowledged, self.begun, self.resumed = {}, 0, 0

    def run(self):
        try:
            while not self.stop.is_set():
                self.one()
        except BaseException as trouble:  # pylint: disable=broad-except
            self.trouble = trouble

    def one(self):
        if self.seen and self.dice.random() < 0.2:
            data = self.dice.choice(self.seen)
        else:
            data = self.photo()
            self.seen.append(data)
        name, self.begun = str(uuid.UUID(int=self.dice.getrandbits(128), version=4)), self.begun + 1
        answer = self.until_acknowledged(name, data)
        if self.dice.random() < 0.2:
            again = self.until_acknowledged(name, data)
            assert again == answer, (again, answer)
        self.acknowledged[name] = (answer["id"], data)

    def photo(self):
        """A JPEG whose tail, behind its end, is noise: nothing makes it shorter."""
        return pictures.jpeg(160, 120, self.dice.random()) + self.dice.randbytes(self.dice.randrange(10, 150_000))

    def until_acknowledged(self, name, data):
        kept, heard, deadline = 0, [], time.monotonic() + 60
        while True:
            assert time.monotonic() < deadline, f"photo {name} of {len(data)} bytes does not get through: {heard[-20:]}"
            try:
                status, answer = self.put(name, data, kept)
                if status == 200 and answer["complete"]:
                    assert answer["kept"] == len(data)
                    return answer
                # Of another request of ours that the server still reads, of a database that is away, of a piece: go on.
                heard.append((kept, status, answer.get("code"), answer.get("kept")))
                assert status in (200, 409, 503), (status, answer)
                assert status != 409 or answer["code"] in ("photo_offset_wrong", "request_in_progress"), answer
            except (OSError, http.client.HTTPException, json.JSONDecodeError) as gone:
                heard.append((kept, type(gone).__name__))
            kept = self.kept(name, len(data))
            self.resumed += kept > 0

    def put(self, name, data, kept):
        """From there on, in small pieces, sometimes only a part of it. All is there: asks whether it is whole."""
        headers = {"Authorization": f"Bearer {self.client.token}"}
        end = len(data) if self.dice.random() < 0.7 else self.dice.randrange(kept, len(data)) + 1 if kept < len(data) else len(data)
        if kept == len(data):
            headers["Content-Range"] = f"bytes */{len(data)}"
        elif kept or end < len(data):
            headers["Content-Range"] = f"bytes {kept}-{end - 1}/{len(data)}"
        body = data[kept:end]
        headers["Content-Length"] = str(len(body))
        return self.exchange("PUT", f"{name}?slot=before", headers, self.pieces(body))

    def pieces(self, body):
        while body:
            size = self.dice.randrange(1, 20_000)
            yield body[:size]
            body = body[size:]

    def kept(self, name, most):
        while True:
            try:
                status, answer = self.exchange("GET", name, {"Authorization": f"Bearer {self.client.token}"}, None)
                if status == 200:
                    return min(answer["kept"], most)
                assert status == 503, answer
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                pass
            time.sleep(0.01)  # nobody is there

    def exchange(self, method, path, headers, body):
        connection = http.client.HTTPConnection(self.client.server.address, timeout=20)
        try:
            connection.request(method, f"/api/v1/cases/{self.case}/photos/{path}", body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


@pytest.fixture
def site(place, proxy, make_server, manager_at):
    """A server behind a line that may kill it, and senders."""
    killer = Killer()
    line = proxy(killer.rule)
    server = make_server("serve", database=place, binary=RELEASE, TANTU_DATABASE=line.conninfo())
    place.sql("UPDATE job SET run_at = now() + interval '1 day' WHERE unique_key = 'photos_sweep'")
    manager = manager_at(server)
    seen = []
    senders = [Sender(number, manager.clone(), case, seen) for number, case in enumerate(bring_in(manager, SENDERS))]
    for sender in senders:
        sender.start()
    yield server, killer, manager, senders
    for sender in senders:
        sender.stop.set()
    if not server.running:
        server.process = None
        server.start()
    for sender in senders:
        sender.join(90)


def killed(server, killer, senders, dice, point):
    """One kill, at that point of a photo or after so many milliseconds; then the server is started again."""
    before = sum(sender.begun for sender in senders)
    killer.pid, killer.point = server.pid, point if isinstance(point, str) else None
    if isinstance(point, str):
        wait_until(lambda: not server.running or any(sender.trouble for sender in senders), 60, f"the kill {point} the commit")
    else:
        wait_until(lambda: sum(sender.begun for sender in senders) > before or any(sender.trouble for sender in senders), 30, "a photo")
        time.sleep(point / 1000)
    for sender in senders:
        assert not sender.trouble, sender.trouble
    server.kill()
    killer.point = None
    server.start()


def verify(place):
    done = subprocess.run([RELEASE, "verify", "photos"], env=place.environment(), text=True, stdout=subprocess.PIPE, check=False)
    return done.stdout


def files(place):
    return {path for path in (place.var / "photos").glob("[0-9a-f][0-9a-f]/*") if path.name != ".lock"}


def test_photos_outlive_kills(site, mortal, place):
    server, killer, manager, senders = site
    dice = random.Random(SEED)
    points = ["before", "with", "after"] * (KILLS // 6)
    points += [dice.randrange(0, 150) for _ in range(KILLS - len(points))]
    dice.shuffle(points)
    for number, point in enumerate(points):
        killed(server, killer, senders, dice, point)
        if number % 12 == 6:  # and PostgreSQL, under the server
            mortal.kill()
            mortal.start()
        # Whatever happened just now: a file under its final name is whole, and a row has its file.
        assert "photos agree" in verify(place), f"after a kill at {point}"
    for sender in senders:
        sender.stop.set()
    for sender in senders:
        sender.join(90)
        assert not sender.is_alive() and not sender.trouble, sender.trouble
    acknowledged = {name: (sender.case, *known) for sender in senders for name, known in sender.acknowledged.items()}
    print(f"\nseed {SEED}: {len(points)} kills, {len(acknowledged)} photos, gone on with {sum(sender.resumed for sender in senders)} times")
    assert len(acknowledged) > 20 and sum(sender.resumed for sender in senders) > 5
    everything_is_there(place, manager, acknowledged)
    nothing_else_is(server, place)


def everything_is_there(place, manager, acknowledged):
    """Each acknowledged photo is one row, under the id it was acknowledged with, and can be seen."""
    rows = place.sql("SELECT u.sent_as::text, u.case_id, u.id, p.bytes FROM case_photo u JOIN photo p ON p.hash = u.photo")
    assert {(name, case, number, size) for name, case, number, size in rows} \
        == {(name, int(case), int(number), len(data)) for name, (case, number, data) in acknowledged.items()}
    assert place.sql("SELECT count(*) FROM photo")[0][0] == len({hashlib.sha256(data).digest() for _, _, data in acknowledged.values()})
    shown = {}
    for case, number, data in acknowledged.values():
        body = manager.get(f"/photos/{number}").body
        assert pictures.jpeg_size(body)[:2] == (160, 120)
        assert shown.setdefault(data, body) == body


def nothing_else_is(server, place):
    """When all that is there is old, and the sweep has been: a file a row, and what was made of it."""
    for path in [*files(place), *(place.var / "photos" / "parts").glob("*/*")]:
        os.utime(path, (1, 1))
    before = place.sql("SELECT finished_at FROM job WHERE unique_key = 'photos_sweep'")[0][0]
    place.sql("UPDATE job SET run_at = now(), state = 'queued', lease_token = NULL, lease_until = NULL WHERE unique_key = 'photos_sweep'")
    place.sql("SELECT pg_notify('job', 'upkeep')")
    wait_until(lambda: place.sql("SELECT 1 FROM job WHERE unique_key = 'photos_sweep' AND finished_at IS DISTINCT FROM %s", before), 60, "the sweep")
    hashes = {hash for hash, in place.sql("SELECT encode(hash, 'hex') FROM photo")}
    assert {path.name for path in files(place) if path.suffix == ".photo"} == {f"{hash}.photo" for hash in hashes}
    assert {path.stem for path in files(place)} == hashes
    assert not list((place.var / "photos" / "parts").glob("*/*"))
    assert "0 files wait for the sweep" in verify(place)
