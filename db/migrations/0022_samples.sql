-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Sampling inspection (抽查). Two steps, so that nobody picks: the list is frozen first, with its digest and how many each stratum
-- gives, while the seed (a public number of the future) is not known yet; then the seed alone says who is drawn. See docs/sampling.md.

CREATE SEQUENCE sample_number;
CREATE TABLE sample (
    plan_region   int NOT NULL,
    id            bigint NOT NULL, -- id_in(plan_region, 'sample_number')
    plan_id       smallint NOT NULL REFERENCES plan,
    region        int NOT NULL, -- region..high: where its households are
    high          int NOT NULL,
    accepted_from date NOT NULL,
    accepted_to   date NOT NULL,
    per_stratum   int, -- either this many of each stratum
    share         int, -- or this share in percent, rounded up, at least `minimum`
    minimum       int,
    seed_source   text NOT NULL, -- which public number it will be
    seed_at       timestamptz NOT NULL, -- when that becomes known
    note          text NOT NULL,
    households    int NOT NULL,
    strata        int NOT NULL,
    takes         int NOT NULL,
    digest        text NOT NULL, -- SHA-256 of the frozen list
    account_id    bigint NOT NULL,
    frozen_at     timestamptz NOT NULL DEFAULT now(),
    seed          text,
    drawn_by      bigint,
    drawn_at      timestamptz,
    version       int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id)
);
CREATE INDEX sample_by_plan ON sample (plan_id, id);
-- A stratum is a county and a contractor, by the codes they had then; '': no contractor.
CREATE TABLE sample_stratum (
    plan_region int NOT NULL,
    sample_id   bigint NOT NULL,
    number      int NOT NULL,
    county      int NOT NULL,
    county_code text NOT NULL,
    contractor  text NOT NULL,
    households  int NOT NULL,
    takes       int NOT NULL,
    digest      text NOT NULL,
    PRIMARY KEY (plan_region, sample_id, number)
);
CREATE TABLE sample_case (
    plan_region      int NOT NULL,
    sample_id        bigint NOT NULL,
    case_id          bigint NOT NULL,
    stratum          int NOT NULL,
    region           int NOT NULL,
    household_number text NOT NULL,
    householder      text NOT NULL, -- masked
    village          text NOT NULL,
    accepted_on      date NOT NULL,
    PRIMARY KEY (plan_region, sample_id, case_id)
);
CREATE TABLE sample_pick (
    plan_region int NOT NULL,
    sample_id   bigint NOT NULL,
    case_id     bigint NOT NULL,
    region      int NOT NULL,
    position    int NOT NULL, -- in its stratum
    hash        text NOT NULL, -- SHA-256 of seed, line feed, case id
    PRIMARY KEY (plan_region, sample_id, case_id)
);
-- Who visits. The last finding is the one that counts.
CREATE TABLE sample_visit (
    plan_region int NOT NULL,
    sample_id   bigint NOT NULL,
    case_id     bigint NOT NULL,
    region      int NOT NULL,
    assessor_id bigint NOT NULL REFERENCES account,
    assigned_by bigint NOT NULL,
    assigned_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, sample_id, case_id)
);
CREATE INDEX sample_visit_by_assessor ON sample_visit (assessor_id);
CREATE TABLE sample_finding (
    plan_region int NOT NULL,
    sample_id   bigint NOT NULL,
    case_id     bigint NOT NULL,
    number      int NOT NULL,
    region      int NOT NULL,
    visited_at  timestamptz NOT NULL,
    result      text NOT NULL CHECK (result IN ('ok', 'error', 'not_met')), -- not_met: nobody at home; not visited yet
    kind        text,
    note        text NOT NULL,
    account_id  bigint NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, sample_id, case_id, number),
    CHECK ((kind IS NOT NULL) = (result = 'error'))
);

-- Nobody changes what is frozen or drawn, the owner neither; of a sample only the seed is given, once.
CREATE FUNCTION sample_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'samples are kept as they were frozen and drawn (%)', TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER sample_is_fixed BEFORE DELETE OR TRUNCATE ON sample FOR EACH STATEMENT EXECUTE FUNCTION sample_is_fixed();
CREATE TRIGGER sample_is_drawn_once BEFORE UPDATE ON sample FOR EACH ROW
    WHEN (OLD.seed IS NOT NULL OR NEW.seed IS NULL OR to_jsonb(OLD) - '{seed,drawn_by,drawn_at,version}'::text[]
        IS DISTINCT FROM to_jsonb(NEW) - '{seed,drawn_by,drawn_at,version}'::text[]) EXECUTE FUNCTION sample_is_fixed();
CREATE TRIGGER sample_is_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON sample_stratum FOR EACH STATEMENT EXECUTE FUNCTION sample_is_fixed();
CREATE TRIGGER sample_is_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON sample_case FOR EACH STATEMENT EXECUTE FUNCTION sample_is_fixed();
CREATE TRIGGER sample_is_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON sample_pick FOR EACH STATEMENT EXECUTE FUNCTION sample_is_fixed();
CREATE TRIGGER sample_is_fixed BEFORE UPDATE OR DELETE OR TRUNCATE ON sample_finding FOR EACH STATEMENT EXECUTE FUNCTION sample_is_fixed();

-- The frozen list as text, a line a household by case id: id, county, contractor, between tabs. NULL: all strata.
CREATE FUNCTION sample_digest(of_region int, of_sample bigint, of_stratum int) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(coalesce(string_agg(c.case_id || E'\t' || s.county_code || E'\t' || s.contractor || E'\n', ''
                                                       ORDER BY c.case_id), ''), 'UTF8')), 'hex')
    FROM sample_case c JOIN sample_stratum s ON s.plan_region = c.plan_region AND s.sample_id = c.sample_id AND s.number = c.stratum
    WHERE c.plan_region = of_region AND c.sample_id = of_sample AND (of_stratum IS NULL OR c.stratum = of_stratum) $$;

-- The draw: of each stratum the first `takes` by the hash. The only place that says so.
CREATE FUNCTION sample_drawing(of_region int, of_sample bigint, by_seed text)
RETURNS TABLE (case_id bigint, region int, "position" int, hash text) LANGUAGE sql STABLE AS $$
    SELECT r.case_id, r.region, r.n::int, encode(r.hash, 'hex')
    FROM (SELECT c.case_id, c.region, s.takes, h.hash, row_number() OVER (PARTITION BY c.stratum ORDER BY h.hash) AS n
          FROM sample_case c
          JOIN sample_stratum s ON s.plan_region = c.plan_region AND s.sample_id = c.sample_id AND s.number = c.stratum
          CROSS JOIN LATERAL (SELECT sha256(convert_to(by_seed || E'\n' || c.case_id, 'UTF8')) AS hash) AS h
          WHERE c.plan_region = of_region AND c.sample_id = of_sample) AS r
    WHERE r.n <= r.takes $$;

-- Both functions write as the owner, whom nobody else is: the application has no right on these tables but to read. They
-- therefore ask for the scope themselves.
CREATE FUNCTION sample_freeze(wanted_plan text, wanted_region text, first_day date, last_day date, size int, wanted_share int,
                              at_least int, source text, known_at timestamptz, said text,
                              OUT verdict text, OUT field text, OUT made sample)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    p record;
    r record;
    low int;
    upper int;
    many int;
BEGIN
    SELECT q.id, q.region, top.high INTO p FROM plan q JOIN region top ON top.place = q.region WHERE q.code = wanted_plan;
    SELECT g.place, g.high INTO r FROM region g WHERE g.place = region_of(wanted_region);
    low := greatest(p.region, scope_low(), r.place);
    upper := least(p.high, scope_high(), r.high);
    verdict := CASE
        WHEN p.id IS NULL OR scope_role() IS DISTINCT FROM 'manager' OR NOT coalesce(p.region <= scope_high() AND p.high >= scope_low(), false)
            THEN 'not_found'
        WHEN wanted_region IS NOT NULL AND r.place IS NULL THEN 'region_unknown'
        WHEN low > upper THEN 'region_not_within'
        WHEN first_day > last_day THEN 'period_backwards'
        WHEN (size IS NULL) = (wanted_share IS NULL) OR (wanted_share IS NULL AND at_least IS NOT NULL) THEN 'sample_size_unclear'
        WHEN known_at <= now() THEN 'seed_known_already'
        WHEN btrim(coalesce(said, '')) = '' AND EXISTS (SELECT FROM sample e WHERE e.plan_id = p.id AND e.region <= upper AND e.high >= low
            AND e.accepted_from <= last_day AND e.accepted_to >= first_day) THEN 'sample_again' END;
    IF verdict IS NULL THEN
        SELECT count(*) INTO many FROM retrofit_case c
        WHERE c.plan_id = p.id AND c.accepted_on BETWEEN first_day AND last_day AND c.region BETWEEN low AND upper;
        verdict := CASE WHEN many = 0 THEN 'sample_empty' WHEN many > 200000 THEN 'sample_too_large' END;
    END IF;
    IF verdict IS NOT NULL THEN
        field := CASE verdict WHEN 'period_backwards' THEN '/accepted_to' WHEN 'sample_empty' THEN '/accepted_from'
                              WHEN 'sample_too_large' THEN '/accepted_from' END;
        RETURN;
    END IF;
    made.plan_region := p.region;
    made.id := id_in(p.region, 'sample_number');
    WITH frame AS MATERIALIZED (
        SELECT c.id, c.region, g.place AS county, g.code AS county_code, coalesce(k.code, '') AS contractor, c.household_number,
               c.householder, c.village, c.accepted_on
        FROM retrofit_case c JOIN region g ON g.place = county_of(c.region) LEFT JOIN contractor k ON k.id = c.contractor_id
        WHERE c.plan_id = p.id AND c.accepted_on BETWEEN first_day AND last_day AND c.region BETWEEN low AND upper
    ), stratum AS MATERIALIZED (
        SELECT f.county, f.county_code, f.contractor, count(*)::int AS n,
               row_number() OVER (ORDER BY f.county, f.contractor COLLATE "C")::int AS number,
               encode(sha256(convert_to(string_agg(f.id || E'\t' || f.county_code || E'\t' || f.contractor || E'\n', '' ORDER BY f.id),
                                        'UTF8')), 'hex') AS digest
        FROM frame f GROUP BY f.county, f.county_code, f.contractor
    ), kept AS (
        INSERT INTO sample_stratum
        SELECT p.region, made.id, s.number, s.county, s.county_code, s.contractor, s.n,
               least(s.n, coalesce(size, greatest(coalesce(at_least, 1), ceil(s.n * wanted_share / 100.0)::int))), s.digest
        FROM stratum s)
    INSERT INTO sample_case
    SELECT p.region, made.id, f.id, s.number, f.region, f.household_number, f.householder, f.village, f.accepted_on
    FROM frame f JOIN stratum s ON s.county = f.county AND s.contractor = f.contractor;
    INSERT INTO sample (plan_region, id, plan_id, region, high, accepted_from, accepted_to, per_stratum, share, minimum, seed_source,
        seed_at, note, households, strata, takes, digest, account_id)
    SELECT p.region, made.id, p.id, low, upper, first_day, last_day, size, wanted_share, coalesce(at_least, CASE WHEN size IS NULL THEN 1 END),
        source, known_at, coalesce(said, ''), sum(s.households), count(*), sum(s.takes), sample_digest(p.region, made.id, NULL), scope_account()
    FROM sample_stratum s WHERE s.plan_region = p.region AND s.sample_id = made.id
    RETURNING * INTO made;
END $$;

CREATE FUNCTION sample_draw(wanted_id bigint, if_match int, given text, OUT verdict text, OUT made sample)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    SELECT * INTO made FROM sample s WHERE s.plan_region = plan_region_of(wanted_id) AND s.id = wanted_id
        AND s.region >= scope_low() AND s.high <= scope_high() AND scope_role() = 'manager' FOR UPDATE;
    verdict := CASE
        WHEN made.id IS NULL THEN 'not_found'
        WHEN if_match <> made.version THEN 'stale'
        WHEN made.seed IS NOT NULL THEN 'sample_drawn'
        WHEN now() < made.seed_at THEN 'seed_not_due' END;
    IF verdict IS NOT NULL THEN
        RETURN;
    END IF;
    INSERT INTO sample_pick SELECT made.plan_region, made.id, d.case_id, d.region, d."position", d.hash
    FROM sample_drawing(made.plan_region, made.id, given) AS d;
    UPDATE sample s SET seed = given, drawn_by = scope_account(), drawn_at = now(), version = s.version + 1
    WHERE s.plan_region = made.plan_region AND s.id = made.id RETURNING * INTO made;
END $$;

-- Whoever had a hand in a case does not inspect it.
CREATE FUNCTION sample_involves(of_region int, of_case bigint, who bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM retrofit_case c WHERE c.plan_region = of_region AND c.id = of_case AND c.assessor_id = who)
        OR EXISTS (SELECT FROM case_event e WHERE e.plan_region = of_region AND e.case_id = of_case AND e.account_id = who
                   AND e.kind <> 'open')
        OR EXISTS (SELECT FROM inspection i WHERE i.plan_region = of_region AND i.case_id = of_case AND i.account_id = who);
END $$;

-- Where to go: the assessor who is sent sees the address of that household, whose case he does not see.
CREATE FUNCTION sample_address(of_sample bigint, of_case bigint, OUT address text, OUT longitude float8, OUT latitude float8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT h.address, h.longitude, h.latitude
    FROM sample_pick k
    JOIN retrofit_case c ON c.plan_region = k.plan_region AND c.id = k.case_id
    JOIN household h ON h.plan_region = c.plan_region AND h.id = c.household_id
    WHERE k.plan_region = plan_region_of(of_sample) AND k.sample_id = of_sample AND k.case_id = of_case
      AND ((scope_sees_region() AND k.region BETWEEN scope_low() AND scope_high())
        OR EXISTS (SELECT FROM sample_visit v WHERE v.plan_region = k.plan_region AND v.sample_id = k.sample_id
                   AND v.case_id = k.case_id AND v.assessor_id = scope_account())) $$;

ALTER TABLE sample ENABLE ROW LEVEL SECURITY;
ALTER TABLE sample_stratum ENABLE ROW LEVEL SECURITY;
ALTER TABLE sample_case ENABLE ROW LEVEL SECURITY;
ALTER TABLE sample_pick ENABLE ROW LEVEL SECURITY;
ALTER TABLE sample_visit ENABLE ROW LEVEL SECURITY;
ALTER TABLE sample_finding ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON sample_visit FOR SELECT USING (assessor_id = (SELECT scope_account())
    OR ((SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high())));
CREATE POLICY adding ON sample_visit FOR INSERT WITH CHECK (
    (SELECT scope_role()) = 'manager' AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY changing ON sample_visit FOR UPDATE USING (
    (SELECT scope_role()) = 'manager' AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY reading ON sample FOR SELECT USING (
    ((SELECT scope_sees_region()) AND region <= (SELECT scope_high()) AND high >= (SELECT scope_low()))
    OR EXISTS (SELECT FROM sample_visit v WHERE v.plan_region = sample.plan_region AND v.sample_id = sample.id
               AND v.assessor_id = (SELECT scope_account())));
CREATE POLICY reading ON sample_stratum FOR SELECT USING (
    (SELECT scope_sees_region()) AND county BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY reading ON sample_case FOR SELECT USING (
    ((SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()))
    OR EXISTS (SELECT FROM sample_visit v WHERE v.plan_region = sample_case.plan_region AND v.sample_id = sample_case.sample_id
               AND v.case_id = sample_case.case_id AND v.assessor_id = (SELECT scope_account())));
CREATE POLICY reading ON sample_pick FOR SELECT USING (
    ((SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()))
    OR EXISTS (SELECT FROM sample_visit v WHERE v.plan_region = sample_pick.plan_region AND v.sample_id = sample_pick.sample_id
               AND v.case_id = sample_pick.case_id AND v.assessor_id = (SELECT scope_account())));
CREATE POLICY reading ON sample_finding FOR SELECT USING (
    ((SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()))
    OR EXISTS (SELECT FROM sample_visit v WHERE v.plan_region = sample_finding.plan_region AND v.sample_id = sample_finding.sample_id
               AND v.case_id = sample_finding.case_id AND v.assessor_id = (SELECT scope_account())));
CREATE POLICY adding ON sample_finding FOR INSERT WITH CHECK (account_id = (SELECT scope_account()) AND (
    ((SELECT scope_role()) = 'manager' AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()))
    OR EXISTS (SELECT FROM sample_visit v WHERE v.plan_region = sample_finding.plan_region AND v.sample_id = sample_finding.sample_id
               AND v.case_id = sample_finding.case_id AND v.assessor_id = (SELECT scope_account()))));
GRANT SELECT ON sample, sample_stratum, sample_case, sample_pick TO tantu_app;
GRANT SELECT, INSERT ON sample_finding TO tantu_app;
GRANT SELECT, INSERT ON sample_visit TO tantu_app;
GRANT UPDATE (assessor_id, assigned_by, assigned_at) ON sample_visit TO tantu_app;
