# SPDX-License-Identifier: Apache-2.0
"""Fittings: the person keeps it. Who may have it, once in its service life, signed for, by one of many at once."""
import pytest
import step_request
import step_stock
import stock_help

SIGNATURE = {"strokes": [[10, 10, 20, 30.5, 40, 20], [50, 50]]}


@pytest.fixture
def office(people):
    return people.manager("640324")


@pytest.fixture
def centre(people, database):
    return stock_help.centre(people, database)


def test_the_straight_way(office, centre, database):
    """From a need in a file to a wheelchair that is signed for, and what it cost whom."""
    model = stock_help.model(database, price=80000, subsidy=60000)
    (item,) = step_stock.take_in(centre, model, price=75000)
    (one,) = step_request.bring(office)
    request = step_request.open_request(office, one.person, centre=centre.centre)
    seen = centre.get(f"/device-requests/{request}")
    assert (seen["state"], seen["source"], seen["centre"], seen["person"]) == ("waiting", "import", centre.centre, one.person)
    assert seen["for"]["name"] == one.row["姓名"] and seen["for"]["phone"] == one.row["联系电话"] and seen["for"]["address"] == one.row["详细地址"]
    assert seen["score"] == sum(part["points"] for part in seen["for"]["parts"]) > 0
    assessed = step_request.assess(centre, request)
    assert (assessed["state"], assessed["assessed_for"], assessed["version"]) == ("assessed", "fitting", 2)
    fitting = step_request.fit(centre, request, item["code"], signature=SIGNATURE)
    assert (fitting["price"], fitting["subsidy"], fitting["self_paid"], fitting["signed"]) == (75000, 60000, 15000, True)
    whole = centre.get(f"/fittings/{fitting['id']}")
    assert whole["signature"]["strokes"] == SIGNATURE and whole["signature"]["signer"] == one.row["姓名"]
    assert centre.get(f"/device-items/{item['code']}")["state"] == "fitted"
    assert centre.get(f"/device-requests/{request}")["state"] == "fulfilled"
