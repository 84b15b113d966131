-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- Time limits in working days. The days off and the days worked instead (调休) are data, as the State Council publishes them each
-- year; a year that nobody has entered has weekends only.

CREATE TABLE holiday (
    day     date PRIMARY KEY CHECK (day BETWEEN '2000-01-01' AND '2049-12-31'),
    works   boolean NOT NULL, -- false: a day off; true: worked, though it is a weekend
    name    text NOT NULL,
    source  text NOT NULL DEFAULT '', -- the number of the notice
    version int NOT NULL DEFAULT 1
);
-- Every day and how many working days there were up to its end, so that days between two days are a subtraction and a limit is a
-- range of an index. Made from holiday by calendar_renumber, and by nobody else.
CREATE TABLE calendar (
    day    date PRIMARY KEY,
    number int NOT NULL
);
INSERT INTO calendar
SELECT d, sum((extract(isodow FROM d) < 6)::int) OVER (ORDER BY d)
FROM generate_series(date '2000-01-01', date '2049-12-31', interval '1 day') AS d;
CREATE INDEX calendar_by_number ON calendar (number, day);
ANALYZE calendar;

CREATE FUNCTION calendar_renumber() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    since date;
BEGIN
    PERFORM pg_advisory_xact_lock(7240024); -- who counts after another has seen his days
    IF TG_OP = 'UPDATE' THEN
        SELECT min(n.day) INTO since FROM changed n JOIN was o ON o.day = n.day AND o.works <> n.works;
    ELSE
        SELECT min(n.day) INTO since FROM changed n;
    END IF;
    UPDATE calendar c SET number = n.number FROM (
        SELECT d.day, coalesce((SELECT b.number FROM calendar b WHERE b.day = since - 1), 0)
            + sum(coalesce(h.works, extract(isodow FROM d.day) < 6)::int) OVER (ORDER BY d.day) AS number
        FROM calendar d LEFT JOIN holiday h ON h.day = d.day WHERE d.day >= since) AS n
    WHERE n.day = c.day AND n.number <> c.number;
    RETURN NULL;
END $$;
CREATE TRIGGER calendar_adds AFTER INSERT ON holiday REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION calendar_renumber();
CREATE TRIGGER calendar_changes AFTER UPDATE ON holiday REFERENCING OLD TABLE AS was NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION calendar_renumber();
CREATE TRIGGER calendar_removes AFTER DELETE ON holiday REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION calendar_renumber();

GRANT SELECT ON calendar TO tantu_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON holiday TO tantu_app;
ALTER TABLE holiday ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON holiday FOR SELECT USING (true);
CREATE POLICY adding ON holiday FOR INSERT WITH CHECK ((SELECT scope_role()) = 'admin');
CREATE POLICY changing ON holiday FOR UPDATE USING ((SELECT scope_role()) = 'admin');
CREATE POLICY removing ON holiday FOR DELETE USING ((SELECT scope_role()) = 'admin');

-- What is before or after the calendar is counted as its first or last day. (plpgsql keeps its plans; a function of SQL that is not
-- inlined plans anew in every statement.)
CREATE FUNCTION working_day_number(wanted date) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN
    RETURN (SELECT c.number FROM calendar c WHERE c.day = greatest('2000-01-01', least(wanted, '2049-12-31')));
END $$;
-- Working days after `earlier` up to and with `later`; negative the other way round.
CREATE FUNCTION working_days_between(earlier date, later date) RETURNS int LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT working_day_number(later) - working_day_number(earlier) $$;
-- The n-th working day after a day; n = 0: the day itself.
CREATE FUNCTION working_days_add(start date, n int) RETURNS date LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN
    RETURN CASE WHEN n = 0 THEN start ELSE (SELECT c.day FROM calendar c WHERE c.number >= working_day_number(start) + n
                                            ORDER BY c.number, c.day LIMIT 1) END;
END $$;
-- What began before this instant is more than n working days old on `today`: a comparison that an index can answer.
CREATE FUNCTION aged_before(today date, n int) RETURNS timestamptz LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN
    RETURN (SELECT c.day::timestamp AT TIME ZONE 'Asia/Shanghai' FROM calendar c
            WHERE c.number >= working_day_number(today) - n ORDER BY c.number, c.day LIMIT 1);
END $$;
CREATE FUNCTION is_working_day(wanted date) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT working_day_number(wanted) > working_day_number(wanted - 1) $$;
-- So many hours later on a clock that stands still on days off (a working day has 24 of them).
CREATE FUNCTION working_hours_add(start timestamptz, hours int) RETURNS timestamptz LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    began timestamp := start AT TIME ZONE 'Asia/Shanghai';
    seconds bigint;
BEGIN
    IF NOT is_working_day(began::date) THEN
        began := working_days_add(began::date, 1);
    END IF;
    seconds := extract(epoch FROM began - began::date)::bigint + hours * 3600::bigint;
    RETURN (working_days_add(began::date, (seconds / 86400)::int) + make_interval(secs => seconds % 86400)) AT TIME ZONE 'Asia/Shanghai';
END $$;
-- The last day of the last year whose holidays are known.
CREATE FUNCTION calendar_until() RETURNS date LANGUAGE sql STABLE
AS $$ SELECT make_date(extract(year FROM max(h.day))::int, 12, 31) FROM holiday h WHERE h.day < date_trunc('year', h.day) + interval '360 days' $$;
-- A day as text, NULL when there is none such.
CREATE FUNCTION calendar_day(wanted text) RETURNS date LANGUAGE sql STABLE
AS $$ SELECT c.day FROM calendar c WHERE wanted ~ '^20\d\d-\d\d-\d\d$' AND to_char(c.day, 'YYYY-MM-DD') = wanted
        AND c.day BETWEEN make_date(substr(wanted, 1, 4)::int, 1, 1) AND make_date(substr(wanted, 1, 4)::int, 12, 31) $$;

-- Rules of a plan; those of plan NULL are for plans that have none of their own.
CREATE TABLE time_rule (
    plan_id      smallint REFERENCES plan,
    answer_hours int CHECK (answer_hours > 0), -- of working days, for a contractor's answer; NULL: no limit
    note         text NOT NULL DEFAULT '',
    changed_by   bigint,
    changed_at   timestamptz NOT NULL DEFAULT now(),
    version      int NOT NULL DEFAULT 1,
    UNIQUE NULLS NOT DISTINCT (plan_id)
);
CREATE TABLE limit_step (
    plan_id smallint REFERENCES plan,
    step    smallint NOT NULL,
    told    text NOT NULL CHECK (told IN ('handler', 'county', 'manager')),
    after   int NOT NULL CHECK (after >= 0), -- working days past the limit
    UNIQUE NULLS NOT DISTINCT (plan_id, step)
);
INSERT INTO time_rule (plan_id, answer_hours) VALUES (NULL, 48);
INSERT INTO limit_step VALUES (NULL, 0, 'handler', 0), (NULL, 1, 'county', 5), (NULL, 2, 'manager', 15);

-- `days` are calendar days, which programs older than this still read.
ALTER TABLE stage_limit ADD COLUMN working_days int CHECK (working_days > 0);
UPDATE stage_limit SET working_days = greatest(1, round(days * 5 / 7.0));
ALTER TABLE stage_limit ALTER working_days SET NOT NULL;
INSERT INTO time_rule (plan_id, answer_hours) SELECT DISTINCT plan_id, 48 FROM stage_limit WHERE plan_id IS NOT NULL;
INSERT INTO limit_step SELECT t.plan_id, s.step, s.told, s.after FROM time_rule t, limit_step s WHERE t.plan_id IS NOT NULL AND s.plan_id IS NULL;
INSERT INTO stage_limit (plan_id, stage, days, working_days)
SELECT t.plan_id, l.stage, l.days, l.working_days FROM time_rule t, stage_limit l WHERE t.plan_id IS NOT NULL AND l.plan_id IS NULL
ON CONFLICT DO NOTHING;

CREATE VIEW plan_limit WITH (security_invoker) AS
SELECT p.id AS plan_id, l.stage, l.working_days FROM plan p LEFT JOIN time_rule t ON t.plan_id = p.id
JOIN stage_limit l ON l.plan_id IS NOT DISTINCT FROM t.plan_id;
CREATE VIEW plan_step WITH (security_invoker) AS
SELECT p.id AS plan_id, s.step, s.told, s.after FROM plan p LEFT JOIN time_rule t ON t.plan_id = p.id
JOIN limit_step s ON s.plan_id IS NOT DISTINCT FROM t.plan_id;

GRANT SELECT, INSERT, UPDATE, DELETE ON time_rule, limit_step TO tantu_app;
GRANT DELETE ON stage_limit TO tantu_app;
GRANT SELECT ON plan_limit, plan_step TO tantu_app;
ALTER TABLE time_rule ENABLE ROW LEVEL SECURITY;
ALTER TABLE limit_step ENABLE ROW LEVEL SECURITY;
ALTER TABLE stage_limit ENABLE ROW LEVEL SECURITY;
CREATE POLICY reading ON time_rule FOR SELECT USING (true);
CREATE POLICY reading ON limit_step FOR SELECT USING (true);
CREATE POLICY reading ON stage_limit FOR SELECT USING (true);
CREATE POLICY adding ON time_rule FOR INSERT WITH CHECK (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY changing ON time_rule FOR UPDATE USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY adding ON limit_step FOR INSERT WITH CHECK (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY changing ON limit_step FOR UPDATE USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY removing ON limit_step FOR DELETE USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY adding ON stage_limit FOR INSERT WITH CHECK (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY changing ON stage_limit FOR UPDATE USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));
CREATE POLICY removing ON stage_limit FOR DELETE USING (EXISTS (SELECT FROM plan p WHERE p.id = plan_id AND scope_manages(p.region)));

-- A stay in a stage is told by the time it began: a change of the case leaves it, and a move that is taken back brings it back.
ALTER TABLE outbox ADD COLUMN stay timestamptz, ADD COLUMN step smallint;
UPDATE outbox o SET stay = f.since, step = 0
FROM (SELECT DISTINCT ON (case_id, content ->> 'since') id, (content ->> 'since')::timestamptz AS since
      FROM outbox WHERE kind = 'stage_overdue' AND content ->> 'since' IS NOT NULL ORDER BY case_id, content ->> 'since', id) AS f
WHERE o.id = f.id;
CREATE UNIQUE INDEX outbox_step_once ON outbox (case_id, stay, step) WHERE stay IS NOT NULL;

CREATE OR REPLACE FUNCTION order_answer_by(plan smallint, given timestamptz) RETURNS timestamptz LANGUAGE sql STABLE
AS $$ SELECT working_hours_add(given, t.answer_hours) FROM time_rule t WHERE t.plan_id = plan OR t.plan_id IS NULL
      ORDER BY t.plan_id NULLS LAST LIMIT 1 $$;
