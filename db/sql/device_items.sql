-- SPDX-License-Identifier: Apache-2.0
-- Items in stock and out of it. What may be done to them is in migration 0031, what is told of their life in 0034.

-- part: item_columns
i.id, i.code, i.model, m.measure, m.name_zh, m.name_ko, m.name_en, i.serial, i.batch, k.code AS centre, region_label(i.region) AS region, i.source,
       i.acquired_on, i.warranty_until, i.grade, i.shelf, i.state, i.state_at, b.code AS on_way_to, i.recall_id AS recalled_by, i.version

-- part: item_more
i.donor, i.price, i.note, i.created_at

-- part: item_names
LEFT JOIN device_model m ON m.code = i.model LEFT JOIN centre k ON k.id = i.centre_id LEFT JOIN centre b ON b.id = i.bound_for

-- part: item_named
-- $1: a label's code, or an id
item AS MATERIALIZED (
    SELECT i.* FROM device_item i WHERE i.code = $1::text
    UNION ALL
    SELECT i.* FROM device_item i WHERE i.plan_region = plan_region_of(CASE WHEN $1::text ~ '^[0-9]{16}$' THEN $1::bigint END)
      AND i.id = CASE WHEN $1::text ~ '^[0-9]{16}$' THEN $1::bigint END AND NOT EXISTS (SELECT FROM device_item o WHERE o.code = $1::text)
)

-- part: items_asked
-- $1 centre, $2 region, $3 state, $4 model, $5 measure
asked AS MATERIALIZED (
    SELECT CASE WHEN $2::text IS NULL THEN scope_low() ELSE (SELECT x.place FROM region_code x WHERE x.code = $2::text) END AS low,
        CASE WHEN $2::text IS NULL THEN scope_high() ELSE (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place WHERE x.code = $2::text) END AS high
), places AS MATERIALIZED (
    SELECT k.id, k.plan_region FROM asked a JOIN centre k ON k.region BETWEEN a.low AND a.high
    WHERE ($1::text IS NULL OR k.code = $1::text) AND (scope_role() <> 'centre' OR k.id = scope_centre())
), states AS MATERIALIZED (
    SELECT s.state FROM unnest('{in_stock,reserved,lent,fitted,returned,disinfecting,inspecting,repairing,recycled,lost,recalled}'::text[]) AS s (state)
    WHERE $3::text IS NULL OR s.state = $3::text
)

-- name: device_items_list :many
-- $6 after, $7 limit. At most a page is read: of each plan's region that is asked for as a whole and unfiltered, in the order of the primary
-- key; of each other centre and state; or of each centre, model and state.
WITH {{items_asked}}, wholes AS MATERIALIZED (
    SELECT DISTINCT r.place FROM asked a JOIN plan p ON true JOIN region r ON r.place = p.region AND r.place >= a.low AND r.high <= a.high
    WHERE scope_role() <> 'centre' AND $1::text IS NULL AND $3::text IS NULL AND $4::text IS NULL AND $5::text IS NULL
), models AS MATERIALIZED (
    SELECT m.code FROM device_model m WHERE ($4::text IS NULL OR m.code = $4::text) AND ($5::text IS NULL OR m.measure = $5::text)
), page AS (
    SELECT i.* FROM wholes w CROSS JOIN LATERAL (
        SELECT i.* FROM device_item i WHERE i.plan_region = w.place AND i.id > CASE WHEN $6::bigint IS NULL THEN 0 ELSE $6::bigint END
        ORDER BY i.id LIMIT $7::int) AS i
    UNION ALL
    SELECT i.* FROM places p CROSS JOIN states s CROSS JOIN LATERAL (
        SELECT i.* FROM device_item i WHERE i.centre_id = p.id AND i.state = s.state AND i.id > CASE WHEN $6::bigint IS NULL THEN 0 ELSE $6::bigint END
        ORDER BY i.id LIMIT $7::int) AS i WHERE $4::text IS NULL AND $5::text IS NULL AND p.plan_region NOT IN (SELECT w.place FROM wholes w)
    UNION ALL
    SELECT i.* FROM places p CROSS JOIN models m CROSS JOIN states s CROSS JOIN LATERAL (
        SELECT i.* FROM device_item i WHERE i.centre_id = p.id AND i.model = m.code AND i.state = s.state
          AND i.id > CASE WHEN $6::bigint IS NULL THEN 0 ELSE $6::bigint END
        ORDER BY i.id LIMIT $7::int) AS i WHERE $4::text IS NOT NULL OR $5::text IS NOT NULL
    ORDER BY id LIMIT $7::int
)
SELECT {{item_columns}}, i.id::text AS _cursor FROM page i {{item_names}} ORDER BY i.id;

-- name: device_items_search :many
-- $6 the beginning of a code or serial, $7 after, $8 limit: first those by code in its order, then those by serial.
WITH {{items_asked}}, went_on AS MATERIALIZED (
    SELECT coalesce(split_part($7::text, '.', 1)::int, 0) AS part, coalesce(split_part($7::text, '.', 2)::bigint, 0) AS id,
        coalesce(convert_from(decode(split_part($7::text, '.', 3), 'hex'), 'UTF8'), '') AS text
), page AS (
    SELECT 0 AS part, i.code AS text, i.* FROM went_on w CROSS JOIN places p CROSS JOIN LATERAL (
        SELECT i.* FROM device_item i
        WHERE i.centre_id = p.id AND i.code ~>=~ $6::text AND i.code ~<~ ($6::text || chr(1114111)) AND i.code ~>~ w.text
          AND ($3::text IS NULL OR i.state = $3::text) AND ($4::text IS NULL OR i.model = $4::text)
          AND ($5::text IS NULL OR i.model IN (SELECT m.code FROM device_model m WHERE m.measure = $5::text))
        ORDER BY i.code USING ~<~ LIMIT $8::int) AS i WHERE w.part = 0
    UNION ALL
    SELECT 1, i.serial, i.* FROM went_on w CROSS JOIN places p CROSS JOIN LATERAL (
        SELECT i.* FROM device_item i
        WHERE i.centre_id = p.id AND i.serial <> '' AND i.serial ~>=~ $6::text AND i.serial ~<~ ($6::text || chr(1114111))
          AND (i.code ~>=~ $6::text AND i.code ~<~ ($6::text || chr(1114111))) IS FALSE
          AND (w.part = 0 OR i.serial ~>=~ w.text) AND (w.part = 0 OR i.serial ~>~ w.text OR i.id > w.id)
          AND ($3::text IS NULL OR i.state = $3::text) AND ($4::text IS NULL OR i.model = $4::text)
          AND ($5::text IS NULL OR i.model IN (SELECT m.code FROM device_model m WHERE m.measure = $5::text))
        ORDER BY i.serial USING ~<~, i.id LIMIT $8::int) AS i
)
SELECT {{item_columns}}, i.part || '.' || i.id || '.' || encode(convert_to(i.text, 'UTF8'), 'hex') AS _cursor
FROM page i {{item_names}} ORDER BY i.part, i.text USING ~<~, i.id LIMIT $8::int;

-- name: device_item_take :write
-- $3 centre, $4 source, $5 model, $6 serial, $7 batch, $8 code, $9 donor, $10 acquired on, $11 price, $12 warranty until, $13 shelf, $14 note,
-- $15 the day it was taken in (NULL: now), for books of the past; what happens to it later is on no day before
WITH taken AS MATERIALIZED (
    SELECT t.* FROM json_populate_record(NULL::device_item, json_build_object('source', coalesce($4::text, 'purchased'), 'model', $5::text, 'serial', coalesce($6::text, ''),
        'batch', coalesce($7::text, ''), 'code', $8::text, 'donor', coalesce($9::text, ''),
        'price', $11::bigint, 'warranty_until', $12::date, 'shelf', coalesce($13::text, ''), 'note', coalesce($14::text, ''),
        'state_at', CASE WHEN $15::date IS NULL THEN now() ELSE $15::date::timestamp AT TIME ZONE 'Asia/Shanghai' END,
        'acquired_on', coalesce($10::date, $15::date, china_date(now())))) AS given
    CROSS JOIN LATERAL device_item_take($3::text, given) AS t
), i AS (
    SELECT t.verdict, (t.made).* FROM taken t
), answer AS (
    SELECT i.verdict AS _verdict, {{item_columns}}, {{item_more}} FROM i {{item_names}}
)

-- name: device_item_get :one write
-- Who has it is told masked; that it was read is recorded.
WITH {{item_named}}, holder AS (
    SELECT h.*, o.name, o.person FROM item i
    JOIN handover h ON h.plan_region = i.plan_region AND h.id = i.handover_id
    CROSS JOIN LATERAL device_holder(h.plan_region, h.id) AS o
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'holder of a device', i.id, i.region FROM item i WHERE i.handover_id IS NOT NULL
)
SELECT {{item_columns}}, {{item_more}}, device_allowed((SELECT d FROM device_item d WHERE d.plan_region = i.plan_region AND d.id = i.id)) AS allowed,
       h.id AS "holder.handover", h.kind AS "holder.kind", h.person AS "holder.person", h.name AS "holder.name", h.happened_at AS "holder.since",
       h.due_at AS "holder.due_at", i.request_id AS reserved_for, c.reason AS recall_reason, i.transfer_id AS transfer
FROM item i {{item_names}} LEFT JOIN holder h ON true LEFT JOIN device_recall c ON c.id = i.recall_id;

-- name: device_item_amend :write
-- $3 item, $4 if-match, $5 shelf, $6 note, $7 donor, $8 price, $9 warranty until
WITH i AS MATERIALIZED (
    SELECT a.verdict, (a.made).* FROM device_item_amend($3::text, $4::int, $5::text, $6::text, $7::text, $8::bigint, $9::date) AS a
), answer AS (
    SELECT i.verdict AS _verdict, {{item_columns}}, {{item_more}} FROM i {{item_names}}
)

-- name: device_item_events :many write
-- $1 item, $2 after, $3 limit. Names are masked; that they were read is recorded.
WITH {{item_named}}, life AS MATERIALIZED (
    SELECT l.* FROM item i CROSS JOIN LATERAL device_life(i.plan_region, i.id, coalesce($2::bigint, 0)::int, $3::int) AS l
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'holders of a device', i.id, i.region FROM item i WHERE EXISTS (SELECT FROM life l WHERE l.holder IS NOT NULL)
)
SELECT l.version::bigint AS id, l.action, l.from_state AS from, l.to_state AS to, l.centre, l.happened_at, l.recorded_at, l.account, l.holder, l.person,
       l.proof, l.note
FROM life l ORDER BY l.version;

-- name: device_item_lose :write
-- $3 item, $4 if-match, $5 note
WITH i AS MATERIALIZED (
    SELECT a.verdict, (a.made).* FROM device_item_mislaid($3::text, 'lose', $4::int, $5::text) AS a
), answer AS (
    SELECT i.verdict AS _verdict, {{item_columns}}, {{item_more}} FROM i {{item_names}}
)

-- name: device_item_find :write
-- $3 item, $4 if-match, $5 note
WITH i AS MATERIALIZED (
    SELECT a.verdict, (a.made).* FROM device_item_mislaid($3::text, 'find', $4::int, $5::text) AS a
), answer AS (
    SELECT i.verdict AS _verdict, {{item_columns}}, {{item_more}} FROM i {{item_names}}
)

-- name: device_item_life :one write
-- For print: every name masked, and that they were read is recorded.
WITH {{item_named}}, told AS MATERIALIZED (
    SELECT l.* FROM item i CROSS JOIN LATERAL device_life_told(i.plan_region, i.id) AS l
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'life of a device', i.id, i.region FROM item i JOIN told l ON l.holders IS NOT NULL
)
SELECT i.code, i.id, i.model, m.name_zh AS name, m.maker, m.class_code, i.serial, i.batch, i.donor, i.source = 'donated' AS donated, i.acquired_on, i.price,
       i.warranty_until, i.grade, i.shelf, k.name AS centre_name, i.recall_id IS NOT NULL AS recalled, china_date(now()) AS printed_on,
       (SELECT s.zh FROM (VALUES ('in_stock', '在库'), ('reserved', '已预留'), ('lent', '借出'), ('fitted', '已适配'), ('returned', '已归还'),
           ('disinfecting', '洗消中'), ('inspecting', '待检验'), ('repairing', '维修中'), ('recycled', '已报废回收'), ('lost', '遗失'), ('recalled', '召回'))
           AS s (state, zh) WHERE s.state = i.state) AS state,
       l.holders, l.loop, l.repairs, l.moves, l.recycling, l.days_out::text AS days_out, l.days_loop::text AS days_loop, l.days_stock::text AS days_stock,
       l.repair_cost, coalesce(i.price, 0) + l.repair_cost AS cost
FROM item i JOIN told l ON true LEFT JOIN device_model m ON m.code = i.model LEFT JOIN centre k ON k.id = i.centre_id;
