-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Keeping the catalogue of devices: centres and their place, classes and what they are in other editions, models, terms of plans.

-- Where a centre lies is written on its items, requests and handovers: it stays once there are any, whoever writes.
CREATE FUNCTION centre_in_use(wanted bigint) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM device_item i WHERE i.centre_id = wanted) OR EXISTS (SELECT FROM device_item i WHERE i.bound_for = wanted)
        OR EXISTS (SELECT FROM device_request r WHERE r.centre_id = wanted) OR EXISTS (SELECT FROM handover h WHERE h.centre_id = wanted)
        OR EXISTS (SELECT FROM device_transfer t WHERE t.from_centre = wanted) OR EXISTS (SELECT FROM device_transfer t WHERE t.to_centre = wanted) $$;
CREATE FUNCTION centre_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.plan_region, NEW.region) IS DISTINCT FROM (OLD.plan_region, OLD.region) AND centre_in_use(OLD.id) THEN
        RAISE EXCEPTION 'centre %: centre_in_use', OLD.id USING ERRCODE = 'TT005';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stays BEFORE UPDATE OF plan_region, region ON centre FOR EACH ROW EXECUTE FUNCTION centre_stays();

-- An office keeps the centres that lie in its region; one without a place is the administrator's, who made it with its account.
ALTER TABLE centre ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON centre FOR SELECT USING (true);
CREATE FUNCTION scope_places(region int) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE scope_role() WHEN 'admin' THEN true WHEN 'system' THEN true
                WHEN 'county' THEN region BETWEEN scope_low() AND scope_high()
                WHEN 'manager' THEN region BETWEEN scope_low() AND scope_high() ELSE false END IS TRUE $$;
CREATE POLICY adding ON centre FOR INSERT WITH CHECK (scope_places(region));
CREATE POLICY changing ON centre FOR UPDATE USING (scope_places(region));

CREATE TYPE centre_answer AS (
    _verdict text, id bigint, code text, name text, plan text, region text, address text, phone text, version int);
CREATE FUNCTION centre_shown(c centre, verdict text) RETURNS centre_answer LANGUAGE sql STABLE AS $$
    SELECT (verdict, c.id, c.code, c.name, (SELECT p.code FROM plan p WHERE p.id = device_plan_of(c.plan_region, china_date(now()))),
        region_label(c.region), c.address, c.phone, c.version)::centre_answer $$;

-- A new centre, or another place and name of one.
CREATE FUNCTION centre_put(wanted text, if_match int, of_plan text, of_region text, called text, lies_at text, rings text) RETURNS centre_answer
LANGUAGE plpgsql AS $$
DECLARE
    c centre;
    p plan;
    spot int := region_of(of_region);
    verdict text;
BEGIN
    SELECT * INTO p FROM plan s WHERE s.code = of_plan;
    SELECT * INTO c FROM centre s WHERE s.code = wanted;
    verdict := CASE
        WHEN c.id IS NULL AND if_match IS NOT NULL THEN 'not_found'
        WHEN c.id IS NOT NULL AND NOT scope_places(c.region) THEN 'region_foreign'
        WHEN c.id IS NULL AND wanted !~ '^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$' THEN 'centre_code_invalid'
        WHEN p.id IS NULL THEN 'plan_unknown'
        WHEN spot IS NULL THEN 'region_unknown'
        WHEN NOT EXISTS (SELECT FROM region r WHERE r.place = p.region AND spot BETWEEN r.place AND r.high) THEN 'region_not_within'
        WHEN NOT scope_places(spot) THEN 'region_foreign' END;
    IF verdict IS NULL AND c.id IS NULL THEN
        INSERT INTO centre (code, name, plan_region, region, address, phone)
        VALUES (wanted, called, p.region, spot, coalesce(lies_at, ''), coalesce(rings, '')) ON CONFLICT (code) DO NOTHING RETURNING * INTO c;
        RETURN centre_shown(c, CASE WHEN c.id IS NULL THEN 'stale' END);
    ELSIF verdict IS NULL THEN
        -- (Items refer to it: they wait for this lock, and this one for theirs.)
        SELECT * INTO c FROM centre s WHERE s.id = c.id FOR UPDATE;
        verdict := CASE
            WHEN c.id IS NULL OR if_match <> c.version THEN 'stale'
            WHEN (c.plan_region, c.region) IS DISTINCT FROM (p.region, spot) AND centre_in_use(c.id) THEN 'centre_in_use' END;
    END IF;
    IF verdict IS NULL THEN
        UPDATE centre s SET plan_region = p.region, region = spot, name = called, address = coalesce(lies_at, ''), phone = coalesce(rings, ''),
            version = s.version + 1 WHERE s.id = c.id RETURNING * INTO c;
    END IF;
    RETURN centre_shown(c, verdict);
END $$;

-- A class is written scheme/edition/code: iso9999/2016/122203.
CREATE FUNCTION device_class_label(scheme text, edition text, code text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT scheme || '/' || edition || '/' || code $$;
CREATE FUNCTION device_class_of(label text) RETURNS device_class LANGUAGE sql STABLE AS $$
    SELECT c FROM device_class c WHERE c.scheme = split_part(label, '/', 1) AND c.edition = split_part(label, '/', 2)
        AND c.code = split_part(label, '/', 3) AND label = device_class_label(c.scheme, c.edition, c.code) $$;

CREATE TYPE device_class_answer AS (
    _verdict text, scheme text, edition text, code text, class text, name_zh text, name_ko text, name_en text, version int);
CREATE FUNCTION device_class_shown(c device_class, verdict text) RETURNS device_class_answer LANGUAGE sql STABLE AS $$
    SELECT (verdict, c.scheme, c.edition, c.code, device_class_label(c.scheme, c.edition, c.code),
        c.name_zh, c.name_ko, c.name_en, c.version)::device_class_answer $$;
CREATE FUNCTION device_class_put(of_scheme text, of_edition text, wanted text, if_match int, zh text, ko text, en text) RETURNS device_class_answer
LANGUAGE plpgsql AS $$
DECLARE
    c device_class;
    verdict text;
BEGIN
    SELECT * INTO c FROM device_class s WHERE (s.scheme, s.edition, s.code) = (of_scheme, of_edition, wanted) FOR UPDATE;
    verdict := CASE
        WHEN scope_role() IS DISTINCT FROM 'admin' THEN 'role_not_allowed'
        WHEN c.code IS NULL AND if_match IS NOT NULL THEN 'not_found'
        WHEN of_scheme !~ '^[a-z0-9_-]{1,32}$' OR of_edition !~ '^[0-9]{4}$' OR wanted !~ '^[0-9]{2,8}$' THEN 'class_invalid'
        WHEN if_match <> c.version THEN 'stale' END;
    IF verdict IS NULL THEN
        INSERT INTO device_class AS s (scheme, edition, code, name_zh, name_ko, name_en)
        VALUES (of_scheme, of_edition, wanted, zh, coalesce(ko, zh), coalesce(en, zh))
        ON CONFLICT (scheme, edition, code) DO UPDATE SET name_zh = excluded.name_zh, name_ko = excluded.name_ko, name_en = excluded.name_en,
            version = s.version + 1 RETURNING * INTO c;
    END IF;
    RETURN device_class_shown(c, verdict);
END $$;

CREATE TYPE device_model_answer AS (
    _verdict text, _field text, code text, measure text, name_zh text, name_ko text, name_en text, maker text, class text, service_months int,
    price bigint, subsidy bigint, rent bigint, rent_subsidy bigint, deposit bigint, loan_hours int, retired_at timestamptz, version int);
CREATE FUNCTION device_model_shown(m device_model, verdict text, field text) RETURNS device_model_answer LANGUAGE sql STABLE AS $$
    SELECT (verdict, field, m.code, m.measure, m.name_zh, m.name_ko, m.name_en, m.maker,
        device_class_label(m.class_scheme, m.class_edition, m.class_code), m.service_months, m.price, m.subsidy, m.rent, m.rent_subsidy,
        m.deposit, m.loan_hours, m.retired_at, m.version)::device_model_answer $$;

-- Why a model may not be as `m` says; NULL: it may. before: what it is now. What its items are is not changed behind them.
CREATE FUNCTION device_model_refusal(m device_model, before device_model, OUT verdict text, OUT field text) LANGUAGE plpgsql STABLE AS $$
BEGIN
    verdict := CASE
        WHEN m.code !~ '^[a-z0-9][a-z0-9_.-]{0,47}$' THEN 'model_code_invalid'
        WHEN NOT EXISTS (SELECT FROM measure s WHERE s.code = m.measure) THEN 'measure_unknown'
        WHEN NOT EXISTS (SELECT FROM measure s WHERE s.code = m.measure AND s.kind = 'device') THEN 'measure_not_device'
        WHEN NOT EXISTS (SELECT FROM device_class c WHERE (c.scheme, c.edition, c.code) = (m.class_scheme, m.class_edition, m.class_code)) THEN 'class_unknown'
        WHEN m.rent_subsidy > m.rent THEN 'rent_subsidy_exceeds_rent'
        WHEN before.measure <> m.measure AND device_model_in_use(m.code) THEN 'model_in_use' END;
    field := CASE verdict WHEN 'model_code_invalid' THEN '/code' WHEN 'class_unknown' THEN '/class' WHEN 'rent_subsidy_exceeds_rent' THEN '/rent_subsidy'
        WHEN 'model_in_use' THEN NULL ELSE '/measure' END;
END $$;
CREATE FUNCTION device_model_in_use(wanted text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT EXISTS (SELECT FROM device_item i WHERE i.model = wanted) $$;

-- m: the whole model as it shall be; out_of_use NULL: as it was.
CREATE FUNCTION device_model_put(m device_model, label text, out_of_use boolean, if_match int) RETURNS device_model_answer LANGUAGE plpgsql AS $$
DECLARE
    c device_class := device_class_of(label);
    before device_model;
    verdict text;
    field text;
BEGIN
    SELECT * INTO before FROM device_model d WHERE d.code = m.code FOR UPDATE;
    m.class_scheme := c.scheme;
    m.class_edition := c.edition;
    m.class_code := c.code;
    verdict := CASE
        WHEN scope_role() IS DISTINCT FROM 'admin' THEN 'role_not_allowed'
        WHEN before.code IS NULL AND if_match IS NOT NULL THEN 'not_found'
        WHEN if_match <> before.version THEN 'stale' END;
    IF verdict IS NULL THEN
        SELECT * INTO verdict, field FROM device_model_refusal(m, before);
    END IF;
    IF verdict IS NOT NULL THEN
        RETURN device_model_shown(before, verdict, field);
    END IF;
    m.retired_at := CASE WHEN out_of_use THEN coalesce(before.retired_at, now()) WHEN out_of_use IS NULL THEN before.retired_at END;
    m.version := coalesce(before.version + 1, 1);
    IF before.code IS NULL THEN
        INSERT INTO device_model SELECT m.* ON CONFLICT (code) DO NOTHING RETURNING * INTO before;
        RETURN device_model_shown(before, CASE WHEN before.code IS NULL THEN 'stale' END, NULL);
    END IF;
    UPDATE device_model d SET (measure, name_zh, name_ko, name_en, maker, class_scheme, class_edition, class_code, service_months, price, subsidy,
        rent, rent_subsidy, deposit, loan_hours, retired_at, version) = (SELECT m.measure, m.name_zh, m.name_ko, m.name_en, m.maker, m.class_scheme,
        m.class_edition, m.class_code, m.service_months, m.price, m.subsidy, m.rent, m.rent_subsidy, m.deposit, m.loan_hours, m.retired_at, m.version)
    WHERE d.code = m.code RETURNING * INTO before;
    RETURN device_model_shown(before, NULL, NULL);
END $$;

-- What a plan grants of a model: its own word, else the model's. (A plan's rent may fall below the model's share of it.)
CREATE TYPE device_terms AS (service_months int, subsidy bigint, rent bigint, rent_subsidy bigint, deposit bigint);
CREATE FUNCTION device_terms_held(m device_model, t device_term) RETURNS device_terms LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (coalesce(t.service_months, m.service_months), coalesce(t.subsidy, m.subsidy), coalesce(t.rent, m.rent),
        least(coalesce(t.rent_subsidy, m.rent_subsidy), coalesce(t.rent, m.rent)), coalesce(t.deposit, m.deposit))::device_terms $$;
CREATE FUNCTION device_terms_of(of_plan smallint, of_model text) RETURNS device_terms LANGUAGE sql STABLE AS $$
    SELECT device_terms_held(m, t) FROM device_model m LEFT JOIN device_term t ON t.model = m.code AND t.plan_id = of_plan
    WHERE m.code = of_model $$;

CREATE TYPE device_term_answer AS (
    _verdict text, plan text, model text, service_months int, subsidy bigint, rent bigint, rent_subsidy bigint, deposit bigint,
    "holds.service_months" int, "holds.subsidy" bigint, "holds.rent" bigint, "holds.rent_subsidy" bigint, "holds.deposit" bigint, version int);
CREATE FUNCTION device_term_shown(p plan, m device_model, t device_term, verdict text) RETURNS device_term_answer LANGUAGE sql STABLE AS $$
    SELECT (verdict, p.code, m.code, t.service_months, t.subsidy, t.rent, t.rent_subsidy, t.deposit,
        h.service_months, h.subsidy, h.rent, h.rent_subsidy, h.deposit, coalesce(t.version, 0))::device_term_answer FROM device_terms_held(m, t) AS h $$;
-- given NULL: the plan says nothing of its own any more.
CREATE FUNCTION device_term_put(of_plan text, of_model text, if_match int, given device_term) RETURNS device_term_answer LANGUAGE plpgsql AS $$
DECLARE
    p plan;
    m device_model;
    t device_term;
    verdict text;
BEGIN
    SELECT * INTO p FROM plan s WHERE s.code = of_plan;
    SELECT * INTO m FROM device_model d WHERE d.code = of_model;
    verdict := CASE
        WHEN p.id IS NULL OR m.code IS NULL THEN 'not_found'
        WHEN NOT coalesce(scope_manages(p.region), false) THEN 'region_foreign' END;
    IF verdict IS NOT NULL THEN
        RETURN device_term_shown(p, m, NULL, verdict);
    END IF;
    SELECT * INTO t FROM device_term s WHERE s.plan_id = p.id AND s.model = m.code FOR UPDATE;
    verdict := CASE
        WHEN if_match <> coalesce(t.version, 0) THEN 'stale'
        WHEN given.model IS NULL AND t.model IS NULL THEN 'not_found'
        WHEN given.rent_subsidy > coalesce(given.rent, m.rent) THEN 'rent_subsidy_exceeds_rent' END;
    IF verdict IS NULL AND given.model IS NULL THEN
        DELETE FROM device_term s WHERE s.plan_id = p.id AND s.model = m.code;
        t := NULL;
    ELSIF verdict IS NULL THEN
        INSERT INTO device_term AS s VALUES (p.id, m.code, given.service_months, given.subsidy, given.rent, given.rent_subsidy, given.deposit)
        ON CONFLICT (plan_id, model) DO UPDATE SET service_months = excluded.service_months, subsidy = excluded.subsidy, rent = excluded.rent,
            rent_subsidy = excluded.rent_subsidy, deposit = excluded.deposit, version = s.version + 1 RETURNING * INTO t;
    END IF;
    RETURN device_term_shown(p, m, t, verdict);
END $$;

-- Links. One row for both directions: the class that sorts first stands first.
ALTER TABLE device_class_link ADD CHECK ((scheme COLLATE "C", edition COLLATE "C") < (to_scheme COLLATE "C", to_edition COLLATE "C"));
CREATE INDEX device_class_link_back ON device_class_link (to_scheme, to_edition, to_code);
CREATE FUNCTION device_relation_turned(relation text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE relation WHEN 'narrower' THEN 'wider' WHEN 'wider' THEN 'narrower' ELSE relation END $$;
-- What the end of two steps is to their beginning. NULL: nothing is known of it (two parts of the same whole need not meet).
CREATE FUNCTION device_relation_through(first text, second text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN first = 'same' THEN second WHEN second = 'same' THEN first
                WHEN first = second AND first <> 'overlaps' THEN first
                WHEN first = 'narrower' OR first = 'overlaps' AND second = 'wider' THEN 'overlaps' END $$;

-- What is known of other classes from this one: over links, and within an edition up and down its numbers (1222 is wider than 122203).
-- A class that is reached in several ways is what the surest of them says.
CREATE INDEX device_class_under ON device_class (scheme, edition, code COLLATE "C");
-- (Whoever went up or down within an edition has all that is above or below, and goes on over links only.)
CREATE FUNCTION device_class_known(of_scheme text, of_edition text, of_code text)
RETURNS TABLE (scheme text, edition text, code text, relation text) LANGUAGE sql STABLE AS $$
    WITH RECURSIVE known AS (
        SELECT c.scheme, c.edition, c.code, 'same'::text AS relation, true AS by_link FROM device_class c
        WHERE c.scheme = of_scheme AND c.edition = of_edition AND c.code = of_code
        UNION
        SELECT s.scheme, s.edition, s.code, device_relation_through(k.relation, s.relation), s.by_link
        FROM known k CROSS JOIN LATERAL (
            SELECT l.to_scheme AS scheme, l.to_edition AS edition, l.to_code AS code, l.relation, true AS by_link FROM device_class_link l
            WHERE l.scheme = k.scheme AND l.edition = k.edition AND l.code = k.code
            UNION ALL
            SELECT l.scheme, l.edition, l.code, device_relation_turned(l.relation), true FROM device_class_link l
            WHERE l.to_scheme = k.scheme AND l.to_edition = k.edition AND l.to_code = k.code
            UNION ALL
            SELECT c.scheme, c.edition, c.code, 'wider', false FROM device_class c WHERE k.by_link AND c.scheme = k.scheme AND c.edition = k.edition
                AND c.code IN (left(k.code, 2), left(k.code, 3), left(k.code, 4), left(k.code, 5), left(k.code, 6), left(k.code, 7)) AND c.code <> k.code
            UNION ALL
            SELECT c.scheme, c.edition, c.code, 'narrower', false FROM device_class c WHERE k.by_link AND k.relation IN ('same', 'narrower')
                AND c.scheme = k.scheme AND c.edition = k.edition AND c.code COLLATE "C" > k.code AND c.code COLLATE "C" < k.code || ':') AS s
        WHERE device_relation_through(k.relation, s.relation) IS NOT NULL
    )
    SELECT DISTINCT ON (k.scheme, k.edition, k.code) k.scheme, k.edition, k.code, k.relation FROM known k
    ORDER BY k.scheme, k.edition, k.code, array_position('{same,narrower,wider,overlaps}', k.relation) $$;

-- A link as it is kept. relation: what `other` is to the class.
CREATE FUNCTION device_link_kept(label text, other text, relation text) RETURNS device_class_link LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN (split_part(label, '/', 1) COLLATE "C", split_part(label, '/', 2) COLLATE "C") < (split_part(other, '/', 1) COLLATE "C", split_part(other, '/', 2) COLLATE "C")
        THEN (split_part(label, '/', 1), split_part(label, '/', 2), split_part(label, '/', 3), split_part(other, '/', 1), split_part(other, '/', 2),
              split_part(other, '/', 3), relation)::device_class_link
        ELSE (split_part(other, '/', 1), split_part(other, '/', 2), split_part(other, '/', 3), split_part(label, '/', 1), split_part(label, '/', 2),
              split_part(label, '/', 3), device_relation_turned(relation))::device_class_link END $$;

-- said NULL: nothing is said of the two any more.
CREATE TYPE device_link_answer AS (_verdict text, _field text, class text, "to" text, relation text);
CREATE FUNCTION device_link_put(label text, other text, said text) RETURNS device_link_answer LANGUAGE plpgsql AS $$
DECLARE
    a device_class := device_class_of(label);
    b device_class := device_class_of(other);
    kept device_class_link := device_link_kept(label, other, said);
    verdict text;
BEGIN
    verdict := CASE
        WHEN scope_role() IS DISTINCT FROM 'admin' THEN 'role_not_allowed'
        WHEN a.code IS NULL THEN 'not_found'
        WHEN b.code IS NULL THEN 'class_unknown'
        WHEN (a.scheme, a.edition) = (b.scheme, b.edition) THEN 'link_within_edition' END;
    IF verdict IS NULL AND said IS NOT NULL THEN
        INSERT INTO device_class_link SELECT kept.*
        ON CONFLICT (scheme, edition, code, to_scheme, to_edition, to_code) DO UPDATE SET relation = excluded.relation;
    ELSIF verdict IS NULL THEN
        DELETE FROM device_class_link l WHERE (l.scheme, l.edition, l.code, l.to_scheme, l.to_edition, l.to_code)
            = (kept.scheme, kept.edition, kept.code, kept.to_scheme, kept.to_edition, kept.to_code)
        RETURNING CASE WHEN l.code = a.code AND l.edition = a.edition AND l.scheme = a.scheme THEN l.relation ELSE device_relation_turned(l.relation) END INTO said;
        verdict := CASE WHEN said IS NULL THEN 'not_found' END;
    END IF;
    RETURN (verdict, CASE WHEN verdict IN ('class_unknown', 'link_within_edition') THEN '/to' END, label, other, said)::device_link_answer;
END $$;

-- The whole catalogue as one document: {classes: [{class, name_zh, …}], links: [{class, to, relation}], models: [{code, class, …}],
-- terms: [{plan, model, …}]}. A document says what is to be there; what it does not name stays.
CREATE FUNCTION device_document_models(given json) RETURNS TABLE (at bigint, code text, measure text, name_zh text, name_ko text, name_en text, maker text,
    class text, service_months int, price bigint, subsidy bigint, rent bigint, rent_subsidy bigint, deposit bigint, loan_hours int, retired boolean)
LANGUAGE sql IMMUTABLE AS $$
    SELECT g.at - 1, g.code, g.measure, g.name_zh, coalesce(g.name_ko, g.name_zh), coalesce(g.name_en, g.name_zh), coalesce(g.maker, ''), g.class,
        g.service_months, g.price, coalesce(g.subsidy, 0), coalesce(g.rent, 0), coalesce(g.rent_subsidy, 0), coalesce(g.deposit, 0), g.loan_hours, g.retired
    FROM ROWS FROM (json_to_recordset(given->'models') AS (code text, measure text, name_zh text, name_ko text, name_en text, maker text, class text,
        service_months int, price bigint, subsidy bigint, rent bigint, rent_subsidy bigint, deposit bigint, loan_hours int, retired boolean)) WITH ORDINALITY
        AS g (code, measure, name_zh, name_ko, name_en, maker, class, service_months, price, subsidy, rent, rent_subsidy, deposit, loan_hours, retired, at) $$;
CREATE FUNCTION device_document_links(given json) RETURNS TABLE (at bigint, class text, "to" text, kept device_class_link) LANGUAGE sql IMMUTABLE AS $$
    SELECT g.at - 1, g.class, g."to", device_link_kept(g.class, g."to", g.relation)
    FROM ROWS FROM (json_to_recordset(given->'links') AS (class text, "to" text, relation text)) WITH ORDINALITY AS g (class, "to", relation, at) $$;
CREATE FUNCTION device_document_classes(given json) RETURNS TABLE (at bigint, class text, scheme text, edition text, code text, name_zh text, name_ko text, name_en text)
LANGUAGE sql IMMUTABLE AS $$
    SELECT g.at - 1, g.class, split_part(g.class, '/', 1), split_part(g.class, '/', 2), split_part(g.class, '/', 3),
        g.name_zh, coalesce(g.name_ko, g.name_zh), coalesce(g.name_en, g.name_zh)
    FROM ROWS FROM (json_to_recordset(given->'classes') AS (class text, name_zh text, name_ko text, name_en text)) WITH ORDINALITY
        AS g (class, name_zh, name_ko, name_en, at) $$;
CREATE FUNCTION device_document_terms(given json) RETURNS TABLE (at bigint, plan text, model text, service_months int, subsidy bigint, rent bigint,
    rent_subsidy bigint, deposit bigint) LANGUAGE sql IMMUTABLE AS $$
    SELECT g.at - 1, g.plan, g.model, g.service_months, g.subsidy, g.rent, g.rent_subsidy, g.deposit
    FROM ROWS FROM (json_to_recordset(given->'terms') AS (plan text, model text, service_months int, subsidy bigint, rent bigint, rent_subsidy bigint,
        deposit bigint)) WITH ORDINALITY AS g (plan, model, service_months, subsidy, rent, rent_subsidy, deposit, at) $$;

-- What is wrong with a document, fault by fault: where, and what.
CREATE FUNCTION device_document_faults(given json) RETURNS TABLE (path text, fault text) LANGUAGE sql STABLE AS $$
    WITH classes AS MATERIALIZED (SELECT * FROM device_document_classes(given)
    ), labels AS MATERIALIZED (SELECT c.class FROM classes c UNION SELECT device_class_label(d.scheme, d.edition, d.code) FROM device_class d
    ), models AS MATERIALIZED (SELECT * FROM device_document_models(given)
    ), codes AS MATERIALIZED (
        SELECT k.code, max(k.rent) AS rent FROM (SELECT m.code, m.rent FROM models m UNION ALL
            SELECT d.code, d.rent FROM device_model d WHERE d.code NOT IN (SELECT m.code FROM models m)) AS k GROUP BY k.code
    ), found AS (
        SELECT 1 AS part, c.at, '/classes/' || c.at || '/class' AS path, CASE
            WHEN c.class !~ '^[a-z0-9_-]{1,32}/[0-9]{4}/[0-9]{2,8}$' THEN 'class_invalid'
            WHEN count(*) OVER (PARTITION BY c.class ORDER BY c.at) > 1 THEN 'given_twice' END AS fault FROM classes c
        UNION ALL
        SELECT 2, l.at, '/links/' || l.at || CASE WHEN l.class IN (SELECT k.class FROM labels k) THEN '/to' ELSE '/class' END, CASE
            WHEN l.class NOT IN (SELECT k.class FROM labels k) OR l."to" NOT IN (SELECT k.class FROM labels k) THEN 'class_unknown'
            WHEN ((l.kept).scheme, (l.kept).edition) = ((l.kept).to_scheme, (l.kept).to_edition) THEN 'link_within_edition'
            WHEN count(*) OVER (PARTITION BY (l.kept).scheme, (l.kept).edition, (l.kept).code, (l.kept).to_scheme, (l.kept).to_edition, (l.kept).to_code
                                ORDER BY l.at) > 1 THEN 'given_twice' END FROM device_document_links(given) l
        UNION ALL
        SELECT 3, m.at, '/models/' || m.at || '/' || w.field, w.fault FROM (SELECT m.*, count(*) OVER (PARTITION BY m.code ORDER BY m.at) AS times FROM models m) AS m
        CROSS JOIN LATERAL (VALUES
            ('code', CASE WHEN m.code !~ '^[a-z0-9][a-z0-9_.-]{0,47}$' THEN 'model_code_invalid' WHEN m.times > 1 THEN 'given_twice' END),
            ('measure', CASE WHEN NOT EXISTS (SELECT FROM measure s WHERE s.code = m.measure) THEN 'measure_unknown'
                WHEN NOT EXISTS (SELECT FROM measure s WHERE s.code = m.measure AND s.kind = 'device') THEN 'measure_not_device'
                WHEN EXISTS (SELECT FROM device_model d WHERE d.code = m.code AND d.measure <> m.measure) AND device_model_in_use(m.code) THEN 'model_in_use' END),
            ('class', CASE WHEN m.class NOT IN (SELECT k.class FROM labels k) THEN 'class_unknown' END),
            ('rent_subsidy', CASE WHEN m.rent_subsidy > m.rent THEN 'rent_subsidy_exceeds_rent' END)) AS w (field, fault)
        UNION ALL
        SELECT 4, t.at, '/terms/' || t.at || '/' || w.field, w.fault
        FROM (SELECT t.*, k.code, k.rent AS model_rent, count(*) OVER (PARTITION BY t.plan, t.model ORDER BY t.at) AS times
              FROM device_document_terms(given) t LEFT JOIN codes k ON k.code = t.model) AS t
        CROSS JOIN LATERAL (VALUES
            ('plan', CASE WHEN NOT EXISTS (SELECT FROM plan p WHERE p.code = t.plan) THEN 'plan_unknown' END),
            ('model', CASE WHEN t.code IS NULL THEN 'model_unknown' WHEN t.times > 1 THEN 'given_twice' END),
            ('rent_subsidy', CASE WHEN t.rent_subsidy > coalesce(t.rent, t.model_rent) THEN 'rent_subsidy_exceeds_rent' END)
        ) AS w (field, fault)
    )
    SELECT f.path, f.fault FROM found f WHERE f.fault IS NOT NULL ORDER BY f.part, f.at, f.path $$;

CREATE TYPE device_import_answer AS (
    _verdict text, _field text, _reasons text[], changes boolean, "classes.added" int, "classes.changed" int, "links.added" int, "links.changed" int,
    "models.added" int, "models.changed" int, "terms.added" int, "terms.changed" int);
-- (xmax of a row that is new is nought.)
CREATE FUNCTION device_catalogue_import(given json) RETURNS device_import_answer LANGUAGE plpgsql AS $$
DECLARE
    a device_import_answer;
    verdict text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('device_catalogue')); -- one import at a time
    verdict := CASE WHEN scope_role() IS DISTINCT FROM 'admin' THEN 'role_not_allowed' END;
    a._verdict := verdict;
    IF verdict IS NOT NULL THEN
        RETURN a;
    END IF;
    SELECT array_agg(f.path || ' ' || f.fault), min(f.path) FILTER (WHERE f.n = 1) INTO a._reasons, a._field
    FROM (SELECT f.*, row_number() OVER () AS n FROM device_document_faults(given) f LIMIT 200) AS f;
    verdict := CASE WHEN a._reasons IS NOT NULL THEN 'catalogue_faulty' END;
    a._verdict := verdict;
    IF verdict IS NOT NULL THEN
        RETURN a;
    END IF;
    WITH put AS (
        INSERT INTO device_class AS d (scheme, edition, code, name_zh, name_ko, name_en)
        SELECT g.scheme, g.edition, g.code, g.name_zh, g.name_ko, g.name_en FROM device_document_classes(given) g
        ON CONFLICT (scheme, edition, code) DO UPDATE SET name_zh = excluded.name_zh, name_ko = excluded.name_ko, name_en = excluded.name_en,
            version = d.version + 1 WHERE (d.name_zh, d.name_ko, d.name_en) <> (excluded.name_zh, excluded.name_ko, excluded.name_en)
        RETURNING xmax = 0 AS is_new)
    SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) INTO a."classes.added", a."classes.changed" FROM put;
    WITH put AS (
        INSERT INTO device_class_link AS d SELECT (g.kept).* FROM device_document_links(given) g
        ON CONFLICT (scheme, edition, code, to_scheme, to_edition, to_code) DO UPDATE SET relation = excluded.relation
            WHERE d.relation <> excluded.relation RETURNING xmax = 0 AS is_new)
    SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) INTO a."links.added", a."links.changed" FROM put;
    WITH put AS (
        INSERT INTO device_model AS d (code, measure, name_zh, name_ko, name_en, maker, class_scheme, class_edition, class_code, service_months, price, subsidy,
            rent, rent_subsidy, deposit, loan_hours, retired_at)
        SELECT g.code, g.measure, g.name_zh, g.name_ko, g.name_en, g.maker, split_part(g.class, '/', 1), split_part(g.class, '/', 2), split_part(g.class, '/', 3),
            g.service_months, g.price, g.subsidy, g.rent, g.rent_subsidy, g.deposit, g.loan_hours,
            CASE WHEN g.retired THEN coalesce(m.retired_at, now()) WHEN g.retired IS NULL THEN m.retired_at END
        FROM device_document_models(given) g LEFT JOIN device_model m ON m.code = g.code
        ON CONFLICT (code) DO UPDATE SET measure = excluded.measure, name_zh = excluded.name_zh, name_ko = excluded.name_ko, name_en = excluded.name_en,
            maker = excluded.maker, class_scheme = excluded.class_scheme, class_edition = excluded.class_edition, class_code = excluded.class_code,
            service_months = excluded.service_months, price = excluded.price, subsidy = excluded.subsidy, rent = excluded.rent,
            rent_subsidy = excluded.rent_subsidy, deposit = excluded.deposit, loan_hours = excluded.loan_hours, retired_at = excluded.retired_at,
            version = d.version + 1
        WHERE (d.measure, d.name_zh, d.name_ko, d.name_en, d.maker, d.class_scheme, d.class_edition, d.class_code, d.service_months, d.price, d.subsidy, d.rent,
               d.rent_subsidy, d.deposit, d.loan_hours, d.retired_at)
            IS DISTINCT FROM (excluded.measure, excluded.name_zh, excluded.name_ko, excluded.name_en, excluded.maker, excluded.class_scheme,
               excluded.class_edition, excluded.class_code, excluded.service_months, excluded.price, excluded.subsidy, excluded.rent, excluded.rent_subsidy,
               excluded.deposit, excluded.loan_hours, excluded.retired_at)
        RETURNING xmax = 0 AS is_new)
    SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) INTO a."models.added", a."models.changed" FROM put;
    WITH put AS (
        INSERT INTO device_term AS d (plan_id, model, service_months, subsidy, rent, rent_subsidy, deposit)
        SELECT p.id, g.model, g.service_months, g.subsidy, g.rent, g.rent_subsidy, g.deposit FROM device_document_terms(given) g JOIN plan p ON p.code = g.plan
        ON CONFLICT (plan_id, model) DO UPDATE SET service_months = excluded.service_months, subsidy = excluded.subsidy, rent = excluded.rent,
            rent_subsidy = excluded.rent_subsidy, deposit = excluded.deposit, version = d.version + 1
        WHERE (d.service_months, d.subsidy, d.rent, d.rent_subsidy, d.deposit)
            IS DISTINCT FROM (excluded.service_months, excluded.subsidy, excluded.rent, excluded.rent_subsidy, excluded.deposit)
        RETURNING xmax = 0 AS is_new)
    SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) INTO a."terms.added", a."terms.changed" FROM put;
    a.changes := a."classes.added" + a."classes.changed" + a."links.added" + a."links.changed" + a."models.added" + a."models.changed"
        + a."terms.added" + a."terms.changed" > 0;
    RETURN a;
END $$;
