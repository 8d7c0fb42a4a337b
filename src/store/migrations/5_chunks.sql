CREATE TABLE resource_chunk (
    scope TEXT NOT NULL,
    first_id TEXT NOT NULL,
    resources BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (scope, first_id)
);
