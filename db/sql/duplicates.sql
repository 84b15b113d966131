-- SPDX-License-Identifier: Apache-2.0
-- Possible duplicates: what the job asks, the review list, merging. Migration 0025 finds, merges and puts back.

-- name: births_wanted :many work
-- People whose day of birth has not been taken from the sealed number yet: of before migration 0025. $1 how many
SELECT p.id, p.citizen_id FROM person p WHERE p.born IS NULL ORDER BY p.plan_region, p.id LIMIT $1::int;

-- name: births_store :one work
-- $1 ids, $2 days ('': cannot be read): whoever has one now is compared once more
WITH stored AS (
    UPDATE person p SET born = u.born FROM unnest($1::bigint[], $2::text[]) AS u (id, born)
    WHERE p.plan_region = plan_region_of(u.id) AND p.id = u.id RETURNING p.plan_region, p.id
), queued AS (
    INSERT INTO person_uncompared SELECT plan_region, id FROM stored ON CONFLICT DO NOTHING
)
SELECT count(*) AS stored FROM stored;

-- name: duplicates_scan :one work
SELECT duplicates_scan($1::int) AS compared;

-- part: side
-- What the review list shows of one of the two: masked.
json_build_object('person', p.id, 'name', left(p.name, 1) || repeat('*', greatest(length(p.name) - 1, 1)), 'sex', p.sex,
    'birth_year', left(p.born, 4), 'phone', CASE WHEN length(p.phone) > 7 THEN left(p.phone, 3) || '****' || right(p.phone, 4) ELSE '' END,
    'household', h.id, 'household_number', regexp_replace(h.number, '~' || p.id || '$', ''), 'region', region_label(h.region), 'village', h.village, 'merged_into', p.merged_into,
    'cases', (SELECT json_agg(json_build_object('id', c.id, 'plan', (SELECT l.code FROM plan l WHERE l.id = c.plan_id), 'stage', c.stage)
                              ORDER BY c.id)
              FROM retrofit_case c WHERE c.plan_region = h.plan_region AND c.household_id = h.id))

-- part: shown
d.id, d.state, d.score, d.parts,
       (SELECT {{side}} FROM person p JOIN household h ON h.plan_region = p.plan_region AND h.id = p.household_id
        WHERE p.plan_region = d.plan_region AND p.id = d.low) AS one,
       (SELECT {{side}} FROM person p JOIN household h ON h.plan_region = p.plan_region AND h.id = p.household_id
        WHERE p.plan_region = d.plan_region AND p.id = d.high) AS other,
       d.found_at, d.resolved_at, d.resolved_by, d.note, d.version

-- name: duplicates_list :many
-- $1 plan, $2 state, $3 region (of either side), $4 the least score, $5 after, $6 limit
SELECT {{shown}}
FROM duplicate d
WHERE d.plan_region = (SELECT p.region FROM plan p WHERE p.code = $1::text) AND d.state = CASE WHEN $2::text IS NULL THEN 'open' ELSE $2::text END
  AND d.id > CASE WHEN $5::bigint IS NULL THEN 0 ELSE $5::bigint END AND ($4::int IS NULL OR d.score >= $4::int)
  AND ($3::text IS NULL
       OR d.low_region BETWEEN (SELECT x.place FROM region_code x WHERE x.code = $3::text)
           AND (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place WHERE x.code = $3::text)
       OR d.high_region BETWEEN (SELECT x.place FROM region_code x WHERE x.code = $3::text)
           AND (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place WHERE x.code = $3::text))
ORDER BY d.id LIMIT $6::int;

-- name: duplicate_get :one write
-- Both sides in full, for who must judge; the numbers stay masked. That it was read is recorded.
WITH found AS (
    SELECT * FROM duplicate d WHERE d.plan_region = plan_region_of($1::bigint) AND d.id = $1::bigint
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'possible duplicate', p.id, h.region
    FROM found d JOIN person p ON p.plan_region = d.plan_region AND p.id IN (d.low, d.high)
    JOIN household h ON h.plan_region = p.plan_region AND h.id = p.household_id
)
SELECT {{shown}}, a.name AS "one_is.name", a.born AS "one_is.born", a.phone AS "one_is.phone", a.citizen_id AS "one_is.citizen_id",
       a.certificate AS "one_is.certificate", a.relation AS "one_is.relation", g.address AS "one_is.address",
       b.name AS "other_is.name", b.born AS "other_is.born", b.phone AS "other_is.phone", b.citizen_id AS "other_is.citizen_id",
       b.certificate AS "other_is.certificate", b.relation AS "other_is.relation", h.address AS "other_is.address",
       (SELECT json_agg(json_build_object('number', m.number, 'kept', m.kept_person, 'gone', m.gone_person, 'kept_household', m.kept_household,
            'gone_household', m.gone_household, 'note', m.note, 'merged_by', m.merged_by, 'merged_at', m.merged_at, 'undone_by', m.undone_by,
            'undone_at', m.undone_at, 'undo_note', m.undo_note) ORDER BY m.number)
        FROM duplicate_merge m WHERE m.plan_region = d.plan_region AND m.duplicate_id = d.id) AS merges
FROM found d
JOIN person a ON a.plan_region = d.plan_region AND a.id = d.low JOIN household g ON g.plan_region = a.plan_region AND g.id = a.household_id
JOIN person b ON b.plan_region = d.plan_region AND b.id = d.high JOIN household h ON h.plan_region = b.plan_region AND h.id = b.household_id;

-- name: duplicate_resolve :write
-- $3 id, $4 if-match, $5 not_duplicate, person, household, both, $6 the person who is kept, $7 note
WITH done AS MATERIALIZED (
    SELECT f.* FROM duplicate_resolve($3::bigint, $4::int, $5::text, $6::bigint, coalesce($7::text, '')) AS f
), d AS (
    SELECT f.verdict, f.lacking, (f.made).* FROM done f
), answer AS (
    SELECT d.verdict AS _verdict, d.lacking AS _reasons, d.id, d.state, d.score, d.parts, d.low AS one, d.high AS other, d.resolved_at, d.resolved_by,
           d.note, d.version
    FROM d
)

-- name: duplicate_undo :write
-- $3 id, $4 if-match, $5 note
WITH done AS MATERIALIZED (
    SELECT f.* FROM duplicate_undo($3::bigint, $4::int, coalesce($5::text, '')) AS f
), d AS (
    SELECT f.verdict, f.lacking, (f.made).* FROM done f
), answer AS (
    SELECT d.verdict AS _verdict, d.lacking AS _reasons, d.id, d.state, d.score, d.parts, d.low AS one, d.high AS other, d.resolved_at, d.resolved_by,
           d.note, d.version
    FROM d
)

-- name: person_get :one write
-- Whoever was merged away is still found, and says whom he turned out to be. That it was read is recorded.
WITH found AS (
    SELECT p.*, h.number, h.region, h.village, h.merged_into AS home_merged_into
    FROM person p JOIN household h ON h.plan_region = p.plan_region AND h.id = p.household_id
    WHERE p.plan_region = plan_region_of($1::bigint) AND p.id = $1::bigint
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'person', id, region FROM found
)
SELECT p.id, p.name, p.sex, p.relation, p.citizen_id, p.certificate, p.category::int, p.level::int, p.phone, p.registered_on, p.merged_into,
       p.household_id AS household, regexp_replace(p.number, '~' || p.id || '$', '') AS household_number, p.home_merged_into AS household_merged_into,
       region_label(p.region) AS region, p.village
FROM found p;
