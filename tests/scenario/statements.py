# SPDX-License-Identifier: Apache-2.0
"""The statements of db/sql as the program sees them: the same reading of the files as db/embed.c."""
import re

from processes import ROOT

HEADING = re.compile(r"^-- name: (\S+) (:one|:many|:write)((?: \S+)*)$", re.MULTILINE)
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
        self.lane = next((word for word in words if word != "public"), "write" if shape == ":write" else "read")
        self.text = text.rstrip().rstrip(";").rstrip() + (write_tail() if shape == ":write" else "")
        self.parameters = max(map(int, re.findall(r"\$(\d+)", re.sub("--.*", "", self.text))), default=0)


def statements():
    """{name: Statement} of every file."""
    found = {}
    for file in sorted((ROOT / "db" / "sql").glob("*.sql")):
        text = file.read_text(encoding="utf-8")
        headings = list(HEADING.finditer(text))
        assert len(headings) == text.count("-- name: "), f"{file.name}: a heading that this test cannot read"
        for heading, following in zip(headings, [*headings[1:], None]):
            body = text[heading.end():following.start() if following else len(text)]
            found[heading[1]] = Statement(heading[1], heading[2], heading[3].split(), body)
    return found
