-- SPDX-License-Identifier: Apache-2.0
-- The ledger of devices: figures, the entries they are made of, and the proof that they agree. See migration 0042.

-- part: asked
-- $1 plan, $2 region, $3 centre, $4 year, $5 month. Each plan with the place whose totals answer; centre 0: all of them.
asked AS MATERIALIZED (
    SELECT CASE WHEN scope_role() = 'centre' THEN CASE WHEN $3::text IS NULL OR EXISTS (SELECT FROM centre c WHERE c.code = $3::text AND c.id = scope_centre())
                THEN scope_centre() ELSE -1 END
            WHEN $3::text IS NULL THEN 0 ELSE coalesce((SELECT c.id FROM centre c WHERE c.code = $3::text), -1) END AS centre_id,
        CASE WHEN $4::int IS NULL THEN '-infinity' ELSE make_date($4::int, coalesce($5::int, 1), 1) END AS since,
        CASE WHEN $4::int IS NULL THEN 'infinity' ELSE (make_date($4::int, coalesce($5::int, 12), 1) + interval '1 month')::date END AS before
), plans AS MATERIALIZED (
    SELECT p.id, p.code, p.name_zh, g.place, g.high FROM plan p JOIN region g ON g.place = CASE
        WHEN $2::text IS NOT NULL THEN (SELECT x.place FROM region_code x WHERE x.code = $2::text)
        WHEN scope_role() = 'centre' THEN p.region / 10000000 * 10000000
        WHEN p.region BETWEEN scope_low() AND scope_high() THEN p.region ELSE scope_low() END
    WHERE $1::text IS NULL OR p.code = $1::text
)

-- part: balances
coalesce(sum(f.amount) FILTER (WHERE f.account = 'cash'), 0)::bigint AS cash,
       -coalesce(sum(f.amount) FILTER (WHERE f.account = 'deposits_held'), 0)::bigint AS deposits_held,
       coalesce(sum(f.amount) FILTER (WHERE f.account = 'rent_due'), 0)::bigint AS rent_due,
       coalesce(sum(f.amount) FILTER (WHERE f.account = 'subsidy'), 0)::bigint AS subsidy,
       -coalesce(sum(f.amount) FILTER (WHERE f.account = 'rent_income'), 0)::bigint AS rent_income,
       -coalesce(sum(f.amount) FILTER (WHERE f.account = 'charges'), 0)::bigint AS charges,
       coalesce(sum(f.amount) FILTER (WHERE f.account = 'waived'), 0)::bigint AS waived

-- part: figures
-- of the place as folded, and what is not folded yet
(
    SELECT t.centre_id, t.month, t.account, t.amount FROM device_ledger_total t
    WHERE t.plan_id = p.id AND t.region = p.place AND t.centre_id = a.centre_id AND t.month >= a.since AND t.month < a.before
    UNION ALL SELECT d.centre_id, d.month, d.account, d.amount FROM device_ledger_delta d
    WHERE d.plan_id = p.id AND d.region BETWEEN p.place AND p.high AND (a.centre_id = 0 OR d.centre_id = a.centre_id)
      AND d.month >= a.since AND d.month < a.before) AS f

-- name: device_ledger_by_plan :many
-- $6 after, $7 limit
WITH {{asked}}
SELECT p.code, p.name_zh AS name, {{balances}}
FROM asked a CROSS JOIN plans p CROSS JOIN LATERAL {{figures}}
WHERE p.code > coalesce($6::text, '') GROUP BY p.code, p.name_zh ORDER BY p.code LIMIT $7::int;

-- name: device_ledger_by_month :many
-- $6 after, $7 limit
WITH {{asked}}
SELECT to_char(f.month, 'YYYY-MM') AS code, '' AS name, {{balances}}
FROM asked a CROSS JOIN plans p CROSS JOIN LATERAL {{figures}}
WHERE to_char(f.month, 'YYYY-MM') > coalesce($6::text, '') GROUP BY f.month ORDER BY 1 LIMIT $7::int;

-- name: device_ledger_by_centre :many
-- $6 after, $7 limit
WITH {{asked}}
SELECT c.code, c.name, {{balances}}
FROM asked a CROSS JOIN plans p CROSS JOIN LATERAL (
    SELECT t.centre_id, t.account, t.amount FROM device_ledger_total t
    WHERE t.plan_id = p.id AND t.region = p.place AND t.centre_id <> 0 AND (a.centre_id = 0 OR t.centre_id = a.centre_id)
      AND t.month >= a.since AND t.month < a.before
    UNION ALL SELECT d.centre_id, d.account, d.amount FROM device_ledger_delta d
    WHERE d.plan_id = p.id AND d.region BETWEEN p.place AND p.high AND (a.centre_id = 0 OR d.centre_id = a.centre_id)
      AND d.month >= a.since AND d.month < a.before) AS f
JOIN centre c ON c.id = f.centre_id
WHERE c.code > coalesce($6::text, '') GROUP BY c.code, c.name ORDER BY c.code LIMIT $7::int;

-- name: device_ledger_by_county :many
-- $6 after, $7 limit
WITH {{asked}}
SELECT g.code, g.name, {{balances}}
FROM asked a CROSS JOIN plans t CROSS JOIN LATERAL (
    SELECT t.id, greatest(c.place, t.place) AS place, least(c.high, t.high) AS high, c.code, c.name FROM region c
    WHERE c.level = 'county' AND (c.place BETWEEN t.place AND t.high OR t.place BETWEEN c.place AND c.high)) AS p
JOIN region g ON g.code = p.code CROSS JOIN LATERAL {{figures}}
WHERE g.code > coalesce($6::text, '') GROUP BY g.code, g.name ORDER BY g.code LIMIT $7::int;

-- part: entry_columns
e.transaction_id AS transaction, e.line::int AS line, e.handover_id AS rental, t.kind, e.day, e.account, e.amount, t.month_no, t.payment, t.reverses,
       (SELECT c.code FROM centre c WHERE c.id = e.centre_id) AS centre, region_label(e.region) AS region, (SELECT l.code FROM plan l WHERE l.id = e.plan_id) AS plan,
       t.account_id AS recorded_by, t.recorded_at, e.day::text || '.' || e.transaction_id || '.' || e.line AS _cursor

-- part: entry_page
SELECT e.* FROM device_entry e WHERE e.day < a.before AND e.account = n.account
      AND (e.day, e.transaction_id, e.line) > (f.day, f.id, f.line)

-- part: entry_within
(e.region >= w.low) IS TRUE AND (e.region <= w.high) IS TRUE AND (e.plan_id IN (SELECT p.id FROM plans p)) IS TRUE
    ORDER BY e.day, e.transaction_id, e.line LIMIT $8::int

-- part: entry_after
after AS MATERIALIZED (
    SELECT CASE WHEN $7::text IS NULL THEN a.since ELSE split_part($7::text, '.', 1)::date END AS day,
        CASE WHEN $7::text IS NULL THEN 0 ELSE split_part($7::text, '.', 2)::bigint END AS id,
        CASE WHEN $7::text IS NULL THEN 0 ELSE split_part($7::text, '.', 3)::smallint END AS line
    FROM asked a
)

-- name: device_entries :many
-- $6 account, $7 after, $8 limit: in the order of their days. At most a page is read of each account and place.
WITH {{asked}}, {{entry_after}}, names AS MATERIALIZED (
    SELECT n AS account FROM unnest('{cash,deposits_held,rent_due,subsidy,rent_income,charges,waived}'::text[]) AS n WHERE $6::text IS NULL OR n = $6::text
), within AS MATERIALIZED (
    SELECT CASE WHEN $2::text IS NULL THEN scope_low() ELSE (SELECT x.place FROM region_code x WHERE x.code = $2::text) END AS low,
        CASE WHEN $2::text IS NULL THEN scope_high() ELSE (SELECT r.high FROM region_code x JOIN region r ON r.place = x.place WHERE x.code = $2::text) END AS high
)
SELECT {{entry_columns}}
FROM (
    SELECT e.* FROM asked a CROSS JOIN within w CROSS JOIN after f CROSS JOIN names n CROSS JOIN LATERAL (
        {{entry_page}} AND e.centre_id = a.centre_id AND {{entry_within}}) AS e WHERE a.centre_id <> 0
    UNION ALL
    SELECT e.* FROM asked a CROSS JOIN within w CROSS JOIN after f CROSS JOIN names n JOIN region g ON g.place BETWEEN w.low AND w.high CROSS JOIN LATERAL (
        {{entry_page}} AND e.region = g.place AND {{entry_within}}) AS e WHERE a.centre_id = 0 AND w.high - w.low < 1000
    UNION ALL
    SELECT e.* FROM asked a CROSS JOIN within w CROSS JOIN after f CROSS JOIN names n CROSS JOIN plans l CROSS JOIN LATERAL (
        {{entry_page}} AND e.plan_id = l.id AND {{entry_within}}) AS e WHERE a.centre_id = 0 AND w.high - w.low >= 1000
    ORDER BY day, transaction_id, line LIMIT $8::int) AS e
JOIN device_transaction t ON t.plan_region = e.plan_region AND t.id = e.transaction_id
ORDER BY e.day, e.transaction_id, e.line;

-- name: device_entries_of_rental :many
-- $1 rental, $2 after, $3 limit
SELECT {{entry_columns}}
FROM device_entry e JOIN device_transaction t ON t.plan_region = e.plan_region AND t.id = e.transaction_id
WHERE e.plan_region = plan_region_of($1::bigint) AND e.handover_id = $1::bigint AND CASE WHEN $2::text IS NULL THEN true
    ELSE (e.day, e.transaction_id, e.line) > (split_part($2::text, '.', 1)::date, split_part($2::text, '.', 2)::bigint, split_part($2::text, '.', 3)::smallint) END
ORDER BY e.day, e.transaction_id, e.line LIMIT $3::int;

-- name: verify_devices :many work
-- In one snapshot. No rows: all is well. Transactions out of balance; each contract against its payments, its closing, its months and its
-- entries; the deposits of each centre; the figures (folded + not yet folded) against the entries; handovers without a contract.
WITH entry AS MATERIALIZED (
    SELECT e.plan_region, e.handover_id, e.plan_id, e.centre_id, e.region, e.account, date_trunc('month', e.day)::date AS month, sum(e.amount) AS amount
    FROM device_entry e GROUP BY 1, 2, 3, 4, 5, 6, 7
), paid AS (
    SELECT p.plan_region, p.handover_id, p.kind, sum(CASE WHEN p.reverses IS NULL THEN p.amount ELSE -p.amount END) AS amount FROM rental_payment p GROUP BY 1, 2, 3
), figures AS (
    SELECT 'transaction' AS figure, e.plan_id, e.handover_id::text AS part, e.transaction_id::text AS measure, sum(e.amount) AS kept, 0::numeric AS recounted
    FROM device_entry e GROUP BY e.plan_id, e.plan_region, e.handover_id, e.transaction_id HAVING sum(e.amount) <> 0
    UNION ALL SELECT 'rental', r.plan_id, r.handover_id::text, x.measure, x.kept, x.recounted FROM rental r
        LEFT JOIN rental_closing c ON c.plan_region = r.plan_region AND c.handover_id = r.handover_id
        LEFT JOIN paid d ON d.plan_region = r.plan_region AND d.handover_id = r.handover_id AND d.kind = 'deposit'
        LEFT JOIN paid p ON p.plan_region = r.plan_region AND p.handover_id = r.handover_id AND p.kind = 'rent'
        CROSS JOIN LATERAL (VALUES
            ('deposit', r.deposit_held::numeric, CASE r.state WHEN 'closed' THEN 0 ELSE coalesce(d.amount, 0) END),
            ('owed', r.owed::numeric, CASE r.state WHEN 'closed' THEN 0 ELSE r.months * r.self_paid - coalesce(p.amount, 0) END),
            ('closed', (r.state = 'closed')::int::numeric, (c.handover_id IS NOT NULL)::int::numeric)) AS x (measure, kept, recounted)
    UNION ALL SELECT 'entries', r.plan_id, r.handover_id::text, x.account, x.kept, 0 FROM rental r
        CROSS JOIN LATERAL (VALUES ('deposits_held', -r.deposit_held), ('rent_due', r.owed), ('rent_income', -r.months * r.rent)) AS x (account, kept)
    UNION ALL SELECT 'entries', e.plan_id, e.handover_id::text, e.account, 0, sum(e.amount) FROM entry e
        WHERE e.account IN ('deposits_held', 'rent_due', 'rent_income') GROUP BY 2, 3, 4
    UNION ALL SELECT 'deposits', r.plan_id, (SELECT c.code FROM centre c WHERE c.id = r.centre_id), 'open contracts', 0, sum(d.amount)
        FROM rental r JOIN paid d ON d.plan_region = r.plan_region AND d.handover_id = r.handover_id AND d.kind = 'deposit' WHERE r.state <> 'closed' GROUP BY r.plan_id, r.centre_id
    UNION ALL SELECT 'deposits', e.plan_id, (SELECT c.code FROM centre c WHERE c.id = e.centre_id), 'open contracts', -sum(e.amount), 0
        FROM entry e WHERE e.account = 'deposits_held' GROUP BY e.plan_id, e.centre_id
    UNION ALL SELECT 'total', t.plan_id, concat_ws('/', t.region, t.centre_id, to_char(t.month, 'YYYY-MM')), t.account, t.amount, 0 FROM device_ledger_total t
    UNION ALL SELECT 'total', s.plan_id, concat_ws('/', up.region, c.centre_id, to_char(s.month, 'YYYY-MM')), s.account, s.kept, s.recounted FROM (
            SELECT d.plan_id, d.region, d.centre_id, d.month, d.account, sum(d.amount) AS kept, 0 AS recounted FROM device_ledger_delta d GROUP BY 1, 2, 3, 4, 5
            UNION ALL SELECT e.plan_id, e.region, e.centre_id, e.month, e.account, 0, sum(e.amount) FROM entry e GROUP BY 1, 2, 3, 4, 5) AS s
        CROSS JOIN LATERAL ledger_levels(s.region) AS up (region) CROSS JOIN LATERAL (VALUES (0), (s.centre_id)) AS c (centre_id)
    UNION ALL SELECT 'contract', device_plan_of(h.plan_region, china_date(h.happened_at)), h.id::text, 'rental', 0, 1 FROM handover h
        WHERE h.kind = 'rental' AND NOT EXISTS (SELECT FROM rental r WHERE r.plan_region = h.plan_region AND r.handover_id = h.id)
    UNION ALL SELECT 'contract', r.plan_id, h.id::text, x.measure, x.kept, x.recounted FROM rental r
        JOIN handover h ON h.plan_region = r.plan_region AND h.id = r.handover_id CROSS JOIN LATERAL (VALUES
            ('ended', (r.state <> 'open')::int, (h.ended IS NOT NULL)::int), ('closed', (r.state = 'closed')::int, (h.closed_at IS NOT NULL)::int),
            ('due', r.due_on - date '2000-01-01', china_date(h.due_at - interval '1 second') - date '2000-01-01')) AS x (measure, kept, recounted)
)
SELECT f.figure, p.code AS plan, f.part, f.measure, sum(f.kept)::bigint AS kept, sum(f.recounted)::bigint AS recounted
FROM figures f JOIN plan p ON p.id = f.plan_id
GROUP BY 1, 2, 3, 4 HAVING sum(f.kept) <> sum(f.recounted) ORDER BY 1, 2, 3, 4;

-- name: verify_devices_counts :one work
SELECT (SELECT count(*) FROM device_transaction) AS transactions, (SELECT count(*) FROM device_entry) AS entries,
       (SELECT count(*) FROM rental) AS rentals, (SELECT count(*) FROM device_ledger_delta) AS deltas;
