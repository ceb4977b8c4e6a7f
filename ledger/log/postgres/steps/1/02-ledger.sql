-- Which log this is: the row of the highest epoch counts.
CREATE TABLE ledger (
    epoch      bigint NOT NULL PRIMARY KEY CHECK (epoch >= 1),
    log_id     text   NOT NULL,
    created_us bigint NOT NULL
);
