-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Stock: items taken in, what is told of their life, transfers between centres, stock-takings, minimum stock.

-- A label that looks like an id is that item's own: whoever scans it means one thing.
ALTER TABLE device_item ADD CHECK (code !~ '^[0-9]{16}$' OR code = id::text);
CREATE INDEX device_item_by_kind ON device_item (centre_id, model, state, id);
CREATE INDEX device_item_by_code ON device_item (centre_id, code text_pattern_ops);
CREATE INDEX device_item_by_serial ON device_item (centre_id, serial text_pattern_ops, id) WHERE serial <> '';

-- As the policy of device_item says it, for functions that read what a centre has done to an item before it came here.
CREATE FUNCTION device_seen(i device_item) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT (scope_has(i.centre_id, i.region) OR scope_whose() = 'k' || i.bound_for) IS TRUE $$;
CREATE FUNCTION name_masked(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(name, 1) || repeat('*', greatest(length(name) - 1, 1)) $$;

-- One item, bought or given by somebody.
CREATE FUNCTION device_item_take(wanted_centre text, given device_item) RETURNS TABLE (verdict text, made device_item)
LANGUAGE plpgsql AS $$
DECLARE
    place centre;
    kind device_model;
    broken text;
BEGIN
    SELECT * INTO place FROM device_centre(wanted_centre);
    SELECT * INTO kind FROM device_model m WHERE m.code = given.model;
    verdict := CASE
        WHEN place.id IS NULL AND scope_role() = 'centre' AND wanted_centre IS NULL THEN 'centre_without_region'
        WHEN place.id IS NULL AND wanted_centre IS NULL THEN 'centre_required'
        WHEN place.id IS NULL THEN 'centre_unknown'
        WHEN kind.code IS NULL THEN 'model_unknown'
        WHEN kind.retired_at IS NOT NULL THEN 'model_retired'
        WHEN given.code !~ '^[0-9A-Za-z._-]{3,64}$' OR given.code ~ '^[0-9]{16}$' THEN 'label_invalid'
        WHEN given.source <> 'donated' AND given.donor <> '' THEN 'donor_not_wanted'
        WHEN given.acquired_on > china_date(now()) THEN 'acquired_in_future'
        WHEN given.warranty_until < given.acquired_on THEN 'warranty_before_acquired' END;
    IF verdict IS NULL THEN
        INSERT INTO device_item AS i (code, model, serial, batch, centre_id, source, donor, acquired_on, price, warranty_until, shelf, note)
        VALUES (given.code, given.model, given.serial, given.batch, place.id, given.source, given.donor, given.acquired_on, given.price,
            given.warranty_until, given.shelf, given.note) RETURNING i.id INTO given.id;
        SELECT * INTO made FROM device_item i WHERE i.plan_region = place.plan_region AND i.id = given.id;
    END IF;
    RETURN NEXT;
EXCEPTION WHEN unique_violation THEN
    GET STACKED DIAGNOSTICS broken = CONSTRAINT_NAME;
    verdict := CASE broken WHEN 'device_item_serial' THEN 'serial_taken' WHEN 'device_item_code_key' THEN 'code_taken' END;
    IF verdict IS NULL THEN
        RAISE;
    END IF;
    RETURN NEXT;
END $$;

-- What of it changes without an event.
CREATE FUNCTION device_item_amend(wanted text, if_match int, new_shelf text, new_note text, new_donor text, new_price bigint, new_warranty date)
RETURNS TABLE (verdict text, made device_item) LANGUAGE plpgsql AS $$
BEGIN
    made := device_item_locked(wanted);
    verdict := CASE
        WHEN made.id IS NULL OR NOT scope_has(made.centre_id, made.region) THEN 'not_found'
        WHEN if_match <> made.version THEN 'stale'
        WHEN made.source <> 'donated' AND new_donor <> '' THEN 'donor_not_wanted'
        WHEN new_warranty < made.acquired_on THEN 'warranty_before_acquired' END;
    IF verdict IS NULL THEN
        UPDATE device_item i SET shelf = coalesce(new_shelf, i.shelf), note = coalesce(new_note, i.note), donor = coalesce(new_donor, i.donor),
            price = coalesce(new_price, i.price), warranty_until = coalesce(new_warranty, i.warranty_until)
        WHERE i.plan_region = made.plan_region AND i.id = made.id RETURNING i.* INTO made;
    ELSIF verdict = 'not_found' THEN
        made := NULL;
    END IF;
    RETURN NEXT;
END $$;

-- --- what is told of a life ---

-- Who has or had it by that handover, masked; person: his id, where that is the asker's to know.
CREATE FUNCTION device_holder(of_region int, wanted bigint) RETURNS TABLE (name text, person bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT name_masked(coalesce(p.name, h.borrower)), CASE WHEN scope_has(h.centre_id, h.region) OR scope_has(h.centre_id, i.region) THEN h.person_id END
    FROM handover h JOIN device_item i ON i.plan_region = h.plan_region AND i.id = h.item_id
    LEFT JOIN person p ON p.plan_region = h.plan_region AND p.id = h.person_id
    WHERE h.plan_region = of_region AND h.id = wanted AND device_seen(i) $$;

-- The proof of an event, for people.
CREATE FUNCTION device_proof(i device_item, e device_event) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE
        WHEN e.action = 'take_in' THEN json_build_object('source', i.source, 'donor', i.donor)
        WHEN e.action IN ('disinfect', 'disinfected') THEN (SELECT json_build_object('disinfection', d.id, 'method', d.method, 'agent', d.agent)
            FROM device_disinfection d WHERE d.plan_region = e.plan_region AND d.id = e.reference)
        WHEN e.action = 'pass' THEN (SELECT json_build_object('inspection', s.id, 'grade', s.grade, 'checklist', s.checklist)
            FROM device_inspection s WHERE s.plan_region = e.plan_region AND s.id = e.reference)
        WHEN e.action = 'repair' THEN (SELECT json_build_object('repair', r.id, 'fault', r.fault, 'in_warranty', r.in_warranty)
            FROM device_repair r WHERE r.plan_region = e.plan_region AND r.id = e.reference)
        WHEN e.action = 'mended' THEN (SELECT json_build_object('repair', r.id, 'repairer', r.repairer, 'parts', r.parts, 'cost', r.cost)
            FROM device_repair r WHERE r.plan_region = e.plan_region AND r.id = e.reference)
        WHEN e.action = 'recycle' THEN (SELECT json_build_object('reason', y.reason, 'certificate', y.certificate, 'parts', y.parts)
            FROM device_recycling y WHERE y.plan_region = e.plan_region AND y.id = e.reference)
        WHEN e.action IN ('recall', 'lift') THEN (SELECT json_build_object('recall', c.id, 'reason', c.reason)
            FROM device_recall c WHERE c.id = e.reference)
        WHEN e.action IN ('send', 'receive', 'unsend') THEN (SELECT json_build_object('transfer', t.id, 'from', f.code, 'to', o.code)
            FROM device_transfer t JOIN centre f ON f.id = t.from_centre JOIN centre o ON o.id = t.to_centre
            WHERE t.plan_region = e.plan_region AND t.id = e.reference)
        WHEN e.action = 'reserve' THEN json_build_object('request', e.reference)
        WHEN e.handover_id IS NOT NULL THEN (SELECT json_build_object('handover', h.id, 'kind', h.kind, 'due_at', h.due_at)
            FROM handover h WHERE h.plan_region = e.plan_region AND h.id = e.handover_id) END;
END $$;

-- An item's life, also what other centres did before it came here; nobody's name in clear.
CREATE FUNCTION device_life(of_region int, wanted bigint, after int, most int)
RETURNS TABLE (version int, action text, from_state text, to_state text, centre text, happened_at timestamptz, recorded_at timestamptz,
    account bigint, holder text, person bigint, proof json, note text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.version, e.action, e.from_state, e.to_state, k.code, e.happened_at, e.recorded_at, e.account_id, o.name, o.person, device_proof(i, e), e.note
    FROM device_item i JOIN device_event e ON e.plan_region = i.plan_region AND e.item_id = i.id JOIN centre k ON k.id = e.centre_id
    LEFT JOIN LATERAL device_holder(e.plan_region, e.handover_id) AS o ON e.handover_id IS NOT NULL
    WHERE i.plan_region = of_region AND i.id = wanted AND device_seen(i) AND e.version > after
    ORDER BY e.version LIMIT most $$;
