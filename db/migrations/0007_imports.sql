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
CREATE TABLE import_refusal (
    import_id bigint NOT NULL REFERENCES needs_import ON DELETE CASCADE,
    number    int NOT NULL,
    code      text NOT NULL,
    field     text NOT NULL,
    PRIMARY KEY (import_id, number)
);

-- Which of these people the plan's region knows already: one may not see them, but may not add them again.
CREATE FUNCTION persons_known(wanted_region int, wanted bytea[]) RETURNS SETOF bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.citizen_id_index FROM person p
    WHERE p.plan_region = wanted_region AND p.citizen_id_index = ANY (wanted) $$;

-- A household number that is taken outside of what the importer may write to.
CREATE FUNCTION household_is_foreign(wanted_region int, wanted text, low int, high int) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM household h WHERE h.plan_region = wanted_region AND h.number = wanted
                   AND h.region NOT BETWEEN low AND high) $$;

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

-- An import whose job is given up has failed.
CREATE FUNCTION import_job_died() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE needs_import SET state = 'failed', error_code = 'import_gave_up', error = NEW.last_error, finished_at = now(), version = version + 1
    WHERE id = (NEW.payload->>'import')::bigint AND state IN ('queued', 'running');
    DELETE FROM import_row WHERE import_id = (NEW.payload->>'import')::bigint;
    RETURN NULL;
END $$;
CREATE TRIGGER import_job_died AFTER UPDATE OF state ON job FOR EACH ROW
    WHEN (NEW.kind = 'import' AND NEW.state = 'dead' AND OLD.state <> 'dead') EXECUTE FUNCTION import_job_died();

ALTER TABLE needs_import ENABLE ROW LEVEL SECURITY;
ALTER TABLE import_row ENABLE ROW LEVEL SECURITY;
ALTER TABLE import_refusal ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON needs_import USING ((SELECT scope_role()) = 'system'
    OR (low BETWEEN (SELECT scope_low()) AND (SELECT scope_high())
        AND high BETWEEN (SELECT scope_low()) AND (SELECT scope_high()) AND (SELECT scope_sees_region())));
CREATE POLICY scope ON import_row USING (EXISTS (SELECT FROM needs_import i WHERE i.id = import_id));
CREATE POLICY scope ON import_refusal USING (EXISTS (SELECT FROM needs_import i WHERE i.id = import_id));
GRANT SELECT, INSERT ON needs_import TO tantu_app;
GRANT UPDATE (state, stop_wanted, checked, outcome, committed, error_code, error, finished_at, version)
    ON needs_import TO tantu_app;
GRANT SELECT, INSERT, DELETE ON import_row, import_refusal TO tantu_app;
