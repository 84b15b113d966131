-- SPDX-License-Identifier: Apache-2.0
-- The ledger: payments, balances, and the proof that it agrees with what it is made of. See migration 0028.

-- part: asked
-- $1 plan, $2 region (NULL: the plan's, or as much of it as the caller sees). One row, or none when nothing of it is his.
WITH asked AS MATERIALIZED (
    SELECT p.id, p.region AS whole, r.place, r.high
    FROM plan p
    JOIN region top ON top.place = p.region
    JOIN region r ON r.place = CASE WHEN $2::text IS NOT NULL THEN (SELECT c.place FROM region_code c WHERE c.code = $2::text)
                                    WHEN p.region BETWEEN scope_low() AND scope_high() THEN p.region
                                    ELSE scope_low() END
    WHERE p.code = $1::text AND (r.place BETWEEN scope_low() AND scope_high()) IS TRUE
      AND (r.place BETWEEN top.place AND top.high) IS TRUE
)

-- part: balances
coalesce(sum(f.amount) FILTER (WHERE f.account = 'committed'), 0)::bigint AS committed,
       coalesce(sum(f.amount) FILTER (WHERE f.account = 'payable'), 0)::bigint AS payable,
       coalesce(sum(f.amount) FILTER (WHERE f.account = 'paid'), 0)::bigint AS paid,
       coalesce(sum(f.amount) FILTER (WHERE f.account IN ('committed', 'payable')), 0)::bigint AS open

-- part: figures
-- of the place as folded, and what is not folded yet
FROM asked a CROSS JOIN LATERAL (
    SELECT t.key, t.account, t.amount FROM ledger_total t WHERE t.plan_id = a.id AND t.region = a.place AND t.kind =

-- name: ledger_by_source :many
-- $3 after, $4 limit
{{asked}}
SELECT f.key AS code, coalesce((SELECT s.name_zh FROM subsidy_source s WHERE s.plan_id = a.id AND s.code = f.key), '家庭自付') AS name,
       {{balances}}
{{figures}} 'source'
    UNION ALL SELECT d.source, d.account, d.amount FROM ledger_delta d WHERE d.plan_id = a.id AND d.region BETWEEN a.place AND a.high) AS f
WHERE f.key > coalesce($3::text, '') GROUP BY a.id, f.key ORDER BY f.key LIMIT $4::int;

-- name: ledger_by_contractor :many
-- $3 after, $4 limit; '-' is what no contractor has yet
{{asked}}
SELECT coalesce(k.code, '-') AS code, coalesce(k.name, '') AS name,
       {{balances}}
{{figures}} 'contractor'
    UNION ALL SELECT d.contractor_id::text, d.account, d.amount FROM ledger_delta d WHERE d.plan_id = a.id AND d.region BETWEEN a.place AND a.high) AS f
LEFT JOIN contractor k ON k.id = f.key::bigint
WHERE coalesce(k.code, '-') > coalesce($3::text, '') GROUP BY k.code, k.name ORDER BY 1 LIMIT $4::int;

-- name: ledger_by_county :many
-- $3 after, $4 limit
{{asked}}
SELECT c.code, c.name,
       {{balances}}
FROM asked a
JOIN region c ON c.level = 'county' AND (c.place BETWEEN a.place AND a.high OR a.place BETWEEN c.place AND c.high)
CROSS JOIN LATERAL (
    SELECT t.account, t.amount FROM ledger_total t WHERE t.plan_id = a.id AND t.region = greatest(c.place, a.place) AND t.kind = 'all'
    UNION ALL SELECT d.account, d.amount FROM ledger_delta d WHERE d.plan_id = a.id
        AND d.region BETWEEN greatest(c.place, a.place) AND least(c.high, a.high)) AS f
WHERE c.code > coalesce($3::text, '') GROUP BY c.code, c.name ORDER BY c.code LIMIT $4::int;

-- part: after_case
CASE WHEN $3::text ~ '^[0-9]{1,18}$' THEN $3::text::bigint ELSE 0 END

-- name: ledger_by_case :many
-- $3 after, $4 limit. Of a whole plan a page is read; of less, at most a page of each place.
{{asked}}
SELECT k.case_id::text AS code, c.householder AS name, k.committed, k.payable, k.paid, k.committed + k.payable AS open
FROM (
    SELECT k.* FROM asked a CROSS JOIN LATERAL (
        SELECT k.* FROM ledger_case k WHERE k.plan_region = a.whole AND (k.plan_id = a.id) IS TRUE AND k.case_id > {{after_case}}
        ORDER BY k.case_id LIMIT $4::int) AS k WHERE a.place = a.whole
    UNION ALL
    SELECT k.* FROM asked a JOIN region r ON r.place BETWEEN a.place AND a.high CROSS JOIN LATERAL (
        SELECT k.* FROM ledger_case k WHERE k.plan_id = a.id AND k.region = r.place AND k.case_id > {{after_case}}
        ORDER BY k.case_id LIMIT $4::int) AS k WHERE a.place <> a.whole
    ORDER BY case_id LIMIT $4::int) AS k
JOIN retrofit_case c ON c.plan_region = k.plan_region AND c.id = k.case_id
ORDER BY k.case_id;

-- name: case_ledger :many
-- $1 case, $2 after, $3 limit
SELECT t.id, t.kind, t.day, t.recorded_at, t.account_id AS recorded_by, t.payment,
       (SELECT json_agg(json_build_object('account', e.account, 'source', e.source, 'contractor', (SELECT k.code FROM contractor k WHERE k.id = e.contractor_id),
            'region', region_label(e.region), 'year', e.year, 'amount', e.amount) ORDER BY e.line)
        FROM ledger_entry e WHERE e.plan_region = t.plan_region AND e.transaction_id = t.id) AS entries
FROM ledger_transaction t
WHERE t.plan_region = plan_region_of($1::bigint) AND t.case_id = $1::bigint AND t.id > coalesce($2::bigint, 0)
ORDER BY t.id LIMIT $3::int;

-- name: payments_of_case :many
-- $1 case, $2 after, $3 limit
SELECT p.id, p.source, (SELECT k.code FROM contractor k WHERE k.id = p.contractor_id) AS contractor, p.amount, p.paid_on, p.reference, p.note,
       p.reverses, (SELECT r.id FROM payment r WHERE r.plan_region = p.plan_region AND r.reverses = p.id) AS reversed_by,
       p.account_id AS recorded_by, p.recorded_at
FROM payment p WHERE p.plan_region = plan_region_of($1::bigint) AND p.case_id = $1::bigint AND p.id > coalesce($2::bigint, 0)
ORDER BY p.id LIMIT $3::int;

-- name: payment_record :write key=3
-- $3 case, $4 source, $5 contractor's code, $6 amount, $7 paid on, $8 reference, $9 note
WITH answer AS (
    SELECT * FROM payment_record($3::bigint, $4::text, $5::text, $6::bigint, $7::date, $8::text, $9::text)
)

-- name: payment_reverse :write
-- $3 payment, $4 reason
WITH answer AS (
    SELECT * FROM payment_reverse($3::bigint, $4::text)
)

-- name: ledger_fold :one work
SELECT ledger_fold($1::int) + device_ledger_fold($1::int) AS folded;

-- name: verify_ledger :many work
-- In one snapshot: transactions out of balance; what cases owe by their stage, design and payments against their entries; each case's
-- row, and each figure (folded + not yet folded) against the entries; and the four ways to ask against each other. No rows: all is well.
WITH entry AS MATERIALIZED (
    SELECT e.plan_id, e.plan_region, e.case_id, e.region, e.year, e.contractor_id, e.source, e.account, sum(e.amount) AS amount
    FROM ledger_entry e GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
), design AS (
    SELECT d.plan_region, d.case_id, ledger_account(coalesce(c.resume_stage, c.stage)) AS account, c.plan_id, d.self_paid
    FROM case_design d JOIN retrofit_case c ON c.plan_region = d.plan_region AND c.id = d.case_id
), paid AS (
    SELECT p.plan_region, p.case_id, p.source, sum(CASE WHEN p.reverses IS NULL THEN p.amount ELSE -p.amount END) AS amount
    FROM payment p GROUP BY 1, 2, 3
), owed AS (
    SELECT d.plan_id, d.plan_region, d.case_id, s.source, d.account, greatest(s.amount - coalesce(p.amount, 0), 0) AS amount
    FROM design d JOIN LATERAL (
        SELECT k.source, k.amount FROM case_subsidy k WHERE k.plan_region = d.plan_region AND k.case_id = d.case_id
        UNION ALL SELECT 'household', d.self_paid) AS s ON true
    LEFT JOIN paid p ON p.plan_region = d.plan_region AND p.case_id = d.case_id AND p.source = s.source
    WHERE d.account IS NOT NULL
), figures AS (
    SELECT 'transaction' AS figure, e.plan_id, e.case_id::text AS part, e.transaction_id::text AS measure, sum(e.amount) AS kept, 0::numeric AS recounted
    FROM ledger_entry e GROUP BY e.plan_id, e.plan_region, e.case_id, e.transaction_id HAVING sum(e.amount) <> 0
    UNION ALL SELECT 'case', e.plan_id, e.case_id::text, e.source || '/' || e.account, e.amount, 0 FROM entry e WHERE e.account <> 'source'
    UNION ALL SELECT 'case', o.plan_id, o.case_id::text, o.source || '/' || o.account, 0, o.amount FROM owed o
    UNION ALL SELECT 'case', c.plan_id, p.case_id::text, p.source || '/paid', 0, p.amount
        FROM paid p JOIN retrofit_case c ON c.plan_region = p.plan_region AND c.id = p.case_id
    UNION ALL SELECT 'balance', k.plan_id, k.case_id::text, x.account, x.amount, 0 FROM ledger_case k
        CROSS JOIN LATERAL (VALUES ('committed', k.committed), ('payable', k.payable), ('paid', k.paid)) AS x (account, amount)
    UNION ALL SELECT 'balance', e.plan_id, e.case_id::text, e.account, 0, e.amount FROM entry e WHERE e.account <> 'source'
    UNION ALL SELECT 'place', k.plan_id, k.case_id::text, 'region', k.region, c.region
        FROM ledger_case k JOIN retrofit_case c ON c.plan_region = k.plan_region AND c.id = k.case_id
    UNION ALL SELECT 'total', t.plan_id, concat_ws('/', t.region, t.kind, t.key, t.year), t.account, t.amount, 0 FROM ledger_total t
    UNION ALL SELECT 'total', s.plan_id, concat_ws('/', up.region, g.kind, g.key, g.year), s.account, s.kept, s.recounted FROM (
            SELECT d.plan_id, d.region, d.year, d.contractor_id, d.source, d.account, sum(d.amount) AS kept, 0 AS recounted
            FROM ledger_delta d GROUP BY 1, 2, 3, 4, 5, 6
            UNION ALL SELECT e.plan_id, e.region, e.year, e.contractor_id, e.source, e.account, 0, sum(e.amount) FROM entry e GROUP BY 1, 2, 3, 4, 5, 6
        ) AS s CROSS JOIN LATERAL ledger_levels(s.region) AS up (region)
        CROSS JOIN LATERAL ledger_groupings(s.contractor_id, s.source, s.year) AS g
    UNION ALL SELECT 'groups', t.plan_id, t.kind, t.account, t.amount, 0 FROM ledger_total t WHERE t.region % 10000000 = 0 AND t.account <> 'source'
    UNION ALL SELECT 'groups', d.plan_id, g.kind, d.account, d.amount, 0
        FROM ledger_delta d CROSS JOIN ledger_groupings(0, '', 0::smallint) AS g WHERE d.account <> 'source'
    UNION ALL SELECT 'groups', k.plan_id, g.kind, x.account, 0, x.amount FROM ledger_case k CROSS JOIN ledger_groupings(0, '', 0::smallint) AS g
        CROSS JOIN LATERAL (VALUES ('committed', k.committed), ('payable', k.payable), ('paid', k.paid)) AS x (account, amount)
)
SELECT f.figure, p.code AS plan, f.part, f.measure, sum(f.kept)::bigint AS kept, sum(f.recounted)::bigint AS recounted
FROM figures f JOIN plan p ON p.id = f.plan_id
GROUP BY 1, 2, 3, 4 HAVING sum(f.kept) <> sum(f.recounted) ORDER BY 1, 2, 3, 4;

-- name: verify_ledger_counts :one work
SELECT (SELECT count(*) FROM ledger_transaction) AS transactions, (SELECT count(*) FROM ledger_entry) AS entries,
       (SELECT count(*) FROM ledger_case) AS cases, (SELECT count(*) FROM ledger_delta) AS deltas;
