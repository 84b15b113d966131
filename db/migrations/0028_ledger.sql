-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- The ledger of designs (0018), acceptances and payments. All money is in 分.
-- Invariant: what the ledger says of a case is what its stage, its design and its payments say (ledger_settle makes it so,
-- in the transaction of whatever changed one of them).
--
-- Each amount goes source → committed (designed) → payable (accepted) → paid; an entry is positive where it arrives and negative
-- where it leaves, so a transaction sums to zero, and so does the whole. Each entry says of which source (household: the self-paid
-- part), for which contractor (0: none yet), where, and of which year's budget.

CREATE SEQUENCE ledger_number;
CREATE TABLE ledger_transaction (
    plan_region int NOT NULL,
    id          bigint NOT NULL, -- id_in(plan_region, 'ledger_number')
    plan_id     smallint NOT NULL,
    case_id     bigint NOT NULL,
    kind        text NOT NULL, -- commitment transfer change acceptance revocation withdrawal take_back payment reversal
    day         date NOT NULL, -- when it happened
    recorded_at timestamptz NOT NULL DEFAULT now(),
    account_id  bigint,
    payment     bigint,
    PRIMARY KEY (plan_region, id)
);
CREATE INDEX ledger_transaction_by_case ON ledger_transaction (plan_region, case_id, id);
CREATE TABLE ledger_entry (
    plan_region    int NOT NULL,
    transaction_id bigint NOT NULL,
    line           smallint NOT NULL,
    plan_id        smallint NOT NULL,
    case_id        bigint NOT NULL,
    region         int NOT NULL,
    year           smallint NOT NULL,
    contractor_id  bigint NOT NULL,
    source         text NOT NULL,
    account        text NOT NULL CHECK (account IN ('source', 'committed', 'payable', 'paid')),
    amount         bigint NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (plan_region, transaction_id, line),
    FOREIGN KEY (plan_region, transaction_id) REFERENCES ledger_transaction
);
CREATE INDEX ledger_entry_by_case ON ledger_entry (plan_region, case_id, transaction_id);
-- What follows is made of the entries by ledger_counts: of each case, and of all by what they can be asked for, so that no question
-- costs more for more cases. (Deltas are folded by a job, as those of totals: else all writers of a county would wait for one row.)
CREATE TABLE ledger_case (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    plan_id     smallint NOT NULL,
    region      int NOT NULL,
    committed   bigint NOT NULL,
    payable     bigint NOT NULL,
    paid        bigint NOT NULL,
    PRIMARY KEY (plan_region, case_id)
) WITH (fillfactor = 80);
CREATE INDEX ledger_case_by_region ON ledger_case (plan_id, region, case_id);
-- region: every level from township to province. kind: all ('', year 0), contractor (its id, year 0), source (its code, by year).
CREATE TABLE ledger_total (
    plan_id  smallint NOT NULL,
    region   int NOT NULL,
    kind     text NOT NULL,
    key      text NOT NULL,
    year     smallint NOT NULL,
    account  text NOT NULL,
    amount   bigint NOT NULL,
    PRIMARY KEY (plan_id, region, kind, key, year, account)
) WITH (fillfactor = 50);
CREATE TABLE ledger_delta (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id       smallint NOT NULL,
    region        int NOT NULL,
    year          smallint NOT NULL,
    contractor_id bigint NOT NULL,
    source        text NOT NULL,
    account       text NOT NULL,
    amount        bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000);
CREATE INDEX ledger_delta_by_region ON ledger_delta (plan_id, region);

-- Nothing in the ledger is ever changed or taken out, not even by the owner: a mistake is reversed.
CREATE FUNCTION ledger_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'TT003';
END $$;
CREATE TRIGGER stands BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transaction FOR EACH STATEMENT EXECUTE FUNCTION ledger_stands();
CREATE TRIGGER stands BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry FOR EACH STATEMENT EXECUTE FUNCTION ledger_stands();

CREATE FUNCTION ledger_balances() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rest bigint := (SELECT sum(e.amount) FROM ledger_entry e WHERE e.plan_region = NEW.plan_region AND e.transaction_id = NEW.transaction_id);
BEGIN
    IF rest <> 0 THEN
        RAISE EXCEPTION 'ledger transaction % is out of balance by %', NEW.transaction_id, rest USING ERRCODE = 'TT003';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER balances AFTER INSERT ON ledger_entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger_balances();

CREATE FUNCTION ledger_counts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO ledger_delta (plan_id, region, year, contractor_id, source, account, amount)
    SELECT e.plan_id, e.region, e.year, e.contractor_id, e.source, e.account, sum(e.amount) FROM fresh e
    GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(e.amount) <> 0;
    INSERT INTO ledger_case AS k (plan_region, case_id, plan_id, region, committed, payable, paid)
    SELECT e.plan_region, e.case_id, e.plan_id, max(e.region), coalesce(sum(e.amount) FILTER (WHERE e.account = 'committed'), 0),
           coalesce(sum(e.amount) FILTER (WHERE e.account = 'payable'), 0), coalesce(sum(e.amount) FILTER (WHERE e.account = 'paid'), 0)
    FROM fresh e GROUP BY 1, 2, 3 ORDER BY 1, 2
    ON CONFLICT (plan_region, case_id) DO UPDATE SET committed = k.committed + excluded.committed, payable = k.payable + excluded.payable,
        paid = k.paid + excluded.paid;
    RETURN NULL;
END $$;
CREATE TRIGGER counts AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_counts();

CREATE FUNCTION ledger_levels(place int) RETURNS SETOF int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT DISTINCT v.region FROM (VALUES (place), (place / 1000 * 1000), (place / 100000 * 100000), (place / 10000000 * 10000000)) AS v (region) $$;
CREATE FUNCTION ledger_groupings(contractor_id bigint, source text, of_year smallint, OUT kind text, OUT key text, OUT year smallint) RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES ('all', '', 0::smallint), ('contractor', contractor_id::text, 0::smallint), ('source', source, of_year) $$;

-- Moves up to `most` deltas into the totals; answers how many.
CREATE FUNCTION ledger_fold(most int) RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH taken AS (
        DELETE FROM ledger_delta WHERE id IN (SELECT id FROM ledger_delta ORDER BY id LIMIT most FOR UPDATE SKIP LOCKED) RETURNING *
    ), folded AS (
        INSERT INTO ledger_total AS t (plan_id, region, kind, key, year, account, amount)
        SELECT d.plan_id, up.region, g.kind, g.key, g.year, d.account, sum(d.amount) FROM taken d
        CROSS JOIN LATERAL ledger_levels(d.region) AS up (region)
        CROSS JOIN LATERAL ledger_groupings(d.contractor_id, d.source, d.year) AS g
        GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(d.amount) <> 0 ORDER BY 1, 2, 3, 4, 5, 6
        ON CONFLICT (plan_id, region, kind, key, year, account) DO UPDATE SET amount = t.amount + excluded.amount
    )
    SELECT count(*) FROM taken $$;
INSERT INTO job (queue, kind, unique_key, schedule, max_attempts) VALUES ('totals', 'ledger_fold', 'ledger_fold', 'every 2 seconds', 1000000);

-- Which account holds what a case in this stage owes; NULL: it owes nothing.
CREATE FUNCTION ledger_account(stage text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN stage IN ('designed', 'assigned', 'building', 'built', 'rework') THEN 'committed'
                WHEN stage IN ('accepted', 'closed') THEN 'payable' END $$;

-- Makes the ledger say of the case what its stage, its design and its payments say: posts the difference, if there is one.
CREATE FUNCTION ledger_settle(c retrofit_case, why text, happened date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    d case_design;
    held text := ledger_account(coalesce(c.resume_stage, c.stage));
    budget smallint;
BEGIN
    SELECT * INTO d FROM case_design k WHERE k.plan_region = c.plan_region AND k.case_id = c.id;
    IF d.case_id IS NULL OR (held IS NULL AND NOT EXISTS (SELECT FROM ledger_case k
        WHERE k.plan_region = c.plan_region AND k.case_id = c.id AND (k.committed <> 0 OR k.payable <> 0))) THEN
        RETURN;
    END IF;
    budget := CASE WHEN held IS NOT NULL THEN coalesce(d.budget_year, extract(year FROM happened)::smallint) END;
    IF budget IS DISTINCT FROM d.budget_year THEN
        UPDATE case_design k SET budget_year = budget WHERE k.plan_region = c.plan_region AND k.case_id = c.id;
    END IF;
    WITH standing AS (
        SELECT e.region, e.year, e.contractor_id, e.source, e.account, sum(e.amount) AS amount FROM ledger_entry e
        WHERE e.plan_region = c.plan_region AND e.case_id = c.id GROUP BY 1, 2, 3, 4, 5
    ), owed AS (
        SELECT s.source, s.amount - coalesce((SELECT sum(p.amount) FROM standing p WHERE p.account = 'paid' AND p.source = s.source), 0) AS amount
        FROM (SELECT k.source, k.amount FROM case_subsidy k WHERE k.plan_region = c.plan_region AND k.case_id = c.id
              UNION ALL SELECT 'household', d.self_paid) AS s WHERE held IS NOT NULL
    ), differs AS (
        SELECT u.region, u.year, u.contractor_id, u.source, u.account, sum(u.amount) AS amount FROM (
            SELECT c.region, budget AS year, coalesce(c.contractor_id, 0) AS contractor_id, o.source, held AS account, o.amount FROM owed o WHERE o.amount > 0
            UNION ALL SELECT s.region, s.year, s.contractor_id, s.source, s.account, -s.amount FROM standing s
                WHERE s.account IN ('committed', 'payable')) AS u
        GROUP BY 1, 2, 3, 4, 5 HAVING sum(u.amount) <> 0
    ), posting AS (
        SELECT * FROM differs
        UNION ALL SELECT f.region, f.year, f.contractor_id, f.source, 'source', -sum(f.amount) FROM differs f
            GROUP BY 1, 2, 3, 4 HAVING sum(f.amount) <> 0
    ), made AS (
        INSERT INTO ledger_transaction (plan_region, id, plan_id, case_id, kind, day, account_id)
        SELECT c.plan_region, id_in(c.plan_region, 'ledger_number'), c.plan_id, c.id, why, happened, scope_account()
        WHERE EXISTS (SELECT FROM posting) RETURNING id
    )
    INSERT INTO ledger_entry (plan_region, transaction_id, line, plan_id, case_id, region, year, contractor_id, source, account, amount)
    SELECT c.plan_region, m.id, row_number() OVER (ORDER BY p.source, p.amount, p.region, p.contractor_id), c.plan_id, c.id, p.region, p.year,
           p.contractor_id, p.source, p.account, p.amount FROM made m, posting p;
    UPDATE ledger_case k SET region = c.region WHERE k.plan_region = c.plan_region AND k.case_id = c.id AND k.region <> c.region;
END $$;

CREATE OR REPLACE FUNCTION money_follows(was retrofit_case, becomes retrofit_case, kind text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM ledger_settle(becomes, CASE
        WHEN kind = 'take_back' THEN 'take_back'
        WHEN kind = 'revoke' THEN 'revocation'
        WHEN becomes.stage = 'withdrawn' THEN 'withdrawal'
        WHEN becomes.stage = 'accepted' THEN 'acceptance'
        WHEN was.stage = 'surveyed' THEN 'commitment'
        ELSE 'transfer' END, CASE WHEN kind IN ('take_back', 'keep') THEN china_date(now()) ELSE china_date(becomes.stage_at) END);
END $$;

-- The design of a decided case has changed (by a change order; nothing else may).
CREATE FUNCTION design_follows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    c retrofit_case;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = NEW.plan_region AND s.id = NEW.case_id;
    PERFORM ledger_settle(c, 'change', china_date(now()));
    RETURN NULL;
END $$;
CREATE TRIGGER design_follows AFTER UPDATE OF version ON case_design FOR EACH ROW EXECUTE FUNCTION design_follows();

-- What a county has committed of a source in a year, but for one case.
CREATE FUNCTION ledger_used(wanted_plan smallint, wanted_source text, county int, wanted_year smallint, but_case bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce((SELECT sum(e.amount) FROM ledger_entry e WHERE e.plan_region = plan_region_of(but_case) AND e.case_id = but_case
               AND e.source = wanted_source AND e.account = 'source' AND e.year = wanted_year
               AND e.region BETWEEN county AND county + 999), 0)::bigint
         - coalesce((SELECT sum(t.amount) FROM ledger_total t WHERE t.plan_id = wanted_plan AND t.region = county
               AND t.kind = 'source' AND t.key = wanted_source AND t.year = wanted_year AND t.account = 'source'), 0)::bigint
         - coalesce((SELECT sum(d.amount) FROM ledger_delta d WHERE d.plan_id = wanted_plan AND d.region BETWEEN county AND county + 999
               AND d.year = wanted_year AND d.source = wanted_source AND d.account = 'source'), 0)::bigint $$;

-- The sources whose budget does not suffice for what they are to give the case, and what is left of it. Budgets are locked, so that
-- two cases do not take the same rest.
CREATE FUNCTION design_short(c retrofit_case, sources json, wanted_year int) RETURNS text[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    b record;
    left_over bigint;
    short text[];
BEGIN
    FOR b IN SELECT u.source, u.county, u.year, u.amount, s.name_zh, g.amount AS wanted
        FROM subsidy_budget u JOIN subsidy_source s ON s.plan_id = u.plan_id AND s.code = u.source
        JOIN json_to_recordset(sources) AS g (source text, amount bigint) ON g.source = u.source
        WHERE u.plan_id = c.plan_id AND u.county = c.region / 1000 * 1000 AND u.year = wanted_year ORDER BY u.source FOR UPDATE OF u
    LOOP
        left_over := b.amount - ledger_used(c.plan_id, b.source, b.county, b.year, c.id);
        IF b.wanted > left_over THEN
            short := short || (b.name_zh || ' ' || left_over);
        END IF;
    END LOOP;
    RETURN short;
END $$;

CREATE OR REPLACE FUNCTION gate_design(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    d case_design;
    judged record;
    short text[];
    verdict text;
BEGIN
    SELECT * INTO d FROM case_design k WHERE k.plan_region = c.plan_region AND k.case_id = c.id;
    judged := design_judge(c, design_items_now(c), design_sources_now(c), design_dropped_now(c), true);
    IF judged.verdict IS NULL THEN
        short := design_short(c, design_sources_now(c), extract(year FROM day)::int);
    END IF;
    verdict := CASE
        WHEN d.case_id IS NULL THEN 'design_missing'
        WHEN judged.verdict IS NOT NULL THEN judged.verdict
        WHEN (d.total, d.subsidy) IS DISTINCT FROM (judged.total, judged.subsidy) THEN 'design_unbalanced'
        WHEN short IS NOT NULL THEN 'budget_exceeded' END;
    RETURN verdict || CASE verdict WHEN 'budget_exceeded' THEN short ELSE judged.reasons END;
END $$;

-- --- payments ---

CREATE SEQUENCE payment_number;
CREATE TABLE payment (
    plan_region   int NOT NULL,
    id            bigint NOT NULL, -- id_in(plan_region, 'payment_number')
    case_id       bigint NOT NULL,
    source        text NOT NULL,   -- household: the receipt of the self-paid part
    contractor_id bigint NOT NULL, -- 0: there is none
    amount        bigint NOT NULL CHECK (amount > 0),
    paid_on       date NOT NULL,
    reference     text NOT NULL,   -- of the bank's voucher
    note          text NOT NULL DEFAULT '',
    reverses      bigint,          -- the payment that this one takes back
    account_id    bigint NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, id),
    UNIQUE (plan_region, reverses),
    FOREIGN KEY (plan_region, case_id) REFERENCES retrofit_case,
    FOREIGN KEY (plan_region, reverses) REFERENCES payment
);
CREATE INDEX payment_by_case ON payment (plan_region, case_id, id);
GRANT USAGE ON payment_number TO tantu_app;
GRANT SELECT, INSERT ON payment TO tantu_app;
ALTER TABLE payment ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON payment FOR SELECT USING (EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = payment.plan_region AND c.id = payment.case_id));
CREATE POLICY adding ON payment FOR INSERT WITH CHECK ((SELECT scope_role()) IN ('county', 'manager') AND account_id = (SELECT scope_account())
    AND EXISTS (SELECT FROM retrofit_case c WHERE c.plan_region = payment.plan_region AND c.id = payment.case_id));

-- What can be paid to the contractor of one source; where: the part of the ledger it is in.
CREATE FUNCTION ledger_payable(wanted_region int, wanted_case bigint, wanted_source text, wanted_contractor bigint,
    OUT amount bigint, OUT region int, OUT year smallint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT sum(e.amount)::bigint, e.region, e.year FROM ledger_entry e
    WHERE e.plan_region = wanted_region AND e.case_id = wanted_case AND e.source = wanted_source AND e.contractor_id = wanted_contractor
      AND e.account = 'payable' GROUP BY e.region, e.year HAVING sum(e.amount) > 0 LIMIT 1 $$;

-- A payment and its posting are one: there is no other way to either.
CREATE FUNCTION payment_posts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    c retrofit_case;
    place record;
    posted bigint := id_in(NEW.plan_region, 'ledger_number');
    sign int := CASE WHEN NEW.reverses IS NULL THEN 1 ELSE -1 END;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = NEW.plan_region AND s.id = NEW.case_id FOR UPDATE;
    IF NEW.reverses IS NULL THEN
        SELECT * INTO place FROM ledger_payable(NEW.plan_region, NEW.case_id, NEW.source, NEW.contractor_id);
    ELSE
        SELECT p.amount, e.region, e.year INTO place FROM payment p
        JOIN ledger_transaction t ON t.plan_region = p.plan_region AND t.case_id = p.case_id AND t.payment = p.id
        JOIN ledger_entry e ON e.plan_region = t.plan_region AND e.transaction_id = t.id AND e.account = 'paid'
        WHERE p.plan_region = NEW.plan_region AND p.id = NEW.reverses AND p.reverses IS NULL AND p.case_id = NEW.case_id
          AND p.source = NEW.source AND p.contractor_id = NEW.contractor_id AND p.amount = NEW.amount;
    END IF;
    IF place.amount IS NULL OR place.amount < NEW.amount THEN
        RAISE EXCEPTION 'payment of % where % is payable', NEW.amount, coalesce(place.amount, 0) USING ERRCODE = 'TT003';
    END IF;
    INSERT INTO ledger_transaction (plan_region, id, plan_id, case_id, kind, day, account_id, payment)
    VALUES (NEW.plan_region, posted, c.plan_id, NEW.case_id, CASE sign WHEN 1 THEN 'payment' ELSE 'reversal' END, NEW.paid_on, NEW.account_id, NEW.id);
    INSERT INTO ledger_entry (plan_region, transaction_id, line, plan_id, case_id, region, year, contractor_id, source, account, amount)
    SELECT NEW.plan_region, posted, x.line, c.plan_id, NEW.case_id, place.region, place.year, NEW.contractor_id, NEW.source, x.account, x.amount
    FROM (VALUES (1, 'payable', -sign * NEW.amount), (2, 'paid', sign * NEW.amount)) AS x (line, account, amount);
    PERFORM ledger_settle(c, 'transfer', NEW.paid_on); -- of a reversal: what is payable again may have to be elsewhere by now
    RETURN NULL;
END $$;
CREATE TRIGGER payment_posts AFTER INSERT ON payment FOR EACH ROW EXECUTE FUNCTION payment_posts();

CREATE TYPE payment_answer AS (
    _verdict text, _field text, _reasons text[], id bigint, "case" bigint, source text, contractor text, amount bigint, paid_on date,
    reference text, note text, reverses bigint, recorded_by bigint, recorded_at timestamptz);
CREATE FUNCTION payment_show(p payment, verdict text, field text, reasons text[]) RETURNS payment_answer LANGUAGE sql STABLE AS $$
    SELECT ROW(verdict, field, reasons, p.id, p.case_id, p.source, (SELECT k.code FROM contractor k WHERE k.id = p.contractor_id), p.amount,
               p.paid_on, p.reference, p.note, p.reverses, p.account_id, p.recorded_at)::payment_answer $$;

CREATE FUNCTION payment_record(wanted_id bigint, wanted_source text, contractor text, wanted bigint, wanted_on date, voucher text, said text)
RETURNS payment_answer LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
    p payment;
    builder bigint;
    open record;
    verdict text;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = plan_region_of(wanted_id) AND s.id = wanted_id FOR UPDATE;
    builder := CASE WHEN contractor IS NULL THEN coalesce(c.contractor_id, 0) ELSE (SELECT k.id FROM contractor k WHERE k.code = contractor) END;
    SELECT * INTO open FROM ledger_payable(c.plan_region, c.id, wanted_source, builder);
    verdict := CASE
        WHEN c.id IS NULL THEN 'not_found'
        WHEN builder IS NULL THEN 'contractor_unknown'
        WHEN wanted_source <> 'household' AND NOT EXISTS (SELECT FROM case_subsidy s WHERE s.plan_region = c.plan_region AND s.case_id = c.id
            AND s.source = wanted_source) THEN 'payment_source_unknown'
        WHEN wanted_on > china_date(now()) THEN 'paid_in_future'
        WHEN EXISTS (SELECT FROM payment k WHERE k.plan_region = c.plan_region AND k.case_id = c.id AND k.source = wanted_source
            AND k.reference = voucher AND k.reverses IS NULL AND NOT EXISTS (SELECT FROM payment r
                WHERE r.plan_region = k.plan_region AND r.reverses = k.id)) THEN 'payment_twice'
        WHEN open.amount IS NULL THEN 'nothing_payable'
        WHEN wanted > open.amount THEN 'payment_exceeds_payable' END;
    IF verdict IS NULL THEN
        INSERT INTO payment (plan_region, id, case_id, source, contractor_id, amount, paid_on, reference, note, account_id)
        VALUES (c.plan_region, id_in(c.plan_region, 'payment_number'), c.id, wanted_source, builder, wanted, wanted_on, voucher,
                coalesce(said, ''), scope_account()) RETURNING * INTO p;
    END IF;
    RETURN payment_show(p, verdict, NULL, CASE verdict WHEN 'payment_exceeds_payable' THEN ARRAY[open.amount::text] END);
END $$;

CREATE FUNCTION payment_reverse(wanted_id bigint, said text) RETURNS payment_answer LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
    p payment;
    back payment;
    verdict text;
BEGIN
    SELECT s.* INTO c FROM payment k JOIN retrofit_case s ON s.plan_region = k.plan_region AND s.id = k.case_id
    WHERE k.plan_region = plan_region_of(wanted_id) AND k.id = wanted_id FOR UPDATE OF s;
    SELECT * INTO p FROM payment k WHERE k.plan_region = c.plan_region AND k.id = wanted_id;
    verdict := CASE
        WHEN p.id IS NULL THEN 'not_found'
        WHEN p.reverses IS NOT NULL OR EXISTS (SELECT FROM payment k WHERE k.plan_region = p.plan_region AND k.reverses = p.id)
            THEN 'payment_reversed' END;
    IF verdict IS NULL THEN
        INSERT INTO payment (plan_region, id, case_id, source, contractor_id, amount, paid_on, reference, note, reverses, account_id)
        VALUES (p.plan_region, id_in(p.plan_region, 'payment_number'), p.case_id, p.source, p.contractor_id, p.amount, china_date(now()),
                p.reference, said, p.id, scope_account()) RETURNING * INTO back;
    END IF;
    RETURN payment_show(back, verdict, NULL, NULL);
END $$;

-- The sources of which more was paid than they would give.
CREATE FUNCTION ledger_below_paid(c retrofit_case, sources json, self_paid bigint) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT array_agg(p.source || ' ' || p.amount ORDER BY p.source) FROM (
        SELECT e.source, sum(e.amount) AS amount FROM ledger_entry e
        WHERE e.plan_region = c.plan_region AND e.case_id = c.id AND e.account = 'paid' GROUP BY 1) AS p
    WHERE p.amount > CASE WHEN p.source = 'household' THEN self_paid ELSE coalesce((SELECT g.amount
        FROM json_to_recordset(sources) AS g (source text, amount bigint) WHERE g.source = p.source LIMIT 1), 0) END $$;

GRANT SELECT ON ledger_transaction, ledger_entry, ledger_case, ledger_total, ledger_delta TO tantu_app;
ALTER TABLE ledger_transaction ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_case ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_total ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_delta ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON ledger_transaction FOR SELECT USING ((SELECT scope_sees_region()) AND EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = ledger_transaction.plan_region AND c.id = ledger_transaction.case_id));
CREATE POLICY scope ON ledger_entry FOR SELECT USING ((SELECT scope_sees_region()) AND EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = ledger_entry.plan_region AND c.id = ledger_entry.case_id));
CREATE POLICY scope ON ledger_case FOR SELECT USING (
    (SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY scope ON ledger_total FOR SELECT USING (
    (SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY scope ON ledger_delta FOR SELECT USING (
    (SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
REVOKE EXECUTE ON FUNCTION ledger_settle, ledger_used, ledger_payable, ledger_below_paid, design_short, ledger_fold FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_payable, ledger_below_paid, design_short, ledger_fold TO tantu_app;
