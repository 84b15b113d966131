-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Recalls: each item that one means is a task of its centre until it is resolved. That it is blocked at once, whoever writes the recall,
-- stands in 0031; here is how it is opened, chased, resolved, withdrawn and ended.

ALTER TABLE device_recall_item ADD COLUMN told_at timestamptz; -- that it is overdue
CREATE INDEX device_recall_item_untold ON device_recall_item (recall_id) WHERE resolved_at IS NULL AND told_at IS NULL;

-- How somebody tried to reach who has an item, append-only.
CREATE TABLE device_recall_attempt (
    plan_region int NOT NULL,
    item_id     bigint NOT NULL,
    recall_id   bigint NOT NULL,
    number      int NOT NULL,
    centre_id   bigint NOT NULL REFERENCES centre,
    region      int NOT NULL REFERENCES region,
    how         text NOT NULL CHECK (how IN ('phone', 'visit', 'message', 'letter')),
    reached     boolean NOT NULL,
    happened_at timestamptz NOT NULL,
    note        text NOT NULL DEFAULT '',
    account_id  bigint NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, item_id, recall_id, number),
    FOREIGN KEY (plan_region, item_id, recall_id) REFERENCES device_recall_item
);

-- What was recycled is dealt with, whoever did it and under however many recalls; and who had reserved a recalled item is told.
CREATE FUNCTION device_recall_follows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    i device_item;
    before text := coalesce(current_setting('tantu.role', true), '');
BEGIN
    SELECT * INTO i FROM device_item d WHERE d.plan_region = NEW.plan_region AND d.id = NEW.item_id;
    IF NEW.action = 'recall' THEN
        INSERT INTO outbox (kind, region, content)
        SELECT 'device_reservation_recalled', r.region, json_build_object('request', r.id, 'item', i.id, 'code', i.code, 'recall', NEW.reference,
            'centre', (SELECT c.code FROM centre c WHERE c.id = i.centre_id))
        FROM device_request r WHERE r.plan_region = i.plan_region AND r.id = (device_last(i, 'reserve')).reference;
        RETURN NULL;
    END IF;
    UPDATE device_recall_item y SET resolved_at = now(), resolution = 'recycled', account_id = scope_account()
    WHERE y.plan_region = i.plan_region AND y.item_id = i.id AND y.resolved_at IS NULL;
    IF i.recall_id IS NOT NULL THEN
        PERFORM set_config('tantu.role', 'system', true);
        INSERT INTO device_event (plan_region, item_id, action, happened_at, reference)
        VALUES (i.plan_region, i.id, 'lift', greatest(now(), i.state_at), i.recall_id);
        PERFORM set_config('tantu.role', before, true);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER recycled AFTER INSERT ON device_event FOR EACH ROW WHEN (NEW.action = 'recycle') EXECUTE FUNCTION device_recall_follows();
CREATE TRIGGER reserved AFTER INSERT ON device_event FOR EACH ROW WHEN (NEW.action = 'recall' AND NEW.from_state = 'reserved')
    EXECUTE FUNCTION device_recall_follows();

-- How far a recall is, of what who asks may see.
CREATE FUNCTION device_recall_progress(wanted bigint) RETURNS json LANGUAGE sql STABLE AS $$
    WITH item AS MATERIALIZED (
        SELECT y.centre_id, y.resolution, i.state, y.resolved_at IS NULL AS open
        FROM device_recall_item y JOIN device_item i ON i.plan_region = y.plan_region AND i.id = y.item_id WHERE y.recall_id = wanted
    )
    SELECT json_build_object('items', count(*), 'open', count(*) FILTER (WHERE open), 'resolved', count(*) FILTER (WHERE NOT open),
        'with_holder', count(*) FILTER (WHERE open AND state IN ('lent', 'fitted')),
        'at_centre', count(*) FILTER (WHERE open AND state NOT IN ('lent', 'fitted', 'lost')),
        'lost', count(*) FILTER (WHERE open AND state = 'lost'),
        'percent', CASE WHEN count(*) = 0 THEN 100 ELSE count(*) FILTER (WHERE NOT open) * 100 / count(*) END,
        'by_resolution', (SELECT coalesce(json_object_agg(g.resolution, g.n), '{}') FROM (
            SELECT resolution, count(*) AS n FROM item WHERE NOT open GROUP BY resolution ORDER BY resolution) AS g),
        'by_state', (SELECT coalesce(json_object_agg(g.state, g.n), '{}') FROM (
            SELECT state, count(*) AS n FROM item WHERE open GROUP BY state ORDER BY state) AS g),
        'centres', (SELECT coalesce(json_agg(json_build_object('centre', c.code, 'name', c.name, 'items', g.n, 'open', g.open) ORDER BY c.code), '[]') FROM (
            SELECT centre_id, count(*) AS n, count(*) FILTER (WHERE open) AS open FROM item GROUP BY centre_id) AS g JOIN centre c ON c.id = g.centre_id))
    FROM item $$;

CREATE TYPE device_recall_answer AS (
    _verdict text, _field text, _open int, id bigint, region text, model text, batch text, serial_from text, serial_to text, reason text, due_on date,
    overdue boolean, progress json, account bigint, created_at timestamptz, ended_at timestamptz, ended_note text, version int);
CREATE FUNCTION device_recall_shown(r device_recall, verdict text, field text, open int) RETURNS device_recall_answer LANGUAGE sql STABLE AS $$
    SELECT (verdict, field, open, r.id, region_label(r.region), r.model, r.batch, r.serial_from, r.serial_to, r.reason, r.due_on,
        r.ended_at IS NULL AND r.due_on < china_date(now()), CASE WHEN r.id IS NOT NULL THEN device_recall_progress(r.id) END, r.account_id,
        r.created_at, r.ended_at, r.ended_note, r.version)::device_recall_answer $$;

-- Where somebody may recall: the region given, else his own. verdict, field: why not.
CREATE FUNCTION device_recall_place(wanted text, OUT place int, OUT high int, OUT verdict text) LANGUAGE plpgsql STABLE AS $$
BEGIN
    place := CASE WHEN wanted IS NULL THEN scope_low() ELSE (SELECT x.place FROM region_code x WHERE x.code = wanted) END;
    SELECT r.high INTO high FROM region r WHERE r.place = device_recall_place.place;
    verdict := CASE WHEN coalesce(scope_role(), '') NOT IN ('county', 'manager') THEN 'role_not_allowed'
        WHEN high IS NULL THEN 'region_unknown'
        WHEN (place >= scope_low() AND high <= scope_high()) IS NOT TRUE THEN 'region_foreign' END;
END $$;

-- A recall that is not one yet: which items it would mean.
CREATE FUNCTION device_recall_drafted(of_model text, of_batch text, first text, last text, place int, high int) RETURNS device_recall LANGUAGE sql STABLE AS $$
    SELECT (NULL, place, high, of_model, of_batch, first, last, '', china_date(now()), 0, now(), NULL, NULL, 1)::device_recall $$;

CREATE FUNCTION device_recall_refusal(of_model text, first text, last text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN NOT EXISTS (SELECT FROM device_model m WHERE m.code = of_model) THEN 'model_unknown'
        WHEN (first IS NULL) <> (last IS NULL) OR (length(first), first COLLATE "C") > (length(last), last COLLATE "C") THEN 'serials_backwards' END AS verdict $$;

CREATE TYPE device_recall_preview AS (
    _verdict text, _field text, model text, batch text, serial_from text, serial_to text, region text, items bigint, blocked bigint, with_holder bigint,
    by_state json, centres json);
CREATE FUNCTION device_recall_preview(of_model text, of_batch text, first text, last text, wanted text) RETURNS device_recall_preview LANGUAGE plpgsql STABLE AS $$
DECLARE
    at record;
    verdict text := device_recall_refusal(of_model, first, last);
    shown device_recall_preview;
BEGIN
    SELECT * INTO at FROM device_recall_place(wanted);
    verdict := coalesce(at.verdict, verdict);
    WITH item AS MATERIALIZED (
        SELECT i.state, i.centre_id FROM device_item i CROSS JOIN device_recall_drafted(of_model, of_batch, first, last, at.place, at.high) AS r
        WHERE verdict IS NULL AND i.model = of_model AND (of_batch IS NULL OR i.batch = of_batch) AND i.state <> 'recycled'
          AND device_recall_means(r, i.model, i.batch, i.serial, i.region)
    )
    SELECT verdict, CASE verdict WHEN 'region_unknown' THEN '/region' END, of_model, of_batch, first, last, region_label(at.place), count(*),
        count(*) FILTER (WHERE state IN ('in_stock', 'reserved')), count(*) FILTER (WHERE state IN ('lent', 'fitted')),
        (SELECT coalesce(json_object_agg(g.state, g.n), '{}') FROM (SELECT state, count(*) AS n FROM item GROUP BY state ORDER BY state) AS g),
        (SELECT coalesce(json_agg(json_build_object('centre', c.code, 'name', c.name, 'items', g.n) ORDER BY c.code), '[]') FROM (
            SELECT centre_id, count(*) AS n FROM item GROUP BY centre_id) AS g JOIN centre c ON c.id = g.centre_id)
    INTO shown FROM item;
    RETURN shown;
END $$;

CREATE FUNCTION device_recall_begin(of_model text, of_batch text, first text, last text, why text, due date, wanted text) RETURNS device_recall_answer
LANGUAGE plpgsql AS $$
DECLARE
    r device_recall;
    at record;
    verdict text;
BEGIN
    SELECT * INTO at FROM device_recall_place(wanted);
    verdict := CASE WHEN due < china_date(now()) THEN 'recall_due_past' END;
    verdict := coalesce(at.verdict, device_recall_refusal(of_model, first, last), verdict);
    IF verdict IS NULL THEN
        INSERT INTO device_recall (region, high, model, batch, serial_from, serial_to, reason, due_on, account_id)
        VALUES (at.place, at.high, of_model, of_batch, first, last, why, due, scope_account()) RETURNING * INTO r;
        INSERT INTO outbox (kind, region, content)
        SELECT 'device_recall_task', y.region, json_build_object('recall', r.id, 'model', r.model, 'due_on', r.due_on,
            'centre', (SELECT c.code FROM centre c WHERE c.id = y.centre_id), 'items', count(*), 'with_holder', count(y.found_with))
        FROM device_recall_item y WHERE y.recall_id = r.id GROUP BY y.centre_id, y.region;
    END IF;
    RETURN device_recall_shown(r, verdict, NULL, NULL);
END $$;

CREATE TYPE device_recall_item_answer AS (
    _verdict text, _field text, id bigint, item json, recall bigint, centre text, found_at timestamptz, due_on date, overdue boolean, resolved_at timestamptz,
    resolution text, note text, account bigint, handover json, attempts bigint, last_attempt_at timestamptz, reached boolean, version int);
-- whole: with the name in clear (of one, and recorded). The number to call is for who chases; an auditor does not.
CREATE FUNCTION device_recall_item_shown(y device_recall_item, whole boolean, verdict text, field text) RETURNS device_recall_item_answer
LANGUAGE sql STABLE AS $$
    SELECT (verdict, field, y.item_id, device_brief(i), y.recall_id, (SELECT c.code FROM centre c WHERE c.id = y.centre_id), y.found_at, r.due_on,
        y.resolved_at IS NULL AND r.due_on < china_date(now()), y.resolved_at, y.resolution, y.note, y.account_id,
        (SELECT json_build_object('id', h.id, 'kind', h.kind, 'happened_at', h.happened_at, 'due_at', h.due_at, 'has_it', h.id = i.handover_id,
                'holder', CASE WHEN whole THEN w.name ELSE left(w.name, 1) || repeat('*', length(w.name) - 1) END,
                'phone', CASE WHEN scope_role() <> 'auditor' THEN w.phone END)
            FROM handover h CROSS JOIN LATERAL (SELECT coalesce(p.name, h.borrower) AS name, coalesce(p.phone, h.phone) AS phone
                FROM (SELECT 1) AS one LEFT JOIN person p ON p.plan_region = h.plan_region AND p.id = h.person_id) AS w
            WHERE h.plan_region = y.plan_region AND h.id = coalesce(i.handover_id, y.found_with)),
        a.n, a.last, a.reached, y.version)::device_recall_item_answer
    FROM device_item i JOIN device_recall r ON r.id = y.recall_id
    CROSS JOIN LATERAL (SELECT count(*) AS n, max(t.happened_at) AS last, bool_or(t.reached) AS reached FROM device_recall_attempt t
        WHERE t.plan_region = y.plan_region AND t.item_id = y.item_id AND t.recall_id = y.recall_id) AS a
    WHERE i.plan_region = y.plan_region AND i.id = y.item_id
    UNION ALL SELECT (verdict, field, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::device_recall_item_answer
    WHERE y.item_id IS NULL $$;

-- The task of a recall and an item (its label's code, or its id), the item and then it locked.
CREATE FUNCTION device_recall_item_locked(wanted bigint, item text) RETURNS device_recall_item LANGUAGE plpgsql AS $$
DECLARE
    i device_item := device_item_locked(item);
    y device_recall_item;
BEGIN
    SELECT * INTO y FROM device_recall_item t WHERE t.plan_region = i.plan_region AND t.item_id = i.id AND t.recall_id = wanted FOR NO KEY UPDATE;
    RETURN y;
END $$;

CREATE TYPE device_attempt_answer AS (
    _verdict text, _field text, number int, how text, reached boolean, happened_at timestamptz, note text, account bigint);
CREATE FUNCTION device_recall_attempted(wanted bigint, item text, way text, got boolean, happened timestamptz, said text) RETURNS device_attempt_answer
LANGUAGE plpgsql AS $$
DECLARE
    y device_recall_item := device_recall_item_locked(wanted, item);
    t device_recall_attempt;
    at timestamptz := coalesce(happened, now());
    verdict text;
BEGIN
    verdict := CASE WHEN y.item_id IS NULL THEN 'not_found'
        WHEN y.resolved_at IS NOT NULL THEN 'recall_item_resolved'
        WHEN at > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN china_date(at) < china_date(y.found_at) THEN 'happened_before_last' END;
    IF verdict IS NULL THEN
        INSERT INTO device_recall_attempt (plan_region, item_id, recall_id, number, centre_id, region, how, reached, happened_at, note, account_id)
        SELECT y.plan_region, y.item_id, y.recall_id, 1 + coalesce((SELECT max(o.number) FROM device_recall_attempt o WHERE o.plan_region = y.plan_region
            AND o.item_id = y.item_id AND o.recall_id = y.recall_id), 0), y.centre_id, y.region, way, got, at, coalesce(said, ''), scope_account()
        RETURNING * INTO t;
    END IF;
    RETURN (verdict, '/happened_at', t.number, t.how, t.reached, t.happened_at, t.note, t.account_id)::device_attempt_answer;
END $$;

-- What became of one: repaired since (in the loop, or where it is), found harmless, lost. What is recycled is resolved by that.
CREATE FUNCTION device_recall_resolve(wanted bigint, item text, if_match int, what text, said text) RETURNS device_recall_item_answer LANGUAGE plpgsql AS $$
DECLARE
    y device_recall_item := device_recall_item_locked(wanted, item);
    i device_item;
    verdict text;
BEGIN
    SELECT * INTO i FROM device_item d WHERE d.plan_region = y.plan_region AND d.id = y.item_id;
    verdict := CASE WHEN y.item_id IS NULL THEN 'not_found'
        WHEN if_match <> y.version THEN 'stale'
        WHEN y.resolved_at IS NOT NULL THEN 'recall_item_resolved'
        WHEN scope_role() NOT IN ('county', 'manager') THEN 'role_not_allowed'
        WHEN what = 'harmless' AND NOT coalesce(said ~ '\S', false) THEN 'note_required'
        WHEN what = 'lost' AND i.state <> 'lost' THEN 'resolution_unproved'
        WHEN what = 'repaired' AND NOT EXISTS (SELECT FROM device_repair p WHERE p.plan_region = i.plan_region AND p.item_id = i.id
            AND p.outcome = 'mended' AND p.ended_at >= y.found_at) THEN 'resolution_unproved'
        WHEN i.recall_id = wanted THEN device_barred(i, 'lift', greatest(now(), i.state_at), said) END;
    IF verdict IS NULL THEN
        UPDATE device_recall_item t SET resolved_at = now(), resolution = what, note = coalesce(said, '')
        WHERE t.plan_region = y.plan_region AND t.item_id = y.item_id AND t.recall_id = y.recall_id RETURNING * INTO y;
        IF i.recall_id = wanted THEN
            i := device_do(i, 'lift', greatest(now(), i.state_at), said, wanted, NULL);
        END IF;
    END IF;
    RETURN device_recall_item_shown(y, false, verdict, CASE verdict WHEN 'note_required' THEN '/note' END);
END $$;

-- How many of it are open anywhere: one that was moved out of the region is still of it.
CREATE FUNCTION device_recall_left(wanted bigint) RETURNS int LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*)::int FROM device_recall_item y WHERE y.recall_id = wanted AND y.resolved_at IS NULL $$;
-- All that are open are lifted; who calls holds the recall, and may end it.
CREATE FUNCTION device_recall_lift_all(r device_recall, said text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM device_recall o WHERE o.id = r.id AND o.ended_at IS NULL AND scope_role() IN ('county', 'manager')
            AND o.region >= scope_low() AND o.high <= scope_high()) THEN
        RAISE EXCEPTION 'recall % is not to be withdrawn', r.id USING ERRCODE = 'TT005';
    END IF;
    PERFORM FROM device_item i WHERE (i.plan_region, i.id) IN (SELECT y.plan_region, y.item_id FROM device_recall_item y
        WHERE y.recall_id = r.id AND y.resolved_at IS NULL) ORDER BY i.id FOR NO KEY UPDATE;
    UPDATE device_recall_item y SET resolved_at = now(), resolution = 'withdrawn', note = said WHERE y.recall_id = r.id AND y.resolved_at IS NULL;
    INSERT INTO device_event (plan_region, item_id, action, happened_at, reference, note)
    SELECT i.plan_region, i.id, 'lift', greatest(now(), i.state_at), r.id, said
    FROM device_recall_item y JOIN device_item i ON i.plan_region = y.plan_region AND i.id = y.item_id
    WHERE y.recall_id = r.id AND i.recall_id = r.id ORDER BY i.id;
END $$;

CREATE FUNCTION device_recall_locked(wanted bigint) RETURNS device_recall LANGUAGE sql AS $$
    SELECT r FROM device_recall r WHERE r.id = wanted FOR NO KEY UPDATE $$;
-- While a recall ends nothing of its model is taken in: it would be under a recall that is over.
CREATE FUNCTION device_recall_alone(r device_recall) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT FROM device_model m WHERE m.code = r.model FOR UPDATE $$;
-- what: withdrawn (all that are open are lifted), ended (none is open).
CREATE FUNCTION device_recall_end(wanted bigint, if_match int, what text, said text) RETURNS device_recall_answer LANGUAGE plpgsql AS $$
DECLARE
    r device_recall := device_recall_locked(wanted);
    verdict text;
BEGIN
    PERFORM device_recall_alone(r);
    verdict := CASE WHEN r.id IS NULL THEN 'not_found'
        WHEN if_match <> r.version THEN 'stale'
        WHEN r.ended_at IS NOT NULL THEN 'recall_over'
        WHEN what = 'ended' AND device_recall_left(r.id) > 0 THEN 'recall_unresolved' END;
    IF verdict IS NULL THEN
        IF what = 'withdrawn' THEN
            PERFORM device_recall_lift_all(r, said);
        END IF;
        UPDATE device_recall o SET ended_at = now(), ended_note = coalesce(said, '') WHERE o.id = r.id RETURNING * INTO r;
    END IF;
    RETURN device_recall_shown(r, verdict, NULL, CASE verdict WHEN 'recall_unresolved' THEN device_recall_left(r.id) END);
END $$;

-- Until when all of them shall be dealt with; who was told that they are overdue is told again if they are late again.
CREATE FUNCTION device_recall_change(wanted bigint, if_match int, due date) RETURNS device_recall_answer LANGUAGE plpgsql AS $$
DECLARE
    r device_recall := device_recall_locked(wanted);
    verdict text;
BEGIN
    verdict := CASE WHEN r.id IS NULL THEN 'not_found'
        WHEN if_match <> r.version THEN 'stale'
        WHEN r.ended_at IS NOT NULL THEN 'recall_over'
        WHEN due < china_date(now()) THEN 'recall_due_past' END;
    IF verdict IS NULL THEN
        UPDATE device_recall o SET due_on = due WHERE o.id = r.id RETURNING * INTO r;
        UPDATE device_recall_item y SET told_at = NULL WHERE y.recall_id = r.id AND y.resolved_at IS NULL AND y.told_at IS NOT NULL;
    END IF;
    RETURN device_recall_shown(r, verdict, NULL, NULL);
END $$;

INSERT INTO job (queue, kind, unique_key, schedule, max_attempts) VALUES
    ('reminders', 'recall_overdue_scan', 'recall_overdue_scan', '50 7 * * *', 1000000);

GRANT SELECT, INSERT ON device_recall_attempt TO tantu_app;
GRANT UPDATE (told_at) ON device_recall_item TO tantu_app;
ALTER TABLE device_recall_attempt ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON device_recall_attempt FOR SELECT USING (scope_has(centre_id, region));
CREATE POLICY adding ON device_recall_attempt FOR INSERT WITH CHECK (scope_has(centre_id, region) AND (SELECT scope_role()) <> 'auditor'
    AND account_id = (SELECT scope_account()));
