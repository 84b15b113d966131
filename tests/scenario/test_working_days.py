# SPDX-License-Identifier: Apache-2.0
"""China's days off and the days worked instead: the data as published, what the database counts from it, and how an administrator
enters another year."""
import json
import threading
from datetime import date, datetime, timedelta, timezone

import pytest
from processes import ROOT

DAY = timedelta(days=1)
CHINA = timezone(timedelta(hours=8))
PUBLISHED = json.loads((ROOT / "db" / "data" / "holidays.json").read_text(encoding="utf-8"))
# Days off and days worked instead as the notices have them, and the statutory days of the year, of which each that falls on a weekend
# is given on a weekday (全国年节及纪念日放假办法: 11 days, since 2025 13).
COUNTS = {2021: (31, 7, 11), 2022: (31, 7, 11), 2023: (27, 7, 11), 2024: (28, 8, 11), 2025: (28, 5, 13), 2026: (33, 6, 13)}


def days_of(year):
    """({day off}, {day worked})"""
    rest = set()
    for period in year["rest"]:
        day, last = date.fromisoformat(period["first"]), date.fromisoformat(period["last"])
        while day <= last:
            assert day not in rest
            rest.add(day)
            day += DAY
    return rest, {date.fromisoformat(one["day"]) for one in year["work"]}


OFF = set().union(*(days_of(year)[0] for year in PUBLISHED))
WORKED = set().union(*(days_of(year)[1] for year in PUBLISHED))


def works(day):
    return day in WORKED or (day.weekday() < 5 and day not in OFF)


@pytest.mark.parametrize("year", PUBLISHED, ids=lambda year: str(year["year"]))
def test_a_published_year_adds_up(year):
    rest, worked = days_of(year)
    assert (len(rest), len(worked)) == COUNTS[year["year"]][:2]
    assert all(day.weekday() >= 5 for day in worked) and not rest & worked
    assert sum(day.weekday() < 5 for day in rest) - len(worked) == COUNTS[year["year"]][2]
    assert year["notice"].startswith(f"国办发明电〔{year['year'] - 1}〕") and len(year["rest"]) in (6, 7)
    assert {day.year for day in worked} == {year["year"]}


def test_every_year_of_the_plans_is_there():
    assert [year["year"] for year in PUBLISHED] == sorted(COUNTS)


# --- what the database counts ---


def test_the_calendar_is_the_published_one(database):
    rows = database.sql("SELECT day, is_working_day(day), number FROM calendar WHERE day BETWEEN '2020-12-01' AND '2027-02-01' ORDER BY day")
    assert len(rows) == (date(2027, 2, 1) - date(2020, 12, 1)).days + 1
    assert [day for day, said, _ in rows if said != works(day)] == []
    for (_, _, before), (day, _, number) in zip(rows, rows[1:]):
        assert number - before == works(day)
    assert database.sql("SELECT count(*), min(day)::text, max(day)::text FROM calendar") == [(18263, "2000-01-01", "2049-12-31")]


def test_days_are_added_and_counted_as_one_would_on_a_wall_calendar(database):
    """Against a walk from day to day, from every third day of two years with all kinds of holidays."""
    starts = [date(2023, 9, 1) + 3 * DAY * number for number in range(240)]
    counts = (1, 2, 5, 7, 15, 43)
    for n in counts:
        found = dict(database.sql("SELECT d, working_days_add(d, %s) FROM unnest(%s::date[]) AS d", n, starts))
        for start in starts:
            day, left = start, n
            while left:
                day += DAY
                left -= works(day)
            assert found[start] == day, (start, n)
        between = dict(database.sql("SELECT d, working_days_between(d, working_days_add(d, %s)) FROM unnest(%s::date[]) AS d", n, starts))
        assert set(between.values()) == {n}
    assert database.sql("SELECT working_days_add('2024-02-10', 0)::text, working_days_between('2024-02-09', '2024-02-18'), "
                        "working_days_between('2024-02-18', '2024-02-09'), working_days_between('1990-01-01', '2000-01-01'), "
                        "working_days_between('2049-12-31', '2070-01-01')") == [("2024-02-10", 1, -1, 0, 0)]


def test_what_is_aged_is_a_range(database):
    """stage_at < aged_before(today, n) says the same as counting the days of each."""
    wrong = database.sql("""
        SELECT t, n, d FROM unnest(ARRAY['2024-02-10', '2024-02-18', '2024-02-19', '2024-05-11', '2026-10-08', '2026-11-22']::date[]) AS t,
            unnest(ARRAY[0, 1, 5, 20, 43]) AS n, generate_series(t - 90, t, interval '1 day') AS d, unnest(ARRAY[0, 1439]) AS minute
        WHERE ((d::timestamp + make_interval(mins => minute)) AT TIME ZONE 'Asia/Shanghai' < aged_before(t, n))
            <> (working_days_between(d::date, t) > n)""")
    assert wrong == []


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=CHINA)


@pytest.mark.parametrize("start, hours, end", [
    ("2026-11-23 10:00", 48, "2026-11-25 10:00"),   # Monday
    ("2026-11-27 16:30", 24, "2026-11-30 16:30"),   # over a weekend
    ("2026-11-28 16:30", 8, "2026-11-30 08:00"),    # given on a Saturday: from Monday's beginning
    ("2024-02-09 12:00", 48, "2024-02-19 12:00"),   # the Spring Festival between, and a Sunday worked
    ("2024-02-04 00:00", 1, "2024-02-04 01:00"),    # that Sunday
    ("2026-09-30 23:59", 1, "2026-10-08 00:59")])
def test_hours_stand_still_on_days_off(database, start, hours, end):
    assert database.sql("SELECT working_hours_add(%s, %s)", at(start), hours)[0][0] == at(end)


# --- entered by an administrator ---


@pytest.fixture
def quiet_year(admin):
    """2048, of which nobody knows; it is as it was afterwards."""
    yield admin
    for row in admin.get("/holidays", query={"year": 2048}).items:
        admin.delete(f"/holidays/{row['day']}")


def test_a_year_is_entered_day_by_day(quiet_year, database):
    admin = quiet_year
    made = admin.put("/holidays/2048-01-01", {"works": False, "name": "元旦", "source": "国办发明电〔2030〕1号"})
    assert (made["day"], made["works"], made["version"]) == ("2048-01-01", False, 1)
    admin.put("/holidays/2048-01-05", {"works": True, "name": "元旦"})  # a Sunday
    assert database.sql("SELECT is_working_day('2048-01-01'), is_working_day('2048-01-05'), working_days_between('2047-12-31', '2048-01-31')") == \
        [(False, True, 23)]
    changed = admin.put("/holidays/2048-01-05", {"works": False, "name": "元旦"}, match='"1"')
    assert changed["version"] == 2 and database.sql("SELECT is_working_day('2048-01-05')") == [(False,)]
    assert admin.put("/holidays/2048-01-05", {"works": True, "name": "x"}, match='"1"', expect=412)["current"]["version"] == 2
    admin.put("/holidays/2048-01-06", {"works": True, "name": "x"}, match='"1"', expect=412)
    assert [row["day"] for row in admin.pages("/holidays", year=2048, limit=1)] == ["2048-01-01", "2048-01-05"]
    admin.delete("/holidays/2048-01-01", match='"7"', expect=412)
    assert admin.delete("/holidays/2048-01-01")["name"] == "元旦"
    admin.delete("/holidays/2048-01-01", expect=404)
    assert database.sql("SELECT is_working_day('2048-01-01')") == [(True,)]


@pytest.mark.parametrize("day", ["2047-02-29", "2048-13-01", "1999-12-31", "2050-01-01", "tomorrow", "2048-1-1", "2000-00-00"])
def test_a_day_that_is_none(admin, day):
    admin.put(f"/holidays/{day}", {"works": False, "name": "x"}, expect=404)
    admin.delete(f"/holidays/{day}", expect=404)


def test_others_read_only(people):
    manager = people.manager("640324")
    assert len(manager.get("/holidays", query={"year": 2026, "limit": 200}).items) == 39
    manager.put("/holidays/2048-01-01", {"works": False, "name": "x"}, expect=403)
    manager.delete("/holidays/2026-01-01", expect=403)


def test_two_who_enter_days_at_once_are_both_counted(quiet_year, database):
    admins = [quiet_year.clone() for _ in range(3)]

    def enter(admin, first):
        for number in range(5):
            admin.put(f"/holidays/2048-03-{first + number:02}", {"works": False, "name": "试验"})
        admin.close()

    threads = [threading.Thread(target=enter, args=(admin, 2 + 7 * turn)) for turn, admin in enumerate(admins)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert database.sql("SELECT working_days_between('2048-03-01', '2048-03-22')") == [(0,)]  # three weeks from Monday to Friday
    assert database.sql("""SELECT count(*) FROM calendar c JOIN (SELECT d.day, sum(coalesce(h.works, extract(isodow FROM d.day) < 6)::int)
        OVER (ORDER BY d.day) AS number FROM calendar d LEFT JOIN holiday h ON h.day = d.day) AS n ON n.day = c.day AND n.number <> c.number""") == [(0,)]


def test_migrate_leaves_a_year_alone_that_is_there(admin, database):
    kept = admin.delete("/holidays/2021-02-07")
    try:
        database.run("migrate")
        assert admin.get("/holidays", query={"year": 2021, "limit": 1}).items[0]["day"] == "2021-01-01"
        assert database.sql("SELECT is_working_day('2021-02-07')") == [(False,)]
    finally:
        admin.put("/holidays/2021-02-07", {name: kept[name] for name in ("works", "name", "source")})
    assert database.sql("SELECT is_working_day('2021-02-07')") == [(True,)]
