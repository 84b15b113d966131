# SPDX-License-Identifier: Apache-2.0
"""A county office on a closed network: an empty Debian 12 without a route is given one file. One box for all of it, so the
tests stand in the order of an installation's life."""
import shutil
import signal

import boxes_help
import needs
import pytest
from box import AS_ROOT, run

UNITS = ["tantu-migrate", "tantu-serve", "tantu-work"]


@pytest.fixture(scope="module")
def installed(box, bundle):
    """The bundle unpacked and installed, once."""
    shutil.copy(bundle, box.shown / "bundle.tar")
    box.shell("cd /root && tar -xf /media/shown/bundle.tar && mv tantu-*/ 'a folder, unpacked'")
    box.said = box.run("/root/a folder, unpacked/install").stderr
    return box


def token_of(box):
    password = box.shell("cat /etc/tantu/secrets/admin_password")
    return box.http("POST", "/api/v1/session", {"user": "admin", "password": password}, expect=201)[1]["token"]


def serve_log(box):
    return box.shell("journalctl -u tantu-serve -u tantu-work -u tantu-migrate --no-pager -o cat")


def test_a_damaged_copy_changes_nothing(box, bundle):
    shutil.copy(bundle, box.shown / "bundle.tar")
    box.shell("mkdir /root/broken && cd /root/broken && tar -xf /media/shown/bundle.tar && printf x >>tantu-*/packages/tantu_*.deb")
    done = box.shell("cd /root/broken/tantu-*/ && ./install 2>&1 || echo status $?")
    assert "this copy is damaged; nothing was changed" in done and "status 1" in done
    assert not box.shell("dpkg-query -W -f '${Status}' tantu postgresql-15 2>/dev/null || true")
    box.shell("rm -r /root/broken")


def test_another_system_is_refused(box):
    box.shell("mkdir /root/other && cd /root/other && tar -xf /media/shown/bundle.tar && cp /etc/os-release /root/os-release")
    for line, said in (('s/^VERSION_ID=.*/VERSION_ID="13"/', "made for Debian 12, and this is another system"),):
        box.shell(f"sed '{line}' /root/os-release >/run/os-release && mount --bind /run/os-release /etc/os-release")
        assert said in box.shell("cd /root/other/tantu-*/ && ./install 2>&1 || echo status $?")
        box.shell("umount /etc/os-release")
    box.shell("cd /root/other/tantu-*/ && echo 0.1.0-debian12-riscv64 >version && sed -i '/ version$/d' SHA256SUMS && sha256sum version >>SHA256SUMS")
    assert "made for riscv64" in box.shell("cd /root/other/tantu-*/ && ./install 2>&1 || echo status $?")
    box.shell("rm -r /root/other")


def test_it_installs_without_a_network(installed):
    assert "Tantu is ready" in installed.said
    devices = [line.split(":")[0].strip() for line in installed.shell("cat /proc/net/dev").splitlines()[2:]]
    assert devices == ["lo"] and not installed.shell("tail -n +2 /proc/net/route")
    log = installed.shell("cat /var/log/tantu-install.log")
    assert "http:" not in log and "https:" not in log
    for unit in UNITS:
        assert installed.shell(f"systemctl is-active {unit}; systemctl is-enabled {unit}").split() == ["active", "enabled"], unit
    assert installed.http("GET", "/readyz", expect=200)[1]["status"] == "ready"
    installed.http("GET", "/readyz", port=8081, expect=200)
    assert "tantu_jobs_ended_total" in installed.http("GET", "/metrics", port=8081, expect=200)[1]
    assert not installed.shell("systemctl --failed --no-legend")


def test_secrets_and_data_are_for_their_user_only(installed):
    modes = {}
    for line in installed.shell("stat -c '%n %U:%G %a' /etc/tantu/secrets /etc/tantu/secrets/* /var/lib/tantu /var/lib/tantu/keys/master.key /etc/tantu/tantu.conf").splitlines():
        name, owner, mode = line.split()
        modes[name] = f"{owner} {mode}"
    assert modes == {
        "/etc/tantu/secrets": "root:tantu 750", "/etc/tantu/secrets/database": "root:tantu 640", "/etc/tantu/secrets/owner_database": "root:root 600",
        "/etc/tantu/secrets/admin_password": "root:root 600", "/etc/tantu/secrets/backup_passphrase": "root:root 600", "/var/lib/tantu": "tantu:tantu 700", "/var/lib/tantu/keys/master.key": "tantu:tantu 600",
        "/etc/tantu/tantu.conf": "root:root 644"}
    secrets = installed.shell("sed 's/.*password=//' /etc/tantu/secrets/*").split()
    assert len(set(secrets)) == 4 and all(len(secret) == 32 for secret in secrets)
    said = serve_log(installed) + installed.said + installed.shell("cat /var/log/postgresql/*.log /var/log/tantu-install.log; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert not [secret for secret in secrets if secret in said]
    # The server's process never had the owner's.
    pid = installed.main_pid("tantu-serve")
    assert "owner" not in installed.shell(f"tr '\\0' '\\n' </proc/{pid}/environ; ls /run/credentials/tantu-serve.service")


def test_the_server_may_do_little(installed):
    """What the unit says is in force."""
    pid = installed.main_pid("tantu-serve")
    status = dict(line.split(":", 1) for line in installed.shell(f"cat /proc/{pid}/status").splitlines())
    assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2" and int(status["CapBnd"], 16) == 0
    assert status["Uid"].split()[0] == installed.shell("id -u tantu")
    inside = ["nsenter", "-t", str(pid), "-m", "--"]
    for path in ("/usr/x", "/etc/x", "/var/x", "/var/lib/x", "/etc/tantu/x", "/boot/x"):
        assert "Read-only file system" in installed.run(*inside, "touch", path, check=False).stderr, path
    assert not installed.run(*inside, "ls", "-A", "/root", "/home", check=False).stdout.replace("/root:", "").replace("/home:", "").strip()
    soft, hard = installed.shell(f"awk '/Max open files/ {{ print $4, $5 }}' /proc/{pid}/limits").split()
    assert soft == hard and int(soft) > 12000


def test_the_cluster_has_checksums_and_keeps_quiet_about_people(installed):
    shown = installed.shell("""cd /; setpriv --reuid postgres --regid postgres --init-groups psql -XAt -c "
        SELECT current_setting('data_checksums'), current_setting('log_error_verbosity'), pg_encoding_to_char(encoding), datcollate
        FROM pg_database WHERE datname = 'tantu'" """)
    assert shown == "on|terse|UTF8|C.UTF-8"


def test_a_file_is_imported_and_counted(installed):
    token = token_of(installed)
    installed.http("POST", "/api/v1/users", {"user": "ma", "password": "a long password", "role": "manager", "region": "640324"}, token, 201)
    manager = installed.http("POST", "/api/v1/session", {"user": "ma", "password": "a long password"}, expect=201)[1]["token"]
    sample = installed.shown / "needs.csv"
    sample.write_bytes(needs.to_csv([needs.row("tongxin") for _ in range(20)]))
    number = installed.http("POST", "/api/v1/imports?plan=tongxin&mode=good_rows", token=manager, raw=sample, expect=202)[1]["id"]
    done = installed.wait_for(lambda: (lambda found: found if found["state"] == "done" else None)(
        installed.http("GET", f"/api/v1/imports/{number}", token=manager, expect=200)[1]), 60, "the import")
    assert (done["accepted"], done["rejected"], done["cases_opened"]) == (20, 0, 20)
    progress = installed.http("GET", "/api/v1/plans/tongxin/progress", token=manager, expect=200)[1]
    assert progress["by_stage"]["registered"] == 20 and progress["target"] == 1500 and progress["exact"] is True
    # The operator's own command, as root, with the settings of the services.
    assert "tantu:" not in installed.run("tantu", "verify", "totals").stderr


def test_doctor_and_health_are_content(installed):
    """As root, with the settings of the package."""
    assert installed.run("tantu", "health").returncode == 0
    done = installed.run("tantu", "doctor", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_backup_is_made_and_proved(installed):
    """By the unit of the night, with no more rights than the server has."""
    installed.shell("systemctl is-active tantu-backup.timer")
    installed.shell("systemctl start tantu-backup.service || { journalctl -u tantu-backup --no-pager -o cat >&2; exit 1; }")
    said = installed.shell("journalctl -u tantu-backup --no-pager -o cat")
    assert "proved" in said.splitlines()[-4:] or "proved" in said, said
    (made,) = installed.shell("ls /var/backups/tantu").split()
    assert installed.shell(f"stat -c '%U %a' /var/backups/tantu /var/backups/tantu/{made}").splitlines() == ["tantu 700"] * 2
    metrics = installed.wait_for(lambda: (lambda text: text if "proved_timestamp_seconds 0" not in text else None)(installed.http("GET", "/metrics")[1]), 30, "the figure")
    assert "tantu_backup_proved_timestamp_seconds " in metrics


def test_again_changes_nothing(installed):
    def state():
        return installed.shell("cat /etc/tantu/secrets/* /etc/tantu/tantu.conf; pg_lsclusters -h; dpkg -l | md5sum; md5sum /var/lib/tantu/keys/master.key")

    before, servers = state(), installed.main_pid("tantu-serve")
    assert "Tantu is ready" in installed.run("/root/a folder, unpacked/install").stderr
    assert state() == before and installed.main_pid("tantu-serve") == servers
    assert installed.http("GET", "/api/v1/plans/tongxin/progress", token=token_of(installed))[0] in (200, 403)


@pytest.mark.parametrize("unit", ["tantu-serve", "tantu-work"])
def test_what_dies_comes_back(installed, unit):
    before = installed.main_pid(unit)
    installed.shell(f"kill -KILL {before}")
    started = {"tantu-serve": '"event":"listening"', "tantu-work": '"event":"working"'}[unit]
    installed.wait_for(lambda: installed.main_pid(unit) not in (0, before) and
                       started in installed.shell(f"journalctl _PID={installed.main_pid(unit)} --no-pager -o cat"), 60, "another process")
    installed.wait_for(lambda: installed.http("GET", "/readyz")[0] == 200, 60, "readiness")


def test_what_hangs_is_started_again(installed):
    """The watchdog of systemd, made impatient for the test."""
    assert installed.shell("systemctl show -P WatchdogUSec tantu-serve; systemctl show -P WatchdogUSec tantu-work").split() == ["30s", "30s"]
    installed.shell("mkdir -p /run/systemd/system/tantu-serve.service.d && printf '[Service]\nWatchdogSec=2\n' >/run/systemd/system/tantu-serve.service.d/test.conf"
                    " && systemctl daemon-reload && systemctl restart tantu-serve")
    assert installed.http("GET", "/readyz")[0] == 200, "a start ends when it is ready"
    hung = installed.main_pid("tantu-serve")
    installed.shell(f"kill -STOP {hung}")
    installed.wait_for(lambda: installed.main_pid("tantu-serve") not in (0, hung), 90, "another process")
    installed.wait_for(lambda: installed.http("GET", "/readyz")[0] == 200, 60, "readiness")
    assert "atchdog timeout" in installed.shell("journalctl -u tantu-serve --no-pager -o cat")
    installed.shell("rm -r /run/systemd/system/tantu-serve.service.d && systemctl daemon-reload && systemctl restart tantu-serve")


def test_a_stop_is_graceful_and_a_boot_starts_all(installed):
    installed.shell("systemctl stop tantu-serve tantu-work")
    for unit in ("tantu-serve", "tantu-work"):
        assert installed.shell(f"systemctl show -P Result -P ExecMainStatus {unit}").split() == ["success", "0"], unit
    assert '"event":"stopped"' in serve_log(installed)
    assert installed.http("GET", "/healthz")[0] == 0
    installed.shell("systemctl start multi-user.target")
    wanted = installed.shell("systemctl show -P Wants multi-user.target")
    assert all(f"{unit}.service" in wanted for unit in UNITS)
    installed.shell("systemctl start tantu-serve tantu-work")
    installed.wait_for(lambda: installed.http("GET", "/readyz")[0] == 200, 60, "readiness")


def test_a_server_waits_for_a_database_that_is_late(installed):
    installed.shell("systemctl stop tantu-serve tantu-work postgresql@15-main && systemctl restart --no-block tantu-migrate tantu-serve tantu-work")
    installed.wait_for(lambda: "activ" in installed.shell("systemctl is-active tantu-serve || true"), 30, "a start")
    installed.shell("systemctl start postgresql@15-main")
    installed.wait_for(lambda: installed.http("GET", "/readyz")[0] == 200, 90, "readiness")
    installed.wait_for(lambda: installed.shell("systemctl is-active tantu-migrate tantu-work || true").split() == ["active", "active"], 90, "the rest")


def test_an_upgrade_restarts_and_keeps(installed, package):
    token, key = token_of(installed), installed.shell("md5sum </var/lib/tantu/keys/master.key")
    installed.shell("echo '# mine' >>/etc/tantu/tantu.conf")
    newer = boxes_help.with_version(package, "99.0.0", installed.shown)
    before = installed.main_pid("tantu-serve"), installed.main_pid("tantu-work")
    installed.run("dpkg", "-i", f"/media/shown/{newer.name}")
    after = installed.main_pid("tantu-serve"), installed.main_pid("tantu-work")
    assert 0 not in after and not set(before) & set(after)
    installed.wait_for(lambda: installed.http("GET", "/readyz")[0] == 200, 60, "readiness")
    assert installed.http("GET", "/api/v1/session", token=token, expect=200)[1]["user"] == "admin"
    assert installed.shell("tail -n 1 /etc/tantu/tantu.conf") == "# mine" and installed.shell("md5sum </var/lib/tantu/keys/master.key") == key
    # The bundle of before does not go back by itself.
    assert "newer than" in installed.shell("cd '/root/a folder, unpacked' && ./install 2>&1 || echo status $?")


def test_a_wrong_setting_is_told_in_the_journal(installed):
    installed.shell("cp /etc/tantu/tantu.conf /root/good && echo 'lissten = 1' >>/etc/tantu/tantu.conf && systemctl restart --no-block tantu-serve")
    installed.wait_for(lambda: "lissten: no such setting; is listen meant?" in serve_log(installed), 30, "the line")
    installed.shell("cp /root/good /etc/tantu/tantu.conf && systemctl restart tantu-serve")
    installed.wait_for(lambda: installed.http("GET", "/readyz")[0] == 200, 60, "readiness")


def test_removing_and_purging_keep_the_data_unless_told(installed):
    installed.run("dpkg", "-r", "tantu")
    assert installed.http("GET", "/healthz")[0] == 0
    assert installed.shell("ls /etc/tantu/tantu.conf /var/lib/tantu/keys/master.key /etc/tantu/secrets/database")
    said = installed.run("dpkg", "-P", "tantu").stderr
    assert "kept: /var/lib/tantu" in said and installed.shell("ls /var/lib/tantu/keys/master.key /etc/tantu/secrets/database; id -u tantu")
    assert not installed.shell("ls /etc/tantu/tantu.conf /lib/systemd/system/tantu* /etc/systemd/system/*/tantu* 2>/dev/null || true")
    # Installed again it goes on with what was kept.
    installed.run("/root/a folder, unpacked/install")
    assert installed.http("GET", "/api/v1/plans/tongxin/progress", token=token_of(installed))[0] in (200, 403)
    installed.run("dpkg", "-P", "tantu", env={"TANTU_PURGE": "data"})
    assert not installed.shell("ls -d /var/lib/tantu /etc/tantu 2>/dev/null || true") and not installed.shell("getent passwd tantu || true")
    # Its database is not the package's to delete.
    assert installed.shell("cd /; setpriv --reuid postgres --regid postgres --init-groups psql -XAtd tantu -c 'SELECT count(*) FROM person'") == "20"


def test_a_machine_without_systemd_is_told_what_to_start(installed):
    """After the purge above: everything anew, in a box that looks as if it had no systemd."""
    installed.shell("cd /; setpriv --reuid postgres --regid postgres --init-groups psql -Xq -c 'DROP DATABASE tantu'; mkdir /run/empty")
    done = installed.shell("unshare -m bash -c 'mount --bind /run/empty /run/systemd && \"/root/a folder, unpacked/install\" 2>&1'")
    assert "There is no systemd here" in done and "tantu serve" in done
    assert "inactive" in installed.shell("systemctl is-active tantu-serve || true")
    installed.shell("cd /var/lib/tantu && (setpriv --reuid tantu --regid tantu --init-groups tantu serve >/tmp/log 2>&1 & echo $! >/tmp/pid)")
    installed.wait_for(lambda: installed.http("GET", "/readyz")[0] == 200, 60, "readiness")
    assert token_of(installed)
    installed.shell(f"kill -{signal.SIGTERM.value} $(cat /tmp/pid)")
    installed.wait_for(lambda: installed.http("GET", "/readyz")[0] == 0, 60, "its end")


def test_no_process_is_left_when_a_box_is_gone(installed):
    """The last test here: the fixture stops the box; its namespace's processes all belong to its process 1."""
    assert run(*AS_ROOT, "readlink", f"/proc/{installed.init}/ns/pid").stdout != run("readlink", "/proc/self/ns/pid").stdout
