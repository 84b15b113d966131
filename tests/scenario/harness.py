# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the scenarios and of tests/fault. One throwaway PostgreSQL and one `tantu serve` last the whole run; tests
share them, so they make people, households and accounts of their own. A test that kills things asks for `make_server`.

    admin        the first administrator, signed in
    people       makes accounts: people.manager("640324"), people.county("640324"), people("auditor", region="640324")
    server       the shared `tantu serve`; client: nobody signed in
    make_server  more servers or workers, on the shared database or on one of their own (make_database)
"""
import itertools
import json
import shutil
import signal
import sys
import time
from pathlib import Path

import processes
import pytest
from client import Client
from contract import Contract
from processes import ADMIN_PASSWORD, Cluster, Program, Workspace, fatal_lines

PASSWORD = "A-password-for-tests-1"


@pytest.fixture(scope="session")
def workspace(request):
    # A SIGTERM must still take PostgreSQL and the servers along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    space = Workspace()
    request.config.tantu_workspace = space
    yield space
    if request.config.getoption("--keep"):
        print(f"\nkept: {space.path}", file=sys.stderr)
    else:
        shutil.rmtree(space.path, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(workspace, request):
    cluster = Cluster(workspace).start()
    yield cluster
    if request.config.getoption("--keep"):
        cluster.stop()
    else:
        cluster.destroy()


@pytest.fixture(scope="session")
def database(cluster):
    return cluster.main_database().migrate()


@pytest.fixture(scope="session")
def server(database, workspace):
    server = Program(database, "serve").start()
    yield server
    marks = workspace.marks()
    server.stop()
    # What the sanitizers only say at the end.
    found = [fatal_lines(text) for _, text in workspace.since(marks)]
    assert not any(found), "\n".join(found)


@pytest.fixture(scope="session")
def contract(server, request):
    answer = Client(server, None).get("/openapi.json")
    contract = Contract(answer.json)
    contract.check("GET", "/openapi.json", answer)
    request.config.tantu_contract = contract
    return contract


@pytest.fixture
def client(server, contract):
    """Nobody signed in."""
    client = Client(server, contract)
    yield client
    client.close()


@pytest.fixture(scope="session")
def admin_session(server, contract):
    return Client(server, contract).sign_in("admin", ADMIN_PASSWORD)


@pytest.fixture
def admin(admin_session):
    admin = admin_session.clone()
    yield admin
    admin.close()


class People:
    """Makes accounts through the API and signs them in. Called with a role and the fields of POST /users."""

    numbers = itertools.count(1)

    def __init__(self, admin):
        self.admin = admin
        self.made = []

    def __call__(self, role, **fields):
        user = f"{role}-{next(self.numbers)}"
        self.admin.post("/users", {"user": user, "password": PASSWORD, "role": role, **fields}, expect=201)
        client = self.admin.sign_in(user, PASSWORD)
        assert client.role == role
        self.made.append(client)
        return client

    def manager(self, region):
        return self("manager", region=region)

    def county(self, region):
        return self("county", region=region)

    def auditor(self, region):
        return self("auditor", region=region)

    def assessor(self, region):
        return self("assessor", region=region)

    def contractor(self, code, **fields):
        return self("contractor", contractor=code, **fields)

    def centre(self, code, **fields):
        return self("centre", centre=code, **fields)


@pytest.fixture
def people(admin):
    people = People(admin)
    yield people
    for client in people.made:
        client.close()


@pytest.fixture
def make_database(cluster, database):
    """make_database(): an empty migrated database beside the shared one (database: the roles must exist first)."""
    return lambda: cluster.new_database().migrate()


@pytest.fixture
def make_server(database):
    """make_server("serve", "--no-work", database=…, binary=…, TANTU_X="…") starts one; all end with the test."""
    started = []

    def make(*arguments, database=database, wait=True, **options):
        program = Program(database, *arguments, **options)
        started.append(program)
        return program.start(wait)

    yield make
    troubles = []
    for program in reversed(started):
        try:
            program.stop()
        except AssertionError as trouble:  # the others must end all the same
            troubles.append(trouble)
    assert not troubles, "\n".join(map(str, troubles))


@pytest.fixture
def client_of(contract):
    """client_of(server): a client, nobody signed in, for another server."""
    return lambda server: Client(server, contract)


# --- the whole run ---


def pytest_addoption(parser):
    parser.addoption("--keep", action="store_true", help="keep the database and the logs")
    parser.addoption("--half", type=int, choices=(1, 2), help="only this half of the files, for two runs side by side")
    parser.addoption("--exercised", type=Path, metavar="DIR", help="keep there which endpoints were exercised; or read it there")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes half a minute or more")
    config.tantu_contract = config.tantu_workspace = None
    config.tantu_started = time.monotonic()


LAST = ["test_observability.py", "test_every_endpoint.py"]  # these look back on all the others


# Seconds that the long ones take; the others about one for each 3 kB.
LONG = {"test_queue": 125, "test_texts": 125, "test_abuse": 90, "test_scope": 70, "test_backup": 65, "test_doctor": 45, "test_bad_input": 50,
        "test_benches": 35, "test_totals_under_load": 30, "test_model": 30, "test_metrics": 28, "test_imports": 28, "test_queue_batches": 27}


def halves(files):
    """The files in two halves that take about as long; what looks back is in both."""
    half = [[], []]
    seconds = {file: LONG.get(file.stem, file.stat().st_size / 3000) for file in files if file.name not in LAST}
    for file in sorted(seconds, key=lambda file: (-seconds[file], file.name)):
        min(half, key=lambda files: sum(seconds[one] for one in files)).append(file)
    return [set(files) | {file for file in half[0][0].parent.glob("test_*.py") if file.name in LAST} for files in half]


def pytest_collection_modifyitems(config, items):
    half = config.getoption("--half")
    if half:
        mine = halves({item.path for item in items})[half - 1]
        config.hook.pytest_deselected(items=[item for item in items if item.path not in mine])
        items[:] = [item for item in items if item.path in mine]
    items.sort(key=lambda item: LAST.index(item.path.name) + 1 if item.path.name in LAST else 0)


def pytest_sessionfinish(session):
    folder, contract = session.config.getoption("--exercised"), session.config.tantu_contract
    if folder and contract and session.config.getoption("--half"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{session.config.getoption('--half')}.json").write_text(json.dumps(sorted(contract.exercised)), encoding="utf-8")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    space = item.config.tantu_workspace
    item.tantu_marks = space.marks() if space else {}
    yield


@pytest.fixture(autouse=True)
def clean_logs(request):
    """No test passes while a program reports a broken invariant or a sanitizer's finding."""
    yield
    space = request.config.tantu_workspace
    if space:
        found = [f"{name}:\n{fatal_lines(text)}" for name, text in space.since(request.node.tantu_marks) if fatal_lines(text)]
        assert not found, "\n".join(found)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure comes with the end of what the programs said during the test."""
    report = (yield).get_result()
    space = item.config.tantu_workspace
    if report.failed and space:
        for name, text in space.since(item.tantu_marks):
            report.sections.append((f"{name}", "\n".join(text.splitlines()[-40:])))
