# SPDX-License-Identifier: Apache-2.0
"""The ledger: what is committed, payable and paid follows the case, whatever happens to it, and always reconciles."""
import json
import random

import psycopg2
import pytest
import step_design
import step_order
from money_world import World, at_once
from processes import ADMIN_PASSWORD
from stages import MAIN, move


@pytest.fixture(scope="module")
def world(admin_session):
    world = World(admin_session.clone(), ceiling=100000000)
    yield world
    world.close()


def verify(database):
    return database.run("verify", "ledger", check=False)


PROVINCE = {"source": -20000, "committed": 20000}
SELF = {"source": -10100, "committed": 10100}


def payable(amount, paid=0):
    return {name: value for name, value in (("source", -amount), ("payable", amount - paid), ("paid", paid)) if value}


def test_commitment_payable_paid(world):
    case = world.surveyed()
    world.put(case, sources={"province": 20000})
    assert world.balance(case) == {}
    move(world.manager, case, "designed")
    assert world.balance(case) == {"province": PROVINCE, "household": SELF}
    world.pay(case, 1, expect=409, code="nothing_payable")
    world.walk(case, "accepted", begin="assigned")
    assert world.balance(case) == {"province": payable(20000), "household": payable(10100)}
    first = world.pay(case, 15000, expect=201)
    assert (first["source"], first["contractor"], first["amount"], first["case"]) == ("province", world.team.firm, 15000, case)
    answer = world.pay(case, 5001, expect=422, code="payment_exceeds_payable")
    assert answer["reasons"] == ["5000"] and answer["field"] == "/amount"
    world.pay(case, 5000)
    world.pay(case, 10100, "household", by=world.manager, reference="R1", note="收据")
    assert world.balance(case) == {"province": payable(20000, 20000), "household": payable(10100, 10100)}
    assert world.kinds(case) == ["commitment", "transfer", "acceptance", "payment", "payment", "payment"]
    assert [(one["source"], one["amount"]) for one in world.team.contractor.get(f"/cases/{case}/payments").items] == [
        ("province", 15000), ("province", 5000), ("household", 10100)]
    move(world.manager, case, "closed")
    assert world.balance(case)["province"] == payable(20000, 20000)


def test_payments_that_are_refused(world, people):
    case = world.designed()
    world.walk(case, "accepted", begin="assigned")
    other = people.contractor("money-other")
    world.pay(case, 1, "county", expect=422, code="payment_source_unknown")
    world.pay(case, 1, contractor="nobody", expect=422, code="contractor_unknown")
    world.pay(case, 1, contractor="money-other", expect=409, code="nothing_payable")
    world.pay(case, 1, paid_on="2100-01-01", expect=422, code="paid_in_future")
    world.pay(case, 1, contractor=world.team.firm, reference="V")
    world.pay(case, 1, reference="V", expect=409, code="payment_twice")
    world.pay(case, 1, "household", reference="V")
    for who, options in ((world.team.contractor, {"expect": 403}), (world.team.assessor, {"expect": 403}), (people.county("230602"), {"expect": 404}),
                         (people.auditor("640324"), {"expect": 403})):
        world.pay(case, 1, by=who, **options)
    assert other.get(f"/cases/{case}/payments").items == []
    world.manager.post("/cases/1/payments", {"source": "province", "amount": 1, "paid_on": "2023-01-01", "reference": "x"}, expect=404)


def test_a_payment_is_reversed_once_and_may_be_made_again(world):
    case = world.designed()
    world.walk(case, "accepted", begin="assigned")
    number = world.pay(case, 20000, reference="V")["id"]
    back = world.manager.post(f"/payments/{number}/reversal", {"reason": "重复"}, expect=201)
    assert (back["reverses"], back["amount"], back["note"], back["reference"]) == (number, 20000, "重复", "V")
    assert world.balance(case)["province"] == payable(20000)
    world.manager.post(f"/payments/{number}/reversal", {"reason": "重复"}, expect=409, code="payment_reversed")
    world.manager.post(f"/payments/{back['id']}/reversal", {"reason": "重复"}, expect=409, code="payment_reversed")
    world.manager.post("/payments/1/reversal", {"reason": "重复"}, expect=404)
    assert [(one["reverses"], one["reversed_by"]) for one in world.manager.get(f"/cases/{case}/payments").items] == [(None, back["id"]), (number, None)]
    world.pay(case, 20000, reference="V")
    assert world.balance(case)["province"] == payable(20000, 20000)


def test_payments_at_once_do_not_exceed_what_is_payable(world):
    case = world.designed()
    world.walk(case, "accepted", begin="assigned")
    body = '{"source": "province", "amount": 15000, "paid_on": "2023-07-01", "reference": "%s"}'
    answers = at_once((who, f"/cases/{case}/payments", (body % number).encode()) for number, who in enumerate([world.county, world.manager] * 2))
    assert sorted(answer.status for answer in answers) == [201, 422, 422, 422]
    (done,) = [answer["id"] for answer in answers if answer.status == 201]
    answers = at_once((who, f"/payments/{done}/reversal", b'{"reason": "x"}') for who in [world.county, world.manager] * 2)
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]
    assert world.balance(case)["province"] == payable(20000)


def test_a_design_is_saved_while_it_is_decided(world):
    """Whichever comes first: the ledger holds what the design says in the end."""
    for price in (15000, 16000, 17000):
        case = world.surveyed()
        world.put(case)
        saved = '{"items": [{"number": 1, "room": "bathroom", "measure": "%s", "quantity": 1, "price": %d}]}' % (world.rail, price)
        answers = at_once([(world.county, f"/cases/{case}/design", saved.encode(), "PUT"), (world.manager, f"/cases/{case}/transitions", b'{"to": "designed"}')])
        assert {answer.status for answer in answers} <= {200, 409}
        total = world.county.get(f"/cases/{case}/design")["total"]
        assert total in (30100, price) and world.balance(case)["household"] == {"source": -total, "committed": total}


def test_the_same_payment_twice_is_recorded_once(world):
    case = world.designed()
    world.walk(case, "accepted", begin="assigned")
    for _ in range(3):
        assert world.pay(case, 7, reference="V", key=f"pay-{case}")["amount"] == 7
    assert world.balance(case)["province"] == payable(20000, 7)


def test_whatever_is_undone_takes_its_posting_back(world):
    case, manager = world.designed(), world.manager
    committed = {"province": PROVINCE, "household": SELF}
    def back():
        manager.post(f"/cases/{case}/take-back", {})
    back()
    assert world.balance(case) == {"province": {}, "household": {}}
    move(manager, case, "designed")
    assert world.balance(case) == committed
    move(manager, case, "suspended")
    assert world.balance(case) == committed
    move(manager, case, "withdrawn")
    assert world.balance(case) == {"province": {}, "household": {}}
    back()
    assert world.balance(case) == committed
    move(manager, case, "designed")
    world.walk(case, "building", begin="assigned")
    move(manager, case, "withdrawn") # from where nothing is posted
    assert world.balance(case) == {"province": {}, "household": {}}
    back()
    assert world.balance(case) == committed
    move(manager, case, "built")
    move(manager, case, "accepted")
    back()
    assert world.balance(case) == committed
    move(manager, case, "accepted")
    move(manager, case, "closed")
    move(manager, case, "built") # revoked
    assert world.balance(case) == committed
    back()
    assert world.balance(case) == {"province": payable(20000), "household": payable(10100)}
    assert [kind for kind in world.kinds(case) if kind in ("revocation", "withdrawal")] == ["withdrawal", "withdrawal", "revocation"]


def test_what_was_paid_stays_paid_when_the_acceptance_is_revoked(world):
    case, manager = world.designed(), world.manager
    world.walk(case, "accepted", begin="assigned")
    number = world.pay(case, 15000)["id"]
    move(manager, case, "built")
    assert world.balance(case)["province"] == {"source": -20000, "committed": 5000, "paid": 15000}
    world.pay(case, 1, expect=409, code="nothing_payable")
    move(manager, case, "rework")
    move(manager, case, "building")
    change = {"op": "change", "number": 1, "quantity": 1}
    answer = world.propose(case, change, sources={"province": 14999}, expect=409, code="below_paid")
    assert answer["reasons"] == ["province 15000"]
    order = world.propose(case, change, sources={"province": 15000})["id"]
    world.decide(order)
    assert world.balance(case) == {"province": {"source": -15000, "paid": 15000}, "household": {"source": -50, "committed": 50}}
    move(manager, case, "withdrawn")
    assert world.balance(case) == {"province": {"source": -15000, "paid": 15000}, "household": {}}
    manager.post(f"/payments/{number}/reversal", {"reason": "退回"})
    assert world.balance(case) == {"province": {}, "household": {}}


def test_what_is_owed_follows_the_household_and_the_contractor(world, people, database):
    case, manager = world.designed(), world.manager
    people.contractor("money-second")
    def places():
        return database.sql("""SELECT region, contractor_id <> 0, sum(amount)::int FROM ledger_entry WHERE case_id = %s AND account = 'committed'
            GROUP BY 1, 2 HAVING sum(amount) <> 0 ORDER BY 1, 2""", case)
    assert places() == [(640324101, False, 30100)]
    manager.post(f"/cases/{case}/relocation", {"region": "640324102", "village": "a", "address": "b"})
    assert places() == [(640324102, False, 30100)]
    move(manager, case, "assigned", contractor=world.team.firm)
    assert places() == [(640324102, True, 30100)]
    manager.post(f"/cases/{case}/reassignment", {"contractor": "money-second", "reason": "x"})
    by = {one["code"]: one for one in manager.pages(f"/plans/{world.plan}/ledger", by="contractor")}
    assert by["money-second"]["committed"] == 30100
    world.walk(case, "accepted", begin="building")
    assert world.pay(case, 20000)["contractor"] == "money-second"
    declined = world.designed()
    step_order.do(world.team, declined, "decline")
    assert world.balance(declined)["province"] == PROVINCE
    assert database.sql("SELECT DISTINCT contractor_id FROM ledger_entry WHERE case_id = %s GROUP BY 1 HAVING sum(amount) FILTER (WHERE account = 'committed') <> 0",
                        declined) == [(database.sql("SELECT coalesce(contractor_id, 0) FROM retrofit_case WHERE id = %s", declined)[0])]


# --- balances ---


def balances(client, plan, by, **query):
    return {one["code"]: (one["committed"], one["payable"], one["paid"], one["open"]) for one in client.pages(f"/plans/{plan}/ledger", by=by, limit=3, **query)}


def added(rows):
    return tuple(map(sum, zip(*rows.values()))) if rows else (0, 0, 0, 0)


def test_the_four_ways_to_ask_agree(admin_session, database):
    world = World(admin_session.clone(), plan="money-four", ceiling=100000000)
    manager = world.manager
    assert balances(manager, world.plan, "case") == {}
    cases = [world.designed(sources={"province": 100 + number, "county": 200}, **{"区划代码": place})
             for number, place in enumerate(["640324101", "640324102", "640324101", "640324103", "640324102", "640324103", "640324101"])]
    world.walk(cases[0], "accepted", begin="assigned")
    world.walk(cases[1], "accepted", begin="assigned")
    world.pay(cases[0], 100)
    def check(fold):
        if fold:
            database.sql("SELECT ledger_fold(3)")
        sums = {added(balances(manager, world.plan, by)) for by in ("case", "contractor", "county", "source")}
        assert len(sums) == 1, sums
        assert sums == {added(balances(manager, world.plan, None))}
        (total,) = sums
        assert total == (5 * 30100, 2 * 30100 - 100, 100, 7 * 30100 - 100)
        for place in ("640324101", "640324102", "640324103", "640324"):
            assert len({added(balances(manager, world.plan, by, region=place)) for by in ("case", "contractor", "county", "source")}) == 1
    check(False)
    check(True)
    database.sql("SELECT ledger_fold(1000)")
    check(False)
    assert list(balances(manager, world.plan, "case")) == [str(case) for case in sorted(cases)]
    assert added(balances(manager, world.plan, "case", region="640324102"))[3] == 60200
    assert set(balances(manager, world.plan, "source")) == {"county", "household", "province"}
    assert balances(manager, world.plan, "source")["county"] == (1000, 400, 0, 1400)
    assert set(balances(manager, world.plan, "contractor")) == {"-", world.team.firm}
    assert list(balances(world.county, world.plan, "county")) == ["640324"]
    far = world.people.manager("230602")
    assert all(balances(far, world.plan, by) == {} for by in ("case", "contractor", "county", "source"))
    world.team.contractor.get(f"/plans/{world.plan}/ledger", expect=403, code="role_not_allowed")
    world.team.contractor.get(f"/cases/{cases[0]}/ledger", expect=403, code="role_not_allowed")
    assert far.get(f"/cases/{cases[0]}/ledger").items == []
    world.close()


# --- what the database itself does not let happen ---


@pytest.mark.parametrize("statement", [
    "UPDATE ledger_entry SET amount = amount + 1", "DELETE FROM ledger_entry", "TRUNCATE ledger_entry", "UPDATE ledger_transaction SET kind = 'x'",
    "DELETE FROM ledger_transaction", "TRUNCATE ledger_transaction CASCADE"])
def test_nobody_changes_the_ledger(world, database, statement):
    world.designed()
    for role, code in (("owner", "TT003"), ("super", "TT003"), ("app", "42501")):
        with pytest.raises(psycopg2.Error) as error:
            database.sql(statement, role=role)
        assert error.value.pgcode == code, role


def test_nobody_posts_by_himself(world, database):
    for table in ("ledger_transaction", "ledger_entry", "ledger_case", "ledger_total", "ledger_delta"):
        with pytest.raises(psycopg2.Error) as error:
            database.sql(f"INSERT INTO {table} DEFAULT VALUES", role="app")
        assert error.value.pgcode == "42501"
    for call in ("ledger_settle(c, 'x', current_date)", "ledger_used(c.plan_id, 'province', 0, 2023::smallint, c.id)"):
        with pytest.raises(psycopg2.Error) as error:
            database.sql(f"SELECT {call} FROM retrofit_case c LIMIT 1", role="app")
        assert error.value.pgcode == "42501"


@pytest.mark.parametrize("amounts", [(5,), (5, -4), (-5, 4, 2)])
def test_a_transaction_out_of_balance_is_no_transaction(world, database, amounts):
    case = world.designed()
    lines = ", ".join(f"({line}, {amount})" for line, amount in enumerate(amounts, 10))
    with pytest.raises(psycopg2.Error) as error:
        database.sql(f"""INSERT INTO ledger_entry (plan_region, transaction_id, line, plan_id, case_id, region, year, contractor_id, source, account, amount)
            SELECT t.plan_region, t.id, x.line, t.plan_id, t.case_id, 640324101, 2023, 0, 'province', 'paid', x.amount
            FROM ledger_transaction t, (VALUES {lines}) AS x (line, amount) WHERE t.case_id = %s""", case, role="owner")
    assert error.value.pgcode == "TT003"


@pytest.mark.parametrize("change", ["amount = 20001", "source = 'county'", "contractor_id = 0", "reverses = id - 1"])
def test_a_payment_that_is_not_payable_is_none(world, database, change):
    case = world.designed()
    world.walk(case, "accepted", begin="assigned")
    world.pay(case, 5)
    name, value = change.split(" = ")
    columns = ["plan_region", "id", "case_id", "source", "contractor_id", "amount", "paid_on", "reference", "reverses", "account_id"]
    values = {"id": "id_in(plan_region, 'payment_number')", name: value if value != "id - 1" else "id", "amount": value if name == "amount" else "6"}
    with pytest.raises(psycopg2.Error) as error:
        database.sql(f"INSERT INTO payment ({', '.join(columns)}) SELECT {', '.join(values.get(column, column) for column in columns)} FROM payment WHERE case_id = %s",
                     case, role="owner")
    assert error.value.pgcode == "TT003"


# --- the proof ---


def test_verify_finds_what_differs(make_database, make_server, client_of):
    own = make_database()
    own.sql("UPDATE job SET state = 'cancelled' WHERE kind = 'ledger_fold'")
    client = client_of(make_server("serve", database=own))
    world = World(client.sign_in("admin", ADMIN_PASSWORD), plan="money-verify")
    case = world.designed()
    world.walk(case, "accepted", begin="assigned")
    world.pay(case, 100)
    own.sql("SELECT ledger_fold(4)")
    done = verify(own)
    assert done.returncode == 0 and done.stdout.startswith("the ledger agrees: 1 cases, "), done
    for harm, mend, words in (
            ("UPDATE case_subsidy SET amount = amount + 1", "UPDATE case_subsidy SET amount = amount - 1", f"case money-verify {case} province/payable kept 19900, recounted 19901"),
            ("UPDATE ledger_case SET paid = paid + 1", "UPDATE ledger_case SET paid = paid - 1", f"balance money-verify {case} paid kept 101, recounted 100"),
            ("UPDATE ledger_case SET region = region + 1", "UPDATE ledger_case SET region = region - 1", f"place money-verify {case} region"),
            ("UPDATE ledger_total SET amount = amount + 1 WHERE account = 'paid' AND key = 'province'",
             "UPDATE ledger_total SET amount = amount - 1 WHERE account = 'paid' AND key = 'province'", "groups money-verify source paid kept 101, recounted 100"),
            ("ALTER TABLE payment DISABLE TRIGGER payment_posts; UPDATE payment SET amount = 99", "UPDATE payment SET amount = 100", f"case money-verify {case} province/paid kept 100, recounted 99"),
            ("ALTER TABLE ledger_entry DISABLE TRIGGER ALL; UPDATE ledger_entry SET amount = 101 WHERE account = 'paid'", "UPDATE ledger_entry SET amount = 100 WHERE account = 'paid'",
             f"transaction money-verify {case}")):
        own.sql("SELECT ledger_fold(1000)")
        own.sql(harm)
        found = verify(own)
        assert found.returncode == 3 and words in found.stdout, (harm, found.stdout)
        own.sql(mend)
    assert verify(own).returncode == 0
    world.close()


def test_a_walk_at_random_reconciles_at_every_step(world, database):
    """Moves, take-backs, change orders, payments, reversals, relocations: what the entries say is checked against a few lines of Python."""
    chance = random.Random(20261122)
    manager = world.manager
    cases = [world.surveyed(), world.designed(), world.walk(world.designed(), "accepted", begin="assigned")]
    step_design.source(manager, world.plan, "third", name_zh="第三")
    rules = {}
    for rule in manager.get("/transition-rules").items:
        if "manager" in rule["roles"]:
            rules.setdefault(rule["from"], []).append(rule["to"])
    weights = {"move": 9, "back": 2, "put": 3, "change": 4, "pay": 4, "reverse": 1, "relocate": 1}
    done = dict.fromkeys(weights, 0)
    for case in cases:
        paid, payments = {}, []
        for _ in range(30):
            stage = manager.get(f"/cases/{case}")["stage"]
            (what,) = chance.choices(list(weights), weights.values())
            if stage == "surveyed" and what == "move" and chance.random() < 0.7:
                what = "put"
            elif stage in ("accepted", "closed") and what in ("move", "back", "put"):
                what = chance.choice([what, "pay", "reverse" if payments else "pay"])
            share = {name: chance.randrange(1, 9000) for name in chance.sample(["province", "county", "third"], chance.randrange(4))}
            if what == "move":
                ahead = [to for to in rules[stage] if to in MAIN and (stage not in MAIN or MAIN.index(to) > MAIN.index(stage))]
                to = chance.choice(ahead if ahead and chance.random() < 0.88 else [to for to in rules[stage] if to != "rejected"])
                more = {"contractor": world.team.firm} if to == "assigned" else {}
                answer = try_it(manager, "POST", f"/cases/{case}/transitions", {"to": to, "note": "x", **more})
            elif what == "back":
                answer = try_it(manager, "POST", f"/cases/{case}/take-back", {})
            elif what == "put":
                answer = try_it(manager, "PUT", f"/cases/{case}/design", {"items": [world.item(quantity=chance.randrange(1, 9))],
                                "sources": [{"source": name, "amount": amount} for name, amount in share.items()]})
            elif what == "change":
                answer = try_it(world.county, "POST", f"/cases/{case}/change-orders", {"reason": "x", "items": [{"op": "add", **world.item()}],
                                "sources": [{"source": name, "amount": amount} for name, amount in share.items()]})
                if answer.status == 201:
                    answer = try_it(manager, "POST", f"/change-orders/{answer['id']}/approval", {"decision": "approve"})
            elif what == "pay":
                name = chance.choice([one["source"] for one in manager.get(f"/cases/{case}/design")["sources"]] + ["household"])
                answer = try_it(manager, "POST", f"/cases/{case}/payments", {"source": name, "amount": chance.randrange(1, 3000), "paid_on": "2024-01-01",
                                "reference": f"W{chance.random()}"})
                if answer.status == 201:
                    payments.append((answer["id"], name, answer["amount"]))
                    paid[name] = paid.get(name, 0) + answer["amount"]
            elif what == "reverse" and payments:
                number, name, amount = payments.pop(chance.randrange(len(payments)))
                answer = try_it(manager, "POST", f"/payments/{number}/reversal", {"reason": "x"})
                assert answer.status == 201
                paid[name] -= amount
            else:
                answer = try_it(manager, "POST", f"/cases/{case}/relocation", {"region": f"64032410{chance.randrange(1, 4)}", "village": "a", "address": "b"})
            assert answer.status < 500, answer
            done[what] += answer.status < 300
            check_case(world, case, paid)
    assert all(done.values()), done
    assert verify(database).returncode == 0
    assert len({added(balances(manager, world.plan, by)) for by in ("case", "contractor", "county", "source")}) == 1


def try_it(client, method, path, body):
    return client._send(method, "/api/v1" + path, json.dumps(body).encode(), {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}, 60)


def check_case(world, case, paid):
    shown, design = world.manager.get(f"/cases/{case}").json, world.manager.get(f"/cases/{case}/design").json
    stage = shown["resume_stage"] or shown["stage"]
    account = {"accepted": "payable", "closed": "payable"}.get(stage, "committed" if stage in ("designed", "assigned", "building", "built", "rework") else None)
    owed = {one["source"]: one["amount"] for one in design["sources"]} | {"household": design["self_paid"] or 0}
    wanted = {}
    for name in {*owed, *paid}:
        rest = max(owed.get(name, 0) - paid.get(name, 0), 0) if account else 0
        wanted[name] = {key: value for key, value in (("source", -rest - paid.get(name, 0)), (account, rest), ("paid", paid.get(name, 0))) if value}
    found = world.balance(case)
    assert {name: found.get(name, {}) for name in wanted} == wanted and not any(found[name] for name in found if name not in wanted), (shown["stage"], design)
