# SPDX-License-Identifier: Apache-2.0
"""Reads that may be late: only what is marked, only when the request says so, and the answer says who gave it.
Here there is no replica, so the primary answers; with replicas: tests/fault/test_failover.py."""
import pytest
from statements import statements

# What a writer reads back, what is somebody's own, or what must be exact is never marked.
MARKED = {"regions_list", "region_get", "plans_list", "plan_get", "targets_get", "transition_rules", "contractors_list",
          "centres_list", "progress_as_of", "progress_cases", "rooms_list", "measures_list", "measure_get", "problems_list", "problem_get",
          "device_classes_list", "device_models_list", "device_models_of_class"}
LATE = ["/regions?limit=3", "/regions/640324", "/plans", "/plans/tongxin", "/plans/tongxin/targets", "/transition-rules",
        "/contractors", "/centres", "/rooms", "/measures?limit=3", "/measures/ramp", "/problems?limit=3", "/problems/entrance_steps", "/device-classes", "/device-models", "/device-models?class=iso9999/2016/1222",
        "/plans/tongxin/progress?as_of=2024-01-31",
        "/plans/tongxin/progress/cases?measure=counted&as_of=2024-01-31"]
NEVER = ["/cases?plan=tongxin", "/plans/tongxin/progress", "/plans/tongxin/totals?by=county", "/imports"]


def test_what_may_be_late_is_marked_and_nothing_else():
    assert {name for name, statement in statements().items() if statement.may_be_stale} == MARKED


@pytest.fixture
def manager(people):
    return people.manager("640324")


@pytest.mark.parametrize("path", LATE)
def test_who_allows_it_is_told_who_answered(manager, path):
    exact = manager.get(path)
    late = manager.get(path, headers={"Cache-Control": "max-stale=60"})
    assert "Tantu-Read" not in exact.headers and late.headers["Tantu-Read"] == "primary"
    assert late.body == exact.body


@pytest.mark.parametrize("path", NEVER)
def test_what_must_be_exact_is_never_late(manager, path):
    assert "Tantu-Read" not in manager.get(path, headers={"Cache-Control": "max-stale=60"}).headers


@pytest.mark.parametrize("value", ["max-stale", "max-stale=1", "no-transform, max-stale=5", "MAX-STALE = 5", 'max-stale="5"',
                                   "max-stale=99999999999", "max-age=0,max-stale"])
def test_ways_to_allow_it(manager, value):
    assert manager.get("/plans", headers={"Cache-Control": value}).headers["Tantu-Read"] == "primary"


@pytest.mark.parametrize("value", ["", "no-cache", "max-age=60", "max-stale=0", "max-stale=", "max-stale=soon", "max-stale=-1",
                                   "max-stale=99999999999999999999999", "x-max-stale=5", "max-stale-x=5"])
def test_what_does_not_allow_it_is_answered_exactly(manager, value):
    assert "Tantu-Read" not in manager.get("/plans", headers={"Cache-Control": value}).headers


def test_the_description_says_which(contract):
    for (method, path), operation in contract.operations.items():
        said = any(one["name"] == "Cache-Control" for one in operation["parameters"])
        assert said == ("Tantu-Read" in next(iter(operation["responses"].values())).get("headers", {}))
        assert not said or method == "GET"
    assert sum(any(one["name"] == "Cache-Control" for one in operation["parameters"])
               for operation in contract.operations.values()) == 17
