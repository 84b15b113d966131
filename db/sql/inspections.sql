-- SPDX-License-Identifier: Apache-2.0
-- Acceptance inspections. Their rules are in migration 0023.

-- name: inspection_create :write key=3
-- $3 case, $4 if-match (of the case), $5 inspected at, $6 [{item, measured, fault?}], $7 satisfaction, $8 signature, $9 result,
-- $10 deadline, $11 note
-- (A photo of the case that looks like one of another household stops nothing, but who accepts is told: docs/looks.md.)
WITH made AS MATERIALIZED (
    SELECT * FROM inspection_make($3::bigint, $4::int, ROW(NULL, NULL, NULL, NULL, $5::timestamptz, scope_account(), $9::text,
        $7::int, $8::bigint, coalesce($11::text, ''), $10::date, NULL)::inspection, $6::json)
), answer AS (
    SELECT m.*, CASE WHEN m._verdict IS NULL THEN CASE WHEN EXISTS (SELECT FROM photo_flag_side f
        WHERE f.plan_region = plan_region_of($3::bigint) AND f.case_id = $3::bigint AND f.state = 'open') THEN '{photo_flagged}' ELSE '{}' END::text[]
        END AS warnings
    FROM made m
)

-- name: inspections_of_case :many
-- A contractor sees what is to be mended and until when, and nobody's signature.
SELECT i.number AS id, i.case_id AS case, i.case_version, i.inspected_at, i.account_id AS account, i.result, i.satisfaction,
       CASE WHEN scope_contractor() IS NULL THEN i.signature END AS signature, i.note, i.deadline, inspection_items(i) AS items, i.created_at
FROM inspection i
WHERE i.plan_region = plan_region_of($1::bigint) AND i.case_id = $1::bigint AND i.number > coalesce($2::bigint, 0)
ORDER BY i.number LIMIT $3::int;
