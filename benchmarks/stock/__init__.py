"""The stock stack, frozen: what the event sourcing library's documentation teaches, behind gRPC.

A synchronous gRPC server on a thread pool, the library's `Application` on a SQLite file with its
defaults and its aggregate cache, one aggregate and one `save()` for each command. It has no
validation, request ids, projections or audit. Do not make it faster or slower: its rate is what
`append_vs_stock` is measured against from release to release.
"""
