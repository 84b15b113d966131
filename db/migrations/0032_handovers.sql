-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Handing items over. Invariant: a row of handover is a hand-over that has been made, and its item has no other holder.

-- May the same kind be granted again? (migration of the requests)
CREATE FUNCTION service_life_barred(r device_request, day date) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN NULL; END $$;

-- Why `h` may not be; NULL: it may. r: its request.
CREATE FUNCTION handover_refusal(h handover, i device_item, r device_request) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    verdict text;
BEGIN
    verdict := CASE
        WHEN h.kind <> 'loan' AND r.id IS NULL THEN 'request_unknown'
        WHEN r.person_id IS DISTINCT FROM h.person_id AND h.kind <> 'loan' THEN 'request_of_another'
        WHEN r.id IS NOT NULL AND r.centre_id IS DISTINCT FROM i.centre_id THEN 'request_elsewhere'
        WHEN r.state <> 'assessed' THEN 'request_not_assessed'
        WHEN r.measure <> (SELECT m.measure FROM device_model m WHERE m.code = i.model) THEN 'device_kind_differs'
        WHEN h.kind IN ('fitting', 'rental') AND r.assessed_for <> h.kind THEN 'assessed_otherwise'
        WHEN h.due_at <= h.happened_at THEN 'due_before_begin' END;
    IF verdict IS NULL AND h.kind = 'fitting' THEN
        verdict := service_life_barred(r, china_date(h.happened_at));
    END IF;
    RETURN coalesce(verdict, device_refusal(i, 'issue', h.happened_at, NULL, NULL, h));
END $$;

-- A centre's own things, and for the office what is in its region.
CREATE FUNCTION scope_has(centre_id bigint, region int) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE scope_whose() WHEN '' THEN region BETWEEN scope_low() AND scope_high() WHEN 'k' || centre_id THEN true ELSE false END IS TRUE $$;

-- Is `i` of the centre, or in the region, of who writes? (In functions of the owner's, which see all; the owner himself may.)
CREATE FUNCTION device_own(i device_item) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT scope_low() IS NULL OR scope_has(i.centre_id, i.region) $$;

-- A row here is a hand-over that has been made: it issues the item, or is an error.
CREATE FUNCTION handover_comes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    i device_item;
    r device_request;
    verdict text;
BEGIN
    IF NEW.request_id IS NOT NULL THEN
        SELECT * INTO r FROM device_request q WHERE q.plan_region = NEW.plan_region AND q.id = NEW.request_id FOR NO KEY UPDATE;
    END IF;
    SELECT * INTO i FROM device_item d WHERE d.plan_region = NEW.plan_region AND d.id = NEW.item_id FOR NO KEY UPDATE;
    NEW.ended := NULL;
    NEW.ended_at := NULL;
    NEW.closed_at := NULL;
    NEW.version := 1;
    NEW.centre_id := i.centre_id;
    NEW.region := coalesce(r.region, i.region);
    NEW.happened_at := coalesce(NEW.happened_at, now());
    NEW.account_id := scope_account();
    verdict := handover_refusal(NEW, i, r);
    IF verdict IS NOT NULL OR i.id IS NULL OR NOT device_own(i) THEN
        RAISE EXCEPTION '% of device item %: %', NEW.kind, NEW.item_id, coalesce(verdict, 'not_found') USING ERRCODE = 'TT005';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION handover_came() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO device_event (plan_region, item_id, action, happened_at, handover_id)
    VALUES (NEW.plan_region, NEW.item_id, 'issue', NEW.happened_at, NEW.id);
    PERFORM request_fulfilled(NEW);
    RETURN NULL;
END $$;
CREATE TRIGGER comes BEFORE INSERT ON handover FOR EACH ROW EXECUTE FUNCTION handover_comes();
CREATE TRIGGER came AFTER INSERT ON handover FOR EACH ROW EXECUTE FUNCTION handover_came();

-- What was asked for is granted, and the need is met (by a fitting; what is rented is needed on). A trial leaves both open.
CREATE FUNCTION request_fulfilled(h handover) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE device_request r SET state = 'fulfilled', version = r.version + 1
    WHERE r.plan_region = h.plan_region AND r.id = h.request_id AND h.kind IN ('fitting', 'rental');
    UPDATE need n SET state = 'met' FROM device_request r
    WHERE r.plan_region = h.plan_region AND r.id = h.request_id AND h.kind = 'fitting'
      AND n.plan_region = r.plan_region AND n.id = r.need_id AND n.state = 'open';
END $$;

-- A fitting that is undone on the day it was made was none: its request is assessed again, its need open. One that comes back later
-- was still met. The day is that of the event that made it a fitting, for a trial that of the keeping.
CREATE FUNCTION fitting_day(h handover) RETURNS date LANGUAGE sql STABLE AS $$
    SELECT china_date(coalesce((SELECT max(e.happened_at) FROM device_event e WHERE e.plan_region = h.plan_region AND e.item_id = h.item_id
        AND e.handover_id = h.id AND e.action IN ('issue', 'keep')), h.happened_at)) $$;
CREATE FUNCTION fitting_undone(h handover) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT h.kind = 'fitting' AND h.ended IS NOT DISTINCT FROM 'returned' AND china_date(h.ended_at) = fitting_day(h) $$;
CREATE FUNCTION request_unfulfilled(h handover) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    r device_request;
BEGIN
    UPDATE device_request q SET state = 'assessed', version = q.version + 1
    WHERE q.plan_region = h.plan_region AND q.id = h.request_id AND q.state = 'fulfilled' AND NOT EXISTS (
        SELECT FROM device_request o WHERE o.plan_region = q.plan_region AND o.need_id = q.need_id AND o.state IN ('waiting', 'assessed'))
    RETURNING * INTO r;
    UPDATE need n SET state = 'open' WHERE n.plan_region = r.plan_region AND n.id = r.need_id AND n.state = 'met';
END $$;

-- What of a handover changes: it ends (once, unless who ended it by mistake takes that back at once), a trial becomes a fitting, it is closed.
CREATE FUNCTION handover_changes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    i device_item;
    r device_request;
    fitted_again boolean := NEW.ended IS NULL AND fitting_undone(OLD);
    verdict text;
BEGIN
    NEW.version := OLD.version + 1;
    i.centre_id := OLD.centre_id; -- which hands out and takes back, wherever the item is when the contract is closed
    i.region := (SELECT c.region FROM centre c WHERE c.id = OLD.centre_id);
    IF NEW.ended = 'returned' AND OLD.ended = 'returned' OR NEW.ended = 'lost' AND OLD.ended = 'lost' THEN
        NEW.ended_at := OLD.ended_at;
        NEW.closed_at := CASE WHEN OLD.kind = 'rental' THEN NEW.closed_at ELSE OLD.closed_at END;
    ELSIF NEW.ended IS NOT NULL THEN
        NEW.ended_at := coalesce(NEW.ended_at, now());
        NEW.closed_at := CASE WHEN OLD.kind = 'rental' THEN NULL ELSE NEW.ended_at END;
    ELSE
        NEW.ended_at := NULL;
        NEW.closed_at := CASE WHEN OLD.kind = 'rental' THEN NEW.closed_at END;
    END IF;
    IF OLD.kind <> NEW.kind OR fitted_again THEN
        SELECT * INTO r FROM device_request q WHERE q.plan_region = NEW.plan_region AND q.id = NEW.request_id FOR NO KEY UPDATE;
    END IF;
    verdict := CASE
        WHEN NOT device_own(i) THEN 'not_found'
        WHEN scope_role() = 'auditor' THEN 'role_not_allowed'
        WHEN OLD.ended IS NOT NULL AND NEW.due_at IS DISTINCT FROM OLD.due_at THEN 'handover_over'
        WHEN NEW.due_at <= OLD.happened_at THEN 'due_before_begin'
        WHEN OLD.kind <> NEW.kind AND (OLD.kind, NEW.kind) <> ('trial', 'fitting') THEN 'device_state'
        WHEN OLD.kind <> NEW.kind AND (OLD.ended IS NOT NULL OR NEW.ended IS NOT NULL) THEN 'handover_over'
        WHEN (OLD.kind <> NEW.kind OR fitted_again) AND (r.id IS NULL OR r.state <> 'assessed') THEN 'request_not_assessed'
        WHEN OLD.kind <> NEW.kind AND r.assessed_for <> 'fitting' THEN 'assessed_otherwise'
        WHEN OLD.ended = 'returned' AND NEW.ended = 'lost' THEN 'handover_over'
        WHEN OLD.ended = 'lost' AND NEW.ended IS NULL THEN 'handover_over'
        WHEN OLD.kind = 'rental' AND OLD.closed_at IS NULL AND (NEW.closed_at < NEW.ended_at OR NEW.closed_at > now() + interval '5 minutes') THEN 'happened_before_last'
        WHEN OLD.closed_at IS NOT NULL AND OLD.kind = 'rental' AND (NEW.ended, NEW.closed_at) IS DISTINCT FROM (OLD.ended, OLD.closed_at) THEN 'handover_over' END;
    IF verdict IS NULL AND OLD.kind <> NEW.kind THEN
        verdict := service_life_barred(r, china_date(now()));
    END IF;
    IF verdict IS NOT NULL THEN
        RAISE EXCEPTION 'handover %: %', OLD.id, verdict USING ERRCODE = 'TT005';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION handover_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.ended IS DISTINCT FROM OLD.ended OR NEW.kind <> OLD.kind THEN
        INSERT INTO device_event (plan_region, item_id, action, happened_at, handover_id, note)
        VALUES (NEW.plan_region, NEW.item_id, CASE WHEN NEW.kind <> OLD.kind THEN 'keep' WHEN NEW.ended IS NULL THEN 'unreturn'
            WHEN NEW.ended = 'lost' THEN 'lose' ELSE 'return' END,
            CASE WHEN NEW.kind <> OLD.kind OR NEW.ended IS NULL THEN greatest(now(), OLD.ended_at) ELSE NEW.ended_at END, NEW.id,
            CASE WHEN NEW.ended = 'lost' OR NEW.note <> OLD.note THEN NEW.note ELSE '' END);
    END IF;
    IF NEW.kind <> OLD.kind OR (NEW.ended IS NULL AND fitting_undone(OLD)) THEN
        PERFORM request_fulfilled(NEW);
    ELSIF NEW.ended IS DISTINCT FROM OLD.ended AND fitting_undone(NEW) THEN
        PERFORM request_unfulfilled(NEW);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER changes BEFORE UPDATE ON handover FOR EACH ROW EXECUTE FUNCTION handover_changes();
CREATE TRIGGER changed AFTER UPDATE ON handover FOR EACH ROW EXECUTE FUNCTION handover_changed();

-- (No polite answer comes here.) A request that was granted stays so, is granted by being handed over, and has been assessed before.
CREATE FUNCTION device_request_stands() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    broken text;
BEGIN
    broken := CASE
        WHEN (NEW.state = 'fulfilled') <> EXISTS (SELECT FROM handover h WHERE h.plan_region = NEW.plan_region AND h.request_id = NEW.id
            AND h.kind IN ('fitting', 'rental') AND NOT fitting_undone(h)) AND 'fulfilled' IN (OLD.state, NEW.state) THEN 'request_not_granted'
        WHEN NEW.state = 'assessed' AND OLD.state <> 'fulfilled' AND (NEW.state, NEW.assessed_for, NEW.measure) IS DISTINCT FROM (OLD.state, OLD.assessed_for, OLD.measure)
            AND NOT EXISTS (SELECT FROM device_assessment a WHERE a.plan_region = NEW.plan_region AND a.request_id = NEW.id
                AND a.taken_back_at IS NULL AND a.assessed_for = NEW.assessed_for AND a.measure = NEW.measure) THEN 'request_not_assessed' END;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'device request %: %', NEW.id, broken USING ERRCODE = 'TT005';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stands BEFORE UPDATE ON device_request FOR EACH ROW EXECUTE FUNCTION device_request_stands();

-- Why the end of `h` may not be written down; NULL: it may. what: returned, lost.
CREATE FUNCTION handover_end_refusal(h handover, i device_item, what text, happened timestamptz, said text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    after handover := h;
    verdict text;
BEGIN
    after.ended := what;
    verdict := CASE
        WHEN h.ended = 'returned' OR (h.ended IS NOT NULL AND h.ended = what) THEN 'handover_over'
        WHEN h.closed_at IS NOT NULL AND h.kind = 'rental' THEN 'handover_over'
        WHEN h.ended = 'lost' AND i.state <> 'lost' THEN 'handover_over'
        WHEN i.state <> 'lost' AND i.handover_id IS DISTINCT FROM h.id THEN 'handover_over'
        WHEN china_date(happened) < china_date(h.happened_at) THEN 'happened_before_last' END;
    RETURN coalesce(verdict, device_refusal(i, CASE what WHEN 'lost' THEN 'lose' ELSE 'return' END, happened, said, NULL, after));
END $$;

GRANT SELECT ON device_rule, device_event TO tantu_app;
GRANT INSERT (plan_region, item_id, action, happened_at, handover_id, reference, note) ON device_event TO tantu_app;
GRANT USAGE ON device_number, device_request_number, handover_number, device_fact_number TO tantu_app;
GRANT SELECT ON device_item, device_request, handover, device_disinfection, device_inspection, device_repair, device_recycling, device_transfer,
    device_recall, device_recall_item TO tantu_app; -- (a row of device_recall_item comes with the recall, the item, or the item's arrival)
GRANT UPDATE (shelf, note, donor, price, warranty_until) ON device_item TO tantu_app;
GRANT UPDATE (centre_id, state, assessed_for, exception, exception_by, score, note, region, version) ON device_request TO tantu_app;
GRANT UPDATE (kind, due_at, ended, ended_at, closed_at, note) ON handover TO tantu_app;
GRANT UPDATE (ended_at, note, version) ON device_disinfection TO tantu_app;
GRANT UPDATE (ended_at, outcome, repairer, parts, labour, cost, warranty_until, note, version) ON device_repair TO tantu_app;
GRANT UPDATE (note, version) ON device_transfer TO tantu_app;
GRANT UPDATE (due_on, ended_at, ended_note, version) ON device_recall TO tantu_app;
GRANT UPDATE (resolved_at, resolution, note, account_id, version) ON device_recall_item TO tantu_app;

-- (What of an item may be changed by itself raises its version too.)
CREATE FUNCTION device_item_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.version = OLD.version THEN
        NEW.version := OLD.version + 1;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER changes BEFORE UPDATE ON device_item FOR EACH ROW EXECUTE FUNCTION device_item_changes();

-- The item that a label's code or an id names, locked, in the caller's scope. A code goes before an id.
CREATE FUNCTION device_item_locked(wanted text) RETURNS device_item LANGUAGE plpgsql AS $$
DECLARE
    i device_item;
BEGIN
    SELECT * INTO i FROM device_item d WHERE d.code = wanted FOR NO KEY UPDATE;
    IF i.id IS NULL AND wanted ~ '^[0-9]{16}$' THEN
        SELECT * INTO i FROM device_item d WHERE d.plan_region = plan_region_of(wanted::bigint) AND d.id = wanted::bigint FOR NO KEY UPDATE;
    END IF;
    RETURN i;
END $$;

-- The centre that who asks acts for: a centre's own (wanted may be left out), or one of an office's region. No id: none such.
CREATE FUNCTION device_centre(wanted text) RETURNS centre LANGUAGE sql STABLE AS $$
    SELECT c FROM centre c WHERE c.plan_region IS NOT NULL AND CASE scope_role()
        WHEN 'centre' THEN c.id = scope_centre() AND (wanted IS NULL OR c.code = wanted)
        ELSE c.code = wanted AND coalesce(scope_sees_region(), false) AND c.region BETWEEN scope_low() AND scope_high() END $$;

ALTER TABLE device_item ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_request ENABLE ROW LEVEL SECURITY;
ALTER TABLE handover ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_disinfection ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_inspection ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_repair ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_recycling ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_transfer ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_recall ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_recall_item ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON device_item USING (
    ((region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE OR bound_for = (SELECT scope_centre()))
    AND CASE (SELECT scope_whose()) WHEN '' THEN true WHEN 'k' || centre_id THEN true WHEN 'k' || bound_for THEN true ELSE false END);
CREATE POLICY scope ON device_event USING (EXISTS (
    SELECT FROM device_item i WHERE i.plan_region = device_event.plan_region AND i.id = device_event.item_id));
CREATE POLICY scope ON device_request USING (
    (region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE
    AND CASE (SELECT scope_whose()) WHEN '' THEN true WHEN 'k' || centre_id THEN true ELSE false END);
CREATE POLICY scope ON handover USING (
    (region >= (SELECT scope_low()) AND region <= (SELECT scope_high())) IS TRUE
    AND CASE (SELECT scope_whose()) WHEN '' THEN true WHEN 'k' || centre_id THEN true ELSE false END);
CREATE POLICY scope ON device_disinfection USING (scope_has(centre_id, region));
CREATE POLICY scope ON device_inspection USING (scope_has(centre_id, region));
CREATE POLICY scope ON device_repair USING (scope_has(centre_id, region));
CREATE POLICY scope ON device_recycling USING (scope_has(centre_id, region));
CREATE POLICY scope ON device_transfer USING (scope_has(from_centre, from_region) OR scope_has(to_centre, to_region))
    WITH CHECK (scope_has(from_centre, from_region));
CREATE POLICY reading ON device_recall FOR SELECT USING (
    ((SELECT scope_sees_region()) AND region <= (SELECT scope_high()) AND high >= (SELECT scope_low()))
    OR EXISTS (SELECT FROM centre c WHERE c.id = (SELECT scope_centre()) AND c.region BETWEEN device_recall.region AND device_recall.high));
CREATE POLICY adding ON device_recall FOR INSERT WITH CHECK ((SELECT scope_role()) IN ('county', 'manager')
    AND region >= (SELECT scope_low()) AND high <= (SELECT scope_high()) AND account_id = (SELECT scope_account()));
CREATE POLICY changing ON device_recall FOR UPDATE USING ((SELECT scope_role()) IN ('county', 'manager')
    AND region >= (SELECT scope_low()) AND high <= (SELECT scope_high()));
CREATE POLICY scope ON device_recall_item USING (scope_has(centre_id, region));

-- A centre sees the people it serves.
CREATE POLICY served ON person FOR SELECT USING ((SELECT scope_role()) = 'centre' AND EXISTS (
    SELECT FROM device_request r WHERE r.plan_region = person.plan_region AND r.person_id = person.id AND r.centre_id = (SELECT scope_centre())));
CREATE POLICY served ON need FOR SELECT USING ((SELECT scope_role()) = 'centre' AND EXISTS (
    SELECT FROM device_request r WHERE r.plan_region = need.plan_region AND r.person_id = need.person_id AND r.centre_id = (SELECT scope_centre())));

-- When something was written down nobody says but the database; a request begins by waiting. An auditor reads.
DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY '{device_item,device_event,device_request,handover,device_disinfection,device_inspection,device_repair,device_recycling,
            device_transfer,device_recall,device_recall_item}'::text[] LOOP
        EXECUTE format('CREATE POLICY adding_by_whom ON %I AS RESTRICTIVE FOR INSERT WITH CHECK ((SELECT scope_role()) <> ''auditor'')', t);
        EXECUTE format('CREATE POLICY changing_by_whom ON %I AS RESTRICTIVE FOR UPDATE USING (true) WITH CHECK ((SELECT scope_role()) <> ''auditor'')', t);
        IF t NOT IN ('device_event', 'device_recall_item') THEN
            EXECUTE format('GRANT INSERT (%s) ON %I TO tantu_app', (SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute a
                WHERE a.attrelid = t::regclass AND a.attnum > 0 AND a.attname <> 'created_at'
                    AND NOT (t = 'device_request' AND a.attname IN ('state', 'assessed_for', 'exception', 'exception_by'))), t);
        END IF;
    END LOOP;
END $$;
