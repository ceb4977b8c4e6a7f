-- Once for a statement, so that an insert pays nothing. ALWAYS: also where a session turns the
-- ordinary triggers off.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON schema_steps
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON requests
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE schema_steps ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE ledger ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE events ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE requests ENABLE ALWAYS TRIGGER append_only;
