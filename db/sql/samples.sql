-- SPDX-License-Identifier: Apache-2.0
-- Sampling inspection (抽查): the frozen list, the draw, what was found. Migration 0022 freezes and draws.

-- part: sample_columns
s.id, (SELECT p.code FROM plan p WHERE p.id = s.plan_id) AS plan, region_label(s.region) AS region, s.accepted_from, s.accepted_to,
       s.per_stratum, s.share, s.minimum, s.seed_source, s.seed_at, s.note, s.households, s.strata, s.takes, s.digest,
       s.account_id AS account, s.frozen_at, s.seed, s.drawn_by, s.drawn_at, s.version

-- name: sample_freeze :write
-- $3 plan, $4 region, $5 accepted from, $6 to, $7 how many of each stratum, $8 share in percent, $9 minimum, $10 what the seed will
-- be, $11 when it is known, $12 note
WITH frozen AS MATERIALIZED (
    SELECT f.* FROM sample_freeze($3::text, $4::text, $5::date, $6::date, $7::int, $8::int, $9::int, $10::text, $11::timestamptz, $12::text) AS f
), s AS (
    SELECT f.verdict, f.field, (f.made).* FROM frozen f
), answer AS (
    SELECT s.verdict AS _verdict, s.field AS _field, {{sample_columns}} FROM s
)

-- name: sample_draw :write key=3
-- $3 id, $4 if-match, $5 seed
WITH drawn AS MATERIALIZED (
    SELECT f.* FROM sample_draw($3::bigint, $4::int, $5::text) AS f
), s AS (
    SELECT f.verdict, (f.made).* FROM drawn f
), answer AS (
    SELECT s.verdict AS _verdict, {{sample_columns}} FROM s
)

-- name: sample_get :one
SELECT {{sample_columns}} FROM sample s WHERE s.plan_region = plan_region_of($1::bigint) AND s.id = $1::bigint;

-- name: samples_list :many
-- $1 plan, $2 after, $3 limit
SELECT {{sample_columns}} FROM sample s
WHERE s.plan_id = (SELECT p.id FROM plan p WHERE p.code = $1::text) AND s.id > CASE WHEN $2::bigint IS NULL THEN 0 ELSE $2::bigint END ORDER BY s.id LIMIT $3::int;

-- name: sample_strata :many
-- $1 sample, $2 after, $3 limit
SELECT t.number AS id, t.county_code AS county, t.contractor, t.households, t.takes, t.digest
FROM sample_stratum t
WHERE t.plan_region = plan_region_of($1::bigint) AND t.sample_id = $1::bigint AND t.number > CASE WHEN $2::bigint IS NULL THEN 0 ELSE $2::bigint END
ORDER BY t.number LIMIT $3::int;

-- name: sample_frame :many
-- The frozen list, as it goes into the digest. $1 sample, $2 after, $3 limit
SELECT c.case_id AS id, t.county_code AS county, t.contractor, c.stratum, c.accepted_on
FROM sample_case c JOIN sample_stratum t ON t.plan_region = c.plan_region AND t.sample_id = c.sample_id AND t.number = c.stratum
WHERE c.plan_region = plan_region_of($1::bigint) AND c.sample_id = $1::bigint AND c.case_id > CASE WHEN $2::bigint IS NULL THEN 0 ELSE $2::bigint END
ORDER BY c.case_id LIMIT $3::int;

-- part: pick
k.case_id AS id, c.stratum, k.position, k.hash, c.household_number, c.householder, region_label(c.region) AS region, c.village,
       c.accepted_on, v.assessor_id AS assessor, coalesce(f.result, 'not_visited') AS result, f.kind, f.visited_at

-- part: picks
sample_pick k
JOIN sample_case c ON c.plan_region = k.plan_region AND c.sample_id = k.sample_id AND c.case_id = k.case_id
LEFT JOIN sample_visit v ON v.plan_region = k.plan_region AND v.sample_id = k.sample_id AND v.case_id = k.case_id
LEFT JOIN LATERAL (
    SELECT g.* FROM sample_finding g WHERE g.plan_region = k.plan_region AND g.sample_id = k.sample_id AND g.case_id = k.case_id
    ORDER BY g.number DESC LIMIT 1) AS f ON true

-- name: sample_cases :many
-- Who is drawn and how it stands. $1 sample, $2 result, $3 after, $4 limit
SELECT {{pick}}
FROM {{picks}}
WHERE k.plan_region = plan_region_of($1::bigint) AND k.sample_id = $1::bigint AND k.case_id > CASE WHEN $3::bigint IS NULL THEN 0 ELSE $3::bigint END
  AND ($2::text IS NULL OR coalesce(f.result, 'not_visited') = $2::text)
ORDER BY k.case_id LIMIT $4::int;

-- name: sample_case_get :one write
-- With the address, for who goes there: that it was read is recorded.
WITH found AS (
    SELECT c.region AS place, {{pick}}, a.address, a.longitude, a.latitude
    FROM {{picks}}
    CROSS JOIN LATERAL sample_address($1::bigint, k.case_id) AS a
    WHERE k.plan_region = plan_region_of($1::bigint) AND k.sample_id = $1::bigint AND k.case_id = $2::bigint
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'address of a sampled case', id, place FROM found
)
SELECT f.id, f.stratum, f.position, f.hash, f.household_number, f.householder, f.region, f.village, f.accepted_on, f.assessor, f.result,
       f.kind, f.visited_at, f.address, f.longitude, f.latitude
FROM found f;

-- name: sample_assign :write key=4
-- $3 sample, $4 case, $5 the assessor's account name
WITH found AS (
    SELECT k.*, assessor_in_scope($5::text) AS assessor FROM sample_pick k
    WHERE k.plan_region = plan_region_of($3::bigint) AND k.sample_id = $3::bigint AND k.case_id = $4::bigint
), judged AS (
    SELECT f.*, CASE
        WHEN f.case_id IS NULL THEN 'not_found'
        WHEN f.assessor IS NULL THEN 'assessor_unknown'
        WHEN sample_involves(f.plan_region, f.case_id, f.assessor) THEN 'assessor_involved' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), put AS (
    INSERT INTO sample_visit AS v (plan_region, sample_id, case_id, region, assessor_id, assigned_by)
    SELECT j.plan_region, j.sample_id, j.case_id, j.region, j.assessor, scope_account() FROM judged j WHERE j.verdict IS NULL
    ON CONFLICT (plan_region, sample_id, case_id) DO UPDATE SET assessor_id = excluded.assessor_id, assigned_by = excluded.assigned_by,
        assigned_at = now()
    RETURNING v.*
), answer AS (
    SELECT j.verdict AS _verdict, '/assessor' AS _field, p.case_id AS id, p.assessor_id AS assessor, p.assigned_by, p.assigned_at
    FROM judged j LEFT JOIN put p ON true
)

-- name: sample_find :write key=4
-- $3 sample, $4 case, $5 visited at, $6 result, $7 kind of error, $8 note. A later finding corrects an earlier one: both stay.
WITH found AS (
    SELECT k.*, s.drawn_at, EXISTS (SELECT FROM sample_visit v WHERE v.plan_region = k.plan_region AND v.sample_id = k.sample_id
               AND v.case_id = k.case_id AND v.assessor_id = scope_account()) AS is_sent,
           coalesce((SELECT max(g.number) FROM sample_finding g WHERE g.plan_region = k.plan_region AND g.sample_id = k.sample_id
                     AND g.case_id = k.case_id), 0) + 1 AS number
    FROM sample_pick k JOIN sample s ON s.plan_region = k.plan_region AND s.id = k.sample_id
    WHERE k.plan_region = plan_region_of($3::bigint) AND k.sample_id = $3::bigint AND k.case_id = $4::bigint
), judged AS (
    SELECT f.*, CASE
        WHEN f.case_id IS NULL OR NOT (f.is_sent OR coalesce(scope_role() = 'manager', false)) THEN 'not_found'
        WHEN sample_involves(f.plan_region, f.case_id, scope_account()) THEN 'assessor_involved'
        WHEN $5::timestamptz > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN $5::timestamptz < f.drawn_at THEN 'visit_before_draw'
        WHEN ($6::text = 'error') <> ($7::text IS NOT NULL) THEN 'error_kind_unfit'
        WHEN $6::text = 'error' AND btrim(coalesce($8::text, '')) = '' THEN 'note_required' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), made AS (
    INSERT INTO sample_finding (plan_region, sample_id, case_id, number, region, visited_at, result, kind, note, account_id)
    SELECT j.plan_region, j.sample_id, j.case_id, j.number, j.region, $5::timestamptz, $6::text, $7::text, coalesce($8::text, ''), scope_account()
    FROM judged j WHERE j.verdict IS NULL RETURNING *
), answer AS (
    SELECT j.verdict AS _verdict, CASE WHEN j.verdict IN ('happened_in_future', 'visit_before_draw') THEN '/visited_at'
               WHEN j.verdict = 'note_required' THEN '/note' WHEN j.verdict = 'error_kind_unfit' THEN '/kind' END AS _field,
           m.number AS id, m.visited_at, m.result, m.kind, m.note, m.account_id AS account, m.created_at
    FROM judged j LEFT JOIN made m ON true
)

-- name: sample_findings :many
-- $1 sample, $2 case, $3 after, $4 limit
SELECT f.number AS id, f.visited_at, f.result, f.kind, f.note, f.account_id AS account, f.created_at
FROM sample_finding f
WHERE f.plan_region = plan_region_of($1::bigint) AND f.sample_id = $1::bigint AND f.case_id = $2::bigint AND f.number > CASE WHEN $3::bigint IS NULL THEN 0 ELSE $3::bigint END
ORDER BY f.number LIMIT $4::int;

-- name: sample_rates :many
-- $1 sample, $2 by: whole, county, contractor, stratum. What is not visited is in no rate. The weighted rate counts each stratum by
-- the households it stands for; strata without a visit are left out of it. The bounds are the server's: api/samples.c.
WITH stratum AS (
    SELECT t.*, count(k.case_id)::int AS drawn, count(*) FILTER (WHERE f.result IN ('ok', 'error'))::int AS visited,
           count(*) FILTER (WHERE f.result = 'error')::int AS errors
    FROM sample_stratum t
    LEFT JOIN sample_case c ON c.plan_region = t.plan_region AND c.sample_id = t.sample_id AND c.stratum = t.number
    LEFT JOIN sample_pick k ON k.plan_region = c.plan_region AND k.sample_id = c.sample_id AND k.case_id = c.case_id
    LEFT JOIN LATERAL (
        SELECT g.result FROM sample_finding g WHERE g.plan_region = k.plan_region AND g.sample_id = k.sample_id AND g.case_id = k.case_id
        ORDER BY g.number DESC LIMIT 1) AS f ON true
    WHERE t.plan_region = plan_region_of($1::bigint) AND t.sample_id = $1::bigint
    GROUP BY t.plan_region, t.sample_id, t.number
)
SELECT CASE WHEN $2::text IN ('county', 'stratum') THEN t.county_code END AS county,
       CASE WHEN $2::text IN ('contractor', 'stratum') THEN t.contractor END AS contractor,
       sum(t.households)::bigint AS households, sum(t.drawn)::bigint AS drawn, sum(t.visited)::bigint AS visited, sum(t.errors)::bigint AS errors,
       (sum(t.households * t.errors::float8 / nullif(t.visited, 0)) / sum(t.households) FILTER (WHERE t.visited > 0))::float8 AS weighted
FROM stratum t GROUP BY 1, 2 ORDER BY 1, 2;

-- name: verify_samples :many work
-- Redraws every sample from its frozen list, and digests the list again. No rows: all is well.
WITH drawing AS (
    SELECT s.plan_region, s.id, d.case_id, d."position", d.hash FROM sample s
    CROSS JOIN LATERAL sample_drawing(s.plan_region, s.id, s.seed) AS d WHERE s.seed IS NOT NULL
)
SELECT s.id AS sample, 'the list' AS part, s.digest AS kept, d.digest AS recounted
FROM sample s CROSS JOIN LATERAL (SELECT sample_digest(s.plan_region, s.id, NULL) AS digest) AS d WHERE d.digest <> s.digest
UNION ALL
SELECT t.sample_id, 'the list of stratum ' || t.number, t.digest, d.digest
FROM sample_stratum t CROSS JOIN LATERAL (SELECT sample_digest(t.plan_region, t.sample_id, t.number) AS digest) AS d WHERE d.digest <> t.digest
UNION ALL
SELECT coalesce(k.sample_id, d.id), 'case ' || coalesce(k.case_id, d.case_id), coalesce(k."position" || ' ' || k.hash, 'not drawn'),
       coalesce(d."position" || ' ' || d.hash, 'not drawn')
FROM sample_pick k FULL JOIN drawing d ON d.plan_region = k.plan_region AND d.id = k.sample_id AND d.case_id = k.case_id
WHERE (k."position", k.hash) IS DISTINCT FROM (d."position", d.hash)
ORDER BY 1, 2;
