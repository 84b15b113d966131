-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- The design of a case and its money: subsidies, change orders, the ledger. All money is in 分.
-- Invariant: what the ledger says of a case is what its stage, its design and its payments say (ledger_settle makes it so,
-- in the transaction of whatever changed one of them).

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

-- --- the ledger ---
-- Each amount goes source → committed (designed) → payable (accepted) → paid; an entry is positive where it arrives and negative
-- where it leaves, so a transaction sums to zero, and so does the whole. Each entry says of which source (household: the self-paid
-- part), for which contractor (0: none yet), where, and of which year's budget.

CREATE SEQUENCE ledger_number;
CREATE TABLE ledger_transaction (
    plan_region int NOT NULL,
    id          bigint NOT NULL, -- id_in(plan_region, 'ledger_number')
    plan_id     smallint NOT NULL,
    case_id     bigint NOT NULL,
    kind        text NOT NULL, -- commitment transfer change acceptance revocation withdrawal take_back payment reversal
    day         date NOT NULL, -- when it happened
    recorded_at timestamptz NOT NULL DEFAULT now(),
    account_id  bigint,
    payment     bigint,
    PRIMARY KEY (plan_region, id)
);
CREATE INDEX ledger_transaction_by_case ON ledger_transaction (plan_region, case_id, id);
CREATE TABLE ledger_entry (
    plan_region    int NOT NULL,
    transaction_id bigint NOT NULL,
    line           smallint NOT NULL,
    plan_id        smallint NOT NULL,
    case_id        bigint NOT NULL,
    region         int NOT NULL,
    year           smallint NOT NULL,
    contractor_id  bigint NOT NULL,
    source         text NOT NULL,
    account        text NOT NULL CHECK (account IN ('source', 'committed', 'payable', 'paid')),
    amount         bigint NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (plan_region, transaction_id, line),
    FOREIGN KEY (plan_region, transaction_id) REFERENCES ledger_transaction
);
CREATE INDEX ledger_entry_by_case ON ledger_entry (plan_region, case_id, transaction_id);
-- What follows is made of the entries by ledger_counts: of each case, and of all by what they can be asked for, so that no question
-- costs more for more cases. (Deltas are folded by a job, as those of totals: else all writers of a county would wait for one row.)
CREATE TABLE ledger_case (
    plan_region int NOT NULL,
    case_id     bigint NOT NULL,
    plan_id     smallint NOT NULL,
    region      int NOT NULL,
    committed   bigint NOT NULL,
    payable     bigint NOT NULL,
    paid        bigint NOT NULL,
    PRIMARY KEY (plan_region, case_id)
) WITH (fillfactor = 80);
CREATE INDEX ledger_case_by_region ON ledger_case (plan_id, region, case_id);
-- region: every level from township to province. kind: all ('', year 0), contractor (its id, year 0), source (its code, by year).
CREATE TABLE ledger_total (
    plan_id  smallint NOT NULL,
    region   int NOT NULL,
    kind     text NOT NULL,
    key      text NOT NULL,
    year     smallint NOT NULL,
    account  text NOT NULL,
    amount   bigint NOT NULL,
    PRIMARY KEY (plan_id, region, kind, key, year, account)
) WITH (fillfactor = 50);
CREATE TABLE ledger_delta (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id       smallint NOT NULL,
    region        int NOT NULL,
    year          smallint NOT NULL,
    contractor_id bigint NOT NULL,
    source        text NOT NULL,
    account       text NOT NULL,
    amount        bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 100000);
CREATE INDEX ledger_delta_by_region ON ledger_delta (plan_id, region);

-- Nothing in the ledger is ever changed or taken out, not even by the owner: a mistake is reversed.
CREATE FUNCTION ledger_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'TT003';
END $$;
CREATE TRIGGER stands BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transaction FOR EACH STATEMENT EXECUTE FUNCTION ledger_stands();
CREATE TRIGGER stands BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry FOR EACH STATEMENT EXECUTE FUNCTION ledger_stands();

CREATE FUNCTION ledger_balances() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    rest bigint := (SELECT sum(e.amount) FROM ledger_entry e WHERE e.plan_region = NEW.plan_region AND e.transaction_id = NEW.transaction_id);
BEGIN
    IF rest <> 0 THEN
        RAISE EXCEPTION 'ledger transaction % is out of balance by %', NEW.transaction_id, rest USING ERRCODE = 'TT003';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER balances AFTER INSERT ON ledger_entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger_balances();

CREATE FUNCTION ledger_counts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO ledger_delta (plan_id, region, year, contractor_id, source, account, amount)
    SELECT e.plan_id, e.region, e.year, e.contractor_id, e.source, e.account, sum(e.amount) FROM fresh e
    GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(e.amount) <> 0;
    INSERT INTO ledger_case AS k (plan_region, case_id, plan_id, region, committed, payable, paid)
    SELECT e.plan_region, e.case_id, e.plan_id, max(e.region), coalesce(sum(e.amount) FILTER (WHERE e.account = 'committed'), 0),
           coalesce(sum(e.amount) FILTER (WHERE e.account = 'payable'), 0), coalesce(sum(e.amount) FILTER (WHERE e.account = 'paid'), 0)
    FROM fresh e GROUP BY 1, 2, 3 ORDER BY 1, 2
    ON CONFLICT (plan_region, case_id) DO UPDATE SET committed = k.committed + excluded.committed, payable = k.payable + excluded.payable,
        paid = k.paid + excluded.paid;
    RETURN NULL;
END $$;
CREATE TRIGGER counts AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION ledger_counts();

CREATE FUNCTION ledger_levels(place int) RETURNS SETOF int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT DISTINCT v.region FROM (VALUES (place), (place / 1000 * 1000), (place / 100000 * 100000), (place / 10000000 * 10000000)) AS v (region) $$;
CREATE FUNCTION ledger_groupings(contractor_id bigint, source text, of_year smallint, OUT kind text, OUT key text, OUT year smallint) RETURNS SETOF record
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    VALUES ('all', '', 0::smallint), ('contractor', contractor_id::text, 0::smallint), ('source', source, of_year) $$;

-- Moves up to `most` deltas into the totals; answers how many.
CREATE FUNCTION ledger_fold(most int) RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH taken AS (
        DELETE FROM ledger_delta WHERE id IN (SELECT id FROM ledger_delta ORDER BY id LIMIT most FOR UPDATE SKIP LOCKED) RETURNING *
    ), folded AS (
        INSERT INTO ledger_total AS t (plan_id, region, kind, key, year, account, amount)
        SELECT d.plan_id, up.region, g.kind, g.key, g.year, d.account, sum(d.amount) FROM taken d
        CROSS JOIN LATERAL ledger_levels(d.region) AS up (region)
        CROSS JOIN LATERAL ledger_groupings(d.contractor_id, d.source, d.year) AS g
        GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(d.amount) <> 0 ORDER BY 1, 2, 3, 4, 5, 6
        ON CONFLICT (plan_id, region, kind, key, year, account) DO UPDATE SET amount = t.amount + excluded.amount
    )
    SELECT count(*) FROM taken $$;
INSERT INTO job (queue, kind, unique_key, schedule, max_attempts) VALUES ('totals', 'ledger_fold', 'ledger_fold', 'every 2 seconds', 1000000);

-- Which account holds what a case in this stage owes; NULL: it owes nothing.
CREATE FUNCTION ledger_account(stage text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN stage IN ('designed', 'assigned', 'building', 'built', 'rework') THEN 'committed'
                WHEN stage IN ('accepted', 'closed') THEN 'payable' END $$;

-- Makes the ledger say of the case what its stage, its design and its payments say: posts the difference, if there is one.
CREATE FUNCTION ledger_settle(c retrofit_case, why text, happened date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    d case_design;
    held text := ledger_account(coalesce(c.resume_stage, c.stage));
    budget smallint;
BEGIN
    SELECT * INTO d FROM case_design k WHERE k.plan_region = c.plan_region AND k.case_id = c.id;
    IF d.case_id IS NULL OR (held IS NULL AND NOT EXISTS (SELECT FROM ledger_case k
        WHERE k.plan_region = c.plan_region AND k.case_id = c.id AND (k.committed <> 0 OR k.payable <> 0))) THEN
        RETURN;
    END IF;
    budget := CASE WHEN held IS NOT NULL THEN coalesce(d.budget_year, extract(year FROM happened)::smallint) END;
    IF budget IS DISTINCT FROM d.budget_year THEN
        UPDATE case_design k SET budget_year = budget WHERE k.plan_region = c.plan_region AND k.case_id = c.id;
    END IF;
    WITH standing AS (
        SELECT e.region, e.year, e.contractor_id, e.source, e.account, sum(e.amount) AS amount FROM ledger_entry e
        WHERE e.plan_region = c.plan_region AND e.case_id = c.id GROUP BY 1, 2, 3, 4, 5
    ), owed AS (
        SELECT s.source, s.amount - coalesce((SELECT sum(p.amount) FROM standing p WHERE p.account = 'paid' AND p.source = s.source), 0) AS amount
        FROM (SELECT k.source, k.amount FROM case_subsidy k WHERE k.plan_region = c.plan_region AND k.case_id = c.id
              UNION ALL SELECT 'household', d.self_paid) AS s WHERE held IS NOT NULL
    ), differs AS (
        SELECT u.region, u.year, u.contractor_id, u.source, u.account, sum(u.amount) AS amount FROM (
            SELECT c.region, budget AS year, coalesce(c.contractor_id, 0) AS contractor_id, o.source, held AS account, o.amount FROM owed o WHERE o.amount > 0
            UNION ALL SELECT s.region, s.year, s.contractor_id, s.source, s.account, -s.amount FROM standing s
                WHERE s.account IN ('committed', 'payable')) AS u
        GROUP BY 1, 2, 3, 4, 5 HAVING sum(u.amount) <> 0
    ), posting AS (
        SELECT * FROM differs
        UNION ALL SELECT f.region, f.year, f.contractor_id, f.source, 'source', -sum(f.amount) FROM differs f
            GROUP BY 1, 2, 3, 4 HAVING sum(f.amount) <> 0
    ), made AS (
        INSERT INTO ledger_transaction (plan_region, id, plan_id, case_id, kind, day, account_id)
        SELECT c.plan_region, id_in(c.plan_region, 'ledger_number'), c.plan_id, c.id, why, happened, scope_account()
        WHERE EXISTS (SELECT FROM posting) RETURNING id
    )
    INSERT INTO ledger_entry (plan_region, transaction_id, line, plan_id, case_id, region, year, contractor_id, source, account, amount)
    SELECT c.plan_region, m.id, row_number() OVER (ORDER BY p.source, p.amount, p.region, p.contractor_id), c.plan_id, c.id, p.region, p.year,
           p.contractor_id, p.source, p.account, p.amount FROM made m, posting p;
    UPDATE ledger_case k SET region = c.region WHERE k.plan_region = c.plan_region AND k.case_id = c.id AND k.region <> c.region;
END $$;

CREATE OR REPLACE FUNCTION money_follows(was retrofit_case, becomes retrofit_case, kind text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM ledger_settle(becomes, CASE
        WHEN kind = 'take_back' THEN 'take_back'
        WHEN kind = 'revoke' THEN 'revocation'
        WHEN becomes.stage = 'withdrawn' THEN 'withdrawal'
        WHEN becomes.stage = 'accepted' THEN 'acceptance'
        WHEN was.stage = 'surveyed' THEN 'commitment'
        ELSE 'transfer' END, CASE WHEN kind IN ('take_back', 'keep') THEN china_date(now()) ELSE china_date(becomes.stage_at) END);
END $$;

-- The design of a decided case has changed (by a change order; nothing else may).
CREATE FUNCTION design_follows() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    c retrofit_case;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = NEW.plan_region AND s.id = NEW.case_id;
    PERFORM ledger_settle(c, 'change', china_date(now()));
    RETURN NULL;
END $$;
CREATE TRIGGER design_follows AFTER UPDATE OF version ON case_design FOR EACH ROW EXECUTE FUNCTION design_follows();

-- What a county has committed of a source in a year, but for one case.
CREATE FUNCTION ledger_used(wanted_plan smallint, wanted_source text, county int, wanted_year smallint, but_case bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce((SELECT sum(e.amount) FROM ledger_entry e WHERE e.plan_region = plan_region_of(but_case) AND e.case_id = but_case
               AND e.source = wanted_source AND e.account = 'source' AND e.year = wanted_year
               AND e.region BETWEEN county AND county + 999), 0)::bigint
         - coalesce((SELECT sum(t.amount) FROM ledger_total t WHERE t.plan_id = wanted_plan AND t.region = county
               AND t.kind = 'source' AND t.key = wanted_source AND t.year = wanted_year AND t.account = 'source'), 0)::bigint
         - coalesce((SELECT sum(d.amount) FROM ledger_delta d WHERE d.plan_id = wanted_plan AND d.region BETWEEN county AND county + 999
               AND d.year = wanted_year AND d.source = wanted_source AND d.account = 'source'), 0)::bigint $$;

-- The sources whose budget does not suffice for what they are to give the case, and what is left of it. Budgets are locked, so that
-- two cases do not take the same rest.
CREATE FUNCTION design_short(c retrofit_case, sources json, wanted_year int) RETURNS text[]
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    b record;
    left_over bigint;
    short text[];
BEGIN
    FOR b IN SELECT u.source, u.county, u.year, u.amount, s.name_zh, g.amount AS wanted
        FROM subsidy_budget u JOIN subsidy_source s ON s.plan_id = u.plan_id AND s.code = u.source
        JOIN json_to_recordset(sources) AS g (source text, amount bigint) ON g.source = u.source
        WHERE u.plan_id = c.plan_id AND u.county = c.region / 1000 * 1000 AND u.year = wanted_year ORDER BY u.source FOR UPDATE OF u
    LOOP
        left_over := b.amount - ledger_used(c.plan_id, b.source, b.county, b.year, c.id);
        IF b.wanted > left_over THEN
            short := short || (b.name_zh || ' ' || left_over);
        END IF;
    END LOOP;
    RETURN short;
END $$;

CREATE OR REPLACE FUNCTION gate_design(c retrofit_case, day date) RETURNS text[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    d case_design;
    judged record;
    short text[];
    verdict text;
BEGIN
    SELECT * INTO d FROM case_design k WHERE k.plan_region = c.plan_region AND k.case_id = c.id;
    judged := design_judge(c, design_items_now(c), design_sources_now(c), design_dropped_now(c), true);
    IF judged.verdict IS NULL THEN
        short := design_short(c, design_sources_now(c), extract(year FROM day)::int);
    END IF;
    verdict := CASE
        WHEN d.case_id IS NULL THEN 'design_missing'
        WHEN judged.verdict IS NOT NULL THEN judged.verdict
        WHEN (d.total, d.subsidy) IS DISTINCT FROM (judged.total, judged.subsidy) THEN 'design_unbalanced'
        WHEN short IS NOT NULL THEN 'budget_exceeded' END;
    RETURN verdict || CASE verdict WHEN 'budget_exceeded' THEN short ELSE judged.reasons END;
END $$;

-- --- payments ---

CREATE SEQUENCE payment_number;
CREATE TABLE payment (
    plan_region   int NOT NULL,
    id            bigint NOT NULL, -- id_in(plan_region, 'payment_number')
    case_id       bigint NOT NULL,
    source        text NOT NULL,   -- household: the receipt of the self-paid part
    contractor_id bigint NOT NULL, -- 0: there is none
    amount        bigint NOT NULL CHECK (amount > 0),
    paid_on       date NOT NULL,
    reference     text NOT NULL,   -- of the bank's voucher
    note          text NOT NULL DEFAULT '',
    reverses      bigint,          -- the payment that this one takes back
    account_id    bigint NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, id),
    UNIQUE (plan_region, reverses),
    FOREIGN KEY (plan_region, case_id) REFERENCES retrofit_case,
    FOREIGN KEY (plan_region, reverses) REFERENCES payment
);
CREATE INDEX payment_by_case ON payment (plan_region, case_id, id);
GRANT USAGE ON payment_number TO tantu_app;
GRANT SELECT, INSERT ON payment TO tantu_app;
ALTER TABLE payment ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON payment FOR SELECT USING (EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = payment.plan_region AND c.id = payment.case_id));
CREATE POLICY adding ON payment FOR INSERT WITH CHECK ((SELECT scope_role()) IN ('county', 'manager') AND account_id = (SELECT scope_account())
    AND EXISTS (SELECT FROM retrofit_case c WHERE c.plan_region = payment.plan_region AND c.id = payment.case_id));

-- What can be paid to the contractor of one source; where: the part of the ledger it is in.
CREATE FUNCTION ledger_payable(wanted_region int, wanted_case bigint, wanted_source text, wanted_contractor bigint,
    OUT amount bigint, OUT region int, OUT year smallint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT sum(e.amount)::bigint, e.region, e.year FROM ledger_entry e
    WHERE e.plan_region = wanted_region AND e.case_id = wanted_case AND e.source = wanted_source AND e.contractor_id = wanted_contractor
      AND e.account = 'payable' GROUP BY e.region, e.year HAVING sum(e.amount) > 0 LIMIT 1 $$;

-- A payment and its posting are one: there is no other way to either.
CREATE FUNCTION payment_posts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    c retrofit_case;
    place record;
    posted bigint := id_in(NEW.plan_region, 'ledger_number');
    sign int := CASE WHEN NEW.reverses IS NULL THEN 1 ELSE -1 END;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = NEW.plan_region AND s.id = NEW.case_id FOR UPDATE;
    IF NEW.reverses IS NULL THEN
        SELECT * INTO place FROM ledger_payable(NEW.plan_region, NEW.case_id, NEW.source, NEW.contractor_id);
    ELSE
        SELECT p.amount, e.region, e.year INTO place FROM payment p
        JOIN ledger_transaction t ON t.plan_region = p.plan_region AND t.case_id = p.case_id AND t.payment = p.id
        JOIN ledger_entry e ON e.plan_region = t.plan_region AND e.transaction_id = t.id AND e.account = 'paid'
        WHERE p.plan_region = NEW.plan_region AND p.id = NEW.reverses AND p.reverses IS NULL AND p.case_id = NEW.case_id
          AND p.source = NEW.source AND p.contractor_id = NEW.contractor_id AND p.amount = NEW.amount;
    END IF;
    IF place.amount IS NULL OR place.amount < NEW.amount THEN
        RAISE EXCEPTION 'payment of % where % is payable', NEW.amount, coalesce(place.amount, 0) USING ERRCODE = 'TT003';
    END IF;
    INSERT INTO ledger_transaction (plan_region, id, plan_id, case_id, kind, day, account_id, payment)
    VALUES (NEW.plan_region, posted, c.plan_id, NEW.case_id, CASE sign WHEN 1 THEN 'payment' ELSE 'reversal' END, NEW.paid_on, NEW.account_id, NEW.id);
    INSERT INTO ledger_entry (plan_region, transaction_id, line, plan_id, case_id, region, year, contractor_id, source, account, amount)
    SELECT NEW.plan_region, posted, x.line, c.plan_id, NEW.case_id, place.region, place.year, NEW.contractor_id, NEW.source, x.account, x.amount
    FROM (VALUES (1, 'payable', -sign * NEW.amount), (2, 'paid', sign * NEW.amount)) AS x (line, account, amount);
    PERFORM ledger_settle(c, 'transfer', NEW.paid_on); -- of a reversal: what is payable again may have to be elsewhere by now
    RETURN NULL;
END $$;
CREATE TRIGGER payment_posts AFTER INSERT ON payment FOR EACH ROW EXECUTE FUNCTION payment_posts();

CREATE TYPE payment_answer AS (
    _verdict text, _field text, _reasons text[], id bigint, "case" bigint, source text, contractor text, amount bigint, paid_on date,
    reference text, note text, reverses bigint, recorded_by bigint, recorded_at timestamptz);
CREATE FUNCTION payment_show(p payment, verdict text, field text, reasons text[]) RETURNS payment_answer LANGUAGE sql STABLE AS $$
    SELECT ROW(verdict, field, reasons, p.id, p.case_id, p.source, (SELECT k.code FROM contractor k WHERE k.id = p.contractor_id), p.amount,
               p.paid_on, p.reference, p.note, p.reverses, p.account_id, p.recorded_at)::payment_answer $$;

CREATE FUNCTION payment_record(wanted_id bigint, wanted_source text, contractor text, wanted bigint, wanted_on date, voucher text, said text)
RETURNS payment_answer LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
    p payment;
    builder bigint;
    open record;
    verdict text;
BEGIN
    SELECT * INTO c FROM retrofit_case s WHERE s.plan_region = plan_region_of(wanted_id) AND s.id = wanted_id FOR UPDATE;
    builder := CASE WHEN contractor IS NULL THEN coalesce(c.contractor_id, 0) ELSE (SELECT k.id FROM contractor k WHERE k.code = contractor) END;
    SELECT * INTO open FROM ledger_payable(c.plan_region, c.id, wanted_source, builder);
    verdict := CASE
        WHEN c.id IS NULL THEN 'not_found'
        WHEN builder IS NULL THEN 'contractor_unknown'
        WHEN wanted_source <> 'household' AND NOT EXISTS (SELECT FROM case_subsidy s WHERE s.plan_region = c.plan_region AND s.case_id = c.id
            AND s.source = wanted_source) THEN 'payment_source_unknown'
        WHEN wanted_on > china_date(now()) THEN 'paid_in_future'
        WHEN EXISTS (SELECT FROM payment k WHERE k.plan_region = c.plan_region AND k.case_id = c.id AND k.source = wanted_source
            AND k.reference = voucher AND k.reverses IS NULL AND NOT EXISTS (SELECT FROM payment r
                WHERE r.plan_region = k.plan_region AND r.reverses = k.id)) THEN 'payment_twice'
        WHEN open.amount IS NULL THEN 'nothing_payable'
        WHEN wanted > open.amount THEN 'payment_exceeds_payable' END;
    IF verdict IS NULL THEN
        INSERT INTO payment (plan_region, id, case_id, source, contractor_id, amount, paid_on, reference, note, account_id)
        VALUES (c.plan_region, id_in(c.plan_region, 'payment_number'), c.id, wanted_source, builder, wanted, wanted_on, voucher,
                coalesce(said, ''), scope_account()) RETURNING * INTO p;
    END IF;
    RETURN payment_show(p, verdict, NULL, CASE verdict WHEN 'payment_exceeds_payable' THEN ARRAY[open.amount::text] END);
END $$;

CREATE FUNCTION payment_reverse(wanted_id bigint, said text) RETURNS payment_answer LANGUAGE plpgsql AS $$
DECLARE
    c retrofit_case;
    p payment;
    back payment;
    verdict text;
BEGIN
    SELECT s.* INTO c FROM payment k JOIN retrofit_case s ON s.plan_region = k.plan_region AND s.id = k.case_id
    WHERE k.plan_region = plan_region_of(wanted_id) AND k.id = wanted_id FOR UPDATE OF s;
    SELECT * INTO p FROM payment k WHERE k.plan_region = c.plan_region AND k.id = wanted_id;
    verdict := CASE
        WHEN p.id IS NULL THEN 'not_found'
        WHEN p.reverses IS NOT NULL OR EXISTS (SELECT FROM payment k WHERE k.plan_region = p.plan_region AND k.reverses = p.id)
            THEN 'payment_reversed' END;
    IF verdict IS NULL THEN
        INSERT INTO payment (plan_region, id, case_id, source, contractor_id, amount, paid_on, reference, note, reverses, account_id)
        VALUES (p.plan_region, id_in(p.plan_region, 'payment_number'), p.case_id, p.source, p.contractor_id, p.amount, china_date(now()),
                p.reference, said, p.id, scope_account()) RETURNING * INTO back;
    END IF;
    RETURN payment_show(back, verdict, NULL, NULL);
END $$;

-- The sources of which more was paid than they would give.
CREATE FUNCTION ledger_below_paid(c retrofit_case, sources json, self_paid bigint) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT array_agg(p.source || ' ' || p.amount ORDER BY p.source) FROM (
        SELECT e.source, sum(e.amount) AS amount FROM ledger_entry e
        WHERE e.plan_region = c.plan_region AND e.case_id = c.id AND e.account = 'paid' GROUP BY 1) AS p
    WHERE p.amount > CASE WHEN p.source = 'household' THEN self_paid ELSE coalesce((SELECT g.amount
        FROM json_to_recordset(sources) AS g (source text, amount bigint) WHERE g.source = p.source LIMIT 1), 0) END $$;

GRANT SELECT ON ledger_transaction, ledger_entry, ledger_case, ledger_total, ledger_delta TO tantu_app;
ALTER TABLE ledger_transaction ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_case ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_total ENABLE ROW LEVEL SECURITY;
ALTER TABLE ledger_delta ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON ledger_transaction FOR SELECT USING ((SELECT scope_sees_region()) AND EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = ledger_transaction.plan_region AND c.id = ledger_transaction.case_id));
CREATE POLICY scope ON ledger_entry FOR SELECT USING ((SELECT scope_sees_region()) AND EXISTS (
    SELECT FROM retrofit_case c WHERE c.plan_region = ledger_entry.plan_region AND c.id = ledger_entry.case_id));
CREATE POLICY scope ON ledger_case FOR SELECT USING (
    (SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY scope ON ledger_total FOR SELECT USING (
    (SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY scope ON ledger_delta FOR SELECT USING (
    (SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
REVOKE EXECUTE ON FUNCTION ledger_settle, ledger_used, ledger_payable, ledger_below_paid, design_short, ledger_fold FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_payable, ledger_below_paid, design_short, ledger_fold TO tantu_app;
