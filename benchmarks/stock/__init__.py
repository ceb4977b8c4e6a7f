"""The stock stack, frozen: what the event sourcing library's documentation teaches, behind gRPC.

A synchronous gRPC server on a thread pool, the library's `Application` with its defaults and its
aggregate cache on a SQLite file, or with its recorder for PostgreSQL on one, one aggregate and one
`save()` for each command. It has no validation, request ids, projections or audit. Do not make it
faster or slower: its rate is what `append_vs_stock` and `append_pg_vs_stock` are measured against
from release to release.
"""
