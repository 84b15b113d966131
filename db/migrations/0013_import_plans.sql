-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- The connections of jobs plan every statement anew, and so the check of every foreign key of every row: nearly half
-- of an import. Within these functions such a check is planned once, and never as a scan of a table that was small then.

ALTER FUNCTION import_settle(bigint) SET plan_cache_mode = auto;
ALTER FUNCTION import_settle(bigint) SET enable_seqscan = off;
ALTER FUNCTION import_register(bigint) SET plan_cache_mode = auto;
ALTER FUNCTION import_register(bigint) SET enable_seqscan = off;

-- Staged rows come and go with their job: nothing else refers to them, and an import is never deleted.
ALTER TABLE import_row DROP CONSTRAINT import_row_import_id_fkey;
