# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin for scenarios under scripts/coverage: every database they migrate gets marks (sql_arms.py) in the arms
of the functions and views named here, and what the marks said is taken from PostgreSQL's log before it goes.

COVERAGE_SQL names a folder: arms-*.tsv get "number<TAB>where" of what was marked, hits.txt the numbers that were reached."""
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scenario")]

import processes  # noqa: E402
import sql_arms  # noqa: E402

FOLDER = Path(os.environ["COVERAGE_SQL"])
# Transitions, their gates, totals, and who sees what; by name, so that a new migration is measured as it comes.
FUNCTIONS = r"^(case|cases|gate|transition|total|totals|scope|assessor)_"
VIEWS = r"(_effect$|^case|^total)"


def mark_functions(database):
    rows = database.sql("""
        SELECT p.proname, p.prosrc, pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace = 'public'::regnamespace AND l.lanname IN ('sql', 'plpgsql') AND p.proname ~ %s
        ORDER BY p.oid""", FUNCTIONS)
    assert rows, "no function is named as they were"
    for name, body, definition in rows:
        text, arms = sql_arms.marked(f"function {name}", body)
        assert definition.count(body) == 1, f"{name}: its body is not in its definition"
        if arms:
            database.sql(definition.replace(body, text).replace("%", "%%"), ())
        yield from arms.items()


def mark_views(database):
    rows = database.sql("""
        SELECT c.relname, pg_get_viewdef(c.oid), array_to_string(c.reloptions, ', ') FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v' AND c.relname ~ %s ORDER BY c.oid""", VIEWS)
    for name, body, options in rows:
        text, arms = sql_arms.marked(f"view {name}", body)
        if arms:
            create = f"CREATE OR REPLACE VIEW {name} {f'WITH ({options})' if options else ''} AS {text}"
            database.sql(create.replace("%", "%%"), ())
        yield from arms.items()


def marked_migrate(migrate):
    def wrapped(database, **how):
        migrate(database, **how)
        if not database.sql("SELECT FROM pg_namespace WHERE nspname = 'coverage'"):
            database.sql(sql_arms.MARKS)
            arms = [*mark_functions(database), *mark_views(database)]
            (FOLDER / "arms-database.tsv").write_text("".join(f"{number}\t{where}\n" for number, where in arms))
        return database
    return wrapped


def collecting(destroy):
    def wrapped(cluster):
        with open(FOLDER / "hits.txt", "a", encoding="utf-8") as hits:
            for log in cluster.folder.glob("log*"):
                text = log.read_text(encoding="utf-8", errors="replace")
                hits.writelines(f"{number}\n" for number in re.findall(r"coverage arm (\d+)", text))
        destroy(cluster)
    return wrapped


processes.Database.migrate = marked_migrate(processes.Database.migrate)
processes.Cluster.destroy = collecting(processes.Cluster.destroy)
