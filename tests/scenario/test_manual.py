# SPDX-License-Identifier: Apache-2.0
"""What the program says about itself: manual pages, completion, the list of errors. Each must name all there is."""
import re
import subprocess

import pytest
from contract import documented_codes
from processes import ROOT
from test_commands import commands, refused, tantu


def manual(page):
    done = tantu("manual", page)
    assert done.returncode == 0 and not done.stderr
    return done.stdout


@pytest.mark.parametrize("page", ["tantu.1", "tantu.conf.5"])
def test_a_manual_page_is_sound(page):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], input=manual(page), text=True, stdout=subprocess.PIPE, check=False)
    assert [line for line in done.stdout.splitlines() if "missing date" not in line] == []


def as_text(page):
    done = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=1000"], input=manual(page), text=True, stdout=subprocess.PIPE, check=True)
    return re.sub(".\b", "", done.stdout)


def settings():
    return [line.split(" = ")[0] for line in tantu("config", "show").stdout.splitlines()]


def test_the_manual_has_every_command_with_its_options():
    text = as_text("tantu.1")
    for name in commands():
        part = text.split(f"\n   tantu {name}\n")[1].split("\n   tantu ")[0]
        for option, _, says in re.findall(r"^  (--[a-z-]+)( \S+)?\s{2,}(\S.*)$", tantu(*name.split(), "--help").stdout, re.MULTILINE):
            assert option in ("--help", "--config") or f"\n       {option}" in part and says.split("  ")[0][:20] in part, (name, option)


def test_the_manual_has_every_setting():
    text = as_text("tantu.conf.5")
    assert len(settings()) > 10
    for name in settings():
        assert re.search(rf"^       {name} = ", text, re.MULTILINE) and f"TANTU_{name.upper()}" in text, name


# --- completion ---


def completed(*words):
    """What Tab would offer for the last word."""
    script = manual("bash") + '\nCOMP_WORDS=("$@") COMP_CWORD=$(($# - 1))\n_tantu\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", "tantu", *words], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          cwd=ROOT, check=True)
    assert not done.stderr, done.stderr
    return [word for word in done.stdout.splitlines() if word]


@pytest.mark.parametrize("words, offered", [
    (["mig"], ["migrate"]), (["co"], ["config"]), (["config", ""], ["check", "example", "show"]), (["user", "cr"], ["create"]),
    (["verify", ""], ["devices", "ledger", "photos", "samples", "totals"]), (["serve", "--l"], ["--listen"]), (["user", "create", "--re"], ["--region"]),
    (["import", "--mode", "dr"], ["dry_run"]), (["user", "create", "x", "--role", "ma"], ["manager"]), (["import", "READ"], ["README.md"]),
    (["serve", "--li", "x"], []), (["nonsense", "--l"], []), (["user", "create", "--password-file", "READ"], ["README.md"])])
def test_completion_offers_what_fits(words, offered):
    found = completed(*words)
    assert found == offered if words[-1] else sorted(word for word in found if not word.startswith("-")) == offered


def test_completion_knows_every_command():
    assert {name.split()[0] for name in commands()} | {"--help", "--version"} == set(completed(""))
    for name in commands():
        options = set(re.findall(r"^  (--[a-z-]+)", tantu(*name.split(), "--help").stdout, re.MULTILINE))
        assert set(completed(*name.split(), "--")) >= options, name


def test_a_page_that_is_none_is_refused():
    refused(tantu("manual", "tantu.7"), "no such page")
    refused(tantu("manual"), "PAGE: missing")


# --- errors ---


def test_the_list_of_errors_is_current():
    """If this fails: build/dev/tantu manual errors.md >docs/errors.md"""
    assert (ROOT / "docs" / "errors.md").read_text(encoding="utf-8") == manual("errors.md")


def codes_in_the_source():
    """(code, status or nothing, where) of every refusal that the program can make."""
    for file in sorted((ROOT / "api").glob("*.c")):
        text = file.read_text(encoding="utf-8")
        for status, code in re.findall(r'\bproblem(?:_begin)?\(\s*\w+,\s*(\d{3}),\s*"(\w+)"', text):
            yield code, int(status), file.name
        for code in re.findall(r'\b(?:wrong|refuse\w*)\(\s*r,\s*"(\w+)"', text):
            yield code, None, file.name
        for status, code in re.findall(r'\\"status\\":(\d{3}),\\"code\\":\\"(\w+)\\"', text):
            yield code, int(status), file.name
    table = (ROOT / "api" / "problem.c").read_text(encoding="utf-8").split("} errors[] = {")[1]
    for status, code in re.findall(r'\{ "\w+", (\d{3}), "(\w+)" \}', table):
        yield code, int(status), "problem.c: errors"
    table = (ROOT / "service" / "http_refusal.c").read_text(encoding="utf-8")
    for status, code in re.findall(r'\] = \{ ([345]\d\d), "(\w+)" \}', table):
        yield code, int(status), "http_refusal.c"
    for file in sorted((ROOT / "service" / "needs").glob("*.c")):
        text = file.read_text(encoding="utf-8")
        for code in re.findall(r'(?:needs_problem_file|needs_problem_set|refuse)\(\s*[^,"]+,\s*"(\w+)"', text) + \
                re.findall(r'raw_row_refuse\(\s*[^,]+,\s*[^,]+,\s*"(\w+)"', text):
            yield code, 503 if code == "try_again" else 422, file.name  # as refuse_file in imports.c


def test_every_code_is_documented_with_its_status():
    documented, used = documented_codes(), list(codes_in_the_source())
    assert len({code for code, _, _ in used}) > 90
    for code, status, where in used:
        assert code in documented and (status is None or status in documented[code]), (code, status, where)
    verdicts = re.findall(r'^\t\{ "([a-z]\w+)", (\d{3}),', "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "api").glob("*.c")),
                          re.MULTILINE)
    assert len(verdicts) > 30 and all(int(status) in documented[code] for code, status in verdicts)


def test_nothing_is_documented_that_is_not_there():
    source = "\n".join(file.read_text(encoding="utf-8") for folder in ("api", "service", "service/needs") for file in (ROOT / folder).glob("*.c")
                       if file.name != "problem_codes.c")
    assert [code for code in documented_codes() if f'"{code}"' not in source and f'\\"{code}\\"' not in source] == []
