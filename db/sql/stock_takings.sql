-- SPDX-License-Identifier: Apache-2.0
-- Stock-takings: what is there against what the book says. Their rules are in migration 0034.

-- part: taking_columns
t.id, k.code AS centre, t.shelf, t.model, t.state, t.note, t.began_at, t.account_id AS account, t.ended_at, t.ended_by, t.version

-- part: taking_figures
n.expected, n.scanned, n.counted, n.missing, n.surplus, n.moved, n.unresolved

-- part: taking_answer
SELECT t.verdict AS _verdict, CASE t.verdict WHEN 'list_empty' THEN '/items' END AS _field, t.refused AS _items, {{taking_columns}}, {{taking_figures}}
FROM t LEFT JOIN centre k ON k.id = t.centre_id LEFT JOIN LATERAL stock_taking_told(t.plan_region, t.id) AS n ON t.id IS NOT NULL

-- name: stock_taking_begin :write
-- $3 centre, $4 shelf, $5 model, $6 note
WITH begun AS MATERIALIZED (
    SELECT b.* FROM stock_taking_begin($3::text, $4::text, $5::text, $6::text) AS b
), t AS (
    SELECT b.verdict, NULL::json AS refused, (b.made).* FROM begun b
), answer AS (
    {{taking_answer}}
)

-- name: stock_taking_scan :write
-- $3 taking, $4 codes
WITH scanned AS MATERIALIZED (
    SELECT s.* FROM stock_taking_scan($3::bigint, $4::json) AS s
), answer AS (
    SELECT s.verdict AS _verdict, CASE s.verdict WHEN 'list_empty' THEN '/codes' END AS _field, (s.made).id AS id, s.lines FROM scanned s
)

-- name: stock_taking_close :write
-- $3 taking, $4 if-match, $5 note
WITH ended AS MATERIALIZED (
    SELECT e.* FROM stock_taking_end($3::bigint, 'closed', $4::int, $5::text) AS e
), t AS (
    SELECT e.verdict, NULL::json AS refused, (e.made).* FROM ended e
), answer AS (
    {{taking_answer}}
)

-- name: stock_taking_cancel :write
-- $3 taking, $4 if-match, $5 note
WITH ended AS MATERIALIZED (
    SELECT e.* FROM stock_taking_end($3::bigint, 'cancelled', $4::int, $5::text) AS e
), t AS (
    SELECT e.verdict, NULL::json AS refused, (e.made).* FROM ended e
), answer AS (
    {{taking_answer}}
)

-- name: stock_taking_resolve :write
-- $3 taking, $4 [{item}], $5 lost, found or explained, $6 note
WITH resolved AS MATERIALIZED (
    SELECT r.* FROM stock_taking_resolve($3::bigint, $4::json, $5::text, $6::text) AS r
), t AS (
    SELECT r.verdict, r.refused, (r.made).* FROM resolved r
), answer AS (
    {{taking_answer}}
)

-- name: stock_taking_get :one
SELECT {{taking_columns}}, {{taking_figures}}
FROM stock_taking t JOIN centre k ON k.id = t.centre_id CROSS JOIN LATERAL stock_taking_told(t.plan_region, t.id) AS n
WHERE t.plan_region = plan_region_of($1::bigint) AND t.id = $1::bigint;

-- name: stock_takings_list :many
-- $1 centre, $2 state, $3 after, $4 limit. At most a page is read of each centre's.
WITH places AS MATERIALIZED (
    SELECT k.id, k.code FROM centre k WHERE k.region BETWEEN scope_low() AND scope_high() AND (scope_role() <> 'centre' OR k.id = scope_centre())
      AND ($1::text IS NULL OR k.code = $1::text)
)
SELECT {{taking_columns}} FROM places k CROSS JOIN LATERAL (
    SELECT t.* FROM stock_taking t WHERE t.centre_id = k.id AND t.id > CASE WHEN $3::bigint IS NULL THEN 0 ELSE $3::bigint END
      AND ($2::text IS NULL OR t.state = $2::text) ORDER BY t.id LIMIT $4::int) AS t
ORDER BY t.id LIMIT $4::int;

-- name: stock_taking_lines :many
-- $1 taking, $2 result, $3 after, $4 limit
SELECT (s.line).code AS code, s.result, (s.line).expected AS expected, (s.line).found_as AS found_as, (s.line).scanned_at AS scanned_at,
       (s.line).scanned_by AS scanned_by, s.item, s.model, s.serial, s.state, s.centre, s.shelf, (s.line).resolution AS resolution,
       (s.line).reason AS reason, (s.line).resolved_at AS resolved_at, (s.line).resolved_by AS resolved_by,
       encode(convert_to((s.line).code, 'UTF8'), 'hex') AS _cursor
FROM stock_taking t CROSS JOIN LATERAL stock_lines(t.plan_region, t.id, NULL, $2::text, convert_from(decode($3::text, 'hex'), 'UTF8'), $4::int) AS s
WHERE t.plan_region = plan_region_of($1::bigint) AND t.id = $1::bigint
ORDER BY (s.line).code;
