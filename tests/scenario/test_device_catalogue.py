# SPDX-License-Identifier: Apache-2.0
"""The catalogue of devices: classes and what they are in other editions, models, what a plan grants of them, and the whole as one
document. Editions are of years when there were none, so that tests meet neither each other nor what is loaded."""
import itertools
import json
import threading

import pytest
import step_centre
from conftest import People
from processes import ROOT

numbers = itertools.count(1)
years = itertools.count(1001)


@pytest.fixture(scope="module")
def staff(server, admin_session):
    people = People(admin_session)
    yield {"people": people, "county": people.county("640324"), "manager": people.manager("640324"), "other": people.manager("630000"),
           "centre": people.centre("centre-device-catalogue"), "auditor": people.auditor("640324")}
    for client in people.made:
        client.close()


def edition(admin, *codes, scheme="iso9999"):
    """An edition of its own with these classes: scheme/edition/."""
    whole = f"{scheme}/{next(years)}/"
    for code in codes:
        step_centre.device_class(admin, whole + code)
    return whole


def link(admin, one, other, relation, **options):
    return admin.put(f"/device-classes/{one}/links", {"to": other, "relation": relation}, **options)


def links(client, label):
    return {one["class"]: one["relation"] for one in client.get(f"/device-classes/{label}")["links"]}


def equivalents(client, label):
    return {one["class"]: one["relation"] for one in client.get(f"/device-classes/{label}")["equivalents"]}


def found(client, **query):
    return {one["code"]: one["match"] for one in client.pages("/device-models", limit=3, **query)}


def model(**changes):
    return {"measure": "hearing_aid", "name_zh": "助听器", "class": step_centre.CLASS, "service_months": 48, **changes}


# --- what is loaded ---


def test_the_catalogue_is_loaded_whole(staff):
    given = json.loads((ROOT / "db" / "data" / "device_catalogue.json").read_text(encoding="utf-8"))
    document = staff["auditor"].get("/device-catalogue").json
    assert [one for one in given["classes"] if one not in document["classes"]] == []
    seen = {(one["class"], one["to"]): one["relation"] for one in document["links"]}
    turned = {"same": "same", "narrower": "wider", "wider": "narrower", "overlaps": "overlaps"}
    for one in given["links"]:
        assert one["relation"] in (seen.get((one["class"], one["to"])), turned.get(seen.get((one["to"], one["class"]))))
    labels = [one["class"] for one in given["classes"]]
    assert len(labels) == len(set(labels)) and all(one["name_ko"] and one["name_en"] for one in given["classes"])
    # A white cane has changed its number, and is two of the new edition.
    assert equivalents(staff["centre"], "iso9999/2016/123903") == {
        "iso9999/2022/1208": "wider", "iso9999/2022/120803": "narrower", "iso9999/2022/120806": "narrower"}
    # From the Chinese edition to the newest international one, over two links and directly.
    assert equivalents(staff["centre"], "gbt16432/2016/122203") == {
        "iso9999/2016/1222": "wider", "iso9999/2022/1222": "wider", "iso9999/2022/122203": "same"}


def test_loading_again_leaves_what_an_administrator_made(database, admin):
    label, gone = "iso9999/2016/1239", ("iso9999/2016/0433", "iso9999/2022/043306")
    before = admin.get(f"/device-classes/{label}").json
    admin.put(f"/device-classes/{label}", {"name_zh": "改"})
    admin.delete(f"/device-classes/{gone[0]}/links", query={"to": gone[1]})
    database.run("migrate")
    assert admin.get(f"/device-classes/{label}")["name_zh"] == "改" and gone[1] not in links(admin, gone[0])
    admin.put(f"/device-classes/{label}", {name: before[name] for name in ("name_zh", "name_ko", "name_en")})
    link(admin, *gone, "narrower")


# --- classes ---


def test_classes_by_scheme_edition_and_number(staff, admin):
    whole = edition(admin, "12", "1222", "122203", "1223", "22")
    scheme, year = whole.split("/")[:2]

    def listed(**query):
        return [one["class"] for one in staff["centre"].pages("/device-classes", limit=2, **query)]
    assert listed(scheme=scheme, edition=year) == [whole + code for code in ("12", "1222", "122203", "1223", "22")]
    assert listed(scheme=scheme, edition=year, under="1222") == [whole + "1222", whole + "122203"]
    assert listed(scheme="nothing") == [] == listed(scheme=scheme, edition=year, q="nothing")
    admin.put(f"/device-classes/{whole}22", {"name_zh": "听觉", "name_en": "For Hearing"})
    assert listed(edition=year, q="hearing") == [whole + "22"]
    every = listed()
    assert every == sorted(every, key=lambda label: label.split("/")) and len(every) == len(set(every)) > 48


def test_a_class_is_put(staff, admin):
    label = edition(admin) + "0615"
    made = admin.put(f"/device-classes/{label}", {"name_zh": "甲", "name_ko": "가", "name_en": "A"}, key=f"class-{label}")
    scheme, year, code = label.split("/")
    assert made.json == {"scheme": scheme, "edition": year, "code": code, "class": label, "name_zh": "甲", "name_ko": "가", "name_en": "A", "version": 1}
    assert admin.put(f"/device-classes/{label}", {"name_zh": "甲", "name_ko": "가", "name_en": "A"}, key=f"class-{label}").json == made.json
    again = admin.put(f"/device-classes/{label}", {"name_zh": "乙"}, match=made.etag)
    assert (again["name_zh"], again["name_ko"], again["name_en"], again["version"]) == ("乙", "乙", "乙", 2)
    lost = admin.put(f"/device-classes/{label}", {"name_zh": "丙"}, match=made.etag, expect=412, code="stale")
    assert lost["current"] == again.json
    shown = staff["centre"].get(f"/device-classes/{label}")
    assert shown.json == {**again.json, "links": [], "equivalents": []}
    for wrong in ("ISO/2016/12", "iso9999/16/12", "iso9999/2016/1", "iso9999/2016/12.22"):
        admin.put(f"/device-classes/{wrong}", {"name_zh": "甲"}, expect=422, code="class_invalid")
    admin.put(f"/device-classes/{edition(admin)}12", {"name_zh": "甲"}, match='"1"', expect=404, code="not_found")
    staff["centre"].get("/device-classes/iso9999/1000/12", expect=404, code="not_found")


def test_a_link_is_seen_from_both_sides(staff, admin):
    old, new = edition(admin, "1222") + "1222", edition(admin, "1221") + "1221"
    assert link(admin, old, new, "narrower").json == {"class": old, "to": new, "relation": "narrower"}
    assert links(admin, old) == {new: "narrower"} and links(admin, new) == {old: "wider"}
    assert equivalents(admin, old) == {new: "narrower"} and equivalents(admin, new) == {old: "wider"}
    # Said from the other side it is the same one.
    assert link(admin, new, old, "narrower").json == {"class": new, "to": old, "relation": "narrower"}
    assert links(admin, old) == {new: "wider"} and links(admin, new) == {old: "narrower"}
    assert admin.delete(f"/device-classes/{new}/links", query={"to": old}).json == {"class": new, "to": old, "relation": "narrower"}
    assert links(admin, old) == {} == links(admin, new)
    admin.delete(f"/device-classes/{new}/links", query={"to": old}, expect=404, code="not_found")


def test_links_that_cannot_be(staff, admin):
    whole = edition(admin, "12", "1222")
    other = edition(admin, "12") + "12"
    for to, code in ((whole + "1222", "link_within_edition"), ("iso9999/1000/12", "class_unknown"), ("x", "class_unknown"), (other + "/", "class_unknown")):
        assert link(admin, whole + "12", to, "same", expect=422, code=code)["field"] == "/to"
    link(admin, whole + "9999", other, "same", expect=404, code="not_found")
    link(admin, whole + "12", other, "equal", expect=422, code="not_allowed")
    admin.delete(f"/device-classes/{whole}12/links", expect=422, code="required")
    for who in ("manager", "county", "centre", "auditor"):
        link(staff[who], whole + "12", other, "same", expect=403, code="role_not_allowed")
        staff[who].delete(f"/device-classes/{whole}12/links", query={"to": other}, expect=403, code="role_not_allowed")
        staff[who].put(f"/device-classes/{whole}12", {"name_zh": "甲"}, expect=403, code="role_not_allowed")


# relation of the second class to the first, of the third to the second; of the third to the first.
THROUGH = [("same", "same", "same"), ("same", "narrower", "narrower"), ("wider", "same", "wider"), ("overlaps", "same", "overlaps"),
           ("narrower", "narrower", "narrower"), ("wider", "wider", "wider"), ("narrower", "wider", "overlaps"), ("narrower", "overlaps", "overlaps"),
           ("overlaps", "wider", "overlaps"), ("same", "overlaps", "overlaps"),
           # Two parts of a whole may have nothing in common.
           ("wider", "narrower", None), ("wider", "overlaps", None), ("overlaps", "narrower", None), ("overlaps", "overlaps", None)]


@pytest.mark.parametrize("first, second, whole", THROUGH)
def test_how_sure_an_equivalent_is_over_two_links(admin, first, second, whole):
    one, two, three = (edition(admin, "1222") + "1222" for _ in range(3))
    link(admin, one, two, first)
    link(admin, three, two, {"narrower": "wider", "wider": "narrower"}.get(second, second))
    assert equivalents(admin, one) == {two: first} | ({three: whole} if whole else {})


def test_the_surest_way_counts_and_circles_end(admin):
    one, two, three, four = (edition(admin, "1222") + "1222" for _ in range(4))
    for a, b, relation in ((one, two, "overlaps"), (two, three, "same"), (three, four, "same"), (four, one, "same")):
        link(admin, a, b, relation)
    assert equivalents(admin, one) == {two: "same", three: "same", four: "same"}
    admin.delete(f"/device-classes/{three}/links", query={"to": four})
    assert equivalents(admin, one) == {two: "overlaps", three: "overlaps", four: "same"}


def test_numbers_within_an_edition_say_what_is_wider(admin):
    old, new = edition(admin, "12", "1221", "122103"), edition(admin, "12", "1222", "122203", "1223")
    link(admin, old + "1221", new + "1222", "same")
    assert equivalents(admin, old + "122103") == {new + "1222": "wider", new + "12": "wider"}
    assert equivalents(admin, old + "12") == {new + "1222": "narrower", new + "122203": "narrower", new + "12": "overlaps"}
    assert equivalents(admin, new + "1223") == {}
    assert equivalents(admin, new + "122203") == {old + "1221": "wider", old + "12": "wider"}


# --- models ---


def test_a_model_is_put_and_taken_out_of_use(staff, admin):
    code = f"m-{next(numbers)}"
    label = step_centre.device_class(admin)
    made = admin.put(f"/device-models/{code}", model(maker="厂", price=300000, subsidy=200000), key=f"model-{code}")
    assert made.json == {
        "code": code, "measure": "hearing_aid", "name_zh": "助听器", "name_ko": "助听器", "name_en": "助听器", "maker": "厂", "class": label,
        "service_months": 48, "price": 300000, "subsidy": 200000, "rent": 0, "rent_subsidy": 0, "deposit": 0, "loan_hours": None,
        "retired_at": None, "version": 1}
    assert admin.put(f"/device-models/{code}", model(maker="厂", price=300000, subsidy=200000), key=f"model-{code}").json == made.json
    retired = admin.put(f"/device-models/{code}", model(retired=True), match=made.etag)
    assert retired["retired_at"] and (retired["price"], retired["maker"], retired["version"]) == (None, "", 2)
    assert admin.put(f"/device-models/{code}", model())["retired_at"] == retired["retired_at"]
    query = {"measure": "hearing_aid", "q": code}
    assert found(staff["centre"], **query) == {} and found(staff["centre"], retired="true", **query) == {code: None}
    again = admin.put(f"/device-models/{code}", model(retired=False, rent=500, rent_subsidy=500, deposit=1, loan_hours=24))
    assert again["retired_at"] is None and found(staff["centre"], **query) == {code: None}
    assert staff["centre"].get(f"/device-models/{code}").json == again.json
    lost = admin.put(f"/device-models/{code}", model(), match=made.etag, expect=412, code="stale")
    assert lost["current"] == again.json
    staff["centre"].get("/device-models/nothing", expect=404, code="not_found")
    for who in ("manager", "county", "centre", "auditor"):
        staff[who].put(f"/device-models/{code}", model(), expect=403, code="role_not_allowed")


def test_a_model_that_cannot_be(admin):
    step_centre.device_class(admin)
    for code, wrong, status, refused, field in (
            ("A", model(), 422, "model_code_invalid", "/code"), ("a" * 49, model(), 422, "model_code_invalid", "/code"),
            ("x", model(measure="nothing"), 422, "measure_unknown", "/measure"), ("x", model(measure="ramp"), 422, "measure_not_device", "/measure"),
            ("x", model(**{"class": "iso9999/1000/12"}), 422, "class_unknown", "/class"),
            ("x", model(rent=100, rent_subsidy=101), 422, "rent_subsidy_exceeds_rent", "/rent_subsidy"),
            ("x", model(service_months=0), 422, "out_of_range", "/service_months"), ("x", model(deposit=-1), 422, "out_of_range", "/deposit")):
        assert admin.put(f"/device-models/{code}", wrong, expect=status, code=refused)["field"] == field
    admin.put("/device-models/x", model(), match='"1"', expect=404, code="not_found")
    admin.get("/device-models/x", expect=404)


def test_what_its_items_are_stays(database, admin):
    code, centre = step_centre.model(admin), f"centre-model-{next(numbers)}"
    body = {name: value for name, value in admin.get(f"/device-models/{code}").json.items() if name not in ("code", "version", "retired_at")}
    assert admin.put(f"/device-models/{code}", {**body, "measure": "powered_wheelchair"})["measure"] == "powered_wheelchair"
    admin.put(f"/device-models/{code}", body)
    step_centre.put(admin, centre)
    with database.connect("super") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT set_config('tantu.role', 'system', true)")
        cursor.execute("""INSERT INTO device_item (code, model, serial, centre_id, source, acquired_on)
                          SELECT %s, %s, '', id, 'purchased', '2024-01-01' FROM centre WHERE code = %s""", (f"of-{code}", code, centre))
    admin.put(f"/device-models/{code}", {**body, "measure": "powered_wheelchair"}, expect=409, code="model_in_use")
    faults = admin.post("/device-catalogue", {"models": [{**body, "code": code, "measure": "powered_wheelchair"}]}, expect=422, code="catalogue_faulty")
    assert faults["reasons"] == ["/models/0/measure model_in_use"]
    assert admin.put(f"/device-models/{code}", {**body, "name_zh": "改"})["name_zh"] == "改"


def test_models_are_found_by_a_class_of_another_edition(staff, admin):
    old, new, third = edition(admin, "12", "1221", "122103", "1299"), edition(admin, "12", "1222", "122203"), edition(admin, "9922", scheme="gbt16432")
    link(admin, old + "1221", new + "1222", "same")
    link(admin, third + "9922", new + "122203", "wider")  # what is said there is wider than 9922
    coded = {label: step_centre.model(admin, **{"class": label}) for label in (
        old + "1221", old + "122103", old + "1299", new + "1222", new + "122203", third + "9922")}

    def of(label, **query):
        by_code = {code: label for label, code in coded.items()}
        return {by_code[code]: match for code, match in found(staff["centre"], **{"class": label}, **query).items()}
    assert of(new + "1222") == {new + "1222": "same", new + "122203": "narrower", old + "1221": "same", old + "122103": "narrower",
                                third + "9922": "narrower"}
    assert of(old + "122103") == {old + "122103": "same", old + "1221": "wider", new + "1222": "wider"}
    assert of(third + "9922") == {third + "9922": "same", new + "122203": "wider", new + "1222": "wider", old + "1221": "wider"}
    assert of(old + "1299") == {old + "1299": "same"}
    assert of(old + "12", measure="hearing_aid") == {} == of("iso9999/1000/12") == of("x")
    assert set(of(old + "12", q="轮椅")) == set(coded)
    assert found(staff["centre"], q=coded[old + "1299"].upper()) == {coded[old + "1299"]: None}


# --- what a plan grants ---


def terms(client, plan, code):
    return next(one for one in client.pages(f"/plans/{plan}/device-terms", limit=5) if one["model"] == code)


def test_a_plan_says_otherwise(staff, admin, database):
    code, path = step_centre.model(admin), None
    path = f"/plans/tongxin/device-terms/{code}"
    as_model = {"service_months": 36, "subsidy": 60000, "rent": 3000, "rent_subsidy": 1000, "deposit": 20000}
    before = terms(staff["centre"], "tongxin", code)
    assert before == {"model": code, "name_zh": before["name_zh"], **dict.fromkeys(as_model), "holds": as_model, "version": 0}
    put = staff["manager"].put(path, {"subsidy": 70000, "rent_subsidy": 0}, match='"0"')
    assert put.json == {"plan": "tongxin", "model": code, **dict.fromkeys(as_model), "subsidy": 70000, "rent_subsidy": 0,
                        "holds": {**as_model, "subsidy": 70000, "rent_subsidy": 0}, "version": 1}
    assert staff["manager"].put(path, {"deposit": 0}, match='"0"', expect=412, code="stale")["current"] == put.json
    assert terms(staff["centre"], "qinghai", code)["holds"] == as_model
    # Rent that falls below what the model grants of it is paid whole.
    low = admin.put(path, {"rent": 400}, match=put.etag)
    assert low["holds"] == {**as_model, "rent": 400, "rent_subsidy": 400} and low["subsidy"] is None
    assert database.sql("""SELECT t.* FROM plan p, device_terms_of(p.id, %s) AS t WHERE p.code = 'tongxin'""", code) == [(36, 60000, 400, 400, 20000)]
    assert database.sql("SELECT t.* FROM plan p, device_terms_of(p.id, %s) AS t WHERE p.code = 'qinghai'", code) == [tuple(as_model.values())]
    assert database.sql("SELECT (device_terms_of(1::smallint, 'nothing')).rent") == [(None,)]
    staff["manager"].delete(path, match='"1"', expect=412, code="stale")
    assert staff["manager"].delete(path, match=low.etag)["holds"] == as_model
    assert terms(staff["centre"], "tongxin", code) == before
    staff["manager"].delete(path, expect=404, code="not_found")


def test_terms_that_cannot_be(staff, admin):
    code = step_centre.model(admin)
    path = f"/plans/tongxin/device-terms/{code}"
    for wrong in ({"rent_subsidy": 3001}, {"rent": 100, "rent_subsidy": 101}):
        assert staff["manager"].put(path, wrong, expect=422, code="rent_subsidy_exceeds_rent")["field"] == "/rent_subsidy"
    staff["manager"].put(path, {"service_months": 0}, expect=422, code="out_of_range")
    for missing in (f"/plans/nothing/device-terms/{code}", "/plans/tongxin/device-terms/nothing"):
        staff["manager"].put(missing, {"rent": 1}, expect=404, code="not_found")
    staff["other"].put(path, {"rent": 1}, expect=403, code="region_foreign")
    staff["other"].delete(path, expect=403, code="region_foreign")
    for who in ("county", "centre", "auditor"):
        staff[who].put(path, {"rent": 1}, expect=403, code="role_not_allowed")
        staff[who].delete(path, expect=403, code="role_not_allowed")
    assert terms(staff["manager"], "tongxin", code)["version"] == 0
    assert staff["manager"].get("/plans/nothing/device-terms").items == []


# --- the whole as one document ---


def document():
    """A catalogue of its own, of everything something."""
    old, new, code = f"iso9999/{next(years)}/12", f"gbt16432/{next(years)}/12", f"d-{next(numbers)}"
    name = {"name_zh": "甲", "name_ko": "가", "name_en": "A"}
    return {"classes": [{"class": label, **name} for label in (old, new)], "links": [{"class": new, "to": old, "relation": "wider"}],
            "models": [{"code": code, "measure": "crutch", **name, "maker": "", "class": new, "service_months": 12, "price": None, "subsidy": 5000, "rent": 0,
                        "rent_subsidy": 0, "deposit": 0, "loan_hours": None, "retired": False}],
            "terms": [{"plan": "tongxin", "model": code, "service_months": 24, "subsidy": None, "rent": None, "rent_subsidy": None, "deposit": None}]}


NOTHING = {"added": 0, "changed": 0}


def counts(**changes):
    return {"changes": bool(changes), **{name: {**NOTHING, **changes.get(name, {})} for name in ("classes", "links", "models", "terms")}}


def test_a_document_is_imported_and_given_back(staff, admin):
    given = document()
    one, two = given["classes"][0]["class"], given["classes"][1]["class"]
    code = given["models"][0]["code"]
    assert admin.post("/device-catalogue", given, key=f"import-{code}").json == counts(
        classes={"added": 2}, links={"added": 1}, models={"added": 1}, terms={"added": 1})
    assert admin.post("/device-catalogue", given, key=f"import-{code}")["changes"] is True
    assert admin.post("/device-catalogue", given).json == counts()
    versions = [admin.get(f"/device-classes/{one}")["version"], admin.get(f"/device-models/{code}")["version"], terms(admin, "tongxin", code)["version"]]
    assert versions == [1, 1, 1]
    whole = staff["centre"].get("/device-catalogue", query={"plan": "tongxin"}).json
    for part in ("classes", "models", "terms"):
        assert [entry for entry in given[part] if entry not in whole[part]] == []
    # (A link is given as it is kept: gbt before iso.)
    assert given["links"][0] in whole["links"]
    assert staff["centre"].get("/device-catalogue")["terms"] == []
    assert admin.post("/device-catalogue", whole).json == counts()
    given["classes"][0]["name_en"] = "B"
    given["links"][0] = {"class": one, "to": two, "relation": "overlaps"}
    given["models"][0]["retired"] = True
    given["terms"][0]["subsidy"] = 1
    assert admin.post("/device-catalogue", given).json == counts(
        classes={"changed": 1}, links={"changed": 1}, models={"changed": 1}, terms={"changed": 1})
    assert links(admin, two) == {one: "overlaps"}
    retired = admin.get(f"/device-models/{code}")
    assert retired["retired_at"] and retired["version"] == 2
    assert admin.post("/device-catalogue", given).json == counts()
    del given["models"][0]["retired"]
    assert admin.post("/device-catalogue", given).json == counts() and admin.get(f"/device-models/{code}").json == retired.json
    assert admin.post("/device-catalogue", {}).json == counts()


def test_a_document_with_faults_imports_nothing_and_names_them_all(staff, admin):
    given = document()
    one, two, code = given["classes"][0]["class"], given["classes"][1]["class"], given["models"][0]["code"]
    given["classes"] += [{"class": one, "name_zh": "乙"}, {"class": "iso9999/16/12", "name_zh": "乙"}]
    given["links"] += [{"class": one, "to": two, "relation": "same"}, {"class": one, "to": "iso9999/1000/12", "relation": "same"},
                       {"class": "nothing", "to": one, "relation": "same"}, {"class": one, "to": one, "relation": "same"}]
    given["models"] += [{**given["models"][0], "measure": "ramp", "rent_subsidy": 5}, {**given["models"][0], "code": "A b", "measure": "x", "class": "y"}]
    given["terms"] += [{"plan": "nothing", "model": "nothing"}, {"plan": "tongxin", "model": code, "rent_subsidy": 1}]
    refused = admin.post("/device-catalogue", given, expect=422, code="catalogue_faulty")
    assert refused["reasons"] == [
        "/classes/2/class given_twice", "/classes/3/class class_invalid", "/links/1/to given_twice", "/links/2/to class_unknown",
        "/links/3/class class_unknown", "/links/4/to link_within_edition", "/models/1/code given_twice", "/models/1/measure measure_not_device",
        "/models/1/rent_subsidy rent_subsidy_exceeds_rent", "/models/2/class class_unknown", "/models/2/code model_code_invalid",
        "/models/2/measure measure_unknown", "/terms/1/model model_unknown", "/terms/1/plan plan_unknown", "/terms/2/model given_twice",
        "/terms/2/rent_subsidy rent_subsidy_exceeds_rent"]
    assert refused["field"] == "/classes/2/class"
    for path in (f"/device-classes/{one}", f"/device-classes/{two}", f"/device-models/{code}"):
        admin.get(path, expect=404)
    for wrong, code, field in (({"classes": [{"class": one}]}, "required", "/classes/0/name_zh"), ({"links": [{"class": one, "to": two, "relation": "x"}]},
                               "not_allowed", "/links/0/relation"), ({"models": [1]}, "wrong_type", "/models/0"), ({"items": []}, "unknown_field", "/items"),
                               ({"terms": [{"plan": "a", "model": "b", "colour": 1}]}, "unknown_field", "/terms/0/colour")):
        assert admin.post("/device-catalogue", wrong, expect=422, code=code)["field"] == field
    for who in ("manager", "county", "centre", "auditor"):
        staff[who].post("/device-catalogue", document(), expect=403, code="role_not_allowed")


def test_a_whole_edition_is_imported_at_once(admin):
    """A thousand classes, as many as ISO 9999 has, each linked."""
    old, new = f"iso9999/{next(years)}/", f"iso9999/{next(years)}/"
    codes = [f"{n:06}" for n in range(500)]
    given = {"classes": [{"class": whole + code, "name_zh": "一个类别的名称", "name_ko": "분류 이름", "name_en": "The name of a class"}
                         for whole in (old, new) for code in codes],
             "links": [{"class": old + code, "to": new + code, "relation": "same"} for code in codes]}
    assert admin.post("/device-catalogue", given).json == counts(classes={"added": 1000}, links={"added": 500})
    assert equivalents(admin, new + codes[250]) == {old + codes[250]: "same"}
    assert admin.post("/device-catalogue", given).json == counts()


def test_two_imports_at_once_add_everything_once(admin):
    given = document()
    clients, answers = [admin.clone() for _ in range(3)], []
    start = threading.Barrier(len(clients))

    def bring(client):
        start.wait()
        answers.append(client.post("/device-catalogue", given).json)
    threads = [threading.Thread(target=bring, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for client in clients:
        client.close()
    assert sorted(answer["changes"] for answer in answers) == [False, False, True]
    assert sum(answer["classes"]["added"] for answer in answers) == 2
