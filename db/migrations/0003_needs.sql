-- SPDX-License-Identifier: Apache-2.0
-- The needs database: households, people, needs. plan_region (the place of the plan's region when the plan
-- was made) is the first key column of everything below it, for distribution; ids begin with its six digits.

CREATE SEQUENCE household_number;
CREATE SEQUENCE person_number;
CREATE SEQUENCE need_number;
CREATE SEQUENCE case_number;
CREATE FUNCTION id_in(plan_region int, counter regclass) RETURNS bigint LANGUAGE sql VOLATILE
AS $$ SELECT (plan_region / 1000)::bigint * 10000000000 + nextval(counter) $$;
CREATE FUNCTION plan_region_of(id bigint) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT CASE WHEN id BETWEEN 1100000000000000 AND 9999990000000000
             THEN (id / 10000000000 * 1000)::int ELSE 0 END $$;

CREATE TABLE household (
    plan_region    int NOT NULL,
    id             bigint NOT NULL,
    number         text NOT NULL, -- 户编号
    region         int NOT NULL REFERENCES region,
    village        text NOT NULL,
    address        text NOT NULL,
    longitude      double precision CHECK (longitude BETWEEN -180 AND 180),
    latitude       double precision CHECK (latitude BETWEEN -90 AND 90),
    hardship       text NOT NULL,
    traits         text[] NOT NULL DEFAULT '{}',
    elder_retrofit boolean NOT NULL DEFAULT false, -- had a 居家适老化改造 already
    created_at     timestamptz NOT NULL DEFAULT now(),
    version        int NOT NULL DEFAULT 1,
    PRIMARY KEY (plan_region, id),
    UNIQUE (plan_region, number)
);
CREATE TABLE person (
    plan_region       int NOT NULL,
    id                bigint NOT NULL,
    household_id      bigint NOT NULL,
    name              text NOT NULL,
    sex               text NOT NULL,
    relation          text NOT NULL, -- 与户主关系
    citizen_id        bytea NOT NULL, -- sealed
    citizen_id_index  bytea NOT NULL, -- keyed hash
    certificate       bytea,
    certificate_index bytea,
    category          smallint NOT NULL CHECK (category BETWEEN 1 AND 7),
    level             smallint NOT NULL CHECK (level BETWEEN 1 AND 4),
    phone             text NOT NULL,
    registered_on     date,
    remark            text NOT NULL DEFAULT '',
    created_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, id),
    UNIQUE (plan_region, citizen_id_index),
    FOREIGN KEY (plan_region, household_id) REFERENCES household
);
CREATE INDEX person_by_household ON person (plan_region, household_id);
CREATE TABLE need (
    plan_region  int NOT NULL,
    id           bigint NOT NULL,
    household_id bigint NOT NULL,
    person_id    bigint NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('retrofit', 'device')),
    item         text NOT NULL,
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'met', 'dropped')),
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (plan_region, id),
    UNIQUE (plan_region, person_id, kind, item),
    FOREIGN KEY (plan_region, person_id) REFERENCES person,
    FOREIGN KEY (plan_region, household_id) REFERENCES household
);
CREATE INDEX need_by_household ON need (plan_region, household_id);

GRANT USAGE ON household_number, person_number, need_number, case_number TO tantu_app;
GRANT SELECT, INSERT ON household, person, need TO tantu_app;
GRANT UPDATE (region, village, address, longitude, latitude, hardship, traits, elder_retrofit, version)
    ON household TO tantu_app;
