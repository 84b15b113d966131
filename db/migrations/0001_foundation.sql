-- SPDX-License-Identifier: Apache-2.0
-- Scope, regions with lineage, accounts and sessions. See docs/architecture.md.

-- The scope of the session that a statement runs for, set with set_config(…, true) in front of it.
-- Nothing set: NULL, and every policy below then shows nothing.
CREATE FUNCTION scope_low() RETURNS int LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('tantu.low', true), '')::int $$;
CREATE FUNCTION scope_high() RETURNS int LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('tantu.high', true), '')::int $$;
CREATE FUNCTION scope_role() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('tantu.role', true), '') $$;
CREATE FUNCTION scope_account() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('tantu.account', true), '')::bigint $$;
CREATE FUNCTION scope_contractor() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('tantu.contractor', true), '')::bigint $$;
CREATE FUNCTION scope_centre() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('tantu.centre', true), '')::bigint $$;

-- Days are days in China.
CREATE FUNCTION china_date(at timestamptz) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT (at AT TIME ZONE 'Asia/Shanghai')::date $$;

-- A place is a nine-digit number that nests (county 640324000 holds 640324000..640324999); it is given once
-- and never changes. The code is its label today; every code it ever had is in region_code.
CREATE TABLE region (
    place   int PRIMARY KEY CHECK (place BETWEEN 110000000 AND 999999999),
    level   text NOT NULL CHECK (level IN ('province', 'prefecture', 'county', 'township')),
    high    int NOT NULL GENERATED ALWAYS AS (place + CASE level WHEN 'province' THEN 9999999
                WHEN 'prefecture' THEN 99999 WHEN 'county' THEN 999 ELSE 0 END) STORED,
    parent  int REFERENCES region,
    code    text NOT NULL UNIQUE CHECK (code ~ '^[1-9][0-9]{5}([0-9]{3})?$'),
    name    text NOT NULL,
    version int NOT NULL DEFAULT 1,
    CHECK ((parent IS NULL) = (level = 'province')),
    CHECK (level = 'township' OR place % 1000 = 0)
);
CREATE TABLE region_code (
    code  text PRIMARY KEY,
    place int NOT NULL REFERENCES region
);

CREATE FUNCTION region_of(wanted text) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT place FROM region_code WHERE code = wanted $$;
CREATE FUNCTION region_label(wanted int) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT code FROM region WHERE place = wanted $$;
CREATE FUNCTION county_of(place int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT place / 1000 * 1000 $$;

CREATE TABLE contractor (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code   text NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
    name   text NOT NULL
);
CREATE TABLE centre (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code   text NOT NULL UNIQUE CHECK (length(code) BETWEEN 1 AND 64),
    name   text NOT NULL
);

CREATE TABLE account (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    password_hash text NOT NULL,
    role          text NOT NULL CHECK (role IN ('contractor', 'assessor', 'centre', 'county', 'manager', 'auditor', 'admin')),
    region        int REFERENCES region, -- NULL: the whole country
    contractor_id bigint REFERENCES contractor,
    centre_id     bigint REFERENCES centre,
    disabled_at   timestamptz,
    created_at    timestamptz NOT NULL DEFAULT now(),
    version       int NOT NULL DEFAULT 1,
    CHECK ((contractor_id IS NOT NULL) = (role = 'contractor')),
    CHECK ((centre_id IS NOT NULL) = (role = 'centre')),
    CHECK (region IS NOT NULL OR role NOT IN ('county', 'manager', 'auditor'))
);
CREATE TABLE session (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    account_id bigint NOT NULL REFERENCES account,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX session_by_account ON session (account_id);
CREATE INDEX session_by_expiry ON session (expires_at);

-- Servers keep sessions in memory; an ended one is dropped everywhere at once.
CREATE FUNCTION session_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('session_ended', encode(OLD.token_hash, 'hex'));
    RETURN NULL;
END $$;
CREATE TRIGGER session_ends AFTER DELETE ON session FOR EACH ROW EXECUTE FUNCTION session_ends();

-- A repeated key violates the primary key: the effect is rolled back with it and the kept answer is given.
CREATE TABLE idempotency (
    account_id  bigint NOT NULL,
    key         text NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
    fingerprint bytea NOT NULL, -- of operation, path and body
    answer      json NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account_id, key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- Who read whose personal data (SPEC §11): written in the transaction of the read.
CREATE TABLE access_record (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    account_id bigint NOT NULL,
    what       text NOT NULL,
    subject    bigint,
    region     int NOT NULL -- where the subject is
);

ALTER TABLE account ENABLE ROW LEVEL SECURITY;
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE access_record ENABLE ROW LEVEL SECURITY;
CREATE POLICY scope ON account USING (
    (SELECT scope_role()) IN ('admin', 'system') OR id = (SELECT scope_account()));
CREATE POLICY scope ON session USING (
    (SELECT scope_role()) IN ('admin', 'system') OR account_id = (SELECT scope_account()));
CREATE POLICY scope ON idempotency USING (
    account_id = (SELECT scope_account()) OR (SELECT scope_role()) = 'system');
CREATE POLICY reading ON access_record FOR SELECT USING ((SELECT scope_role()) IN ('auditor', 'system')
    AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY writing ON access_record FOR INSERT WITH CHECK (account_id = (SELECT scope_account()));

GRANT SELECT, INSERT, UPDATE ON region, region_code, contractor, centre TO tantu_app;
GRANT SELECT, INSERT ON account TO tantu_app;
GRANT UPDATE (password_hash, role, region, contractor_id, centre_id, disabled_at, version) ON account TO tantu_app;
GRANT SELECT, INSERT, DELETE ON session TO tantu_app;
GRANT SELECT, INSERT, DELETE ON idempotency TO tantu_app;
GRANT SELECT, INSERT ON access_record TO tantu_app;
GRANT SELECT ON schema_version TO tantu_app;
