-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- The money of rentals (0037), in 分, double entry as in 0028: positive where it arrives, negative where it leaves, so that a
-- transaction sums to zero. Accounts: cash; deposits_held (what is held of others is negative); rent_due (what renters owe);
-- subsidy (what the plan owes of rents); rent_income and charges (negative: income); waived (owed, and given up).
-- Invariants, whoever writes: nothing is posted but by what happens to a rental; nothing is ever changed; of each rental deposits_held
-- is what was paid in of its deposit, and nothing once it is closed, which happens once.

CREATE SEQUENCE device_money_number; -- transactions and payments
CREATE TABLE device_transaction (
    plan_region int NOT NULL,
    id          bigint NOT NULL, -- id_in(plan_region, 'device_money_number')
    handover_id bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('rent', 'rent_reversed', 'payment', 'payment_reversed', 'closing')),
    day         date NOT NULL,   -- when it happened
    month_no    int,             -- of rent: which month of the contract
    payment     bigint,
    reverses    bigint,          -- the transaction that this one takes back
    account_id  bigint,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, id),
    UNIQUE (plan_region, reverses),
    FOREIGN KEY (plan_region, handover_id) REFERENCES rental,
    FOREIGN KEY (plan_region, reverses) REFERENCES device_transaction,
    CHECK ((reverses IS NOT NULL) = (kind IN ('rent_reversed', 'payment_reversed'))),
    CHECK ((month_no IS NOT NULL) = (kind IN ('rent', 'rent_reversed')))
);
CREATE INDEX device_transaction_by_rental ON device_transaction (plan_region, handover_id, id);
CREATE UNIQUE INDEX device_transaction_closing ON device_transaction (plan_region, handover_id) WHERE kind = 'closing'; -- refunded once
CREATE TABLE device_entry (
    plan_region    int NOT NULL,
    transaction_id bigint NOT NULL,
    line           smallint NOT NULL,
    handover_id    bigint NOT NULL,
    plan_id        smallint NOT NULL,
    centre_id      bigint NOT NULL,
    region         int NOT NULL,
    day            date NOT NULL,
    account        text NOT NULL CHECK (account IN ('cash', 'deposits_held', 'rent_due', 'subsidy', 'rent_income', 'charges', 'waived')),
    amount         bigint NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (plan_region, transaction_id, line),
    FOREIGN KEY (plan_region, transaction_id) REFERENCES device_transaction
);
CREATE INDEX device_entry_by_rental ON device_entry (plan_region, handover_id, transaction_id);
CREATE INDEX device_entry_by_centre ON device_entry (centre_id, account, day, transaction_id, line);
CREATE INDEX device_entry_by_region ON device_entry (region, account, day, transaction_id, line);
CREATE INDEX device_entry_by_plan ON device_entry (plan_id, account, day, transaction_id, line);
-- The entries by what they can be asked for: every level of region, each centre and (0) all of them. Deltas are folded by a job.
CREATE TABLE device_ledger_total (
    plan_id   smallint NOT NULL,
    region    int NOT NULL,
    centre_id bigint NOT NULL,
    month     date NOT NULL,
    account   text NOT NULL,
    amount    bigint NOT NULL,
    PRIMARY KEY (plan_id, region, centre_id, month, account)
) WITH (fillfactor = 50);
CREATE TABLE device_ledger_delta (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id   smallint NOT NULL,
    region    int NOT NULL,
    centre_id bigint NOT NULL,
    month     date NOT NULL,
    account   text NOT NULL,
    amount    bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000);
CREATE INDEX device_ledger_delta_by_region ON device_ledger_delta (plan_id, region);

CREATE TRIGGER stands BEFORE UPDATE OR DELETE OR TRUNCATE ON device_transaction FOR EACH STATEMENT EXECUTE FUNCTION ledger_stands();
CREATE TRIGGER stands BEFORE UPDATE OR DELETE OR TRUNCATE ON device_entry FOR EACH STATEMENT EXECUTE FUNCTION ledger_stands();

-- Append-only.
CREATE TABLE rental_payment (
    plan_region int NOT NULL,
    id          bigint NOT NULL, -- id_in(plan_region, 'device_money_number')
    handover_id bigint NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('rent', 'deposit')),
    amount      bigint NOT NULL CHECK (amount > 0),
    paid_on     date NOT NULL,
    reference   text NOT NULL DEFAULT '', -- of a voucher
    note        text NOT NULL DEFAULT '',
    reverses    bigint,                   -- the payment that this one takes back
    account_id  bigint,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, id),
    UNIQUE (plan_region, reverses),
    FOREIGN KEY (plan_region, handover_id) REFERENCES rental,
    FOREIGN KEY (plan_region, reverses) REFERENCES rental_payment
);
CREATE INDEX rental_payment_by_rental ON rental_payment (plan_region, handover_id, id);

-- What was paid in of a rental's deposit and not taken back.
CREATE FUNCTION rental_deposit_paid(of_region int, wanted bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(sum(CASE WHEN p.reverses IS NULL THEN p.amount ELSE -p.amount END), 0)::bigint
    FROM rental_payment p WHERE p.plan_region = of_region AND p.handover_id = wanted AND p.kind = 'deposit' $$;

-- At the end of a transaction: in balance, and the deposit is held for as long as the contract is not closed.
CREATE FUNCTION device_ledger_balances() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rest bigint := (SELECT sum(e.amount) FROM device_entry e WHERE e.plan_region = NEW.plan_region AND e.transaction_id = NEW.transaction_id);
    r rental;
    held bigint;
BEGIN
    IF rest <> 0 THEN
        RAISE EXCEPTION 'ledger transaction % is out of balance by %', NEW.transaction_id, rest USING ERRCODE = 'TT003';
    END IF;
    IF NEW.account = 'deposits_held' THEN
        SELECT * INTO r FROM rental k WHERE k.plan_region = NEW.plan_region AND k.handover_id = NEW.handover_id;
        held := -(SELECT sum(e.amount) FROM device_entry e
            WHERE e.plan_region = NEW.plan_region AND e.handover_id = NEW.handover_id AND e.account = 'deposits_held');
        IF held <> (CASE r.state WHEN 'closed' THEN 0 ELSE rental_deposit_paid(NEW.plan_region, NEW.handover_id) END) OR held <> r.deposit_held THEN
            RAISE EXCEPTION 'of the deposit of rental % % are held', NEW.handover_id, held USING ERRCODE = 'TT003';
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER balances AFTER INSERT ON device_entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION device_ledger_balances();

CREATE FUNCTION device_ledger_counts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO device_ledger_delta (plan_id, region, centre_id, month, account, amount)
    SELECT e.plan_id, e.region, e.centre_id, date_trunc('month', e.day)::date, e.account, sum(e.amount) FROM fresh e
    GROUP BY 1, 2, 3, 4, 5 HAVING sum(e.amount) <> 0;
    UPDATE rental r SET deposit_held = r.deposit_held - f.held, owed = r.owed + f.owed FROM (
        SELECT e.plan_region, e.handover_id, coalesce(sum(e.amount) FILTER (WHERE e.account = 'deposits_held'), 0) AS held,
            coalesce(sum(e.amount) FILTER (WHERE e.account = 'rent_due'), 0) AS owed FROM fresh e GROUP BY 1, 2) AS f
    WHERE r.plan_region = f.plan_region AND r.handover_id = f.handover_id AND (f.held <> 0 OR f.owed <> 0);
    RETURN NULL;
END $$;
CREATE TRIGGER counts AFTER INSERT ON device_entry REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION device_ledger_counts();

-- Moves up to `most` deltas into the totals; answers how many.
CREATE FUNCTION device_ledger_fold(most int) RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH taken AS (
        DELETE FROM device_ledger_delta WHERE id IN (SELECT id FROM device_ledger_delta ORDER BY id LIMIT most FOR UPDATE SKIP LOCKED) RETURNING *
    ), folded AS (
        INSERT INTO device_ledger_total AS t (plan_id, region, centre_id, month, account, amount)
        SELECT d.plan_id, up.region, c.centre_id, d.month, d.account, sum(d.amount) FROM taken d
        CROSS JOIN LATERAL ledger_levels(d.region) AS up (region) CROSS JOIN LATERAL (VALUES (0), (d.centre_id)) AS c (centre_id)
        GROUP BY 1, 2, 3, 4, 5 HAVING sum(d.amount) <> 0 ORDER BY 1, 2, 3, 4, 5
        ON CONFLICT (plan_id, region, centre_id, month, account) DO UPDATE SET amount = t.amount + excluded.amount
    )
    SELECT count(*) FROM taken $$;

-- One transaction of `r`: so much to each account; what is zero is left out. Answers its id, NULL when nothing is left.
CREATE FUNCTION device_post(r rental, why text, happened date, accounts text[], amounts bigint[], month_no int, payment bigint, reverses bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    posted bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM unnest(amounts) AS a WHERE a <> 0) THEN
        RETURN NULL;
    END IF;
    posted := id_in(r.plan_region, 'device_money_number');
    INSERT INTO device_transaction (plan_region, id, handover_id, kind, day, month_no, payment, reverses, account_id)
    VALUES (r.plan_region, posted, r.handover_id, why, happened, month_no, payment, reverses, scope_account());
    INSERT INTO device_entry (plan_region, transaction_id, line, handover_id, plan_id, centre_id, region, day, account, amount)
    SELECT r.plan_region, posted, l.line, r.handover_id, r.plan_id, r.centre_id, r.region, happened, l.account, l.amount
    FROM unnest(accounts, amounts) WITH ORDINALITY AS l (account, amount, line) WHERE l.amount <> 0;
    RETURN posted;
END $$;

-- Makes the ledger hold the months of rent that have begun until the end of the rental, or today: no month twice, and months that it
-- did not run after all (an earlier day of return was written down later) are reversed.
CREATE FUNCTION rental_accrue(of_region int, wanted bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r rental;
    t device_transaction;
    begun int;
BEGIN
    SELECT * INTO r FROM rental k WHERE k.plan_region = of_region AND k.handover_id = wanted AND k.state <> 'closed' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    begun := rental_months(r.began_on, coalesce(r.ended_on, china_date(now())));
    FOR n IN r.months + 1 .. begun LOOP
        PERFORM device_post(r, 'rent', rental_month_begins(r.began_on, n), '{rent_due,subsidy,rent_income}',
            ARRAY[r.self_paid, r.rent_subsidy, -r.rent], n, NULL, NULL);
    END LOOP;
    FOR t IN SELECT * FROM device_transaction d WHERE d.plan_region = of_region AND d.handover_id = wanted AND d.kind = 'rent' AND d.month_no > begun
        AND NOT EXISTS (SELECT FROM device_transaction b WHERE b.plan_region = d.plan_region AND b.reverses = d.id) ORDER BY d.id
    LOOP
        PERFORM device_post(r, 'rent_reversed', china_date(now()), '{rent_due,subsidy,rent_income}',
            ARRAY[-r.self_paid, -r.rent_subsidy, r.rent], t.month_no, NULL, t.id);
    END LOOP;
    UPDATE rental k SET months = begun, rent_on = CASE k.state WHEN 'open' THEN rental_month_begins(k.began_on, begun + 1) END
    WHERE k.plan_region = of_region AND k.handover_id = r.handover_id;
END $$;

-- What can still be paid: of the deposit what was not, of the rent what is owed until the due day or was until the end.
CREATE FUNCTION rental_payable(r rental, kind text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE kind WHEN 'deposit' THEN CASE r.state WHEN 'open' THEN r.deposit - r.deposit_held ELSE 0 END
        ELSE (rental_months(r.began_on, coalesce(r.ended_on, greatest(r.due_on, china_date(now())))) - r.months) * r.self_paid + r.owed END $$;
-- Why `p` may not be recorded; NULL: it may. q: the payment that it reverses.
CREATE FUNCTION rental_payment_refusal(r rental, p rental_payment, q rental_payment) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    verdict text;
BEGIN
    verdict := CASE
        WHEN r.state = 'closed' THEN 'rental_closed'
        WHEN p.paid_on > china_date(now()) THEN 'paid_in_future'
        WHEN p.reverses IS NOT NULL AND (q.id IS NULL OR q.reverses IS NOT NULL OR EXISTS (SELECT FROM rental_payment k
            WHERE k.plan_region = q.plan_region AND k.reverses = q.id)) THEN 'payment_reversed'
        WHEN p.reverses IS NULL AND p.reference <> '' AND EXISTS (SELECT FROM rental_payment k WHERE k.plan_region = r.plan_region
            AND k.handover_id = r.handover_id AND k.kind = p.kind AND k.reference = p.reference AND k.reverses IS NULL
            AND NOT EXISTS (SELECT FROM rental_payment b WHERE b.plan_region = k.plan_region AND b.reverses = k.id)) THEN 'payment_twice'
        WHEN p.reverses IS NULL AND p.amount > rental_payable(r, p.kind) THEN 'rental_payment_exceeds' END;
    RETURN verdict;
END $$;

-- A payment and its posting are one: there is no other way to either. A reversal is of the whole of what it reverses.
CREATE FUNCTION rental_payment_comes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r rental;
    q rental_payment;
    verdict text;
BEGIN
    SELECT * INTO r FROM rental k WHERE k.plan_region = NEW.plan_region AND k.handover_id = NEW.handover_id FOR NO KEY UPDATE;
    NEW.id := id_in(NEW.plan_region, 'device_money_number');
    NEW.account_id := scope_account();
    NEW.recorded_at := now();
    IF NEW.reverses IS NOT NULL THEN
        SELECT * INTO q FROM rental_payment p WHERE p.plan_region = NEW.plan_region AND p.id = NEW.reverses AND p.handover_id = NEW.handover_id;
        NEW.kind := q.kind;
        NEW.amount := q.amount;
        NEW.reference := q.reference;
    END IF;
    verdict := coalesce(rental_payment_refusal(r, NEW, q), CASE WHEN r.handover_id IS NULL THEN 'not_found' END);
    IF verdict IS NOT NULL THEN
        RAISE EXCEPTION 'payment of rental %: %', NEW.handover_id, verdict USING ERRCODE = 'TT003';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION rental_payment_posts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r rental;
    was bigint;
    sign int := CASE WHEN NEW.reverses IS NULL THEN 1 ELSE -1 END;
BEGIN
    SELECT * INTO r FROM rental k WHERE k.plan_region = NEW.plan_region AND k.handover_id = NEW.handover_id;
    SELECT t.id INTO was FROM device_transaction t
    WHERE t.plan_region = NEW.plan_region AND t.handover_id = NEW.handover_id AND t.payment = NEW.reverses AND t.kind = 'payment';
    PERFORM device_post(r, CASE sign WHEN 1 THEN 'payment' ELSE 'payment_reversed' END, NEW.paid_on,
        ARRAY['cash', CASE NEW.kind WHEN 'deposit' THEN 'deposits_held' ELSE 'rent_due' END], ARRAY[sign * NEW.amount, -sign * NEW.amount],
        NULL, NEW.id, was);
    RETURN NULL;
END $$;
CREATE TRIGGER comes BEFORE INSERT ON rental_payment FOR EACH ROW EXECUTE FUNCTION rental_payment_comes();
CREATE TRIGGER posts AFTER INSERT ON rental_payment FOR EACH ROW EXECUTE FUNCTION rental_payment_posts();
CREATE TRIGGER stands BEFORE UPDATE OR DELETE OR TRUNCATE ON rental_payment FOR EACH STATEMENT EXECUTE FUNCTION ledger_stands();

-- The settlement, as it was done: one a rental. Who closes says what is charged and what was received or is waived; the rest is worked out.
CREATE TABLE rental_closing (
    plan_region  int NOT NULL,
    handover_id  bigint NOT NULL,
    closed_on    date NOT NULL,
    charges      json NOT NULL DEFAULT '[]', -- [{reason, amount}]
    charged      bigint NOT NULL,
    owed         bigint NOT NULL, -- of rent; negative: paid in advance
    deposit      bigint NOT NULL, -- that was held
    refund       bigint NOT NULL CHECK (refund >= 0),
    received     bigint NOT NULL DEFAULT 0 CHECK (received >= 0),
    waived       bigint NOT NULL DEFAULT 0 CHECK (waived >= 0),
    waive_reason text NOT NULL DEFAULT '',
    note         text NOT NULL DEFAULT '',
    account_id   bigint,
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, handover_id),
    FOREIGN KEY (plan_region, handover_id) REFERENCES rental,
    CHECK (owed + charged - deposit + refund = received + waived),
    CHECK ((waived > 0) = (waive_reason <> ''))
);

-- What closing comes to with so many charges; for one that is open: if it came back today.
CREATE FUNCTION rental_settlement(r rental, charged bigint, OUT months int, OUT owed bigint, OUT applied bigint, OUT refund bigint, OUT rest bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    months := rental_months(r.began_on, coalesce(r.ended_on, china_date(now())));
    owed := r.owed + CASE r.state WHEN 'closed' THEN 0 ELSE (months - r.months) * r.self_paid END;
    applied := least(r.deposit_held, greatest(owed + charged, 0));
    refund := r.deposit_held - applied + greatest(-(owed + charged), 0);
    rest := greatest(owed + charged - r.deposit_held, 0);
END $$;
CREATE FUNCTION rental_charged(charges json) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum(c.amount), 0)::bigint FROM json_to_recordset(coalesce(charges, '[]')) AS c (amount bigint) $$;

CREATE FUNCTION rental_closing_comes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r rental;
    s record;
BEGIN
    PERFORM FROM handover o WHERE o.plan_region = NEW.plan_region AND o.id = NEW.handover_id FOR NO KEY UPDATE;
    SELECT * INTO r FROM rental k WHERE k.plan_region = NEW.plan_region AND k.handover_id = NEW.handover_id FOR NO KEY UPDATE;
    IF r.state IS NULL OR r.state NOT IN ('returned', 'lost') OR NEW.closed_on NOT BETWEEN r.ended_on AND china_date(now())
        OR EXISTS (SELECT FROM json_to_recordset(NEW.charges) AS c (amount bigint) WHERE c.amount <= 0 OR c.amount IS NULL) THEN
        RAISE EXCEPTION 'rental % cannot be closed: %', NEW.handover_id, coalesce(r.state, 'not_found') USING ERRCODE = 'TT003';
    END IF;
    NEW.charged := rental_charged(NEW.charges);
    SELECT * INTO s FROM rental_settlement(r, NEW.charged);
    NEW.owed := s.owed;
    NEW.deposit := r.deposit_held;
    NEW.refund := s.refund;
    NEW.account_id := scope_account();
    NEW.recorded_at := now();
    RETURN NEW;
END $$;
CREATE FUNCTION rental_closing_posts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r rental;
BEGIN
    SELECT * INTO r FROM rental k WHERE k.plan_region = NEW.plan_region AND k.handover_id = NEW.handover_id;
    PERFORM device_post(r, 'closing', NEW.closed_on, '{charges,deposits_held,rent_due,cash,waived}',
        ARRAY[-NEW.charged, NEW.deposit, -NEW.owed, NEW.received - NEW.refund, NEW.waived], NULL, NULL, NULL);
    UPDATE rental k SET state = 'closed' WHERE k.plan_region = NEW.plan_region AND k.handover_id = NEW.handover_id;
    UPDATE handover o SET closed_at = now() WHERE o.plan_region = NEW.plan_region AND o.id = NEW.handover_id;
    RETURN NULL;
END $$;
CREATE TRIGGER comes BEFORE INSERT ON rental_closing FOR EACH ROW EXECUTE FUNCTION rental_closing_comes();
CREATE TRIGGER posts AFTER INSERT ON rental_closing FOR EACH ROW EXECUTE FUNCTION rental_closing_posts();
CREATE TRIGGER stands BEFORE UPDATE OR DELETE OR TRUNCATE ON rental_closing FOR EACH STATEMENT EXECUTE FUNCTION ledger_stands();

CREATE TYPE rental_payment_shown AS (_verdict text, _field text, id bigint, rental bigint, kind text, amount bigint, paid_on date, reference text,
    note text, reverses bigint, recorded_by bigint, recorded_at timestamptz, deposit_held bigint, owed bigint);
CREATE FUNCTION rental_payment_show(p rental_payment, verdict text) RETURNS rental_payment_shown LANGUAGE sql STABLE AS $$
    SELECT ROW(verdict, NULL, p.id, p.handover_id, p.kind, p.amount, p.paid_on, p.reference, p.note, p.reverses, p.account_id, p.recorded_at,
        r.deposit_held, r.owed)::rental_payment_shown
    FROM (SELECT 1) AS one LEFT JOIN rental r ON r.plan_region = p.plan_region AND r.handover_id = p.handover_id $$;
CREATE FUNCTION rental_pay(wanted bigint, wanted_kind text, wanted_amount bigint, happened date, voucher text, said text) RETURNS rental_payment_shown
LANGUAGE plpgsql AS $$
DECLARE
    r rental;
    p rental_payment;
    verdict text;
BEGIN
    SELECT * INTO r FROM rental k WHERE k.plan_region = plan_region_of(wanted) AND k.handover_id = wanted FOR NO KEY UPDATE;
    p.kind := wanted_kind;
    p.amount := wanted_amount;
    p.paid_on := coalesce(happened, china_date(now()));
    p.reference := coalesce(voucher, '');
    verdict := CASE WHEN r.handover_id IS NULL THEN 'not_found' END;
    verdict := coalesce(verdict, rental_payment_refusal(r, p, NULL));
    IF verdict IS NULL THEN
        INSERT INTO rental_payment (plan_region, handover_id, kind, amount, paid_on, reference, note)
        VALUES (r.plan_region, r.handover_id, p.kind, p.amount, p.paid_on, p.reference, coalesce(said, '')) RETURNING * INTO p;
    ELSE
        p := NULL;
    END IF;
    RETURN rental_payment_show(p, verdict);
END $$;
CREATE FUNCTION rental_unpay(wanted bigint, wanted_payment text, said text) RETURNS rental_payment_shown LANGUAGE plpgsql AS $$
DECLARE
    r rental;
    p rental_payment;
    q rental_payment;
    verdict text;
BEGIN
    SELECT * INTO r FROM rental k WHERE k.plan_region = plan_region_of(wanted) AND k.handover_id = wanted FOR NO KEY UPDATE;
    SELECT * INTO q FROM rental_payment k WHERE k.plan_region = r.plan_region AND k.handover_id = r.handover_id
      AND k.id = CASE WHEN wanted_payment ~ '^[0-9]{16}$' THEN wanted_payment::bigint END;
    p.reverses := q.id;
    p.paid_on := china_date(now());
    verdict := CASE WHEN q.id IS NULL THEN 'not_found' END;
    verdict := coalesce(verdict, rental_payment_refusal(r, p, q));
    p := NULL;
    IF verdict IS NULL THEN
        INSERT INTO rental_payment (plan_region, handover_id, kind, amount, paid_on, note, reverses)
        VALUES (r.plan_region, r.handover_id, q.kind, q.amount, china_date(now()), said, q.id) RETURNING * INTO p;
    END IF;
    RETURN rental_payment_show(p, verdict);
END $$;

CREATE TYPE rental_settled AS (_verdict text, _field text, id bigint, state text, may_close boolean, months int, rent bigint, paid bigint, owed bigint,
    charged bigint, deposit_held bigint, applied bigint, refund bigint, rest bigint, received bigint, waived bigint, charges json, closed_on date, version int);
-- rent: the renter's part of all months; owed: what of it is not paid; rest: what is still to be received when it is closed.
CREATE FUNCTION rental_settled_show(r rental, wanted_charges bigint) RETURNS SETOF rental_settled LANGUAGE sql STABLE AS $$
    SELECT NULL::text, NULL::text, r.handover_id, r.state, r.state IN ('returned', 'lost'), s.months, s.months * r.self_paid,
        s.months * r.self_paid - coalesce(c.owed, s.owed), coalesce(c.owed, s.owed), coalesce(c.charged, wanted_charges), coalesce(c.deposit, r.deposit_held),
        CASE WHEN c.handover_id IS NULL THEN s.applied ELSE least(c.deposit, greatest(c.owed + c.charged, 0)) END, coalesce(c.refund, s.refund),
        coalesce(c.received + c.waived, s.rest), c.received, c.waived, coalesce(c.charges, '[]'), c.closed_on, r.version
    FROM rental_settlement(r, wanted_charges) AS s
    LEFT JOIN rental_closing c ON c.plan_region = r.plan_region AND c.handover_id = r.handover_id
    WHERE r.handover_id IS NOT NULL $$;
CREATE FUNCTION rental_close(wanted bigint, if_match int, happened date, wanted_charges json, got bigint, waiving text, said text) RETURNS rental_settled
LANGUAGE plpgsql AS $$
DECLARE
    l record;
    r rental;
    s record;
    shown rental_settled;
    verdict text;
    due bigint;
BEGIN
    SELECT * INTO l FROM rental_locked(wanted);
    SELECT * INTO r FROM rental k WHERE k.plan_region = (l.h).plan_region AND k.handover_id = (l.h).id FOR NO KEY UPDATE;
    SELECT * INTO s FROM rental_settlement(r, rental_charged(wanted_charges));
    due := CASE WHEN coalesce(waiving, '') <> '' THEN least(coalesce(got, 0), s.rest) ELSE s.rest END;
    verdict := CASE
        WHEN r.handover_id IS NULL THEN 'not_found'
        WHEN if_match <> r.version THEN 'stale'
        WHEN r.state = 'closed' THEN 'rental_closed'
        WHEN r.state = 'open' THEN 'rental_not_ended'
        WHEN happened > china_date(now()) OR happened < r.ended_on THEN 'closed_day_invalid'
        WHEN coalesce(waiving, '') <> '' AND s.rest <= coalesce(got, 0) THEN 'nothing_to_waive'
        WHEN coalesce(got, 0) <> due THEN 'rental_unsettled' END;
    IF verdict IS NULL THEN
        INSERT INTO rental_closing (plan_region, handover_id, closed_on, charges, received, waived, waive_reason, note)
        VALUES (r.plan_region, r.handover_id, coalesce(happened, china_date(now())), coalesce(wanted_charges, '[]'), due, s.rest - due,
                coalesce(waiving, ''), coalesce(said, ''));
        SELECT * INTO r FROM rental k WHERE k.plan_region = r.plan_region AND k.handover_id = r.handover_id;
    END IF;
    IF r.handover_id IS NOT NULL THEN
        SELECT * INTO shown FROM rental_settled_show(r, rental_charged(wanted_charges));
    END IF;
    shown._verdict := verdict;
    RETURN shown;
END $$;

GRANT USAGE ON device_money_number TO tantu_app;
GRANT SELECT ON device_transaction, device_entry, device_ledger_total, device_ledger_delta, rental_payment, rental_closing TO tantu_app;
GRANT INSERT (plan_region, handover_id, kind, amount, paid_on, reference, note, reverses) ON rental_payment TO tantu_app;
GRANT INSERT (plan_region, handover_id, closed_on, charges, received, waived, waive_reason, note) ON rental_closing TO tantu_app;
ALTER TABLE device_transaction ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_ledger_total ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_ledger_delta ENABLE ROW LEVEL SECURITY;
ALTER TABLE rental_payment ENABLE ROW LEVEL SECURITY;
ALTER TABLE rental_closing ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON device_transaction USING (EXISTS (
    SELECT FROM rental r WHERE r.plan_region = device_transaction.plan_region AND r.handover_id = device_transaction.handover_id));
CREATE POLICY scope ON rental_payment USING (EXISTS (
    SELECT FROM rental r WHERE r.plan_region = rental_payment.plan_region AND r.handover_id = rental_payment.handover_id));
CREATE POLICY scope ON rental_closing USING (EXISTS (
    SELECT FROM rental r WHERE r.plan_region = rental_closing.plan_region AND r.handover_id = rental_closing.handover_id));
CREATE POLICY scope ON device_entry USING (
    (region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE
    AND CASE (SELECT scope_whose()) WHEN '' THEN true WHEN 'k' || centre_id THEN true ELSE false END);
CREATE POLICY scope ON device_ledger_total USING (
    CASE (SELECT scope_whose()) WHEN '' THEN region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()) WHEN 'k' || centre_id THEN true ELSE false END);
CREATE POLICY scope ON device_ledger_delta USING (
    CASE (SELECT scope_whose()) WHEN '' THEN region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()) WHEN 'k' || centre_id THEN true ELSE false END);
CREATE POLICY adding_by_whom ON rental_payment AS RESTRICTIVE FOR INSERT WITH CHECK ((SELECT scope_role()) <> 'auditor');
CREATE POLICY adding_by_whom ON rental_closing AS RESTRICTIVE FOR INSERT WITH CHECK ((SELECT scope_role()) <> 'auditor');
REVOKE EXECUTE ON FUNCTION device_post, rental_accrue, rental_deposit_paid, device_ledger_fold FROM PUBLIC;
GRANT EXECUTE ON FUNCTION device_ledger_fold TO tantu_app;
