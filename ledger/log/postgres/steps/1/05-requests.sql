-- What each answered request wrote. No foreign key to events: append_batch writes both in one
-- statement's reach, and a check for each row would cost more than the row.
CREATE TABLE requests (
    first_position bigint NOT NULL PRIMARY KEY,
    last_position  bigint NOT NULL,
    request_digest bytea  NOT NULL CONSTRAINT requests_by_digest UNIQUE,
    content_hash   bytea  NOT NULL
);
