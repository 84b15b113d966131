-- SPDX-License-Identifier: Apache-2.0
-- Home surveys (入户评估). Their rules are in migration 0017. Who read a survey is recorded: it is of somebody's home.

-- name: survey_get :one write
WITH found AS (
    SELECT c FROM retrofit_case c JOIN survey s ON s.plan_region = c.plan_region AND s.case_id = c.id
    WHERE c.plan_region = plan_region_of($1::bigint) AND c.id = $1::bigint
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'survey of a case', $1::bigint, (f.c).region FROM found f
)
SELECT shown.* FROM found f CROSS JOIN survey_shown(f.c, NULL, NULL, NULL) AS shown;

-- name: survey_put :write key=3
-- $3 case, $4 if-match, $5 visited at, $6 longitude, $7 latitude, $8 findings, $9 device needs, $10 remark
WITH answer AS (
    SELECT * FROM survey_save($3::bigint, $4::int, $5::timestamptz, $6::float8, $7::float8, $8::json, $9::json, $10::text)
)

-- name: survey_signature_add :write key=3
-- $3 case, $4 if-match, $5 household or assessor, $6 name, $7 relation, $8 case_photo, $9 signed at
WITH answer AS (
    SELECT * FROM survey_sign($3::bigint, $4::int, $5::text, $6::text, $7::text, $8::bigint, $9::timestamptz)
)

-- name: survey_versions :many write
-- $1 case, $2 after, $3 limit: every version as it was saved, and what was signed of it
WITH found AS (
    SELECT c FROM retrofit_case c WHERE c.plan_region = plan_region_of($1::bigint) AND c.id = $1::bigint
), page AS (
    SELECT v.* FROM survey_version v
    WHERE v.plan_region = plan_region_of($1::bigint) AND v.case_id = $1::bigint AND v.version > coalesce($2::bigint, 0)
    ORDER BY v.version LIMIT $3::int
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'versions of a survey', $1::bigint, (f.c).region FROM found f WHERE EXISTS (SELECT FROM page)
)
SELECT p.version AS id, p.saved_at, p.account_id AS account, p.content::json AS content, (
    SELECT coalesce(json_agg(survey_signature_shown(s) ORDER BY s.signer, s.created_at), '[]') FROM survey_signature s
    WHERE s.plan_region = p.plan_region AND s.case_id = p.case_id AND s.version = p.version) AS signatures
FROM page p ORDER BY p.version;
