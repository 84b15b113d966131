# SPDX-License-Identifier: Apache-2.0
"""Many devices taken in by a file: the three modes, what comes back, what was there before, and intakes that are killed."""
import csv
import io
import itertools

import pytest
import step_centre
from client import CONTENT_TYPES, Client
from harness import People
from processes import ADMIN_PASSWORD, wait_until
from test_import_samples import rows_of
from test_imports import FORMATS, table

COLUMNS = "型号编码 数量 序列号 批号 条码 来源 捐赠人 购置日期 价格(元) 保修至 存放位置 备注".split()
numbers = itertools.count(1)


class World:
    def __init__(self, admin, database):
        self.people, self.database = People(admin), database
        self.centre, self.other = step_centre.set_up(self.people), step_centre.set_up(self.people)
        self.county, self.far, self.auditor = self.people.county("640324"), self.people.county("630106"), self.people.auditor("640324")
        self.model = step_centre.model(admin)


@pytest.fixture(scope="module")
def world(admin_session, database):
    world = World(admin_session.clone(), database)
    yield world
    for client in (world.people.admin, *world.people.made):
        client.close()


def row(world, **columns):
    """A row of a new device, by column; 价格 for 价格(元)."""
    number = next(numbers)
    filled = {**dict.fromkeys(COLUMNS, ""), "型号编码": world.model, "序列号": f"IN-{number}", "来源": "采购", "购置日期": "2024-03-01", "价格(元)": "1280.50"}
    filled.update({"价格(元)" if name == "价格" else name: value for name, value in columns.items()})
    return filled


def send(client, data, mode="good_rows", expect=202, **query):
    kind = "xlsx" if data[:2] == b"PK" else "csv"
    options = {name: query.pop(name) for name in ("key", "code") if name in query}
    return client.post("/device-intakes", data, query={"mode": mode, **query}, headers={"Content-Type": CONTENT_TYPES[kind]}, expect=expect, **options)


def over(client, number, seconds=60):
    def ended():
        found = client.get(f"/device-intakes/{number}").json
        return found if found["state"] in ("done", "failed", "cancelled") else None
    return wait_until(ended, seconds, f"intake {number}")


def take(client, rows, mode="good_rows", form="csv_utf8", columns=None, **query):
    data = rows if isinstance(rows, bytes) else table(rows, form, columns or COLUMNS)
    done = over(client, send(client, data, mode, **query)["id"])
    assert done["state"] == "done", done
    return done


def rejected(client, number):
    answer = client.get(f"/device-intakes/{number}/rejected")
    kind = "xlsx" if answer.body[:2] == b"PK" else "csv"
    assert f'filename="rejected.{kind}"' in answer.headers["Content-Disposition"]
    return answer.body


def dicts(data, form="xlsx"):
    if form == "xlsx":
        heading, *lines = rows_of(data)
        return [dict(zip(heading, line)) for line in lines]
    return list(csv.DictReader(io.StringIO(data.decode({"csv_utf8": "utf-8", "csv_utf8_bom": "utf-8-sig", "csv_gb18030": "gb18030"}[form]), newline="")))


def in_stock(world, client=None):
    return world.database.sql("SELECT count(*) FROM device_item i JOIN centre k ON k.id = i.centre_id WHERE k.code = %s", (client or world.centre).centre)[0][0]


# --- what is taken in ---


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_of_each_format_is_taken_in(world, form):
    code = f"IN-{form}-{next(numbers)}"
    rows = [row(world, 批号="2024甲", 条码=code, 保修至="2027/3/1", 存放位置="二楼A-3", 备注="展厅，勿借", 价格="1,280.50"),
            row(world, 来源="捐赠", 捐赠人="王先生", 价格=""), row(world, 序列号="", 数量="3", 来源="", 购置日期="")]
    done = take(world.centre, rows, form=form)
    assert {name: done[name] for name in ("rows", "accepted", "rejected", "items", "donated", "committed", "nothing_new", "same_as", "format")} == {
        "rows": 3, "accepted": 3, "rejected": 0, "items": 5, "donated": 1, "committed": True, "nothing_new": False, "same_as": None, "format": form}
    made = list(world.centre.pages(f"/device-intakes/{done['id']}/items", limit=2))
    assert [item["number"] for item in made] == [1, 2, 3, 3, 3] and made[0]["code"] == code
    assert len({item["code"] for item in made}) == 5 and made[4]["code"] == str(made[4]["id"])
    first = world.centre.get(f"/device-items/{code}")
    assert {name: first[name] for name in ("state", "model", "serial", "batch", "price", "acquired_on", "warranty_until", "shelf", "note", "source", "centre")} == {
        "state": "in_stock", "model": world.model, "serial": rows[0]["序列号"], "batch": "2024甲", "price": 128050, "acquired_on": "2024-03-01",
        "warranty_until": "2027-03-01", "shelf": "二楼A-3", "note": "展厅，勿借", "source": "purchased", "centre": world.centre.centre}
    given = world.centre.get(f"/device-items/{made[1]['id']}")
    assert (given["state"], given["source"], given["donor"], given["price"]) == ("returned", "donated", "王先生", None)
    (event,) = world.centre.get(f"/device-items/{made[1]['id']}/events").items
    assert event["action"] == "take_in" and event["account"] == world.centre.get("/session")["id"]
    assert world.database.sql("SELECT acquired_on = china_date(now()) FROM device_item WHERE id = %s", made[2]["id"]) == [(True,)]


def test_the_only_heading_that_must_be_there_is_the_model(world):
    done = take(world.centre, table([row(world)], "csv_utf8", ["备注", "型号编码"]))
    assert (done["accepted"], done["items"]) == (1, 1)
    send(world.centre, "序列号,来源\r\nX,采购\r\n".encode(), expect=422, code="column_missing")
    answer = send(world.centre, "型号编码,颜色\r\nX,红\r\n".encode(), expect=422, code="column_unknown")
    assert answer["field"] == "/columns/颜色" and "a file of devices" in answer["detail"]


def test_an_office_takes_in_for_a_centre_and_a_recall_means_it_at_once(world):
    own = step_centre.model(world.people.admin)
    world.database.sql("""INSERT INTO device_recall (region, high, model, reason, due_on, account_id)
        SELECT 640324000, 640324999, %s, '刹车', '2030-01-01', id FROM account LIMIT 1""", own)
    done = take(world.county, [row(world, 型号编码=own.upper())], centre=world.centre.centre)
    (item,) = world.county.get(f"/device-intakes/{done['id']}/items").items
    assert (item["model"], item["state"]) == (own, "recalled")


# --- modes ---


def mixed(world):
    return [row(world), row(world, 价格="很贵"), row(world, 型号编码="no-such"), row(world)]


def test_a_dry_run_says_it_and_does_nothing(world):
    before, rows = in_stock(world), mixed(world)
    done = take(world.centre, rows, "dry_run")
    assert (done["accepted"], done["rejected"], done["committed"], done["items"]) == (2, 2, False, 2)
    assert done["rejected_by_code"] == {"model_unknown": 1, "price_invalid": 1} and in_stock(world) == before
    again = take(world.centre, rows)
    assert (again["accepted"], again["committed"], again["same_as"]) == (2, True, None) and in_stock(world) == before + 2


def test_all_or_nothing_is_nothing_when_a_row_is_bad(world):
    before, rows = in_stock(world), mixed(world)
    done = take(world.centre, rows, "all_or_nothing")
    assert (done["accepted"], done["rejected"], done["committed"]) == (2, 2, False) and in_stock(world) == before
    assert world.centre.get(f"/device-intakes/{done['id']}/items").items == []
    done = take(world.centre, [rows[0], rows[3]], "all_or_nothing")
    assert done["committed"] is True and in_stock(world) == before + 2
    late = take(world.centre, [row(world), rows[0]], "all_or_nothing")
    assert (late["rejected_by_code"], late["committed"]) == ({"serial_taken": 1}, False) and in_stock(world) == before + 2


# --- the same again ---


def test_the_same_file_again_adds_nothing_and_says_so(world):
    """Also what has no serial and no label: its row has been taken in from this file."""
    data = table([row(world), row(world, 序列号="", 数量="4"), row(world, 序列号="")], "csv_utf8", COLUMNS)
    first = take(world.centre, data)
    before = in_stock(world)
    again = take(world.centre, data)
    assert (again["accepted"], again["items"], again["nothing_new"], again["same_as"]) == (0, 0, True, first["id"])
    assert again["rejected_by_code"] == {"serial_taken": 1, "taken_already": 2} and in_stock(world) == before
    elsewhere = take(world.other, data)
    assert (elsewhere["accepted"], elsewhere["rejected_by_code"]) == (2, {"serial_taken": 1}), "another centre's delivery is another"


def test_rows_refused_once_are_taken_when_the_same_file_comes_again(world):
    late = f"late-{next(numbers)}"
    data = table([row(world, 序列号=""), row(world, 型号编码=late, 序列号="")], "csv_utf8", COLUMNS)
    assert take(world.centre, data)["rejected_by_code"] == {"model_unknown": 1}
    step_centre.model(world.people.admin, late)
    again = take(world.centre, data)
    assert (again["accepted"], again["rejected_by_code"], again["nothing_new"]) == (1, {"taken_already": 1}, False)


def test_two_of_the_same_file_at_once_take_it_in_once(world):
    data = table([row(world, 序列号="", 数量="2") for _ in range(3)], "csv_utf8", COLUMNS)
    before = in_stock(world)
    sent = [send(world.centre, data)["id"] for _ in range(3)]
    done = [over(world.centre, number) for number in sent]
    assert sorted(one["items"] for one in done) == [0, 0, 6] and in_stock(world) == before + 6


def test_a_repeated_key_is_one_intake(world):
    data, key = table([row(world)], "csv_utf8", COLUMNS), f"intake-{next(numbers)}"
    first = send(world.centre, data, key=key)
    assert send(world.centre, data, key=key).json == first.json
    assert send(world.centre, table([row(world)], "csv_utf8", COLUMNS), key=key, expect=422, code="idempotency_key_reused")
    assert over(world.centre, first["id"])["accepted"] == 1


# --- refused rows ---

CODES = [
    ({"型号编码": ""}, "required_missing"), ({"型号编码": "轮椅"}, "model_unknown"), ({"型号编码": "x" * 60}, "model_unknown"),
    ({"数量": "0"}, "quantity_invalid"), ({"数量": "两"}, "quantity_invalid"), ({"数量": "2"}, "quantity_invalid"), ({"数量": "1001", "序列号": ""}, "quantity_invalid"),
    ({"来源": "偷"}, "source_invalid"), ({"捐赠人": "李"}, "donor_not_wanted"), ({"购置日期": "2024-02-30"}, "date_invalid"),
    ({"购置日期": "2999-01-01"}, "date_invalid"), ({"保修至": "2024-02-29"}, "date_invalid"), ({"保修至": "明年"}, "date_invalid"),
    ({"价格": "-1"}, "price_invalid"), ({"价格": "12.345"}, "price_invalid"), ({"价格": "1,28"}, "price_invalid"), ({"条码": "a b"}, "code_invalid"),
    ({"条码": "ab"}, "code_invalid"), ({"条码": "6403240000000017"}, "code_invalid"), ({"存放位置": "架" * 65}, "text_too_long"), ({"备注": "长" * 1300}, "accepted")]


def test_each_code_is_given_for_its_reason_and_comes_back_in_the_file(world):
    retired = step_centre.model(world.people.admin)
    world.database.sql("UPDATE device_model SET retired_at = now() WHERE code = %s", retired)
    cases = [*CODES, ({"型号编码": retired}, "model_retired")]
    rows = [row(world, **change) for change, _ in cases]
    done = take(world.centre, rows, form="xlsx")
    wanted = [code for _, code in cases if code != "accepted"]
    assert done["rejected_by_code"] == {code: wanted.count(code) for code in wanted} and done["accepted"] == 1
    back = dicts(rejected(world.centre, done["id"]))
    assert [line["错误代码"] for line in back] == wanted and all(line["错误说明"] for line in back)
    assert [{name: line[name] for name in COLUMNS} for line in back] == [one for one, (_, code) in zip(rows, cases) if code != "accepted"]


def test_the_first_code_that_applies_is_the_rows(world):
    taken = row(world, 条码=f"OR-{next(numbers)}")
    take(world.centre, [taken])
    worse = {**taken, "条码": "a b", "价格(元)": "x"}
    worst = {**worse, "数量": "0"}
    done = take(world.centre, [taken, {**row(world), "序列号": taken["序列号"]}, {**row(world), "条码": taken["条码"]}, worse, worst], "dry_run")
    assert done["rejected_by_code"] == {"code_taken": 2, "serial_taken": 1, "price_invalid": 1, "quantity_invalid": 1}


def test_twice_in_a_file_is_once_in_stock(world):
    code = f"TW-{next(numbers)}"
    first = row(world, 条码=code)
    done = take(world.centre, [first, row(world, 条码=code), {**row(world), "序列号": first["序列号"]}, row(world)])
    assert (done["accepted"], done["rejected_by_code"]) == (2, {"duplicate_in_file": 2})


@pytest.mark.parametrize("form", FORMATS)
def test_the_refused_file_is_mended_and_sent_again(world, form):
    rows = mixed(world)
    done = take(world.centre, rows, form=form)
    back = dicts(rejected(world.centre, done["id"]), form)
    assert [line["错误代码"] for line in back] == ["price_invalid", "model_unknown"]
    mended = [{**back[0], "价格(元)": "5"}, {**back[1], "型号编码": world.model}]
    again = take(world.centre, table(mended, form, [*COLUMNS, "错误代码", "错误说明"]))
    assert (again["accepted"], again["rejected"], again["format"]) == (2, 0, form)


def test_a_file_brings_twenty_thousand_at_most(world):
    rows = [row(world, 序列号="", 数量="1000", 批号=str(n)) for n in range(21)]
    done = take(world.centre, rows, "dry_run")
    assert (done["items"], done["rejected_by_code"]) == (20000, {"too_many_items": 1})


def test_the_template_is_taken_when_it_is_filled_in(world):
    for query, start in (({}, b"PK"), ({"format": "xlsx"}, b"PK"), ({"format": "csv"}, b"\xef\xbb\xbf")):
        answer = world.auditor.get("/device-intakes/template", query=query)
        assert answer.body.startswith(start) and 'filename="template.' in answer.headers["Content-Disposition"]
        if start != b"PK":
            assert answer.body.decode("utf-8-sig") == ",".join(COLUMNS) + "\r\n"
            done = take(world.centre, answer.body + f"{world.model},2,,,,,,,,,,\r\n".encode())
            assert (done["accepted"], done["items"]) == (1, 2)
        else:
            assert over(world.centre, send(world.centre, answer.body)["id"])["rows"] == 0
    world.centre.get("/device-intakes/template", query={"format": "pdf"}, expect=422, code="not_allowed")


# --- refusals, scope ---


def test_refusals(world, admin, client):
    data = table([row(world)], "csv_utf8", COLUMNS)
    send(world.county, data, expect=422, code="centre_unknown")
    for one, centre in ((world.county, "nowhere"), (world.far, world.centre.centre), (world.other, world.centre.centre)):
        send(one, data, expect=422, code="centre_unknown", centre=centre)
    unplaced = world.people.centre(f"unplaced-{next(numbers)}")
    send(unplaced, data, expect=409, code="centre_without_region")
    for one in (world.auditor, admin):
        send(one, data, expect=403, code="role_not_allowed")
    send(client, data, expect=401)
    send(world.centre, data, "often", expect=422, code="not_allowed")
    world.centre.post("/device-intakes", data, headers={"Content-Type": "text/csv"}, expect=422, code="required")
    send(world.centre, b"", expect=422, code="file_empty")
    send(world.centre, b"\x00\x01\x02\x03" * 20, expect=422)
    world.centre.post("/device-intakes", b"{}", query={"mode": "dry_run"}, headers={"Content-Type": "application/json"}, expect=415)


def test_an_intake_is_its_centres_and_its_offices(world):
    done = take(world.centre, [row(world), row(world, 价格="x")])
    for one in (world.centre, world.county, world.auditor):
        assert one.get(f"/device-intakes/{done['id']}")["accepted"] == 1
        assert done["id"] in [found["id"] for found in one.pages("/device-intakes", centre=world.centre.centre, limit=200)]
        assert len(one.get(f"/device-intakes/{done['id']}/items").items) == 1
    world.auditor.get(f"/device-intakes/{done['id']}/rejected", expect=403)
    for one in (world.other, world.far):
        one.get(f"/device-intakes/{done['id']}", expect=404)
        one.get(f"/device-intakes/{done['id']}/rejected", expect=404)
        one.post(f"/device-intakes/{done['id']}/cancel", {}, expect=404)
        assert one.get(f"/device-intakes/{done['id']}/items").items == []
        assert done["id"] not in [found["id"] for found in one.pages("/device-intakes", limit=200)]
    world.centre.post(f"/device-intakes/{done['id']}/cancel", {}, expect=409, code="import_over")
    world.centre.get("/device-intakes/999999999", expect=404)


# --- in the background ---


def test_killed_cancelled_and_swept(make_database, make_server, contract):
    """Killed wherever it is, it is taken in once by who comes next; one that was stopped before leaves nothing; its upload goes in time."""
    place = make_database()
    server = make_server("serve", "--no-work", database=place)
    admin = Client(server, contract).sign_in("admin", ADMIN_PASSWORD)
    people = People(admin)
    centre, model = step_centre.set_up(people), step_centre.model(admin)
    rows = [{**dict.fromkeys(COLUMNS, ""), "型号编码": model, "序列号": str(n)} for n in range(1500)]
    whole = send(centre, table([*rows, {**rows[0], "价格(元)": "x"}], "csv_utf8", COLUMNS))["id"]
    stopped = send(centre, table([{**rows[0], "序列号": "s"}], "csv_utf8", COLUMNS))["id"]
    centre.get(f"/device-intakes/{whole}/rejected", expect=409, code="import_not_done")
    assert centre.post(f"/device-intakes/{stopped}/cancel", {})["stop_wanted"] is True
    for checked in (1, 1001):
        worker = make_server("work", database=place)
        wait_until(lambda: place.sql("SELECT checked >= %s OR state = 'done' FROM device_intake WHERE id = %s", checked, whole)[0][0], 60, f"{checked} rows")
        worker.kill()
        place.sql("UPDATE job SET lease_until = now() - interval '1 second' WHERE state = 'running'")
    make_server("work", database=place)
    done, gone = over(centre, whole, 90), over(centre, stopped, 90)
    assert (done["state"], done["items"], done["rejected"], done["checked"]) == ("done", 1500, 1, 1501) and gone["state"] == "cancelled"
    assert place.sql("SELECT count(*), count(DISTINCT serial) FROM device_item") == [(1500, 1500)]
    assert place.sql("SELECT count(*) FROM device_intake_row") == [(0,)]
    assert place.sql("SELECT count(*) FROM device_event WHERE action = 'take_in'") == [(1500,)]
    assert rejected(centre, whole)
    place.sql("UPDATE device_intake SET finished_at = now() - interval '1000 days'")
    place.sql("UPDATE job SET run_at = now() WHERE kind = 'uploads_sweep'")
    place.sql("NOTIFY job, 'upkeep'")
    wait_until(lambda: centre._send("GET", f"/api/v1/device-intakes/{whole}/rejected", None, {"Authorization": f"Bearer {centre.token}"}, 30).status == 410,
               30, "the file to go")
    assert place.sql("SELECT count(*) FROM device_intake WHERE upload_gone_at IS NULL") == [(0,)]
    for client in (admin, *people.made):
        client.close()


def test_an_intake_that_is_given_up_is_tried_again_with_its_job(world):
    """Its upload is not where it was: it has failed, and when the job is revived it is queued again."""
    number = world.database.sql("""INSERT INTO device_intake (plan_region, centre_id, region, account_id, mode, file, format, fingerprint, bytes, rows)
        SELECT plan_region, id, region, (SELECT min(id) FROM account), 'good_rows', %s, 'xlsx', 'x', 1, 1 FROM centre WHERE code = %s RETURNING id""",
                                f"intake-none-{next(numbers)}", world.centre.centre)[0][0]
    job = world.database.sql("""INSERT INTO job (queue, kind, payload, unique_key, region, state, run_at)
        VALUES ('imports', 'device_intake', json_build_object('intake', %s::bigint), %s, 640324000, 'queued', '2999-01-01') RETURNING id""",
                             number, f"device_intake:{number}")[0][0]
    world.database.sql("UPDATE job SET state = 'dead', last_error = 'no memory', finished_at = now() WHERE id = %s", job)
    failed = world.centre.get(f"/device-intakes/{number}")
    assert (failed["state"], failed["error_code"], failed["error"]) == ("failed", "import_gave_up", "no memory")
    world.database.sql("UPDATE job SET state = 'queued', finished_at = NULL WHERE id = %s", job)
    assert world.centre.get(f"/device-intakes/{number}")["state"] == "queued"
    world.database.sql("UPDATE job SET run_at = now() WHERE id = %s", job)
    world.database.sql("NOTIFY job, 'imports'")
    lost = over(world.centre, number)
    assert (lost["state"], lost["error_code"]) == ("failed", "file_unreadable")
