# SPDX-License-Identifier: Apache-2.0
"""Needs files beyond the samples: the three modes, what comes back, what was there before, and imports that are killed."""
import csv
import io
import json
import os
import time
import zipfile
from xml.sax.saxutils import escape

import needs
import pytest
from client import Client
from conftest import People
from processes import ADMIN_PASSWORD, ROOT, Program, wait_until
from stages import bring_in_rows, case_of, walk
from test_import_samples import rows_of

FORMATS = ["csv_utf8", "csv_utf8_bom", "csv_gb18030", "xlsx"]
ERROR_COLUMNS = ["错误代码", "错误说明"]
FIGURES = ("accepted", "rejected", "persons", "households", "households_with_retrofit_need", "eligible_households",
           "persons_with_device_need", "device_needs", "cases_opened", "committed", "nothing_new")


@pytest.fixture(scope="module")
def staff(server, admin_session):
    people = People(admin_session)
    yield {"manager": people.manager("640324"), "qinghai": people.manager("630000"), "county": people.county("630106")}
    for client in people.made:
        client.close()


@pytest.fixture
def manager(staff):
    return staff["manager"]


def table(rows, form, columns=None):
    """The rows (dicts) as a file of that format."""
    columns = columns or needs.COLUMNS
    lines = [columns] + [[row[column] for column in columns] for row in rows]
    if form == "xlsx":
        return workbook(lines)
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(lines)
    return out.getvalue().encode({"csv_utf8": "utf-8", "csv_utf8_bom": "utf-8-sig", "csv_gb18030": "gb18030"}[form])


def workbook(lines):
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    cells = "".join("<row>" + "".join(f'<c t="inlineStr"><is><t>{escape(text)}</t></is></c>' for text in line) + "</row>" for line in lines)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>'}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def tongxin_rows(database):
    return database.sql("SELECT (SELECT count(*) FROM household), (SELECT count(*) FROM person), (SELECT count(*) FROM need), "
                        "(SELECT count(*) FROM retrofit_case), (SELECT count(*) FROM case_event)")


def mixed():
    """Two good rows and two bad ones."""
    return [needs.row(), needs.row(**{"联系电话": "12"}), needs.row(**{"姓名": ""}), needs.row()]


def rejected(client, number):
    return client._send("GET", f"/api/v1/imports/{number}/rejected", None, {"Authorization": f"Bearer {client.token}"}, 60)


# --- modes ---


def test_a_dry_run_says_it_and_does_nothing(manager, database):
    before, rows = tongxin_rows(database), mixed()
    done = manager.import_file("tongxin", needs.to_csv(rows), "dry_run")
    assert (done["accepted"], done["rejected"], done["committed"]) == (2, 2, False)
    assert done["rejected_by_code"] == {"phone_invalid": 1, "required_missing": 1}
    assert tongxin_rows(database) == before
    again = manager.import_file("tongxin", needs.to_csv(rows), "good_rows")
    assert {name: again[name] for name in FIGURES if name not in ("committed", "cases_opened")} == \
        {name: done[name] for name in FIGURES if name not in ("committed", "cases_opened")}
    assert again["committed"] is True and again["cases_opened"] == 2


def test_all_or_nothing_is_nothing_when_a_row_is_bad(manager, database):
    before = tongxin_rows(database)
    rows = mixed()
    done = manager.import_file("tongxin", needs.to_csv(rows), "all_or_nothing")
    assert (done["accepted"], done["rejected"], done["committed"]) == (2, 2, False)
    assert tongxin_rows(database) == before
    good = [rows[0], rows[3]]
    done = manager.import_file("tongxin", needs.to_csv(good), "all_or_nothing")
    assert (done["accepted"], done["rejected"], done["committed"], done["cases_opened"]) == (2, 0, True, 2)
    assert tongxin_rows(database) != before


def test_a_duplicate_alone_makes_all_or_nothing_nothing(manager, database):
    first, second = needs.row(), needs.row()
    manager.import_file("tongxin", needs.to_csv([first]))
    before = tongxin_rows(database)
    done = manager.import_file("tongxin", needs.to_csv([second, {**first, "序号": "2"}]), "all_or_nothing")
    assert done["rejected_by_code"] == {"duplicate_registered": 1} and done["committed"] is False
    assert tongxin_rows(database) == before


@pytest.mark.parametrize("change, code", [
    ({"姓名": ""}, "required_missing"), ({"残疾人证号": ""}, "required_missing"), ({"户编号": " "}, "required_missing"), ({"区划代码": ""}, "required_missing"),
    ({"残疾人证号": "640324190101010"}, "cert_format"), ({"残疾类别": "听力"}, "category_mismatch"),
    ({"残疾等级": "四级"}, "level_mismatch"), ({"区划代码": "999999999"}, "region_unknown"),
    ({"区划代码": "222401002"}, "region_outside_plan"), ({"联系电话": "1390000"}, "phone_invalid"), ({"登记日期": "2022-02-30"}, "date_invalid"),
    ({"登记日期": "昨天"}, "date_invalid"), ({"改造需求": "", "辅具需求": ""}, "needs_empty")])
def test_each_code_is_given_for_its_reason(manager, change, code):
    row = {**needs.row(), **change}
    done = manager.import_file("tongxin", needs.to_csv([row]), "dry_run")
    assert done["rejected_by_code"] == {code: 1}, done


def test_a_wrong_check_digit_and_the_order_of_the_codes(manager):
    row = needs.row()
    citizen = row["残疾人证号"]
    wrong = {**row, "残疾人证号": citizen[:17] + ("0" if citizen[17] != "0" else "1") + citizen[18:]}
    worse = {**wrong, "联系电话": "1", "登记日期": "x", "改造需求": ""}
    worst = {**worse, "姓名": ""}
    for bad, code in ((wrong, "cert_check_digit"), (worse, "cert_check_digit"), (worst, "required_missing")):
        assert manager.import_file("tongxin", needs.to_csv([bad]), "dry_run")["rejected_by_code"] == {code: 1}


def test_the_same_person_twice_in_a_file_is_taken_once(manager):
    row = needs.row()
    again = {**row, "序号": "2", "残疾人证号": row["残疾人证号"] + "B1"}
    done = manager.import_file("tongxin", needs.to_csv([row, again]))
    assert (done["accepted"], done["rejected_by_code"]) == (1, {"duplicate_in_file": 1})


def test_a_person_known_by_another_certificate_is_registered_already(manager):
    row = needs.row()
    manager.import_file("tongxin", needs.to_csv([row]))
    again = {**row, "残疾人证号": row["残疾人证号"][:19] + "2B3", "残疾等级": "二级"}
    assert manager.import_file("tongxin", needs.to_csv([again]))["rejected_by_code"] == {"duplicate_registered": 1}


def test_a_lower_case_x_is_the_same_person(manager):
    number = next(number for number in range(70000, 71000) if needs.citizen_id(number)[17] == "X")
    row = needs.row(citizen=needs.citizen_id(number))
    manager.import_file("tongxin", needs.to_csv([row]))
    again = {**row, "残疾人证号": row["残疾人证号"].replace("X", "x")}
    assert manager.import_file("tongxin", needs.to_csv([again]))["rejected_by_code"] == {"duplicate_registered": 1}


def test_blank_rows_at_the_end_are_none(manager):
    data = needs.to_csv([needs.row()]) + b"\r\n" + b",,,,,,,,,,,,,,,,,,,\r\n" * 5
    done = manager.import_file("tongxin", data)
    assert (done["rows"], done["accepted"], done["rejected"]) == (1, 1, 0)


def test_columns_in_any_order(manager):
    rows = [needs.row()]
    done = manager.import_file("tongxin", table(rows, "csv_utf8", list(reversed(needs.COLUMNS))))
    assert done["accepted"] == 1
    assert case_of(manager, rows[0]["户编号"])["village"] == "试验村"


# --- the refused rows ---


@pytest.mark.parametrize("form", FORMATS)
def test_refused_rows_are_mended_and_sent_again(manager, form):
    rows = [needs.row(**{"备注": "一,二\"三\"；四"}), needs.row(**{"联系电话": "12", "备注": "引号\"和,逗号"}), needs.row(**{"区划代码": "999999999"})]
    done = manager.import_file("tongxin", table(rows, form))
    assert (done["accepted"], done["rejected"], done["format"]) == (1, 2, form)
    answer = rejected(manager, done["id"])
    assert answer.status == 200 and "attachment" in answer.headers["Content-Disposition"]
    assert (answer.body[:3] == b"\xef\xbb\xbf") == (form == "csv_utf8_bom")
    header, *lines = rows_of(b"\xef\xbb\xbf" + answer.body if form == "csv_utf8" else answer.body)
    assert header == needs.COLUMNS + ERROR_COLUMNS
    assert [line[20] for line in lines] == ["phone_invalid", "region_unknown"]
    assert [dict(zip(header, line))["备注"] for line in lines] == [row["备注"] for row in rows[1:]]
    assert [line[0] for line in lines] == [row["序号"] for row in rows[1:]]
    mended = [dict(zip(header, line)) for line in lines]
    mended[0]["联系电话"], mended[1]["区划代码"] = "0953-1234567", "640324102"
    # As it came back, with its two more columns.
    again = manager.import_file("tongxin", table(mended, form, header))
    assert (again["accepted"], again["rejected"]) == (2, 0)
    assert case_of(manager, rows[2]["户编号"])["region"] == "640324102"


def test_refused_rows_of_an_import_that_is_not_done(manager, make_server, database):
    number = database.sql("INSERT INTO needs_import (plan_id, plan_region, region, low, high, mode, file, format, fingerprint, bytes, rows) "
                          "SELECT id, region, region, region, region + 999, 'good_rows', 'none-' || clock_timestamp(), 'csv_utf8', 'x', 1, 1 "
                          "FROM plan WHERE code = 'tongxin' RETURNING id")[0][0]
    assert rejected(manager, number).status == 409
    manager.post(f"/imports/{number}/cancel", {})
    database.sql("UPDATE needs_import SET state = 'cancelled' WHERE id = %s", number)
    manager.post(f"/imports/{number}/cancel", {}, expect=409, code="import_over")


# --- what was there before ---


def test_a_member_added_later_can_make_a_registered_case_eligible(manager):
    rows = needs.household("tongxin", **{"残疾等级": "四级"})
    (case,) = bring_in_rows(manager, rows).values()
    before = manager.get(f"/cases/{case}")
    assert before["eligible"] is False and "no_severe_member" in before["eligibility_reasons"]
    child = needs.row("tongxin", rows[0]["户编号"], **{"与户主关系": "子女", "残疾等级": "一级"})
    done = manager.import_file("tongxin", needs.to_csv([child]))
    assert (done["accepted"], done["households"], done["cases_opened"]) == (1, 1, 0)
    after = manager.get(f"/cases/{case}")
    assert after["eligible"] is True and "severe_member" in after["eligibility_reasons"]
    assert len(manager.get(f"/cases/{case}/persons").items) == 2


def test_a_later_member_does_not_judge_a_case_again_that_has_moved_on(manager):
    rows = needs.household("tongxin", **{"残疾等级": "四级"})
    (case,) = bring_in_rows(manager, rows).values()
    walk(manager, case, "rejected")
    manager.import_file("tongxin", needs.to_csv([needs.row("tongxin", rows[0]["户编号"], **{"残疾等级": "一级"})]))
    assert manager.get(f"/cases/{case}")["eligible"] is False


def test_a_household_without_a_retrofit_need_gets_its_case_when_it_has_one(manager):
    first = needs.row(**{"改造需求": "", "辅具需求": "轮椅"})
    done = manager.import_file("tongxin", needs.to_csv([first]))
    assert (done["accepted"], done["cases_opened"], done["device_needs"]) == (1, 0, 1)
    assert manager.get("/cases", query={"q": first["户编号"]}).items == []
    done = manager.import_file("tongxin", needs.to_csv([needs.row("tongxin", first["户编号"])]))
    assert done["cases_opened"] == 1 and case_of(manager, first["户编号"])["stage"] == "registered"


def test_a_county_manager_imports_into_his_county_only(staff):
    county = staff["county"]
    rows = [needs.row("qinghai", **{"区划代码": "630106101"}), needs.row("qinghai", **{"区划代码": "630105001"})]
    done = county.import_file("qinghai", needs.to_csv(rows))
    assert (done["accepted"], done["rejected_by_code"]) == (1, {"region_outside_plan": 1})
    county.post("/imports", needs.to_csv(rows), query={"plan": "tongxin", "mode": "dry_run"}, expect=403, code="plan_foreign")


def test_a_household_of_another_county_is_not_joined(staff):
    """Its number is taken by a household that the importer may not see: refused, and the other one untouched."""
    home = needs.row("qinghai", **{"区划代码": "630105001"})
    (case,) = bring_in_rows(staff["qinghai"], [home], "qinghai").values()
    stranger = needs.row("qinghai", home["户编号"], **{"区划代码": "630106101"})
    done = staff["county"].import_file("qinghai", needs.to_csv([stranger]))
    assert (done["accepted"], done["rejected_by_code"]) == (0, {"region_outside_plan": 1})
    assert len(staff["qinghai"].get(f"/cases/{case}/persons").items) == 1


def test_a_person_of_another_county_is_not_added_again(staff):
    home = needs.row("qinghai", **{"区划代码": "630105001"})
    bring_in_rows(staff["qinghai"], [home], "qinghai")
    moved = {**needs.row("qinghai", **{"区划代码": "630106101"}), "残疾人证号": home["残疾人证号"]}
    assert staff["county"].import_file("qinghai", needs.to_csv([moved]))["rejected_by_code"] == {"duplicate_registered": 1}


# --- progress, cancel ---


@pytest.fixture(scope="module")
def idle(cluster, database, contract):
    """A server without workers, on a database of its own; its manager of tongxin, signed in."""
    own = cluster.new_database().migrate()
    server = Program(own, "serve", "--no-work").start()
    admin = Client(server, contract).sign_in("admin", ADMIN_PASSWORD)
    manager = People(admin).manager("640324")
    yield {"database": own, "manager": manager, "server": server}
    manager.close()
    server.stop()


def many(number):
    return needs.to_csv([needs.row() for _ in range(number)])


def test_a_queued_import_is_cancelled(idle, make_server):
    manager = idle["manager"]
    number = manager.upload("tongxin", many(3))
    assert manager.get(f"/imports/{number}")["state"] == "queued"
    answer = manager.post(f"/imports/{number}/cancel", {})
    assert answer["stop_wanted"] is True
    worker = make_server("work", database=idle["database"])
    wait_until(lambda: manager.get(f"/imports/{number}")["state"] == "cancelled", 30)
    worker.stop()
    assert manager.get("/cases", query={"plan": "tongxin"}).items == []
    manager.post(f"/imports/{number}/cancel", {}, expect=409, code="import_over")
    manager.post("/imports/999999/cancel", {}, expect=404)


def test_a_running_import_shows_progress_and_is_cancelled_without_a_trace(idle, make_server):
    manager, database = idle["manager"], idle["database"]
    before = tongxin_rows(database)
    number = manager.upload("tongxin", many(6000))
    worker = make_server("work", database=database)
    seen = wait_until(lambda: (lambda one: one.json if one["checked"] > 0 else None)(manager.get(f"/imports/{number}")), 60)
    assert seen["state"] == "running" and 0 < seen["checked"] <= seen["rows"] == 6000
    manager.post(f"/imports/{number}/cancel", {})
    ended = wait_until(lambda: (lambda one: one.json if one["state"] not in ("queued", "running") else None)(manager.get(f"/imports/{number}")), 60)
    assert ended["state"] == "cancelled" and ended["committed"] is False
    assert tongxin_rows(database) == before and database.sql("SELECT count(*) FROM import_row") == [(0,)]
    worker.stop()


def test_a_killed_import_is_finished_by_another_worker(idle, make_server):
    """kill -9 in the middle, twice; the figures are those of one undisturbed run."""
    manager, database = idle["manager"], idle["database"]
    before = manager.progress("tongxin")["by_stage"]["registered"]
    number = manager.upload("tongxin", many(6000))
    for _ in range(2):
        worker = make_server("work", database=database)
        wait_until(lambda: manager.get(f"/imports/{number}")["checked"] > 1000, 60)
        worker.kill()
        assert manager.get(f"/imports/{number}")["state"] == "running"
        # The lease of the dead runs out in earnest after a minute or so; the test does not wait for that.
        database.sql("UPDATE job SET lease_until = now() - interval '1 second' WHERE state = 'running'")
        database.sql("UPDATE needs_import SET checked = 0 WHERE id = %s", number)
    worker = make_server("work", database=database)
    done = wait_until(lambda: (lambda one: one.json if one["state"] == "done" else None)(manager.get(f"/imports/{number}")), 120)
    worker.stop()
    assert {name: done[name] for name in FIGURES} == {
        "accepted": 6000, "rejected": 0, "persons": 6000, "households": 6000, "households_with_retrofit_need": 6000,
        "eligible_households": 6000, "persons_with_device_need": 0, "device_needs": 0, "cases_opened": 6000, "committed": True,
        "nothing_new": False}
    assert manager.progress("tongxin")["by_stage"]["registered"] == before + 6000
    assert database.sql("SELECT count(*), count(DISTINCT citizen_id_index) FROM person WHERE plan_region = 640324000") == [(before + 6000,) * 2]
    assert "totals agree" in database.run("verify", "totals").stdout


# --- at the machine ---


def test_import_at_the_machine(cluster, database, tmp_path):
    own = cluster.new_database().migrate()
    Program(own, "serve").start().stop()
    file = tmp_path / "needs.csv"

    def run(*arguments, status):
        done = own.run("import", *arguments, check=False)
        assert done.returncode == status, done.stderr
        return done

    rows = mixed()
    file.write_bytes(needs.to_csv(rows))
    figures = json.loads(run("--plan", "tongxin", "--mode", "dry_run", file, status=3).stdout)
    assert (figures["accepted"], figures["rejected"], figures["committed"]) == (2, 2, False)
    figures = json.loads(run("--plan", "tongxin", file, status=3).stdout)
    assert (figures["accepted"], figures["rejected_by_code"], figures["committed"]) == (2, {"phone_invalid": 1, "required_missing": 1}, True)
    file.write_bytes(needs.to_csv([needs.row()]))
    assert json.loads(run("--plan", "tongxin", file, status=0).stdout)["cases_opened"] == 1
    assert own.sql("SELECT count(*) FROM retrofit_case") == [(3,)]
    for arguments, says in ((["--plan", "nothing", file], "--plan"), ([file], "--plan"), (["--plan", "tongxin"], "file"),
                            (["--plan", "tongxin", tmp_path / "missing.csv"], "missing.csv"), (["--plan", "tongxin", tmp_path], "Is a directory"),
                            (["--plan", "tongxin", "--mode", "all", file], "--mode"),
                            (["--plan", "tongxin", "--color", "red", file], "--color")):
        done = run(*arguments, status=1)
        assert says in done.stderr and done.stderr.count("\n") == 1 and not done.stdout, (arguments, done.stderr)
    file.write_bytes(b"")
    assert "file_empty" in run("--plan", "tongxin", file, status=1).stderr
    file.write_bytes(b"a,b\r\n1,2\r\n")
    assert "header_missing" in run("--plan", "tongxin", file, status=1).stderr
    assert own.sql("SELECT count(*) FROM retrofit_case") == [(3,)]


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "build" / "release" / "tantu").exists(), reason="no release build")
def test_a_hundred_thousand_rows_need_less_than_200_megabytes(cluster, database, contract):
    own = cluster.new_database().migrate()
    server = Program(own, "serve", binary=ROOT / "build" / "release" / "tantu").start()
    manager = People(Client(server, contract).sign_in("admin", ADMIN_PASSWORD)).manager("640324")
    data = many(100000)
    started = time.monotonic()
    done = manager.import_file("tongxin", data, seconds=300)
    seconds = time.monotonic() - started
    with open(f"/proc/{server.pid}/status", encoding="ascii") as status:
        most = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024
    print(f"100,000 rows in {seconds:.1f} s, at most {most} MB")
    assert done["accepted"] == 100000 == done["cases_opened"]
    assert manager.progress("tongxin")["by_stage"]["registered"] == 100000
    assert most < 200
    server.stop()


def test_uploads_are_sealed_on_disk(manager, database):
    row = needs.row(**{"姓名": "查无此人甲"})
    manager.import_file("tongxin", needs.to_csv([row]))
    for file in (database.var / "uploads").iterdir():
        data = file.read_bytes()
        assert row["残疾人证号"].encode() not in data and "查无此人甲".encode() not in data
        assert os.stat(file).st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_an_operator_who_is_root_gives_the_file_to_the_server(make_database, tmp_path):
    own = make_database()
    Program(own, "serve").start().stop()  # makes the key
    file = tmp_path / "needs.csv"
    file.write_bytes(needs.to_csv(needs.household("tongxin")))
    uploads = own.var / "uploads"
    os.chown(uploads, 65534, 65534)
    before = set(uploads.iterdir())
    own.run("import", "--plan", "tongxin", "--mode", "dry_run", str(file))
    added, = set(uploads.iterdir()) - before
    assert (added.stat().st_uid, added.stat().st_gid) == (65534, 65534)
