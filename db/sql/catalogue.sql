-- SPDX-License-Identifier: Apache-2.0
-- The catalogue: rooms, problems of a home, and measures against them. A code stays; what is out of use is retired.

-- part: measure_columns
m.code, m.kind, m.name_zh, m.name_ko, m.name_en, m.unit, m.price, m.ceiling, m.rooms,
       ARRAY(SELECT w.item FROM measure_need w WHERE w.measure = m.code ORDER BY w.item) AS need_items,
       m.retired_at, m.version

-- part: need_items
ARRAY(SELECT w.item FROM measure_need w WHERE w.measure = m.code ORDER BY w.item)

-- part: problem_columns
p.code, p.name_zh, p.name_ko, p.name_en, p.rooms,
       ARRAY(SELECT a.measure FROM problem_measure a WHERE a.problem = p.code ORDER BY a.position, a.measure) AS measures, p.retired_at, p.version

-- part: answers
ARRAY(SELECT a.measure FROM problem_measure a WHERE a.problem = p.code ORDER BY a.position, a.measure)

-- name: rooms_list :many stale
SELECT r.code, r.name_zh, r.name_ko, r.name_en FROM room r ORDER BY r.position;

-- name: measures_list :many stale
-- $1 kind, $2 room, $3 problem, $4 whether retired ones too, $5 after, $6 limit
SELECT {{measure_columns}}
FROM measure m
WHERE m.code > coalesce($5::text, '') AND ($1::text IS NULL OR m.kind = $1::text)
  AND ($2::text IS NULL OR m.rooms = '{}' OR $2::text = ANY (m.rooms))
  AND ($3::text IS NULL OR EXISTS (SELECT FROM problem_measure a WHERE a.problem = $3::text AND a.measure = m.code))
  AND (coalesce($4::boolean, false) OR m.retired_at IS NULL)
ORDER BY m.code LIMIT $6::int;

-- name: measure_get :one stale
SELECT {{measure_columns}}
FROM measure m WHERE m.code = $1::text;

-- name: measure_create :write
-- $3 code, $4 kind, $5-$7 names, $8 unit, $9 price, $10 ceiling, $11 rooms, $12 need items (both JSON lists)
WITH judged AS (
    SELECT CASE
        WHEN $3::text !~ '^[a-z][a-z0-9_]{1,47}$' THEN 'code_invalid'
        WHEN EXISTS (SELECT FROM measure WHERE code = $3::text) THEN 'measure_taken'
        WHEN EXISTS (SELECT FROM measure_need WHERE kind = $4::text AND item = ANY (texts_of($12::json))) THEN 'need_item_taken' END AS verdict
), made AS (
    INSERT INTO measure (code, kind, name_zh, name_ko, name_en, unit, price, ceiling, rooms)
    SELECT $3::text, $4::text, $5::text, coalesce($6::text, $5::text), coalesce($7::text, $5::text), $8::text, $9::bigint,
           $10::bigint, coalesce(texts_of($11::json), '{}')
    FROM judged WHERE verdict IS NULL RETURNING *
), meant AS (
    INSERT INTO measure_need (kind, item, measure)
    SELECT m.kind, w.item, m.code FROM made m, unnest(texts_of($12::json)) AS w (item) RETURNING item
), answer AS (
    SELECT j.verdict AS _verdict, m.code, m.kind, m.name_zh, m.name_ko, m.name_en, m.unit, m.price, m.ceiling, m.rooms,
           ARRAY(SELECT w.item FROM meant w ORDER BY w.item) AS need_items, m.retired_at, m.version
    FROM judged j LEFT JOIN made m ON true
)

-- name: measure_change :write
-- $3 code, $4 if-match, $5-$7 names, $8 unit, $9 price, $10 ceiling, $11 rooms, $12 need items, $13 retired, $14 what to have none of
WITH found AS (
    SELECT * FROM measure WHERE code = $3::text FOR UPDATE
), given AS (
    SELECT texts_of($12::json) AS items, coalesce(texts_of($14::json), '{}') AS clear
), judged AS (
    SELECT CASE
        WHEN f.code IS NULL THEN 'not_found'
        WHEN $4::int <> f.version THEN 'stale'
        WHEN EXISTS (SELECT FROM measure_need w WHERE w.kind = f.kind AND w.item = ANY (g.items) AND w.measure <> f.code)
            THEN 'need_item_taken' END AS verdict
    FROM given g LEFT JOIN found f ON true
), changed AS (
    UPDATE measure m SET version = m.version + 1, name_zh = coalesce($5::text, m.name_zh), name_ko = coalesce($6::text, m.name_ko),
        name_en = coalesce($7::text, m.name_en), unit = coalesce($8::text, m.unit),
        price = CASE WHEN NOT 'price' = ANY (g.clear) THEN coalesce($9::bigint, m.price) END,
        ceiling = CASE WHEN NOT 'ceiling' = ANY (g.clear) THEN coalesce($10::bigint, m.ceiling) END,
        rooms = coalesce(texts_of($11::json), m.rooms),
        retired_at = CASE WHEN $13::boolean THEN coalesce(m.retired_at, now()) WHEN $13::boolean IS NULL THEN m.retired_at END
    FROM judged j CROSS JOIN given g WHERE j.verdict IS NULL AND m.code = $3::text RETURNING m.*
), unmeant AS (
    DELETE FROM measure_need w USING changed c, given g WHERE w.measure = c.code AND w.item <> ALL (g.items)
), meant AS (
    INSERT INTO measure_need (kind, item, measure)
    SELECT c.kind, w.item, c.code FROM changed c, given g, unnest(g.items) AS w (item)
    WHERE NOT EXISTS (SELECT FROM measure_need h WHERE h.measure = c.code AND h.item = w.item)
), shown AS (
    SELECT * FROM changed UNION ALL SELECT * FROM found WHERE NOT EXISTS (SELECT FROM changed)
), answer AS (
    SELECT j.verdict AS _verdict, m.code, m.kind, m.name_zh, m.name_ko, m.name_en, m.unit, m.price, m.ceiling, m.rooms,
           CASE WHEN j.verdict IS NULL AND g.items IS NOT NULL THEN ARRAY(SELECT w FROM unnest(g.items) AS w ORDER BY w)
                ELSE {{need_items}} END AS need_items, m.retired_at, m.version
    FROM given g CROSS JOIN judged j LEFT JOIN shown m ON true
)

-- name: problems_list :many stale
-- $1 room, $2 whether retired ones too, $3 after, $4 limit
SELECT {{problem_columns}}
FROM problem p
WHERE p.code > coalesce($3::text, '') AND ($1::text IS NULL OR p.rooms = '{}' OR $1::text = ANY (p.rooms))
  AND (coalesce($2::boolean, false) OR p.retired_at IS NULL)
ORDER BY p.code LIMIT $4::int;

-- name: problem_get :one stale
SELECT {{problem_columns}}
FROM problem p WHERE p.code = $1::text;

-- name: problem_create :write
-- $3 code, $4-$6 names, $7 rooms, $8 measures (both JSON lists)
WITH judged AS (
    SELECT CASE
        WHEN $3::text !~ '^[a-z][a-z0-9_]{1,47}$' THEN 'code_invalid'
        WHEN EXISTS (SELECT FROM problem WHERE code = $3::text) THEN 'problem_taken'
        WHEN EXISTS (SELECT FROM unnest(texts_of($8::json)) AS g (code) WHERE NOT EXISTS (SELECT FROM measure m WHERE m.code = g.code))
            THEN 'measure_unknown' END AS verdict
), made AS (
    INSERT INTO problem (code, name_zh, name_ko, name_en, rooms)
    SELECT $3::text, $4::text, coalesce($5::text, $4::text), coalesce($6::text, $4::text), coalesce(texts_of($7::json), '{}')
    FROM judged WHERE verdict IS NULL RETURNING *
), answered AS (
    INSERT INTO problem_measure (problem, measure, position)
    SELECT p.code, g.measure, g.position FROM made p, unnest(texts_of($8::json)) WITH ORDINALITY AS g (measure, position)
    RETURNING measure, position
), answer AS (
    SELECT j.verdict AS _verdict, '/measures' AS _field, p.code, p.name_zh, p.name_ko, p.name_en, p.rooms,
           ARRAY(SELECT a.measure FROM answered a ORDER BY a.position) AS measures, p.retired_at, p.version
    FROM judged j LEFT JOIN made p ON true
)

-- name: problem_change :write
-- $3 code, $4 if-match, $5-$7 names, $8 rooms, $9 measures: the whole list, $10 retired
WITH found AS (
    SELECT * FROM problem WHERE code = $3::text FOR UPDATE
), given AS (
    SELECT texts_of($9::json) AS measures
), judged AS (
    SELECT CASE
        WHEN f.code IS NULL THEN 'not_found'
        WHEN $4::int <> f.version THEN 'stale'
        WHEN EXISTS (SELECT FROM unnest(g.measures) AS a (code) WHERE NOT EXISTS (SELECT FROM measure m WHERE m.code = a.code))
            THEN 'measure_unknown' END AS verdict
    FROM given g LEFT JOIN found f ON true
), changed AS (
    UPDATE problem p SET version = p.version + 1, name_zh = coalesce($5::text, p.name_zh), name_ko = coalesce($6::text, p.name_ko),
        name_en = coalesce($7::text, p.name_en), rooms = coalesce(texts_of($8::json), p.rooms),
        retired_at = CASE WHEN $10::boolean THEN coalesce(p.retired_at, now()) WHEN $10::boolean IS NULL THEN p.retired_at END
    FROM judged j WHERE j.verdict IS NULL AND p.code = $3::text RETURNING p.*
), unanswered AS (
    DELETE FROM problem_measure a USING changed c, given g WHERE a.problem = c.code AND a.measure <> ALL (g.measures)
), answered AS (
    INSERT INTO problem_measure AS a (problem, measure, position)
    SELECT c.code, w.measure, w.position FROM changed c, given g, unnest(g.measures) WITH ORDINALITY AS w (measure, position)
    ON CONFLICT (problem, measure) DO UPDATE SET position = excluded.position
), shown AS (
    SELECT * FROM changed UNION ALL SELECT * FROM found WHERE NOT EXISTS (SELECT FROM changed)
), answer AS (
    SELECT j.verdict AS _verdict, '/measures' AS _field, p.code, p.name_zh, p.name_ko, p.name_en, p.rooms,
           CASE WHEN j.verdict IS NULL AND g.measures IS NOT NULL THEN g.measures ELSE {{answers}} END AS measures, p.retired_at, p.version
    FROM given g CROSS JOIN judged j LEFT JOIN shown p ON true
)
