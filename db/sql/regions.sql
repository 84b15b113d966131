-- SPDX-License-Identifier: Apache-2.0
-- Regions and their lineage. The same for everybody.

-- name: regions_list :many public stale
-- $1 parent's code (its children), $2 after, $3 limit
SELECT r.code, r.name, r.level, (SELECT p.code FROM region p WHERE p.place = r.parent) AS parent, r.version
FROM region r
WHERE ($1::text IS NULL OR r.parent = region_of($1::text)) AND r.code > coalesce($2::text, '')
ORDER BY r.code LIMIT $3::int;

-- name: region_get :one public stale
SELECT r.code, r.name, r.level, (SELECT p.code FROM region p WHERE p.place = r.parent) AS parent,
       ARRAY(SELECT c.code FROM region_code c WHERE c.place = r.place AND c.code <> r.code ORDER BY c.code) AS former_codes,
       r.version
FROM region r WHERE r.place = region_of($1::text);

-- name: region_create :write
-- $3 code, $4 name, $5 parent's code
WITH given AS (
    SELECT $3::text AS code, $4::text AS name, p.place AS parent, p.high,
           rpad($3::text, 9, '0')::int AS place,
           CASE WHEN length($3::text) = 9 THEN 'township' WHEN p.level = 'province' THEN 'prefecture' ELSE 'county' END AS level,
           p.level AS parent_level
    FROM (SELECT 1) AS one LEFT JOIN region p ON p.place = region_of($5::text)
), judged AS (
    SELECT g.*, CASE
        WHEN g.parent IS NULL THEN 'parent_unknown'
        WHEN NOT coalesce(scope_manages(g.parent), false) THEN 'region_foreign'
        WHEN EXISTS (SELECT FROM region_code c WHERE c.code = g.code) OR EXISTS (SELECT FROM region r WHERE r.place = g.place) THEN 'region_taken'
        WHEN (g.level = 'township') <> (g.parent_level = 'county') OR g.parent_level = 'township'
            OR g.place NOT BETWEEN g.parent AND g.high OR g.place = g.parent THEN 'region_not_within' END AS verdict
    FROM given g
), made AS (
    INSERT INTO region (place, level, parent, code, name)
    SELECT place, level, parent, code, name FROM judged WHERE verdict IS NULL RETURNING *
), label AS (
    INSERT INTO region_code (code, place) SELECT code, place FROM made
), answer AS (
    SELECT j.verdict AS _verdict, m.code, m.name, m.level, region_label(m.parent) AS parent, m.version
    FROM judged j LEFT JOIN made m ON true
)

-- name: region_recode :write
-- A renumbering: $3 the code today, $4 if-match, $5 the new code, $6 the new name. Townships below take the county's new digits.
WITH found AS (
    SELECT * FROM region WHERE place = region_of($3::text) FOR UPDATE
), judged AS (
    SELECT f.*, CASE
        WHEN f.place IS NULL THEN 'not_found'
        WHEN NOT coalesce(scope_manages(f.place), false) THEN 'region_foreign'
        WHEN $4::int <> f.version THEN 'stale'
        WHEN length($5::text) <> length(f.code) THEN 'region_not_within'
        WHEN f.level NOT IN ('county', 'township') THEN 'region_not_renumbered'
        WHEN EXISTS (SELECT FROM region_code c WHERE c.code = $5::text AND c.place <> f.place) THEN 'region_taken' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), below AS (
    SELECT r.place, CASE WHEN r.place = j.place THEN $5::text ELSE $5::text || right(r.code, 3) END AS code,
           CASE WHEN r.place = j.place THEN coalesce($6::text, r.name) ELSE r.name END AS name
    FROM judged j JOIN region r ON r.place BETWEEN j.place AND j.high WHERE j.verdict IS NULL
), labels AS (
    INSERT INTO region_code AS c (code, place) SELECT code, place FROM below
    ON CONFLICT (code) DO UPDATE SET place = excluded.place WHERE c.place = excluded.place RETURNING code
), changed AS (
    UPDATE region r SET code = b.code, name = b.name, version = r.version + 1
    FROM below b WHERE r.place = b.place RETURNING r.*
), answer AS (
    SELECT j.verdict AS _verdict, coalesce(c.code, j.code) AS code, coalesce(c.name, j.name) AS name, j.level,
           region_label(j.parent) AS parent, coalesce(c.version, j.version) AS version
    FROM judged j LEFT JOIN changed c ON c.place = j.place
)
