# SPDX-License-Identifier: Apache-2.0
"""The catalogue of problems and measures: what is loaded, how an administrator edits it, and that nothing of it disappears."""
import itertools
import json
import threading

import pytest
from conftest import People
from processes import ROOT

numbers = itertools.count(1)
# What the sample needs files ask for.
RETROFIT = "防滑地面 扶手 坡道 闪光门铃 可视门铃 闪光水壶 防护栏 坐便器 地面平整 升降晾衣架 沐浴椅 燃气报警器 低位灶台 盲道提示 门加宽 语音提示器 门锁改造 紧急呼叫"
DEVICES = "定位手环 助听器 闪光门铃 护理床 手动轮椅 假肢 助行器 电动轮椅 拐杖 矫形器 防褥疮垫 语音血压计 助视器 盲杖 沟通板"


@pytest.fixture(scope="module")
def staff(server, admin_session):
    people = People(admin_session)
    yield {"assessor": people.assessor("640324"), "manager": people.manager("640324"), "contractor": people.contractor("firm-catalogue"),
           "centre": people.centre("centre-catalogue")}
    for client in people.made:
        client.close()


def measure(**changes):
    return {"code": f"m_{next(numbers)}", "kind": "retrofit", "name_zh": "试验措施", "unit": "处", **changes}


def problem(**changes):
    return {"code": f"p_{next(numbers)}", "name_zh": "试验问题", **changes}


def every(client, path, **query):
    return {one["code"]: one for one in client.pages(path, limit=17, **query)}


# --- what is loaded ---


def test_rooms_in_the_order_of_a_survey(staff):
    rooms = staff["assessor"].get("/rooms").items
    assert [room["name_zh"] for room in rooms] == "入户通道 客厅 卫生间 厨房 卧室 上下楼梯 其他".split()
    assert [room["code"] for room in rooms] == "entrance living_room bathroom kitchen bedroom stairs other".split()
    assert all(room["name_ko"] and room["name_en"] for room in rooms)


def test_the_catalogue_is_loaded_whole(staff):
    given = json.loads((ROOT / "db" / "data" / "catalogue.json").read_text(encoding="utf-8"))
    measures, problems = every(staff["centre"], "/measures"), every(staff["contractor"], "/problems")
    for one in given["measures"]:
        shown = measures[one["code"]]
        assert {name: shown[name] for name in one if name != "needs"} == {name: one[name] for name in one if name != "needs"}
        assert (shown["need_items"], shown["price"], shown["ceiling"], shown["retired_at"]) == (one["needs"], None, None, None)
    for one in given["problems"]:
        assert {name: problems[one["code"]][name] for name in one} == one
    assert len(given["measures"]) >= 40 and len(given["problems"]) >= 30
    assert staff["assessor"].get("/measures/handrail").json == measures["handrail"]
    assert staff["assessor"].get("/problems/squat_toilet").json == problems["squat_toilet"]
    staff["assessor"].get("/measures/nothing", expect=404, code="not_found")
    staff["assessor"].get("/problems/nothing", expect=404, code="not_found")


def test_what_needs_files_ask_for_is_a_measure(staff):
    for kind, words in (("retrofit", RETROFIT), ("device", DEVICES)):
        known = [item for one in every(staff["manager"], "/measures", kind=kind).values() for item in one["need_items"]]
        assert sorted(known) == sorted(set(known)) and set(words.split()) <= set(known)


def test_loading_again_leaves_what_an_administrator_made(database, admin):
    before = admin.get("/problems/kettle_not_heard").json
    changed = admin.patch("/problems/kettle_not_heard", {"measures": ["gas_alarm"], "name_en": "Kettle"}).json
    admin.patch("/measures/flashing_kettle", {"need_items": [], "price": 12000})
    database.run("migrate")
    assert admin.get("/problems/kettle_not_heard").json == changed
    kept = admin.get("/measures/flashing_kettle").json
    assert (kept["need_items"], kept["price"]) == ([], 12000)
    admin.patch("/measures/flashing_kettle", {"need_items": ["闪光水壶"], "clear": ["price"]})
    admin.patch("/problems/kettle_not_heard", {"measures": before["measures"], "name_en": before["name_en"]})


def test_lists_of_texts_are_described(contract):
    schema = contract.operations["POST", "/api/v1/measures"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert schema["rooms"]["items"]["enum"][0] == "entrance" and schema["rooms"]["maxItems"] == 7
    assert schema["need_items"]["items"] == {"type": "string", "minLength": 1, "maxLength": 100}


# --- lists ---


def test_measures_by_room_kind_and_problem(staff):
    client = staff["assessor"]
    kitchen = every(client, "/measures", room="kitchen")
    assert {"low_worktop", "nonslip_floor", "manual_wheelchair"} <= set(kitchen) and "toilet" not in kitchen
    assert all(not one["rooms"] or "kitchen" in one["rooms"] for one in kitchen.values())
    answers = every(client, "/measures", problem="squat_toilet")
    assert set(answers) == {"toilet", "commode_chair"} == set(client.get("/problems/squat_toilet")["measures"])
    assert set(every(client, "/measures", problem="squat_toilet", kind="device")) == {"commode_chair"}
    assert client.get("/measures", query={"problem": "nothing"}).items == []
    assert {"kitchen" in one["rooms"] for one in every(client, "/problems", room="kitchen").values()} == {True}
    client.get("/measures", query={"room": "cellar"}, expect=422, code="not_allowed")


# --- editing ---


def test_a_new_measure(staff, admin):
    body = measure(name_ko="시험", name_en="Test", price=35000, ceiling=30000, rooms=["stairs", "kitchen", "stairs"], need_items=[f"词{next(numbers)}"])
    made = admin.post("/measures", body, expect=201, key=f"measure-{body['code']}")
    assert made.json == {**body, "rooms": ["stairs", "kitchen"], "retired_at": None, "version": 1} and made.etag == '"1"'
    assert admin.post("/measures", body, expect=201, key=f"measure-{body['code']}").json == made.json
    assert staff["assessor"].get(f"/measures/{body['code']}").json == made.json
    plain = admin.post("/measures", measure(), expect=201)
    assert (plain["name_ko"], plain["name_en"], plain["rooms"], plain["need_items"], plain["price"]) == ("试验措施", "试验措施", [], [], None)


def test_a_measure_that_cannot_be_made(admin):
    taken = f"词{next(numbers)}"
    body = measure(need_items=[taken])
    admin.post("/measures", body, expect=201)
    for wrong, status, code, field in (
            (body, 409, "measure_taken", "/code"), (measure(code="Ramp"), 422, "code_invalid", "/code"), (measure(code="9x"), 422, "code_invalid", "/code"),
            (measure(need_items=["a", taken]), 409, "need_item_taken", "/need_items"), (measure(kind="gift"), 422, "not_allowed", "/kind"),
            (measure(rooms=["kitchen", "cellar"]), 422, "not_allowed", "/rooms/1"), (measure(price=-1), 422, "out_of_range", "/price"),
            (measure(name_ko=""), 422, "too_short", "/name_ko"), (measure(unit=""), 422, "too_short", "/unit"), (measure(need_items=[1]), 422, "wrong_type", "/need_items/0")):
        refused = admin.post("/measures", wrong, expect=status, code=code)
        assert refused["field"] == field, refused
    # The same word may stand for a device as well.
    assert admin.post("/measures", measure(kind="device", need_items=[taken]), expect=201)["need_items"] == [taken]


def test_a_measure_is_changed(staff, admin):
    first, second = f"词{next(numbers)}", f"词{next(numbers)}"
    body = measure(price=100, ceiling=90, need_items=[first], rooms=["kitchen"])
    path = f"/measures/{body['code']}"
    etag = admin.post("/measures", body, expect=201).etag
    changed = admin.patch(path, {"name_zh": "改", "unit": "米", "price": 200, "need_items": [second, first]}, match=etag)
    assert (changed["name_zh"], changed["unit"], changed["price"], changed["ceiling"], changed["need_items"], changed["rooms"], changed["version"]) == \
        ("改", "米", 200, 90, sorted([first, second]), ["kitchen"], 2)
    lost = admin.patch(path, {"price": 300}, match=etag, expect=412, code="stale")
    assert lost["current"] == staff["manager"].get(path).json == changed.json
    assert admin.patch(path, {"need_items": [second], "rooms": []})["need_items"] == [second]
    cleared = admin.patch(path, {"clear": ["price", "ceiling"]})
    assert (cleared["price"], cleared["ceiling"], cleared["rooms"], cleared["need_items"]) == (None, None, [], [second])
    assert admin.patch(path, {"need_items": []})["need_items"] == [] == staff["manager"].get(path)["need_items"]
    taken = admin.post("/measures", measure(need_items=[first]), expect=201)
    assert admin.patch(path, {"need_items": [first]}, expect=409, code="need_item_taken")["field"] == "/need_items"
    assert taken["need_items"] == [first]
    admin.patch("/measures/nothing", {"unit": "米"}, expect=404, code="not_found")
    admin.patch(path, {"kind": "device"}, expect=422, code="unknown_field")


def test_what_is_out_of_use_stays(staff, admin):
    one = admin.post("/measures", measure(), expect=201)["code"]
    asked = admin.post("/problems", problem(measures=[one, "ramp"]), expect=201)["code"]
    for path, code in (("/measures", one), ("/problems", asked)):
        retired = admin.patch(f"{path}/{code}", {"retired": True})
        assert retired["retired_at"] and admin.patch(f"{path}/{code}", {"retired": True})["retired_at"] == retired["retired_at"]
        assert code not in every(staff["assessor"], path) and code in every(staff["assessor"], path, retired="true")
        assert staff["assessor"].get(f"{path}/{code}")["retired_at"] == retired["retired_at"]
        admin.delete(f"{path}/{code}", expect=405, code="method_not_allowed")
        again = admin.patch(f"{path}/{code}", {"retired": False})
        assert again["retired_at"] is None and code in every(staff["assessor"], path)
    assert admin.get(f"/problems/{asked}")["measures"] == [one, "ramp"]


def test_problems_are_made_and_changed(staff, admin):
    body = problem(rooms=["kitchen"], measures=["ramp", "handrail", "ramp"], name_ko="시험", name_en="Test")
    made = admin.post("/problems", body, expect=201)
    assert made.json == {**body, "measures": ["ramp", "handrail"], "retired_at": None, "version": 1}
    path = f"/problems/{body['code']}"
    changed = admin.patch(path, {"measures": ["toilet", "ramp"], "name_zh": "改", "rooms": []}, match=made.etag)
    assert (changed["measures"], changed["name_zh"], changed["rooms"], changed["version"]) == (["toilet", "ramp"], "改", [], 2)
    assert staff["assessor"].get(path).json == changed.json
    lost = admin.patch(path, {"name_zh": "再"}, match=made.etag, expect=412, code="stale")
    assert lost["current"] == changed.json
    assert admin.patch(path, {"measures": []})["measures"] == []
    for wrong, status, code in ((body, 409, "problem_taken"), (problem(code="A"), 422, "too_short"), (problem(code="a-b"), 422, "code_invalid"),
                                (problem(measures=["ramp", "nothing"]), 422, "measure_unknown"), (problem(rooms=["cellar"]), 422, "not_allowed")):
        admin.post("/problems", wrong, expect=status, code=code)
    assert admin.patch(path, {"measures": ["nothing"]}, expect=422, code="measure_unknown")["field"] == "/measures"
    admin.patch("/problems/nothing", {"name_zh": "改"}, expect=404, code="not_found")


def test_only_an_administrator_edits(staff):
    for who, client in staff.items():
        for method, path, body in (("POST", "/measures", measure()), ("PATCH", "/measures/ramp", {"unit": "米"}), ("POST", "/problems", problem()),
                                   ("PATCH", "/problems/squat_toilet", {"name_zh": "改"})):
            client.request(method, path, body, expect=403, code="role_not_allowed")
        assert client.get("/measures/ramp")["unit"] == "处", who


def test_two_administrators_at_once(admin):
    """Of two who change the same version, one loses; of two who give a word away, one too."""
    code = admin.post("/measures", measure(), expect=201)["code"]
    clients, answers = [admin.clone() for _ in range(4)], []
    start = threading.Barrier(len(clients))

    def change(client, price):
        start.wait()
        answers.append(client._send("PATCH", f"/api/v1/measures/{code}", json.dumps({"price": price}).encode(), {
            "Authorization": f"Bearer {client.token}", "Content-Type": "application/json", "If-Match": '"1"'}, 60))

    threads = [threading.Thread(target=change, args=(client, price)) for price, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    assert sorted(answer.status for answer in answers) == [200, 412, 412, 412]
    winner = next(answer for answer in answers if answer.status == 200)
    assert admin.get(f"/measures/{code}").json == winner.json and winner["version"] == 2
