# SPDX-License-Identifier: Apache-2.0
"""Figures for those who watch: of the process, of every endpoint, of every lane and of every queue."""
import http.client
import os
import re

import pytest
from processes import wait_until

LINE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? (\S+)$')


def scrape(client):
    """{(name, frozenset of label="value")}: value"""
    text = client._send("GET", "/metrics", None, {}, 10).body.decode()
    found = (LINE.match(line) for line in text.splitlines() if not line.startswith("#"))
    return {(m[1], frozenset(re.findall(r'[a-z_]+="[^"]*"', m[2] or ""))): float(m[3]) for m in found}


def value(client, name, *labels):
    return scrape(client)[name, frozenset(labels)]


def test_the_process_tells_what_the_kernel_says(server, client):
    ticks = os.sysconf("SC_CLK_TCK")
    seen = scrape(client)

    def of(name):
        return seen[name, frozenset()]

    stat = open(f"/proc/{server.pid}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()
    boot = float(re.search(r"^btime (\d+)", open("/proc/stat", encoding="utf-8").read(), re.MULTILINE)[1])
    assert abs(of("process_start_time_seconds") - (boot + int(stat[19]) / ticks)) < 2
    assert 0 < of("process_cpu_seconds_total") <= (int(stat[11]) + int(stat[12]) + 5) / ticks
    assert of("process_resident_memory_bytes") > 1e6 and of("process_virtual_memory_bytes") > of("process_resident_memory_bytes")
    assert 5 < of("process_open_fds") < of("process_max_fds")
    assert of("process_threads") >= 1 and of("tantu_database_up") == 1
    assert [labels for name, labels in seen if name == "tantu_build_info"]


def test_an_open_connection_is_an_open_file(server, client, contract, client_of):
    before = value(client, "process_open_fds")
    others = [client_of(server) for _ in range(10)]
    for other in others:
        other.get("/healthz")
    assert value(client, "process_open_fds") >= before + 10
    for other in others:
        other.close()


def test_every_endpoint_has_its_figures(client, contract):
    seen = scrape(client)
    for method, route in contract.operations:
        labels = {f'method="{method}"', f'route="{route}"'}
        assert ("tantu_request_seconds_count", frozenset(labels)) in seen, (method, route)
        for status in ("2xx", "4xx", "5xx"):
            assert ("tantu_requests_total", frozenset({*labels, f'status="{status}"'})) in seen, (method, route)


def test_what_is_not_there_is_counted_too(client):
    before = value(client, "tantu_requests_unrouted_total")
    for path in ("/nothing", "/api/v1/nothing"):
        client._send("GET", path, None, {}, 10)
    wait_until(lambda: value(client, "tantu_requests_unrouted_total") == before + 2, 30)


JOBS = {"due": "'queued', now() - interval '90 seconds', NULL, NULL, NULL", "later": "'queued', now() + interval '1 day', NULL, NULL, NULL",
        "dead": "'dead', now(), NULL, NULL, now()", "running": "'running', now(), 900001, now() + interval '1 hour', NULL"}


def test_queues_are_told_as_the_database_has_them(make_server, make_database, client_of):
    """By a server that runs no jobs itself, of a database where nobody does."""
    database = make_database()
    client = client_of(make_server("serve", "--no-work", database=database))
    for number, row in enumerate(JOBS.values(), 1):
        database.sql(f"""INSERT INTO job (queue, kind, state, run_at, lease_token, lease_until, finished_at)
            SELECT 'imports', 'import', {row} FROM generate_series(1, {number})""")
    expected = {f'state="{state}"': number for number, state in enumerate(JOBS, 1)}
    wait_until(lambda: all(value(client, "tantu_queue_jobs", 'queue="imports"', state) == number for state, number in expected.items()), 60)
    assert 90 <= value(client, "tantu_queue_oldest_seconds", 'queue="imports"') < 600
    # The oldest of all priorities counts, not of the first one only.
    database.sql("INSERT INTO job (queue, kind, priority, run_at) SELECT 'imports', 'import', p, now() - p * interval '1 hour' FROM generate_series(-9, 9, 6) AS p")
    wait_until(lambda: value(client, "tantu_queue_oldest_seconds", 'queue="imports"') > 9 * 3600 - 1, 60)
    queues = {label for name, labels in scrape(client) if name == "tantu_queue_oldest_seconds" for label in labels}
    database.sql("INSERT INTO job (queue, kind) SELECT 'reminders', 'stage_overdue' FROM generate_series(1, 15000)")
    wait_until(lambda: value(client, "tantu_queue_jobs", 'queue="reminders"', 'state="due"') == 10000, 60)  # or more
    assert queues >= {f'queue="{name}"' for name, in database.sql("SELECT DISTINCT queue FROM job")}
    client.close()


def test_the_fold_is_told(make_server, make_database, client_of):
    database = make_database()
    client = client_of(make_server("serve", "--no-work", database=database))
    database.sql("""UPDATE job SET finished_at = now() - interval '1 hour' WHERE unique_key = 'totals_fold';
        INSERT INTO total_delta (plan_id, region, to_stage, moved_on, recorded_on, counted, n)
        SELECT min(id), 640324101, 'registered', '2026-01-01', '2026-01-01', 0, 1 FROM plan""")
    wait_until(lambda: value(client, "tantu_totals_unfolded") == 1, 60)
    wait_until(lambda: 3599 < value(client, "tantu_totals_fold_age_seconds") < 4200, 60)
    database.sql("UPDATE job SET state = 'cancelled' WHERE unique_key = 'totals_fold'")
    wait_until(lambda: value(client, "tantu_totals_fold_age_seconds") > 30000000, 60)
    worker = make_server("work", database=database)
    database.sql("UPDATE job SET state = 'queued', run_at = now(), finished_at = NULL WHERE unique_key = 'totals_fold'; NOTIFY job, 'totals'")
    wait_until(lambda: value(client, "tantu_totals_unfolded") == 0 and value(client, "tantu_totals_fold_age_seconds") < 120, 90)
    worker.stop()
    client.close()


@pytest.mark.parametrize("times", [5])
def test_a_server_that_stops_at_once_leaves_nothing_asked(make_server, times):
    """Its first figures are on their way when it is told to go (the sanitizers watch)."""
    for _ in range(times):
        server = make_server("serve", "--no-work")
        server.stop()


def test_figures_keep_their_values_while_the_database_is_away(make_server, make_database, client_of):
    """The metrics answer all the same, and say so."""
    database = make_database()
    client = client_of(make_server("serve", "--no-work", database=database))
    database.sql("INSERT INTO job (queue, kind) SELECT 'imports', 'import' FROM generate_series(1, 7)")
    due = ("tantu_queue_jobs", 'queue="imports"', 'state="due"')
    wait_until(lambda: value(client, *due) == 7, 60)
    outside = database.cluster.main_database()
    outside.sql(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false")
    outside.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", database.name)
    wait_until(lambda: value(client, "tantu_database_up") == 0, 60)
    assert value(client, *due) == 7
    outside.sql(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true")
    wait_until(lambda: value(client, "tantu_database_up") == 1, 60)
    database.sql("INSERT INTO job (queue, kind) VALUES ('imports', 'import')")
    wait_until(lambda: value(client, *due) == 8, 60)
    client.close()


# --- one process alone ---


def told_at(program):
    """Addresses, one a process."""
    return sorted(line["address"] for line in program.events("telling_metrics"))


def fetch(address, path, method="GET"):
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_worker_tells_its_own_figures(make_server, make_database):
    database = make_database()
    worker = make_server("work", "--metrics-listen", "127.0.0.1:0", database=database)
    address = wait_until(lambda: told_at(worker), 60)[0]
    wait_until(lambda: fetch(address, "/readyz") == (200, '{"status":"ready"}'), 60)
    wait_until(lambda: re.search(r"^tantu_jobs_ended_total(?:\{[^}]*\})? [1-9]", fetch(address, "/metrics")[1], re.MULTILINE), 60)
    text = fetch(address, "/metrics")[1]
    for name in ("tantu_jobs_running", "tantu_db_group_seconds_count", "process_resident_memory_bytes", "process_start_time_seconds"):
        assert name in text, name
    assert "tantu_http_connections" not in text, "the listener is not the server"
    assert fetch(address, "/healthz")[0] == 200 and fetch(address, "/api/v1/plans")[0] == 404 and fetch(address, "/metrics", "POST")[0] == 405
    assert fetch(address, "/metrics", "HEAD") == (200, "")
    outside = database.cluster.main_database()
    outside.sql(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false")
    outside.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", database.name)
    wait_until(lambda: fetch(address, "/readyz")[0] == 503, 60)
    assert fetch(address, "/healthz")[0] == 200 and "tantu_database_up 0" in fetch(address, "/metrics")[1]
    outside.sql(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS true")
    wait_until(lambda: fetch(address, "/readyz")[0] == 200, 60)


def test_a_worker_is_watched_before_its_database_is_there(make_server, make_database):
    database = make_database()
    database.cluster.main_database().sql(f"ALTER DATABASE {database.name} ALLOW_CONNECTIONS false")
    worker = make_server("work", database=database, TANTU_METRICS_LISTEN="127.0.0.1:0")
    address = wait_until(lambda: told_at(worker), 60)[0]
    assert fetch(address, "/healthz")[0] == 200 and fetch(address, "/readyz")[0] == 503
    worker.stop()


def test_processes_that_share_a_port_are_told_apart(make_server, client_of):
    server = make_server("serve", "--no-work", "--processes", "3", "--metrics-listen", "127.0.0.1:0")
    addresses = wait_until(lambda: len(told_at(server)) == 3 and told_at(server), 60)
    client = client_of(server)
    for _ in range(5):
        client.get("/healthz")
    starts = {re.search(r"^process_start_time_seconds (\S+)$", fetch(address, "/metrics")[1], re.MULTILINE)[1] for address in addresses}
    assert len(set(addresses)) == 3 and len(starts) >= 1
    wait_until(lambda: sum(int(re.search(r'^tantu_requests_total\{method="GET",route="/healthz",status="2xx"\} (\d+)$',
                                         fetch(address, "/metrics")[1], re.MULTILINE)[1]) for address in addresses) >= 5, 60)
    client.close()


def test_an_address_that_is_taken_is_named(database, server):
    done = database.run("work", "--metrics-listen", server.address, check=False)
    assert done.returncode == 1 and f"TANTU_METRICS_LISTEN: {server.address}" in done.stderr
    done = database.run("work", "--metrics-listen", "here", check=False)
    assert done.returncode == 1 and "--metrics-listen: 'here' is not an address with a port" in done.stderr
