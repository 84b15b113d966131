-- SPDX-License-Identifier: Apache-2.0
-- Accounts and sessions. Sign-in runs in the scope of the system; everything else in the caller's.

-- name: account_to_sign_in :one
SELECT id, password_hash, role FROM account WHERE name = $1::text AND disabled_at IS NULL;

-- name: session_open :one write
WITH opened AS (
    INSERT INTO session (token_hash, account_id, expires_at)
    SELECT $1::bytea, a.id, now() + make_interval(secs => $3::int) FROM account a
    WHERE a.id = $2::bigint AND a.disabled_at IS NULL
    RETURNING account_id, expires_at
)
SELECT a.role, o.expires_at, a.name AS user, region_label(a.region) AS region
FROM opened o JOIN account a ON a.id = o.account_id;

-- name: session_find :one
SELECT a.id, a.name, a.role, coalesce(r.place, 0) AS low, coalesce(r.high, 999999999) AS high,
       a.contractor_id, a.centre_id, (extract(epoch FROM s.expires_at - now()) * 1000000)::bigint AS lives
FROM session s JOIN account a ON a.id = s.account_id LEFT JOIN region r ON r.place = a.region
WHERE s.token_hash = $1::bytea AND s.expires_at > now() AND a.disabled_at IS NULL;

-- name: session_close :one write
WITH ended AS (DELETE FROM session WHERE token_hash = $1::bytea RETURNING 1)
SELECT count(*) AS ended FROM ended;

-- name: account_get :one
SELECT a.id, a.name AS user, a.role, region_label(a.region) AS region, c.code AS contractor, e.code AS centre,
       a.disabled_at, a.created_at, a.version
FROM account a LEFT JOIN contractor c ON c.id = a.contractor_id LEFT JOIN centre e ON e.id = a.centre_id
WHERE a.id = $1::bigint;

-- name: accounts_list :many
SELECT a.id, a.name AS user, a.role, region_label(a.region) AS region, c.code AS contractor, e.code AS centre,
       a.disabled_at, a.created_at, a.version
FROM account a LEFT JOIN contractor c ON c.id = a.contractor_id LEFT JOIN centre e ON e.id = a.centre_id
WHERE a.id > coalesce($1::bigint, 0) ORDER BY a.id LIMIT $2::int;

-- name: account_create :write
-- $3 name, $4 password hash, $5 role, $6 region, $7 contractor's code, $8 centre's code (both made when new)
WITH given AS (
    SELECT $3::text AS name, $5::text AS role, region_of($6::text) AS place,
        CASE WHEN $6::text IS NOT NULL AND region_of($6::text) IS NULL THEN 'region_unknown'
             WHEN $6::text IS NULL AND $5::text IN ('county', 'manager', 'auditor') THEN 'region_required'
             WHEN $5::text = 'contractor' AND $7::text IS NULL THEN 'contractor_required'
             WHEN $5::text <> 'contractor' AND $7::text IS NOT NULL THEN 'contractor_not_wanted'
             WHEN $5::text = 'centre' AND $8::text IS NULL THEN 'centre_required'
             WHEN $5::text <> 'centre' AND $8::text IS NOT NULL THEN 'centre_not_wanted'
             WHEN EXISTS (SELECT FROM account WHERE name = $3::text) THEN 'user_taken' END AS verdict
), its_contractor AS (
    INSERT INTO contractor AS c (code, name) SELECT $7::text, $7::text FROM given WHERE verdict IS NULL AND $7::text IS NOT NULL
    ON CONFLICT (code) DO UPDATE SET name = c.name RETURNING id, code
), its_centre AS (
    INSERT INTO centre AS c (code, name) SELECT $8::text, $8::text FROM given WHERE verdict IS NULL AND $8::text IS NOT NULL
    ON CONFLICT (code) DO UPDATE SET name = c.name RETURNING id, code
), made AS (
    INSERT INTO account (name, password_hash, role, region, contractor_id, centre_id)
    SELECT name, $4::text, role, place, (SELECT id FROM its_contractor), (SELECT id FROM its_centre)
    FROM given WHERE verdict IS NULL
    RETURNING id, name, role, region, created_at, version
), answer AS (
    SELECT g.verdict AS _verdict, m.id, m.name AS user, m.role, region_label(m.region) AS region,
           (SELECT code FROM its_contractor) AS contractor, (SELECT code FROM its_centre) AS centre, m.created_at, m.version
    FROM given g LEFT JOIN made m ON true
)

-- name: account_change :write
-- $3 id, $4 if-match, $5 password hash, $6 disabled, $7 region. Whatever changes, its sessions end.
WITH found AS (
    SELECT * FROM account WHERE id = $3::bigint FOR UPDATE
), judged AS (
    SELECT f.id, CASE WHEN f.id IS NULL THEN 'not_found'
                      WHEN $4::int <> f.version THEN 'stale'
                      WHEN $7::text IS NOT NULL AND region_of($7::text) IS NULL THEN 'region_unknown' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), changed AS (
    UPDATE account a SET version = a.version + 1, password_hash = coalesce($5::text, a.password_hash),
        disabled_at = CASE $6::boolean WHEN true THEN coalesce(a.disabled_at, now()) WHEN false THEN NULL ELSE a.disabled_at END,
        region = coalesce(region_of($7::text), a.region)
    FROM judged j WHERE j.verdict IS NULL AND a.id = j.id RETURNING a.*
), ended AS (
    DELETE FROM session s USING changed c WHERE s.account_id = c.id
), shown AS (
    SELECT * FROM changed UNION ALL SELECT * FROM found WHERE NOT EXISTS (SELECT FROM changed)
), answer AS (
    SELECT j.verdict AS _verdict, s.id, s.name AS user, s.role, region_label(s.region) AS region, s.disabled_at, s.version
    FROM judged j LEFT JOIN shown s ON true
)

-- name: contractors_list :many
SELECT id, code, name FROM contractor WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2::int;

-- name: centres_list :many
SELECT id, code, name FROM centre WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2::int;
