"""The event log on SQLite: one process writes to the file, any number read it.

`recorder.open_log` opens it.
"""
