-- SPDX-License-Identifier: Apache-2.0
-- Short loans at a community point. Rules: migration 0043.

-- part: loan_asked
-- $1 region, $2 centre; by: as rental_asked
asked AS MATERIALIZED (
    SELECT a.*, CASE WHEN a.centre_id IS NOT NULL THEN 'centre' WHEN a.high - a.low < 1000 THEN 'place' ELSE 'plan' END AS by FROM (
        SELECT CASE WHEN $1::text IS NULL THEN scope_low() ELSE (SELECT x.place FROM region_code x WHERE x.code = $1::text) END AS low,
            CASE WHEN $1::text IS NULL THEN scope_high() ELSE (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place
                 WHERE x.code = $1::text) END AS high,
            CASE WHEN $2::text IS NOT NULL THEN coalesce((SELECT c.id FROM centre c WHERE c.code = $2::text), 0)
                 WHEN scope_role() = 'centre' THEN scope_centre() END AS centre_id) AS a
), plans AS MATERIALIZED (
    SELECT DISTINCT p.region AS plan_region FROM asked a, plan p JOIN region top ON top.place = p.region
    WHERE (top.place <= a.high AND top.high >= a.low) IS TRUE
)

-- part: loan_within
h.kind = 'loan' AND (h.region >= a.low) IS TRUE AND (h.region <= a.high) IS TRUE

-- name: device_loans_list :many
-- $3 returned, lost, or all of them, $4 after, $5 limit: in their order
WITH {{loan_asked}}, after AS MATERIALIZED (
    SELECT CASE WHEN $4::text IS NULL THEN 0 ELSE $4::bigint END AS id
), page AS (
    SELECT f.* FROM (
        SELECT h.* FROM asked a CROSS JOIN after f CROSS JOIN LATERAL (
            SELECT h.plan_region, h.id FROM handover h WHERE h.centre_id = a.centre_id AND h.id > f.id AND {{loan_within}}
              AND ($3::text IS NULL OR h.ended = $3::text) ORDER BY h.id LIMIT $5::int) AS h WHERE a.by = 'centre'
        UNION ALL
        SELECT h.* FROM asked a JOIN region g ON g.place BETWEEN a.low AND a.high CROSS JOIN after f CROSS JOIN LATERAL (
            SELECT h.plan_region, h.id FROM handover h WHERE h.region = g.place AND h.id > f.id AND {{loan_within}}
              AND ($3::text IS NULL OR h.ended = $3::text) ORDER BY h.id LIMIT $5::int) AS h WHERE a.by = 'place'
        UNION ALL
        SELECT h.* FROM asked a CROSS JOIN plans p CROSS JOIN after f CROSS JOIN LATERAL (
            SELECT h.plan_region, h.id FROM handover h WHERE h.plan_region = p.plan_region AND h.id > f.id AND {{loan_within}}
              AND ($3::text IS NULL OR h.ended = $3::text) ORDER BY h.id LIMIT $5::int) AS h WHERE a.by = 'plan') AS f
    ORDER BY f.id LIMIT $5::int
)
SELECT s.*, s.id::text AS _cursor FROM page p CROSS JOIN LATERAL loan_show(p.plan_region, p.id, false) AS s ORDER BY s.id;

-- name: device_loans_out :many
-- $3 open or overdue, $4 after, $5 limit: the longest overdue first
WITH {{loan_asked}}, after AS MATERIALIZED (
    SELECT CASE WHEN $4::text IS NULL THEN '-infinity' ELSE timestamptz 'epoch' + split_part($4::text, '.', 1)::bigint * interval '1 microsecond' END AS due_at,
        CASE WHEN $4::text IS NULL THEN 0 ELSE split_part($4::text, '.', 2)::bigint END AS id,
        CASE WHEN $3::text = 'overdue' THEN now() ELSE 'infinity' END AS before
), page AS (
    SELECT f.* FROM (
        SELECT h.* FROM asked a CROSS JOIN after f CROSS JOIN LATERAL (
            SELECT h.plan_region, h.id, h.due_at FROM handover h WHERE h.centre_id = a.centre_id AND h.ended IS NULL AND h.due_at < f.before
              AND (h.due_at, h.id) > (f.due_at, f.id) AND {{loan_within}} ORDER BY h.due_at, h.id LIMIT $5::int) AS h WHERE a.by = 'centre'
        UNION ALL
        SELECT h.* FROM asked a JOIN region g ON g.place BETWEEN a.low AND a.high CROSS JOIN after f CROSS JOIN LATERAL (
            SELECT h.plan_region, h.id, h.due_at FROM handover h WHERE h.region = g.place AND h.ended IS NULL AND h.due_at < f.before
              AND (h.due_at, h.id) > (f.due_at, f.id) AND {{loan_within}} ORDER BY h.due_at, h.id LIMIT $5::int) AS h WHERE a.by = 'place'
        UNION ALL
        SELECT h.* FROM asked a CROSS JOIN plans p CROSS JOIN after f CROSS JOIN LATERAL (
            SELECT h.plan_region, h.id, h.due_at FROM handover h WHERE h.plan_region = p.plan_region AND h.ended IS NULL AND h.due_at < f.before
              AND (h.due_at, h.id) > (f.due_at, f.id) AND {{loan_within}} ORDER BY h.due_at, h.id LIMIT $5::int) AS h WHERE a.by = 'plan') AS f
    ORDER BY f.due_at, f.id LIMIT $5::int
)
SELECT s.*, (extract(epoch FROM s.due_at) * 1000000)::bigint || '.' || s.id AS _cursor
FROM page p CROSS JOIN LATERAL loan_show(p.plan_region, p.id, false) AS s ORDER BY s.due_at, s.id;

-- name: device_loan_get :one write
-- One loan with the whole name and phone of who borrowed: that they were read is recorded.
WITH found AS (
    SELECT s.*, h.region AS place FROM handover h CROSS JOIN LATERAL loan_show(h.plan_region, h.id, true) AS s
    WHERE h.plan_region = plan_region_of($1::bigint) AND h.id = $1::bigint
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region) SELECT scope_account(), 'device loan', f.id, f.place FROM found f
)
SELECT f.id, f.item, f.item_id, f.model, f.centre, f.region, f.person, f.borrower, f.phone, f.state, f.happened_at, f.due_at, f.hours_overdue, f.ended_at,
       f.note, f.version FROM found f;

-- name: device_loan_out :write
-- $3 item, $4 person, $5 borrower, $6 phone, $7 hours, $8 happened at, $9 note
WITH answer AS (
    SELECT * FROM loan_out($3::text, $4::bigint, $5::text, $6::text, $7::int, $8::timestamptz, $9::text)
)

-- name: device_loan_back :write
-- $3 item, $4 happened at, $5 note
WITH answer AS (
    SELECT * FROM loan_back($3::text, $4::timestamptz, $5::text)
)

-- name: device_loan_lose :write
-- $3 loan, $4 happened at, $5 note
WITH answer AS (
    SELECT * FROM loan_lose($3::bigint, $4::timestamptz, $5::text)
)
