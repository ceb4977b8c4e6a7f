"""The event log and the lane that writes to it.

`opening.open_log` opens a log, `lane.WriteLane` decides and appends. What may be asked of any log
is in `contract`, what it may refuse in `errors`. Only this package knows the library that the log
stands on.
"""
