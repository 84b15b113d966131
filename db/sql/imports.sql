-- SPDX-License-Identifier: Apache-2.0
-- Needs imports. import_begin … import_register are the job's; see workers/import.c for their order.

-- name: import_create :write
-- $3 plan, $4 mode, $5 file, $6 format, $7 fingerprint, $8 bytes, $9 rows
WITH given AS (
    SELECT p.id, p.region, greatest(r.place, scope_low()) AS low, least(r.high, scope_high()) AS high
    FROM plan p JOIN region r ON r.place = p.region WHERE p.code = $3::text
), judged AS (
    SELECT g.*, CASE WHEN g.id IS NULL THEN 'plan_unknown' WHEN g.low > g.high THEN 'plan_foreign' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN given g ON true
), made AS (
    INSERT INTO needs_import (plan_id, plan_region, account_id, region, low, high, mode, file, format, fingerprint, bytes, rows)
    SELECT id, region, nullif(scope_account(), 0), region, low, high, $4::text, $5::text, $6::text, $7::bytea, $8::bigint, $9::int
    FROM judged WHERE verdict IS NULL RETURNING id, state, rows, low
), queued AS (
    INSERT INTO job (queue, kind, payload, unique_key, region, max_attempts)
    SELECT 'imports', 'import', json_build_object('import', id), 'import:' || id, low, 5 FROM made RETURNING id
), answer AS (
    SELECT j.verdict AS _verdict, CASE WHEN j.verdict IS NOT NULL THEN '/plan' END AS _field, m.id, m.state, m.rows,
           (SELECT id FROM queued) AS job
    FROM judged j LEFT JOIN made m ON true
)

-- name: import_get :one
SELECT i.id, (SELECT p.code FROM plan p WHERE p.id = i.plan_id) AS plan, i.mode, i.state, i.format, i.rows, i.checked, i.committed,
       (i.outcome->>'accepted')::int AS accepted, (i.outcome->>'rejected')::int AS rejected,
       i.outcome->'rejected_by_code' AS rejected_by_code, (i.outcome->>'persons')::int AS persons,
       (i.outcome->>'households')::int AS households,
       (i.outcome->>'households_with_retrofit_need')::int AS households_with_retrofit_need,
       (i.outcome->>'eligible_households')::int AS eligible_households,
       (i.outcome->>'persons_with_device_need')::int AS persons_with_device_need,
       (i.outcome->>'device_needs')::int AS device_needs,
       (i.outcome->>'cases_opened')::int AS cases_opened, (i.outcome->>'nothing_new')::boolean AS nothing_new,
       i.error_code, i.error, i.created_at, i.finished_at, i.version
FROM needs_import i WHERE i.id = $1::bigint;

-- name: imports_list :many
SELECT i.id, (SELECT p.code FROM plan p WHERE p.id = i.plan_id) AS plan, i.mode, i.state, i.rows, i.checked, i.committed,
       (i.outcome->>'accepted')::int AS accepted, (i.outcome->>'rejected')::int AS rejected, i.error_code, i.created_at, i.finished_at, i.version
FROM needs_import i
WHERE i.id > coalesce($2::bigint, 0) AND ($1::text IS NULL OR i.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text))
ORDER BY i.id LIMIT $3::int;

-- name: import_cancel :write
-- $3 id: a queued import ends at once, a running one at its next batch
WITH found AS (
    SELECT * FROM needs_import WHERE id = $3::bigint FOR UPDATE
), judged AS (
    SELECT f.*, CASE WHEN f.id IS NULL THEN 'not_found' WHEN f.state NOT IN ('queued', 'running') THEN 'import_over' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), changed AS (
    UPDATE needs_import i SET stop_wanted = true, version = i.version + 1 FROM judged j
    WHERE j.verdict IS NULL AND i.id = j.id RETURNING i.id, i.state, i.version
), answer AS (
    SELECT j.verdict AS _verdict, coalesce(c.id, j.id) AS id, coalesce(c.state, j.state) AS state, true AS stop_wanted,
           coalesce(c.version, j.version) AS version
    FROM judged j LEFT JOIN changed c ON true
)

-- name: import_file :one
-- What the refused-rows file is made of.
SELECT i.file, i.format, i.state,
       (SELECT count(*)::int FROM import_refusal r WHERE r.import_id = i.id) AS refusals,
       (SELECT array_agg(r.number::text || ' ' || r.code ORDER BY r.number) FROM import_refusal r WHERE r.import_id = i.id) AS refused
FROM needs_import i WHERE i.id = $1::bigint;

-- name: import_begin :one work
-- Starts, or starts again after a killed worker: staging is emptied. No row: nothing to do any more.
WITH i AS (
    UPDATE needs_import SET state = 'running', checked = 0, version = version + 1
    WHERE id = $1::bigint AND state IN ('queued', 'running') RETURNING *
), rows_gone AS (
    DELETE FROM import_row r USING i WHERE r.import_id = i.id
), refusals_gone AS (
    DELETE FROM import_refusal r USING i WHERE r.import_id = i.id
)
SELECT i.file, i.low, i.high, i.account_id, i.stop_wanted FROM i;

-- name: import_regions :many work
-- Every code that ever named a region, as numbers, in order.
SELECT rpad(c.code, 9, '0')::int AS code, c.place FROM region_code c ORDER BY 1;

-- name: import_stage :one work
-- $1 import, then one array a column; traits, needs and devices are lists joined by U+001F
WITH staged AS (
    INSERT INTO import_row (import_id, number, household_number, region, village, address, longitude, latitude, hardship, traits,
        name, sex, relation, citizen_id, citizen_id_index, certificate, certificate_index, category, level, phone, registered_on,
        remark, retrofit, devices, born)
    SELECT $1::bigint, u.number, u.household_number, u.region, u.village, u.address, u.longitude, u.latitude, u.hardship,
        string_to_array(u.traits, E'\x1f'), u.name, u.sex, u.relation, u.citizen_id, u.citizen_id_index, u.certificate,
        u.certificate_index, u.category, u.level, u.phone, u.registered_on, u.remark, string_to_array(u.retrofit, E'\x1f'),
        string_to_array(u.devices, E'\x1f'), u.born
    FROM unnest($2::int[], $3::text[], $4::int[], $5::text[], $6::text[], $7::float8[], $8::float8[], $9::text[], $10::text[],
        $11::text[], $12::text[], $13::text[], $14::bytea[], $15::bytea[], $16::bytea[], $17::bytea[], $18::smallint[], $19::smallint[],
        $20::text[], $21::date[], $22::text[], $23::text[], $24::text[], $25::text[])
        AS u (number, household_number, region, village, address, longitude, latitude, hardship, traits, name, sex, relation,
            citizen_id, citizen_id_index, certificate, certificate_index, category, level, phone, registered_on, remark, retrofit, devices, born)
    RETURNING 1
)
SELECT count(*) AS staged FROM staged;

-- name: import_refuse :one work
-- $1 import, $2 numbers, $3 codes, $4 fields, $5 rows checked so far
WITH refused AS (
    INSERT INTO import_refusal (import_id, number, code, field)
    SELECT $1::bigint, u.number, u.code, u.field FROM unnest($2::int[], $3::text[], $4::text[]) AS u (number, code, field)
), told AS (
    UPDATE needs_import SET checked = $5::int, version = version + 1 WHERE id = $1::bigint RETURNING stop_wanted
)
SELECT stop_wanted FROM told;

-- name: import_settle :one work
SELECT import_settle($1::bigint) AS commits;

-- name: import_register :one work
SELECT import_register($1::bigint) AS opened;

-- name: import_stop :one work
-- $2 state (cancelled, failed), $3 code, $4 reason: nothing of it stays but its own record
WITH cleared AS (
    DELETE FROM import_row WHERE import_id = $1::bigint
), done AS (
    UPDATE needs_import i SET state = $2::text, error_code = $3::text, error = $4::text, finished_at = now(), version = version + 1
    WHERE i.id = $1::bigint AND i.state IN ('queued', 'running') RETURNING i.state
)
SELECT count(*) AS stopped FROM done;
