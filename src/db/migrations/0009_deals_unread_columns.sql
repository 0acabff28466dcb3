-- Columns that were written and never read.
ALTER TABLE deals DROP COLUMN account_id;
ALTER TABLE deals DROP COLUMN claimed_by;
ALTER TABLE deals DROP COLUMN payload_hash;
