-- What the health check writes, to prove that a webhook could be stored: one row.
CREATE TABLE write_probe (
    id      BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    content BLOB NOT NULL
);
INSERT INTO write_probe (id, content) VALUES (1, '');
