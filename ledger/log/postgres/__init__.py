"""The event log on PostgreSQL: any number of processes write to it, one batch at a time.

`recorder.open_log` opens it. What it makes in the database is spelled out under `steps`, one object
a file.
"""
