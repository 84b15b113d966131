-- SPDX-License-Identifier: Apache-2.0
-- Needs imports: the upload (sealed on disk), its staged rows, its refused rows.

CREATE TABLE needs_import (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan_id     smallint NOT NULL REFERENCES plan,
    plan_region int NOT NULL,
    account_id  bigint REFERENCES account, -- NULL: the operator, at the machine itself
    region      int NOT NULL, -- of the plan
    low         int NOT NULL, -- what the uploader may write to: plan and own scope together
    high        int NOT NULL,
    mode        text NOT NULL CHECK (mode IN ('dry_run', 'good_rows', 'all_or_nothing')),
    file        text NOT NULL UNIQUE, -- its name below the uploads folder
    format      text NOT NULL CHECK (format IN ('csv_utf8', 'csv_utf8_bom', 'csv_gb18030', 'xlsx')),
    fingerprint bytea NOT NULL, -- keyed, of the whole file
    bytes       bigint NOT NULL,
    state       text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    stop_wanted boolean NOT NULL DEFAULT false,
    rows        int NOT NULL,
    checked     int NOT NULL DEFAULT 0,
    outcome     json, -- the figures of the end; nothing before
    committed   boolean NOT NULL DEFAULT false,
    error_code  text,
    error       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    version     int NOT NULL DEFAULT 1
);
CREATE TABLE import_row (
    import_id         bigint NOT NULL REFERENCES needs_import ON DELETE CASCADE,
    number            int NOT NULL,
    household_number  text NOT NULL,
    region            int NOT NULL,
    village           text NOT NULL,
    address           text NOT NULL,
    longitude         double precision,
    latitude          double precision,
    hardship          text NOT NULL,
    traits            text[] NOT NULL,
    name              text NOT NULL,
    sex               text NOT NULL,
    relation          text NOT NULL,
    citizen_id        bytea NOT NULL,
    citizen_id_index  bytea NOT NULL,
    certificate       bytea,
    certificate_index bytea,
    category          smallint NOT NULL,
    level             smallint NOT NULL,
    phone             text NOT NULL,
    registered_on     date,
    remark            text NOT NULL,
    retrofit          text[] NOT NULL,
    devices           text[] NOT NULL,
    PRIMARY KEY (import_id, number)
);
CREATE INDEX import_row_by_household ON import_row (import_id, household_number);
CREATE TABLE import_refusal (
    import_id bigint NOT NULL REFERENCES needs_import ON DELETE CASCADE,
    number    int NOT NULL,
    code      text NOT NULL,
    field     text NOT NULL,
    PRIMARY KEY (import_id, number)
);

-- How a household stands to a plan: does its rule take it, and why. A reason is a fulfilled criterion, or one with no_ before it.
CREATE VIEW household_standing WITH (security_invoker = true) AS
SELECT p.id AS plan_id, h.plan_region, h.id AS household_id, h.number, h.region, h.village, m.householder, m.registered_at,
       n.retrofit_need,
       n.retrofit_need AND (m.severe OR NOT e.needs_severe) AND (d.poor OR NOT e.needs_hardship) AND NOT h.elder_retrofit AS eligible,
       array_remove(ARRAY[
           CASE WHEN n.retrofit_need THEN 'retrofit_need' ELSE 'no_retrofit_need' END,
           CASE WHEN e.needs_severe THEN CASE WHEN m.severe THEN 'severe_member' ELSE 'no_severe_member' END END,
           CASE WHEN e.needs_hardship THEN CASE WHEN d.poor THEN 'hardship' ELSE 'no_hardship' END END,
           CASE WHEN h.elder_retrofit THEN 'no_second_retrofit' END], NULL) AS reasons
FROM household h
CROSS JOIN plan p
JOIN eligibility_rule e ON e.code = p.eligibility
CROSS JOIN LATERAL (SELECT coalesce((SELECT w.poor FROM hardship w WHERE w.name = h.hardship), false) AS poor) AS d
CROSS JOIN LATERAL (
    SELECT coalesce(bool_or(q.level <= 2), false) AS severe,
           coalesce((array_agg(left(q.name, 1) || repeat('*', greatest(length(q.name) - 1, 1)) ORDER BY (q.relation = '户主') DESC, q.id))[1], '*') AS householder,
           least(coalesce(min(q.registered_on)::timestamp AT TIME ZONE 'Asia/Shanghai', now()), now()) AS registered_at
    FROM person q WHERE q.plan_region = h.plan_region AND q.household_id = h.id) AS m
CROSS JOIN LATERAL (
    SELECT EXISTS (SELECT FROM need w WHERE w.plan_region = h.plan_region AND w.household_id = h.id AND w.kind = 'retrofit'
                   AND w.state <> 'dropped') AS retrofit_need) AS n;
GRANT SELECT ON household_standing TO tantu_app;

-- The end of an import, one transaction (workers/import.c): what follows runs as the owner, so each function asks
-- for the scope of the system, and writes nothing outside the import's low..high.
CREATE FUNCTION import_of(wanted bigint) RETURNS needs_import
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    i needs_import;
BEGIN
    IF scope_role() IS DISTINCT FROM 'system' THEN
        RAISE EXCEPTION 'imports are committed by the service itself' USING ERRCODE = '42501';
    END IF;
    SELECT * INTO STRICT i FROM needs_import WHERE id = wanted;
    RETURN i;
END $$;

-- (No nested loops: the tables grow within the transaction, so the planner's guesses are of what they were before.)
-- The last check, under the plan region's lock: people registered already, households of another county.
CREATE FUNCTION import_settle(wanted bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
    i needs_import := import_of(wanted);
    commits boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(7301, i.plan_region);
    WITH refused AS (
        DELETE FROM import_row r WHERE r.import_id = i.id AND EXISTS (SELECT FROM person p
            WHERE p.plan_region = i.plan_region AND p.citizen_id_index = r.citizen_id_index)
        RETURNING r.number)
    INSERT INTO import_refusal SELECT i.id, number, 'duplicate_registered', '残疾人证号' FROM refused;
    WITH refused AS (
        DELETE FROM import_row r WHERE r.import_id = i.id AND EXISTS (SELECT FROM household h
            WHERE h.plan_region = i.plan_region AND h.number = r.household_number AND h.region NOT BETWEEN i.low AND i.high)
        RETURNING r.number)
    INSERT INTO import_refusal SELECT i.id, number, 'region_outside_plan', '户编号' FROM refused;
    commits := i.mode = 'good_rows'
        OR (i.mode = 'all_or_nothing' AND NOT EXISTS (SELECT FROM import_refusal r WHERE r.import_id = i.id));
    UPDATE needs_import n SET outcome = import_figures(i), committed = commits WHERE n.id = i.id;
    IF NOT commits THEN
        DELETE FROM import_row r WHERE r.import_id = i.id; -- the steps after this one move what is staged: nothing
    END IF;
    RETURN commits;
END $$;

-- What the staged and refused rows come to.
CREATE FUNCTION import_figures(i needs_import) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH refusals AS (
        SELECT code, count(*) AS n FROM import_refusal WHERE import_id = i.id GROUP BY code
    ), home AS (
        SELECT r.household_number, bool_or(r.level <= 2) AS severe, bool_or(h.poor) AS poor, bool_or(r.retrofit <> '{}') AS retrofit
        FROM import_row r LEFT JOIN hardship h ON h.name = r.hardship WHERE r.import_id = i.id GROUP BY 1
    ), people AS (
        SELECT count(*) AS n, count(*) FILTER (WHERE devices <> '{}') AS with_device,
               coalesce(sum(cardinality(devices)), 0) AS devices
        FROM import_row WHERE import_id = i.id
    )
    SELECT json_build_object('rows', i.rows, 'accepted', people.n, 'rejected', coalesce((SELECT sum(n) FROM refusals), 0),
        'rejected_by_code', coalesce((SELECT json_object_agg(code, n ORDER BY code) FROM refusals), '{}'),
        'persons', people.n, 'households', (SELECT count(*) FROM home),
        'households_with_retrofit_need', (SELECT count(*) FROM home WHERE retrofit),
        'eligible_households', (SELECT count(*) FROM home WHERE retrofit AND (severe OR NOT e.needs_severe)
            AND (coalesce(poor, false) OR NOT e.needs_hardship)),
        'persons_with_device_need', people.with_device, 'device_needs', people.devices,
        'nothing_new', people.n = 0)
    FROM people, plan p JOIN eligibility_rule e ON e.code = p.eligibility WHERE p.id = i.plan_id $$;

-- Moves what is staged into households, people and needs, and opens one case a household a plan for every household
-- with a retrofit need; a known case that is still registered is judged again. Answers how many cases were opened.
CREATE FUNCTION import_register(wanted bigint) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET enable_nestloop = off AS $$
DECLARE
    i needs_import := import_of(wanted);
    opened int;
BEGIN
    INSERT INTO household (plan_region, id, number, region, village, address, longitude, latitude, hardship, traits)
    SELECT i.plan_region, id_in(i.plan_region, 'household_number'), f.household_number, f.region, f.village, f.address,
           f.longitude, f.latitude, f.hardship, f.traits
    FROM (SELECT DISTINCT ON (r.household_number) r.* FROM import_row r WHERE r.import_id = i.id
          ORDER BY r.household_number, (r.relation = '户主') DESC, r.number) AS f
    ON CONFLICT (plan_region, number) DO NOTHING;
    WITH numbered AS MATERIALIZED ( -- person ids first, so that nothing need be looked up again
        SELECT r.*, h.id AS home, id_in(i.plan_region, 'person_number') AS person
        FROM import_row r JOIN household h ON h.plan_region = i.plan_region AND h.number = r.household_number
        WHERE r.import_id = i.id ORDER BY r.number
    ), people AS (
        INSERT INTO person (plan_region, id, household_id, name, sex, relation, citizen_id, citizen_id_index, certificate,
            certificate_index, category, level, phone, registered_on, remark)
        SELECT i.plan_region, person, home, name, sex, relation, citizen_id, citizen_id_index, certificate, certificate_index,
            category, level, phone, registered_on, remark FROM numbered)
    INSERT INTO need (plan_region, id, household_id, person_id, kind, item)
    SELECT i.plan_region, id_in(i.plan_region, 'need_number'), m.home, m.person, n.kind, n.item
    FROM numbered m
    CROSS JOIN LATERAL (SELECT 'retrofit' AS kind, unnest(m.retrofit) AS item UNION ALL SELECT 'device', unnest(m.devices)) AS n;
    UPDATE retrofit_case c SET eligible = s.eligible, eligibility_reasons = s.reasons
    FROM (SELECT DISTINCT household_number FROM import_row WHERE import_id = i.id) AS r
    JOIN household h ON h.plan_region = i.plan_region AND h.number = r.household_number
    JOIN household_standing s ON s.plan_region = h.plan_region AND s.household_id = h.id AND s.plan_id = i.plan_id
    WHERE c.plan_region = i.plan_region AND c.household_id = h.id AND c.plan_id = i.plan_id AND c.stage = 'registered'
      AND (c.eligible, c.eligibility_reasons) IS DISTINCT FROM (s.eligible, s.reasons);
    INSERT INTO retrofit_case (plan_region, id, plan_id, household_id, household_number, householder, region, village,
        stage_at, stage_on, eligible, eligibility_reasons)
    SELECT s.plan_region, id_in(s.plan_region, 'case_number'), s.plan_id, s.household_id, s.number, s.householder, s.region,
        s.village, s.registered_at, china_date(s.registered_at), s.eligible, s.reasons
    FROM (SELECT DISTINCT household_number FROM import_row WHERE import_id = i.id) AS r
    JOIN household h ON h.plan_region = i.plan_region AND h.number = r.household_number
    JOIN household_standing s ON s.plan_region = h.plan_region AND s.household_id = h.id AND s.plan_id = i.plan_id
    WHERE s.retrofit_need AND NOT EXISTS (SELECT FROM retrofit_case c WHERE c.plan_region = s.plan_region
        AND c.household_id = s.household_id AND c.plan_id = s.plan_id);
    GET DIAGNOSTICS opened = ROW_COUNT;
    DELETE FROM import_row r WHERE r.import_id = i.id;
    UPDATE needs_import n SET state = 'done', finished_at = now(), version = version + 1,
        outcome = (n.outcome::jsonb || jsonb_build_object('cases_opened', opened))::json
    WHERE n.id = i.id;
    RETURN opened;
END $$;

-- An import whose job is given up has failed; when the job is tried again, so is the import.
CREATE FUNCTION import_job_died() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE needs_import SET state = 'failed', error_code = 'import_gave_up', error = NEW.last_error, finished_at = now(), version = version + 1
    WHERE id = (NEW.payload->>'import')::bigint AND state IN ('queued', 'running');
    DELETE FROM import_row WHERE import_id = (NEW.payload->>'import')::bigint;
    RETURN NULL;
END $$;
CREATE TRIGGER import_job_died AFTER UPDATE OF state ON job FOR EACH ROW
    WHEN (NEW.kind = 'import' AND NEW.state = 'dead' AND OLD.state <> 'dead') EXECUTE FUNCTION import_job_died();

CREATE FUNCTION import_job_revived() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE needs_import SET state = 'queued', error_code = NULL, error = NULL, finished_at = NULL, version = version + 1
    WHERE id = (NEW.payload->>'import')::bigint AND state = 'failed';
    RETURN NULL;
END $$;
CREATE TRIGGER import_job_revived AFTER UPDATE OF state ON job FOR EACH ROW
    WHEN (NEW.kind = 'import' AND NEW.state = 'queued' AND OLD.state = 'dead') EXECUTE FUNCTION import_job_revived();

ALTER TABLE needs_import ENABLE ROW LEVEL SECURITY;
ALTER TABLE import_row ENABLE ROW LEVEL SECURITY;
ALTER TABLE import_refusal ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON needs_import USING ((SELECT scope_role()) = 'system'
    OR (low BETWEEN (SELECT scope_low()) AND (SELECT scope_high())
        AND high BETWEEN (SELECT scope_low()) AND (SELECT scope_high()) AND (SELECT scope_sees_region())));
CREATE POLICY scope ON import_row USING (EXISTS (SELECT FROM needs_import i WHERE i.id = import_id));
CREATE POLICY scope ON import_refusal USING (EXISTS (SELECT FROM needs_import i WHERE i.id = import_id));
REVOKE EXECUTE ON FUNCTION import_figures, import_of FROM PUBLIC;
GRANT SELECT, INSERT ON needs_import TO tantu_app;
GRANT UPDATE (state, stop_wanted, checked, outcome, committed, error_code, error, finished_at, version)
    ON needs_import TO tantu_app;
GRANT SELECT, INSERT, DELETE ON import_row, import_refusal TO tantu_app;
