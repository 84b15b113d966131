# SPDX-License-Identifier: Apache-2.0
"""The commands as an operator meets them: help, settings, accounts. Every refusal is one line and status 1."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest
from client import Client
from conftest import PASSWORD
from processes import PROGRAM, wait_until


def tantu(*arguments, stdin="", **environment):
    """To its end, with no settings but these."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "TANTU_"))}
    return subprocess.run([PROGRAM, *map(str, arguments)], env={**plain, "TANTU_CONFIG": "", **environment}, text=True, input=stdin,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


def refused(done, *words, status=1):
    assert done.returncode == status and not done.stdout, done
    assert done.stderr.startswith("tantu: ") and done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def commands():
    """Their names, out of the program's own help."""
    text = tantu("--help").stdout
    return [re.split(r"\s{2,}", line.strip())[0] for line in text.split("\n\n")[1].splitlines() if not line.startswith("   ")]


# --- help ---


def test_help_names_every_command_and_each_explains_itself():
    names = commands()
    assert {"serve", "work", "migrate", "import", "verify totals", "config check", "user create"} <= set(names)
    for name in names:
        by_option, by_command = tantu(*name.split(), "--help"), tantu("help", *name.split())
        assert by_option.returncode == by_command.returncode == 0 and by_option.stdout == by_command.stdout
        assert by_option.stdout.startswith(f"tantu {name}") and "Examples:" in by_option.stdout and not by_option.stderr
        assert all(len(line) <= 100 for line in by_option.stdout.splitlines())


def test_a_command_that_is_none_is_refused():
    assert tantu().returncode == 2 and "serve" in tantu().stderr
    refused(tantu("sevre"), "sevre: no such command", status=2)
    refused(tantu("user"), "`tantu user create`", "`tantu user reset`", status=2)
    refused(tantu("user", "delete"), "`tantu user create`", status=2)
    refused(tantu("help", "sevre"), "no such command")
    refused(tantu("serve", "--lisen", "x"), "--lisen: no such option")
    refused(tantu("serve", "--help=1"), "--help: takes no value")


# --- settings ---


def test_a_wrong_setting_stops_a_start_with_its_name(database, tmp_path):
    file = tmp_path / "tantu.conf"
    file.write_text("# ours\nlisten = 127.0.0.1\n")
    for arguments, environment, says in (
            ((), {"TANTU_LISTEN": "here"}, "TANTU_LISTEN: 'here' is not an address"),
            (("--listen", "here"), {}, "--listen: 'here' is not an address"),
            ((), {"TANTU_LISTEN": "", "TANTU_CONFIG": str(file)}, f"{file}:2: listen: '127.0.0.1' is not an address"),
            (("--config", file), {"TANTU_LISTEN": ""}, f"{file}:2: listen: "),
            (("--config", tmp_path / "none"), {}, "none: cannot be read: No such file"),
            ((), {"TANTU_DATABASE_FILE": "/x"}, "TANTU_DATABASE and TANTU_DATABASE_FILE are both set"),
            ((), {"TANTU_DATABASE": "host=a,b port=1,2,3"}, "TANTU_DATABASE: one port, or one for each host"),
            ((), {"TANTU_DATABASE": "host=a target_session_attrs=standby"}, "TANTU_DATABASE: "),
            ((), {"TANTU_REPLICA_DATABASE": "host=a target_session_attrs=primary"}, "TANTU_REPLICA_DATABASE: "),
            ((), {"TANTU_REPLICA_DATABASE": "host=a,b hostaddr=10.0.0.1"}, "TANTU_REPLICA_DATABASE: as many values for hostaddr"),
            ((), {"TANTU_REPLICA_LAG": "0"}, "TANTU_REPLICA_LAG: '0' is not a number from 1 to 3600 seconds"),
            ((), {"TANTU_SESSION_HOURS": "1000"}, "TANTU_SESSION_HOURS: '1000' is not a number from 1 to 720 hours")):
        done = database.run("serve", *arguments, check=False, **environment)
        lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]  # a note is a log line
        assert done.returncode == 1 and len(lines) == 1 and says in lines[0], done.stderr
    refused(tantu("serve"), "TANTU_DATABASE: not set")
    refused(tantu("migrate"), "TANTU_OWNER_DATABASE: not set")


def test_everything_may_stand_in_one_file(database, make_server, tmp_path):
    secret = tmp_path / "conninfo"
    secret.write_text(database.conninfo("app") + "\n")
    file = tmp_path / "tantu.conf"
    file.write_text(f"database_file = {secret}\nlisten = 127.0.0.1:0\nvar = {database.var}\nwork = no\n")
    nothing = {name: "" for name in ("TANTU_DATABASE", "TANTU_OWNER_DATABASE", "TANTU_VAR", "TANTU_ADMIN_PASSWORD", "TANTU_LISTEN")}
    server = make_server("serve", "--config", file, wait=False, **nothing)
    wait_until(lambda: server.events("listening"), 60, "listening")
    assert not server.events("working")
    assert len(server.events("setting")) == len(nothing)  # each is told to be empty


def test_config_check_tells_everything_at_once(tmp_path):
    file = tmp_path / "tantu.conf"
    file.write_text("listen = x\nprocesses = 0\nlistn = 1\nhello\nadmin_password = Geheim-Geheim\n")
    file.chmod(0o644)
    done = tantu("config", "check", "--config", file, TANTU_GRACE_SECONDS="soon", TANTU_LISTN="1")
    lines = done.stdout.splitlines()
    wrong = [line for line in lines if line.startswith("wrong: ")]
    for part in (f"{file}:1: listen: ", f"{file}:2: processes: ", f"{file}:3: listn: no such setting; is listen meant?", f"{file}:4: not",
                 "TANTU_GRACE_SECONDS: 'soon'", "TANTU_DATABASE: not set; needed by serve"):
        assert len([line for line in wrong if part in line]) == 1, (part, lines)
    assert len(wrong) == 6 and done.returncode == 1 and not done.stderr
    notes = [line for line in lines if line.startswith("note: ")]
    assert any("TANTU_LISTN" in note for note in notes) and any("everybody may read it" in note for note in notes)
    assert len(wrong) + len(notes) == len(lines) and "Geheim" not in done.stdout
    file.write_text("database = host=/run/postgresql user=tantu_app\n")
    done = tantu("config", "check", "--config", file)
    assert done.returncode == 0 and f"sound (configuration file: {file})" in done.stdout.splitlines()[-1]


def test_config_show_tells_where_each_came_from_and_no_secret(tmp_path):
    file = tmp_path / "tantu.conf"
    file.write_text("processes = 3\ndatabase = host=/run user=tantu_app password='Geheim one' dbname=tantu\n")
    secret = tmp_path / "owner"
    secret.write_text("postgresql://tantu_owner:Geheim@10.0.0.1/tantu")
    done = tantu("config", "show", "--config", file, TANTU_VAR="/srv", TANTU_OWNER_DATABASE_FILE=str(secret), TANTU_ADMIN_PASSWORD="Geheim-Geheim")
    assert done.returncode == 0 and not done.stderr and "Geheim" not in done.stdout
    shown = dict(line.split(" = ", 1) for line in done.stdout.splitlines())
    assert shown["processes"] == f"3    [{file}:1: processes]" and shown["var"] == "/srv    [TANTU_VAR]"
    assert shown["uploads"] == "/srv/uploads    [default]" and shown["admin_password"] == "********    [TANTU_ADMIN_PASSWORD]"
    assert "host=/run" in shown["database"] and "password=********" in shown["database"]
    assert "host=10.0.0.1" in shown["owner_database"] and str(secret) in shown["owner_database"]
    done = tantu("config", "show", TANTU_PROCESSES="many")
    assert done.returncode == 1 and "TANTU_PROCESSES" in done.stderr and "listen = " in done.stdout


def test_the_example_is_a_file_that_holds(tmp_path):
    text = tantu("config", "example").stdout
    settings = re.findall(r"^#([a-z_]+) =(.*)$", text, re.MULTILINE)
    shown = [line.split(" = ")[0] for line in tantu("config", "show").stdout.splitlines()]
    assert [name.removesuffix("_file") if name != "key_file" else name for name, _ in settings] == shown
    file = tmp_path / "tantu.conf"
    file.write_text(re.sub(r"^#(?=[a-z_]+ =)", "", text, flags=re.MULTILINE))
    done = tantu("config", "check", "--config", file, TANTU_DATABASE="host=/run")
    assert done.returncode == 0, done.stdout


# --- accounts ---


def sign_in(server, user, password):
    return Client(server, None).sign_in(user, password)


def user(database, *arguments, stdin=PASSWORD + "\n", status=0):
    done = subprocess.run([PROGRAM, "user", *map(str, arguments)], env=database.environment(), text=True, input=stdin, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == status, done
    return done


def test_an_account_is_made_at_the_machine(database, server, admin):
    made = json.loads(user(database, "create", "shell-ma", "--role", "manager", "--region", "640324").stdout)
    client = sign_in(server, "shell-ma", PASSWORD)
    assert client.role == made["role"] == "manager" and client.get("/plans/tongxin/progress")
    seen = admin.get(f"/users/{made['id']}")
    assert (seen["user"], seen["region"]) == ("shell-ma", "640324")
    user(database, "create", "shell-firm", "--role=contractor", "--contractor=shell-firm-code")
    assert "shell-firm-code" in {one["code"] for one in admin.pages("/contractors", limit=200)}


def test_what_the_api_refuses_the_command_refuses(database, admin):
    before = len(list(admin.pages("/users", limit=200)))
    for arguments, words in (
            (["x"], "admin: missing (what the account may do)"), (["--role", "admin"], "NAME: missing"), (["x", "--role", "king"], "--role: there is no such role"),
            (["", "--role", "admin"], "NAME: 1 to 64 characters"), (["x" * 65, "--role", "admin"], "NAME: 1 to 64 characters"),
            (["x", "--role", "manager"], "--region: This role needs a region"), (["x", "--role", "manager", "--region", "64"], "--region: a region code"),
            (["x", "--role", "manager", "--region", "999999"], "--region: There is no such region"),
            (["x", "--role", "contractor"], "--contractor: A contractor is needed"), (["x", "--role", "admin", "--contractor", "c"], "--contractor: A contractor does not"),
            (["x", "--role", "centre"], "--centre: This role needs"), (["x", "--role", "admin", "--centre", "c"], "--centre: A centre does not"),
            (["admin", "--role", "admin"], "NAME: The user name is taken"), (["x", "--role", "admin", "--password", "Geheim-1"], "--password: no such option"),
            (["x", "--role", "admin", "--password-file", "/nowhere"], "--password-file: /nowhere: cannot be read")):
        refused(user(database, "create", *arguments, status=1), words)
    for password, words in (("short 7", "password: 8 to 200"), ("x" * 201, "password: 8 to 200"), ("", "the password is empty"),
                            ("x" * 5000, "too long"), ("a long one\0", "not one line")):
        refused(user(database, "create", "x", "--role", "admin", stdin=password, status=1), words)
    assert len(list(admin.pages("/users", limit=200))) == before


def test_a_reset_ends_the_sessions_everywhere(database, server, people, admin, tmp_path):
    client = people.auditor("640324")
    name = client.user
    file = tmp_path / "pw"
    file.write_text("Another-password-1\n")
    client.get("/plans")
    user(database, "reset", name, "--password-file", file)
    wait_until(lambda: client._send("GET", "/api/v1/plans", None, {"Authorization": f"Bearer {client.token}"}, 10).status == 401, 30,
               "the session's end")
    admin.clone().post("/session", {"user": name, "password": PASSWORD}, expect=401)
    assert sign_in(server, name, "Another-password-1").role == "auditor"
    refused(user(database, "reset", "nobody-such", status=1), "NAME: there is no such account")
    refused(user(database, "reset", name, stdin="short\n", status=1), "password: 8 to 200")
    assert sign_in(server, name, "Another-password-1").role == "auditor"


def test_a_reset_enables_only_when_told(database, server, people, admin):
    client = people.auditor("640324")
    name = client.user
    number = next(one["id"] for one in admin.pages("/users", limit=200) if one["user"] == name)
    admin.patch(f"/users/{number}", {"disabled": True})
    assert "--enable" in user(database, "reset", name).stderr
    admin.clone().post("/session", {"user": name, "password": PASSWORD}, expect=401)
    assert "note" not in user(database, "reset", name, "--enable").stderr
    assert sign_in(server, name, PASSWORD).role == client.role


def test_accounts_can_be_made_while_no_server_runs(make_database):
    own = make_database()
    user(own, "create", "first", "--role", "auditor", "--region", "640000")
    assert own.sql("SELECT role, region FROM account WHERE name = 'first'") == [("auditor", 640000000)]
    refused(subprocess.run([PROGRAM, "user", "reset", "first"], env={**own.environment(), "TANTU_DATABASE": "host=/nowhere user=tantu_app"}, text=True,
                           input=PASSWORD, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60), "/nowhere")


def read_terminal(terminal, until):
    """What it showed next; nothing once the program has closed it."""
    ready, _, _ = select.select([terminal], [], [], max(0, until - time.monotonic()))
    assert ready, "the program neither asks nor ends"
    try:
        return os.read(terminal, 1000)
    except OSError:
        return b""


def type_at_terminal(database, arguments, answers):
    """Runs it on a terminal and types each answer when it asks; what the terminal showed, and the status."""
    environment = database.environment()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(PROGRAM, [str(PROGRAM), *arguments], environment)
    shown, until = b"", time.monotonic() + 60
    try:
        for number, answer in enumerate(answers, 1):
            while shown.count(b": ") < number:
                shown += read_terminal(terminal, until)
            os.write(terminal, answer)
        while more := read_terminal(terminal, until):
            shown += more
    except AssertionError:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.close(terminal)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return shown.decode(), status


def test_a_terminal_is_asked_twice_and_shows_nothing(database, server):
    shown, status = type_at_terminal(database, ["user", "create", "typed", "--role", "auditor", "--region", "640324"],
                                     [b"Typed-password-1\n", b"Typed-password-1\n"])
    assert status == 0 and "Typed-password-1" not in shown and "The same again" in shown
    assert sign_in(server, "typed", "Typed-password-1").role == "auditor"
    shown, status = type_at_terminal(database, ["user", "reset", "typed"], [b"Typed-password-2\n", b"Typed-password-3\n"])
    assert status == 1 and "the two passwords differ" in shown and "Typed-password" not in shown
    shown, status = type_at_terminal(database, ["user", "reset", "typed"], [b"Typed\x03\n"])
    assert status == 1 and "stopped" in shown
    assert sign_in(server, "typed", "Typed-password-1").role == "auditor"
