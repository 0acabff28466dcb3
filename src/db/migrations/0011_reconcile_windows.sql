-- Reconciliation may stop within a window, and its daily look back may take several runs.
ALTER TABLE reconcile_cursor ADD COLUMN read_at BIGINT NOT NULL DEFAULT 0; -- when the run began that read up to cursor_at
ALTER TABLE reconcile_cursor ADD COLUMN swept_to BIGINT; -- how far the look back under way has come
ALTER TABLE reconcile_cursor ADD COLUMN half_read TEXT; -- the window that the next run begins with, JSON
UPDATE reconcile_cursor SET read_at = cursor_at;
