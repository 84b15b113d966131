-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Reminders of rentals (0037), and short loans at a community point: out and back by two scans, and whoever borrowed is forgotten.
-- Invariant: nothing is told of a rental that has ended: whoever tells locks the contract and looks, in the transaction that tells.

-- What was told: each step of a due day once. days: after that day; negative: before. Written by whatever is put into the outbox.
CREATE TABLE rental_reminder (
    plan_region int NOT NULL,
    handover_id bigint NOT NULL,
    due_on      date NOT NULL,
    days        int NOT NULL,
    told_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, handover_id, due_on, days),
    FOREIGN KEY (plan_region, handover_id) REFERENCES rental
);
CREATE FUNCTION rental_told() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r rental;
    wanted bigint := NEW.content->>'rental';
BEGIN
    SELECT * INTO r FROM rental k WHERE k.plan_region = plan_region_of(wanted) AND k.handover_id = wanted FOR NO KEY UPDATE;
    IF r.state IS DISTINCT FROM 'open' OR r.due_on::text IS DISTINCT FROM NEW.content->>'due_on' THEN
        RAISE EXCEPTION 'nothing is to be told of rental %', wanted USING ERRCODE = 'TT005';
    END IF;
    INSERT INTO rental_reminder (plan_region, handover_id, due_on, days) VALUES (r.plan_region, r.handover_id, r.due_on, (NEW.content->>'days')::int);
    NEW.region := r.region;
    RETURN NEW;
END $$;
CREATE TRIGGER rental_told BEFORE INSERT ON outbox FOR EACH ROW WHEN (NEW.kind IN ('rental_due', 'rental_overdue')) EXECUTE FUNCTION rental_told();

-- Of the steps that the due day of `r` has reached since it was agreed, the last: after a standstill one is told once, not of each.
CREATE FUNCTION rental_step(r rental, day date) RETURNS int LANGUAGE sql STABLE AS $$
    SELECT max(d.days) FROM rental_rule_of(r.plan_id) AS u CROSS JOIN LATERAL (
        SELECT -b FROM unnest(u.before_days) AS b UNION ALL SELECT a FROM unnest(u.after_days) AS a) AS d (days)
    WHERE r.due_on + d.days <= day AND r.due_on + d.days > r.due_since $$;

-- Posts the rent of months that have begun, and tells of who is to be reminded: at most so many of each; answers how many were told.
-- What somebody is changing right now is passed over: the next scan has it, if it is still open.
CREATE FUNCTION rental_scan(most int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r rental;
    today date := china_date(now());
    step int;
    said int := 0;
BEGIN
    IF scope_role() IS DISTINCT FROM 'system' THEN
        RETURN 0;
    END IF;
    FOR r IN SELECT * FROM rental k WHERE k.rent_on <= today ORDER BY k.rent_on LIMIT most FOR NO KEY UPDATE SKIP LOCKED LOOP
        PERFORM rental_accrue(r.plan_region, r.handover_id);
    END LOOP;
    FOR r IN SELECT * FROM rental k WHERE k.remind_on <= today ORDER BY k.remind_on LIMIT most FOR NO KEY UPDATE SKIP LOCKED LOOP
        step := rental_step(r, today);
        INSERT INTO outbox (kind, region, content)
        SELECT CASE WHEN step <= 0 THEN 'rental_due' ELSE 'rental_overdue' END, r.region, json_build_object('rental', r.handover_id,
            'plan', (SELECT p.code FROM plan p WHERE p.id = r.plan_id), 'centre', (SELECT c.code FROM centre c WHERE c.id = r.centre_id),
            'due_on', r.due_on, 'days', step)
        WHERE step IS NOT NULL AND NOT EXISTS (SELECT FROM rental_reminder m WHERE m.plan_region = r.plan_region
            AND m.handover_id = r.handover_id AND m.due_on = r.due_on AND m.days >= step);
        said := said + CASE WHEN FOUND THEN 1 ELSE 0 END;
        UPDATE rental k SET remind_on = rental_next_reminder(r.plan_id, r.due_on, r.due_since, today)
        WHERE k.plan_region = r.plan_region AND k.handover_id = r.handover_id;
    END LOOP;
    RETURN said;
END $$;
INSERT INTO job (queue, kind, unique_key, schedule, max_attempts) VALUES ('reminders', 'rental_scan', 'rental_scan', 'every 10 minutes', 1000000);

-- A plan that reminds otherwise from now on does so of what is out already too.
CREATE FUNCTION rental_rule_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE rental r SET remind_on = rental_next_reminder(r.plan_id, r.due_on, r.due_since, china_date(now()) - 1)
    WHERE r.plan_id = NEW.plan_id AND r.state = 'open';
    RETURN NULL;
END $$;
CREATE TRIGGER changed AFTER INSERT OR UPDATE ON rental_rule FOR EACH ROW EXECUTE FUNCTION rental_rule_changed();

CREATE INDEX handover_loans_of_centre ON handover (centre_id, due_at, id) WHERE kind = 'loan' AND ended IS NULL;
CREATE INDEX handover_loans_of_region ON handover (region, due_at, id) WHERE kind = 'loan' AND ended IS NULL;
CREATE INDEX handover_loans_of_plan ON handover (plan_region, due_at, id) WHERE kind = 'loan' AND ended IS NULL;
CREATE INDEX handover_loans_known ON handover (ended_at) WHERE kind = 'loan' AND ended = 'returned' AND phone <> '';

-- Who borrowed is forgotten some days after the return; what is lost is still asked for.
CREATE FUNCTION loans_erase(most int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    erased int;
BEGIN
    IF scope_role() IS DISTINCT FROM 'system' THEN
        RETURN 0;
    END IF;
    UPDATE handover o SET borrower = '*', phone = '' FROM (
        SELECT h.plan_region, h.id FROM handover h WHERE h.kind = 'loan' AND h.ended = 'returned' AND h.phone <> ''
          AND h.ended_at < now() - make_interval(days => (rental_rule_of(device_plan_of(h.plan_region, china_date(h.ended_at)))).loan_keep_days)
        ORDER BY h.ended_at LIMIT most FOR NO KEY UPDATE SKIP LOCKED) AS old
    WHERE o.plan_region = old.plan_region AND o.id = old.id;
    GET DIAGNOSTICS erased = ROW_COUNT;
    RETURN erased;
END $$;

CREATE TYPE loan_shown AS (_verdict text, _field text, id bigint, item text, item_id bigint, model text, centre text, region text, person bigint,
    borrower text, phone text, state text, happened_at timestamptz, due_at timestamptz, hours_overdue int, ended_at timestamptz, note text, version int);
CREATE FUNCTION masked_name(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(name, 1) || repeat('*', greatest(length(name) - 1, 0)) $$;
CREATE FUNCTION masked_phone(phone text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT repeat('*', greatest(length(phone) - 2, 0)) || right(phone, least(2, length(phone) / 2)) $$;
-- whole: with the name in clear, and for who may call, which an auditor does not, the number.
CREATE FUNCTION loan_show(of_region int, wanted bigint, whole boolean) RETURNS SETOF loan_shown LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT NULL::text, NULL::text, h.id, i.code, h.item_id, i.model, (SELECT c.code FROM centre c WHERE c.id = h.centre_id), region_label(h.region),
        h.person_id, CASE WHEN whole THEN n.name ELSE masked_name(n.name) END, CASE WHEN whole AND scope_role() <> 'auditor' THEN h.phone ELSE masked_phone(h.phone) END,
        coalesce(h.ended, 'open'), h.happened_at, h.due_at, CASE WHEN h.ended IS NULL THEN greatest(floor(extract(epoch FROM now() - h.due_at) / 3600), 0)::int END,
        h.ended_at, h.note, h.version
    FROM handover h LEFT JOIN device_item i ON i.plan_region = h.plan_region AND i.id = h.item_id
    LEFT JOIN person p ON p.plan_region = h.plan_region AND p.id = h.person_id
    CROSS JOIN LATERAL (SELECT CASE WHEN h.person_id IS NULL THEN h.borrower ELSE p.name END AS name) AS n
    WHERE h.plan_region = of_region AND h.id = wanted AND h.kind = 'loan' $$;
CREATE FUNCTION loan_answer(of_region int, wanted bigint, verdict text) RETURNS loan_shown LANGUAGE plpgsql STABLE AS $$
DECLARE
    s loan_shown;
BEGIN
    IF verdict IS NULL THEN
        SELECT * INTO s FROM loan_show(of_region, wanted, false);
    END IF;
    s._verdict := verdict;
    RETURN s;
END $$;

CREATE FUNCTION loan_out(wanted_item text, somebody bigint, by_name text, by_phone text, of_hours int, happened timestamptz, said text) RETURNS loan_shown
LANGUAGE plpgsql AS $$
DECLARE
    i device_item := device_item_locked(wanted_item);
    h handover;
    most int := (SELECT m.loan_hours FROM device_model m WHERE m.code = i.model);
    verdict text;
BEGIN
    h.kind := 'loan';
    h.plan_region := i.plan_region;
    h.item_id := i.id;
    h.person_id := somebody;
    h.happened_at := coalesce(happened, now());
    h.due_at := h.happened_at + make_interval(hours => coalesce(of_hours, most));
    verdict := CASE
        WHEN i.id IS NULL THEN 'device_unknown'
        WHEN most IS NULL THEN 'loan_not_offered'
        WHEN of_hours > most THEN 'loan_too_long'
        WHEN somebody IS NOT NULL AND NOT EXISTS (SELECT FROM person p WHERE p.plan_region = i.plan_region AND p.id = somebody) THEN 'borrower_unknown'
        WHEN somebody IS NULL AND NOT coalesce(by_name ~ '\S' AND by_phone ~ '\S', false) THEN 'borrower_missing'
        WHEN somebody IS NOT NULL AND (by_name IS NOT NULL OR by_phone IS NOT NULL) THEN 'borrower_twice' END;
    verdict := coalesce(verdict, handover_refusal(h, i, NULL));
    IF verdict IS NULL THEN
        INSERT INTO handover (plan_region, id, kind, item_id, person_id, borrower, phone, happened_at, due_at, note)
        VALUES (i.plan_region, id_in(i.plan_region, 'handover_number'), 'loan', i.id, somebody, coalesce(by_name, ''), coalesce(by_phone, ''),
            h.happened_at, h.due_at, coalesce(said, '')) RETURNING * INTO h;
    END IF;
    RETURN loan_answer(h.plan_region, h.id, verdict);
END $$;

-- The loan that has ended so: of the item that was scanned (back, also what was lost), or by its id (lost).
CREATE FUNCTION loan_end(i device_item, wanted bigint, how text, happened timestamptz, said text) RETURNS loan_shown LANGUAGE plpgsql AS $$
DECLARE
    h handover;
    at timestamptz := coalesce(happened, now());
    verdict text;
BEGIN
    SELECT * INTO h FROM handover o WHERE o.plan_region = i.plan_region AND o.item_id = i.id AND o.kind = 'loan' AND CASE
        WHEN wanted IS NOT NULL THEN o.id = wanted WHEN i.state = 'lost' THEN o.ended = 'lost' ELSE o.ended IS NULL END
    ORDER BY o.id DESC LIMIT 1 FOR NO KEY UPDATE;
    verdict := CASE WHEN h.id IS NULL THEN 'loan_not_out' END;
    verdict := coalesce(verdict, handover_end_refusal(h, i, how, at, said));
    IF verdict IS NULL THEN
        UPDATE handover o SET ended = how, ended_at = at, note = coalesce(said, o.note) WHERE o.plan_region = h.plan_region AND o.id = h.id;
    END IF;
    RETURN loan_answer(h.plan_region, h.id, verdict);
END $$;
CREATE FUNCTION loan_back(wanted_item text, happened timestamptz, said text) RETURNS loan_shown LANGUAGE plpgsql AS $$
DECLARE
    i device_item := device_item_locked(wanted_item);
    verdict text;
BEGIN
    verdict := CASE WHEN i.id IS NULL THEN 'device_unknown' END;
    IF verdict IS NOT NULL THEN
        RETURN loan_answer(NULL, NULL, verdict);
    END IF;
    RETURN loan_end(i, NULL, 'returned', happened, said);
END $$;
CREATE FUNCTION loan_lose(wanted bigint, happened timestamptz, said text) RETURNS loan_shown LANGUAGE plpgsql AS $$
DECLARE
    i device_item;
    verdict text;
BEGIN
    SELECT d.* INTO i FROM handover o JOIN device_item d ON d.plan_region = o.plan_region AND d.id = o.item_id
    WHERE o.plan_region = plan_region_of(wanted) AND o.id = wanted AND o.kind = 'loan' FOR NO KEY UPDATE OF d;
    verdict := CASE WHEN i.id IS NULL THEN 'not_found' END;
    IF verdict IS NOT NULL THEN
        RETURN loan_answer(NULL, NULL, verdict);
    END IF;
    RETURN loan_end(i, wanted, 'lost', happened, said);
END $$;

GRANT SELECT ON rental_reminder TO tantu_app;
ALTER TABLE rental_reminder ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON rental_reminder USING (EXISTS (
    SELECT FROM rental r WHERE r.plan_region = rental_reminder.plan_region AND r.handover_id = rental_reminder.handover_id));
