-- SPDX-License-Identifier: Apache-2.0
-- Accounts and sessions. Sign-in runs in the scope of the system; everything else in the caller's.

-- name: sign_in_begin :one write
-- $1 user, $2 and $3 keys of user and address, $4 tries from an address for an account, $5 from an address, $6 for
-- an account. Failures of others do not hold up who has signed in from this address before: nobody is locked out
-- from elsewhere. What an attempt still under way will be is not known: it counts once another one has failed.
WITH tried AS (
    SELECT CASE WHEN bool_or(succeeded IS FALSE) THEN count(*) ELSE 0 END AS failures, max(at) AS last FROM (
        SELECT at, succeeded FROM sign_in_attempt
        WHERE account_key = $2::bytea AND address_key = $3::bytea AND succeeded IS NOT TRUE AND at > now() - interval '1 day'
          AND at > coalesce((SELECT max(at) FROM sign_in_attempt
                             WHERE account_key = $2::bytea AND address_key = $3::bytea AND succeeded), '-infinity')
        ORDER BY at DESC LIMIT 50) AS f
), tried_from AS (
    SELECT count(*) AS failures, max(at) AS last FROM (
        SELECT at FROM sign_in_attempt
        WHERE address_key = $3::bytea AND succeeded IS FALSE AND at > now() - interval '1 hour' ORDER BY at DESC LIMIT $5::int + 20) AS f
), tried_for AS (
    SELECT count(*) AS failures, max(at) AS last FROM (
        SELECT at FROM sign_in_attempt
        WHERE account_key = $2::bytea AND succeeded IS FALSE AND at > now() - interval '1 hour' ORDER BY at DESC LIMIT $6::int + 20) AS f
), judged AS (
    SELECT greatest(
        (SELECT last + sign_in_delay(failures, $4::int, '15 minutes') FROM tried),
        CASE WHEN NOT EXISTS (SELECT FROM sign_in_attempt WHERE account_key = $2::bytea AND address_key = $3::bytea AND succeeded)
             THEN greatest((SELECT last + sign_in_delay(failures, $5::int, '5 minutes') FROM tried_from),
                           (SELECT last + sign_in_delay(failures, $6::int, '1 minute') FROM tried_for)) END) AS until
), begun AS (
    INSERT INTO sign_in_attempt (account_key, address_key, account_id)
    SELECT $2::bytea, $3::bytea, (SELECT id FROM account WHERE name = $1::text)
    FROM judged WHERE until IS NULL OR until <= now()
    RETURNING id
)
SELECT b.id AS attempt, ceil(extract(epoch FROM j.until - now()))::int AS wait, a.id AS account, a.password_hash
FROM judged j LEFT JOIN begun b ON true LEFT JOIN account a ON a.name = $1::text AND a.disabled_at IS NULL;

-- name: sign_in_failed :one write
-- $1 attempt, $2 tries from an address for an account, $3 for an account
WITH failed AS (
    UPDATE sign_in_attempt SET succeeded = false WHERE id = $1::bigint RETURNING account_id, account_key, address_key
), counted AS (
    SELECT f.account_id,
        (SELECT count(*) FROM (
            SELECT FROM sign_in_attempt a
            WHERE a.account_key = f.account_key AND a.address_key = f.address_key AND a.succeeded IS NOT TRUE
              AND a.at > now() - interval '1 day'
              AND a.at > coalesce((SELECT max(s.at) FROM sign_in_attempt s WHERE s.account_key = f.account_key
                                   AND s.address_key = f.address_key AND s.succeeded), '-infinity') LIMIT 50) AS t) AS tried,
        (SELECT count(*) FROM (
            SELECT FROM sign_in_attempt a
            WHERE a.account_key = f.account_key AND (a.succeeded IS FALSE OR a.id = $1::bigint)
              AND a.at > now() - interval '1 hour' LIMIT $3::int + 1) AS t) AS tried_for
    FROM failed f
), told AS (
    INSERT INTO account_event (account_id, what)
    SELECT account_id, 'locked_out' FROM counted c
    WHERE account_id IS NOT NULL AND (tried >= $2::int OR tried_for >= $3::int)
      AND NOT EXISTS (SELECT FROM account_event e WHERE e.account_id = c.account_id AND e.what = 'locked_out'
                      AND e.at > now() - interval '15 minutes')
    RETURNING 1
)
SELECT EXISTS (SELECT FROM told) AS locked_out FROM counted;

-- name: session_open :one write
-- $4 the attempt that has succeeded
WITH opened AS (
    INSERT INTO session (token_hash, account_id, expires_at)
    SELECT $1::bytea, a.id, now() + make_interval(secs => $3::int) FROM account a
    WHERE a.id = $2::bigint AND a.disabled_at IS NULL
    RETURNING account_id, expires_at
), succeeded AS (
    UPDATE sign_in_attempt SET succeeded = true WHERE id = $4::bigint AND EXISTS (SELECT FROM opened)
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
), forgiven AS (
    DELETE FROM sign_in_attempt t USING changed c WHERE t.account_id = c.id AND $5::text IS NOT NULL AND t.succeeded IS NOT TRUE
), shown AS (
    SELECT * FROM changed UNION ALL SELECT * FROM found WHERE NOT EXISTS (SELECT FROM changed)
), answer AS (
    SELECT j.verdict AS _verdict, s.id, s.name AS user, s.role, region_label(s.region) AS region, s.disabled_at, s.version
    FROM judged j LEFT JOIN shown s ON true
)

-- name: account_unlock :write
-- $3 id: its failed attempts to sign in are forgotten
WITH found AS (
    SELECT id, name, role, version FROM account WHERE id = $3::bigint
), forgiven AS (
    DELETE FROM sign_in_attempt t USING found f WHERE t.account_id = f.id AND t.succeeded IS NOT TRUE RETURNING 1
), told AS (
    INSERT INTO account_event (account_id, what, by_account) SELECT id, 'unlocked', scope_account() FROM found
), answer AS (
    SELECT CASE WHEN f.id IS NULL THEN 'not_found' END AS _verdict, f.id, f.name AS user, f.role,
           (SELECT count(*) FROM forgiven)::int AS forgiven, f.version
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
)

-- name: account_events :many
SELECT e.id, e.at, e.what, a.name AS by FROM account_event e LEFT JOIN account a ON a.id = e.by_account
WHERE e.account_id = $1::bigint AND e.id > coalesce($2::bigint, 0) ORDER BY e.id LIMIT $3::int;

-- name: contractors_list :many stale
SELECT id, code, name FROM contractor WHERE id > coalesce($1::bigint, 0) ORDER BY id LIMIT $2::int;
