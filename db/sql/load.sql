-- SPDX-License-Identifier: Apache-2.0
-- What `tantu migrate` loads: adds what is missing, changes nothing that is there.

-- name: load_regions :one start
-- $1: [{code, name, parent, level}]
WITH given AS (
    SELECT * FROM json_to_recordset($1::json) AS g (code text, name text, parent text, level text)
), added AS (
    INSERT INTO region (place, level, parent, code, name)
    SELECT rpad(code, 9, '0')::int, level, rpad(nullif(parent, ''), 9, '0')::int, code, name FROM given
    ON CONFLICT DO NOTHING RETURNING place, code
), labels AS (
    INSERT INTO region_code (code, place) SELECT code, place FROM added ON CONFLICT DO NOTHING
)
SELECT count(*) AS added FROM added;

-- name: load_lineage :one start
-- $1: [{old, now}] of counties; their townships' old codes follow
WITH given AS (
    SELECT g.old, r.place, r.high FROM json_to_recordset($1::json) AS g (old text, now text)
    JOIN region r ON r.place = region_of(g.now)
), added AS (
    INSERT INTO region_code (code, place)
    SELECT CASE WHEN r.level = 'township' THEN g.old || right(r.code, 3) ELSE g.old END, r.place
    FROM given g JOIN region r ON r.place BETWEEN g.place AND g.high
    ON CONFLICT DO NOTHING RETURNING 1
)
SELECT count(*) AS added FROM added;

-- name: load_plans :one start
-- $1: the text of db/data/plans.json
WITH given AS (
    SELECT * FROM json_to_recordset($1::json) AS g (code text, name_zh text, name_ko text, name_en text, region text,
        begins_on date, ends_on date, who_counts text, eligibility text, indicators json)
), added AS (
    INSERT INTO plan (code, name_zh, name_ko, name_en, region, begins_on, ends_on, who_counts, eligibility)
    SELECT code, name_zh, name_ko, name_en, region_of(region), begins_on, ends_on, who_counts, eligibility FROM given
    ON CONFLICT DO NOTHING RETURNING id, code
), measured AS (
    INSERT INTO indicator (plan_id, code, name_zh, name_ko, name_en, unit, target, direction, per, binding,
        baseline, baseline_period)
    SELECT added.id, i.code, i.name_zh, i.name_ko, i.name_en, i.unit, i.target, i.direction, i.per, i.binding,
        i.baseline, i.baseline_period
    FROM given JOIN added USING (code)
    CROSS JOIN LATERAL json_to_recordset(given.indicators) AS i (code text, name_zh text, name_ko text, name_en text,
        unit text, target numeric, direction text, per text, binding boolean, baseline numeric, baseline_period text)
)
SELECT count(*) AS added FROM added;

-- name: load_catalogue :one start
-- $1: the text of db/data/catalogue.json. What an administrator has made of an entry stays as it is.
WITH measures AS (
    SELECT * FROM json_to_recordset($1::json->'measures') AS g (code text, kind text, name_zh text, name_ko text, name_en text,
        unit text, rooms json, needs json)
), measured AS (
    INSERT INTO measure (code, kind, name_zh, name_ko, name_en, unit, rooms)
    SELECT code, kind, name_zh, name_ko, name_en, unit, texts_of(rooms) FROM measures
    ON CONFLICT DO NOTHING RETURNING code
), meant AS (
    INSERT INTO measure_need (kind, item, measure)
    SELECT g.kind, w.item, g.code FROM measures g JOIN measured USING (code) CROSS JOIN unnest(texts_of(g.needs)) AS w (item)
    ON CONFLICT DO NOTHING
), problems AS (
    SELECT * FROM json_to_recordset($1::json->'problems') AS g (code text, name_zh text, name_ko text, name_en text, rooms json, measures json)
), posed AS (
    INSERT INTO problem (code, name_zh, name_ko, name_en, rooms)
    SELECT code, name_zh, name_ko, name_en, texts_of(rooms) FROM problems
    ON CONFLICT DO NOTHING RETURNING code
), answered AS (
    INSERT INTO problem_measure (problem, measure, position)
    SELECT g.code, a.measure, a.position FROM problems g JOIN posed USING (code)
    CROSS JOIN unnest(texts_of(g.measures)) WITH ORDINALITY AS a (measure, position)
)
SELECT (SELECT count(*) FROM measured) + (SELECT count(*) FROM posed) AS added;

-- name: load_administrator :one start
-- $1 name, $2 password hash; only while there is no account at all; another `tantu migrate` may be doing the same
WITH added AS (
    INSERT INTO account (name, password_hash, role)
    SELECT $1::text, $2::text, 'admin' WHERE NOT EXISTS (SELECT FROM account) ON CONFLICT DO NOTHING RETURNING 1
)
SELECT count(*) AS added FROM added;

-- name: load_administrator_wanted :one start
SELECT NOT EXISTS (SELECT FROM account) AS wanted;
