-- SPDX-License-Identifier: Apache-2.0
-- The design of a case (一户一方案): items, subsidies, change orders; and the sheet of it.

-- name: case_plan_sheet :one write
-- $1 case. Names and address in clear, for paper: that they were read is recorded in the same transaction.
WITH home AS (
    SELECT c.*, h.address FROM retrofit_case c JOIN household h ON h.plan_region = c.plan_region AND h.id = c.household_id
    WHERE c.plan_region = plan_region_of($1::bigint) AND c.id = $1::bigint
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region)
    SELECT scope_account(), 'plan sheet of a case', $1::bigint, c.region FROM home c
)
SELECT c.household_number, p.name_zh AS plan_name, r.name AS region_name, c.village, c.address, c.version,
       (SELECT n.name FROM person n WHERE n.plan_region = c.plan_region AND n.household_id = c.household_id
        ORDER BY n.relation <> '户主', n.id LIMIT 1) AS name,
       (SELECT coalesce(json_agg(json_build_object('number', i.number, 'room', i.room, 'name', i.name, 'unit', i.unit,
            'quantity', trim_scale(i.quantity), 'price', i.price) ORDER BY i.number), '[]') FROM case_item i
        WHERE i.plan_region = c.plan_region AND i.case_id = c.id AND i.removed_at IS NULL) AS items
FROM home c JOIN plan p ON p.id = c.plan_id JOIN region r ON r.place = c.region;
