# SPDX-License-Identifier: Apache-2.0
"""The statements of db/sql as the program sees them: the same reading of the files as db/embed.c."""
import functools
import re

from processes import ROOT

LANES = ("read", "write", "queue", "work", "start")
HEADING = re.compile(r"^-- name: (\S+) (:one|:many|:write)((?: \S+)*)")
TAIL = re.compile(r"#define WRITE_TAIL\s*\\\n(.*?)\n\nenum", re.DOTALL)


def write_tail():
    """What db/embed.c appends to a :write statement."""
    quoted = re.findall(r'"((?:[^"\\]|\\.)*)"', TAIL.search((ROOT / "db" / "embed.c").read_text(encoding="utf-8"))[1])
    return "".join(quoted).replace("\\n", "\n").replace('\\"', '"')


class Statement:
    def __init__(self, name, shape, words, text):
        self.name = name
        self.shape = shape
        self.public = "public" in words
        self.may_be_stale = "stale" in words
        self.lane = next((word for word in words if word in LANES), "write" if shape == ":write" else "read")
        self.text = text + (write_tail() if shape == ":write" and "keeps" not in words else "")
        self.parameters = max(map(int, re.findall(r"\$(\d+)", re.sub("--.*", "", self.text))), default=0)


def expand(text, parts):
    """Puts the parts of the file where they are named."""
    while "{{" in text:
        text = re.sub(r"\{\{(\w+)\}\}", lambda named: parts[named[1]], text)
    return text


@functools.cache
def statements():
    """{name: Statement} of every file."""
    found = {}
    for file in sorted((ROOT / "db" / "sql").glob("*.sql")):
        parts = {}
        for chunk in re.split(r"^(?=-- (?:name|part): )", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            heading, _, body = chunk.partition("\n")
            body = expand(body.rstrip().rstrip(";").rstrip(), parts)
            if heading.startswith("-- part: "):
                parts[heading.split()[2]] = body
                continue
            parsed = HEADING.fullmatch(heading)
            assert parsed, f"{file.name}: {heading}: a heading that this test cannot read"
            found[parsed[1]] = Statement(parsed[1], parsed[2], parsed[3].split(), body)
    return found
