# SPDX-License-Identifier: Apache-2.0
"""A rehabilitation centre with somebody at its counter, and models of devices, through the API. `people` makes the accounts
(conftest.People); codes are new at every call."""
import itertools

_numbers = itertools.count(1)
CLASS = "iso9999/1900/122203"  # of an edition that there never was, so that no test meets a real one


def put(client, code, region="640324", plan="tongxin", **more):
    """The centre's place; the answer. more: name, address, phone, or expect=, code=, key=, match=."""
    options = {name: more.pop(name) for name in ("expect", "key", "match") if name in more}
    return client.put(f"/centres/{code}", {"plan": plan, "region": region, "name": f"康复中心 {code}", **more}, **options)


def set_up(people, region="640324", plan="tongxin", **more):
    """A centre of its own in that region and who works there: its client, which knows its `centre` (code) and `region`."""
    code = f"step-centre-{next(_numbers)}"
    client = people.centre(code)
    put(people.admin, code, region, plan, **more)
    client.centre, client.region = code, region
    return client


def device_class(admin, label=CLASS, name="试验类"):
    """That class (scheme/edition/code), made if need be; its label."""
    admin.put(f"/device-classes/{label}", {"name_zh": name})
    return label


def model(admin, code=None, **columns):
    """A model of a manual wheelchair that may be fitted, rented and lent; its code. columns: fields of PUT /device-models."""
    code = code or f"step-model-{next(_numbers)}"
    body = {"measure": "manual_wheelchair", "name_zh": f"轮椅 {code}", "service_months": 36, "price": 80000, "subsidy": 60000, "rent": 3000,
            "rent_subsidy": 1000, "deposit": 20000, "loan_hours": 24, **columns}
    body.setdefault("class", device_class(admin))
    admin.put(f"/device-models/{code}", body)
    return code
