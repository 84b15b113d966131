-- SPDX-License-Identifier: Apache-2.0
-- Queues (SPEC §8). A job is finished only by who still holds it: every claim has a new lease_token.
-- A recurring job (schedule set) is one row that is put back with its next time, so nothing can double it.

CREATE TABLE job (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue        text NOT NULL,
    kind         text NOT NULL,
    state        text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'dead', 'cancelled')),
    priority     smallint NOT NULL DEFAULT 0, -- higher first
    run_at       timestamptz NOT NULL DEFAULT now(),
    payload      json NOT NULL DEFAULT '{}', -- names and numbers, no personal data
    unique_key   text,
    schedule     text, -- 'every 5 seconds' or five cron fields, China time
    region       int,  -- who may look at it; NULL: administrators
    attempts     int NOT NULL DEFAULT 0,
    max_attempts int NOT NULL DEFAULT 10,
    lease_token  bigint,
    lease_until  timestamptz,
    worker       text,
    last_error   text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    CHECK ((state = 'running') = (lease_token IS NOT NULL AND lease_until IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE UNIQUE INDEX job_unique ON job (unique_key) WHERE state IN ('queued', 'running');
CREATE INDEX job_ready ON job (queue, priority DESC, run_at, id) WHERE state = 'queued';
CREATE INDEX job_leased ON job (lease_until) WHERE state = 'running';
CREATE INDEX job_finished ON job (finished_at) WHERE state IN ('done', 'cancelled');
CREATE INDEX job_by_time ON job (run_at) WHERE state = 'queued';
CREATE INDEX job_by_state ON job (state, id);
CREATE SEQUENCE job_lease;

-- Wakes the workers: at once for a job that may run now; they keep a timer for the next run_at.
CREATE FUNCTION job_queued() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('job', queue) FROM (SELECT DISTINCT queue FROM added WHERE state = 'queued') AS q;
    RETURN NULL;
END $$;
CREATE TRIGGER job_added AFTER INSERT ON job REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION job_queued();

-- One field of a cron line as the numbers it stands for: * 5 1-5 */15 10-30/5 1,2,3
CREATE FUNCTION cron_field(field text, low int, high int) RETURNS int[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    part text;
    m text[];
    first int;
    last int;
    found int[] := '{}';
BEGIN
    FOREACH part IN ARRAY string_to_array(field, ',') LOOP
        m := regexp_match(part, '^(\*|(\d{1,2})(-(\d{1,2}))?)(/(\d{1,2}))?$');
        IF m IS NULL THEN
            RAISE EXCEPTION 'cron field % is none', field USING ERRCODE = '22023';
        END IF;
        first := coalesce(m[2]::int, low);
        last := CASE WHEN m[1] = '*' THEN high ELSE coalesce(m[4]::int, CASE WHEN m[6] IS NULL THEN first ELSE high END) END;
        IF first < low OR last > high OR first > last OR coalesce(m[6]::int, 1) = 0 THEN
            RAISE EXCEPTION 'cron field % is out of range', field USING ERRCODE = '22023';
        END IF;
        found := found || ARRAY(SELECT generate_series(first, last, coalesce(m[6]::int, 1)));
    END LOOP;
    RETURN found;
END $$;

-- The next time after `after` of 'every N seconds|minutes|hours' or of minute hour day month weekday (0 = Sunday),
-- China time; day and weekday both given: either (as in crontab(5)).
CREATE FUNCTION schedule_next(schedule text, after timestamptz) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
DECLARE
    f text[] := regexp_split_to_array(btrim(schedule), '\s+');
    minutes int[]; hours int[]; days int[]; months int[]; weekdays int[];
    start timestamp := date_trunc('minute', after AT TIME ZONE 'Asia/Shanghai') + interval '1 minute';
    result timestamp;
BEGIN
    IF schedule LIKE 'every %' THEN
        IF substr(schedule, 7)::interval <= interval '0' THEN
            RAISE EXCEPTION 'schedule % leads nowhere', schedule USING ERRCODE = '22023';
        END IF;
        RETURN after + substr(schedule, 7)::interval;
    END IF;
    IF array_length(f, 1) IS DISTINCT FROM 5 THEN
        RAISE EXCEPTION 'schedule % has not five fields', schedule USING ERRCODE = '22023';
    END IF;
    minutes := cron_field(f[1], 0, 59); hours := cron_field(f[2], 0, 23); days := cron_field(f[3], 1, 31);
    months := cron_field(f[4], 1, 12); weekdays := cron_field(f[5], 0, 6);
    SELECT d.day + make_interval(hours => h, mins => m) INTO result
    FROM (SELECT day FROM generate_series(start::date::timestamp, start::date::timestamp + interval '4 years 2 days', interval '1 day') AS day
          WHERE extract(month FROM day)::int = ANY (months)
            AND CASE WHEN f[3] <> '*' AND f[5] <> '*'
                     THEN extract(day FROM day)::int = ANY (days) OR extract(dow FROM day)::int = ANY (weekdays)
                     ELSE extract(day FROM day)::int = ANY (days) AND extract(dow FROM day)::int = ANY (weekdays) END
          ORDER BY day LIMIT 2) AS d, -- today it may be too late
         unnest(hours) AS h, unnest(minutes) AS m
    WHERE d.day + make_interval(hours => h, mins => m) >= start
    ORDER BY 1 LIMIT 1;
    IF result IS NULL THEN
        RAISE EXCEPTION 'schedule % never comes', schedule USING ERRCODE = '22023';
    END IF;
    RETURN result AT TIME ZONE 'Asia/Shanghai';
END $$;

-- What is to be told to the outside; webhooks take it from here.
CREATE TABLE outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL,
    region     int NOT NULL,
    case_id    bigint,
    case_version int,
    content    json NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at    timestamptz
);
CREATE INDEX outbox_by_case ON outbox (case_id, kind);

-- How long a case may stay in a stage, in days; NULL plan: every plan that has no row of its own.
CREATE TABLE stage_limit (
    plan_id smallint REFERENCES plan,
    stage   stage NOT NULL,
    days    int NOT NULL CHECK (days > 0),
    UNIQUE NULLS NOT DISTINCT (plan_id, stage)
);
INSERT INTO stage_limit VALUES (NULL, 'registered', 60), (NULL, 'approved', 45), (NULL, 'surveyed', 30),
    (NULL, 'designed', 30), (NULL, 'assigned', 7), (NULL, 'building', 30), (NULL, 'built', 15), (NULL, 'rework', 15),
    (NULL, 'accepted', 90);

INSERT INTO job (queue, kind, unique_key, schedule, max_attempts) VALUES
    ('totals', 'totals_fold', 'totals_fold', 'every 2 seconds', 1000000),
    ('reminders', 'overdue_scan', 'overdue_scan', '30 7 * * *', 1000000),
    ('upkeep', 'clean_up', 'clean_up', 'every 10 minutes', 1000000);

-- Only the holder of the lease finishes or goes on; anybody else is undone with all of his transaction.
CREATE FUNCTION job_finish(held_id bigint, held_token bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE job SET state = CASE WHEN schedule IS NULL THEN 'done' ELSE 'queued' END,
        run_at = CASE WHEN schedule IS NULL THEN run_at ELSE schedule_next(schedule, now()) END,
        attempts = CASE WHEN schedule IS NULL THEN attempts ELSE 0 END,
        lease_token = NULL, lease_until = NULL, last_error = NULL, finished_at = now()
    WHERE id = held_id AND state = 'running' AND lease_token = held_token;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'job %: the lease is not held any more', held_id USING ERRCODE = 'TT002';
    END IF;
    RETURN true;
END $$;
CREATE FUNCTION job_hold(held_id bigint, held_token bigint, seconds int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE job SET lease_until = now() + make_interval(secs => seconds)
    WHERE id = held_id AND state = 'running' AND lease_token = held_token;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'job %: the lease is not held any more', held_id USING ERRCODE = 'TT002';
    END IF;
    RETURN true;
END $$;

ALTER TABLE job ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON job FOR SELECT USING ((SELECT scope_role()) IN ('admin', 'system')
    OR ((SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high())));
CREATE POLICY adding ON job FOR INSERT WITH CHECK ((SELECT scope_role()) IN ('admin', 'system')
    OR region BETWEEN (SELECT scope_low()) AND (SELECT scope_high()));
CREATE POLICY changing ON job FOR UPDATE USING ((SELECT scope_role()) IN ('admin', 'system')
    OR ((SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high())));
CREATE POLICY removing ON job FOR DELETE USING ((SELECT scope_role()) = 'system');
CREATE POLICY scope ON outbox USING ((SELECT scope_role()) = 'system'
    OR ((SELECT scope_sees_region()) AND region BETWEEN (SELECT scope_low()) AND (SELECT scope_high())));
GRANT SELECT, INSERT, UPDATE, DELETE ON job TO tantu_app;
GRANT USAGE ON job_lease TO tantu_app;
GRANT SELECT, INSERT ON outbox TO tantu_app;
GRANT UPDATE (sent_at) ON outbox TO tantu_app;
GRANT SELECT, INSERT, UPDATE ON stage_limit TO tantu_app;
