# SPDX-License-Identifier: Apache-2.0
"""What every answer must be like: the rules that all share, and /openapi.json for each endpoint. Also remembers which
endpoints were exercised, so that one without a test fails the suite."""
import functools
import json
import re
from pathlib import Path

import jsonschema

PROBLEM_REQUIRED = {"type": str, "title": str, "status": int, "code": str}
METHODS = {"get", "put", "post", "patch", "delete"}


def no_duplicates(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"the same key twice in one object: {sorted(keys)}"
    return dict(pairs)


def not_a_number(word):
    raise AssertionError(f"{word} is not JSON")


def parse_json(body):
    return json.loads(body.decode("utf-8"), object_pairs_hook=no_duplicates, parse_constant=not_a_number)


def media_type(content_type):
    return (content_type or "").split(";")[0].strip().lower()


class Contract:
    def __init__(self, document):
        self.document = document
        prefix = (document.get("servers") or [{}])[0].get("url", "/").rstrip("/")
        prefix = re.sub(r"^https?://[^/]*", "", prefix)
        self.operations = {}
        self.patterns = []
        for path, item in document["paths"].items():
            template = path if path.startswith(prefix) else prefix + path
            pattern = "".join("[^/]+" if part.startswith("{") else re.escape(part)
                              for part in re.split(r"(\{[^}]+\})", template))
            # Fixed words win over parameters: /imports/latest before /imports/{id}.
            self.patterns.append((template.count("{"), re.compile(pattern + r"\Z"), template))
            for method, operation in item.items():
                if method in METHODS:
                    self.operations[method.upper(), template] = operation
        self.patterns.sort(key=lambda entry: entry[0])
        self.exercised = set()
        jsonschema.Draft202012Validator.check_schema({"$defs": document.get("components", {}).get("schemas", {})})
        self.resolver = jsonschema.RefResolver("", document)

    def template(self, method, path):
        for _, pattern, template in self.patterns:
            if pattern.match(path) and (method, template) in self.operations:
                return template
        return None

    def untested(self):
        """The endpoints no request has succeeded at, as "METHOD path"."""
        return sorted(" ".join(key) for key in set(self.operations) - self.exercised)

    def check(self, method, path, answer):
        """Fails unless the answer is what it has to be. path is without its query."""
        template = self.template(method, path)
        where = f"{method} {path} → {answer.status}"
        if answer.status >= 400:
            check_problem(where, method, answer)
        elif template:
            self.exercised.add((method, template))
        if template:
            self.check_described(where, self.operations[method, template], answer)
        elif path.startswith("/api/") and answer.status < 400 and method in {"GET", "POST", "PUT", "PATCH", "DELETE"}:
            raise AssertionError(f"{where}: an endpoint that /openapi.json does not name")
        if answer.status in (204, 304):
            assert not answer.body, f"{where}: has a body"

    def check_described(self, where, operation, answer):
        if answer.status == 304:
            return
        responses = operation.get("responses", {})
        status = str(answer.status)
        response = responses.get(status) or responses.get(status[0] + "XX") or responses.get("default")
        if response is None:
            assert answer.status >= 400 or answer.status == 304, f"{where}: /openapi.json has no such status"
            return
        response = self.resolve(response)
        content = response.get("content") or {}
        if not content:
            assert not answer.body, f"{where}: /openapi.json promises no body, here is {answer.body[:200]!r}"
            return
        if not answer.body and answer.method == "HEAD":
            return
        media = media_type(answer.headers.get("Content-Type"))
        described = next((content[kind] for kind in (media, media.split("/")[0] + "/*", "*/*") if kind in content), None)
        assert described is not None, f"{where}: is {media}, /openapi.json promises {', '.join(content)}"
        schema = described.get("schema")
        if schema is not None and (media == "application/json" or media.endswith("+json")):
            validator = jsonschema.Draft202012Validator(
                schema, resolver=self.resolver, format_checker=jsonschema.FormatChecker())
            faults = sorted(validator.iter_errors(answer.json), key=lambda fault: list(map(str, fault.path)))
            assert not faults, f"{where}: " + "; ".join(
                f"/{'/'.join(map(str, fault.path))}: {fault.message[:300]}" for fault in faults[:5])

    def resolve(self, thing):
        while "$ref" in thing:
            thing = self.resolver.resolve(thing["$ref"])[1]
        return thing


@functools.cache
def documented_codes():
    """{code: its statuses}, as docs/errors.md tells clients."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
    codes = {}
    for code, statuses in re.findall(r"^\| `(\w+)` \| ([\d, ]+) \|", text, re.MULTILINE):
        codes.setdefault(code, set()).update(map(int, statuses.split(", ")))
    return codes


def check_problem(where, method, answer):
    """RFC 9457 with a stable code, whatever the endpoint."""
    if method == "HEAD":
        return
    media = media_type(answer.headers.get("Content-Type"))
    assert media == "application/problem+json", f"{where}: an error as {media}: {answer.body[:300]!r}"
    problem = answer.json
    assert isinstance(problem, dict), f"{where}: {problem!r}"
    for name, kind in PROBLEM_REQUIRED.items():
        assert isinstance(problem.get(name), kind), f"{where}: {name} is {problem.get(name)!r}"
    assert problem["status"] == answer.status, f"{where}: says status {problem['status']}"
    assert problem["status"] in documented_codes().get(problem["code"], ()), f"{where}: not so in docs/errors.md: {problem!r}"
    for name in ("detail", "field"):
        assert isinstance(problem.get(name, ""), str), f"{where}: {name} is {problem[name]!r}"
    assert problem.get("field", "/").startswith("/"), f"{where}: field {problem['field']!r} is no JSON pointer"
