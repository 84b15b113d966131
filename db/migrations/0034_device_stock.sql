-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Stock: items taken in, what is told of their life, transfers between centres, stock-takings. Minimums are migration 0045.

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
        WHEN given.code !~ '^[0-9A-Za-z._-]{3,64}$' OR CASE WHEN given.code ~ '^[0-9]{16}$'
            THEN plan_region_of(given.code::bigint) = place.plan_region ELSE false END THEN 'label_invalid'
        WHEN given.source <> 'donated' AND given.donor <> '' THEN 'donor_not_wanted'
        WHEN given.state_at > now() THEN 'taken_in_future'
        WHEN given.acquired_on > china_date(now()) THEN 'acquired_in_future'
        WHEN china_date(given.state_at) < given.acquired_on THEN 'taken_before_acquired'
        WHEN given.warranty_until < given.acquired_on THEN 'warranty_before_acquired' END;
    IF verdict IS NULL THEN
        INSERT INTO device_item AS i (code, model, serial, batch, centre_id, source, donor, acquired_on, price, warranty_until, shelf, note,
            state_at)
        VALUES (given.code, given.model, given.serial, given.batch, place.id, given.source, given.donor, given.acquired_on, given.price,
            given.warranty_until, given.shelf, given.note, given.state_at) RETURNING i.id INTO given.id;
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

-- What it was disinfected with, as the installation calls it (migration 0038; what it calls nothing, by its codes).
CREATE FUNCTION disinfection_called(with_method text, with_agent text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT m.name_zh FROM disinfection_method m WHERE m.method = with_method AND m.agent = with_agent), with_method || '　' || with_agent);
END $$;
CREATE FUNCTION recycling_reason_zh(y device_recycling) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE y.reason WHEN 'beyond_repair' THEN '无法修复' WHEN 'service_life_over' THEN '超过使用年限' WHEN 'unsafe' THEN '存在安全隐患'
        WHEN 'incomplete' THEN '部件缺失' WHEN 'uneconomic' THEN '维修不经济' WHEN 'recalled' THEN '召回' WHEN 'other' THEN '其他' ELSE y.reason END
        || CASE WHEN y.note <> '' THEN '：' || y.note ELSE '' END $$;

-- The proof of an event, for people.
CREATE FUNCTION device_event_proof(i device_item, e device_event) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE
        WHEN e.action = 'take_in' THEN json_build_object('source', i.source, 'donor', i.donor)
        WHEN e.action IN ('disinfect', 'disinfected') THEN (SELECT json_build_object('disinfection', d.id, 'method', d.method, 'agent', d.agent,
                'called', disinfection_called(d.method, d.agent))
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
    SELECT e.version, e.action, e.from_state, e.to_state, k.code, e.happened_at, e.recorded_at, e.account_id, o.name, o.person, device_event_proof(i, e), e.note
    FROM device_item i JOIN device_event e ON e.plan_region = i.plan_region AND e.item_id = i.id JOIN centre k ON k.id = e.centre_id
    LEFT JOIN LATERAL device_holder(e.plan_region, e.handover_id) AS o ON e.handover_id IS NOT NULL
    WHERE i.plan_region = of_region AND i.id = wanted AND device_seen(i) AND e.version > after
    ORDER BY e.version LIMIT most $$;

-- A life as it is printed, each part of it oldest first. What an item is doing at `now` goes on until then.
CREATE FUNCTION device_life_told(of_region int, wanted bigint)
RETURNS TABLE (holders json, loop json, repairs json, moves json, recycling json, days_out numeric, days_loop numeric, days_stock numeric, repair_cost bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH i AS (
        SELECT d.* FROM device_item d WHERE d.plan_region = of_region AND d.id = wanted AND device_seen(d)
    ), stay AS (
        SELECT e.to_state, greatest(extract(epoch FROM coalesce(lead(e.happened_at) OVER (ORDER BY e.version), now()) - e.happened_at), 0) / 86400 AS days
        FROM i JOIN device_event e ON e.plan_region = i.plan_region AND e.item_id = i.id
    ), event AS (
        SELECT e.*, k.name AS centre, to_char(e.happened_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD') AS day
        FROM i JOIN device_event e ON e.plan_region = i.plan_region AND e.item_id = i.id JOIN centre k ON k.id = e.centre_id
    )
    SELECT
        (SELECT json_agg(json_build_object('name', o.name, 'kind', CASE h.kind WHEN 'fitting' THEN '适配' WHEN 'rental' THEN '租赁' WHEN 'trial' THEN '试用' ELSE '短借' END,
                'from', china_date(h.happened_at), 'to', china_date(h.ended_at), 'lost', h.ended = 'lost', 'centre', k.name,
                'days', round(extract(epoch FROM coalesce(h.ended_at, now()) - h.happened_at) / 86400, 1)) ORDER BY h.id)
         FROM i JOIN handover h ON h.plan_region = i.plan_region AND h.item_id = i.id JOIN centre k ON k.id = h.centre_id
         CROSS JOIN LATERAL device_holder(h.plan_region, h.id) AS o),
        (SELECT json_agg(x.row ORDER BY x.at, x.id) FROM (
            SELECT e.happened_at AS at, d.id, json_build_object('day', e.day, 'centre', e.centre, 'what', '洗消', 'says', disinfection_called(d.method, d.agent)) AS row
            FROM event e JOIN device_disinfection d ON d.plan_region = e.plan_region AND d.id = e.reference WHERE e.action = 'disinfected'
            UNION ALL
            SELECT s.happened_at, s.id, json_build_object('day', china_date(s.happened_at), 'centre', k.name, 'what', '检验', 'says',
                CASE s.result WHEN 'pass' THEN '合格' WHEN 'repair' THEN '需维修' ELSE '报废' END || coalesce('　' || s.grade || ' 级', ''))
            FROM i JOIN device_inspection s ON s.plan_region = i.plan_region AND s.item_id = i.id JOIN centre k ON k.id = s.centre_id) AS x),
        (SELECT json_agg(json_build_object('from', china_date(r.began_at), 'to', china_date(r.ended_at), 'fault', r.fault, 'repairer', r.repairer, 'cost', r.cost,
                'in_warranty', r.in_warranty, 'beyond', r.outcome = 'beyond_repair', 'parts', (
                    SELECT string_agg(p.name || coalesce('×' || p.quantity, ''), '、') FROM json_to_recordset(r.parts) AS p (name text, quantity text)))
            ORDER BY r.began_at, r.id) FROM i JOIN device_repair r ON r.plan_region = i.plan_region AND r.item_id = i.id),
        (SELECT json_agg(json_build_object('day', e.day, 'centre', e.centre, 'says', CASE e.action
                WHEN 'take_in' THEN CASE WHEN i.source = 'donated' THEN '捐赠入库' ELSE '购置入库' END WHEN 'send' THEN '调出' WHEN 'receive' THEN '调入'
                WHEN 'unsend' THEN '调拨撤回' WHEN 'recall' THEN '召回' WHEN 'lift' THEN '解除召回' WHEN 'lose' THEN '遗失' WHEN 'find' THEN '寻回' END,
                'more', CASE WHEN e.action = 'take_in' THEN i.donor WHEN e.action IN ('send', 'receive', 'unsend') THEN (SELECT f.name || ' → ' || o.name
                    FROM device_transfer t JOIN centre f ON f.id = t.from_centre JOIN centre o ON o.id = t.to_centre
                    WHERE t.plan_region = e.plan_region AND t.id = e.reference) ELSE e.note END) ORDER BY e.version)
         FROM i, event e WHERE e.action IN ('take_in', 'send', 'receive', 'unsend', 'recall', 'lift', 'lose', 'find')),
        (SELECT json_build_object('day', china_date(y.happened_at), 'centre', k.name, 'reason', recycling_reason_zh(y), 'certificate', y.certificate, 'parts', (
                SELECT string_agg(p.name || coalesce('×' || p.quantity, ''), '、') FROM json_to_recordset(y.parts) AS p (name text, quantity text)))
         FROM i JOIN device_recycling y ON y.plan_region = i.plan_region AND y.item_id = i.id JOIN centre k ON k.id = y.centre_id WHERE i.state = 'recycled'),
        round(coalesce(sum(s.days) FILTER (WHERE s.to_state IN ('lent', 'fitted')), 0), 1),
        round(coalesce(sum(s.days) FILTER (WHERE s.to_state IN ('returned', 'disinfecting', 'inspecting', 'repairing')), 0), 1),
        round(coalesce(sum(s.days) FILTER (WHERE s.to_state IN ('in_stock', 'reserved')), 0), 1),
        (SELECT coalesce(sum(r.cost), 0)::bigint FROM i JOIN device_repair r ON r.plan_region = i.plan_region AND r.item_id = i.id)
    FROM stay s $$;

-- Lost at the centre (also on its way elsewhere), or found there again. What its holder lost comes back by the return of that.
CREATE FUNCTION device_item_mislaid(wanted text, action text, if_match int, said text) RETURNS TABLE (verdict text, made device_item) LANGUAGE plpgsql AS $$
BEGIN
    made := device_item_locked(wanted);
    verdict := CASE
        WHEN made.id IS NULL OR NOT scope_has(made.centre_id, made.region) THEN 'not_found'
        WHEN if_match <> made.version THEN 'stale'
        WHEN made.state IN ('lent', 'fitted') THEN 'device_out'
        WHEN action = 'find' AND device_lost_by_holder(made) THEN 'device_lost_by_holder' END;
    verdict := coalesce(verdict, device_refusal(made, action, now(), said, NULL, NULL));
    IF verdict IS NULL THEN
        made := device_do(made, action, now(), said, NULL, NULL);
    ELSIF verdict = 'not_found' THEN
        made := NULL;
    END IF;
    RETURN NEXT;
END $$;
CREATE FUNCTION device_lost_by_holder(i device_item) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT e.handover_id IS NOT NULL FROM device_event e WHERE e.plan_region = i.plan_region AND e.item_id = i.id AND e.action = 'lose'
                     ORDER BY e.version DESC LIMIT 1), false) AND i.state = 'lost' $$;

-- --- transfers ---

-- What is in a transfer, for both its ends, whoever has the item afterwards. The trigger keeps it: nobody else writes it.
CREATE TABLE device_transfer_item (
    plan_region int NOT NULL,
    transfer_id bigint NOT NULL,
    item_id     bigint NOT NULL,
    code        text NOT NULL,
    model       text NOT NULL,
    serial      text NOT NULL,
    outcome     text NOT NULL DEFAULT 'on_way' CHECK (outcome IN ('on_way', 'received', 'cancelled', 'lost')),
    ended_at    timestamptz,
    account_id  bigint,
    note        text NOT NULL DEFAULT '',
    PRIMARY KEY (plan_region, transfer_id, item_id),
    FOREIGN KEY (plan_region, transfer_id) REFERENCES device_transfer,
    FOREIGN KEY (plan_region, item_id) REFERENCES device_item,
    CHECK ((outcome = 'on_way') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX device_transfer_item_on_way ON device_transfer_item (plan_region, item_id) WHERE outcome = 'on_way';
GRANT SELECT ON device_transfer_item TO tantu_app;
ALTER TABLE device_transfer_item ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON device_transfer_item USING (EXISTS (
    SELECT FROM device_transfer t WHERE t.plan_region = device_transfer_item.plan_region AND t.id = device_transfer_item.transfer_id));

-- What an event means for the transfer that the item is in.
CREATE FUNCTION device_transfer_follows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    of_transfer bigint := NEW.reference;
BEGIN
    IF NEW.action = 'send' THEN
        INSERT INTO device_transfer_item (plan_region, transfer_id, item_id, code, model, serial)
        SELECT i.plan_region, NEW.reference, i.id, i.code, i.model, i.serial FROM device_item i
        WHERE i.plan_region = NEW.plan_region AND i.id = NEW.item_id;
        RETURN NULL;
    END IF;
    UPDATE device_transfer_item t SET outcome = CASE NEW.action WHEN 'receive' THEN 'received' WHEN 'unsend' THEN 'cancelled' ELSE 'lost' END,
        ended_at = NEW.happened_at, account_id = NEW.account_id, note = NEW.note
    WHERE t.plan_region = NEW.plan_region AND t.item_id = NEW.item_id AND t.outcome = 'on_way' RETURNING t.transfer_id INTO of_transfer;
    IF FOUND THEN
        UPDATE device_transfer t SET version = t.version + 1 WHERE t.plan_region = NEW.plan_region AND t.id = of_transfer;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER follows AFTER INSERT ON device_event FOR EACH ROW WHEN (NEW.action IN ('send', 'receive', 'unsend', 'lose'))
    EXECUTE FUNCTION device_transfer_follows();

-- The items that are named, each once, in the order of their ids; id NULL: there is none that the asker sees.
CREATE FUNCTION device_items_named(items json) RETURNS TABLE (item text, id bigint) LANGUAGE sql STABLE AS $$
    SELECT min(g.item), x.id FROM json_to_recordset(items) AS g (item text)
    LEFT JOIN device_item c ON c.code = g.item
    LEFT JOIN device_item n ON c.id IS NULL AND g.item ~ '^[0-9]{16}$' AND n.plan_region = plan_region_of(CASE WHEN g.item ~ '^[0-9]{16}$' THEN g.item::bigint END)
        AND n.id = CASE WHEN g.item ~ '^[0-9]{16}$' THEN g.item::bigint END
    CROSS JOIN LATERAL (SELECT coalesce(c.id, n.id) AS id) AS x
    GROUP BY x.id, CASE WHEN x.id IS NULL THEN g.item END ORDER BY x.id $$;

-- Sends all of them or none.
CREATE FUNCTION device_transfer_send(wanted_from text, wanted_to text, items json, said text, sent timestamptz)
RETURNS TABLE (verdict text, refused json, made device_transfer) LANGUAGE plpgsql AS $$
DECLARE
    origin centre;
    goal centre;
    i device_item;
    one record;
    why text;
BEGIN
    SELECT * INTO origin FROM device_centre(wanted_from);
    SELECT * INTO goal FROM centre c WHERE c.code = wanted_to AND c.plan_region IS NOT NULL;
    sent := coalesce(sent, now());
    verdict := CASE
        WHEN origin.id IS NULL AND scope_role() = 'centre' AND wanted_from IS NULL THEN 'centre_without_region'
        WHEN origin.id IS NULL AND wanted_from IS NULL THEN 'centre_required'
        WHEN origin.id IS NULL THEN 'centre_unknown'
        WHEN goal.id IS NULL THEN 'destination_unknown'
        WHEN goal.id = origin.id THEN 'destination_is_origin'
        WHEN goal.plan_region <> origin.plan_region THEN 'destination_outside'
        WHEN json_array_length(items) = 0 THEN 'list_empty'
        WHEN sent > now() + interval '5 minutes' THEN 'sent_in_future' END;
    IF verdict IS NULL THEN
        made.id := id_in(origin.plan_region, 'device_fact_number');
        FOR one IN SELECT * FROM device_items_named(items) LOOP
            i := device_item_locked(one.id::text);
            why := CASE WHEN i.id IS NULL OR i.centre_id <> origin.id THEN 'not_found' -- (proved below, when the transfer is there)
                        ELSE nullif(device_refusal(i, 'send', sent, said, made.id, NULL), 'device_unproved') END;
            IF why IS NOT NULL THEN
                refused := (coalesce(refused::jsonb, '[]') || jsonb_build_object('item', one.item, 'code', why,
                    'state', CASE WHEN i.centre_id = origin.id THEN i.state END))::json;
            END IF;
        END LOOP;
        verdict := CASE WHEN refused IS NOT NULL THEN 'items_refused' END;
    END IF;
    IF verdict IS NULL THEN
        INSERT INTO device_transfer AS t (plan_region, id, from_centre, to_centre, from_region, to_region, sent_at, account_id, note)
        VALUES (origin.plan_region, made.id, origin.id, goal.id, origin.region, goal.region, sent, scope_account(), coalesce(said, '')) RETURNING t.* INTO made;
        INSERT INTO device_event (plan_region, item_id, action, happened_at, reference, note)
        SELECT made.plan_region, n.id, 'send', sent, made.id, coalesce(said, '') FROM device_items_named(items) AS n ORDER BY n.id;
    ELSE
        made := NULL;
    END IF;
    RETURN NEXT;
END $$;

-- Ends the way of the items named, or of all that are on it: received there, taken back by the sender (unsend), or lost. Items are
-- locked before the transfer, as by whatever else happens to them; who comes second finds them no longer on the way.
CREATE FUNCTION device_transfer_end(wanted bigint, what text, items json, if_match int, said text)
RETURNS TABLE (verdict text, refused json, made device_transfer) LANGUAGE plpgsql AS $$
DECLARE
    ids bigint[];
    one record;
BEGIN
    PERFORM FROM device_item i WHERE i.plan_region = plan_region_of(wanted)
        AND i.id IN (SELECT t.item_id FROM device_transfer_item t WHERE t.plan_region = plan_region_of(wanted) AND t.transfer_id = wanted)
        AND (items IS NULL OR i.id IN (SELECT n.id FROM device_items_named(items) AS n)) ORDER BY i.id FOR NO KEY UPDATE;
    SELECT * INTO made FROM device_transfer t WHERE t.plan_region = plan_region_of(wanted) AND t.id = wanted FOR NO KEY UPDATE;
    SELECT array_agg(t.item_id ORDER BY t.item_id) INTO ids FROM device_transfer_item t
    WHERE t.plan_region = made.plan_region AND t.transfer_id = made.id AND t.outcome = 'on_way';
    verdict := CASE
        WHEN made.id IS NULL THEN 'not_found'
        WHEN NOT CASE what WHEN 'receive' THEN scope_has(made.to_centre, made.to_region) -- (an office must see the items too)
                 AND (scope_role() = 'centre' OR scope_has(made.from_centre, made.from_region))
             ELSE scope_has(made.from_centre, made.from_region) END THEN 'transfer_of_another'
        WHEN if_match <> made.version THEN 'stale'
        WHEN json_array_length(items) = 0 THEN 'list_empty'
        WHEN what = 'lose' AND NOT coalesce(said ~ '\S', false) THEN 'note_required'
        WHEN items IS NULL AND ids IS NULL THEN 'transfer_over' END;
    IF verdict IS NULL AND items IS NOT NULL THEN
        SELECT json_agg(json_build_object('item', n.item, 'code', CASE WHEN t.item_id IS NULL THEN 'not_in_transfer' ELSE 'device_not_on_its_way' END,
                   'outcome', t.outcome) ORDER BY n.item) INTO refused
        FROM device_items_named(items) AS n LEFT JOIN device_transfer_item t
            ON t.plan_region = made.plan_region AND t.transfer_id = made.id AND (t.item_id = n.id OR (n.id IS NULL AND n.item IN (t.code, t.item_id::text)))
        WHERE t.item_id IS NULL OR (t.outcome <> 'on_way' AND NOT (what = 'receive' AND t.outcome = 'received')); -- scanned twice: received once
        verdict := CASE WHEN refused IS NOT NULL THEN 'items_refused' END;
        ids := ARRAY(SELECT n.id FROM device_items_named(items) AS n WHERE n.id = ANY (ids) ORDER BY n.id);
    END IF;
    IF verdict IS NULL THEN
        INSERT INTO device_event (plan_region, item_id, action, happened_at, reference, note)
        SELECT made.plan_region, x.id, what, greatest(now(), i.state_at), CASE WHEN what <> 'lose' THEN made.id END, coalesce(said, '')
        FROM unnest(ids) WITH ORDINALITY AS x (id, n) JOIN device_item i ON i.plan_region = made.plan_region AND i.id = x.id ORDER BY x.n;
        SELECT * INTO made FROM device_transfer t WHERE t.plan_region = made.plan_region AND t.id = made.id;
    ELSIF verdict = 'not_found' THEN
        made := NULL;
    END IF;
    RETURN NEXT;
END $$;

-- What became of what was sent. (Volatile: it tells in the same statement what that has done.)
CREATE FUNCTION device_transfer_told(of_region int, wanted bigint)
RETURNS TABLE (sent int, on_way int, received int, cancelled int, lost int, items json) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT count(*)::int, count(*) FILTER (WHERE d.outcome = 'on_way')::int, count(*) FILTER (WHERE d.outcome = 'received')::int,
        count(*) FILTER (WHERE d.outcome = 'cancelled')::int, count(*) FILTER (WHERE d.outcome = 'lost')::int,
        json_agg(json_build_object('item', d.item_id, 'code', d.code, 'model', d.model, 'serial', d.serial, 'outcome', d.outcome,
            'ended_at', d.ended_at, 'account', d.account_id, 'note', d.note) ORDER BY d.item_id)
    FROM device_transfer_item d WHERE d.plan_region = of_region AND d.transfer_id = wanted;
END $$;

-- --- stock-takings ---
-- Written by the functions here alone (the application may only read): what a taking found, stands.

CREATE SEQUENCE stock_taking_number;
CREATE TABLE stock_taking ( -- of a centre, of one of its shelves, of one model there
    plan_region int NOT NULL,
    id          bigint NOT NULL, -- id_in(plan_region, 'stock_taking_number')
    centre_id   bigint NOT NULL REFERENCES centre,
    region      int NOT NULL REFERENCES region,
    shelf       text,
    model       text REFERENCES device_model,
    state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed', 'cancelled')),
    note        text NOT NULL DEFAULT '',
    began_at    timestamptz NOT NULL DEFAULT now(),
    account_id  bigint NOT NULL,
    ended_at    timestamptz,
    ended_by    bigint,
    version     int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    CHECK ((state = 'open') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX stock_taking_open ON stock_taking (centre_id, shelf, model) NULLS NOT DISTINCT WHERE state = 'open';
CREATE INDEX stock_taking_by_centre ON stock_taking (centre_id, id);
-- A label that was to be there when the taking began, or was scanned.
CREATE TABLE stock_taking_line (
    plan_region int NOT NULL,
    taking_id   bigint NOT NULL,
    code        text NOT NULL,
    expected    boolean NOT NULL,
    found_as    text CHECK (found_as IN ('ok', 'unknown', 'foreign', 'with_somebody', 'lost', 'recycled', 'sent_away', 'not_received', 'elsewhere')),
    scanned_at  timestamptz, -- first
    scanned_by  bigint,
    -- When the taking was closed: what it was, and what the book said.
    result      text CHECK (result IN ('counted', 'missing', 'surplus', 'moved')),
    book_state  text,
    book_centre text,
    book_shelf  text,
    resolution  text CHECK (resolution IN ('lost', 'found', 'explained')),
    reason      text NOT NULL DEFAULT '',
    resolved_at timestamptz,
    resolved_by bigint,
    PRIMARY KEY (plan_region, taking_id, code),
    FOREIGN KEY (plan_region, taking_id) REFERENCES stock_taking,
    CHECK (expected OR scanned_at IS NOT NULL),
    CHECK ((found_as IS NULL) = (scanned_at IS NULL)),
    CHECK ((resolution IS NULL) = (resolved_at IS NULL)),
    CHECK (resolution IS NULL OR result IN ('missing', 'surplus'))
);
GRANT SELECT ON stock_taking, stock_taking_line TO tantu_app;
ALTER TABLE stock_taking ENABLE ROW LEVEL SECURITY;
ALTER TABLE stock_taking_line ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON stock_taking USING (scope_has(centre_id, region));
CREATE POLICY scope ON stock_taking_line USING (EXISTS (
    SELECT FROM stock_taking t WHERE t.plan_region = stock_taking_line.plan_region AND t.id = stock_taking_line.taking_id));

-- What `i` is, by the book, to who finds it where `t` counts. (What is being repaired may be there or at the repairer's.)
CREATE FUNCTION stock_found_as(t stock_taking, i device_item) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN i.id IS NULL THEN 'unknown' WHEN i.bound_for = t.centre_id THEN 'not_received' WHEN i.centre_id <> t.centre_id THEN 'foreign'
        WHEN i.transfer_id IS NOT NULL THEN 'sent_away' WHEN i.state IN ('lent', 'fitted') THEN 'with_somebody' WHEN i.state = 'lost' THEN 'lost'
        WHEN i.state = 'recycled' THEN 'recycled' WHEN i.shelf <> t.shelf OR i.model <> t.model THEN 'elsewhere' ELSE 'ok' END $$;

-- Has somebody had it in hand since then? What was reserved, recalled or given up at the desk does not tell.
CREATE FUNCTION device_moved_since(i device_item, since timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM device_event e WHERE e.plan_region = i.plan_region AND e.item_id = i.id AND e.recorded_at > since
        AND e.action NOT IN ('reserve', 'release', 'recall', 'lift', 'lose')) $$;

-- Lines of a taking, as they are now or, when it is closed, as they were then. codes, only, after: NULL for all.
CREATE FUNCTION stock_lines(of_region int, wanted bigint, codes text[], only_result text, after text, most int)
RETURNS TABLE (line stock_taking_line, result text, state text, centre text, shelf text, item bigint, model text, serial text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT x.l, x.result, x.state, x.centre, x.shelf, x.item, x.model, x.serial FROM (
        SELECT y.l, (d.i).id AS item, (d.i).model, (d.i).serial, CASE t.state WHEN 'closed' THEN (y.l).result ELSE CASE
                WHEN (y.l).scanned_at IS NOT NULL AND ((y.l).found_as = 'ok' OR stock_found_as(t, d.i) = 'ok') THEN 'counted'
                WHEN (y.l).scanned_at IS NOT NULL THEN 'surplus'
                WHEN stock_found_as(t, d.i) <> 'ok' OR device_moved_since(d.i, t.began_at) THEN 'moved' ELSE 'missing' END END AS result,
            CASE t.state WHEN 'closed' THEN (y.l).book_state ELSE (d.i).state END AS state,
            CASE t.state WHEN 'closed' THEN (y.l).book_centre ELSE k.code END AS centre,
            CASE WHEN t.state = 'closed' THEN (y.l).book_shelf WHEN (d.i).centre_id = t.centre_id THEN (d.i).shelf END AS shelf
        FROM stock_taking t JOIN (
            SELECT a AS l FROM stock_taking_line a WHERE a.plan_region = of_region AND a.taking_id = wanted AND codes IS NULL AND a.code > coalesce(after, '')
            UNION ALL
            SELECT o.a FROM unnest(codes) AS c CROSS JOIN LATERAL (SELECT a FROM stock_taking_line a
                WHERE a.plan_region = of_region AND a.taking_id = wanted AND a.code = c LIMIT 1) AS o) AS y ON true
        LEFT JOIN LATERAL (SELECT o AS i FROM device_item o WHERE o.code = (y.l).code LIMIT 1) AS d ON true LEFT JOIN centre k ON k.id = (d.i).centre_id
        WHERE t.plan_region = of_region AND t.id = wanted AND scope_has(t.centre_id, t.region)) AS x
    WHERE only_result IS NULL OR x.result = only_result ORDER BY (x.l).code LIMIT most $$;
-- (Volatile: it tells in the same statement what that has done.)
CREATE FUNCTION stock_taking_told(of_region int, wanted bigint)
RETURNS TABLE (expected int, scanned int, counted int, missing int, surplus int, moved int, unresolved int) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT count(*) FILTER (WHERE (s.line).expected)::int, count((s.line).scanned_at)::int, count(*) FILTER (WHERE s.result = 'counted')::int,
        count(*) FILTER (WHERE s.result = 'missing')::int, count(*) FILTER (WHERE s.result = 'surplus')::int, count(*) FILTER (WHERE s.result = 'moved')::int,
        count(*) FILTER (WHERE s.result IN ('missing', 'surplus') AND (s.line).resolution IS NULL)::int
    FROM stock_lines(of_region, wanted, NULL, NULL, NULL, NULL) AS s;
END $$;

CREATE FUNCTION stock_taking_begin(wanted_centre text, of_shelf text, of_model text, said text) RETURNS TABLE (verdict text, made stock_taking)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place centre;
BEGIN
    SELECT * INTO place FROM device_centre(wanted_centre);
    verdict := CASE
        WHEN place.id IS NULL AND scope_role() = 'centre' AND wanted_centre IS NULL THEN 'centre_without_region'
        WHEN place.id IS NULL AND wanted_centre IS NULL THEN 'centre_required'
        WHEN place.id IS NULL THEN 'centre_unknown'
        WHEN scope_role() = 'auditor' THEN 'role_not_allowed'
        WHEN of_model IS NOT NULL AND NOT EXISTS (SELECT FROM device_model m WHERE m.code = of_model) THEN 'model_unknown' END;
    IF verdict IS NULL THEN
        INSERT INTO stock_taking AS t (plan_region, id, centre_id, region, shelf, model, note, account_id)
        VALUES (place.plan_region, id_in(place.plan_region, 'stock_taking_number'), place.id, place.region, of_shelf, of_model, coalesce(said, ''), scope_account())
        ON CONFLICT DO NOTHING RETURNING t.* INTO made;
        verdict := CASE WHEN made.id IS NULL THEN 'taking_open' END;
        INSERT INTO stock_taking_line (plan_region, taking_id, code, expected)
        SELECT made.plan_region, made.id, i.code, true FROM device_item i
        WHERE made.id IS NOT NULL AND i.centre_id = place.id AND i.state IN ('in_stock', 'reserved', 'returned', 'disinfecting', 'inspecting', 'recalled')
          AND stock_found_as(made, i) = 'ok';
    END IF;
    RETURN NEXT;
END $$;

-- Labels that were scanned, as often as they come: the first time counts, unless the book knows better by now.
CREATE FUNCTION stock_taking_scan(wanted bigint, codes json) RETURNS TABLE (verdict text, made stock_taking, lines json)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    scanned text[];
BEGIN
    SELECT * INTO made FROM stock_taking t WHERE t.plan_region = plan_region_of(wanted) AND t.id = wanted FOR SHARE;
    verdict := CASE
        WHEN made.id IS NULL OR NOT scope_has(made.centre_id, made.region) THEN 'not_found'
        WHEN scope_role() = 'auditor' THEN 'role_not_allowed'
        WHEN made.state <> 'open' THEN 'taking_over'
        WHEN json_array_length(codes) = 0 THEN 'list_empty' END;
    IF verdict IS NULL THEN
        WITH seen AS (
            SELECT coalesce(i.code, n.item) AS code, stock_found_as(made, i) AS found_as
            FROM device_items_named((SELECT json_agg(json_build_object('item', b)) FROM json_array_elements_text(codes) AS c,
                btrim(c, E' \t\r\n') AS b WHERE b <> '')) AS n
            LEFT JOIN device_item i ON i.plan_region = plan_region_of(n.id) AND i.id = n.id
        ), put AS (
            INSERT INTO stock_taking_line AS l (plan_region, taking_id, code, expected, found_as, scanned_at, scanned_by)
            SELECT made.plan_region, made.id, s.code, false, s.found_as, now(), scope_account() FROM seen s ORDER BY s.code
            ON CONFLICT (plan_region, taking_id, code) DO UPDATE SET scanned_at = coalesce(l.scanned_at, excluded.scanned_at),
                scanned_by = coalesce(l.scanned_by, excluded.scanned_by),
                found_as = CASE WHEN l.found_as IS NULL OR excluded.found_as = 'ok' THEN excluded.found_as ELSE l.found_as END
            RETURNING l.code
        )
        SELECT array_agg(p.code) INTO scanned FROM put p;
        SELECT json_agg(json_build_object('code', (s.line).code, 'result', s.result, 'found_as', (s.line).found_as, 'item', s.item, 'model', s.model,
            'state', s.state, 'centre', s.centre, 'shelf', s.shelf) ORDER BY (s.line).code) INTO lines
        FROM stock_lines(made.plan_region, made.id, scanned, NULL, NULL, NULL) AS s;
    ELSIF verdict = 'not_found' THEN
        made := NULL;
    END IF;
    RETURN NEXT;
END $$;

-- Closes it, and what was found stands; or cancels it, and it found nothing.
CREATE FUNCTION stock_taking_end(wanted bigint, how text, if_match int, said text) RETURNS TABLE (verdict text, made stock_taking)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    SELECT * INTO made FROM stock_taking t WHERE t.plan_region = plan_region_of(wanted) AND t.id = wanted FOR NO KEY UPDATE;
    verdict := CASE
        WHEN made.id IS NULL OR NOT scope_has(made.centre_id, made.region) THEN 'not_found'
        WHEN scope_role() = 'auditor' THEN 'role_not_allowed'
        WHEN if_match <> made.version THEN 'stale'
        WHEN made.state <> 'open' THEN 'taking_over' END;
    IF verdict IS NULL THEN
        UPDATE stock_taking_line l SET result = s.result, book_state = s.state, book_centre = s.centre, book_shelf = s.shelf
        FROM stock_lines(made.plan_region, made.id, NULL, NULL, NULL, NULL) AS s
        WHERE how = 'closed' AND l.plan_region = made.plan_region AND l.taking_id = made.id AND l.code = (s.line).code;
        UPDATE stock_taking t SET state = how, ended_at = now(), ended_by = scope_account(), note = coalesce(said, t.note), version = t.version + 1
        WHERE t.plan_region = made.plan_region AND t.id = made.id RETURNING t.* INTO made;
    ELSIF verdict = 'not_found' THEN
        made := NULL;
    END IF;
    RETURN NEXT;
END $$;

-- Why a line may not be resolved like that; NULL: it may.
CREATE FUNCTION stock_line_refusal(t stock_taking, l stock_taking_line, i device_item, how text, said text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN l.code IS NULL THEN 'not_in_taking' WHEN l.result NOT IN ('missing', 'surplus') THEN 'no_difference'
        WHEN l.resolution IS NOT NULL THEN 'resolved_already' WHEN how = 'explained' THEN NULL
        WHEN how = 'lost' AND l.result <> 'missing' THEN 'not_missing' WHEN how = 'found' AND l.found_as IS DISTINCT FROM 'lost' THEN 'not_lost_before'
        WHEN i.centre_id <> t.centre_id OR (how = 'lost' AND device_moved_since(i, t.ended_at)) THEN 'device_seen_since'
        WHEN how = 'found' AND device_lost_by_holder(i) THEN 'device_lost_by_holder'
        ELSE device_refusal(i, CASE how WHEN 'lost' THEN 'lose' ELSE 'find' END, now(), said, NULL, NULL) END $$;
CREATE FUNCTION stock_taking_resolve(wanted bigint, items json, how text, said text) RETURNS TABLE (verdict text, refused json, made stock_taking)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    one record;
    l stock_taking_line;
    i device_item;
    why text;
BEGIN
    SELECT * INTO made FROM stock_taking t WHERE t.plan_region = plan_region_of(wanted) AND t.id = wanted;
    verdict := CASE
        WHEN made.id IS NULL OR NOT scope_has(made.centre_id, made.region) THEN 'not_found'
        WHEN scope_role() = 'auditor' THEN 'role_not_allowed'
        WHEN made.state <> 'closed' THEN 'taking_not_closed'
        WHEN json_array_length(items) = 0 THEN 'list_empty'
        WHEN NOT coalesce(said ~ '\S', false) THEN 'note_required' END;
    IF verdict IS NULL THEN -- items before the taking, as whoever moves them
        PERFORM FROM device_items_named(items) AS n JOIN device_item d ON d.plan_region = plan_region_of(n.id) AND d.id = n.id
        ORDER BY d.id FOR NO KEY UPDATE OF d;
        PERFORM FROM stock_taking t WHERE t.plan_region = made.plan_region AND t.id = made.id FOR NO KEY UPDATE;
        FOR one IN SELECT n.item, d AS device FROM device_items_named(items) AS n
            LEFT JOIN device_item d ON d.plan_region = plan_region_of(n.id) AND d.id = n.id ORDER BY n.id LOOP
            i := one.device;
            SELECT * INTO l FROM stock_taking_line x WHERE x.plan_region = made.plan_region AND x.taking_id = made.id AND x.code = coalesce(i.code, one.item);
            why := stock_line_refusal(made, l, i, how, said);
            refused := CASE WHEN why IS NULL THEN refused
                            ELSE (coalesce(refused::jsonb, '[]') || jsonb_build_object('item', one.item, 'code', why, 'result', l.result))::json END;
        END LOOP;
        verdict := CASE WHEN refused IS NOT NULL THEN 'items_refused' END;
    END IF;
    IF verdict IS NULL THEN
        INSERT INTO device_event (plan_region, item_id, action, happened_at, note)
        SELECT d.plan_region, d.id, CASE how WHEN 'lost' THEN 'lose' ELSE 'find' END, now(), said
        FROM device_items_named(items) AS n JOIN device_item d ON d.plan_region = plan_region_of(n.id) AND d.id = n.id WHERE how <> 'explained' ORDER BY d.id;
        UPDATE stock_taking_line x SET resolution = how, reason = said, resolved_at = now(), resolved_by = scope_account()
        FROM device_items_named(items) AS n LEFT JOIN device_item d ON d.plan_region = plan_region_of(n.id) AND d.id = n.id
        WHERE x.plan_region = made.plan_region AND x.taking_id = made.id AND x.code = coalesce(d.code, n.item);
        UPDATE stock_taking t SET version = t.version + 1 WHERE t.plan_region = made.plan_region AND t.id = made.id RETURNING t.* INTO made;
    ELSIF verdict = 'not_found' THEN
        made := NULL;
    END IF;
    RETURN NEXT;
END $$;
