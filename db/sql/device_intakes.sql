-- SPDX-License-Identifier: Apache-2.0
-- Many devices taken in by a file. device_intake_begin … device_intake_enter are the job's; see workers/import.c for their order.

-- name: device_intake_create :write
-- $3 centre, $4 mode, $5 file, $6 format, $7 fingerprint, $8 bytes, $9 rows
WITH answer AS (
    SELECT m.verdict AS _verdict, m.field AS _field, m.id, m.state, m.rows, m.job
    FROM (SELECT jsonb_populate_record(NULL::device_intake, jsonb_build_object('mode', $4::text, 'file', $5::text, 'format', $6::text,
        'fingerprint', '\x' || encode($7::bytea, 'hex'), 'bytes', $8::bigint, 'rows', $9::int)) AS given) AS g
    CROSS JOIN LATERAL device_intake_make($3::text, g.given) AS m
)

-- part: intake_columns
i.id, (SELECT k.code FROM centre k WHERE k.id = i.centre_id) AS centre, i.mode, i.state, i.format, i.rows, i.checked, i.committed,
       (i.outcome->>'accepted')::int AS accepted, (i.outcome->>'rejected')::int AS rejected, i.outcome->'rejected_by_code' AS rejected_by_code,
       (i.outcome->>'items')::int AS items, (i.outcome->>'donated')::int AS donated, (i.outcome->>'nothing_new')::boolean AS nothing_new,
       (i.outcome->>'same_as')::bigint AS same_as, i.error_code, i.error, i.created_at, i.finished_at, i.version

-- name: device_intake_get :one
SELECT {{intake_columns}} FROM device_intake i WHERE i.id = $1::bigint;

-- name: device_intakes_list :many
SELECT {{intake_columns}} FROM device_intake i
WHERE i.id > coalesce($2::bigint, 0) AND ($1::text IS NULL OR i.centre_id = (SELECT k.id FROM centre k WHERE k.code = $1::text))
ORDER BY i.id LIMIT $3::int;

-- name: device_intake_items :many
-- $1 intake, $2 after, $3 limit: what came of which row
SELECT i.id, t.number, i.code, i.model, m.name_zh, i.serial, i.batch, i.state, i.shelf
FROM device_intake_item t JOIN device_item i ON i.plan_region = t.plan_region AND i.id = t.item_id JOIN device_model m ON m.code = i.model
WHERE t.intake_id = $1::bigint AND t.item_id > coalesce($2::bigint, 0)
ORDER BY t.item_id LIMIT $3::int;

-- name: device_intake_cancel :write
-- $3 id: a queued intake ends at once, a running one at its next batch
WITH found AS (
    SELECT * FROM device_intake WHERE id = $3::bigint FOR UPDATE
), judged AS (
    SELECT f.*, CASE WHEN f.id IS NULL THEN 'not_found' WHEN f.state NOT IN ('queued', 'running') THEN 'import_over' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), changed AS (
    UPDATE device_intake i SET stop_wanted = true, version = i.version + 1 FROM judged j
    WHERE j.verdict IS NULL AND i.id = j.id RETURNING i.id, i.state, i.version
), answer AS (
    SELECT j.verdict AS _verdict, coalesce(c.id, j.id) AS id, coalesce(c.state, j.state) AS state, j.verdict IS NULL AS stop_wanted,
           coalesce(c.version, j.version) AS version
    FROM judged j LEFT JOIN changed c ON true
)

-- name: device_intake_file :one
-- What the refused-rows file is made of.
SELECT i.file, i.format, i.state,
       (SELECT count(*)::int FROM device_intake_refusal r WHERE r.intake_id = i.id) AS refusals,
       (SELECT array_agg(r.number::text || ' ' || r.code ORDER BY r.number) FROM device_intake_refusal r WHERE r.intake_id = i.id) AS refused
FROM device_intake i WHERE i.id = $1::bigint;

-- name: device_intake_begin :one work
-- Starts, or starts again after a killed worker: staging is emptied. No row: nothing to do any more.
WITH i AS (
    UPDATE device_intake SET state = 'running', checked = 0, version = version + 1
    WHERE id = $1::bigint AND state IN ('queued', 'running') RETURNING *
), rows_gone AS (
    DELETE FROM device_intake_row r USING i WHERE r.intake_id = i.id
), refusals_gone AS (
    DELETE FROM device_intake_refusal r USING i WHERE r.intake_id = i.id
)
SELECT i.file, i.region AS low, i.region AS high, i.account_id, i.stop_wanted FROM i;

-- name: device_intake_models :many work
SELECT m.code, m.retired_at IS NOT NULL AS retired, china_date(now())::text AS today FROM device_model m ORDER BY m.code COLLATE "C";

-- name: device_intake_stage :one work
-- $1 intake, then one array a column
WITH staged AS (
    INSERT INTO device_intake_row (intake_id, number, model, quantity, serial, batch, code, source, donor, acquired_on, price, warranty_until, shelf, note)
    SELECT $1::bigint, u.* FROM unnest($2::int[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::date[],
        $11::bigint[], $12::date[], $13::text[], $14::text[]) AS u
    RETURNING 1
)
SELECT count(*) AS staged FROM staged;

-- name: device_intake_refuse :one work
-- $1 intake, $2 numbers, $3 codes, $4 fields, $5 rows checked so far
WITH refused AS (
    INSERT INTO device_intake_refusal (intake_id, number, code, field)
    SELECT $1::bigint, u.number, u.code, u.field FROM unnest($2::int[], $3::text[], $4::text[]) AS u (number, code, field)
), told AS (
    UPDATE device_intake SET checked = $5::int, version = version + 1 WHERE id = $1::bigint RETURNING stop_wanted
)
SELECT stop_wanted FROM told;

-- name: device_intake_settle :one work
SELECT device_intake_settle($1::bigint) AS commits;

-- name: device_intake_enter :one work
SELECT device_intake_enter($1::bigint) AS entered;

-- name: device_intake_stop :one work
-- $2 state (cancelled, failed), $3 code, $4 reason: nothing of it stays but its own record
WITH cleared AS (
    DELETE FROM device_intake_row WHERE intake_id = $1::bigint
), done AS (
    UPDATE device_intake i SET state = $2::text, error_code = $3::text, error = $4::text, finished_at = now(), version = version + 1
    WHERE i.id = $1::bigint AND i.state IN ('queued', 'running') RETURNING i.state
)
SELECT count(*) AS stopped FROM done;

-- name: device_labels :one
-- $1 items, $2 intake, $3 centre, $4 day, $5 after, $6 columns, $7 rows, $8 and $9 margins, $10 and $11 gaps, $12 first
SELECT l.verdict AS _verdict, l.count, l.more, l.last, l.pages
FROM device_labels($1::text, $2::bigint, $3::text, $4::date, coalesce($5::bigint, 0), coalesce($6::int, 3), coalesce($7::int, 8), coalesce($8::float8, 0),
    coalesce($9::float8, 0), coalesce($10::float8, 0), coalesce($11::float8, 0), coalesce($12::int, 1)) AS l;
