-- SPDX-License-Identifier: Apache-2.0
-- Needs imports. import_begin … import_finish are the job's; see workers/import.c for their order.

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
-- Starts, or starts again after a killed worker: staging is emptied. NULL plan_region: nothing to do any more.
WITH i AS (
    UPDATE needs_import SET state = 'running', checked = 0, version = version + 1
    WHERE id = $1::bigint AND state IN ('queued', 'running') RETURNING *
), rows_gone AS (
    DELETE FROM import_row r USING i WHERE r.import_id = i.id
), refusals_gone AS (
    DELETE FROM import_refusal r USING i WHERE r.import_id = i.id
)
SELECT i.file, i.low, i.high, i.account_id, i.stop_wanted, i.plan_region, r.place AS plan_low, r.high AS plan_high
FROM i JOIN region r ON r.place = i.region;

-- name: import_regions :many work
-- Every code that ever named a region, as numbers, in order.
SELECT rpad(c.code, 9, '0')::int AS code, c.place FROM region_code c ORDER BY 1;

-- name: import_stage :one work
-- $1 import, then one array a column; traits, needs and devices are lists joined by U+001F
WITH staged AS (
    INSERT INTO import_row (import_id, number, household_number, region, village, address, longitude, latitude, hardship, traits,
        name, sex, relation, citizen_id, citizen_id_index, certificate, certificate_index, category, level, phone, registered_on,
        remark, retrofit, devices)
    SELECT $1::bigint, u.number, u.household_number, u.region, u.village, u.address, u.longitude, u.latitude, u.hardship,
        string_to_array(u.traits, E'\x1f'), u.name, u.sex, u.relation, u.citizen_id, u.citizen_id_index, u.certificate,
        u.certificate_index, u.category, u.level, u.phone, u.registered_on, u.remark, string_to_array(u.retrofit, E'\x1f'),
        string_to_array(u.devices, E'\x1f')
    FROM unnest($2::int[], $3::text[], $4::int[], $5::text[], $6::text[], $7::float8[], $8::float8[], $9::text[], $10::text[],
        $11::text[], $12::text[], $13::text[], $14::bytea[], $15::bytea[], $16::bytea[], $17::bytea[], $18::smallint[], $19::smallint[],
        $20::text[], $21::date[], $22::text[], $23::text[], $24::text[])
        AS u (number, household_number, region, village, address, longitude, latitude, hardship, traits, name, sex, relation,
            citizen_id, citizen_id_index, certificate, certificate_index, category, level, phone, registered_on, remark, retrofit, devices)
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
-- The last check (people registered meanwhile; households of another county), under the plan region's lock, and the figures.
-- What must not be committed leaves the staging: the steps after this one only move what is still there.
WITH i AS (
    SELECT n.*, pg_advisory_xact_lock(7301, n.plan_region) FROM needs_import n WHERE n.id = $1::bigint
), known AS (
    SELECT r.number, 'duplicate_registered' AS code, '残疾人证号' AS field FROM i JOIN import_row r ON r.import_id = i.id
    WHERE EXISTS (SELECT FROM persons_known(i.plan_region, ARRAY[r.citizen_id_index]))
), foreign_household AS (
    SELECT r.number, 'region_outside_plan' AS code, '户编号' AS field FROM i JOIN import_row r ON r.import_id = i.id
    WHERE household_is_foreign(i.plan_region, r.household_number, i.low, i.high) AND r.number NOT IN (SELECT number FROM known)
), refused AS (
    INSERT INTO import_refusal (import_id, number, code, field)
    SELECT i.id, f.number, f.code, f.field FROM i, (SELECT * FROM known UNION ALL SELECT * FROM foreign_household) AS f
    RETURNING number, code
), refusals AS (
    SELECT code, count(*) AS n FROM (SELECT r.code FROM i JOIN import_refusal r ON r.import_id = i.id
        UNION ALL SELECT code FROM refused) AS all_refusals GROUP BY code
), kept AS (
    SELECT r.* FROM i JOIN import_row r ON r.import_id = i.id WHERE r.number NOT IN (SELECT number FROM refused)
), home AS (
    SELECT k.household_number, bool_or(k.level <= 2) AS severe, bool_or(h.poor) AS poor, bool_or(k.retrofit <> '{}') AS retrofit
    FROM kept k LEFT JOIN hardship h ON h.name = k.hardship GROUP BY 1
), figures AS (
    SELECT json_build_object('rows', i.rows,
        'accepted', (SELECT count(*) FROM kept), 'rejected', coalesce((SELECT sum(n) FROM refusals), 0),
        'rejected_by_code', coalesce((SELECT json_object_agg(code, n ORDER BY code) FROM refusals), '{}'),
        'persons', (SELECT count(*) FROM kept), 'households', (SELECT count(*) FROM home),
        'households_with_retrofit_need', (SELECT count(*) FROM home WHERE retrofit),
        'eligible_households', (SELECT count(*) FROM home WHERE retrofit AND (severe OR NOT e.needs_severe) AND (coalesce(poor, false) OR NOT e.needs_hardship)),
        'persons_with_device_need', (SELECT count(*) FROM kept WHERE devices <> '{}'),
        'device_needs', (SELECT coalesce(sum(cardinality(devices)), 0) FROM kept),
        'nothing_new', NOT EXISTS (SELECT FROM kept)) AS outcome,
        i.mode = 'good_rows' OR (i.mode = 'all_or_nothing' AND NOT EXISTS (SELECT FROM refusals)) AS commits
    FROM i JOIN plan p ON p.id = i.plan_id JOIN eligibility_rule e ON e.code = p.eligibility
), told AS (
    UPDATE needs_import n SET outcome = f.outcome, committed = f.commits FROM figures f WHERE n.id = $1::bigint RETURNING n.committed
), dropped AS (
    DELETE FROM import_row r USING i, figures f
    WHERE r.import_id = i.id AND (NOT f.commits OR r.number IN (SELECT number FROM refused))
)
SELECT committed FROM told;

-- name: import_households :one work
WITH made AS (
    INSERT INTO household (plan_region, id, number, region, village, address, longitude, latitude, hardship, traits)
    SELECT f.plan_region, id_in(f.plan_region, 'household_number'), f.household_number, f.region, f.village, f.address,
           f.longitude, f.latitude, f.hardship, f.traits
    FROM (SELECT DISTINCT ON (r.household_number) i.plan_region, r.* FROM needs_import i JOIN import_row r ON r.import_id = i.id
          WHERE i.id = $1::bigint ORDER BY r.household_number, (r.relation = '户主') DESC, r.number) AS f
    ON CONFLICT (plan_region, number) DO NOTHING RETURNING 1
)
SELECT count(*) AS made FROM made;

-- name: import_people :one work
WITH made AS (
    INSERT INTO person (plan_region, id, household_id, name, sex, relation, citizen_id, citizen_id_index, certificate,
        certificate_index, category, level, phone, registered_on, remark)
    SELECT i.plan_region, id_in(i.plan_region, 'person_number'), h.id, r.name, r.sex, r.relation, r.citizen_id, r.citizen_id_index,
        r.certificate, r.certificate_index, r.category, r.level, r.phone, r.registered_on, r.remark
    FROM needs_import i JOIN import_row r ON r.import_id = i.id
    JOIN household h ON h.plan_region = i.plan_region AND h.number = r.household_number
    WHERE i.id = $1::bigint
    RETURNING plan_region, id, household_id, citizen_id_index
), needed AS (
    INSERT INTO need (plan_region, id, household_id, person_id, kind, item)
    SELECT m.plan_region, id_in(m.plan_region, 'need_number'), m.household_id, m.id, n.kind, n.item
    FROM made m JOIN import_row r ON r.import_id = $1::bigint AND r.citizen_id_index = m.citizen_id_index
    CROSS JOIN LATERAL (SELECT 'retrofit' AS kind, unnest(r.retrofit) AS item
                        UNION ALL SELECT 'device', unnest(r.devices)) AS n
)
SELECT count(*) AS made FROM made;

-- name: import_cases :one work
-- One case a household a plan, for every household with a retrofit need; a known case still registered is judged again.
WITH standing AS (
    SELECT s.* FROM needs_import i
    JOIN (SELECT DISTINCT import_id, household_number FROM import_row) AS r ON r.import_id = i.id
    JOIN household h ON h.plan_region = i.plan_region AND h.number = r.household_number
    JOIN household_standing s ON s.plan_region = h.plan_region AND s.household_id = h.id AND s.plan_id = i.plan_id
    WHERE i.id = $1::bigint AND s.retrofit_need
), opened AS (
    INSERT INTO retrofit_case (plan_region, id, plan_id, household_id, household_number, householder, region, village,
        stage_at, stage_on, eligible, eligibility_reasons)
    SELECT s.plan_region, id_in(s.plan_region, 'case_number'), s.plan_id, s.household_id, s.number, s.householder, s.region, s.village,
        s.registered_at, china_date(s.registered_at), s.eligible, s.reasons
    FROM standing s
    WHERE NOT EXISTS (SELECT FROM retrofit_case c WHERE c.plan_region = s.plan_region AND c.household_id = s.household_id AND c.plan_id = s.plan_id)
    ORDER BY s.number RETURNING 1
), judged_again AS (
    UPDATE retrofit_case c SET eligible = s.eligible, eligibility_reasons = s.reasons
    FROM standing s
    WHERE c.plan_region = s.plan_region AND c.household_id = s.household_id AND c.plan_id = s.plan_id AND c.stage = 'registered'
      AND (c.eligible, c.eligibility_reasons) IS DISTINCT FROM (s.eligible, s.reasons)
), told AS (
    UPDATE needs_import i SET outcome = (i.outcome::jsonb || jsonb_build_object('cases_opened', (SELECT count(*) FROM opened)))::json
    WHERE i.id = $1::bigint
)
SELECT count(*)::int AS opened FROM opened;

-- name: import_finish :one work
WITH cleared AS (
    DELETE FROM import_row WHERE import_id = $1::bigint
), done AS (
    UPDATE needs_import i SET state = 'done', finished_at = now(), version = version + 1
    WHERE i.id = $1::bigint RETURNING i.state
)
SELECT state FROM done;

-- name: import_stop :one work
-- $2 state (cancelled, failed), $3 code, $4 reason: nothing of it stays but its own record
WITH cleared AS (
    DELETE FROM import_row WHERE import_id = $1::bigint
), done AS (
    UPDATE needs_import i SET state = $2::text, error_code = $3::text, error = $4::text, finished_at = now(), version = version + 1
    WHERE i.id = $1::bigint AND i.state IN ('queued', 'running') RETURNING i.state
)
SELECT count(*) AS stopped FROM done;
