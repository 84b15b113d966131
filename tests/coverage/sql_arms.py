# SPDX-License-Identifier: Apache-2.0
"""Puts a mark into every arm of SQL and PL/pgSQL, so that a test run shows which of them were ever taken.

An arm is what a WHEN … THEN, an ELSE or a missing ELSE of CASE leads to, and the same of IF; the body of a loop; an
exception handler. A mark is a call of coverage.arm(number), always true, which says its number in PostgreSQL's log (see
MARKS): neither a rollback nor a read-only transaction takes that back. What the code answers stays the same:

    CASE WHEN a THEN x END        CASE WHEN (a) IS TRUE AND coverage.arm(1) THEN x WHEN NOT coverage.arm(2) THEN NULL END
    CASE v WHEN a THEN x ELSE y   CASE WHEN ((v) = (a)) IS TRUE AND coverage.arm(1) THEN x WHEN NOT coverage.arm(2) THEN NULL ELSE y
    IF a THEN s; END IF           IF a THEN PERFORM coverage.arm(1); s; ELSE PERFORM coverage.arm(2); END IF

As a program it marks a file of statements for the build: sql_arms.py FROM TO LIST; LIST gets "number<TAB>where" lines."""
import re
import sys
import zlib
from pathlib import Path

MARKS = """
CREATE SCHEMA coverage;
GRANT USAGE ON SCHEMA coverage TO PUBLIC;
CREATE FUNCTION coverage.arm(number int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF current_setting('coverage.arm' || number, true) IS NULL THEN -- once a session is enough
        PERFORM set_config('coverage.arm' || number, '1', false);
        RAISE LOG 'coverage arm %', number;
    END IF;
    RETURN true;
END $$;
"""
TOKEN = re.compile(r"""
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
  | (?P<text>[eE]?'(?:[^'\\]|''|\\.)*'|"(?:[^"]|"")*"|\$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$)
  | (?P<word>[A-Za-z_][A-Za-z_0-9]*)
  | (?P<other>.)
""", re.VERBOSE | re.DOTALL)


class Unsupported(Exception):
    """Something whose arms this cannot mark; better said than passed over."""


class Frame:
    def __init__(self, kind, start=0):
        self.kind = kind
        self.start = start     # CASE: where its tokens begin, in the output
        self.subject = None    # CASE v: the text of v
        self.condition = None  # where the text of a WHEN's condition begins
        self.has_else = False


class Marker:
    """Marks one text. `name` and the arm's place in it make its number, so the same code has the same numbers everywhere."""

    def __init__(self, name, text):
        self.name = name
        self.tokens = [match for match in TOKEN.finditer(text)]
        self.out = []
        self.arms = {}
        self.frames = []

    def mark(self, token, what):
        number = zlib.crc32(f"{self.name}/{len(self.arms)}".encode()) & 0x7FFFFFFF
        line = token.string.count("\n", 0, token.start()) + 1
        self.arms[number] = f"{self.name}:{line}: {what}"
        return f"coverage.arm({number})"

    def top(self, *kinds):
        return self.frames[-1] if self.frames and self.frames[-1].kind in kinds else None

    def next_word(self, index):
        for token in self.tokens[index + 1:]:
            if token.lastgroup != "space":
                return token.group().upper()
        return ""

    def at_statement(self):
        """Whether a statement of PL/pgSQL may begin here."""
        before = [text for text in self.out if text.strip() and not text.strip().startswith("--")]
        return bool(before) and (before[-1].rstrip().endswith(";") or before[-1].upper() in ("BEGIN", "LOOP"))

    def run(self):
        skip = False
        for index, token in enumerate(self.tokens):
            if skip and token.lastgroup == "word":
                skip = False
                self.out.append(token.group())
                continue
            word = token.group().upper() if token.lastgroup == "word" else ""
            handler = getattr(self, "on_" + word.lower(), None)
            if word and handler:
                skip = handler(token, index) or False
            else:
                self.out.append(token.group())
        if self.frames:
            raise Unsupported(f"{self.name}: {self.frames[-1].kind} without its end")
        return "".join(self.out)

    # --- CASE: each of its words closes what came before ---

    def on_case(self, token, index):
        if self.at_statement():
            raise Unsupported(f"{self.name}: a CASE statement")
        self.frames.append(Frame("CASE", len(self.out)))
        self.out.append(token.group())

    def on_when(self, token, index):
        frame = self.top("CASE")
        if frame:
            if frame.subject is None:
                frame.subject = "".join(self.out[frame.start + 1:]).strip()
                del self.out[frame.start + 1:]
                self.out.append(" ")
            self.out += [token.group(), ""]
            frame.condition = len(self.out)
        else:
            self.out.append(token.group())

    def on_then(self, token, index):
        frame = self.top("CASE")
        if frame:
            condition = "".join(self.out[frame.condition:]).strip()
            del self.out[frame.condition:]
            arm = self.mark(token, f"WHEN {' '.join(condition.split())}")
            if frame.subject:
                condition = f"({frame.subject}) = ({condition})"
            self.out.append(f" ({condition}) IS TRUE AND {arm} ")
            self.out.append(token.group())
            return
        if not self.top("IF", "BEGIN"):
            raise Unsupported(f"{self.name}: a THEN of nothing")
        self.out.append(token.group())
        self.out.append(f" PERFORM {self.mark(token, self.top('IF', 'BEGIN').kind + ' … THEN')};")

    def on_else(self, token, index):
        frame = self.top("CASE", "IF")
        if not frame:
            raise Unsupported(f"{self.name}: an ELSE of nothing")
        frame.has_else = True
        arm = self.mark(token, f"ELSE of {frame.kind}")
        if frame.kind == "CASE":
            self.out.append(f"WHEN NOT {arm} THEN NULL {token.group()}")
        else:
            self.out.append(f"{token.group()} PERFORM {arm};")

    def on_end(self, token, index):
        following = self.next_word(index)
        frame = self.frames.pop() if self.frames else None
        if not frame or (frame.kind in ("IF", "LOOP")) != (following == frame.kind) or following == "CASE":
            raise Unsupported(f"{self.name}: an END that does not fit")
        if frame.kind in ("CASE", "IF") and not frame.has_else:
            arm = self.mark(token, f"no arm of {frame.kind}")
            self.out.append(f"WHEN NOT {arm} THEN NULL " if frame.kind == "CASE" else f"ELSE PERFORM {arm}; ")
        self.out.append(token.group())
        return frame.kind in ("IF", "LOOP")  # END IF: the IF opens nothing

    # --- what else PL/pgSQL nests ---

    def on_if(self, token, index):
        if self.at_statement():
            self.frames.append(Frame("IF"))
        self.out.append(token.group())

    def on_begin(self, token, index):
        self.frames.append(Frame("BEGIN"))
        self.out.append(token.group())

    def on_loop(self, token, index):
        self.frames.append(Frame("LOOP"))
        self.out.append(f"{token.group()} PERFORM {self.mark(token, 'LOOP')};")


def marked(name, text):
    """(the text with its marks, {number: where})"""
    marker = Marker(name, text)
    return marker.run(), marker.arms


def main():
    source, target, listing = map(Path, sys.argv[1:])
    text, arms = marked(source.name, source.read_text(encoding="utf-8"))
    target.write_text(text, encoding="utf-8")
    listing.write_text("".join(f"{number}\t{where}\n" for number, where in arms.items()), encoding="utf-8")


if __name__ == "__main__":
    main()
