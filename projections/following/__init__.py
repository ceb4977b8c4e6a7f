"""Keeps the read models up with the log: one follower for each, whichever process it is in."""
