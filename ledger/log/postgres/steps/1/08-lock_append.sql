-- One writer at a time appends to this schema's log; the lock goes with the transaction. The caller
-- has to read in a later statement, whose snapshot then has all that was committed before.
CREATE FUNCTION lock_append() RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'appending needs READ COMMITTED' USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('okr-ledger append ' || current_schema(), 0));
END
$$;
