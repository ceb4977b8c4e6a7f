-- The server's clock in µs since 1970 UTC; it goes on within a transaction.
CREATE FUNCTION clock_us() RETURNS bigint
LANGUAGE sql VOLATILE
RETURN (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
