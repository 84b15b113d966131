-- SPDX-License-Identifier: Apache-2.0
-- Rentals: the contract, its end, its extensions and its settlement. Rules and money are in migrations 0037 and 0042.

-- part: rental_asked
-- $1 plan, $2 region, $3 centre. by: which of three ways the list is walked: a centre's, the places of a county, or plans.
asked AS MATERIALIZED (
    SELECT a.*, CASE WHEN a.centre_id IS NOT NULL THEN 'centre' WHEN a.high - a.low < 1000 THEN 'place' ELSE 'plan' END AS by FROM (
        SELECT CASE WHEN $2::text IS NULL THEN scope_low() ELSE (SELECT x.place FROM region_code x WHERE x.code = $2::text) END AS low,
            CASE WHEN $2::text IS NULL THEN scope_high() ELSE (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place
                 WHERE x.code = $2::text) END AS high,
            CASE WHEN $3::text IS NOT NULL THEN coalesce((SELECT c.id FROM centre c WHERE c.code = $3::text), 0)
                 WHEN scope_role() = 'centre' THEN scope_centre() END AS centre_id) AS a
), plans AS MATERIALIZED (
    SELECT p.id FROM asked a, plan p JOIN region top ON top.place = p.region
    WHERE ($1::text IS NULL OR p.code = $1::text) AND (top.place <= a.high AND top.high >= a.low) IS TRUE
)

-- part: rental_within
(r.region >= a.low) IS TRUE AND (r.region <= a.high) IS TRUE AND (r.plan_id IN (SELECT p.id FROM plans p)) IS TRUE

-- name: rentals_list :many
-- $4 state, $5 after, $6 limit: in the order in which they were signed. At most a page is read of each state and place.
WITH {{rental_asked}}, states AS MATERIALIZED (
    SELECT s FROM unnest('{open,returned,lost,closed}'::text[]) AS s WHERE $4::text IS NULL OR s = $4::text
), after AS MATERIALIZED (
    SELECT CASE WHEN $5::text IS NULL THEN 0 ELSE $5::bigint END AS id
), page AS (
    SELECT f.* FROM (
        SELECT r.* FROM asked a CROSS JOIN after f CROSS JOIN states s CROSS JOIN LATERAL (
            SELECT r.plan_region, r.handover_id FROM rental r WHERE r.centre_id = a.centre_id AND r.state = s.s AND r.handover_id > f.id AND {{rental_within}}
            ORDER BY r.handover_id LIMIT $6::int) AS r WHERE a.by = 'centre'
        UNION ALL
        SELECT r.* FROM asked a JOIN region g ON g.place BETWEEN a.low AND a.high CROSS JOIN after f CROSS JOIN states s CROSS JOIN LATERAL (
            SELECT r.plan_region, r.handover_id FROM rental r WHERE r.region = g.place AND r.state = s.s AND r.handover_id > f.id AND {{rental_within}}
            ORDER BY r.handover_id LIMIT $6::int) AS r WHERE a.by = 'place'
        UNION ALL
        SELECT r.* FROM asked a CROSS JOIN plans p CROSS JOIN after f CROSS JOIN states s CROSS JOIN LATERAL (
            SELECT r.plan_region, r.handover_id FROM rental r WHERE r.plan_id = p.id AND r.state = s.s AND r.handover_id > f.id AND {{rental_within}}
            ORDER BY r.handover_id LIMIT $6::int) AS r WHERE a.by = 'plan') AS f
    ORDER BY f.handover_id LIMIT $6::int
)
SELECT s.*, s.id::text AS _cursor FROM page p CROSS JOIN LATERAL rental_show(p.plan_region, p.handover_id) AS s ORDER BY s.id;

-- name: rentals_overdue :many
-- $4 after, $5 limit: the longest overdue first
WITH {{rental_asked}}, after AS MATERIALIZED (
    SELECT CASE WHEN $4::text IS NULL THEN '-infinity' ELSE split_part($4::text, '.', 1)::date END AS due_on,
        CASE WHEN $4::text IS NULL THEN 0 ELSE split_part($4::text, '.', 2)::bigint END AS id, china_date(now()) AS today
), page AS (
    SELECT f.* FROM (
        SELECT r.* FROM asked a CROSS JOIN after f CROSS JOIN LATERAL (
            SELECT r.plan_region, r.handover_id, r.due_on FROM rental r WHERE r.centre_id = a.centre_id AND r.state = 'open' AND r.due_on < f.today
              AND (r.due_on, r.handover_id) > (f.due_on, f.id) AND {{rental_within}} ORDER BY r.due_on, r.handover_id LIMIT $5::int) AS r WHERE a.by = 'centre'
        UNION ALL
        SELECT r.* FROM asked a JOIN region g ON g.place BETWEEN a.low AND a.high CROSS JOIN after f CROSS JOIN LATERAL (
            SELECT r.plan_region, r.handover_id, r.due_on FROM rental r WHERE r.region = g.place AND r.state = 'open' AND r.due_on < f.today
              AND (r.due_on, r.handover_id) > (f.due_on, f.id) AND {{rental_within}} ORDER BY r.due_on, r.handover_id LIMIT $5::int) AS r WHERE a.by = 'place'
        UNION ALL
        SELECT r.* FROM asked a CROSS JOIN plans p CROSS JOIN after f CROSS JOIN LATERAL (
            SELECT r.plan_region, r.handover_id, r.due_on FROM rental r WHERE r.plan_id = p.id AND r.state = 'open' AND r.due_on < f.today
              AND (r.due_on, r.handover_id) > (f.due_on, f.id) AND {{rental_within}} ORDER BY r.due_on, r.handover_id LIMIT $5::int) AS r WHERE a.by = 'plan') AS f
    ORDER BY f.due_on, f.handover_id LIMIT $5::int
)
SELECT s.*, s.due_on::text || '.' || s.id AS _cursor FROM page p CROSS JOIN LATERAL rental_show(p.plan_region, p.handover_id) AS s ORDER BY s.due_on, s.id;

-- name: rental_get :one write
-- One rental with the whole name of who has it: that it was read is recorded.
WITH found AS (
    SELECT s.*, r.plan_region, r.region AS place FROM rental r CROSS JOIN LATERAL rental_show(r.plan_region, r.handover_id) AS s
    WHERE r.plan_region = plan_region_of($1::bigint) AND r.handover_id = $1::bigint
), noted AS (
    INSERT INTO access_record (account_id, what, subject, region) SELECT scope_account(), 'rental', f.id, f.place FROM found f
)
SELECT f.id, f.request, f.item, f.item_id, f.model, f.person, (SELECT p.name FROM person p WHERE p.plan_region = f.plan_region AND p.id = f.person) AS name,
       f.centre, f.region, f.plan, f.state, f.began_on, f.due_on, f.days_overdue, f.ended_on, f.closed_at, f.rent, f.rent_subsidy, f.self_paid, f.deposit,
       f.months, f.deposit_held, f.owed, f.note, f.condition, f.return_note, f."chases.count", f."chases.last_at", f."chases.promised_on", (
           SELECT coalesce(json_agg(json_build_object('was_due_on', e.was_due_on, 'due_on', e.due_on, 'agreed_by', e.agreed_by, 'note', e.note,
               'account', e.account_id, 'at', e.created_at) ORDER BY e.number), '[]')
           FROM rental_extension e WHERE e.plan_region = f.plan_region AND e.handover_id = f.id) AS extensions, f.version
FROM found f;

-- name: rental_open :write
-- $3 request, $4 item, $5 months, $6 due on, $7 happened at, $8 signature, $9 signer, $10 deposit paid, $11 note
WITH answer AS (
    SELECT * FROM rental_open($3::bigint, $4::text, $5::int, $6::date, $7::timestamptz, $8::json, $9::text, $10::boolean, $11::text)
)

-- name: rental_return :write
-- $3 rental, $4 if-match, $5 happened at, $6 condition, $7 note
WITH answer AS (
    SELECT * FROM rental_return($3::bigint, $4::int, $5::timestamptz, $6::text, $7::text)
)

-- name: rental_lose :write
-- $3 rental, $4 if-match, $5 happened at, $6 note
WITH answer AS (
    SELECT * FROM rental_lose($3::bigint, $4::int, $5::timestamptz, $6::text)
)

-- name: rental_extend :write
-- $3 rental, $4 if-match, $5 months, $6 due on, $7 agreed by, $8 note
WITH answer AS (
    SELECT * FROM rental_extend($3::bigint, $4::int, $5::int, $6::date, $7::text, $8::text)
)

-- name: rental_settlement :one
-- $1 rental, $2 charges (分): what closing it would come to, or what it came to
SELECT s.* FROM rental r CROSS JOIN LATERAL rental_settled_show(r, coalesce($2::bigint, 0)) AS s
WHERE r.plan_region = plan_region_of($1::bigint) AND r.handover_id = $1::bigint;

-- name: rental_close :write
-- $3 rental, $4 if-match, $5 closed on, $6 charges [{reason, amount}], $7 received, $8 why the rest is waived, $9 note
WITH answer AS (
    SELECT * FROM rental_close($3::bigint, $4::int, $5::date, $6::json, $7::bigint, $8::text, $9::text)
)

-- name: rental_payments :many
-- $1 rental, $2 after, $3 limit
SELECT p.id, p.handover_id AS rental, p.kind, p.amount, p.paid_on, p.reference, p.note, p.reverses,
       (SELECT b.id FROM rental_payment b WHERE b.plan_region = p.plan_region AND b.reverses = p.id) AS reversed_by, p.account_id AS recorded_by, p.recorded_at
FROM rental_payment p WHERE p.plan_region = plan_region_of($1::bigint) AND p.handover_id = $1::bigint AND p.id > coalesce($2::bigint, 0)
ORDER BY p.id LIMIT $3::int;

-- name: rental_pay :write
-- $3 rental, $4 kind, $5 amount, $6 paid on, $7 reference, $8 note
WITH answer AS (
    SELECT * FROM rental_pay($3::bigint, $4::text, $5::bigint, $6::date, $7::text, $8::text)
)

-- name: rental_unpay :write
-- $3 rental, $4 payment, $5 reason
WITH answer AS (
    SELECT * FROM rental_unpay($3::bigint, $4::text, $5::text)
)

-- name: rental_chases :many
-- $1 rental, $2 after, $3 limit
SELECT c.number, c.happened_at, c.how, c.whom, c.outcome, c.promised_on, c.note, c.account_id AS account, c.created_at
FROM rental_chase c WHERE c.plan_region = plan_region_of($1::bigint) AND c.handover_id = $1::bigint AND c.number > coalesce($2::bigint, 0)
ORDER BY c.number LIMIT $3::int;

-- name: rental_chase :write
-- $3 rental, $4 happened at, $5 how, $6 whom, $7 outcome, $8 promised on, $9 note
WITH answer AS (
    SELECT * FROM rental_chase($3::bigint, $4::timestamptz, $5::text, $6::text, $7::text, $8::date, $9::text)
)

-- name: rental_scan :one work
-- $1 how many of each at most: rent of months that have begun is posted, and who is to be reminded is told of
SELECT rental_scan($1::int) AS told;

-- part: rental_rule_columns
(SELECT coalesce(json_agg(json_build_object('days', d) ORDER BY d DESC), '[]') FROM unnest(r.before_days) AS d) AS before,
       (SELECT coalesce(json_agg(json_build_object('days', d) ORDER BY d), '[]') FROM unnest(r.after_days) AS d) AS after,
       r.extend_within, r.loan_keep_days, r.version

-- name: rental_rule_get :one
SELECT p.code AS plan, {{rental_rule_columns}} FROM plan p CROSS JOIN LATERAL rental_rule_of(p.id) AS r WHERE p.code = $1::text;

-- name: rental_rule_put :write
-- $3 plan, $4 if-match, $5 [{days}] before, $6 [{days}] after, $7 extended within, $8 loans kept for
WITH found AS (
    SELECT p.id, p.code, p.region, r.before_days, r.after_days, r.extend_within, r.loan_keep_days, r.version
    FROM plan p CROSS JOIN LATERAL rental_rule_of(p.id) AS r WHERE p.code = $3::text
), judged AS (
    SELECT f.*, CASE
        WHEN f.id IS NULL THEN 'not_found'
        WHEN NOT coalesce(scope_manages(f.region), false) THEN 'region_foreign'
        WHEN $4::int <> f.version THEN 'stale' END AS verdict
    FROM (SELECT 1) AS one LEFT JOIN found f ON true
), put AS (
    INSERT INTO rental_rule AS r (plan_id, before_days, after_days, extend_within, loan_keep_days)
    SELECT j.id, ARRAY(SELECT DISTINCT g.days FROM json_to_recordset($5::json) AS g (days int) ORDER BY 1 DESC),
        ARRAY(SELECT DISTINCT g.days FROM json_to_recordset($6::json) AS g (days int) ORDER BY 1), $7::int, $8::int
    FROM judged j WHERE j.verdict IS NULL
    ON CONFLICT (plan_id) DO UPDATE SET before_days = excluded.before_days, after_days = excluded.after_days, extend_within = excluded.extend_within,
        loan_keep_days = excluded.loan_keep_days, version = r.version + 1 WHERE $4::int IS NULL OR r.version = $4::int
    RETURNING r.*
), shown AS (
    SELECT before_days, after_days, extend_within, loan_keep_days, version FROM put
    UNION ALL SELECT before_days, after_days, extend_within, loan_keep_days, version FROM found WHERE NOT EXISTS (SELECT FROM put)
), answer AS (
    SELECT coalesce(j.verdict, CASE WHEN NOT EXISTS (SELECT FROM put) THEN 'stale' END) AS _verdict, j.code AS plan, {{rental_rule_columns}}
    FROM judged j LEFT JOIN shown r ON true
)
