-- When the next call of amoCRM may begin, for everybody on this database: one row.
CREATE TABLE amocrm_pace (
    id      BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    next_at BIGINT NOT NULL -- milliseconds since 1970, on the database's clock
);
INSERT INTO amocrm_pace (id, next_at) VALUES (1, 0);
