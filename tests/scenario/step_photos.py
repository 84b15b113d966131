# SPDX-License-Identifier: Apache-2.0
"""Photos of a case, sent by who takes them."""
import uuid

import pictures

BY = {"before": "assessor", "during": "contractor", "after": "contractor", "inspection": "assessor", "signature": "assessor"}


def send(client, case, slot, data=None, name=None, **options):
    """One photo in one piece (none like it, unless data is given); the answer. options: item, finding, taken_at, note; expect, code."""
    query = {"slot": slot, **{key: options.pop(key) for key in ("item", "finding", "taken_at", "note") if key in options}}
    data = pictures.png() if data is None else data
    return client.put(f"/cases/{case}/photos/{name or uuid.uuid4()}", data, query=query, **options)


def do(team, case, slot, items=(None,), by=None, data=None, **options):
    """A photo of that slot for each item (None: of the case as a whole); their ids. by: another of the team."""
    sender = by or getattr(team, BY[slot])
    return [send(sender, case, slot, data, **({"item": item} if item is not None else {}), **options)["id"] for item in items]
