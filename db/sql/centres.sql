-- SPDX-License-Identifier: Apache-2.0
-- Rehabilitation centres, and where they are. The rules are in migration 0033.

-- part: centre_columns
c.id, c.code, c.name, (SELECT p.code FROM plan p WHERE p.id = device_plan_of(c.plan_region, china_date(now()))) AS plan,
       region_label(c.region) AS region, c.address, c.phone, c.version

-- name: centres_list :many stale
-- $1 region: with everything below it; $2 after, $3 limit
SELECT {{centre_columns}}
FROM centre c LEFT JOIN region top ON top.place = region_of($1::text)
WHERE c.id > coalesce($2::bigint, 0) AND ($1::text IS NULL OR c.region BETWEEN top.place AND top.high)
ORDER BY c.id LIMIT $3::int;

-- name: centre_get :one
SELECT {{centre_columns}} FROM centre c WHERE c.code = $1::text;

-- name: centre_put :write
-- $3 code, $4 if-match, $5 plan, $6 region, $7 name, $8 address, $9 phone
WITH answer AS (
    SELECT * FROM centre_put($3::text, $4::int, $5::text, $6::text, $7::text, $8::text, $9::text)
)
