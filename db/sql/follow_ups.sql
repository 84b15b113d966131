-- SPDX-License-Identifier: Apache-2.0
-- Follow-ups of what was accepted, and the deadline of what was not. Their rules are in migration 0023.

-- name: follow_ups_make :one work
-- $1 case, $2 the version with which it was accepted
SELECT follow_ups_make($1::bigint, $2::int) AS made;

-- name: follow_up_scan :one work
-- Tells of each that is due, once. One that is being ended right now is passed over: if it stays open, the next scan has it.
WITH due AS (
    SELECT f.plan_region, f.case_id, f.acceptance, f.number FROM follow_up f
    WHERE f.state = 'open' AND f.reminded_at IS NULL AND f.due_on <= china_date(now())
    FOR UPDATE SKIP LOCKED
), told AS (
    UPDATE follow_up f SET reminded_at = now() FROM due d
    WHERE f.plan_region = d.plan_region AND f.case_id = d.case_id AND f.acceptance = d.acceptance AND f.number = d.number
    RETURNING f.*
), said AS (
    INSERT INTO outbox (kind, region, case_id, case_version, content)
    SELECT 'follow_up_due', t.region, t.case_id, t.acceptance,
        json_build_object('case', t.case_id, 'plan', (SELECT p.code FROM plan p WHERE p.id = t.plan_id), 'number', t.number, 'due_on', t.due_on)
    FROM told t RETURNING 1
)
SELECT count(*) AS said FROM said;

-- name: rework_scan :one work
-- Tells of each rework that is not done by its deadline, once; also when it went to another contractor meanwhile. A case that
-- rests (suspended) or is built again is not told of.
WITH overdue AS (
    SELECT c.id, c.region, c.plan_id, c.stage, i.number, i.case_version, i.deadline
    FROM inspection i JOIN retrofit_case c ON c.plan_region = i.plan_region AND c.id = i.case_id
    WHERE i.deadline < china_date(now()) AND c.stage IN ('rework', 'building', 'assigned', 'designed')
      AND NOT EXISTS (SELECT FROM inspection o WHERE o.plan_region = i.plan_region AND o.case_id = i.case_id AND o.number > i.number)
      AND NOT EXISTS (SELECT FROM outbox o WHERE o.case_id = c.id AND o.kind = 'rework_overdue' AND o.case_version = i.case_version)
), said AS (
    INSERT INTO outbox (kind, region, case_id, case_version, content)
    SELECT 'rework_overdue', o.region, o.id, o.case_version,
        json_build_object('case', o.id, 'plan', (SELECT p.code FROM plan p WHERE p.id = o.plan_id), 'stage', o.stage,
            'inspection', o.number, 'deadline', o.deadline)
    FROM overdue o
    ON CONFLICT (case_id, case_version) WHERE kind = 'rework_overdue' DO NOTHING RETURNING 1
)
SELECT count(*) AS said FROM said;

-- part: follow_up_columns
f.case_id AS case, c.household_number, c.householder, region_label(c.region) AS region, c.village, c.stage, f.number::int AS number,
       f.due_on, f.state, f.happened_at, f.done_at, f.outcome, f.note, f.account_id AS account, f.reminded_at, f.version

-- part: follow_up_cursor
-- (safe in a URL, and in the order of the list)
f.due_on::text || '.' || f.case_id || '.' || f.acceptance || '.' || f.number AS _cursor

-- part: follow_up_after
(f.due_on, f.case_id, f.acceptance, f.number) > (a.due_on, a.case_id, a.acceptance, a.number)

-- part: follow_up_asked
asked AS MATERIALIZED (
    SELECT a.low, a.high, a.high - a.low < 1000 AS is_narrow,
        CASE WHEN $5::text IS NULL THEN '-infinity' ELSE split_part($5::text, '.', 1)::date END AS due_on,
        CASE WHEN $5::text IS NULL THEN 0 ELSE split_part($5::text, '.', 2)::bigint END AS case_id,
        CASE WHEN $5::text IS NULL THEN 0 ELSE split_part($5::text, '.', 3)::int END AS acceptance,
        CASE WHEN $5::text IS NULL THEN 0 ELSE split_part($5::text, '.', 4)::smallint END AS number,
        CASE WHEN $4::date IS NULL THEN 'infinity' ELSE $4::date END AS before
    FROM (SELECT
        CASE WHEN $2::text IS NULL THEN scope_low() ELSE (SELECT x.place FROM region_code x WHERE x.code = $2::text) END AS low,
        CASE WHEN $2::text IS NULL THEN scope_high() ELSE (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place
             WHERE x.code = $2::text) END AS high) AS a
)

-- name: follow_ups_list :many
-- $1 plan, $2 region, $3 state, $4 due before, $5 after, $6 limit: the first due first. As in cases_of_region, at most a page is
-- read of each place of a county, or of each plan of what is more than a county.
WITH {{follow_up_asked}}, plans AS MATERIALIZED (
    SELECT p.id FROM asked a, plan p JOIN region top ON top.place = p.region
    WHERE ($1::text IS NULL OR p.code = $1::text) AND (top.place <= a.high AND top.high >= a.low) IS TRUE
), states AS MATERIALIZED (
    SELECT s FROM unnest('{open,done,cancelled}'::text[]) AS s WHERE $3::text IS NULL OR s = $3::text
)
SELECT {{follow_up_columns}}, {{follow_up_cursor}}
FROM (
    SELECT f.* FROM asked a JOIN region r ON r.place BETWEEN a.low AND a.high CROSS JOIN states s CROSS JOIN LATERAL (
        SELECT f.* FROM follow_up f WHERE f.region = r.place AND f.state = s.s AND f.due_on < a.before AND {{follow_up_after}}
          AND (f.plan_id IN (SELECT p.id FROM plans p)) IS TRUE
        ORDER BY f.due_on, f.case_id, f.acceptance, f.number LIMIT $6::int) AS f WHERE a.is_narrow
    UNION ALL
    SELECT f.* FROM asked a CROSS JOIN plans p CROSS JOIN states s CROSS JOIN LATERAL (
        SELECT f.* FROM follow_up f WHERE f.plan_id = p.id AND f.state = s.s AND f.due_on < a.before AND {{follow_up_after}}
          AND (f.region >= a.low) IS TRUE AND (f.region <= a.high) IS TRUE
        ORDER BY f.due_on, f.case_id, f.acceptance, f.number LIMIT $6::int) AS f WHERE NOT a.is_narrow
) AS f JOIN retrofit_case c ON c.plan_region = f.plan_region AND c.id = f.case_id
ORDER BY f.due_on, f.case_id, f.acceptance, f.number LIMIT $6::int;

-- name: follow_ups_of_assessor :many
-- Those of the cases that the assessor who asks visits
WITH {{follow_up_asked}}
SELECT {{follow_up_columns}}, {{follow_up_cursor}}
FROM asked a CROSS JOIN retrofit_case c JOIN follow_up f ON f.plan_region = c.plan_region AND f.case_id = c.id
WHERE c.assessor_id = (SELECT scope_account()) AND ($1::text IS NULL OR c.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text))
  AND c.region BETWEEN a.low AND a.high AND ($3::text IS NULL OR f.state = $3::text) AND f.due_on < a.before AND {{follow_up_after}}
ORDER BY f.due_on, f.case_id, f.acceptance, f.number LIMIT $6::int;

-- name: follow_ups_of_case :many
SELECT {{follow_up_columns}}
FROM follow_up f JOIN retrofit_case c ON c.plan_region = f.plan_region AND c.id = f.case_id
WHERE f.plan_region = plan_region_of($1::bigint) AND f.case_id = $1::bigint
ORDER BY f.acceptance, f.number;

-- name: follow_up_end :write key=3
-- $3 case, $4 number, $5 if-match, $6 happened at, $7 outcome, $8 note
WITH answer AS (
    SELECT * FROM follow_up_end($3::bigint, $4::text, $5::int, $6::timestamptz, $7::text, $8::text)
)

-- name: follow_up_take_back :write key=3
-- $3 case, $4 number, $5 if-match
WITH answer AS (
    SELECT * FROM follow_up_take_back($3::bigint, $4::text, $5::int)
)

-- name: acceptance_rule_get :one
SELECT p.code AS plan, r.rework_days,
       (SELECT coalesce(json_agg(json_build_object('months', m) ORDER BY m), '[]') FROM unnest(r.follow_up_months) AS m) AS follow_ups, r.version
FROM plan p CROSS JOIN LATERAL acceptance_rule_of(p.id) AS r WHERE p.code = $1::text;

-- name: acceptance_rule_put :write
-- $3 plan, $4 if-match, $5 days of a rework, $6 [{months}]
WITH found AS (
    SELECT p.id, p.code, p.region, r.rework_days, r.follow_up_months, r.version
    FROM plan p CROSS JOIN LATERAL acceptance_rule_of(p.id) AS r WHERE p.code = $3::text
), judged AS (
    SELECT f.*, CASE
        WHEN f.id IS NULL THEN 'not_found'
        WHEN NOT coalesce(scope_manages(f.region), false) THEN 'region_foreign'
        WHEN $4::int <> f.version THEN 'stale' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), put AS (
    INSERT INTO acceptance_rule AS r (plan_id, rework_days, follow_up_months)
    SELECT j.id, $5::int, ARRAY(SELECT DISTINCT g.months FROM json_to_recordset($6::json) AS g (months int) ORDER BY 1)
    FROM judged j WHERE j.verdict IS NULL
    ON CONFLICT (plan_id) DO UPDATE SET rework_days = excluded.rework_days, follow_up_months = excluded.follow_up_months,
        version = r.version + 1 WHERE $4::int IS NULL OR r.version = $4::int
    RETURNING r.*
), shown AS (
    SELECT rework_days, follow_up_months, version FROM put
    UNION ALL SELECT rework_days, follow_up_months, version FROM found WHERE NOT EXISTS (SELECT FROM put)
), answer AS (
    SELECT coalesce(j.verdict, CASE WHEN NOT EXISTS (SELECT FROM put) THEN 'stale' END) AS _verdict, j.code AS plan, s.rework_days,
           (SELECT coalesce(json_agg(json_build_object('months', m) ORDER BY m), '[]') FROM unnest(s.follow_up_months) AS m) AS follow_ups, s.version
    FROM judged j LEFT JOIN shown s ON true
)
