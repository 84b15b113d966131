-- SPDX-License-Identifier: Apache-2.0
-- Photos of cases. The bytes lie outside the database (service/photo_store.h); a row is committed when its file is on the disk.

-- name: photo_may :one
-- $1 case, $2 the client's uuid, $3 slot, $4 item, $5 finding, $6 how many a case may have: before the bytes are taken. What was sent
-- once may be sent again, whatever has become of the case.
SELECT r.verdict AS _verdict, r.field AS _field
FROM (SELECT 1) AS one
LEFT JOIN retrofit_case c ON c.plan_region = plan_region_of($1::bigint) AND c.id = $1::bigint
CROSS JOIN LATERAL photo_refused(c, $3::text, $4::int, $5::int, $6::int) AS r
WHERE NOT EXISTS (SELECT FROM case_photo u
    WHERE u.plan_region = plan_region_of($1::bigint) AND u.case_id = $1::bigint AND u.sent_as = $2::uuid);

-- name: photo_add :write key=3
-- $3 case, $4 the client's uuid, $5 slot, $6 item, $7 finding, $8 taken at, by the client's clock, $9 note, $10 how many a case may
-- have, $11 fingerprint, $12 what the file says of itself, $13 perceptual hash
WITH found AS (
    SELECT c FROM retrofit_case c WHERE c.plan_region = plan_region_of($3::bigint) AND c.id = $3::bigint FOR NO KEY UPDATE
), before AS (
    SELECT u.* FROM case_photo u WHERE u.plan_region = plan_region_of($3::bigint) AND u.case_id = $3::bigint AND u.sent_as = $4::uuid
), judged AS (
    SELECT f.c, b.id AS sent, r.field, CASE
        WHEN b.id IS NULL THEN r.verdict
        WHEN (b.photo, b.slot) IS DISTINCT FROM ($11::bytea, $5::text) OR b.item IS DISTINCT FROM $6::int
            OR b.finding IS DISTINCT FROM $7::int THEN 'photo_sent_otherwise' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true LEFT JOIN before b ON true
    CROSS JOIN LATERAL photo_refused(f.c, $5::text, $6::int, $7::int, $10::int) AS r
), stored AS MATERIALIZED (
    SELECT j.c, photo_keep($11::bytea, $12::json, $13::bigint) AS hash FROM judged j WHERE j.verdict IS NULL AND j.sent IS NULL
), made AS (
    INSERT INTO case_photo (plan_region, id, case_id, slot, item, finding, photo, taken_at, note, account_id, sent_as)
    SELECT (k.c).plan_region, id_in((k.c).plan_region, 'case_photo_number'), (k.c).id, $5::text, $6::int, $7::int, k.hash, CASE
            WHEN photo_time($12::json->>'captured') <= now() + interval '5 minutes' THEN photo_time($12::json->>'captured')
            WHEN $8::timestamptz <= now() + interval '5 minutes' THEN $8::timestamptz
            ELSE now() END,
        coalesce($9::text, ''), scope_account(), $4::uuid
    FROM stored k RETURNING *
), shown AS (
    SELECT * FROM made UNION ALL SELECT * FROM before
), answer AS (
    SELECT j.verdict AS _verdict, j.field AS _field, u.id, u.sent_as::text, f.bytes AS kept, u.id IS NOT NULL AS complete, u.slot, u.item,
        u.finding, u.taken_at, u.note, f.width, f.height
    FROM judged j LEFT JOIN shown u ON true LEFT JOIN json_to_record($12::json) AS f (bytes bigint, width int, height int) ON u.id IS NOT NULL
)

-- name: photo_sent :one
-- $1 case, $2 the client's uuid: what has become of it; no id: it is not there (yet). No row: not your case.
SELECT u.id, $2::uuid::text AS sent_as, p.bytes AS kept, u.id IS NOT NULL AS complete, u.slot, u.item, u.finding, u.taken_at, u.note,
    p.width, p.height
FROM retrofit_case c
LEFT JOIN case_photo u ON u.plan_region = c.plan_region AND u.case_id = c.id AND u.sent_as = $2::uuid
LEFT JOIN photo p ON p.hash = u.photo
WHERE c.plan_region = plan_region_of($1::bigint) AND c.id = $1::bigint;

-- name: photos_list :many
-- $1 case, $2 slot, $3 item, $4 after, $5 limit. Where it was taken is for those who judge, not for those who build.
SELECT u.id, u.sent_as::text, u.slot, u.item, u.finding, u.taken_at, u.account_id AS by, u.created_at AS sent_at, p.kind, p.bytes, p.width,
    p.height, p.captured_at, p.longitude IS NOT NULL AS place_known,
    CASE WHEN scope_role() <> 'contractor' THEN p.longitude END AS longitude,
    CASE WHEN scope_role() <> 'contractor' THEN p.latitude END AS latitude, u.note,
    photo_flagged(u.plan_region, u.id) AS flagged
FROM case_photo u JOIN photo p ON p.hash = u.photo
WHERE u.plan_region = plan_region_of($1::bigint) AND u.case_id = $1::bigint AND u.removed_at IS NULL
  AND ($2::text IS NULL OR u.slot = $2::text) AND ($3::int IS NULL OR u.item = $3::int) AND u.id > coalesce($4::bigint, 0)
ORDER BY u.id LIMIT $5::int;

-- name: photo_file :one
-- $1 number of the photo: where its bytes are
SELECT encode(u.photo, 'hex') AS hash, p.gone_at IS NOT NULL AS gone
FROM case_photo u JOIN photo p ON p.hash = u.photo
WHERE u.plan_region = plan_region_of($1::bigint) AND u.id = $1::bigint AND u.removed_at IS NULL;

-- name: photo_remove :write key=3
-- $3 case, $4 number or uuid of the photo, $5 why
WITH found AS (
    SELECT c FROM retrofit_case c WHERE c.plan_region = plan_region_of($3::bigint) AND c.id = $3::bigint FOR NO KEY UPDATE
), photo AS (
    SELECT u.* FROM found f, case_photo u
    WHERE u.plan_region = plan_region_of($3::bigint) AND u.case_id = $3::bigint AND $4::text IN (u.id::text, u.sent_as::text)
      AND u.removed_at IS NULL
), judged AS (
    SELECT u.id, CASE
        WHEN u.id IS NULL THEN 'not_found'
        WHEN scope_role() NOT IN ('county', 'manager') AND u.account_id <> scope_account() THEN 'photo_of_another'
        WHEN (f.c).stage IN ('accepted', 'closed') THEN 'photo_too_late'
        WHEN EXISTS (SELECT FROM inspection i WHERE i.plan_region = u.plan_region AND i.signature = u.id) THEN 'signature_kept'
        WHEN (f.c).stage <> 'approved' AND EXISTS (SELECT FROM survey_signature s WHERE s.plan_region = u.plan_region AND s.signature = u.id)
            THEN 'signature_kept' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true LEFT JOIN photo u ON true
), removed AS (
    UPDATE case_photo u SET removed_at = now(), removed_by = scope_account(), removed_note = $5::text FROM judged j
    WHERE j.verdict IS NULL AND u.plan_region = plan_region_of($3::bigint) AND u.id = j.id RETURNING u.id, u.removed_at
), answer AS (
    SELECT j.verdict AS _verdict, j.id, r.removed_at FROM judged j LEFT JOIN removed r ON true
)

-- name: photos_give_up :one work
-- $1 days, $2 a lock that backups hold shared: while one runs nothing is given up. First the row says so, then the file goes. A photo
-- that is being sent again has its row locked and, when this looks at it again, a used_at of now.
WITH free AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock($2::bigint) AS now
), given AS (
    UPDATE photo p SET gone_at = now() FROM free
    WHERE free.now AND p.gone_at IS NULL AND p.used_at < now() - interval '1 day'
      AND p.hash IN (SELECT u.photo FROM case_photo u WHERE u.removed_at < now() - make_interval(days => $1::int))
      AND NOT EXISTS (SELECT FROM case_photo u WHERE u.photo = p.hash
          AND (u.removed_at IS NULL OR u.removed_at >= now() - make_interval(days => $1::int)))
    RETURNING 1
)
SELECT (SELECT count(*) FROM given) AS given_up, (SELECT s.id::text FROM installation s) AS installation;

-- name: photos_judge :many work
-- $1 fingerprints that have files: which of them no row wants
SELECT f.hash FROM unnest($1::text[]) AS f (hash) LEFT JOIN photo p ON p.hash = decode(f.hash, 'hex')
WHERE p.hash IS NULL OR p.gone_at IS NOT NULL;

-- name: photos_missing :one work
-- $1 fingerprints that have files, $2 and $3 the first and the last fingerprint of their shard: how many rows have none (the newest
-- may be younger than the list)
SELECT count(*)::int AS missing FROM photo p
WHERE p.hash BETWEEN decode($2::text, 'hex') AND decode($3::text, 'hex') AND p.gone_at IS NULL AND p.used_at < now() - interval '10 minutes'
  AND NOT EXISTS (SELECT FROM unnest($1::text[]) AS f (hash) WHERE decode(f.hash, 'hex') = p.hash);

-- name: photos_swept :one work
-- $1 how many rows have no file
UPDATE installation SET photos_missing = $1::int, photos_swept_at = now() RETURNING photos_missing;

-- name: photos_known :many work
-- $1 after this fingerprint, $2 how many: for `tantu verify photos`
SELECT encode(p.hash, 'hex') AS hash, p.bytes, p.gone_at IS NOT NULL AS gone FROM photo p
WHERE p.hash > decode($1::text, 'hex') ORDER BY p.hash LIMIT $2::int;
