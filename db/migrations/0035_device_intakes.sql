-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Scans: what a code is, where it is, what may be done now. Intakes: many items taken in by one file.

CREATE INDEX device_item_scanned ON device_item (serial) WHERE serial <> ''; -- a scanner does not know of which model it is

-- --- scans ---
-- (plpgsql, also where a SELECT is all: a connection keeps the plans of those, and makes those of SQL functions at every call.)

-- Which request does what to a thing. held: how somebody has the item ('none', if nobody), or what a request was assessed for; '': that does
-- not matter. What stands in braces the answer fills in as far as it knows it (a reservation's request it does not).
CREATE FUNCTION scan_way() RETURNS TABLE (thing text, action text, held text, does text, method text, path text) LANGUAGE sql IMMUTABLE AS $$ VALUES
    ('item', 'issue', '', 'fitting', 'POST', '/api/v1/fittings'),
    ('item', 'issue', '', 'rental', 'POST', '/api/v1/rentals'),
    ('item', 'issue', '', 'trial', 'POST', '/api/v1/trials'),
    ('item', 'issue', '', 'loan', 'POST', '/api/v1/device-loans'),
    ('item', 'reserve', '', 'reserve', 'POST', '/api/v1/device-requests/{request}/reservation'),
    ('item', 'release', '', 'release', 'POST', '/api/v1/device-requests/{request}/reservation/release'),
    ('item', 'keep', 'trial', 'keep', 'POST', '/api/v1/trials/{handover}/keep'),
    ('item', 'return', 'rental', 'return', 'POST', '/api/v1/rentals/{handover}/return'),
    ('item', 'return', 'loan', 'return', 'POST', '/api/v1/device-loans/return'),
    ('item', 'return', 'fitting', 'return', 'POST', '/api/v1/device-returns'),
    ('item', 'return', 'trial', 'return', 'POST', '/api/v1/device-returns'),
    ('item', 'return', 'none', 'return', 'POST', '/api/v1/device-returns'),
    ('item', 'lose', 'rental', 'lose', 'POST', '/api/v1/rentals/{handover}/loss'),
    ('item', 'lose', 'loan', 'lose', 'POST', '/api/v1/device-loans/{handover}/loss'),
    ('item', 'lose', 'fitting', 'lose', 'POST', '/api/v1/device-items/{item}/loss'),
    ('item', 'lose', 'trial', 'lose', 'POST', '/api/v1/device-items/{item}/loss'),
    ('item', 'lose', 'none', 'lose', 'POST', '/api/v1/device-items/{item}/loss'),
    ('item', 'lose', 'on_way', 'lose', 'POST', '/api/v1/device-transfers/{transfer}/loss'),
    ('item', 'find', '', 'find', 'POST', '/api/v1/device-items/{item}/finding'),
    ('item', 'disinfect', '', 'disinfect', 'POST', '/api/v1/device-disinfections'),
    ('item', 'disinfected', '', 'disinfected', 'POST', '/api/v1/device-disinfections/{disinfection}/end'),
    ('item', 'soil', '', 'soil', 'POST', '/api/v1/device-disinfections/{disinfection}/end'),
    ('item', 'pass', '', 'inspect', 'POST', '/api/v1/device-inspections'),
    ('item', 'inspect', '', 'inspect', 'POST', '/api/v1/device-inspections'),
    ('item', 'repair', '', 'repair', 'POST', '/api/v1/device-repairs'),
    ('item', 'serviced', '', 'repair', 'POST', '/api/v1/device-repairs'),
    ('item', 'serviced', '', 'mended', 'POST', '/api/v1/device-repairs/{repair}/end'),
    ('item', 'mended', '', 'mended', 'POST', '/api/v1/device-repairs/{repair}/end'),
    ('item', 'recycle', '', 'recycle', 'POST', '/api/v1/device-recyclings'),
    ('item', 'recall', '', 'recall', 'POST', '/api/v1/device-recalls'),
    ('item', 'lift', '', 'resolve', 'POST', '/api/v1/device-recalls/{recall}/items/{item}/resolution'),
    ('item', 'send', '', 'send', 'POST', '/api/v1/device-transfers'),
    ('item', 'receive', '', 'receive', 'POST', '/api/v1/device-transfers/{transfer}/receipt'),
    ('item', 'unsend', '', 'unsend', 'POST', '/api/v1/device-transfers/{transfer}/cancel'),
    ('request', 'waiting', '', 'assess', 'POST', '/api/v1/device-requests/{request}/assessment'),
    ('request', 'waiting', '', 'cancel', 'POST', '/api/v1/device-requests/{request}/cancellation'),
    ('request', 'assessed', '', 'cancel', 'POST', '/api/v1/device-requests/{request}/cancellation'),
    ('request', 'assessed', '', 'reserve', 'POST', '/api/v1/device-requests/{request}/reservation'),
    ('request', 'assessed', 'fitting', 'fitting', 'POST', '/api/v1/fittings'),
    ('request', 'assessed', 'fitting', 'trial', 'POST', '/api/v1/trials'),
    ('request', 'assessed', 'rental', 'rental', 'POST', '/api/v1/rentals'),
    ('handover', 'open', 'rental', 'extend', 'POST', '/api/v1/rentals/{handover}/extension'),
    ('handover', 'over', 'rental', 'close', 'POST', '/api/v1/rentals/{handover}/close'),
    ('transfer', 'receive', '', 'receive', 'POST', '/api/v1/device-transfers/{transfer}/receipt'),
    ('transfer', 'unsend', '', 'unsend', 'POST', '/api/v1/device-transfers/{transfer}/cancel'),
    ('disinfection', 'open', '', 'add', 'POST', '/api/v1/device-disinfections/{disinfection}/items'),
    ('disinfection', 'open', '', 'end', 'POST', '/api/v1/device-disinfections/{disinfection}/end'),
    ('taking', 'open', '', 'scan', 'POST', '/api/v1/stock-takings/{taking}/scans'),
    ('taking', 'open', '', 'close', 'POST', '/api/v1/stock-takings/{taking}/close'),
    ('person', '', '', 'request', 'POST', '/api/v1/device-requests'),
    ('person', '', '', 'walk_in', 'POST', '/api/v1/walk-ins') $$;
CREATE FUNCTION scan_path(path text, names jsonb) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT * FROM jsonb_each_text(names) WHERE value IS NOT NULL LOOP
        path := replace(path, '{' || one.key || '}', one.value);
    END LOOP;
    RETURN path;
END $$;
-- What may be done to a thing in that state; nothing by who only reads.
CREATE FUNCTION scan_ways(of_thing text, state text, how text, names jsonb) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(json_agg(json_build_object('action', w.does, 'method', w.method, 'path', scan_path(w.path, names)) ORDER BY w.does), '[]')
    FROM scan_way() AS w WHERE w.thing = of_thing AND w.action = state AND w.held IN ('', how) AND scope_role() IN ('centre', 'county', 'manager'));
END $$;

-- Why it may not be handed to anybody now; NULL: it may (to whom it is reserved for, if it is).
CREATE FUNCTION scan_issue_refusal(i device_item) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    h handover;
BEGIN
    h.item_id := i.id;
    h.kind := 'fitting';
    h.request_id := i.request_id;
    RETURN device_refusal(i, 'issue', now(), NULL, NULL, h);
END $$;

-- What may be done to it now by who asks, and by which request. On its way, its destination receives, and who sent takes back.
CREATE FUNCTION scan_may(i device_item, held text) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(json_agg(json_build_object('action', a.action, 'does', w.does, 'method', w.method, 'path', scan_path(w.path, jsonb_build_object(
        'item', i.code, 'handover', i.handover_id, 'request', i.request_id, 'transfer', i.transfer_id, 'recall', i.recall_id,
        'disinfection', CASE WHEN i.state = 'disinfecting' THEN (SELECT e.reference FROM device_event e WHERE e.plan_region = i.plan_region AND e.item_id = i.id
            AND e.action = 'disinfect' ORDER BY e.version DESC LIMIT 1) END,
        'repair', r.repair))) ORDER BY a.place, w.does), '[]')
    FROM (SELECT CASE WHEN i.state IN ('repairing', 'lent', 'fitted') THEN (SELECT p.id FROM device_repair p
        WHERE p.plan_region = i.plan_region AND p.item_id = i.id AND p.ended_at IS NULL) END AS repair) AS r
    CROSS JOIN unnest(device_allowed(i)) WITH ORDINALITY AS a (action, place)
    JOIN scan_way() AS w ON w.thing = 'item' AND w.action = a.action AND w.held IN ('', CASE WHEN i.transfer_id IS NOT NULL THEN 'on_way' ELSE scan_may.held END)
    WHERE (a.action <> 'issue' OR scan_issue_refusal(i) IS NULL)
      AND (a.action <> 'serviced' OR (w.does = 'mended') = (r.repair IS NOT NULL)) -- at its holder's: begun, then ended
      AND (w.does <> 'loan' OR (i.state = 'in_stock' AND (SELECT m.loan_hours FROM device_model m WHERE m.code = i.model) IS NOT NULL))
      AND CASE WHEN scope_role() <> 'centre' THEN true WHEN a.action = 'receive' THEN i.bound_for = scope_centre() ELSE i.centre_id = scope_centre() END);
END $$;

CREATE FUNCTION scan_item(i device_item) RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
    h handover;
    barred text := scan_issue_refusal(i);
BEGIN
    IF i.handover_id IS NOT NULL THEN
        SELECT * INTO h FROM handover o WHERE o.plan_region = i.plan_region AND o.id = i.handover_id;
    END IF;
    RETURN (SELECT json_build_object('id', i.id, 'code', i.code, 'model', m.code, 'name_zh', m.name_zh, 'name_ko', m.name_ko, 'name_en', m.name_en,
        'measure', m.measure, 'class', json_build_object('scheme', m.class_scheme, 'edition', m.class_edition, 'code', m.class_code),
        'serial', i.serial, 'batch', i.batch, 'state', i.state, 'state_at', i.state_at, 'grade', i.grade, 'shelf', i.shelf, 'version', i.version,
        'centre', json_build_object('code', k.code, 'name', k.name),
        'holder', CASE WHEN h.id IS NOT NULL THEN (SELECT json_build_object('handover', h.id, 'kind', h.kind, 'name', o.name, 'person', o.person,
            'since', h.happened_at, 'due_at', h.due_at, 'overdue', coalesce(h.due_at < now(), false)) FROM device_holder(h.plan_region, h.id) AS o) END,
        'reserved_for', (SELECT json_build_object('request', r.id, 'name', name_masked(p.name)) FROM device_request r
            LEFT JOIN person p ON p.plan_region = r.plan_region AND p.id = r.person_id WHERE r.plan_region = i.plan_region AND r.id = i.request_id),
        'recall', (SELECT json_build_object('recall', r.id, 'reason', r.reason, 'due_on', r.due_on) FROM device_recall r WHERE r.id = i.recall_id),
        'transfer', (SELECT json_build_object('transfer', t.id, 'from', f.code, 'to', g.code, 'sent_at', t.sent_at) FROM device_transfer t
            JOIN centre f ON f.id = t.from_centre JOIN centre g ON g.id = t.to_centre WHERE t.plan_region = i.plan_region AND t.id = i.transfer_id),
        'disinfected', (SELECT json_build_object('at', e.happened_at, 'disinfection', e.reference, 'method', d.method) FROM device_event e
            LEFT JOIN device_disinfection d ON d.plan_region = e.plan_region AND d.id = e.reference
            WHERE e.plan_region = i.plan_region AND e.item_id = i.id AND e.version = i.disinfected_v),
        'inspected', (SELECT json_build_object('at', e.happened_at, 'inspection', e.reference) FROM device_event e
            WHERE e.plan_region = i.plan_region AND e.item_id = i.id AND e.version = i.inspected_v),
        'may', scan_may(i, coalesce(h.kind, 'none')),
        'may_not', CASE WHEN barred IS NULL THEN '[]' ELSE json_build_array(json_build_object('action', 'issue', 'code', barred)) END)
        FROM device_model m, centre k WHERE m.code = i.model AND k.id = i.centre_id);
END $$;

-- An item that is not the asker's but lies within the reach of his plan (a lost wheelchair is brought to the wrong door): whose it is, and no more.
CREATE FUNCTION scan_elsewhere(wanted text[]) RETURNS json LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (SELECT json_build_object('centre', k.code, 'name', k.name, 'phone', k.phone)
    FROM device_item i JOIN centre k ON k.id = i.centre_id JOIN region plan_place ON plan_place.place = i.plan_region
    WHERE i.code = ANY (wanted) AND CASE
        WHEN scope_role() = 'centre' THEN i.plan_region = (SELECT c.plan_region FROM centre c WHERE c.id = scope_centre())
        ELSE scope_sees_region() AND scope_low() BETWEEN plan_place.place AND plan_place.high END
    ORDER BY i.code = wanted[1] DESC LIMIT 1);
END $$;

CREATE FUNCTION scan_request(r device_request) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT json_build_object('id', r.id, 'state', r.state, 'measure', r.measure, 'name_zh', m.name_zh, 'assessed_for', r.assessed_for,
        'centre', k.code, 'person', r.person_id, 'name', name_masked(p.name), 'created_at', r.created_at, 'version', r.version,
        'reserved', (SELECT coalesce(json_agg(DISTINCT i.code), '[]') FROM device_event e JOIN device_item i ON i.plan_region = e.plan_region AND i.id = e.item_id
            WHERE e.plan_region = r.plan_region AND e.reference = r.id AND e.action = 'reserve' AND i.request_id = r.id),
        'may', scan_ways('request', r.state, coalesce(r.assessed_for, ''), jsonb_build_object('request', r.id)))
    FROM measure m LEFT JOIN centre k ON k.id = r.centre_id LEFT JOIN person p ON p.plan_region = r.plan_region AND p.id = r.person_id
    WHERE m.code = r.measure);
END $$;

CREATE FUNCTION scan_handover(h handover) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT json_build_object('id', h.id, 'kind', h.kind, 'item', i.code, 'model', i.model, 'name_zh', m.name_zh, 'name', o.name, 'person', o.person,
        'request', h.request_id, 'since', h.happened_at, 'due_at', h.due_at, 'overdue', coalesce(h.due_at < now() AND h.ended IS NULL, false),
        'ended', h.ended, 'ended_at', h.ended_at, 'closed_at', h.closed_at, 'version', h.version,
        'may', CASE WHEN h.ended IS NULL THEN (SELECT json_agg(x) FROM (SELECT json_array_elements(scan_may(i, h.kind)) AS x
                UNION ALL SELECT json_array_elements(scan_ways('handover', 'open', h.kind, jsonb_build_object('handover', h.id)))) AS m)
            WHEN h.closed_at IS NULL THEN scan_ways('handover', 'over', h.kind, jsonb_build_object('handover', h.id)) ELSE '[]' END)
    FROM device_item i JOIN device_model m ON m.code = i.model LEFT JOIN device_holder(h.plan_region, h.id) AS o ON true
    WHERE i.plan_region = h.plan_region AND i.id = h.item_id);
END $$;

-- The codes of what an event of that kind names as its proof, at most 200.
CREATE FUNCTION scan_items_of(of_region int, wanted bigint, what text) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT coalesce(json_agg(i.code ORDER BY i.id), '[]') FROM (
        SELECT i.code, i.id FROM device_event e JOIN device_item i ON i.plan_region = e.plan_region AND i.id = e.item_id
        WHERE e.plan_region = of_region AND e.reference = wanted AND e.action = what ORDER BY i.id LIMIT 200) AS i);
END $$;
CREATE FUNCTION scan_transfer(t device_transfer) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT json_build_object('id', t.id, 'from', f.code, 'to', g.code, 'sent_at', t.sent_at, 'items', scan_items_of(t.plan_region, t.id, 'send'), 'on_way', w.on_way,
        'may', CASE WHEN w.on_way = 0 THEN '[]'
            WHEN scope_role() = 'centre' THEN scan_ways('transfer', CASE WHEN g.id = scope_centre() THEN 'receive' ELSE 'unsend' END, '', w.names)
            ELSE (SELECT json_agg(x) FROM (SELECT json_array_elements(scan_ways('transfer', 'receive', '', w.names)) AS x
                UNION ALL SELECT json_array_elements(scan_ways('transfer', 'unsend', '', w.names))) AS m) END)
    FROM centre f, centre g, LATERAL (SELECT count(*) AS on_way, jsonb_build_object('transfer', t.id) AS names
        FROM device_event e JOIN device_item i ON i.plan_region = e.plan_region AND i.id = e.item_id
        WHERE e.plan_region = t.plan_region AND e.reference = t.id AND e.action = 'send' AND i.transfer_id = t.id) AS w
    WHERE f.id = t.from_centre AND g.id = t.to_centre);
END $$;
CREATE FUNCTION scan_disinfection(d device_disinfection) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT json_build_object('id', d.id, 'centre', k.code, 'method', d.method, 'agent', d.agent, 'began_at', d.began_at, 'ended_at', d.ended_at,
        'items', scan_items_of(d.plan_region, d.id, 'disinfect'), 'version', d.version,
        'may', CASE WHEN d.ended_at IS NULL THEN scan_ways('disinfection', 'open', '', jsonb_build_object('disinfection', d.id)) ELSE '[]' END)
    FROM centre k WHERE k.id = d.centre_id);
END $$;
CREATE FUNCTION scan_taking(t stock_taking) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT json_build_object('id', t.id, 'centre', k.code, 'shelf', t.shelf, 'model', t.model, 'state', t.state, 'began_at', t.began_at, 'ended_at', t.ended_at,
        'version', t.version, 'may', scan_ways('taking', t.state, '', jsonb_build_object('taking', t.id)))
    FROM centre k WHERE k.id = t.centre_id);
END $$;

-- Whom a citizen ID names, for who serves him: an office his region, a centre whoever asked it for something or has or had something of it.
-- That he was looked up is recorded.
CREATE FUNCTION scan_person_of(index bytea) RETURNS person LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    found person;
    place int;
    serves boolean;
BEGIN
    FOR found IN SELECT p.* FROM person p WHERE p.citizen_id_index = index ORDER BY p.id LOOP -- one a plan region
        WHILE found.merged_into IS NOT NULL LOOP
            SELECT p.* INTO found FROM person p WHERE p.plan_region = found.plan_region AND p.id = found.merged_into;
        END LOOP;
        SELECT h.region INTO place FROM household h WHERE h.plan_region = found.plan_region AND h.id = found.household_id;
        serves := CASE WHEN scope_role() = 'centre' THEN EXISTS (SELECT FROM device_request r WHERE r.plan_region = found.plan_region
                    AND r.person_id = found.id AND r.centre_id = scope_centre())
                OR EXISTS (SELECT FROM handover o WHERE o.plan_region = found.plan_region AND o.person_id = found.id AND o.centre_id = scope_centre())
            ELSE scope_sees_region() AND place BETWEEN scope_low() AND scope_high() END;
        IF serves THEN
            INSERT INTO access_record (account_id, what, subject, region) VALUES (scope_account(), 'person by scan', found.id, place);
            RETURN found;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
CREATE FUNCTION scan_person(p person) RETURNS json LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT json_build_object('id', p.id, 'name', name_masked(p.name), 'category', p.category, 'level', p.level, 'may', scan_ways('person', '', '', '{}'),
        'holds', (SELECT coalesce(json_agg(scan_handover(h) ORDER BY h.id), '[]') FROM handover h
            WHERE h.plan_region = p.plan_region AND h.person_id = p.id AND h.ended IS NULL),
        'requests', (SELECT coalesce(json_agg(scan_request(r) ORDER BY r.id), '[]') FROM device_request r
            WHERE r.plan_region = p.plan_region AND r.person_id = p.id AND r.state IN ('waiting', 'assessed'))));
END $$;

-- What a scan found: what cannot be is left NULL.
CREATE TYPE scan_answer AS (kind text, items json, person json, request json, handover json, transfer json, disinfection json, taking json, elsewhere json);

-- The papers with that number: `word` says which is meant, '' leaves that open.
CREATE FUNCTION scan_papers(word text, number bigint) RETURNS scan_answer LANGUAGE plpgsql STABLE AS $$
DECLARE
    place int := plan_region_of(number);
    a scan_answer;
BEGIN
    a.request := CASE WHEN word IN ('', 'REQ') THEN (SELECT scan_request(r) FROM device_request r WHERE r.plan_region = place AND r.id = number) END;
    a.handover := CASE WHEN word IN ('', 'OUT') THEN (SELECT scan_handover(h) FROM handover h WHERE h.plan_region = place AND h.id = number) END;
    a.transfer := CASE WHEN word IN ('', 'TRF') THEN (SELECT scan_transfer(t) FROM device_transfer t WHERE t.plan_region = place AND t.id = number) END;
    a.disinfection := CASE WHEN word IN ('', 'DIS') THEN (SELECT scan_disinfection(d) FROM device_disinfection d WHERE d.plan_region = place AND d.id = number) END;
    a.taking := CASE WHEN word IN ('', 'STK') THEN (SELECT scan_taking(t) FROM stock_taking t WHERE t.plan_region = place AND t.id = number) END;
    a.kind := CASE num_nonnulls(a.request, a.handover, a.transfer, a.disinfection, a.taking)
        WHEN 0 THEN 'unknown' WHEN 1 THEN CASE WHEN a.request IS NOT NULL THEN 'request' WHEN a.handover IS NOT NULL THEN 'handover'
            WHEN a.transfer IS NOT NULL THEN 'transfer' WHEN a.disinfection IS NOT NULL THEN 'disinfection' ELSE 'stock_taking' END
        ELSE 'several' END;
    RETURN a;
END $$;

-- What it is: an item by its label, then by its id, then by its serial (there may be several); a paper by its number, with REQ-, OUT-, TRF-, DIS-
-- or STK- in front when it should be no other; an item of somebody else.
CREATE FUNCTION scan_of(given text) RETURNS scan_answer LANGUAGE plpgsql STABLE AS $$
DECLARE
    bare text := replace(given, ' ', ''); -- digits are printed in groups
    cases text[] := ARRAY[bare, upper(bare), lower(bare)];
    a scan_answer;
    found json;
BEGIN
    found := (SELECT json_agg(scan_item(i)) FROM (SELECT i.* FROM device_item i WHERE i.code = ANY (cases) ORDER BY i.code = bare DESC, i.id) AS i);
    IF found IS NULL AND bare ~ '^[0-9]{16}$' THEN
        a := scan_papers('', bare::bigint);
        found := (SELECT json_agg(scan_item(i)) FROM device_item i WHERE i.plan_region = plan_region_of(bare::bigint) AND i.id = bare::bigint);
    ELSIF found IS NULL AND upper(bare) ~ '^(REQ|OUT|TRF|DIS|STK)-[0-9]{16}$' THEN
        a := scan_papers(upper(left(bare, 3)), substr(bare, 5)::bigint);
    END IF;
    IF found IS NULL AND coalesce(a.kind, 'unknown') = 'unknown' THEN
        found := (SELECT json_agg(scan_item(i)) FROM (SELECT i.* FROM device_item i WHERE i.serial = given AND i.serial <> '' ORDER BY i.id LIMIT 20) AS i);
    END IF;
    a.items := coalesce(found, '[]');
    IF found IS NOT NULL THEN
        a.kind := CASE WHEN coalesce(a.kind, 'unknown') = 'unknown' AND json_array_length(found) = 1 THEN 'item' ELSE 'several' END;
    ELSIF coalesce(a.kind, 'unknown') = 'unknown' THEN
        a.elsewhere := scan_elsewhere(cases);
        a.kind := CASE WHEN a.elsewhere IS NULL THEN 'unknown' ELSE 'elsewhere' END;
    END IF;
    RETURN a;
END $$;

-- The same, of what reads like a citizen ID.
CREATE FUNCTION scan_of_person(given text, index bytea) RETURNS scan_answer LANGUAGE plpgsql AS $$
DECLARE
    p person := scan_person_of(index);
    a scan_answer;
BEGIN
    IF p.id IS NULL THEN
        RETURN scan_of(given);
    END IF;
    a.kind := 'person';
    a.items := '[]';
    a.person := scan_person(p);
    RETURN a;
END $$;
REVOKE EXECUTE ON FUNCTION scan_person_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION scan_person_of TO tantu_app;

-- --- intakes ---

-- As needs_import (0007): the upload is sealed on disk, its rows are staged in batches and enter the stock in one transaction.
CREATE TABLE device_intake (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_region    int NOT NULL,
    centre_id      bigint NOT NULL REFERENCES centre,
    region         int NOT NULL REFERENCES region, -- the centre's
    account_id     bigint NOT NULL REFERENCES account,
    mode           text NOT NULL CHECK (mode IN ('dry_run', 'good_rows', 'all_or_nothing')),
    file           text NOT NULL UNIQUE, -- its name below the uploads folder
    format         text NOT NULL CHECK (format IN ('csv_utf8', 'csv_utf8_bom', 'csv_gb18030', 'xlsx')),
    fingerprint    bytea NOT NULL, -- keyed, of the whole file
    bytes          bigint NOT NULL,
    state          text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    stop_wanted    boolean NOT NULL DEFAULT false,
    rows           int NOT NULL,
    checked        int NOT NULL DEFAULT 0,
    outcome        json, -- the figures of the end; nothing before
    committed      boolean NOT NULL DEFAULT false,
    error_code     text,
    error          text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz,
    upload_gone_at timestamptz,
    version        int NOT NULL DEFAULT 1
);
CREATE INDEX device_intake_by_centre ON device_intake (centre_id, fingerprint);
CREATE INDEX device_intake_with_upload ON device_intake (finished_at) WHERE upload_gone_at IS NULL;
CREATE TABLE device_intake_row (
    intake_id      bigint NOT NULL REFERENCES device_intake ON DELETE CASCADE,
    number         int NOT NULL,
    model          text NOT NULL,
    quantity       int NOT NULL,
    serial         text NOT NULL,
    batch          text NOT NULL,
    code           text,
    source         text NOT NULL,
    donor          text NOT NULL,
    acquired_on    date NOT NULL,
    price          bigint,
    warranty_until date,
    shelf          text NOT NULL,
    note           text NOT NULL,
    PRIMARY KEY (intake_id, number)
);
CREATE TABLE device_intake_refusal (
    intake_id bigint NOT NULL REFERENCES device_intake ON DELETE CASCADE,
    number    int NOT NULL,
    code      text NOT NULL,
    field     text NOT NULL,
    PRIMARY KEY (intake_id, number)
);
-- What came of which row: labels are printed by it, and the same file sent again finds its rows taken.
CREATE TABLE device_intake_item (
    intake_id   bigint NOT NULL REFERENCES device_intake,
    number      int NOT NULL,
    plan_region int NOT NULL,
    item_id     bigint NOT NULL,
    PRIMARY KEY (intake_id, item_id),
    FOREIGN KEY (plan_region, item_id) REFERENCES device_item
);
CREATE INDEX device_intake_item_by_row ON device_intake_item (intake_id, number);

-- The queue is not a centre's to write; the job of its own new intake is.
CREATE FUNCTION device_intake_queue(wanted bigint) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO job (queue, kind, payload, unique_key, region, max_attempts)
    SELECT 'imports', 'device_intake', json_build_object('intake', i.id), 'device_intake:' || i.id, i.region, 5
    FROM device_intake i WHERE i.id = wanted AND i.account_id = scope_account() AND i.state = 'queued' RETURNING id $$;
CREATE FUNCTION device_intake_make(wanted_centre text, given device_intake) RETURNS TABLE (verdict text, field text, id bigint, state text, rows int, job bigint)
LANGUAGE plpgsql AS $$
DECLARE
    place centre := device_centre(wanted_centre);
BEGIN
    verdict := CASE
        WHEN place.id IS NULL AND scope_role() = 'centre' AND wanted_centre IS NULL THEN 'centre_without_region'
        WHEN place.id IS NULL THEN 'centre_unknown' END;
    field := CASE WHEN verdict IS NOT NULL THEN '/centre' END;
    IF verdict IS NULL THEN
        INSERT INTO device_intake AS i (plan_region, centre_id, region, account_id, mode, file, format, fingerprint, bytes, rows)
        VALUES (place.plan_region, place.id, place.region, scope_account(), given.mode, given.file, given.format, given.fingerprint, given.bytes, given.rows)
        RETURNING i.id, i.state, i.rows INTO id, state, rows;
        job := device_intake_queue(id);
    END IF;
    RETURN NEXT;
END $$;

-- The end of an intake, one transaction (workers/import.c), as the owner: each function asks for the scope of the system.
CREATE FUNCTION device_intake_of(wanted bigint) RETURNS device_intake LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    i device_intake;
BEGIN
    IF scope_role() IS DISTINCT FROM 'system' THEN
        RAISE EXCEPTION 'intakes are committed by the service itself' USING ERRCODE = '42501';
    END IF;
    SELECT * INTO STRICT i FROM device_intake d WHERE d.id = wanted;
    RETURN i;
END $$;

-- The last checks, in their order: what others have already, what this file has brought before, what it has twice. Of one centre one at
-- a time; two of different centres that want one label meet at its index, and the later one is tried again.
CREATE FUNCTION device_intake_settle(wanted bigint) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    i device_intake := device_intake_of(wanted);
    commits boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(7335, i.centre_id::int);
    WITH judged AS (
        SELECT r.number,
            r.code IS NOT NULL AND EXISTS (SELECT FROM device_item d WHERE d.code = r.code) AS code_taken,
            r.serial <> '' AND EXISTS (SELECT FROM device_item d WHERE d.model = r.model AND d.serial = r.serial AND d.serial <> '') AS serial_taken,
            EXISTS (SELECT FROM device_intake o JOIN device_intake_item t ON t.intake_id = o.id AND t.number = r.number
                WHERE o.centre_id = i.centre_id AND o.fingerprint = i.fingerprint AND o.id <> i.id) AS taken_already,
            r.code IS NOT NULL AND row_number() OVER (PARTITION BY r.code ORDER BY r.number) > 1 AS code_again,
            r.serial <> '' AND row_number() OVER (PARTITION BY r.model, r.serial ORDER BY r.number) > 1 AS serial_again
        FROM device_intake_row r WHERE r.intake_id = i.id
    ), refused AS (
        DELETE FROM device_intake_row r USING judged j WHERE r.intake_id = i.id AND r.number = j.number
            AND (j.code_taken OR j.serial_taken OR j.taken_already OR j.code_again OR j.serial_again)
        RETURNING j.*)
    INSERT INTO device_intake_refusal (intake_id, number, code, field)
    SELECT i.id, f.number,
        CASE WHEN f.code_taken THEN 'code_taken' WHEN f.serial_taken THEN 'serial_taken' WHEN f.taken_already THEN 'taken_already' ELSE 'duplicate_in_file' END,
        CASE WHEN f.code_taken THEN '条码' WHEN f.serial_taken THEN '序列号' WHEN f.taken_already THEN '' WHEN f.code_again THEN '条码' ELSE '序列号' END
    FROM refused f;
    commits := i.mode = 'good_rows'
        OR (i.mode = 'all_or_nothing' AND NOT EXISTS (SELECT FROM device_intake_refusal r WHERE r.intake_id = i.id));
    UPDATE device_intake d SET outcome = device_intake_figures(i), committed = commits WHERE d.id = i.id;
    IF NOT commits THEN
        DELETE FROM device_intake_row r WHERE r.intake_id = i.id; -- what enters after this is what is staged: nothing
    END IF;
    RETURN commits;
END $$;

-- What the staged and refused rows come to. same_as: the earlier intake of the same file.
CREATE FUNCTION device_intake_figures(i device_intake) RETURNS json LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH refusals AS (
        SELECT code, count(*) AS n FROM device_intake_refusal WHERE intake_id = i.id GROUP BY code
    ), good AS (
        SELECT count(*) AS n, coalesce(sum(quantity), 0) AS items, coalesce(sum(quantity) FILTER (WHERE source = 'donated'), 0) AS donated
        FROM device_intake_row WHERE intake_id = i.id
    )
    SELECT json_build_object('accepted', good.n, 'rejected', coalesce((SELECT sum(n) FROM refusals), 0),
        'rejected_by_code', coalesce((SELECT json_object_agg(code, n ORDER BY code) FROM refusals), '{}'),
        'items', good.items, 'donated', good.donated, 'nothing_new', good.n = 0,
        'same_as', (SELECT min(o.id) FROM device_intake o WHERE o.centre_id = i.centre_id AND o.fingerprint = i.fingerprint AND o.id <> i.id AND o.committed))
    FROM good $$;

CREATE FUNCTION device_intake_enter(wanted bigint) RETURNS int LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    i device_intake := device_intake_of(wanted);
    entered int;
BEGIN
    WITH numbered AS MATERIALIZED (
        SELECT r.*, id_in(i.plan_region, 'device_number') AS item
        FROM (SELECT * FROM device_intake_row WHERE intake_id = i.id ORDER BY number) AS r CROSS JOIN generate_series(1, r.quantity)
    ), made AS (
        INSERT INTO device_item (plan_region, id, code, model, serial, batch, centre_id, source, donor, acquired_on, price, warranty_until, shelf, note)
        SELECT i.plan_region, item, code, model, serial, batch, i.centre_id, source, donor, acquired_on, price, warranty_until, shelf, note
        FROM numbered ORDER BY item RETURNING id)
    INSERT INTO device_intake_item (intake_id, number, plan_region, item_id)
    SELECT i.id, n.number, i.plan_region, n.item FROM numbered n JOIN made m ON m.id = n.item;
    GET DIAGNOSTICS entered = ROW_COUNT;
    DELETE FROM device_intake_row r WHERE r.intake_id = i.id;
    UPDATE device_intake d SET state = 'done', finished_at = now(), version = version + 1 WHERE d.id = i.id;
    RETURN entered;
END $$;

-- An import or intake whose job is given up has failed; when the job is tried again, so is it. One trigger for both, and for both
-- turns: what stands on job is asked at every claim.
DROP TRIGGER import_job_died ON job;
DROP TRIGGER import_job_revived ON job;
DROP FUNCTION import_job_died();
DROP FUNCTION import_job_revived();
CREATE FUNCTION import_job_turns() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    wanted bigint := coalesce(NEW.payload->>'import', NEW.payload->>'intake')::bigint;
    died boolean := NEW.state = 'dead';
    goal text := CASE WHEN died THEN 'failed' ELSE 'queued' END;
    why text := CASE WHEN died THEN 'import_gave_up' END;
    said text := CASE WHEN died THEN NEW.last_error END;
    at timestamptz := CASE WHEN died THEN now() END;
    before text[] := CASE WHEN died THEN '{queued,running}' ELSE '{failed}' END;
BEGIN
    IF NEW.kind = 'import' THEN
        UPDATE needs_import SET state = goal, error_code = why, error = said, finished_at = at, version = version + 1
        WHERE id = wanted AND state = ANY (before);
        DELETE FROM import_row WHERE import_id = wanted AND died;
    ELSE
        UPDATE device_intake SET state = goal, error_code = why, error = said, finished_at = at, version = version + 1
        WHERE id = wanted AND state = ANY (before);
        DELETE FROM device_intake_row WHERE intake_id = wanted AND died;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER import_job_turns AFTER UPDATE OF state ON job FOR EACH ROW
    WHEN (NEW.kind IN ('import', 'device_intake') AND 'dead' IN (OLD.state, NEW.state) AND OLD.state <> NEW.state
          AND NEW.state IN ('dead', 'queued')) EXECUTE FUNCTION import_job_turns();

ALTER TABLE device_intake ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_intake_row ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_intake_refusal ENABLE ROW LEVEL SECURITY;
ALTER TABLE device_intake_item ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON device_intake USING (scope_has(centre_id, region));
CREATE POLICY scope ON device_intake_row USING (EXISTS (SELECT FROM device_intake i WHERE i.id = intake_id));
CREATE POLICY scope ON device_intake_refusal USING (EXISTS (SELECT FROM device_intake i WHERE i.id = intake_id));
CREATE POLICY scope ON device_intake_item USING (EXISTS (SELECT FROM device_intake i WHERE i.id = intake_id));
REVOKE EXECUTE ON FUNCTION device_intake_of, device_intake_figures FROM PUBLIC;
GRANT SELECT, INSERT ON device_intake TO tantu_app;
GRANT UPDATE (state, stop_wanted, checked, error_code, error, finished_at, upload_gone_at, version) ON device_intake TO tantu_app;
GRANT SELECT, INSERT, DELETE ON device_intake_row, device_intake_refusal TO tantu_app;
GRANT SELECT ON device_intake_item TO tantu_app;

-- --- labels ---

-- Where the n-th place of a sheet is and what goes where on its label, in tenths of a mm. A Code 128 whose bars would be under 0.19 mm
-- is left out: no scanner would read it.
CREATE FUNCTION device_label(place int, columns int, left_edge float8, top_edge float8, gap_x float8, gap_y float8, w float8, h float8, code text, name text)
RETURNS json LANGUAGE sql IMMUTABLE AS $$
    SELECT json_build_object('x', round((left_edge + place % columns * (w + gap_x))::numeric, 1), 'y', round((top_edge + place / columns * (h + gap_y))::numeric, 1),
        'w', round(w::numeric, 1), 'h', round(h::numeric, 1), 'code', code, 'name', name,
        'digits', CASE WHEN code ~ '^[0-9]{16}$' THEN regexp_replace(code, '(....)(?=.)', '\1 ', 'g') ELSE code END,
        'qr', round(a.qr::numeric, 1), 'qr_y', round(((h - a.qr) / 2)::numeric, 1), 'left', round((a.qr + 35)::numeric, 1), 'wide', round(b.wide::numeric, 1),
        'middle', round((a.qr + 35 + b.wide / 2)::numeric, 1), 'name_h', round(((h - 50) * 0.34)::numeric, 1), 'bars_y', round((25 + (h - 50) * 0.36)::numeric, 1),
        'bars_h', CASE WHEN b.wide / CASE WHEN code ~ '^([0-9][0-9])+$' THEN 11 * length(code) / 2 + 55 ELSE 11 * length(code) + 55 END >= 1.9 AND length(code) <= 60
            THEN round(((h - 50) * 0.42)::numeric, 1) ELSE 0 END,
        'code_y', round((h - 27)::numeric, 1), 'code_size', round(least(34, b.wide / greatest(length(code) * 0.68, 1), h * 0.13)::numeric, 1))
    FROM (SELECT least(h - 40, (w - 50) * 0.4) AS qr) AS a CROSS JOIN LATERAL (SELECT w - a.qr - 60 AS wide) AS b $$;

-- Sheets of the labels of items that the asker sees: as named (in their order), of an intake, or taken in by a centre on a day.
CREATE FUNCTION device_labels(given text, intake bigint, wanted_centre text, day date, after bigint, columns int, rows int, margin_x float8, margin_y float8,
    gap_x float8, gap_y float8, first int)
RETURNS TABLE (verdict text, field text, count int, more boolean, last bigint, pages json) LANGUAGE plpgsql STABLE AS $$
DECLARE
    most CONSTANT int := 240;
    place centre;
    wanted text[] := CASE WHEN given IS NOT NULL THEN string_to_array(regexp_replace(given, '\s', '', 'g'), ',') END;
    chosen bigint[];
    codes text[];
    w float8 := (2100 - 20 * margin_x - 10 * gap_x * (columns - 1)) / columns;
    h float8 := (2970 - 20 * margin_y - 10 * gap_y * (rows - 1)) / rows;
BEGIN
    verdict := CASE
        WHEN (given IS NOT NULL)::int + (intake IS NOT NULL)::int + (day IS NOT NULL)::int <> 1 OR (wanted_centre IS NOT NULL AND day IS NULL) THEN 'labels_of_what'
        WHEN w < 250 OR h < 120 THEN 'labels_too_small'
        WHEN first > columns * rows THEN 'label_place' END;
    IF verdict IS NULL AND given IS NOT NULL THEN
        SELECT array_agg(i.id ORDER BY u.n), array_agg(i.code ORDER BY u.n) INTO chosen, codes
        FROM unnest(wanted) WITH ORDINALITY AS u (code, n) LEFT JOIN LATERAL (
            SELECT d.id, d.code FROM device_item d WHERE d.code = u.code
            UNION ALL
            SELECT d.id, d.code FROM device_item d WHERE u.code ~ '^[0-9]{16}$' AND d.plan_region = plan_region_of(CASE WHEN u.code ~ '^[0-9]{16}$' THEN u.code::bigint END)
                AND d.id = CASE WHEN u.code ~ '^[0-9]{16}$' THEN u.code::bigint END AND d.code <> u.code
            LIMIT 1) AS i ON true
        WHERE u.code <> '';
        verdict := CASE WHEN array_position(codes, NULL) IS NOT NULL THEN 'label_unknown' END;
        chosen := chosen[1:most + 1];
    ELSIF verdict IS NULL AND intake IS NOT NULL THEN
        chosen := ARRAY(SELECT t.item_id FROM device_intake_item t WHERE t.intake_id = intake AND t.item_id > after ORDER BY t.item_id LIMIT most + 1);
    ELSIF verdict IS NULL THEN
        place := device_centre(wanted_centre);
        verdict := CASE WHEN place.id IS NULL THEN 'centre_unknown' END;
        chosen := ARRAY(SELECT e.id FROM (SELECT i.id FROM device_item i WHERE i.centre_id = place.id AND i.id > after
            AND i.created_at >= day::timestamp AT TIME ZONE 'Asia/Shanghai' AND i.created_at < (day + 1)::timestamp AT TIME ZONE 'Asia/Shanghai') AS e ORDER BY e.id LIMIT most + 1);
    END IF;
    IF verdict IS NULL THEN
        verdict := CASE WHEN coalesce(cardinality(chosen), 0) = 0 THEN 'labels_none' END;
    END IF;
    IF verdict IS NULL THEN
        more := cardinality(chosen) > most;
        chosen := chosen[1:most];
        last := chosen[cardinality(chosen)];
        SELECT count(*)::int, json_agg(json_build_object('labels', s.labels) ORDER BY s.sheet) INTO count, pages FROM (
            SELECT p.place / (columns * rows) AS sheet, json_agg(device_label((p.place % (columns * rows))::int, columns, 10 * margin_x, 10 * margin_y,
                10 * gap_x, 10 * gap_y, w, h, i.code, m.name_zh) ORDER BY p.place) AS labels
            FROM (SELECT u.id, u.n + first - 2 AS place FROM unnest(chosen) WITH ORDINALITY AS u (id, n)) AS p
            JOIN device_item i ON i.plan_region = plan_region_of(p.id) AND i.id = p.id JOIN device_model m ON m.code = i.model
            GROUP BY 1) AS s;
        count := cardinality(chosen);
    END IF;
    RETURN NEXT;
END $$;
