# SPDX-License-Identifier: Apache-2.0
"""The marks of sql_arms.py: where they go, and what cannot be marked is said instead of passed over."""
import re

import pytest
import sql_arms


def marked(text):
    """The text with its marks numbered in the order they stand, and what each stands for."""
    out, arms = sql_arms.marked("name", text)
    order = []
    out = re.sub(r"coverage\.arm\((\d+)\)", lambda m: order.append(int(m[1])) or f"m({len(order)})", out)
    assert sorted(order) == sorted(arms), "every mark is listed, once"
    return " ".join(out.split()), [arms[number] for number in order]


@pytest.mark.parametrize("text, wanted", [
    ("SELECT 1", "SELECT 1"),
    ("CASE WHEN a THEN x ELSE y END", "CASE WHEN (a) IS TRUE AND m(1) THEN x WHEN NOT m(2) THEN NULL ELSE y END"),
    ("CASE WHEN a THEN x END", "CASE WHEN (a) IS TRUE AND m(1) THEN x WHEN NOT m(2) THEN NULL END"),
    ("CASE v WHEN 1 THEN x WHEN 2 THEN y END",
     "CASE WHEN ((v) = (1)) IS TRUE AND m(1) THEN x WHEN ((v) = (2)) IS TRUE AND m(2) THEN y WHEN NOT m(3) THEN NULL END"),
    ("CASE WHEN a THEN CASE WHEN b THEN x END END",
     "CASE WHEN (a) IS TRUE AND m(1) THEN CASE WHEN (b) IS TRUE AND m(2) THEN x WHEN NOT m(3) THEN NULL END "
     "WHEN NOT m(4) THEN NULL END"),
    ("CASE WHEN CASE WHEN b THEN c END THEN x END",
     "CASE WHEN (CASE WHEN (b) IS TRUE AND m(1) THEN c WHEN NOT m(2) THEN NULL END) IS TRUE AND m(3) THEN x "
     "WHEN NOT m(4) THEN NULL END"),
    ("'CASE' || \"case\" || $$ CASE $$ -- CASE\n/* CASE */", "'CASE' || \"case\" || $$ CASE $$ -- CASE /* CASE */"),
    ("BEGIN IF a THEN b; END IF; END", "BEGIN IF a THEN PERFORM m(1); b; ELSE PERFORM m(2); END IF; END"),
    ("BEGIN IF a THEN b; ELSIF c THEN d; ELSE e; END IF; END",
     "BEGIN IF a THEN PERFORM m(1); b; ELSIF c THEN PERFORM m(2); d; ELSE PERFORM m(3); e; END IF; END"),
    ("BEGIN FOR r IN SELECT 1 LOOP EXIT WHEN r; IF a THEN b; END IF; END LOOP; END",
     "BEGIN FOR r IN SELECT 1 LOOP PERFORM m(1); EXIT WHEN r; IF a THEN PERFORM m(2); b; ELSE PERFORM m(3); END IF; "
     "END LOOP; END"),
    ("BEGIN a; EXCEPTION WHEN others THEN b; END", "BEGIN a; EXCEPTION WHEN others THEN PERFORM m(1); b; END"),
])
def test_where_the_marks_go(text, wanted):
    assert marked(text)[0] == wanted


def test_what_a_mark_stands_for():
    assert marked("SELECT\nCASE WHEN a  = 1 THEN x END")[1] == ["name:2: WHEN a = 1", "name:2: no arm of CASE"]


def test_the_same_text_has_the_same_marks():
    assert sql_arms.marked("a", "CASE WHEN b THEN c END") == sql_arms.marked("a", "CASE WHEN b THEN c END")
    assert sql_arms.marked("a", "CASE WHEN b THEN c END") != sql_arms.marked("d", "CASE WHEN b THEN c END")


@pytest.mark.parametrize("text", ["BEGIN CASE a WHEN 1 THEN b; END CASE; END", "CASE WHEN a THEN b", "a THEN b", "ELSE",
                                  "END", "BEGIN IF a THEN b; END; END"])
def test_what_cannot_be_marked_is_said(text):
    with pytest.raises(sql_arms.Unsupported):
        sql_arms.marked("name", text)
