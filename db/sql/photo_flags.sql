-- SPDX-License-Identifier: Apache-2.0
-- Photos that look like those of another household: migration 0021. Row-level security shows of a flag the sides whose cases the
-- caller sees; the other side is then "another household outside your region".

-- part: seen
-- The sides of flag f that the caller sees. (OFFSET 0 and LIMIT keep the planner on this path, whatever it knows of the tables.)
SELECT s.photo_use, s.case_id, s.state, s.note, s.account_id, s.resolved_at, c.*, u.*
FROM (SELECT * FROM photo_flag_side s WHERE s.flag_id = f.id OFFSET 0) AS s
CROSS JOIN LATERAL (
    SELECT c.plan_id, c.region, c.household_number, c.householder, (SELECT k.code FROM contractor k WHERE k.id = c.contractor_id) AS contractor
    FROM retrofit_case c WHERE c.plan_region = s.plan_region AND c.id = s.case_id OFFSET 0) AS c
CROSS JOIN LATERAL (
    SELECT u.slot, u.item, u.taken_at FROM case_photo u WHERE u.plan_region = s.plan_region AND u.id = s.photo_use OFFSET 0) AS u

-- part: side_one
a.photo_use AS "one.photo", a.case_id AS "one.case", (SELECT p.code FROM plan p WHERE p.id = a.plan_id) AS "one.plan",
       region_label(a.region) AS "one.region", a.household_number AS "one.household_number", a.householder AS "one.householder",
       a.contractor AS "one.contractor", a.slot AS "one.slot", a.item AS "one.item", a.taken_at AS "one.taken_at",
       a.state AS "one.state", a.note AS "one.note", a.account_id AS "one.account", a.resolved_at AS "one.resolved_at"

-- part: side_other
b.photo_use AS "other.photo", b.case_id AS "other.case", (SELECT p.code FROM plan p WHERE p.id = b.plan_id) AS "other.plan",
       region_label(b.region) AS "other.region", b.household_number AS "other.household_number", b.householder AS "other.householder",
       b.contractor AS "other.contractor", b.slot AS "other.slot", b.item AS "other.item", b.taken_at AS "other.taken_at",
       b.state AS "other.state", b.note AS "other.note", b.account_id AS "other.account", b.resolved_at AS "other.resolved_at"

-- part: flag_columns
f.id, f.distance::int AS distance, f.same_bytes, f.created_at,
       CASE WHEN 'open' IN (a.state, b.state) THEN 'open' WHEN 'fraud' IN (a.state, b.state) THEN 'fraud'
            WHEN 'removed' IN (a.state, b.state) THEN 'removed' ELSE a.state END AS state,
       b.photo_use IS NULL AS other_is_foreign,
       {{side_one}},
       {{side_other}},
       f.version

-- part: both_sides
JOIN LATERAL ({{seen}} ORDER BY s.photo_use LIMIT 1) AS a ON true
LEFT JOIN LATERAL ({{seen}} WHERE s.photo_use > a.photo_use OFFSET 0) AS b ON true

-- name: photo_flags_list :many
-- $1 plan, $2 region, $3 state, $4 after, $5 limit: the flags of which a side that the caller sees is of that plan, region and state
WITH asked AS MATERIALIZED (
    SELECT (SELECT p.id FROM plan p WHERE p.code = $1::text) AS plan_id, x.place, r.high
    FROM (SELECT 1) AS one LEFT JOIN region_code x ON x.code = $2::text LEFT JOIN region r ON r.place = x.place
)
SELECT {{flag_columns}}
FROM asked q CROSS JOIN photo_flag f
{{both_sides}}
WHERE f.id > CASE WHEN $4::bigint IS NULL THEN 0 ELSE $4::bigint END AND (
    (($1::text IS NULL OR a.plan_id = q.plan_id) AND ($2::text IS NULL OR a.region BETWEEN q.place AND q.high) AND ($3::text IS NULL OR a.state = $3::text))
    OR (($1::text IS NULL OR b.plan_id = q.plan_id) AND ($2::text IS NULL OR b.region BETWEEN q.place AND q.high)
        AND ($3::text IS NULL OR b.state = $3::text) AND b.photo_use IS NOT NULL))
ORDER BY f.id LIMIT $5::int;

-- name: photo_flag_get :one
SELECT {{flag_columns}}
FROM photo_flag f
{{both_sides}}
WHERE f.id = $1::bigint;

-- name: photo_flag_resolve :write
-- $3 flag, $4 if-match, $5 explained or fraud, $6 note: answers for the sides that the caller sees and that are not closed by the
-- photo's removal; what was said can be changed.
WITH found AS (
    SELECT f.id, f.version FROM photo_flag f WHERE f.id = $3::bigint FOR UPDATE
), judged AS (
    SELECT f.*, CASE
        WHEN f.id IS NULL THEN 'not_found'
        WHEN $4::int <> f.version THEN 'stale'
        WHEN NOT EXISTS (SELECT FROM photo_flag_side s WHERE s.flag_id = f.id AND s.state <> 'removed') THEN 'photo_flag_closed' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), said AS (
    UPDATE photo_flag_side s SET state = $5::text, note = $6::text, account_id = scope_account(), resolved_at = now()
    FROM judged j WHERE j.verdict IS NULL AND s.flag_id = j.id AND s.state <> 'removed' RETURNING s.photo_use
), raised AS (
    UPDATE photo_flag f SET version = f.version + 1 FROM judged j WHERE j.verdict IS NULL AND f.id = j.id RETURNING f.version
), answer AS (
    SELECT j.verdict AS _verdict, j.id, CASE WHEN j.verdict IS NULL THEN $5::text END AS state,
           (SELECT count(*)::int FROM said) AS sides, coalesce(r.version, j.version) AS version
    FROM judged j LEFT JOIN raised r ON true
)

-- name: photo_compare :one work
-- $1 the use of a photo
SELECT photo_compare($1::bigint) AS flagged;
