-- What happened to a deal and when, a line for each: it is appended by the statement that makes the change. A long one lacks its
-- middle.
ALTER TABLE deals ADD COLUMN story TEXT NOT NULL DEFAULT '';
ALTER TABLE deals ADD COLUMN recorded_at BIGINT; -- when the record was noted
-- Of deals from before no more is known than when something happened to them last.
UPDATE deals SET recorded_at = updated_at WHERE state = 'done';
CREATE INDEX deals_recorded_at ON deals (recorded_at) WHERE state = 'done';
-- A deal is looked for by its record and by its run.
CREATE INDEX deals_erp_id ON deals (erp_id) WHERE erp_id IS NOT NULL;
CREATE INDEX deals_run_id ON deals (run_id);
