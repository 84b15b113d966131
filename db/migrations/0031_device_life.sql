-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- The life of an item. Invariants, held by this file and 0032 whoever writes: an item's state is changed by its events alone, and each
-- event is an allowed action with its proof behind it; an item is handed out from stock only, and gets there only by a disinfection
-- and then an inspection since it last came back; what is recalled, retired or on its way is handed to nobody.

-- An item's life, append-only. reference: the proof, whose table the action tells.
CREATE TABLE device_event (
    plan_region int NOT NULL,
    item_id     bigint NOT NULL,
    version     int NOT NULL, -- of the item, after it
    action      text NOT NULL,
    from_state  text NOT NULL,
    to_state    text NOT NULL,
    centre_id   bigint NOT NULL,
    happened_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    account_id  bigint,
    handover_id bigint,
    reference   bigint,
    note        text NOT NULL DEFAULT '',
    PRIMARY KEY (plan_region, item_id, version)
);
CREATE INDEX device_event_by_reference ON device_event (plan_region, reference, action) WHERE reference IS NOT NULL;

CREATE TABLE device_rule (
    action     text NOT NULL,
    from_state text NOT NULL, -- '': it was not there
    to_state   text NOT NULL,
    proof      text NOT NULL DEFAULT '', -- where `reference` stands
    roles      text[] NOT NULL,
    needs_note boolean NOT NULL,
    PRIMARY KEY (action, from_state, to_state)
);
INSERT INTO device_rule
SELECT a, f, t, p, CASE WHEN a IN ('recall', 'lift') THEN '{county,manager,system}' ELSE '{centre,county,manager}' END::text[], n FROM (VALUES
    ('take_in', '', 'in_stock', '', false),
    ('take_in', '', 'returned', '', false), -- donated: it enters the loop
    ('reserve', 'in_stock', 'reserved', 'request', false),
    ('release', 'reserved', 'in_stock', '', false),
    ('issue', 'in_stock', 'lent', 'handover', false), ('issue', 'in_stock', 'fitted', 'handover', false),
    ('issue', 'reserved', 'lent', 'handover', false), ('issue', 'reserved', 'fitted', 'handover', false),
    ('keep', 'lent', 'fitted', 'handover', false), -- after a trial
    ('return', 'lent', 'returned', 'handover', false), ('return', 'fitted', 'returned', 'handover', false),
    ('return', 'lost', 'returned', 'handover', false), -- what its holder had lost is brought after all
    ('unreturn', 'returned', 'lent', 'handover', false), ('unreturn', 'returned', 'fitted', 'handover', false), -- a scan by mistake
    ('lose', 'lent', 'lost', 'handover', true), ('lose', 'fitted', 'lost', 'handover', true),
    ('lose', 'in_stock', 'lost', '', true), ('lose', 'returned', 'lost', '', true), ('lose', 'disinfecting', 'lost', '', true),
    ('lose', 'inspecting', 'lost', '', true), ('lose', 'repairing', 'lost', '', true), ('lose', 'recalled', 'lost', '', true),
    ('find', 'lost', 'returned', '', true),
    ('disinfect', 'returned', 'disinfecting', 'disinfection', false),
    ('disinfected', 'disinfecting', 'inspecting', 'disinfection', false),
    ('soil', 'disinfecting', 'returned', '', true), -- it was not done
    ('pass', 'inspecting', 'in_stock', 'inspection', false), ('pass', 'inspecting', 'recalled', 'inspection', false),
    ('repair', 'inspecting', 'repairing', 'repair', false), ('repair', 'in_stock', 'repairing', 'repair', false),
    ('repair', 'recalled', 'repairing', 'repair', false),
    ('mended', 'repairing', 'inspecting', 'repair', false),
    ('inspect', 'in_stock', 'inspecting', '', false), ('inspect', 'recalled', 'inspecting', '', false),
    ('recycle', 'returned', 'recycled', 'recycling', false), ('recycle', 'inspecting', 'recycled', 'recycling', false),
    ('recycle', 'repairing', 'recycled', 'recycling', false), ('recycle', 'in_stock', 'recycled', 'recycling', false),
    ('recycle', 'recalled', 'recycled', 'recycling', false),
    ('recall', 'in_stock', 'recalled', 'recall', false), ('recall', 'reserved', 'recalled', 'recall', false),
    ('lift', 'recalled', 'inspecting', 'recall', false)) AS rule (a, f, t, p, n);
-- What leaves the state as it is: the rest of the recall, transfers, the repair of what somebody has and keeps.
INSERT INTO device_rule
SELECT a, s, s, CASE WHEN a IN ('recall', 'lift') THEN 'recall' WHEN a = 'serviced' THEN 'repair' ELSE 'transfer' END,
    CASE WHEN a IN ('recall', 'lift') THEN '{county,manager,system}' ELSE '{centre,county,manager}' END::text[], false
FROM (VALUES ('serviced', '{lent,fitted}'::text[]), ('recall', '{lent,fitted,returned,disinfecting,inspecting,repairing,lost}'),
    ('lift', '{lent,fitted,returned,disinfecting,inspecting,repairing,lost,recycled}'),
    ('send', '{in_stock,returned,inspecting,recalled}'), ('receive', '{in_stock,returned,inspecting,recalled}'),
    ('unsend', '{in_stock,returned,inspecting,recalled}')) AS rule (a, states), unnest(states) AS s;

-- Where `action` leads `i` now; NULL: nowhere.
CREATE FUNCTION device_leads_to(i device_item, action text, h handover) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT r.to_state FROM device_rule r WHERE r.action = device_leads_to.action AND r.from_state = i.state
      AND CASE r.action WHEN 'issue' THEN r.to_state = CASE h.kind WHEN 'fitting' THEN 'fitted' ELSE 'lent' END
                        WHEN 'unreturn' THEN r.to_state = CASE h.kind WHEN 'fitting' THEN 'fitted' ELSE 'lent' END
                        WHEN 'pass' THEN r.to_state = CASE WHEN i.recall_id IS NULL THEN 'in_stock' ELSE 'recalled' END
                        ELSE true END $$;

-- The last time that `action` was done to `i`.
CREATE FUNCTION device_last(i device_item, action text) RETURNS device_event LANGUAGE sql STABLE AS $$
    SELECT e FROM device_event e WHERE e.plan_region = i.plan_region AND e.item_id = i.id AND e.action = device_last.action
    ORDER BY e.version DESC LIMIT 1 $$;

-- Is `reference` what `action` needs behind it, of this item and this moment?
CREATE FUNCTION device_proved(i device_item, action text, proof text, reference bigint, h handover) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE proof
        WHEN '' THEN true
        WHEN 'request' THEN EXISTS (SELECT FROM device_request r JOIN device_model m ON m.code = i.model
            WHERE r.plan_region = i.plan_region AND r.id = reference AND r.state = 'assessed' AND r.measure = m.measure AND r.centre_id = i.centre_id)
        WHEN 'handover' THEN h.item_id = i.id AND CASE action
            WHEN 'issue' THEN h.ended IS NULL
            WHEN 'keep' THEN h.ended IS NULL AND h.kind = 'fitting' AND h.id = i.handover_id
            WHEN 'return' THEN h.ended = 'returned' AND (h.id = i.handover_id OR (i.state = 'lost' AND h.id = (device_last(i, 'lose')).handover_id))
            WHEN 'lose' THEN h.ended = 'lost' AND h.id = i.handover_id
            WHEN 'unreturn' THEN h.ended IS NULL AND EXISTS (SELECT FROM device_event e
                WHERE e.plan_region = i.plan_region AND e.item_id = i.id AND e.version = i.version AND e.action = 'return'
                  AND e.handover_id = h.id AND e.account_id = scope_account()) END
        WHEN 'disinfection' THEN EXISTS (SELECT FROM device_disinfection d
            WHERE d.plan_region = i.plan_region AND d.id = reference AND d.centre_id = i.centre_id
              AND CASE action WHEN 'disinfect' THEN d.ended_at IS NULL OR d.created_at = now() -- not one that was over before
                  ELSE d.ended_at IS NOT NULL AND (device_last(i, 'disinfect')).reference = d.id END)
        WHEN 'inspection' THEN EXISTS (SELECT FROM device_inspection s WHERE s.plan_region = i.plan_region AND s.id = reference
            AND s.item_id = i.id AND s.result = 'pass' AND s.item_version = i.version)
        WHEN 'repair' THEN EXISTS (SELECT FROM device_repair p WHERE p.plan_region = i.plan_region AND p.id = reference
            AND p.item_id = i.id AND CASE action WHEN 'repair' THEN p.ended_at IS NULL AND p.handover_id IS NULL
                WHEN 'serviced' THEN p.ended_at IS NOT NULL AND p.handover_id = i.handover_id
                ELSE p.outcome = 'mended' AND (device_last(i, 'repair')).reference = p.id END)
        WHEN 'recycling' THEN EXISTS (SELECT FROM device_recycling y WHERE y.plan_region = i.plan_region AND y.id = reference AND y.item_id = i.id)
        WHEN 'recall' THEN EXISTS (SELECT FROM device_recall_item y WHERE y.plan_region = i.plan_region AND y.item_id = i.id
            AND y.recall_id = reference AND CASE action WHEN 'recall' THEN y.resolved_at IS NULL AND i.recall_id IS NULL
                ELSE y.resolved_at IS NOT NULL AND i.recall_id = y.recall_id END)
        WHEN 'transfer' THEN EXISTS (SELECT FROM device_transfer t WHERE t.plan_region = i.plan_region AND t.id = reference
            AND CASE action WHEN 'send' THEN t.from_centre = i.centre_id AND device_own(i)
                WHEN 'unsend' THEN t.id = i.transfer_id AND device_own(i) -- by who sent it
                ELSE t.id = i.transfer_id AND (scope_low() IS NULL OR scope_has(t.to_centre, t.to_region)) END) END;
END $$;

-- Why `action` may not be done to `i`; NULL: it may. What hands it to somebody is also judged by handover_refusal.
CREATE FUNCTION device_refusal(i device_item, action text, happened timestamptz, said text, reference bigint, h handover) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    rule device_rule;
    goal text := device_leads_to(i, action, h);
    verdict text;
BEGIN
    SELECT * INTO rule FROM device_rule r WHERE r.action = device_refusal.action AND r.from_state = i.state AND r.to_state = goal;
    verdict := CASE
        WHEN i.transfer_id IS NOT NULL AND action NOT IN ('receive', 'unsend', 'recall', 'lift', 'lose') THEN 'device_on_its_way'
        WHEN i.transfer_id IS NOT NULL AND action = 'lose' AND NOT device_own(i) THEN 'device_on_its_way'
        WHEN i.transfer_id IS NULL AND action IN ('receive', 'unsend') THEN 'device_not_on_its_way'
        WHEN action IN ('issue', 'reserve', 'keep') AND (i.recall_id IS NOT NULL OR i.state = 'recalled') THEN 'device_recalled'
        WHEN action IN ('issue', 'reserve') AND i.state IN ('lent', 'fitted') THEN 'device_out'
        WHEN action IN ('issue', 'reserve') AND i.state IN ('recycled', 'lost') THEN 'device_retired'
        WHEN action IN ('issue', 'reserve') AND i.state NOT IN ('in_stock', 'reserved') THEN 'device_not_ready'
        WHEN action = 'issue' AND i.state = 'reserved' AND i.request_id IS DISTINCT FROM h.request_id THEN 'device_reserved'
        WHEN rule.action IS NULL THEN 'device_state'
        WHEN NOT coalesce(scope_role() = ANY (rule.roles), false) THEN 'role_not_allowed'
        WHEN rule.needs_note AND NOT coalesce(said ~ '\S', false) THEN 'note_required'
        WHEN happened > now() + interval '5 minutes' THEN 'happened_in_future'
        WHEN china_date(happened) < china_date(i.state_at) THEN 'happened_before_last'
        WHEN NOT coalesce(device_proved(i, action, rule.proof, reference, h), false) THEN 'device_unproved' END;
    RETURN verdict;
END $$;

-- What may be done to `i` now by who asks. (issue: whether to whom and as what, the request tells.)
CREATE FUNCTION device_allowed(i device_item) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(DISTINCT r.action ORDER BY r.action), '{}') FROM device_rule r
    WHERE r.from_state = i.state AND scope_role() = ANY (r.roles) AND r.action NOT IN ('take_in', 'unreturn')
      AND CASE WHEN i.transfer_id IS NOT NULL THEN r.action IN ('receive', 'unsend', 'recall', 'lift', 'lose') ELSE r.action NOT IN ('receive', 'unsend') END
      AND (r.action <> 'recall' OR i.recall_id IS NULL) AND (r.action <> 'lift' OR i.recall_id IS NOT NULL)
      AND (r.action <> 'inspect' OR i.recall_id IS NULL)
      AND CASE WHEN scope_centre() IS NULL OR r.action NOT IN ('receive', 'unsend') THEN true
               ELSE scope_centre() = CASE r.action WHEN 'receive' THEN i.bound_for ELSE i.centre_id END END $$;

-- Whoever inserts an event: is it one that may be? Then the item is as it says. Columns that are the trigger's own are overwritten.
CREATE FUNCTION device_event_happens() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    i device_item;
    h handover;
    verdict text;
    destination centre;
BEGIN
    SELECT * INTO i FROM device_item d WHERE d.plan_region = NEW.plan_region AND d.id = NEW.item_id FOR NO KEY UPDATE;
    IF NEW.handover_id IS NOT NULL THEN
        SELECT * INTO h FROM handover o WHERE o.plan_region = NEW.plan_region AND o.id = NEW.handover_id;
    END IF;
    NEW.recorded_at := now();
    NEW.account_id := scope_account();
    NEW.happened_at := coalesce(NEW.happened_at, now());
    IF NEW.action = 'take_in' AND i.version = 1 AND NOT EXISTS (SELECT FROM device_event e WHERE e.plan_region = i.plan_region AND e.item_id = i.id) THEN
        NEW.version := 1;
        NEW.from_state := '';
        NEW.to_state := i.state;
        NEW.centre_id := i.centre_id;
        RETURN NEW;
    END IF;
    verdict := device_refusal(i, NEW.action, NEW.happened_at, NEW.note, NEW.reference, h);
    IF verdict IS NOT NULL OR i.id IS NULL THEN
        RAISE EXCEPTION 'device item %: % in state %: %', NEW.item_id, NEW.action, i.state, coalesce(verdict, 'not_found') USING ERRCODE = 'TT005';
    END IF;
    NEW.version := i.version + 1;
    NEW.from_state := i.state;
    NEW.to_state := device_leads_to(i, NEW.action, h);
    SELECT CASE r.proof WHEN 'handover' THEN NEW.handover_id END, CASE WHEN r.proof NOT IN ('', 'handover') THEN NEW.reference END
    INTO NEW.handover_id, NEW.reference FROM device_rule r
    WHERE r.action = NEW.action AND r.from_state = NEW.from_state AND r.to_state = NEW.to_state;
    IF NEW.action IN ('receive', 'unsend', 'send') THEN
        SELECT c.* INTO destination FROM device_transfer t JOIN centre c ON c.id = CASE NEW.action WHEN 'unsend' THEN t.from_centre ELSE t.to_centre END
        WHERE t.plan_region = i.plan_region AND t.id = NEW.reference;
    END IF;
    NEW.centre_id := CASE NEW.action WHEN 'receive' THEN destination.id ELSE i.centre_id END;
    UPDATE device_item d SET state = NEW.to_state,
        state_at = CASE WHEN NEW.to_state <> i.state THEN NEW.happened_at ELSE d.state_at END, version = NEW.version,
        handover_id = CASE WHEN NEW.to_state IN ('lent', 'fitted') THEN coalesce(NEW.handover_id, d.handover_id) END,
        request_id = CASE WHEN NEW.to_state = 'reserved' THEN NEW.reference END,
        centre_id = NEW.centre_id, region = CASE NEW.action WHEN 'receive' THEN destination.region ELSE d.region END,
        bound_for = CASE NEW.action WHEN 'send' THEN destination.id WHEN 'recall' THEN d.bound_for WHEN 'lift' THEN d.bound_for END,
        transfer_id = CASE NEW.action WHEN 'send' THEN NEW.reference WHEN 'recall' THEN d.transfer_id WHEN 'lift' THEN d.transfer_id END,
        recall_id = CASE NEW.action WHEN 'recall' THEN NEW.reference WHEN 'lift' THEN NULL ELSE d.recall_id END,
        returned_v = CASE WHEN NEW.to_state = 'returned' AND i.state <> 'returned' AND NEW.action <> 'soil' THEN NEW.version
            WHEN NEW.action = 'unreturn' THEN coalesce((SELECT max(e.version) FROM device_event e WHERE e.plan_region = i.plan_region
                AND e.item_id = i.id AND e.version < i.version AND e.to_state = 'returned' AND e.from_state <> 'returned'
                AND e.action <> 'soil' AND e.version < i.disinfected_v), 0)
            ELSE d.returned_v END,
        disinfected_v = CASE NEW.action WHEN 'disinfected' THEN NEW.version ELSE d.disinfected_v END,
        inspected_v = CASE NEW.action WHEN 'pass' THEN NEW.version ELSE d.inspected_v END,
        grade = CASE NEW.action WHEN 'pass' THEN (SELECT s.grade FROM device_inspection s WHERE s.plan_region = i.plan_region AND s.id = NEW.reference)
                                ELSE d.grade END
    WHERE d.plan_region = i.plan_region AND d.id = i.id;
    RETURN NEW;
END $$;
CREATE TRIGGER happens BEFORE INSERT ON device_event FOR EACH ROW EXECUTE FUNCTION device_event_happens();
-- An item that comes into another region, or out of a recall, is looked at again: which recalls mean it now?
CREATE FUNCTION device_event_happened() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE device_recall_item y SET centre_id = i.centre_id, region = i.region, version = y.version + 1 FROM device_item i
    WHERE i.plan_region = NEW.plan_region AND i.id = NEW.item_id AND y.plan_region = i.plan_region AND y.item_id = i.id
      AND y.resolved_at IS NULL AND y.centre_id <> i.centre_id;
    -- A repair that still runs goes with it: whoever has the item ends it. (It was lost meanwhile, and found.)
    UPDATE device_repair p SET centre_id = i.centre_id, region = i.region FROM device_item i
    WHERE i.plan_region = NEW.plan_region AND i.id = NEW.item_id AND p.plan_region = i.plan_region AND p.item_id = i.id
      AND p.ended_at IS NULL AND p.centre_id <> i.centre_id;
    PERFORM device_recalled_by_all(NEW.plan_region, NEW.item_id);
    RETURN NULL;
END $$;
CREATE TRIGGER happened AFTER INSERT ON device_event FOR EACH ROW WHEN (NEW.action IN ('receive', 'lift'))
    EXECUTE FUNCTION device_event_happened();
CREATE FUNCTION device_event_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the life of an item is append-only' USING ERRCODE = 'TT005';
END $$;
CREATE TRIGGER stands BEFORE UPDATE OR DELETE OR TRUNCATE ON device_event FOR EACH STATEMENT EXECUTE FUNCTION device_event_stands();

-- Does it to `i`, which who calls has locked and asked device_refusal about; answers the item as it is then.
CREATE FUNCTION device_do(i device_item, action text, happened timestamptz, said text, reference bigint, handover_id bigint) RETURNS device_item
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO device_event (plan_region, item_id, action, happened_at, handover_id, reference, note)
    VALUES (i.plan_region, i.id, action, happened, handover_id, reference, coalesce(said, ''));
    SELECT * INTO i FROM device_item d WHERE d.plan_region = i.plan_region AND d.id = i.id;
    RETURN i;
END $$;

-- A proof is of the item as it is now, where it is, and of who writes it; its day is not before the item's last nor to come.
CREATE FUNCTION device_proof(of_region int, wanted bigint, action text, happened timestamptz) RETURNS device_item LANGUAGE plpgsql AS $$
DECLARE
    i device_item;
    verdict text;
BEGIN
    SELECT * INTO i FROM device_item d WHERE d.plan_region = of_region AND d.id = wanted FOR NO KEY UPDATE;
    verdict := device_refusal(i, action, happened, NULL, NULL, NULL);
    IF verdict IS DISTINCT FROM 'device_unproved' THEN -- it is what is about to be written
        RAISE EXCEPTION 'device item %: a proof for % in state %: %', wanted, action, i.state, coalesce(verdict, 'not_found') USING ERRCODE = 'TT005';
    END IF;
    RETURN i;
END $$;
CREATE FUNCTION device_inspection_comes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    i device_item := device_proof(NEW.plan_region, NEW.item_id, 'pass', NEW.happened_at);
BEGIN
    NEW.item_version := i.version;
    NEW.centre_id := i.centre_id;
    NEW.region := i.region;
    NEW.account_id := coalesce(scope_account(), NEW.account_id);
    RETURN NEW;
END $$;
CREATE FUNCTION device_repair_comes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    i device_item := device_proof(NEW.plan_region, NEW.item_id, CASE WHEN NEW.handover_id IS NULL THEN 'repair' ELSE 'serviced' END, NEW.began_at);
BEGIN
    NEW.handover_id := i.handover_id;
    NEW.centre_id := i.centre_id;
    NEW.region := i.region;
    NEW.account_id := coalesce(scope_account(), NEW.account_id);
    NEW.version := 1;
    RETURN NEW;
END $$;
CREATE FUNCTION device_recycling_comes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    i device_item := device_proof(NEW.plan_region, NEW.item_id, 'recycle', NEW.happened_at);
BEGIN
    NEW.centre_id := i.centre_id;
    NEW.region := i.region;
    NEW.account_id := coalesce(scope_account(), NEW.account_id);
    RETURN NEW;
END $$;
CREATE FUNCTION device_disinfection_comes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    SELECT c.plan_region, c.region INTO NEW.plan_region, NEW.region FROM centre c WHERE c.id = NEW.centre_id;
    NEW.account_id := coalesce(scope_account(), NEW.account_id);
    NEW.version := 1;
    IF greatest(NEW.began_at, NEW.ended_at) > now() + interval '5 minutes' THEN
        RAISE EXCEPTION 'disinfection: happened_in_future' USING ERRCODE = 'TT005';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER comes BEFORE INSERT ON device_inspection FOR EACH ROW EXECUTE FUNCTION device_inspection_comes();
CREATE TRIGGER comes BEFORE INSERT ON device_repair FOR EACH ROW EXECUTE FUNCTION device_repair_comes();
CREATE TRIGGER comes BEFORE INSERT ON device_recycling FOR EACH ROW EXECUTE FUNCTION device_recycling_comes();
CREATE TRIGGER comes BEFORE INSERT ON device_disinfection FOR EACH ROW EXECUTE FUNCTION device_disinfection_comes();

-- A disinfection or repair ends once, and not tomorrow.
CREATE FUNCTION device_proof_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    IF OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at OR NEW.ended_at > now() + interval '5 minutes' THEN
        RAISE EXCEPTION '% %: it ends once, and not in the future', TG_TABLE_NAME, OLD.id USING ERRCODE = 'TT005';
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION device_repair_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.outcome IS NOT NULL AND NEW.outcome IS DISTINCT FROM OLD.outcome THEN
        RAISE EXCEPTION 'repair %: its outcome stands', OLD.id USING ERRCODE = 'TT005';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ends BEFORE UPDATE ON device_disinfection FOR EACH ROW EXECUTE FUNCTION device_proof_ends();
CREATE TRIGGER ends BEFORE UPDATE ON device_repair FOR EACH ROW EXECUTE FUNCTION device_proof_ends();
CREATE TRIGGER stands BEFORE UPDATE ON device_repair FOR EACH ROW EXECUTE FUNCTION device_repair_stands();

-- A transfer stays within one plan's region, and is written by who sends.
CREATE FUNCTION device_transfer_comes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    sender centre;
    receiver centre;
BEGIN
    SELECT * INTO sender FROM centre c WHERE c.id = NEW.from_centre;
    SELECT * INTO receiver FROM centre c WHERE c.id = NEW.to_centre;
    IF (sender.plan_region = receiver.plan_region) IS NOT TRUE OR NEW.sent_at > now() + interval '5 minutes' THEN
        RAISE EXCEPTION 'transfer: to a centre of another plan, or in the future' USING ERRCODE = 'TT005';
    END IF;
    NEW.plan_region := sender.plan_region;
    NEW.from_region := sender.region;
    NEW.to_region := receiver.region;
    NEW.account_id := coalesce(scope_account(), NEW.account_id);
    NEW.version := 1;
    RETURN NEW;
END $$;
CREATE TRIGGER comes BEFORE INSERT ON device_transfer FOR EACH ROW EXECUTE FUNCTION device_transfer_comes();

-- A new item: in stock, or returned if it was given by somebody; recalled at once when an open recall means it.
CREATE FUNCTION device_item_comes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place centre;
BEGIN
    SELECT * INTO place FROM centre c WHERE c.id = NEW.centre_id FOR KEY SHARE; -- (its place does not change meanwhile)
    IF place.plan_region IS NULL OR NEW.state_at > now() + interval '5 minutes' THEN
        RAISE EXCEPTION 'an item of centre %, which has no region, or in the future', NEW.centre_id USING ERRCODE = 'TT005';
    END IF;
    PERFORM FROM device_model m WHERE m.code = NEW.model FOR KEY SHARE; -- no recall of it comes meanwhile, unseen
    NEW.plan_region := place.plan_region;
    NEW.region := place.region;
    NEW.id := CASE WHEN plan_region_of(NEW.id) = place.plan_region THEN NEW.id ELSE id_in(place.plan_region, 'device_number') END;
    NEW.code := coalesce(NEW.code, NEW.id::text);
    NEW.state := CASE NEW.source WHEN 'donated' THEN 'returned' ELSE 'in_stock' END;
    NEW.state_at := coalesce(NEW.state_at, now());
    NEW.returned_v := CASE NEW.source WHEN 'donated' THEN 1 ELSE 0 END;
    NEW.version := 1;
    NEW.handover_id := NULL;
    NEW.request_id := NULL;
    NEW.bound_for := NULL;
    NEW.transfer_id := NULL;
    NEW.recall_id := NULL;
    NEW.disinfected_v := 0;
    NEW.inspected_v := 0;
    RETURN NEW;
END $$;
CREATE FUNCTION device_item_came() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO device_event (plan_region, item_id, action, happened_at) VALUES (NEW.plan_region, NEW.id, 'take_in', NEW.state_at);
    PERFORM device_recalled_by_all(NEW.plan_region, NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER comes BEFORE INSERT ON device_item FOR EACH ROW EXECUTE FUNCTION device_item_comes();
CREATE TRIGGER came AFTER INSERT ON device_item FOR EACH ROW EXECUTE FUNCTION device_item_came();

-- Puts an item under a recall that means it (as the system does it, whoever calls): true when it was not yet. One that is under
-- another already stays there until that one is lifted.
CREATE FUNCTION device_recalled(said device_recall, of_region int, wanted bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    r device_recall;
    i device_item;
    found_now boolean;
    before text := coalesce(current_setting('tantu.role', true), '');
BEGIN
    SELECT * INTO i FROM device_item d WHERE d.plan_region = of_region AND d.id = wanted FOR NO KEY UPDATE;
    SELECT * INTO r FROM device_recall o WHERE o.id = said.id; -- as it stands, not as it is said
    IF i.id IS NULL OR i.state = 'recycled' OR NOT coalesce(device_recall_means(r, i.model, i.batch, i.serial, i.region), false) THEN
        RETURN false;
    END IF;
    INSERT INTO device_recall_item (plan_region, item_id, recall_id, centre_id, region, found_with)
    VALUES (i.plan_region, i.id, r.id, i.centre_id, i.region, i.handover_id)
    ON CONFLICT DO NOTHING;
    found_now := FOUND;
    IF i.recall_id IS NULL AND EXISTS (SELECT FROM device_recall_item y WHERE y.plan_region = i.plan_region AND y.item_id = i.id
            AND y.recall_id = r.id AND y.resolved_at IS NULL) THEN
        PERFORM set_config('tantu.role', 'system', true);
        INSERT INTO device_event (plan_region, item_id, action, happened_at, reference, note)
        VALUES (i.plan_region, i.id, 'recall', greatest(now(), i.state_at), r.id, r.reason);
        PERFORM set_config('tantu.role', before, true);
    END IF;
    RETURN found_now;
END $$;
CREATE FUNCTION device_recalled_by_all(of_region int, wanted bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM device_recalled(r, i.plan_region, i.id) FROM device_item i JOIN device_recall r ON r.model = i.model AND r.ended_at IS NULL
    WHERE i.plan_region = of_region AND i.id = wanted ORDER BY r.id;
END $$;

-- A recall that is written down means every item at once, whoever writes it; those that are taken in or received meanwhile wait for it.
CREATE FUNCTION device_recall_comes() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM device_model m WHERE m.code = NEW.model FOR UPDATE;
    NEW.ended_at := NULL;
    NEW.ended_note := NULL;
    NEW.version := 1;
    RETURN NEW;
END $$;
CREATE FUNCTION device_recall_came() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM device_recalled(NEW, i.plan_region, i.id) FROM device_item i
    WHERE i.model = NEW.model AND (NEW.batch IS NULL OR i.batch = NEW.batch) ORDER BY i.id;
    RETURN NULL;
END $$;
CREATE FUNCTION device_recall_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    IF OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at THEN
        RAISE EXCEPTION 'recall %: it has ended', OLD.id USING ERRCODE = 'TT005';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER comes BEFORE INSERT ON device_recall FOR EACH ROW EXECUTE FUNCTION device_recall_comes();
CREATE TRIGGER came AFTER INSERT ON device_recall FOR EACH ROW EXECUTE FUNCTION device_recall_came();
CREATE TRIGGER stands BEFORE UPDATE ON device_recall FOR EACH ROW EXECUTE FUNCTION device_recall_stands();

-- What became of an item under a recall is said once.
CREATE FUNCTION device_recall_item_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    IF OLD.resolved_at IS NOT NULL AND (NEW.resolved_at, NEW.resolution) IS DISTINCT FROM (OLD.resolved_at, OLD.resolution) THEN
        RAISE EXCEPTION 'recall % of item %: resolved', OLD.recall_id, OLD.item_id USING ERRCODE = 'TT005';
    END IF;
    IF NEW.resolved_at IS NOT NULL AND OLD.resolved_at IS NULL THEN
        NEW.account_id := coalesce(scope_account(), NEW.account_id);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stands BEFORE UPDATE ON device_recall_item FOR EACH ROW EXECUTE FUNCTION device_recall_item_stands();
