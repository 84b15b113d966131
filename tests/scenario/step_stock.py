# SPDX-License-Identifier: Apache-2.0
"""Stock, as a centre does it, or an office for one (centre=…).

    step_stock.take_in(client, model, count=3)                          # bought, in stock; the items as answered
    step_stock.take_in(client, model, source="donated", donor="王先生")  # 爱心传递: returned, for the loop
    step_stock.transfer(client, [item, …], to="centre-2")               # the transfer; step_stock.receive(other, transfer)
"""


def take_in(client, model, count=1, source="purchased", **columns):
    """That many; a code or serial that is given gets a number behind it when they are several."""
    def one(number):
        own = {name: f"{value}-{number}" if count > 1 and name in ("code", "serial") else value for name, value in columns.items()}
        return client.post("/device-items", {"model": model, "source": source, **own}, expect=201).json
    return [one(number) for number in range(1, count + 1)]


def transfer(client, items, to, **fields):
    """Sends these on their way; the transfer."""
    return client.post("/device-transfers", {"to": to, "items": [{"item": str(item["id"])} for item in items], **fields}, expect=201).json


def receive(client, transfer, items=None, **fields):
    """What of it has come, by the destination: all of it unless items are given."""
    given = {} if items is None else {"items": [{"item": item["code"]} for item in items]}
    return client.post(f"/device-transfers/{transfer['id']}/receipt", {**given, **fields}).json
