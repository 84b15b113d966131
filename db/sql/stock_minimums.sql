-- SPDX-License-Identifier: Apache-2.0
-- The least that should be in stock of a model or kind at a centre, and what there is.

-- part: minimum_columns
m.id, k.code AS centre, m.model, m.measure, m.minimum, m.told_at, m.account_id AS account, m.updated_at, m.version

-- name: stock_minimums_list :many
-- $1 centre, $2 region, $3 below, $4 after, $5 limit
WITH asked AS MATERIALIZED (
    SELECT CASE WHEN $2::text IS NULL THEN scope_low() ELSE (SELECT x.place FROM region_code x WHERE x.code = $2::text) END AS low,
        CASE WHEN $2::text IS NULL THEN scope_high() ELSE (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place WHERE x.code = $2::text) END AS high
)
SELECT {{minimum_columns}}, s.in_stock, s.in_stock < m.minimum AS below
FROM asked a JOIN stock_minimum m ON m.region BETWEEN a.low AND a.high JOIN centre k ON k.id = m.centre_id
CROSS JOIN LATERAL (SELECT device_stock_of(m) AS in_stock OFFSET 0) AS s
WHERE m.id > CASE WHEN $4::bigint IS NULL THEN 0 ELSE $4::bigint END AND ($1::text IS NULL OR k.code = $1::text)
  AND ($3::text IS NULL OR (s.in_stock < m.minimum) = ($3::text = 'true'))
ORDER BY m.id LIMIT $5::int;

-- name: stock_minimum_put :write
-- $3 centre, $4 model or measure, $5 its code, $6 the least, $7 if-match
WITH put AS MATERIALIZED (
    SELECT s.* FROM stock_minimum_set($3::text, $4::text, $5::text, $6::int, $7::int) AS s
), m AS (
    SELECT p.verdict, (p.made).* FROM put p
), answer AS (
    SELECT m.verdict AS _verdict, {{minimum_columns}}, s.in_stock, s.in_stock < m.minimum AS below
    FROM m LEFT JOIN centre k ON k.id = m.centre_id
    LEFT JOIN LATERAL (SELECT device_stock_of((SELECT (p.made) FROM put p)) AS in_stock) AS s ON m.id IS NOT NULL
)

-- name: stock_minimum_remove :write
-- $3 centre, $4 model or measure, $5 its code, $6 if-match
WITH gone AS MATERIALIZED (
    SELECT s.* FROM stock_minimum_set($3::text, $4::text, $5::text, NULL, $6::int) AS s
), m AS (
    SELECT g.verdict, (g.made).* FROM gone g
), answer AS (
    SELECT m.verdict AS _verdict, {{minimum_columns}} FROM m LEFT JOIN centre k ON k.id = m.centre_id
)

-- name: stock_minimum_scan :one work
-- Tells once of each that was fallen below; again only when there was enough in between. One that is being changed waits for the next.
WITH stock AS MATERIALIZED (
    SELECT m.*, device_stock_of(m) AS in_stock FROM stock_minimum m FOR UPDATE SKIP LOCKED
), recovered AS (
    UPDATE stock_minimum m SET told_at = NULL FROM stock s WHERE m.id = s.id AND s.in_stock >= s.minimum AND m.told_at IS NOT NULL
), fallen AS (
    UPDATE stock_minimum m SET told_at = now() FROM stock s WHERE m.id = s.id AND s.in_stock < s.minimum AND m.told_at IS NULL
    RETURNING m.*, s.in_stock
), said AS (
    INSERT INTO outbox (kind, region, content)
    SELECT 'device_stock_low', f.region, json_build_object('centre', (SELECT k.code FROM centre k WHERE k.id = f.centre_id), 'model', f.model,
        'measure', f.measure, 'in_stock', f.in_stock, 'minimum', f.minimum)
    FROM fallen f RETURNING 1
)
SELECT count(*) AS said FROM said;
