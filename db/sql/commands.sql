-- SPDX-License-Identifier: Apache-2.0
-- What commands ask over a connection of their own (db/direct.h); not prepared by the server.

-- name: account_named :one start
SELECT id FROM account WHERE name = $1::text;

-- name: doctor :one
-- What tantu doctor and a running server (now and then) look at. Cheap however large the database is.
SELECT current_setting('server_version_num')::bigint AS server_version, clock_timestamp() AS server_now,
       (SELECT sum(numbackends) FROM pg_stat_database)::bigint AS connections, current_setting('max_connections')::bigint AS connections_most,
       (SELECT age(datfrozenxid)::bigint FROM pg_database WHERE datname = current_database()) AS transaction_age,
       (SELECT rolsuper OR rolbypassrls OR rolcreaterole FROM pg_roles WHERE rolname = current_user)
           OR has_schema_privilege('public', 'CREATE') OR pg_has_role((SELECT relowner FROM pg_class WHERE oid = 'case_event'::regclass), 'USAGE') AS too_strong,
       has_table_privilege('case_event', 'INSERT, UPDATE, DELETE') OR has_table_privilege('total_delta', 'INSERT, UPDATE, DELETE')
           OR has_table_privilege('total', 'INSERT, UPDATE, DELETE') OR has_table_privilege('total_history', 'INSERT, UPDATE, DELETE') AS may_write_events,
       EXISTS (SELECT FROM pg_class WHERE NOT relrowsecurity AND oid = ANY (ARRAY['account', 'session', 'access_record', 'household', 'person', 'need',
           'retrofit_case', 'case_event', 'total_delta', 'total', 'total_history', 'job', 'outbox', 'needs_import', 'import_row',
           'import_refusal']::regclass[])) AS unguarded,
       pg_is_in_recovery() AS standby,
       current_setting('fsync') = 'on' AND current_setting('full_page_writes') = 'on' AND current_setting('synchronous_commit') <> 'off' AS durable,
       current_setting('data_checksums') = 'on' AS checksums,
       (SELECT count(*) FROM (SELECT FROM job WHERE state = 'dead' LIMIT 10000) AS few) AS dead_jobs,
       coalesce((SELECT extract(epoch FROM now() - min(run_at)) FROM job WHERE state = 'queued' AND run_at <= now()), 0)::bigint AS waiting_seconds,
       (SELECT count(*) FROM job WHERE state = 'running' AND lease_until < now() - interval '2 minutes') AS lost_leases,
       (SELECT count(*) FROM (SELECT FROM total_delta LIMIT 100000) AS few) AS unfolded,
       coalesce((SELECT extract(epoch FROM now() - coalesce(finished_at, created_at)) FROM job
                 WHERE unique_key = 'totals_fold' AND state IN ('queued', 'running')), 31536000)::bigint AS fold_seconds,
       coalesce((SELECT max(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn))
                 FROM pg_replication_slots), 0)::bigint AS wal_kept,
       pg_database_size(current_database()) AS database_bytes,
       (SELECT coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) FROM pg_stat_archiver) AS archive_fails,
       coalesce((SELECT extract(epoch FROM now() - min(state_change)) FROM pg_stat_activity
                 WHERE usename = current_user AND state LIKE 'idle in transaction%'), 0)::bigint AS idle_seconds,
       coalesce(calendar_until() - china_date(now()), -1)::bigint AS holiday_days,
       (SELECT citizen_id FROM person LIMIT 1) AS sample;
