-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- What becomes of requests for devices: given on, cancelled, granted by exception, reserved for, tried; from the needs in bulk and from
-- who walks in; and how they follow their person, his need and his home.

CREATE TYPE fitting_answer AS (
    _verdict text, _field text, _reasons text[], id bigint, request bigint, person bigint, person_name text, item text, model text, measure text,
    centre text, region text, kind text, happened_at timestamptz, due_at timestamptz, fitted_on date, service_months int, life_until date,
    price bigint, subsidy bigint, self_paid bigint, exception text, signed boolean, ended text, ended_at timestamptz, note text, version int);
CREATE FUNCTION fitting_shown(h handover, verdict text, field text, reasons text[]) RETURNS fitting_answer LANGUAGE plpgsql STABLE AS $$
DECLARE
    a fitting_answer;
BEGIN
    IF h.id IS NULL THEN
        a._verdict := verdict;
        a._field := field;
        a._reasons := reasons;
        RETURN a;
    END IF;
    SELECT verdict, field, reasons, h.id, h.request_id, h.person_id,
        (SELECT left(n.name, 1) || repeat('*', greatest(length(n.name) - 1, 1)) FROM person n WHERE n.plan_region = h.plan_region AND n.id = h.person_id),
        i.code, i.model, (SELECT m.measure FROM device_model m WHERE m.code = i.model), (SELECT c.code FROM centre c WHERE c.id = h.centre_id),
        region_label(h.region), h.kind, h.happened_at, h.due_at, f.fitted_on, f.service_months, f.life_until, f.price, f.subsidy, f.self_paid,
        f.exception, EXISTS (SELECT FROM handover_signature s WHERE s.plan_region = h.plan_region AND s.handover_id = h.id AND s.kind = h.kind),
        h.ended, h.ended_at, h.note, h.version INTO a
    FROM (SELECT 1) AS one LEFT JOIN device_item i ON i.plan_region = h.plan_region AND i.id = h.item_id
    LEFT JOIN fitting f ON f.plan_region = h.plan_region AND f.handover_id = h.id;
    RETURN a;
END $$;

-- The item of that name and what is reserved for `r`, locked in the order of their ids; the item.
CREATE FUNCTION request_item_locked(r device_request, wanted text) RETURNS device_item LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM device_item i WHERE i.plan_region = r.plan_region AND (i.request_id = r.id OR i.code = wanted OR i.id::text = wanted)
    ORDER BY i.id FOR NO KEY UPDATE;
    RETURN device_item_locked(wanted);
END $$;
-- Hands an item over, as a fitting or a trial.
CREATE FUNCTION device_hand_over(h handover, item text, signed json, signer text) RETURNS fitting_answer LANGUAGE plpgsql AS $$
DECLARE
    r device_request := device_request_locked(h.request_id);
    i device_item;
    verdict text;
    field text;
    reasons text[];
BEGIN
    IF r.id IS NOT NULL THEN
        PERFORM person_alone(r.plan_region, r.person_id);
        i := request_item_locked(r, item);
    END IF;
    h.plan_region := r.plan_region;
    h.item_id := i.id;
    h.person_id := r.person_id;
    h.happened_at := coalesce(h.happened_at, now());
    h.note := coalesce(h.note, '');
    verdict := CASE
        WHEN r.id IS NULL THEN 'request_unknown'
        WHEN i.id IS NULL THEN 'device_unknown'
        WHEN signed IS NOT NULL AND NOT strokes_hold(signed) THEN 'signature_unreadable'
        WHEN china_date(h.happened_at) < china_date((assessment_of(r)).happened_at) THEN 'happened_before_last' END;
    verdict := coalesce(verdict, handover_refusal(h, i, r));
    IF verdict = 'within_service_life' THEN
        reasons := ARRAY[service_life_until(r, china_date(h.happened_at))::text];
    ELSIF verdict IS NULL THEN
        INSERT INTO handover (plan_region, id, kind, item_id, person_id, request_id, centre_id, region, happened_at, due_at, note)
        VALUES (i.plan_region, id_in(i.plan_region, 'handover_number'), h.kind, i.id, r.person_id, r.id, i.centre_id, r.region, h.happened_at, h.due_at, h.note)
        RETURNING * INTO h;
        PERFORM handover_sign(h, signed, signer) WHERE signed IS NOT NULL;
    END IF;
    RETURN fitting_shown(CASE WHEN verdict IS NULL THEN h END, verdict, NULL, reasons);
END $$;

-- What stands against changing a request, whatever the change; NULL: nothing.
CREATE FUNCTION request_refusal(r device_request, if_match int) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    verdict text;
BEGIN
    verdict := CASE
        WHEN r.id IS NULL THEN 'not_found'
        WHEN if_match <> r.version THEN 'stale'
        WHEN r.state NOT IN ('waiting', 'assessed') THEN 'request_over' END;
    RETURN verdict;
END $$;

CREATE FUNCTION device_request_cancel(wanted bigint, if_match int, why text) RETURNS device_request_answer LANGUAGE plpgsql AS $$
DECLARE
    r device_request := device_request_locked(wanted);
    verdict text;
BEGIN
    verdict := CASE WHEN request_on_trial(r) THEN 'request_on_trial' WHEN why !~ '\S' THEN 'note_required' END;
    verdict := coalesce(request_refusal(r, if_match), verdict);
    IF verdict IS NULL THEN
        UPDATE device_request q SET state = 'cancelled', reason = why WHERE q.plan_region = r.plan_region AND q.id = r.id RETURNING * INTO r;
    END IF;
    RETURN device_request_shown(r, verdict, '/reason', NULL);
END $$;
-- An office gives it to another centre; what it is stays.
CREATE FUNCTION device_request_give(wanted bigint, if_match int, wanted_centre text) RETURNS device_request_answer LANGUAGE plpgsql AS $$
DECLARE
    r device_request := device_request_locked(wanted);
    c centre := device_centre(wanted_centre);
    verdict text;
BEGIN
    verdict := CASE
        WHEN c.id IS NULL THEN 'centre_unknown'
        WHEN c.plan_region <> r.plan_region THEN 'centre_elsewhere'
        WHEN request_on_trial(r) THEN 'request_on_trial' END;
    verdict := coalesce(request_refusal(r, if_match), verdict);
    IF verdict IS NULL AND r.centre_id IS DISTINCT FROM c.id THEN
        UPDATE device_request q SET centre_id = c.id WHERE q.plan_region = r.plan_region AND q.id = r.id RETURNING * INTO r;
    END IF;
    RETURN device_request_shown(r, verdict, NULL, NULL);
END $$;
-- An office says why the kind is granted again within the life of another. One request, one fitting: so it is used once.
CREATE FUNCTION device_request_except(wanted bigint, if_match int, why text) RETURNS device_request_answer LANGUAGE plpgsql AS $$
DECLARE
    r device_request := device_request_locked(wanted);
    verdict text;
BEGIN
    verdict := CASE
        WHEN r.exception IS NOT NULL THEN 'exception_there'
        WHEN service_life_until(r, china_date(now())) IS NULL THEN 'exception_not_needed'
        WHEN why !~ '\S' THEN 'note_required' END;
    verdict := coalesce(request_refusal(r, if_match), verdict);
    IF verdict IS NULL THEN
        UPDATE device_request q SET exception = why, exception_by = scope_account() WHERE q.plan_region = r.plan_region AND q.id = r.id RETURNING * INTO r;
    END IF;
    RETURN device_request_shown(r, verdict, '/reason', NULL);
END $$;
-- Who assessed takes that back, until something was handed out or reserved by it: the assessment before it stands again.
CREATE FUNCTION device_unassess(wanted bigint, if_match int) RETURNS device_request_answer LANGUAGE plpgsql AS $$
DECLARE
    r device_request := device_request_locked(wanted);
    a device_assessment := assessment_of(r);
    verdict text;
BEGIN
    verdict := CASE
        WHEN a.number IS NULL THEN 'nothing_to_take_back'
        WHEN a.account_id <> scope_account() THEN 'not_your_action'
        WHEN EXISTS (SELECT FROM handover h WHERE h.plan_region = r.plan_region AND h.request_id = r.id AND h.created_at >= a.created_at)
            OR EXISTS (SELECT FROM device_item i WHERE i.plan_region = r.plan_region AND i.request_id = r.id) THEN 'assessment_used' END;
    verdict := coalesce(request_refusal(r, if_match), verdict);
    IF verdict IS NULL THEN
        UPDATE device_assessment o SET taken_back_at = now() WHERE o.plan_region = a.plan_region AND o.request_id = a.request_id AND o.number = a.number;
        r := request_follows(r, assessment_of(r), a.asked);
    END IF;
    RETURN device_request_shown(r, verdict, NULL, NULL);
END $$;

-- One item is kept back for it; another that was before is free again. No item: it lets go.
CREATE FUNCTION device_request_reserve(wanted bigint, if_match int, item text) RETURNS device_request_answer LANGUAGE plpgsql AS $$
DECLARE
    r device_request := device_request_locked(wanted);
    i device_item := request_item_locked(r, item);
    held device_item;
    verdict text;
BEGIN
    SELECT * INTO held FROM device_item d WHERE d.plan_region = r.plan_region AND d.request_id = r.id;
    verdict := CASE
        WHEN item IS NULL AND held.id IS NULL THEN 'nothing_reserved'
        WHEN item IS NULL OR i.id = held.id THEN NULL
        WHEN i.id IS NULL THEN 'device_unknown'
        WHEN r.state <> 'assessed' THEN 'request_not_assessed'
        WHEN r.centre_id IS DISTINCT FROM i.centre_id THEN 'request_elsewhere'
        WHEN r.measure <> (SELECT m.measure FROM device_model m WHERE m.code = i.model) THEN 'device_kind_differs'
        WHEN i.state = 'reserved' THEN 'device_reserved' END;
    verdict := coalesce(request_refusal(r, if_match), verdict);
    IF verdict IS NULL AND i.id IS DISTINCT FROM held.id AND item IS NOT NULL THEN
        verdict := device_refusal(i, 'reserve', now(), NULL, r.id, NULL);
    END IF;
    IF verdict IS NULL AND i.id IS DISTINCT FROM held.id THEN
        PERFORM device_do(held, 'release', now(), NULL, NULL, NULL) WHERE held.id IS NOT NULL;
        PERFORM device_do(i, 'reserve', now(), NULL, r.id, NULL) WHERE item IS NOT NULL;
        UPDATE device_request q SET note = q.note WHERE q.plan_region = r.plan_region AND q.id = r.id RETURNING * INTO r; -- another version
    END IF;
    RETURN device_request_shown(r, verdict, NULL, NULL);
END $$;

-- What was tried is kept: the trial becomes a fitting, granted now.
CREATE FUNCTION trial_keep(wanted bigint, if_match int, signed json, signer text, said text) RETURNS fitting_answer LANGUAGE plpgsql AS $$
DECLARE
    h handover;
    kept handover;
    r device_request;
    i device_item;
    verdict text;
    reasons text[];
BEGIN
    SELECT * INTO h FROM handover o WHERE o.plan_region = plan_region_of(wanted) AND o.id = wanted AND o.kind IN ('trial', 'fitting');
    IF h.id IS NOT NULL THEN
        r := device_request_locked(h.request_id);
        PERFORM person_alone(r.plan_region, r.person_id);
        i := request_item_locked(r, h.item_id::text);
        SELECT * INTO h FROM handover o WHERE o.plan_region = h.plan_region AND o.id = h.id FOR NO KEY UPDATE;
    END IF;
    kept := h;
    kept.kind := 'fitting';
    verdict := CASE
        WHEN h.id IS NULL THEN 'not_found'
        WHEN if_match <> h.version THEN 'stale'
        WHEN h.kind <> 'trial' OR h.ended IS NOT NULL THEN 'handover_over'
        WHEN coalesce(r.state <> 'assessed', true) THEN 'request_not_assessed'
        WHEN r.assessed_for <> 'fitting' THEN 'assessed_otherwise'
        WHEN r.measure <> (SELECT m.measure FROM device_model m WHERE m.code = i.model) THEN 'device_kind_differs'
        WHEN signed IS NOT NULL AND NOT strokes_hold(signed) THEN 'signature_unreadable' END;
    verdict := coalesce(verdict, service_life_barred(r, china_date(now())), device_refusal(i, 'keep', greatest(now(), h.happened_at), NULL, NULL, kept));
    IF verdict = 'within_service_life' THEN
        reasons := ARRAY[service_life_until(r, china_date(now()))::text];
    END IF;
    IF verdict IS NULL THEN
        UPDATE handover o SET kind = 'fitting', note = coalesce(nullif(said, ''), o.note) WHERE o.plan_region = h.plan_region AND o.id = h.id RETURNING * INTO h;
        PERFORM handover_sign(h, signed, signer) WHERE signed IS NOT NULL;
    END IF;
    RETURN fitting_shown(CASE WHEN verdict IS NULL OR verdict <> 'not_found' THEN h END, verdict, NULL, reasons);
END $$;
-- Signed afterwards, once.
CREATE FUNCTION fitting_sign(wanted bigint, signed json, signer text) RETURNS fitting_answer LANGUAGE plpgsql AS $$
DECLARE
    h handover;
    verdict text;
BEGIN
    SELECT * INTO h FROM handover o WHERE o.plan_region = plan_region_of(wanted) AND o.id = wanted AND o.kind IN ('trial', 'fitting') FOR NO KEY UPDATE;
    verdict := CASE WHEN h.id IS NULL THEN 'not_found' WHEN h.ended IS NOT NULL THEN 'handover_over' END;
    verdict := coalesce(verdict, handover_sign(h, signed, signer));
    RETURN fitting_shown(h, verdict, NULL, NULL);
END $$;

-- Requests of a region's open needs, so many at a time; a job goes on until all have been looked at.
CREATE TABLE device_request_batch (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_region int NOT NULL,
    region      int NOT NULL REFERENCES region,
    high        int NOT NULL,
    measure     text REFERENCES measure, -- NULL: every kind
    centre_id   bigint NOT NULL REFERENCES centre,
    account_id  bigint NOT NULL,
    after_id    bigint NOT NULL DEFAULT 0, -- the last need that was looked at
    looked      int NOT NULL DEFAULT 0, -- open needs of devices
    opened      int NOT NULL DEFAULT 0,
    unknown     int NOT NULL DEFAULT 0, -- whose words name no kind
    state       text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    version     int NOT NULL DEFAULT 1
);
-- (What is asked for already, or rented, is not asked for again.)
CREATE FUNCTION device_request_batch_step(wanted bigint, most int) RETURNS device_request_batch
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    b device_request_batch;
    seen record;
BEGIN
    SELECT * INTO b FROM device_request_batch o WHERE o.id = wanted FOR UPDATE;
    IF NOT coalesce(scope_role() = 'system' OR b.account_id = scope_account(), false) THEN
        RETURN NULL;
    ELSIF b.state = 'done' THEN
        RETURN b;
    END IF;
    WITH next AS MATERIALIZED (
        SELECT n.id, n.person_id, n.household_id, n.item FROM need n
        WHERE n.plan_region = b.plan_region AND n.id > b.after_id AND n.kind = 'device' AND n.state = 'open' ORDER BY n.id LIMIT most
    ), named AS MATERIALIZED (
        SELECT i.item, device_kind_of(i.item) AS kind FROM (SELECT DISTINCT item FROM next) AS i
    ), here AS MATERIALIZED (
        SELECT n.id, n.person_id, k.kind FROM next n JOIN named k ON k.item = n.item
        JOIN household h ON h.plan_region = b.plan_region AND h.id = n.household_id AND h.region BETWEEN b.region AND b.high
        JOIN person p ON p.plan_region = b.plan_region AND p.id = n.person_id AND p.merged_into IS NULL
        WHERE b.measure IS NULL OR k.kind = b.measure OR k.kind IS NULL
    ), made AS (
        INSERT INTO device_request (plan_region, person_id, need_id, measure, centre_id, source, account_id)
        SELECT b.plan_region, h.person_id, h.id, h.kind, b.centre_id, request_source(n), b.account_id
        FROM (SELECT DISTINCT ON (person_id, kind) * FROM here WHERE kind IS NOT NULL ORDER BY person_id, kind, id) AS h
        JOIN need n ON n.plan_region = b.plan_region AND n.id = h.id
        WHERE NOT EXISTS (SELECT FROM device_request r WHERE r.plan_region = b.plan_region AND r.person_id = h.person_id
                AND (r.measure = h.kind OR r.need_id = h.id) AND (r.state IN ('waiting', 'assessed') OR EXISTS (SELECT FROM handover o
                    WHERE o.plan_region = r.plan_region AND o.request_id = r.id AND o.kind = 'rental' AND o.ended IS NULL)))
        ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT (SELECT max(id) FROM next) AS last, (SELECT count(*) FROM next) AS many, (SELECT count(*) FROM here WHERE kind IS NOT NULL) AS looked,
        (SELECT count(*) FROM here WHERE kind IS NULL) AS unknown, (SELECT count(*) FROM made) AS opened INTO seen;
    UPDATE device_request_batch o SET after_id = coalesce(seen.last, o.after_id), looked = o.looked + seen.looked, opened = o.opened + seen.opened,
        unknown = o.unknown + CASE WHEN o.measure IS NULL THEN seen.unknown ELSE 0 END,
        state = CASE WHEN seen.many < most THEN 'done' ELSE 'running' END, finished_at = CASE WHEN seen.many < most THEN now() END,
        version = o.version + 1
    WHERE o.id = b.id RETURNING * INTO b;
    IF b.state = 'running' THEN
        INSERT INTO job (queue, kind, unique_key, payload, region)
        VALUES ('upkeep', 'requests_from_needs', 'requests_from_needs:' || b.id || ':' || b.after_id, json_build_object('batch', b.id), b.region)
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN b;
END $$;
CREATE TYPE device_request_batch_answer AS (
    _verdict text, _field text, id bigint, region text, measure text, centre text, looked int, opened int, already int, unknown int, state text,
    created_at timestamptz, finished_at timestamptz, version int);
CREATE FUNCTION device_request_batch_shown(b device_request_batch, verdict text) RETURNS device_request_batch_answer LANGUAGE sql STABLE AS $$
    SELECT (verdict, NULL, b.id, region_label(b.region), b.measure, (SELECT c.code FROM centre c WHERE c.id = b.centre_id), b.looked, b.opened,
        b.looked - b.opened, b.unknown, b.state, b.created_at, b.finished_at, b.version)::device_request_batch_answer $$;
CREATE FUNCTION device_request_batch_make(of_region text, of_kind text, wanted_centre text) RETURNS device_request_batch_answer LANGUAGE plpgsql AS $$
DECLARE
    c centre := device_centre(wanted_centre);
    r region;
    b device_request_batch;
    verdict text;
BEGIN
    SELECT * INTO r FROM region g WHERE g.place = coalesce(region_of(of_region), CASE WHEN of_region IS NULL THEN greatest(scope_low(), c.plan_region) END);
    verdict := CASE
        WHEN c.id IS NULL THEN 'centre_unknown'
        WHEN r.place IS NULL THEN 'region_unknown'
        WHEN NOT coalesce(scope_role() IN ('county', 'manager') AND r.place >= scope_low() AND r.high <= scope_high(), false) THEN 'region_foreign'
        WHEN NOT EXISTS (SELECT FROM region p WHERE p.place = c.plan_region AND r.place BETWEEN p.place AND p.high) THEN 'centre_elsewhere'
        WHEN of_kind IS NOT NULL AND NOT EXISTS (SELECT FROM measure m WHERE m.code = of_kind AND m.kind = 'device') THEN 'measure_unknown' END;
    IF verdict IS NULL THEN
        INSERT INTO device_request_batch (plan_region, region, high, measure, centre_id, account_id)
        VALUES (c.plan_region, r.place, r.high, of_kind, c.id, scope_account()) RETURNING * INTO b;
        b := device_request_batch_step(b.id, 500);
    END IF;
    RETURN device_request_batch_shown(b, verdict);
END $$;

-- Somebody walks in with his citizen ID: he is found by it, whoever registered him, or registered as a household of his own.
CREATE TYPE walk_in_answer AS (shown device_request_answer, registered boolean);
CREATE FUNCTION walk_in_lacks(n person, home household) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_remove(ARRAY[CASE WHEN n.name IS NULL OR n.name !~ '\S' THEN 'name' END, CASE WHEN n.category IS NULL THEN 'category' END,
        CASE WHEN n.level IS NULL THEN 'level' END, CASE WHEN home.region IS NULL THEN 'region' END,
        CASE WHEN home.address IS NULL OR home.address !~ '\S' THEN 'address' END], NULL) $$;
CREATE FUNCTION walk_in_register(c centre, n person, home household) RETURNS person LANGUAGE plpgsql AS $$
BEGIN
    home.plan_region := c.plan_region;
    LOOP -- no file has this number; should one, the next will do
        home.id := id_in(c.plan_region, 'household_number');
        INSERT INTO household (plan_region, id, number, region, village, address, hardship)
        VALUES (c.plan_region, home.id, 'W' || home.id, home.region, coalesce(home.village, ''), home.address, coalesce(home.hardship, ''))
        ON CONFLICT (plan_region, number) DO NOTHING;
        EXIT WHEN FOUND;
    END LOOP;
    INSERT INTO person (plan_region, id, household_id, name, sex, relation, citizen_id, citizen_id_index, certificate, certificate_index, category,
        level, phone, registered_on, born)
    VALUES (c.plan_region, id_in(c.plan_region, 'person_number'), home.id, n.name, n.sex, '户主', n.citizen_id, n.citizen_id_index, n.certificate,
        n.certificate_index, n.category, n.level, coalesce(n.phone, ''), china_date(now()), n.born) RETURNING * INTO n;
    RETURN n;
END $$;
CREATE FUNCTION walk_in(wanted_centre text, of_kind text, said text, n person, home household, of_region text) RETURNS walk_in_answer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    c centre := device_centre(wanted_centre);
    known person;
    lacks text[];
    done record;
    verdict text;
    field text;
BEGIN
    IF NOT coalesce(scope_role() IN ('centre', 'county', 'manager'), false) THEN
        RAISE EXCEPTION 'who walks in is a centre''s or an office''s to serve' USING ERRCODE = '42501';
    END IF;
    PERFORM pg_advisory_xact_lock(7306, hashtext(encode(n.citizen_id_index, 'hex'))); -- twice at once: one registers, the other finds
    SELECT * INTO known FROM person p WHERE p.plan_region = c.plan_region AND p.citizen_id_index = n.citizen_id_index;
    home.region := region_of(of_region);
    lacks := walk_in_lacks(n, home);
    verdict := CASE
        WHEN c.id IS NULL THEN 'centre_unknown'
        WHEN NOT EXISTS (SELECT FROM measure m WHERE m.code = of_kind AND m.kind = 'device') THEN 'measure_unknown'
        WHEN known.id IS NOT NULL AND scope_role() <> 'centre' AND NOT EXISTS (SELECT FROM household h WHERE h.plan_region = known.plan_region
            AND h.id = known.household_id AND h.region BETWEEN scope_low() AND scope_high()) THEN 'person_elsewhere'
        WHEN known.id IS NOT NULL THEN NULL
        WHEN of_region IS NOT NULL AND home.region IS NULL THEN 'region_unknown'
        WHEN lacks <> '{}' THEN 'person_not_registered'
        WHEN NOT EXISTS (SELECT FROM region p WHERE p.place = c.plan_region AND home.region BETWEEN p.place AND p.high) THEN 'region_not_within'
        WHEN scope_role() <> 'centre' AND home.region NOT BETWEEN scope_low() AND scope_high() THEN 'region_foreign'
        WHEN NOT pg_try_advisory_xact_lock_shared(7301, c.plan_region) THEN 'import_commits' END;
    field := CASE verdict WHEN 'measure_unknown' THEN '/measure' WHEN 'person_not_registered' THEN '/' || lacks[1] END;
    IF verdict IS NOT NULL THEN
        RETURN (device_request_shown(NULL, verdict, field, CASE WHEN verdict = 'person_not_registered' THEN lacks END), NULL)::walk_in_answer;
    END IF;
    IF known.id IS NULL THEN
        n := walk_in_register(c, n, home);
    ELSE
        INSERT INTO access_record (account_id, what, subject, region)
        SELECT scope_account(), 'walk-in by citizen id', known.id, h.region FROM household h WHERE h.plan_region = known.plan_region AND h.id = known.household_id;
    END IF;
    SELECT * INTO done FROM device_request_make(c.plan_region, coalesce(known.id, n.id), NULL, of_kind, c.id, 'walk_in', said);
    RETURN (device_request_shown(done.made, done.verdict, NULL, done.reasons), known.id IS NULL)::walk_in_answer;
END $$;

-- --- a request follows its person, his need and his home ---

CREATE FUNCTION request_follows_need() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE device_request r SET person_id = NEW.person_id, household_id = NEW.household_id, region = h.region
    FROM household h WHERE h.plan_region = NEW.plan_region AND h.id = NEW.household_id
      AND r.plan_region = OLD.plan_region AND r.person_id = OLD.person_id AND r.need_id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER request_follows_need AFTER UPDATE OF person_id, household_id ON need FOR EACH ROW
    WHEN (NEW.kind = 'device' AND (NEW.person_id <> OLD.person_id OR NEW.household_id <> OLD.household_id)) EXECUTE FUNCTION request_follows_need();
CREATE FUNCTION request_drops() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE device_request r SET state = 'cancelled', reason = '需求已取消：后来签字确认的评估不再提出'
    WHERE r.plan_region = NEW.plan_region AND r.person_id = NEW.person_id AND r.need_id = NEW.id AND r.state = 'waiting';
    RETURN NULL;
END $$;
CREATE TRIGGER request_drops AFTER UPDATE OF state ON need FOR EACH ROW
    WHEN (NEW.kind = 'device' AND NEW.state = 'dropped' AND OLD.state <> 'dropped') EXECUTE FUNCTION request_drops();

-- Two people are one (0025): needs that moved took their requests along. A need that both had stays with who is gone; its open request
-- goes to the other's need, or is cancelled when that one has a request. (What is out on trial stays where it is.)
CREATE FUNCTION request_merges(gone person, keep person) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r device_request;
    other need;
BEGIN
    FOR r IN SELECT * FROM device_request q WHERE q.plan_region = gone.plan_region AND q.person_id = gone.id AND q.state IN ('waiting', 'assessed')
             ORDER BY q.id FOR NO KEY UPDATE LOOP
        CONTINUE WHEN request_on_trial(r);
        SELECT k.* INTO other FROM need n JOIN need k ON k.plan_region = n.plan_region AND k.person_id = keep.id AND k.kind = n.kind AND k.item = n.item
        WHERE n.plan_region = r.plan_region AND n.id = r.need_id;
        IF other.id IS NULL OR EXISTS (SELECT FROM device_request o WHERE o.plan_region = r.plan_region AND o.person_id = keep.id
                AND (o.need_id = other.id OR o.measure = r.measure) AND o.state IN ('waiting', 'assessed')) THEN
            UPDATE device_request q SET state = 'cancelled', reason = '重复登记，并入 ' || keep.id,
                merged = jsonb_build_object('person', gone.id, 'need', r.need_id, 'state', r.state)
            WHERE q.plan_region = r.plan_region AND q.id = r.id;
        ELSE
            UPDATE device_request q SET person_id = keep.id, need_id = other.id, household_id = other.household_id,
                region = (SELECT h.region FROM household h WHERE h.plan_region = other.plan_region AND h.id = other.household_id),
                merged = jsonb_build_object('person', gone.id, 'need', r.need_id)
            WHERE q.plan_region = r.plan_region AND q.id = r.id;
        END IF;
    END LOOP;
END $$;
-- And are two again. What was granted meanwhile was granted to who stayed.
CREATE FUNCTION request_unmerges(back person) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE device_request q SET person_id = back.id, need_id = n.id, household_id = n.household_id,
        region = (SELECT h.region FROM household h WHERE h.plan_region = n.plan_region AND h.id = n.household_id),
        state = coalesce(q.merged->>'state', q.state), reason = CASE WHEN q.merged ? 'state' THEN '' ELSE q.reason END, merged = NULL
    FROM need n
    WHERE q.plan_region = back.plan_region AND (q.merged->>'person')::bigint = back.id AND n.plan_region = q.plan_region AND n.id = (q.merged->>'need')::bigint
      AND (q.merged ? 'state' OR q.state IN ('waiting', 'assessed'))
      AND NOT EXISTS (SELECT FROM device_request o WHERE o.plan_region = q.plan_region AND o.need_id = n.id AND o.id <> q.id
                      AND o.state IN ('waiting', 'assessed'));
END $$;
CREATE INDEX device_request_merged ON device_request (plan_region, ((merged->>'person')::bigint)) WHERE merged IS NOT NULL;
CREATE FUNCTION request_follows_person() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    keep person;
BEGIN
    SELECT * INTO keep FROM person p WHERE p.plan_region = NEW.plan_region AND p.id = NEW.merged_into;
    IF keep.id IS NOT NULL THEN
        PERFORM request_merges(NEW, keep);
    ELSE
        PERFORM request_unmerges(NEW);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER request_follows_person AFTER UPDATE OF merged_into ON person FOR EACH ROW
    WHEN (NEW.merged_into IS DISTINCT FROM OLD.merged_into) EXECUTE FUNCTION request_follows_person();

CREATE FUNCTION request_follows_home() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE device_request r SET region = NEW.region FROM person p
    WHERE p.plan_region = NEW.plan_region AND p.household_id = NEW.id AND r.plan_region = p.plan_region AND r.person_id = p.id
      AND r.household_id = NEW.id AND r.region <> NEW.region;
    RETURN NULL;
END $$;
CREATE TRIGGER request_follows_home AFTER UPDATE OF region ON household FOR EACH ROW
    WHEN (NEW.region <> OLD.region) EXECUTE FUNCTION request_follows_home();

-- Scores follow their facts: those of open requests whose household or people changed, and of a plan whose rule did.
CREATE FUNCTION request_again(place int, wanted bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off AS $$
BEGIN
    PERFORM FROM device_request r WHERE r.plan_region = place AND r.id = ANY (wanted) ORDER BY r.id FOR NO KEY UPDATE;
    UPDATE device_request r SET score = s.score, rule_version = s.rule
    FROM (SELECT q.id, request_score(q) AS score, (SELECT u.version FROM priority_rule u WHERE u.plan_id = q.plan_id) AS rule FROM device_request q
          WHERE q.plan_region = place AND q.id = ANY (wanted)) AS s
    WHERE r.plan_region = place AND r.id = s.id AND (r.score, r.rule_version) IS DISTINCT FROM (s.score, s.rule);
END $$;
CREATE FUNCTION request_of_people() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = on SET enable_seqscan = off AS $$
DECLARE
    part record;
BEGIN
    FOR part IN SELECT r.plan_region, array_agg(r.id) AS ids FROM (SELECT DISTINCT plan_region, household_id FROM changed) AS h
        JOIN device_request r ON r.plan_region = h.plan_region AND r.household_id = h.household_id AND r.state IN ('waiting', 'assessed')
        GROUP BY r.plan_region LOOP
        PERFORM request_again(part.plan_region, part.ids);
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER request_added AFTER INSERT ON person REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION request_of_people();
CREATE TRIGGER request_left AFTER UPDATE ON person REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION request_of_people();
CREATE TRIGGER request_came AFTER UPDATE ON person REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION request_of_people();
CREATE FUNCTION request_of_homes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = on SET enable_seqscan = off AS $$
DECLARE
    part record;
BEGIN
    FOR part IN SELECT r.plan_region, array_agg(r.id) AS ids FROM changed n
        JOIN was o ON o.plan_region = n.plan_region AND o.id = n.id AND (o.hardship, o.traits) IS DISTINCT FROM (n.hardship, n.traits)
        JOIN device_request r ON r.plan_region = n.plan_region AND r.household_id = n.id AND r.state IN ('waiting', 'assessed')
        GROUP BY r.plan_region LOOP
        PERFORM request_again(part.plan_region, part.ids);
    END LOOP;
    RETURN NULL;
END $$;
CREATE TRIGGER request_home AFTER UPDATE ON household REFERENCING OLD TABLE AS was NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION request_of_homes();
-- Scores up to `most` open requests of old rules again; how many. Nobody is waited for.
CREATE FUNCTION requests_settle(most int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    part record;
    settled int := 0;
BEGIN
    IF scope_role() IS DISTINCT FROM 'system' THEN
        RAISE EXCEPTION 'scores are settled by the service itself' USING ERRCODE = '42501';
    END IF;
    FOR part IN SELECT f.plan_region, array_agg(f.id) AS ids FROM (
            SELECT q.plan_region, q.id FROM priority_rule u CROSS JOIN LATERAL (
                SELECT q.plan_region, q.id FROM device_request q WHERE q.plan_id = u.plan_id AND q.rule_version < u.version
                    AND q.state IN ('waiting', 'assessed') LIMIT most FOR NO KEY UPDATE SKIP LOCKED) AS q LIMIT most) AS f GROUP BY f.plan_region LOOP
        PERFORM request_again(part.plan_region, part.ids);
        settled := settled + cardinality(part.ids);
    END LOOP;
    RETURN settled;
END $$;
INSERT INTO job (queue, kind, unique_key, schedule, max_attempts) VALUES ('upkeep', 'requests_settle', 'requests_settle', 'every 30 seconds', 1000000);

GRANT SELECT, INSERT ON device_request_batch TO tantu_app;
ALTER TABLE device_request_batch ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON device_request_batch USING ((SELECT scope_sees_region()) AND region >= (SELECT scope_low()) AND high <= (SELECT scope_high()));
CREATE POLICY adding_by_whom ON device_request_batch AS RESTRICTIVE FOR INSERT
    WITH CHECK ((SELECT scope_role()) IN ('county', 'manager') AND account_id = (SELECT scope_account()));
REVOKE EXECUTE ON FUNCTION request_merges, request_unmerges, request_again FROM PUBLIC;
