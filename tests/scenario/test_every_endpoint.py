# SPDX-License-Identifier: Apache-2.0
"""Runs last: an endpoint that no scenario has succeeded at is an endpoint nobody knows to work."""
import json

import pytest


def test_every_endpoint_is_exercised(request, contract):
    config = request.config
    if config.getoption("half"):
        pytest.skip("asked once both halves have run")
    if config.getoption("exercised"):
        kept = list(config.getoption("exercised").glob("*.json"))
        assert len(kept) == 2, "both halves must have run"
        contract.exercised |= {tuple(one) for file in kept for one in json.loads(file.read_text(encoding="utf-8"))}
        assert not contract.untested(), "no test exercises: " + ", ".join(contract.untested())
        return
    whole = {path.name for path in request.path.parent.glob("test_*.py")}
    run = {item.path.name for item in request.session.items}
    picked = any("::" in argument for argument in request.config.args)
    if picked or whole - run or any(request.config.getoption(name) for name in ("keyword", "markexpr", "deselect")):
        pytest.skip("only when the whole suite runs")
    assert not contract.untested(), "no test exercises: " + ", ".join(contract.untested())
