-- SPDX-License-Identifier: Apache-2.0
-- Transfers between centres: both ends see them. What is in one is device_transfer_item's to say (0034).

-- part: transfer_columns
t.id, f.code AS from, o.code AS to, t.sent_at, t.note, t.account_id AS account, t.created_at, n.sent, n.on_way, n.received, n.cancelled, n.lost, t.version

-- part: transfer_names
LEFT JOIN centre f ON f.id = t.from_centre LEFT JOIN centre o ON o.id = t.to_centre
LEFT JOIN LATERAL device_transfer_told(t.plan_region, t.id) AS n ON t.id IS NOT NULL

-- part: transfer_answer
SELECT t.verdict AS _verdict, CASE t.verdict WHEN 'list_empty' THEN '/items' END AS _field, t.refused AS _items, {{transfer_columns}}, n.items
FROM t {{transfer_names}}

-- part: transfer_ended
t AS (
    SELECT e.verdict, e.refused, (e.made).* FROM ended e
)

-- name: device_transfer_send :write
-- $3 from, $4 to, $5 [{item}], $6 note, $7 sent at
WITH sent AS MATERIALIZED (
    SELECT s.* FROM device_transfer_send($3::text, $4::text, $5::json, $6::text, $7::timestamptz) AS s
), t AS (
    SELECT s.verdict, s.refused, (s.made).* FROM sent s
), answer AS (
    {{transfer_answer}}
)

-- name: device_transfer_receive :write
-- $3 transfer, $4 [{item}] or all that are on the way, $5 if-match, $6 note
WITH ended AS MATERIALIZED (
    SELECT e.* FROM device_transfer_end($3::bigint, 'receive', $4::json, $5::int, $6::text) AS e
), {{transfer_ended}}, answer AS (
    {{transfer_answer}}
)

-- name: device_transfer_cancel :write
WITH ended AS MATERIALIZED (
    SELECT e.* FROM device_transfer_end($3::bigint, 'unsend', $4::json, $5::int, $6::text) AS e
), {{transfer_ended}}, answer AS (
    {{transfer_answer}}
)

-- name: device_transfer_lose :write
WITH ended AS MATERIALIZED (
    SELECT e.* FROM device_transfer_end($3::bigint, 'lose', $4::json, $5::int, $6::text) AS e
), {{transfer_ended}}, answer AS (
    {{transfer_answer}}
)

-- name: device_transfer_get :one
SELECT {{transfer_columns}}, n.items
FROM device_transfer t {{transfer_names}} WHERE t.plan_region = plan_region_of($1::bigint) AND t.id = $1::bigint;

-- name: device_transfers_list :many
-- $1 from, $2 to, $3 open (something is on the way), $4 after, $5 limit. At most a page is read of each centre's.
WITH places AS MATERIALIZED (
    SELECT k.id FROM centre k WHERE k.region BETWEEN scope_low() AND scope_high() AND (scope_role() <> 'centre' OR k.id = scope_centre())
), after AS MATERIALIZED (
    SELECT CASE WHEN $4::bigint IS NULL THEN 0 ELSE $4::bigint END AS id, (SELECT k.id FROM centre k WHERE k.code = $1::text) AS from_centre,
        (SELECT k.id FROM centre k WHERE k.code = $2::text) AS to_centre
), page AS (
    SELECT t.* FROM after a CROSS JOIN places p CROSS JOIN LATERAL (
        SELECT t.* FROM device_transfer t WHERE t.from_centre = p.id AND t.id > a.id AND ($2::text IS NULL OR t.to_centre = a.to_centre)
          AND ($3::text IS NULL OR ($3::text = 'true') = EXISTS (SELECT FROM device_transfer_item d
              WHERE d.plan_region = t.plan_region AND d.transfer_id = t.id AND d.outcome = 'on_way'))
        ORDER BY t.id LIMIT $5::int) AS t WHERE $1::text IS NULL OR p.id = a.from_centre
    UNION
    SELECT t.* FROM after a CROSS JOIN places p CROSS JOIN LATERAL (
        SELECT t.* FROM device_transfer t WHERE t.to_centre = p.id AND t.id > a.id AND ($1::text IS NULL OR t.from_centre = a.from_centre)
          AND ($3::text IS NULL OR ($3::text = 'true') = EXISTS (SELECT FROM device_transfer_item d
              WHERE d.plan_region = t.plan_region AND d.transfer_id = t.id AND d.outcome = 'on_way'))
        ORDER BY t.id LIMIT $5::int) AS t WHERE $2::text IS NULL OR p.id = a.to_centre
)
SELECT {{transfer_columns}} FROM (SELECT * FROM page ORDER BY id LIMIT $5::int) AS t {{transfer_names}} ORDER BY t.id;
