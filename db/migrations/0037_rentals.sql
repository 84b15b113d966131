-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Rentals: the contract behind a handover of kind rental. Its money is in 0042; docs/device-rental.md tells the rules in words.
-- Invariant: every such handover has its contract from the transaction on that made it, and the contract follows the handover
-- (returned, lost, back again), whoever writes that down.

-- What a plan sets; NULL: every plan that has no row of its own.
CREATE TABLE rental_rule (
    plan_id        smallint REFERENCES plan,
    before_days    int[] NOT NULL CHECK (cardinality(before_days) <= 8 AND 0 <= ALL (before_days) AND 365 >= ALL (before_days)),
    after_days     int[] NOT NULL CHECK (cardinality(after_days) <= 8 AND 0 < ALL (after_days) AND 3650 >= ALL (after_days)),
    extend_within  int NOT NULL CHECK (extend_within BETWEEN 0 AND 3650), -- days overdue after which it is extended no more
    loan_keep_days int NOT NULL CHECK (loan_keep_days BETWEEN 0 AND 3650), -- who borrowed is known so long after the return
    version        int NOT NULL DEFAULT 1,
    UNIQUE NULLS NOT DISTINCT (plan_id)
);
INSERT INTO rental_rule VALUES (NULL, '{7,1}', '{1,7,30}', 7, 30, 0);
CREATE FUNCTION rental_rule_of(wanted smallint) RETURNS rental_rule LANGUAGE sql STABLE
AS $$ SELECT r FROM rental_rule r WHERE r.plan_id = wanted OR r.plan_id IS NULL ORDER BY r.plan_id NULLS LAST LIMIT 1 $$;

-- Money is frozen at signing, in 分 a month. deposit_held, owed: what the ledger holds of it (owed < 0: paid in advance).
CREATE TABLE rental (
    plan_region  int NOT NULL,
    handover_id  bigint NOT NULL,
    plan_id      smallint NOT NULL REFERENCES plan,
    centre_id    bigint NOT NULL REFERENCES centre,
    region       int NOT NULL REFERENCES region, -- the handover's
    state        text NOT NULL CHECK (state IN ('open', 'returned', 'lost', 'closed')),
    began_on     date NOT NULL,
    due_on       date NOT NULL,
    due_since    date NOT NULL,                  -- when that day was agreed
    ended_on     date,                           -- rent runs until then
    rent         bigint NOT NULL CHECK (rent >= 0),
    rent_subsidy bigint NOT NULL CHECK (rent_subsidy BETWEEN 0 AND rent),
    self_paid    bigint NOT NULL GENERATED ALWAYS AS (rent - rent_subsidy) STORED,
    deposit      bigint NOT NULL CHECK (deposit >= 0),
    months       int NOT NULL DEFAULT 0,         -- of rent that are in the ledger
    rent_on      date,                           -- when the next one begins; NULL: none does
    remind_on    date,                           -- when a reminder is to be told next; NULL: none is
    deposit_held bigint NOT NULL DEFAULT 0 CHECK (deposit_held BETWEEN 0 AND deposit),
    owed         bigint NOT NULL DEFAULT 0,
    note         text NOT NULL DEFAULT '',
    condition    text CHECK (condition IN ('good', 'worn', 'damaged', 'incomplete')), -- as it came back
    return_note  text NOT NULL DEFAULT '',
    version      int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, handover_id),
    FOREIGN KEY (plan_region, handover_id) REFERENCES handover,
    CHECK (due_on > began_on),
    CHECK ((state = 'open') = (ended_on IS NULL)),
    CHECK (state = 'open' OR (rent_on IS NULL AND remind_on IS NULL)),
    CHECK (state <> 'closed' OR (deposit_held = 0 AND owed = 0))
) WITH (fillfactor = 80);
CREATE INDEX rental_by_centre ON rental (centre_id, state, handover_id);
CREATE INDEX rental_by_region ON rental (region, state, handover_id);
CREATE INDEX rental_by_plan ON rental (plan_id, state, handover_id);
CREATE INDEX rental_due_by_centre ON rental (centre_id, due_on, handover_id) WHERE state = 'open';
CREATE INDEX rental_due_by_region ON rental (region, due_on, handover_id) WHERE state = 'open';
CREATE INDEX rental_due_by_plan ON rental (plan_id, due_on, handover_id) WHERE state = 'open';
CREATE INDEX rental_rent_on ON rental (rent_on) WHERE rent_on IS NOT NULL;
CREATE INDEX rental_remind_on ON rental (remind_on) WHERE remind_on IS NOT NULL;

-- Append-only: each new due day, and by whom it was agreed.
CREATE TABLE rental_extension (
    plan_region int NOT NULL,
    handover_id bigint NOT NULL,
    number      int NOT NULL,
    was_due_on  date NOT NULL,
    due_on      date NOT NULL,
    agreed_by   text NOT NULL, -- of the renter's side
    note        text NOT NULL DEFAULT '',
    account_id  bigint NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, handover_id, number),
    FOREIGN KEY (plan_region, handover_id) REFERENCES rental,
    CHECK (due_on > was_due_on)
);

-- Append-only: each time that somebody was asked for it.
CREATE TABLE rental_chase (
    plan_region int NOT NULL,
    handover_id bigint NOT NULL,
    number      int NOT NULL,
    happened_at timestamptz NOT NULL,
    how         text NOT NULL CHECK (how IN ('phone', 'visit', 'message', 'letter')),
    whom        text NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('promised', 'refused', 'not_reached', 'other')),
    promised_on date,
    note        text NOT NULL DEFAULT '',
    account_id  bigint NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, handover_id, number),
    FOREIGN KEY (plan_region, handover_id) REFERENCES rental,
    CHECK ((outcome = 'promised') = (promised_on IS NOT NULL))
);

-- Months of rent from `began` to `day`: every month begun counts whole. The n-th ends on the day of the month on which it began, or
-- on the last of a shorter month, and always by the first day: from 31 January to 28 February, 31 March, 30 April.
CREATE FUNCTION rental_months(began date, day date) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT greatest(1, m.n + CASE WHEN day > (began + make_interval(months => m.n))::date THEN 1 ELSE 0 END)
    FROM (SELECT (extract(year FROM day)::int - extract(year FROM began)::int) * 12
               + extract(month FROM day)::int - extract(month FROM began)::int AS n) AS m $$;
-- The day on which month `n` begins (the first: 1).
CREATE FUNCTION rental_month_begins(began date, n int) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN n <= 1 THEN began ELSE (began + make_interval(months => n - 1))::date + 1 END $$;
-- It may be brought back all of its due day.
CREATE FUNCTION rental_due_at(day date) RETURNS timestamptz LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (day + 1)::timestamp AT TIME ZONE 'Asia/Shanghai' $$;

-- The first day after `after` on which one is to be reminded of a due day that was agreed on `since`; NULL: there is none.
CREATE FUNCTION rental_next_reminder(plan smallint, due date, since date, after date) RETURNS date LANGUAGE sql STABLE AS $$
    SELECT min(d.day) FROM rental_rule_of(plan) AS r CROSS JOIN LATERAL (
        SELECT due - b FROM unnest(r.before_days) AS b UNION ALL SELECT due + a FROM unnest(r.after_days) AS a) AS d (day)
    WHERE d.day > greatest(since, after) $$;

CREATE FUNCTION rental_comes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    h handover;
    today date := china_date(now());
BEGIN
    SELECT * INTO h FROM handover o WHERE o.plan_region = NEW.plan_region AND o.id = NEW.handover_id FOR NO KEY UPDATE;
    IF h.kind IS DISTINCT FROM 'rental' THEN
        RAISE EXCEPTION 'handover % is no rental', NEW.handover_id USING ERRCODE = 'TT005';
    END IF;
    NEW.centre_id := h.centre_id;
    NEW.region := h.region;
    NEW.began_on := china_date(h.happened_at);
    NEW.due_on := china_date(h.due_at - interval '1 second');
    NEW.due_since := greatest(NEW.began_on, least(today, NEW.due_on));
    NEW.state := coalesce(h.ended, 'open');
    NEW.ended_on := china_date(h.ended_at);
    NEW.plan_id := device_plan_of(NEW.plan_region, NEW.began_on);
    SELECT t.rent, t.rent_subsidy, t.deposit INTO NEW.rent, NEW.rent_subsidy, NEW.deposit
    FROM device_item i CROSS JOIN LATERAL device_terms_of(NEW.plan_id, i.model) AS t WHERE i.plan_region = h.plan_region AND i.id = h.item_id;
    NEW.months := 0;
    NEW.rent_on := NULL;
    NEW.deposit_held := 0;
    NEW.owed := 0;
    NEW.version := 1;
    NEW.remind_on := CASE NEW.state WHEN 'open' THEN rental_next_reminder(NEW.plan_id, NEW.due_on, NEW.due_since, NULL) END;
    RETURN NEW;
END $$;
CREATE FUNCTION rental_came() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM rental_accrue(NEW.plan_region, NEW.handover_id);
    RETURN NULL;
END $$;
CREATE TRIGGER comes BEFORE INSERT ON rental FOR EACH ROW EXECUTE FUNCTION rental_comes();
CREATE TRIGGER came AFTER INSERT ON rental FOR EACH ROW EXECUTE FUNCTION rental_came();

-- A version is of what people read: rent that falls due by itself makes none.
CREATE FUNCTION rental_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + CASE WHEN NEW.months = OLD.months AND (NEW.due_on, NEW.state, NEW.condition, NEW.return_note, NEW.deposit_held, NEW.owed)
        IS DISTINCT FROM (OLD.due_on, OLD.state, OLD.condition, OLD.return_note, OLD.deposit_held, OLD.owed) THEN 1 ELSE 0 END;
    RETURN NEW;
END $$;
CREATE TRIGGER changes BEFORE UPDATE ON rental FOR EACH ROW EXECUTE FUNCTION rental_changes();

CREATE FUNCTION rental_is_there() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM rental r WHERE r.plan_region = NEW.plan_region AND r.handover_id = NEW.id) THEN
        RAISE EXCEPTION 'rental % has no contract', NEW.id USING ERRCODE = 'TT005';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER contracted AFTER INSERT ON handover DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.kind = 'rental') EXECUTE FUNCTION rental_is_there();

-- The due day of a rental is its contract's, and it is closed by its settlement only.
CREATE FUNCTION rental_keeps() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r rental;
BEGIN
    SELECT * INTO r FROM rental k WHERE k.plan_region = NEW.plan_region AND k.handover_id = NEW.id;
    IF NEW.due_at <> OLD.due_at AND NEW.due_at IS DISTINCT FROM rental_due_at(r.due_on) THEN
        RAISE EXCEPTION 'rental % is extended otherwise', NEW.id USING ERRCODE = 'TT005';
    END IF;
    IF NEW.closed_at IS DISTINCT FROM OLD.closed_at AND (OLD.closed_at IS NOT NULL OR r.state IS DISTINCT FROM 'closed') THEN
        RAISE EXCEPTION 'rental % is not settled', NEW.id USING ERRCODE = 'TT005';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keeps BEFORE UPDATE ON handover FOR EACH ROW WHEN (OLD.kind = 'rental') EXECUTE FUNCTION rental_keeps();

-- The contract follows what becomes of the thing. What was lost and is brought after all: rent ran until it was lost.
CREATE FUNCTION rental_follows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE rental r SET state = coalesce(NEW.ended, 'open'),
        ended_on = CASE WHEN NEW.ended IS NULL THEN NULL WHEN OLD.ended = 'lost' THEN r.ended_on ELSE china_date(NEW.ended_at) END,
        condition = CASE WHEN NEW.ended = 'returned' THEN r.condition END, return_note = CASE WHEN NEW.ended = 'returned' THEN r.return_note ELSE '' END,
        rent_on = CASE WHEN NEW.ended IS NULL THEN r.rent_on END,
        remind_on = CASE WHEN NEW.ended IS NULL THEN rental_next_reminder(r.plan_id, r.due_on, r.due_since, china_date(now()) - 1) END
    WHERE r.plan_region = NEW.plan_region AND r.handover_id = NEW.id;
    PERFORM rental_accrue(NEW.plan_region, NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER follows AFTER UPDATE ON handover FOR EACH ROW
    WHEN (OLD.kind = 'rental' AND NEW.ended IS DISTINCT FROM OLD.ended) EXECUTE FUNCTION rental_follows();

-- An extension that was agreed is the new due day, or is an error. Reminders start anew.
CREATE FUNCTION rental_extension_refusal(r rental, i device_item, until date) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    verdict text;
BEGIN
    verdict := CASE
        WHEN r.state <> 'open' THEN 'rental_ended'
        WHEN i.recall_id IS NOT NULL THEN 'device_recalled'
        WHEN china_date(now()) - r.due_on > (rental_rule_of(r.plan_id)).extend_within THEN 'rental_too_late'
        WHEN until <= greatest(r.due_on, china_date(now())) OR until > r.due_on + 3660 THEN 'due_day_invalid' END;
    RETURN verdict;
END $$;
CREATE FUNCTION rental_extension_comes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    h handover;
    r rental;
    i device_item;
    verdict text;
BEGIN
    SELECT * INTO h FROM handover o WHERE o.plan_region = NEW.plan_region AND o.id = NEW.handover_id FOR NO KEY UPDATE;
    SELECT * INTO r FROM rental k WHERE k.plan_region = NEW.plan_region AND k.handover_id = NEW.handover_id FOR NO KEY UPDATE;
    SELECT * INTO i FROM device_item d WHERE d.plan_region = h.plan_region AND d.id = h.item_id;
    verdict := coalesce(rental_extension_refusal(r, i, NEW.due_on), CASE WHEN r.handover_id IS NULL THEN 'not_found' END);
    IF verdict IS NOT NULL THEN
        RAISE EXCEPTION 'extension of rental %: %', NEW.handover_id, verdict USING ERRCODE = 'TT005';
    END IF;
    NEW.number := 1 + (SELECT count(*) FROM rental_extension e WHERE e.plan_region = NEW.plan_region AND e.handover_id = NEW.handover_id);
    NEW.was_due_on := r.due_on;
    NEW.account_id := scope_account();
    UPDATE rental k SET due_on = NEW.due_on, due_since = china_date(now()),
        remind_on = rental_next_reminder(k.plan_id, NEW.due_on, china_date(now()), NULL)
    WHERE k.plan_region = r.plan_region AND k.handover_id = r.handover_id;
    UPDATE handover o SET due_at = rental_due_at(NEW.due_on) WHERE o.plan_region = h.plan_region AND o.id = h.id;
    RETURN NEW;
END $$;
CREATE TRIGGER comes BEFORE INSERT ON rental_extension FOR EACH ROW EXECUTE FUNCTION rental_extension_comes();

CREATE TYPE rental_shown AS (
    _verdict text, _field text, id bigint, request bigint, item text, item_id bigint, model text, person bigint, name text, centre text, region text,
    plan text, state text, began_on date, due_on date, days_overdue int, ended_on date, closed_at timestamptz, rent bigint, rent_subsidy bigint,
    self_paid bigint, deposit bigint, months int, deposit_held bigint, owed bigint, note text, condition text, return_note text,
    "chases.count" int, "chases.last_at" timestamptz, "chases.promised_on" date, version int);
-- A rental as lists and writes answer it: of the name only the first character.
CREATE FUNCTION rental_show(of_region int, wanted bigint) RETURNS SETOF rental_shown LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT NULL::text, NULL::text, r.handover_id, h.request_id, i.code, h.item_id, i.model, h.person_id,
        left(p.name, 1) || repeat('*', greatest(length(p.name) - 1, 0)), (SELECT c.code FROM centre c WHERE c.id = r.centre_id),
        region_label(r.region), (SELECT l.code FROM plan l WHERE l.id = r.plan_id), r.state, r.began_on, r.due_on,
        CASE WHEN r.state = 'open' THEN greatest(china_date(now()) - r.due_on, 0) END, r.ended_on, h.closed_at, r.rent, r.rent_subsidy, r.self_paid,
        r.deposit, r.months, r.deposit_held, r.owed, r.note, r.condition, r.return_note, coalesce(a.number, 0), a.happened_at, a.promised_on, r.version
    FROM rental r JOIN handover h ON h.plan_region = r.plan_region AND h.id = r.handover_id
    LEFT JOIN device_item i ON i.plan_region = h.plan_region AND i.id = h.item_id
    LEFT JOIN person p ON p.plan_region = h.plan_region AND p.id = h.person_id
    LEFT JOIN LATERAL (SELECT c.* FROM rental_chase c WHERE c.plan_region = r.plan_region AND c.handover_id = r.handover_id
        ORDER BY c.number DESC LIMIT 1) AS a ON true
    WHERE r.plan_region = of_region AND r.handover_id = wanted $$;
CREATE FUNCTION rental_answer(of_region int, wanted bigint, verdict text, field text) RETURNS rental_shown LANGUAGE plpgsql STABLE AS $$
DECLARE
    s rental_shown;
BEGIN
    IF verdict IS NULL OR verdict = 'stale' THEN
        SELECT * INTO s FROM rental_show(of_region, wanted);
    END IF;
    s._verdict := verdict;
    s._field := field;
    RETURN s;
END $$;

-- The plan's region, the item and the handover are the caller's to see, or are not there.
CREATE FUNCTION rental_open(wanted_request bigint, wanted_item text, of_months int, until date, happened timestamptz, signature json, signed_by text,
    deposit_paid boolean, said text) RETURNS rental_shown LANGUAGE plpgsql AS $$
DECLARE
    q device_request;
    i device_item;
    h handover;
    r rental;
    began date := china_date(coalesce(happened, now()));
    verdict text;
BEGIN
    SELECT * INTO q FROM device_request d WHERE d.plan_region = plan_region_of(wanted_request) AND d.id = wanted_request FOR NO KEY UPDATE;
    i := device_item_locked(wanted_item);
    until := coalesce(until, (began + make_interval(months => of_months))::date);
    h.kind := 'rental';
    h.plan_region := i.plan_region;
    h.item_id := i.id;
    h.person_id := q.person_id;
    h.request_id := q.id;
    h.happened_at := coalesce(happened, now());
    h.due_at := rental_due_at(until);
    verdict := CASE
        WHEN q.id IS NULL THEN 'request_unknown'
        WHEN i.id IS NULL THEN 'device_unknown'
        WHEN until IS NULL THEN 'due_day_missing'
        WHEN until <= began OR until > began + 3660 THEN 'due_day_invalid' END;
    verdict := coalesce(verdict, handover_refusal(h, i, q));
    IF verdict IS NULL AND signature IS NOT NULL THEN
        verdict := CASE WHEN NOT coalesce(strokes_hold(signature), false) THEN 'signature_unreadable' END;
    END IF;
    IF verdict IS NULL THEN
        INSERT INTO handover (plan_region, id, kind, item_id, person_id, request_id, happened_at, due_at, note)
        VALUES (i.plan_region, id_in(i.plan_region, 'handover_number'), 'rental', i.id, q.person_id, q.id, h.happened_at, h.due_at, coalesce(said, ''))
        RETURNING * INTO h;
        INSERT INTO rental (plan_region, handover_id, note) VALUES (h.plan_region, h.id, coalesce(said, '')) RETURNING * INTO r;
        IF signature IS NOT NULL THEN
            PERFORM handover_sign(h, signature, signed_by);
        END IF;
        IF deposit_paid AND r.deposit > 0 THEN
            INSERT INTO rental_payment (plan_region, handover_id, kind, amount, paid_on)
            VALUES (r.plan_region, r.handover_id, 'deposit', r.deposit, r.began_on);
        END IF;
    END IF;
    RETURN rental_answer(h.plan_region, h.id, verdict, NULL);
END $$;

-- The handover of a rental and its item, locked in that order: the item first.
CREATE FUNCTION rental_locked(wanted bigint, OUT h handover, OUT i device_item, OUT r rental) LANGUAGE plpgsql AS $$
BEGIN
    SELECT d.* INTO i FROM handover o JOIN device_item d ON d.plan_region = o.plan_region AND d.id = o.item_id
    WHERE o.plan_region = plan_region_of(wanted) AND o.id = wanted AND o.kind = 'rental' FOR NO KEY UPDATE OF d;
    SELECT * INTO h FROM handover o WHERE o.plan_region = plan_region_of(wanted) AND o.id = wanted AND o.kind = 'rental' FOR NO KEY UPDATE;
    SELECT * INTO r FROM rental k WHERE k.plan_region = h.plan_region AND k.handover_id = h.id;
END $$;

CREATE FUNCTION rental_return(wanted bigint, if_match int, happened timestamptz, as_it_was text, said text) RETURNS rental_shown LANGUAGE plpgsql AS $$
DECLARE
    l record;
    at timestamptz := coalesce(happened, now());
    verdict text;
BEGIN
    SELECT * INTO l FROM rental_locked(wanted);
    verdict := CASE
        WHEN (l.r).handover_id IS NULL THEN 'not_found'
        WHEN if_match <> (l.r).version THEN 'stale' END;
    verdict := coalesce(verdict, handover_end_refusal(l.h, l.i, 'returned', at, said));
    IF verdict IS NULL THEN
        UPDATE handover o SET ended = 'returned', ended_at = at, note = coalesce(said, '') WHERE o.plan_region = (l.h).plan_region AND o.id = (l.h).id;
        UPDATE rental k SET condition = as_it_was, return_note = coalesce(said, '') WHERE k.plan_region = (l.h).plan_region AND k.handover_id = (l.h).id;
    END IF;
    RETURN rental_answer((l.h).plan_region, (l.h).id, verdict, NULL);
END $$;

CREATE FUNCTION rental_lose(wanted bigint, if_match int, happened timestamptz, said text) RETURNS rental_shown LANGUAGE plpgsql AS $$
DECLARE
    l record;
    at timestamptz := coalesce(happened, now());
    verdict text;
BEGIN
    SELECT * INTO l FROM rental_locked(wanted);
    verdict := CASE
        WHEN (l.r).handover_id IS NULL THEN 'not_found'
        WHEN if_match <> (l.r).version THEN 'stale' END;
    verdict := coalesce(verdict, handover_end_refusal(l.h, l.i, 'lost', at, said));
    IF verdict IS NULL THEN
        UPDATE handover o SET ended = 'lost', ended_at = at, note = said WHERE o.plan_region = (l.h).plan_region AND o.id = (l.h).id;
    END IF;
    RETURN rental_answer((l.h).plan_region, (l.h).id, verdict, NULL);
END $$;

CREATE FUNCTION rental_extend(wanted bigint, if_match int, of_months int, until date, agreed text, said text) RETURNS rental_shown LANGUAGE plpgsql AS $$
DECLARE
    l record;
    verdict text;
BEGIN
    SELECT * INTO l FROM rental_locked(wanted);
    until := coalesce(until, ((l.r).due_on + make_interval(months => of_months))::date);
    verdict := CASE
        WHEN (l.r).handover_id IS NULL THEN 'not_found'
        WHEN if_match <> (l.r).version THEN 'stale'
        WHEN until IS NULL THEN 'due_day_missing' END;
    verdict := coalesce(verdict, rental_extension_refusal(l.r, l.i, until));
    IF verdict IS NULL THEN
        INSERT INTO rental_extension (plan_region, handover_id, due_on, agreed_by, note)
        VALUES ((l.h).plan_region, (l.h).id, until, agreed, coalesce(said, ''));
    END IF;
    RETURN rental_answer((l.h).plan_region, (l.h).id, verdict, NULL);
END $$;

-- Somebody was asked for it. (The contract is locked, so that two get numbers of their own.)
CREATE TYPE rental_chase_shown AS (_verdict text, _field text, rental bigint, number int, happened_at timestamptz, how text, whom text, outcome text,
    promised_on date, note text, account bigint, created_at timestamptz);
CREATE FUNCTION rental_chase(wanted bigint, happened timestamptz, by_way text, asked text, came_of_it text, until date, said text) RETURNS rental_chase_shown
LANGUAGE plpgsql AS $$
DECLARE
    r rental;
    c rental_chase;
    verdict text;
BEGIN
    SELECT * INTO r FROM rental k WHERE k.plan_region = plan_region_of(wanted) AND k.handover_id = wanted FOR NO KEY UPDATE;
    verdict := CASE
        WHEN r.handover_id IS NULL THEN 'not_found'
        WHEN r.state = 'closed' THEN 'rental_closed'
        WHEN coalesce(happened, now()) > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN china_date(coalesce(happened, now())) < r.began_on THEN 'happened_before_last'
        WHEN (came_of_it = 'promised') <> (until IS NOT NULL) THEN 'promise_day' END;
    IF verdict IS NULL THEN
        INSERT INTO rental_chase (plan_region, handover_id, number, happened_at, how, whom, outcome, promised_on, note, account_id)
        VALUES (r.plan_region, r.handover_id, 1 + (SELECT count(*) FROM rental_chase k WHERE k.plan_region = r.plan_region AND k.handover_id = r.handover_id),
            coalesce(happened, now()), by_way, asked, came_of_it, until, coalesce(said, ''), scope_account()) RETURNING * INTO c;
    END IF;
    RETURN (verdict, NULL, c.handover_id, c.number, c.happened_at, c.how, c.whom, c.outcome, c.promised_on, c.note, c.account_id, c.created_at)::rental_chase_shown;
END $$;

GRANT SELECT ON rental, rental_extension TO tantu_app;
GRANT SELECT ON rental_chase TO tantu_app;
GRANT INSERT (plan_region, handover_id, number, happened_at, how, whom, outcome, promised_on, note, account_id) ON rental_chase TO tantu_app;
GRANT INSERT (plan_region, handover_id, note) ON rental TO tantu_app;
GRANT UPDATE (condition, return_note) ON rental TO tantu_app;
GRANT INSERT (plan_region, handover_id, due_on, agreed_by, note) ON rental_extension TO tantu_app;
GRANT SELECT, INSERT, UPDATE ON rental_rule TO tantu_app;
ALTER TABLE rental ENABLE ROW LEVEL SECURITY;
ALTER TABLE rental_chase ENABLE ROW LEVEL SECURITY;
ALTER TABLE rental_extension ENABLE ROW LEVEL SECURITY;
ALTER TABLE rental_rule ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON rental USING (
    (region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE
    AND CASE (SELECT scope_whose()) WHEN '' THEN true WHEN 'k' || centre_id THEN true ELSE false END);
CREATE POLICY scope ON rental_extension USING (EXISTS (
    SELECT FROM rental r WHERE r.plan_region = rental_extension.plan_region AND r.handover_id = rental_extension.handover_id));
CREATE POLICY scope ON rental_chase USING (EXISTS (
    SELECT FROM rental r WHERE r.plan_region = rental_chase.plan_region AND r.handover_id = rental_chase.handover_id));
-- An auditor reads.
CREATE POLICY adding_by_whom ON rental AS RESTRICTIVE FOR INSERT WITH CHECK ((SELECT scope_role()) <> 'auditor');
CREATE POLICY changing_by_whom ON rental AS RESTRICTIVE FOR UPDATE USING (true) WITH CHECK ((SELECT scope_role()) <> 'auditor');
CREATE POLICY adding_by_whom ON rental_extension AS RESTRICTIVE FOR INSERT WITH CHECK ((SELECT scope_role()) <> 'auditor');
CREATE POLICY adding_by_whom ON rental_chase AS RESTRICTIVE FOR INSERT
    WITH CHECK ((SELECT scope_role()) <> 'auditor' AND account_id = (SELECT scope_account()));
CREATE POLICY reading ON rental_rule FOR SELECT USING (true);
CREATE POLICY adding ON rental_rule FOR INSERT WITH CHECK (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY changing ON rental_rule FOR UPDATE USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
