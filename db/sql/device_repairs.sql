-- SPDX-License-Identifier: Apache-2.0
-- Repairs, in the loop and of what somebody has, and recyclings with their certificates. The rules are in migration 0038.

-- part: device_repair_columns
s.id, s.item, s.handover, s.fault, s.in_warranty, s.began_at, s.ended_at, s.outcome, s.repairer, s.parts, s.labour, s.cost, s.warranty_until, s.note,
       s.account, s.next, s.version

-- name: device_repair_open :write
-- $3 item, $4 fault, $5 in warranty, $6 repairer, $7 began at, $8 note
WITH answer AS (
    SELECT * FROM device_repair_open($3::text, $4::text, $5::boolean, $6::text, $7::timestamptz, $8::text)
)

-- name: device_repair_end :write
-- $3 repair, $4 if-match, $5 outcome, $6 ended at, $7 parts, $8 labour, $9 cost, $10 repairer, $11 warranty until, $12 note
WITH answer AS (
    SELECT * FROM device_repair_end($3::bigint, $4::int, $5::text, $6::timestamptz, $7::json, $8::bigint, $9::bigint, $10::text, $11::date, $12::text)
)

-- name: device_repair_get :one
-- $1 repair
SELECT {{device_repair_columns}}
FROM device_repair p JOIN device_item i ON i.plan_region = p.plan_region AND i.id = p.item_id
CROSS JOIN LATERAL device_repair_shown(i, p, NULL, NULL) AS s
WHERE p.plan_region = plan_region_of($1::bigint) AND p.id = $1::bigint;

-- part: device_repair_before
CASE WHEN $3::bigint IS NULL THEN 9223372036854775807 ELSE $3::bigint END

-- name: device_repairs_list :many
-- $1 centre, $2 running, $3 after, $4 limit: the newest first. Of each centre at most a page is read; those that run have an index of theirs.
SELECT {{device_repair_columns}}
FROM centre c CROSS JOIN LATERAL (
    (SELECT p.* FROM device_repair p WHERE $2::boolean IS TRUE AND p.centre_id = c.id AND p.ended_at IS NULL AND p.id < {{device_repair_before}}
     ORDER BY p.id DESC LIMIT $4::int)
    UNION ALL
    (SELECT p.* FROM device_repair p WHERE $2::boolean IS NOT TRUE AND p.centre_id = c.id AND ($2::boolean IS NULL OR p.ended_at IS NOT NULL)
       AND p.id < {{device_repair_before}}
     ORDER BY p.id DESC LIMIT $4::int)) AS p
JOIN device_item i ON i.plan_region = p.plan_region AND i.id = p.item_id
CROSS JOIN LATERAL device_repair_shown(i, p::device_repair, NULL, NULL) AS s
WHERE c.plan_region IS NOT NULL AND ($1::text IS NULL OR c.code = $1::text) AND CASE scope_role() WHEN 'centre' THEN c.id = scope_centre()
    ELSE c.region BETWEEN scope_low() AND scope_high() END
ORDER BY p.id DESC LIMIT $4::int;

-- name: device_repairs_of_item :many
-- $1 item (its label's code or its id), $2 after, $3 limit
SELECT {{device_repair_columns}}
FROM device_found($1::text) AS i JOIN device_repair p ON p.plan_region = i.plan_region AND p.item_id = i.id
CROSS JOIN LATERAL device_repair_shown(i, p, NULL, NULL) AS s
WHERE p.id < CASE WHEN $2::bigint IS NULL THEN 9223372036854775807 ELSE $2::bigint END
ORDER BY p.id DESC LIMIT $3::int;

-- name: device_recycle :write
-- $3 item, $4 reason, $5 parts recovered, $6 certificate, $7 note, $8 happened at
WITH answer AS (
    SELECT * FROM device_recycle($3::text, $4::text, $5::json, $6::text, $7::text, $8::timestamptz)
)

-- name: device_recyclings_list :many
-- $1 centre, $2 after, $3 limit: the newest first
SELECT y.id, device_brief(i) AS item, y.reason, y.parts, y.certificate, y.happened_at, y.note, y.account_id AS account
FROM centre c CROSS JOIN LATERAL (
    SELECT y.* FROM device_recycling y WHERE y.centre_id = c.id AND y.id < CASE WHEN $2::bigint IS NULL THEN 9223372036854775807 ELSE $2::bigint END
    ORDER BY y.id DESC LIMIT $3::int) AS y
JOIN device_item i ON i.plan_region = y.plan_region AND i.id = y.item_id
WHERE c.plan_region IS NOT NULL AND ($1::text IS NULL OR c.code = $1::text) AND CASE scope_role() WHEN 'centre' THEN c.id = scope_centre()
    ELSE c.region BETWEEN scope_low() AND scope_high() END
ORDER BY y.id DESC LIMIT $3::int;

-- name: device_recyclings_waiting :many
-- What an inspection or a repair gave up and what is not recycled yet. $1 centre, $2 after, $3 limit
SELECT i.id, device_brief(i) AS item, i.state_at AS since, device_next(i) AS next
FROM centre c CROSS JOIN LATERAL (
    SELECT i.* FROM device_item i WHERE i.centre_id = c.id AND i.state IN ('inspecting', 'repairing')
      AND i.id > CASE WHEN $2::bigint IS NULL THEN 0 ELSE $2::bigint END) AS i
WHERE c.plan_region IS NOT NULL AND ($1::text IS NULL OR c.code = $1::text) AND CASE scope_role() WHEN 'centre' THEN c.id = scope_centre()
    ELSE c.region BETWEEN scope_low() AND scope_high() END
  AND device_next(i::device_item) = 'recycle'
ORDER BY i.id LIMIT $3::int;

-- name: device_parts_list :many
-- Parts recovered, by centre, model and name. $1 centre, $2 after, $3 limit
SELECT c.code AS centre, i.model, p.name, sum(p.quantity)::bigint AS quantity, count(DISTINCT y.id)::int AS items,
       c.code || '/' || i.model || '/' || encode(sha256(convert_to(p.name, 'UTF8')), 'hex') AS _cursor
FROM centre c JOIN device_recycling y ON y.centre_id = c.id JOIN device_item i ON i.plan_region = y.plan_region AND i.id = y.item_id
CROSS JOIN LATERAL json_to_recordset(y.parts) AS p (name text, quantity int)
WHERE c.plan_region IS NOT NULL AND ($1::text IS NULL OR c.code = $1::text) AND CASE scope_role() WHEN 'centre' THEN c.id = scope_centre()
    ELSE c.region BETWEEN scope_low() AND scope_high() END
GROUP BY c.code, i.model, p.name
HAVING $2::text IS NULL OR (c.code || '/' || i.model || '/' || encode(sha256(convert_to(p.name, 'UTF8')), 'hex')) > $2::text
ORDER BY c.code || '/' || i.model || '/' || encode(sha256(convert_to(p.name, 'UTF8')), 'hex') LIMIT $3::int;

-- name: device_certificate :one
-- $1 recycling: for print
SELECT y.id, y.certificate, k.name AS centre, k.address AS centre_address, k.phone AS centre_phone, i.code, m.name_zh AS model, m.maker, i.serial, i.batch,
       i.acquired_on, CASE i.source WHEN 'donated' THEN '捐赠' ELSE '采购' END AS source, china_date(y.happened_at) AS recycled_on,
       CASE y.reason WHEN 'beyond_repair' THEN '无法修复' WHEN 'service_life_over' THEN '超过使用年限' WHEN 'unsafe' THEN '存在安全隐患'
           WHEN 'incomplete' THEN '缺件无法补齐' WHEN 'uneconomic' THEN '修复不经济' WHEN 'recalled' THEN '产品召回' ELSE '其他' END AS reason,
       y.parts, y.note, (SELECT count(*) FROM handover h WHERE h.plan_region = i.plan_region AND h.item_id = i.id)::int AS handovers
FROM device_recycling y JOIN device_item i ON i.plan_region = y.plan_region AND i.id = y.item_id
JOIN device_model m ON m.code = i.model JOIN centre k ON k.id = y.centre_id
WHERE y.plan_region = plan_region_of($1::bigint) AND y.id = $1::bigint;
