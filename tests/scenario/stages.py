# SPDX-License-Identifier: Apache-2.0
"""What scenarios of cases share: households brought in by a file, and the walk through the stages."""
import needs

STAGES = ("registered approved surveyed designed assigned building built accepted closed rejected withdrawn suspended "
          "rework").split()
# Stage by stage, each on a day of its own.
DAYS = {"approved": "2023-03-01T02:00:00Z", "surveyed": "2023-04-01T02:00:00Z", "designed": "2023-04-10T02:00:00Z",
        "assigned": "2023-04-15T02:00:00Z", "building": "2023-05-01T02:00:00Z", "built": "2023-05-20T02:00:00Z",
        "accepted": "2023-06-01T02:00:00Z", "closed": "2023-06-10T02:00:00Z"}
MAIN = ["registered", *DAYS]
ASIDE = {"rejected": "registered", "withdrawn": "registered", "suspended": "approved", "rework": "built"}
NOTE = "试验"


def bring_in(client, count=1, plan="tongxin", **columns):
    """Imports that many households of one person; the ids of their cases, in the order of the rows."""
    return list(bring_in_rows(client, [needs.row(plan, **columns) for _ in range(count)], plan).values())


def bring_in_rows(client, rows, plan="tongxin"):
    """Imports the rows; {户编号: id of its case}."""
    finished = client.import_file(plan, needs.to_csv(rows))
    assert finished["accepted"] == len(rows), finished
    return {number: case_of(client, number)["id"] for number in dict.fromkeys(row["户编号"] for row in rows)}


def case_of(client, number):
    """The case of a 户编号, by the list's search."""
    found = [case for case in client.get("/cases", query={"q": number}).items if case["household_number"] == number]
    assert len(found) == 1, f"{number}: {found}"
    return found[0]


def move(client, case, to, happened_at=None, **more):
    """A transition without asking for the ETag first."""
    body = {"to": to, "note": NOTE}
    if happened_at:
        body["happened_at"] = happened_at
    options = {name: more.pop(name) for name in ("expect", "code", "key", "match") if name in more}
    return client.post(f"/cases/{case}/transitions", {**body, **more}, **options)


def walk(client, case, until="accepted", shift=None, **assigned):
    """From registered to that stage. shift: {stage: another time}. assigned: more fields of the order, such as contractor."""
    last = ASIDE.get(until, until)
    for stage, when in DAYS.items():
        if last == "registered":
            break
        move(client, case, stage, (shift or {}).get(stage, when), **(assigned if stage == "assigned" else {}))
        if stage == last:
            break
    if until in ASIDE:
        move(client, case, until)
    return case
