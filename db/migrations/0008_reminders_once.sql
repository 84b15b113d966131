-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- A scan whose snapshot is older than a reminder queues it once more: the second one finds the first said.

DELETE FROM outbox later USING outbox first
WHERE later.kind = 'stage_overdue' AND first.kind = 'stage_overdue' AND later.case_id = first.case_id
  AND later.case_version = first.case_version AND later.id > first.id;
CREATE UNIQUE INDEX outbox_once ON outbox (case_id, case_version) WHERE kind = 'stage_overdue';
