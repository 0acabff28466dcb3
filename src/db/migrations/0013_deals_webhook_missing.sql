-- 1: reconciliation has reported the deal, and its webhook may still come. With one record for each event that is the same deal.
ALTER TABLE deals ADD COLUMN webhook_missing BIGINT NOT NULL DEFAULT 0;
