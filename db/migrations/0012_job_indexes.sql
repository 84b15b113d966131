-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- A job is written three times in its life, and each time into every index that its new state belongs to: only those
-- stay that a statement reads. job_ready serves claims and, one step a priority, the next run_at.

DROP INDEX job_by_state, job_by_time, job_unique;
CREATE UNIQUE INDEX job_unique ON job (unique_key) WHERE state IN ('queued', 'running') AND unique_key IS NOT NULL;
CREATE INDEX job_dead ON job (queue, id) WHERE state = 'dead';
