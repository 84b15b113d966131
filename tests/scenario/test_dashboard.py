# SPDX-License-Identifier: Apache-2.0
"""The dashboard and the alerts ask only for what a running server tells, with the labels that it has."""
import json
import re
import socket

import pytest
from processes import ROOT
from test_metrics import scrape

EXAMPLES = ROOT / "package" / "examples"
METRIC = re.compile(r"\b((?:tantu|process|up)(?:_[a-z]+)*)\b(?:\{([^}]*)\})?")
PROMETHEUS_OWN = {"up"}
TARGET_LABELS = {"job", "instance"}


def dashboard():
    return json.loads((EXAMPLES / "grafana-tantu.json").read_text(encoding="utf-8"))


def expressions():
    """(where, PromQL) of every panel, variable and alert."""
    whole = dashboard()
    for panel in whole["panels"]:
        for target in panel.get("targets", []):
            yield f"panel {panel['title']}", target["expr"]
    for variable in whole["templating"]["list"]:
        if variable["type"] == "query":
            yield f"variable {variable['name']}", re.sub(r"label_values\((.*), \w+\)", r"\1", variable["query"]["query"])
    for expr in re.findall(r"^ +expr: (.*)$", (EXAMPLES / "tantu.rules.yml").read_text(encoding="utf-8"), re.MULTILINE):
        yield "alert", expr


@pytest.fixture(scope="module")
def told(server, admin_session):
    """{metric: {label: values}} of a server that runs jobs too and has refused something."""
    host, port = server.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    found = {}
    for (name, labels), _ in scrape(admin_session).items():
        known = found.setdefault(name, {})
        for label in labels:
            key, value = label.split("=", 1)
            known.setdefault(key, set()).add(value.strip('"'))
    return found


def test_it_asks_for_enough():
    assert len(list(expressions())) > 40


@pytest.mark.parametrize("where, expr", list(expressions()), ids=lambda text: text[:60])
def test_a_running_server_tells_what_is_asked(told, where, expr):
    asked = METRIC.findall(re.sub(r'"[^"]*"', lambda text: text[0].replace("{", "<").replace("}", ">"), expr))
    assert asked, expr
    grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", expr) for label in group.split(",")}
    for name, selector in asked:
        if name in PROMETHEUS_OWN:
            continue
        assert name in told, f"{where}: {name} is not told"
        for label, operator, value in re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', selector):
            assert label in TARGET_LABELS or label in told[name], f"{where}: {name} has no label {label}"
            if operator == "=" and label not in TARGET_LABELS:
                assert value in told[name][label], f"{where}: {name} never has {label}={value}"
    known = set().union(*(told.get(name, {}) for name, _ in asked)) | TARGET_LABELS
    assert grouped <= known, f"{where}: grouped by what nothing has: {grouped - known}"


def test_panels_do_not_overlap_and_have_names():
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) and all(panel["title"] for panel in panels)
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
