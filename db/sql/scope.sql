-- SPDX-License-Identifier: Apache-2.0
-- Goes in front of every group's members; row-level security reads it. See db/connection.c.

-- name: scope_set :one public
SELECT set_config('tantu.low', $1, true), set_config('tantu.high', $2, true), set_config('tantu.role', $3, true),
       set_config('tantu.account', $4, true), set_config('tantu.contractor', $5, true), set_config('tantu.centre', $6, true);

-- name: database_answers :one public
SELECT now() AS now;

-- name: idempotency_find :one write
SELECT fingerprint, answer FROM idempotency WHERE account_id = scope_account() AND key = $1::text;

-- name: replica_heard :one queue public
-- Until when a replica has heard of everything, by the primary's clock (milliseconds); NULL on a primary.
SELECT CASE WHEN pg_is_in_recovery() THEN (extract(epoch FROM pg_last_xact_replay_timestamp()) * 1000)::bigint END AS heard_ms;

-- name: replica_beat :one write public
-- The primary's clock, and a commit for replicas to hear of when nobody else writes.
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms, pg_current_xact_id()::text AS beat;
