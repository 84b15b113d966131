# SPDX-License-Identifier: Apache-2.0
"""Rentals and short loans, as a centre does them. request: the id of one that is assessed for a rental; item: code or id.

    rental = step_rental.rent(client, request, item, months=3)["id"]
    step_rental.give_back(client, rental)
    step_rental.close(client, rental)            # pays what the settlement leaves to be paid
"""


def _apart(more):
    """Options of the request (expect=, code=, key=, match=), apart from fields of the body."""
    return {name: more.pop(name) for name in ("expect", "code", "key", "match") if name in more}


def rent(client, request, item, **more):
    """months=1 unless months or due_on is given."""
    options = {"expect": 201, **_apart(more)} if "code" not in more else _apart(more)
    if not {"months", "due_on"} & set(more):
        more["months"] = 1
    return client.post("/rentals", {"request": int(request), "item": str(item), **more}, **options)


def give_back(client, rental, **more):
    return client.post(f"/rentals/{rental}/return", more, **_apart(more))


def lose(client, rental, **more):
    options = _apart(more)
    return client.post(f"/rentals/{rental}/loss", {"note": "丢了", **more}, **options)


def extend(client, rental, **more):
    options = _apart(more)
    return client.post(f"/rentals/{rental}/extension", {"agreed_by": "本人", **({} if "due_on" in more else {"months": 1}), **more}, **options)


def pay(client, rental, kind, amount, **more):
    options = {"expect": 201, **_apart(more)} if "code" not in more else _apart(more)
    return client.post(f"/rentals/{rental}/payments", {"kind": kind, "amount": amount, **more}, **options)


def settlement(client, rental, charges=None):
    return client.get(f"/rentals/{rental}/settlement", query={"charges": charges})


def close(client, rental, **more):
    """Receives what is left to be paid, unless received or waive_reason says otherwise."""
    options = _apart(more)
    if not {"received", "waive_reason"} & set(more):
        more["received"] = settlement(client, rental, sum(one["amount"] for one in more.get("charges", [])))["rest"]
    return client.post(f"/rentals/{rental}/close", more, **options)


def loan_out(client, item, **more):
    """more: person, or borrower and phone; hours, happened_at, note."""
    options = {"expect": 201, **_apart(more)} if "code" not in more else _apart(more)
    return client.post("/device-loans", {"item": str(item), **more}, **options)


def loan_back(client, item, **more):
    options = _apart(more)
    return client.post("/device-loans/return", {"item": str(item), **more}, **options)
