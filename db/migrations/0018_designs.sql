-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- The design of a case: where its money comes from, its items, change orders. All money is in 分. What follows from it in the
-- ledger is migration 0028.

-- --- where money comes from ---

CREATE TABLE subsidy_source (
    plan_id    smallint NOT NULL REFERENCES plan,
    code       text NOT NULL CHECK (code ~ '^[a-z][a-z0-9_]{1,47}$' AND code <> 'household'), -- that is the self-paid part
    name_zh    text NOT NULL,
    name_ko    text NOT NULL,
    name_en    text NOT NULL,
    ceiling    bigint CHECK (ceiling >= 0), -- a household; NULL: none of its own
    retired_at timestamptz,
    version    int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_id, code)
);
-- What a county may commit of a source in a year; no row: no such limit.
CREATE TABLE subsidy_budget (
    plan_id smallint NOT NULL,
    source  text NOT NULL,
    county  int NOT NULL,
    year    smallint NOT NULL CHECK (year BETWEEN 2000 AND 2100),
    amount  bigint NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (plan_id, source, county, year),
    FOREIGN KEY (plan_id, source) REFERENCES subsidy_source
);
GRANT SELECT, INSERT, UPDATE ON subsidy_source TO tantu_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON subsidy_budget TO tantu_app;
ALTER TABLE subsidy_source ENABLE ROW LEVEL SECURITY;
ALTER TABLE subsidy_budget ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON subsidy_source FOR SELECT USING (true);
CREATE POLICY adding ON subsidy_source FOR INSERT
    WITH CHECK (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY changing ON subsidy_source FOR UPDATE
    USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY reading ON subsidy_budget FOR SELECT USING (true);
CREATE POLICY writing ON subsidy_budget USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));

-- --- the design ---

CREATE TABLE case_design (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    total       bigint NOT NULL,
    subsidy     bigint NOT NULL,
    self_paid   bigint NOT NULL CHECK (self_paid >= 0),
    note        text NOT NULL DEFAULT '',
    budget_year smallint, -- whose budget its commitment is part of; set while there is one
    account_id  bigint NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    version     int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, case_id),
    FOREIGN KEY (plan_region, case_id) REFERENCES retrofit_case,
    CHECK (total = subsidy + self_paid)
);
CREATE TABLE case_subsidy (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    source      text NOT NULL,
    amount      bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (plan_region, case_id, source),
    FOREIGN KEY (plan_region, case_id) REFERENCES retrofit_case
);
-- What the household agreed to and is not done all the same.
CREATE TABLE case_dropped (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    finding     int NOT NULL,
    reason      text NOT NULL,
    PRIMARY KEY (plan_region, case_id, finding),
    FOREIGN KEY (plan_region, case_id) REFERENCES retrofit_case
);
GRANT SELECT, INSERT ON case_design TO tantu_app;
GRANT UPDATE (total, subsidy, self_paid, note, account_id, updated_at, version) ON case_design TO tantu_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON case_subsidy, case_dropped TO tantu_app;

-- A design that is decided changes by change orders only; one is pending at most.
CREATE SEQUENCE change_order_number;
CREATE TABLE change_order (
    plan_region  int NOT NULL,
    id           bigint NOT NULL, -- id_in(plan_region, 'change_order_number')
    case_id      bigint NOT NULL,
    state        text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'rejected')),
    reason       text NOT NULL,
    items        json NOT NULL, -- [{op, number, …}] as it was proposed
    sources      json,          -- the whole of them; NULL: as before
    dropped      json,          -- added to those before
    total_before bigint NOT NULL,
    total_after  bigint NOT NULL,
    proposed_by  bigint NOT NULL,
    proposed_at  timestamptz NOT NULL DEFAULT now(),
    decided_by   bigint CHECK (decided_by <> proposed_by),
    decided_at   timestamptz,
    note         text NOT NULL DEFAULT '',
    version      int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    FOREIGN KEY (plan_region, case_id) REFERENCES retrofit_case,
    CHECK ((state = 'pending') = (decided_by IS NULL))
);
CREATE INDEX change_order_by_case ON change_order (plan_region, case_id, id);
CREATE UNIQUE INDEX change_order_pending ON change_order (plan_region, case_id) WHERE state = 'pending';
CREATE INDEX change_order_waiting ON change_order (id) WHERE state = 'pending';
GRANT USAGE ON change_order_number TO tantu_app;
GRANT SELECT, INSERT ON change_order TO tantu_app;
GRANT UPDATE (state, total_after, decided_by, decided_at, note, version) ON change_order TO tantu_app;

ALTER TABLE case_design ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_subsidy ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_dropped ENABLE ROW LEVEL SECURITY;
ALTER TABLE change_order ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON case_design USING (EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = case_design.plan_region AND c.id = case_design.case_id));
CREATE POLICY scope ON case_subsidy USING (EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = case_subsidy.plan_region AND c.id = case_subsidy.case_id));
CREATE POLICY scope ON case_dropped USING (EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = case_dropped.plan_region AND c.id = case_dropped.case_id));
CREATE POLICY scope ON change_order USING (EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = change_order.plan_region AND c.id = change_order.case_id));

-- 分 of `quantity` at `price` a unit: rounded half up, item by item, so that a sheet adds up to its own lines.
CREATE FUNCTION design_amount(quantity numeric, price bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT round(quantity * price)::bigint $$;

CREATE TYPE design_item AS (number int, finding int, room text, measure text, quantity numeric, price bigint);

CREATE FUNCTION design_items_now(c retrofit_case) RETURNS design_item[] LANGUAGE sql STABLE AS $$
    SELECT array_agg((k.number, k.finding, k.room, k.measure, k.quantity, k.price)::design_item ORDER BY k.number)
    FROM case_item k WHERE k.plan_region = c.plan_region AND k.case_id = c.id AND k.removed_at IS NULL $$;
CREATE FUNCTION design_sources_now(c retrofit_case) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT coalesce(json_agg(json_build_object('source', s.source, 'name', u.name_zh, 'amount', s.amount) ORDER BY s.source), '[]')
    FROM case_subsidy s LEFT JOIN subsidy_source u ON u.plan_id = c.plan_id AND u.code = s.source
    WHERE s.plan_region = c.plan_region AND s.case_id = c.id $$;
CREATE FUNCTION design_dropped_now(c retrofit_case) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT coalesce(json_agg(json_build_object('finding', d.finding, 'reason', d.reason) ORDER BY d.finding), '[]')
    FROM case_dropped d WHERE d.plan_region = c.plan_region AND d.case_id = c.id $$;

-- The items of a request. One without a number gets the next that was never used. (Jansson writes 1.1 as 1.1000000000000001.)
CREATE FUNCTION design_items_given(c retrofit_case, items json) RETURNS design_item[] LANGUAGE sql STABLE AS $$
    WITH given AS (
        SELECT g.number, g.finding, g.room, g.measure, round(g.quantity, 6) AS quantity, g.price, row_number() OVER () AS at
        FROM json_to_recordset(items) AS g (number int, finding int, room text, measure text, quantity numeric, price bigint)
    ), last AS (
        SELECT greatest((SELECT max(k.number) FROM case_item k WHERE k.plan_region = c.plan_region AND k.case_id = c.id),
                        (SELECT max(g.number) FROM given g), 0) AS number
    )
    SELECT array_agg((coalesce(g.number, l.number + g.fresh), g.finding, g.room, g.measure, g.quantity, g.price)::design_item ORDER BY g.at)
    FROM (SELECT g.*, count(*) FILTER (WHERE g.number IS NULL) OVER (ORDER BY g.at)::int AS fresh FROM given g) AS g, last l $$;

-- What the survey found, in words. (A contractor sees no survey; that his change answers it is judged all the same.)
CREATE FUNCTION design_findings(c retrofit_case, OUT number int, OUT consent text, OUT said text) RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.number, f.consent, f.number || ' ' || r.name_zh || ' ' || p.name_zh
    FROM survey_finding f JOIN room r ON r.code = f.room JOIN problem p ON p.code = f.problem
    WHERE f.plan_region = c.plan_region AND f.case_id = c.id $$;

-- What the household agreed to and neither an item nor a reason answers.
CREATE FUNCTION design_unanswered(c retrofit_case, items design_item[], dropped json) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT array_agg(f.said ORDER BY f.number) FROM design_findings(c) AS f
    WHERE f.consent = 'agreed'
      AND NOT EXISTS (SELECT FROM unnest(items) AS i WHERE i.finding = f.number)
      AND NOT EXISTS (SELECT FROM json_to_recordset(dropped) AS d (finding int) WHERE d.finding = f.number) $$;

-- Whether items and subsidies make a sound design of the case by the rules of today. `whole`: as it is to be decided, not a draft.
CREATE FUNCTION design_judge(c retrofit_case, items design_item[], sources json, dropped json, whole boolean,
    OUT verdict text, OUT field text, OUT reasons text[], OUT total bigint, OUT subsidy bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    i record;
    s record;
    ceiling bigint := (SELECT p.subsidy_ceiling FROM plan p WHERE p.id = c.plan_id);
    strange text[];
    unanswered text[];
BEGIN
    SELECT count(*) AS n, count(DISTINCT g.number) AS numbers, coalesce(sum(design_amount(g.quantity, g.price)), 0)::bigint AS total,
        coalesce(sum(least(design_amount(g.quantity, g.price), design_amount(g.quantity, m.ceiling))), 0)::bigint AS covered,
        array_agg(DISTINCT g.measure) FILTER (WHERE m.code IS NULL) AS unknown,
        array_agg(g.number || ' ' || m.name_zh ORDER BY g.number)
            FILTER (WHERE m.retired_at IS NOT NULL AND k.measure IS DISTINCT FROM g.measure) AS retired,
        array_agg(g.number::text ORDER BY g.number) FILTER (WHERE g.quantity <= 0 OR g.quantity <> round(g.quantity, 2)) AS odd,
        array_agg(g.number::text ORDER BY g.number) FILTER (WHERE k.removed_at IS NOT NULL) AS used,
        array_agg(g.finding::text ORDER BY g.number)
            FILTER (WHERE g.finding IS NOT NULL AND (f.number IS NULL OR f.consent = 'declined')) AS strange,
        array_agg(g.number || ' ' || m.name_zh ORDER BY g.number)
            FILTER (WHERE design_amount(g.quantity, m.ceiling) < design_amount(g.quantity, g.price)) AS above
    INTO i
    FROM unnest(items) AS g LEFT JOIN measure m ON m.code = g.measure
    LEFT JOIN case_item k ON k.plan_region = c.plan_region AND k.case_id = c.id AND k.number = g.number
    LEFT JOIN design_findings(c) AS f ON f.number = g.finding;
    SELECT count(*) AS n, count(DISTINCT g.source) AS names, coalesce(sum(g.amount), 0)::bigint AS subsidy,
        array_agg(DISTINCT g.source) FILTER (WHERE u.code IS NULL) AS unknown,
        array_agg(DISTINCT g.source) FILTER (WHERE u.retired_at IS NOT NULL AND k.source IS NULL) AS retired,
        array_agg(DISTINCT u.name_zh || ' ' || u.ceiling) FILTER (WHERE g.amount > u.ceiling) AS above
    INTO s
    FROM json_to_recordset(sources) AS g (source text, amount bigint)
    LEFT JOIN subsidy_source u ON u.plan_id = c.plan_id AND u.code = g.source
    LEFT JOIN case_subsidy k ON k.plan_region = c.plan_region AND k.case_id = c.id AND k.source = g.source;
    SELECT array_agg(d.finding::text ORDER BY d.finding) INTO strange
    FROM json_to_recordset(dropped) AS d (finding int) LEFT JOIN design_findings(c) AS f ON f.number = d.finding
    WHERE f.number IS NULL;
    unanswered := CASE WHEN whole THEN design_unanswered(c, items, dropped) END;
    total := i.total;
    subsidy := s.subsidy;
    verdict := CASE
        WHEN i.n <> i.numbers THEN 'item_twice'
        WHEN i.used IS NOT NULL THEN 'item_number_used'
        WHEN i.unknown IS NOT NULL THEN 'item_measure_unknown'
        WHEN i.retired IS NOT NULL THEN 'item_measure_retired'
        WHEN i.odd IS NOT NULL THEN 'item_quantity_invalid'
        WHEN i.strange IS NOT NULL OR strange IS NOT NULL THEN 'finding_not_there'
        WHEN whole AND i.n = 0 THEN 'design_empty'
        WHEN unanswered IS NOT NULL THEN 'finding_unanswered'
        WHEN s.n <> s.names THEN 'source_twice'
        WHEN s.unknown IS NOT NULL THEN 'source_unknown'
        WHEN s.retired IS NOT NULL THEN 'source_retired'
        WHEN s.subsidy > i.total THEN 'subsidy_exceeds_total'
        WHEN s.above IS NOT NULL THEN 'source_ceiling_exceeded'
        WHEN s.subsidy > ceiling THEN 'subsidy_ceiling_exceeded'
        WHEN s.subsidy > i.covered THEN 'measure_ceiling_exceeded' END;
    field := CASE WHEN verdict IN ('source_twice', 'source_unknown', 'source_retired', 'subsidy_exceeds_total', 'source_ceiling_exceeded',
                      'subsidy_ceiling_exceeded', 'measure_ceiling_exceeded') THEN '/sources'
                  WHEN i.strange IS NULL AND verdict = 'finding_not_there' THEN '/dropped' ELSE '/items' END;
    reasons := CASE verdict
        WHEN 'item_number_used' THEN i.used WHEN 'item_measure_unknown' THEN i.unknown WHEN 'item_measure_retired' THEN i.retired
        WHEN 'item_quantity_invalid' THEN i.odd WHEN 'finding_not_there' THEN coalesce(i.strange, strange)
        WHEN 'finding_unanswered' THEN unanswered WHEN 'source_unknown' THEN s.unknown WHEN 'source_retired' THEN s.retired
        WHEN 'source_ceiling_exceeded' THEN s.above WHEN 'subsidy_ceiling_exceeded' THEN ARRAY[ceiling::text]
        WHEN 'measure_ceiling_exceeded' THEN i.above END;
END $$;

-- Leaves the design as it was judged. The caller holds the case.
CREATE FUNCTION design_write(c retrofit_case, items design_item[], sources json, dropped json, total bigint, subsidy bigint, said text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE case_item k SET removed_at = now()
    WHERE k.plan_region = c.plan_region AND k.case_id = c.id AND k.removed_at IS NULL
      AND NOT EXISTS (SELECT FROM unnest(items) AS g WHERE g.number = k.number);
    INSERT INTO case_item AS k (plan_region, case_id, number, finding, room, measure, kind, name, unit, quantity, price)
    SELECT c.plan_region, c.id, g.number, g.finding, g.room, g.measure, m.kind, m.name_zh, m.unit, g.quantity, g.price
    FROM unnest(items) AS g JOIN measure m ON m.code = g.measure
    ON CONFLICT (plan_region, case_id, number) DO UPDATE SET finding = excluded.finding, room = excluded.room,
        quantity = excluded.quantity, price = excluded.price, measure = excluded.measure, kind = excluded.kind,
        name = CASE WHEN k.measure = excluded.measure THEN k.name ELSE excluded.name END,
        unit = CASE WHEN k.measure = excluded.measure THEN k.unit ELSE excluded.unit END;
    DELETE FROM case_subsidy s WHERE s.plan_region = c.plan_region AND s.case_id = c.id;
    INSERT INTO case_subsidy (plan_region, case_id, source, amount)
    SELECT c.plan_region, c.id, g.source, g.amount FROM json_to_recordset(sources) AS g (source text, amount bigint) WHERE g.amount > 0;
    DELETE FROM case_dropped d WHERE d.plan_region = c.plan_region AND d.case_id = c.id;
    INSERT INTO case_dropped (plan_region, case_id, finding, reason)
    SELECT DISTINCT ON (g.finding) c.plan_region, c.id, g.finding, g.reason
    FROM ROWS FROM (json_to_recordset(dropped) AS (finding int, reason text)) WITH ORDINALITY AS g (finding, reason, at)
    ORDER BY g.finding, g.at DESC;
    INSERT INTO case_design AS d (plan_region, case_id, total, subsidy, self_paid, note, account_id)
    VALUES (c.plan_region, c.id, design_write.total, design_write.subsidy, design_write.total - design_write.subsidy, coalesce(said, ''), scope_account())
    ON CONFLICT (plan_region, case_id) DO UPDATE SET total = excluded.total, subsidy = excluded.subsidy, self_paid = excluded.self_paid,
        note = coalesce(said, d.note), account_id = excluded.account_id, updated_at = now(), version = d.version + 1;
END $$;

-- The design as the API shows it, and what there is to say about one that was refused.
CREATE TYPE design_answer AS (
    _verdict text, _field text, _reasons text[], id bigint, stage text, items json, sources json, dropped json, total bigint, subsidy bigint,
    self_paid bigint, subsidy_ceiling bigint, unanswered text[], warnings text[], note text, updated_by bigint, updated_at timestamptz,
    version int);
CREATE FUNCTION design_show(c retrofit_case, verdict text, field text, reasons text[]) RETURNS design_answer LANGUAGE sql STABLE AS $$
    SELECT ROW(verdict, field, reasons, c.id, c.stage,
        (SELECT coalesce(json_agg(json_build_object('number', k.number, 'finding', k.finding, 'room', k.room, 'measure', k.measure,
             'kind', k.kind, 'name', k.name, 'unit', k.unit, 'quantity', trim_scale(k.quantity), 'price', k.price,
             'amount', design_amount(k.quantity, k.price)) ORDER BY k.number), '[]')
         FROM case_item k WHERE k.plan_region = c.plan_region AND k.case_id = c.id AND k.removed_at IS NULL),
        design_sources_now(c), design_dropped_now(c), d.total, d.subsidy, d.self_paid,
        (SELECT p.subsidy_ceiling FROM plan p WHERE p.id = c.plan_id),
        CASE WHEN scope_role() <> 'contractor' THEN coalesce(design_unanswered(c, design_items_now(c), design_dropped_now(c)), '{}') END,
        CASE WHEN (gate_devices_only(c))[1] IS NOT NULL THEN '{devices_only}' ELSE '{}' END::text[],
        d.note, d.account_id, d.updated_at, d.version)::design_answer
    FROM (SELECT 1) AS one LEFT JOIN case_design d ON d.plan_region = c.plan_region AND d.case_id = c.id $$;

CREATE FUNCTION design_put(wanted_id bigint, if_match int, items json, sources json, dropped json, said text) RETURNS design_answer
LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
    now_is int;
    given design_item[];
    judged record;
    verdict text;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = plan_region_of(wanted_id) AND s.id = wanted_id FOR UPDATE;
    SELECT d.version INTO now_is FROM case_design d WHERE d.plan_region = c.plan_region AND d.case_id = c.id;
    given := design_items_given(c, items);
    judged := design_judge(c, given, coalesce(sources, '[]'), coalesce(dropped, '[]'), false);
    verdict := CASE
        WHEN c.id IS NULL THEN 'not_found'
        WHEN if_match <> coalesce(now_is, 0) THEN 'stale'
        WHEN c.stage <> 'surveyed' THEN 'design_decided'
        ELSE judged.verdict END;
    IF verdict IS NULL THEN
        PERFORM design_write(c, given, coalesce(sources, '[]'), coalesce(dropped, '[]'), judged.total, judged.subsidy, said);
    END IF;
    RETURN design_show(c, verdict, judged.field, judged.reasons);
END $$;

-- --- change orders ---

-- What becomes of the items by the changes, or why nothing can.
CREATE FUNCTION change_order_items(c retrofit_case, changes json, OUT items design_item[], OUT verdict text, OUT reasons text[])
LANGUAGE plpgsql STABLE AS $$
DECLARE
    f record;
BEGIN
    WITH given AS (
        SELECT g.*, n.number AS known FROM json_to_recordset(changes) AS g (op text, number int, finding int, room text, measure text, quantity numeric, price bigint)
        LEFT JOIN unnest(design_items_now(c)) AS n ON n.number = g.number
    )
    SELECT count(g.number) FILTER (WHERE g.op <> 'add') AS named, count(DISTINCT g.number) FILTER (WHERE g.op <> 'add') AS numbers,
        array_agg(coalesce(g.number::text, '?')) FILTER (WHERE g.op <> 'add' AND g.known IS NULL) AS unknown,
        array_agg(coalesce(g.measure, '?')) FILTER (WHERE g.op = 'add' AND (g.number IS NOT NULL OR g.room IS NULL OR g.measure IS NULL
            OR g.quantity IS NULL OR g.price IS NULL)) AS incomplete,
        array_agg(g.number::text) FILTER (WHERE g.op <> 'add' AND g.measure IS NOT NULL) AS fixed
    INTO f FROM given g;
    verdict := CASE
        WHEN f.named <> f.numbers THEN 'item_twice'
        WHEN f.unknown IS NOT NULL THEN 'item_not_there'
        WHEN f.incomplete IS NOT NULL THEN 'item_incomplete'
        WHEN f.fixed IS NOT NULL THEN 'item_measure_fixed' END;
    reasons := coalesce(f.unknown, f.incomplete, f.fixed);
    SELECT design_items_given(c, json_agg(x.item)) INTO items FROM (
        SELECT json_build_object('number', n.number, 'finding', coalesce(g.finding, n.finding), 'room', coalesce(g.room, n.room),
            'measure', n.measure, 'quantity', coalesce(g.quantity, n.quantity), 'price', coalesce(g.price, n.price)) AS item
        FROM unnest(design_items_now(c)) AS n LEFT JOIN json_to_recordset(changes) AS g (op text, number int, finding int, room text,
            quantity numeric, price bigint) ON g.number = n.number AND g.op <> 'add'
        WHERE g.op IS DISTINCT FROM 'remove'
        UNION ALL
        SELECT json_build_object('finding', g.finding, 'room', g.room, 'measure', g.measure, 'quantity', g.quantity, 'price', g.price)
        FROM json_to_recordset(changes) AS g (op text, finding int, room text, measure text, quantity numeric, price bigint)
        WHERE g.op = 'add') AS x;
END $$;

-- Whether the change can be made now, and what the design is then.
CREATE FUNCTION change_order_judge(c retrofit_case, changes json, given_sources json, given_dropped json,
    OUT verdict text, OUT field text, OUT reasons text[], OUT items design_item[], OUT sources json, OUT dropped json,
    OUT total_before bigint, OUT total bigint, OUT subsidy bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    d case_design;
    changed record;
    judged record;
    below text[];
    short text[];
BEGIN
    SELECT * INTO d FROM case_design k WHERE k.plan_region = c.plan_region AND k.case_id = c.id;
    changed := change_order_items(c, changes);
    items := changed.items;
    sources := coalesce(given_sources, design_sources_now(c));
    SELECT coalesce(json_agg(x.one), '[]') INTO dropped FROM (
        SELECT one FROM json_array_elements(design_dropped_now(c)) AS one
        UNION ALL SELECT one FROM json_array_elements(given_dropped) AS one) AS x;
    judged := design_judge(c, items, sources, dropped, true);
    total_before := d.total;
    total := judged.total;
    subsidy := judged.subsidy;
    below := ledger_below_paid(c, sources, total - subsidy);
    IF changed.verdict IS NULL AND judged.verdict IS NULL AND d.budget_year IS NOT NULL THEN
        short := design_short(c, sources, d.budget_year);
    END IF;
    verdict := CASE
        WHEN c.stage NOT IN ('designed', 'assigned', 'building') THEN 'change_not_now'
        WHEN d.case_id IS NULL THEN 'design_missing'
        WHEN json_array_length(changes) = 0 AND given_sources IS NULL AND json_array_length(coalesce(given_dropped, '[]')) = 0 THEN 'change_empty'
        WHEN changed.verdict IS NOT NULL THEN changed.verdict
        WHEN judged.verdict IS NOT NULL THEN judged.verdict
        WHEN below IS NOT NULL THEN 'below_paid'
        WHEN short IS NOT NULL THEN 'budget_exceeded' END;
    field := CASE WHEN verdict = judged.verdict THEN judged.field WHEN verdict IN ('below_paid', 'budget_exceeded') THEN '/sources' ELSE '/items' END;
    reasons := CASE WHEN verdict = changed.verdict THEN changed.reasons WHEN verdict = judged.verdict THEN judged.reasons
                    WHEN verdict = 'below_paid' THEN below WHEN verdict = 'budget_exceeded' THEN short END;
END $$;

CREATE TYPE change_order_answer AS (
    _verdict text, _field text, _reasons text[], id bigint, "case" bigint, state text, reason text, items json, sources json, dropped json,
    total_before bigint, total_after bigint, proposed_by bigint, proposed_at timestamptz, decided_by bigint, decided_at timestamptz,
    note text, version int);
CREATE FUNCTION change_order_show(o change_order, verdict text, field text, reasons text[]) RETURNS change_order_answer LANGUAGE sql STABLE AS $$
    SELECT ROW(verdict, field, reasons, o.id, o.case_id, o.state, o.reason, o.items, o.sources, o.dropped, o.total_before, o.total_after,
               o.proposed_by, o.proposed_at, o.decided_by, o.decided_at, o.note, o.version)::change_order_answer $$;

CREATE FUNCTION change_order_propose(wanted_id bigint, said text, changes json, given_sources json, given_dropped json) RETURNS change_order_answer
LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
    o change_order;
    judged record;
    verdict text;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = plan_region_of(wanted_id) AND s.id = wanted_id FOR UPDATE;
    judged := change_order_judge(c, coalesce(changes, '[]'), given_sources, given_dropped);
    verdict := CASE
        WHEN c.id IS NULL THEN 'not_found'
        WHEN EXISTS (SELECT FROM change_order p WHERE p.plan_region = c.plan_region AND p.case_id = c.id AND p.state = 'pending') THEN 'change_pending'
        ELSE judged.verdict END;
    IF verdict IS NULL THEN
        INSERT INTO change_order (plan_region, id, case_id, reason, items, sources, dropped, total_before, total_after, proposed_by)
        VALUES (c.plan_region, id_in(c.plan_region, 'change_order_number'), c.id, said, coalesce(changes, '[]'), given_sources, given_dropped,
                judged.total_before, judged.total, scope_account()) RETURNING * INTO o;
    END IF;
    RETURN change_order_show(o, verdict, judged.field, judged.reasons);
END $$;

-- Another than who proposed it decides. What was sound when it was proposed is judged again.
CREATE FUNCTION change_order_decide(wanted_id bigint, if_match int, decision text, said text) RETURNS change_order_answer
LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
    o change_order;
    judged record;
    verdict text;
BEGIN
    SELECT s.* INTO c FROM change_order p JOIN retrofit_case s ON s.plan_region = p.plan_region AND s.id = p.case_id
    WHERE p.plan_region = plan_region_of(wanted_id) AND p.id = wanted_id FOR UPDATE OF s;
    SELECT * INTO o FROM change_order p WHERE p.plan_region = plan_region_of(wanted_id) AND p.id = wanted_id;
    judged := change_order_judge(c, o.items, o.sources, o.dropped);
    verdict := CASE
        WHEN o.id IS NULL THEN 'not_found'
        WHEN if_match <> o.version THEN 'stale'
        WHEN o.state <> 'pending' THEN 'change_decided'
        WHEN o.proposed_by = scope_account() THEN 'own_proposal'
        WHEN decision = 'reject' AND coalesce(btrim(said), '') = '' THEN 'note_required'
        WHEN decision = 'approve' THEN judged.verdict END;
    IF verdict IS NULL THEN
        UPDATE change_order p SET state = CASE decision WHEN 'approve' THEN 'approved' ELSE 'rejected' END, decided_by = scope_account(),
            decided_at = now(), note = coalesce(said, ''), version = p.version + 1,
            total_after = CASE decision WHEN 'approve' THEN judged.total ELSE p.total_after END
        WHERE p.plan_region = o.plan_region AND p.id = o.id RETURNING * INTO o;
        IF decision = 'approve' THEN
            PERFORM design_write(c, judged.items, judged.sources, judged.dropped, judged.total, judged.subsidy, NULL);
        END IF;
    END IF;
    RETURN change_order_show(o, verdict, CASE WHEN verdict = 'note_required' THEN '/note' ELSE '/decision' END,
                             CASE WHEN verdict = judged.verdict THEN judged.reasons END);
END $$;
