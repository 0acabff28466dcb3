-- What happens to a lead after its record was made. A deal that is done and has a payload is on its way to be compared, and
-- has sends = -1 before its first event is queued.
ALTER TABLE deals ADD COLUMN recorded TEXT; -- what was sent to the ERP last, JSON; of a deal that is done: what the record was given
ALTER TABLE deals ADD COLUMN updating TEXT; -- what an update of unknown outcome was to write, JSON: the record may hold that
ALTER TABLE deals ADD COLUMN difference TEXT; -- how the record and amoCRM differ, JSON
ALTER TABLE deals ADD COLUMN dismissed TEXT; -- the difference that a person has dismissed
ALTER TABLE deals ADD COLUMN reports BIGINT NOT NULL DEFAULT 0; -- how often the lead was reported
ALTER TABLE deals ADD COLUMN compared BIGINT NOT NULL DEFAULT 0; -- how many of the reports the newest comparison knew
ALTER TABLE deals ADD COLUMN deleted_at BIGINT; -- when the lead was reported as deleted
ALTER TABLE deals ADD COLUMN merged_into BIGINT; -- the lead that this one has become a part of
CREATE INDEX deals_differing ON deals (updated_at)
    WHERE state = 'done' AND (failure IS NOT NULL OR difference IS NOT NULL);
CREATE INDEX deals_merged ON deals (merged_into) WHERE merged_into IS NOT NULL;

-- The event of a deal whose record a person has found was kept.
UPDATE deals SET payload = NULL WHERE state = 'done';
