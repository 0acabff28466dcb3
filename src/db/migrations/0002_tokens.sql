-- The newest OAuth token pair. `generation` guards its replacement: who replaces must name the one it read.
CREATE TABLE tokens (
    id            BIGINT PRIMARY KEY NOT NULL CHECK (id = 1),
    generation    BIGINT NOT NULL,
    access_token  TEXT NOT NULL,
    refresh_token TEXT NOT NULL,
    obtained_at   BIGINT NOT NULL, -- milliseconds since 1970
    expires_at    BIGINT NOT NULL
);
