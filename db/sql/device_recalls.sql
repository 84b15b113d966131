-- SPDX-License-Identifier: Apache-2.0
-- Recalls by model, batch or serials, and what becomes of each item. Their rules are in migrations 0031 and 0039.

-- part: device_recall_columns
s.id, s.region, s.model, s.batch, s.serial_from, s.serial_to, s.reason, s.due_on, s.overdue, s.progress, s.account, s.created_at, s.ended_at,
       s.ended_note, s.version

-- name: device_recall_preview :one
-- $1 model, $2 batch, $3 and $4 serials, $5 region
SELECT * FROM device_recall_preview($1::text, $2::text, $3::text, $4::text, $5::text);

-- name: device_recall_begin :write
-- $3 model, $4 batch, $5 and $6 serials, $7 reason, $8 due on, $9 region
WITH answer AS (
    SELECT * FROM device_recall_begin($3::text, $4::text, $5::text, $6::text, $7::text, $8::date, $9::text)
)

-- name: device_recall_change :write
-- $3 recall, $4 if-match, $5 due on
WITH answer AS (
    SELECT * FROM device_recall_change($3::bigint, $4::int, $5::date)
)

-- name: device_recall_withdraw :write
-- $3 recall, $4 if-match, $5 note
WITH answer AS (
    SELECT * FROM device_recall_end($3::bigint, $4::int, 'withdrawn', $5::text)
)

-- name: device_recall_end :write
-- $3 recall, $4 if-match, $5 note
WITH answer AS (
    SELECT * FROM device_recall_end($3::bigint, $4::int, 'ended', $5::text)
)

-- name: device_recall_get :one
-- $1 recall
SELECT {{device_recall_columns}} FROM device_recall r CROSS JOIN LATERAL device_recall_shown(r, NULL, NULL, NULL) AS s WHERE r.id = $1::bigint;

-- name: device_recalls_list :many
-- $1 running, $2 after, $3 limit: the newest first
SELECT {{device_recall_columns}}
FROM (SELECT r.* FROM device_recall r WHERE ($1::boolean IS NULL OR (r.ended_at IS NULL) = $1::boolean)
        AND r.id < CASE WHEN $2::bigint IS NULL THEN 9223372036854775807 ELSE $2::bigint END ORDER BY r.id DESC LIMIT $3::int) AS r
CROSS JOIN LATERAL device_recall_shown(r::device_recall, NULL, NULL, NULL) AS s ORDER BY r.id DESC;

-- name: device_recall_items :many
-- $1 recall, $2 centre, $3 open, $4 with somebody, $5 after, $6 limit. Names are masked.
SELECT s.id, s.item, s.recall, s.centre, s.found_at, s.due_on, s.overdue, s.resolved_at, s.resolution, s.note, s.account, s.handover, s.attempts,
       s.last_attempt_at, s.reached, s.version
FROM (SELECT y.* FROM device_recall_item y JOIN device_item i ON i.plan_region = y.plan_region AND i.id = y.item_id
      WHERE y.recall_id = $1::bigint AND y.item_id > CASE WHEN $5::bigint IS NULL THEN 0 ELSE $5::bigint END
        AND ($2::text IS NULL OR y.centre_id = (SELECT c.id FROM centre c WHERE c.code = $2::text))
        AND ($3::boolean IS NULL OR (y.resolved_at IS NULL) = $3::boolean) AND ($4::boolean IS NULL OR (i.handover_id IS NOT NULL) = $4::boolean)
      ORDER BY y.plan_region, y.item_id LIMIT $6::int) AS y
CROSS JOIN LATERAL device_recall_item_shown(y::device_recall_item, false, NULL, NULL) AS s ORDER BY s.id;

-- name: device_recall_item_get :one write
-- $1 recall, $2 item: who has it, by name; that it was read is recorded.
WITH y AS (
    SELECT t AS task FROM device_found($2::text) AS i JOIN device_recall_item t ON t.plan_region = i.plan_region AND t.item_id = i.id
    WHERE t.recall_id = $1::bigint
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'holder of a recalled device', (y.task).item_id, (y.task).region FROM y
)
SELECT s.id, s.item, s.recall, s.centre, s.found_at, s.due_on, s.overdue, s.resolved_at, s.resolution, s.note, s.account, s.handover, s.attempts,
       s.last_attempt_at, s.reached, s.version
FROM y CROSS JOIN LATERAL device_recall_item_shown(y.task, true, NULL, NULL) AS s;

-- name: device_recall_attempt :write
-- $3 recall, $4 item, $5 how, $6 reached, $7 happened at, $8 note
WITH answer AS (
    SELECT * FROM device_recall_attempted($3::bigint, $4::text, $5::text, $6::boolean, $7::timestamptz, $8::text)
)

-- name: device_recall_attempts :many
-- $1 recall, $2 item
SELECT t.number, t.how, t.reached, t.happened_at, t.note, t.account_id AS account
FROM device_found($2::text) AS i JOIN device_recall_attempt t ON t.plan_region = i.plan_region AND t.item_id = i.id
WHERE t.recall_id = $1::bigint ORDER BY t.number;

-- name: device_recall_resolve :write
-- $3 recall, $4 item, $5 if-match, $6 resolution, $7 note
WITH answer AS (
    SELECT * FROM device_recall_resolve($3::bigint, $4::text, $5::int, $6::text, $7::text)
)

-- name: recall_overdue_scan :one work
-- Tells each centre of what is overdue, each item once. One that is being resolved right now is passed over.
WITH late AS (
    SELECT y.plan_region, y.item_id, y.recall_id FROM device_recall r JOIN device_recall_item y ON y.recall_id = r.id
    WHERE r.ended_at IS NULL AND r.due_on < china_date(now()) AND y.resolved_at IS NULL AND y.told_at IS NULL
    FOR NO KEY UPDATE OF y SKIP LOCKED
), told AS (
    UPDATE device_recall_item y SET told_at = now() FROM late l
    WHERE y.plan_region = l.plan_region AND y.item_id = l.item_id AND y.recall_id = l.recall_id
    RETURNING y.*
), said AS (
    INSERT INTO outbox (kind, region, content)
    SELECT 'recall_overdue', t.region, json_build_object('recall', t.recall_id, 'due_on', (SELECT r.due_on FROM device_recall r WHERE r.id = t.recall_id),
        'centre', (SELECT c.code FROM centre c WHERE c.id = t.centre_id), 'items', json_agg(t.item_id ORDER BY t.item_id))
    FROM told t GROUP BY t.recall_id, t.centre_id, t.region RETURNING 1
)
SELECT count(*) AS said FROM said;
