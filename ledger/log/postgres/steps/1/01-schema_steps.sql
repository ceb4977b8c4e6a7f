-- A row for each step of the schema taken.
CREATE TABLE schema_steps (
    version    bigint NOT NULL PRIMARY KEY,
    applied_us bigint NOT NULL
);
