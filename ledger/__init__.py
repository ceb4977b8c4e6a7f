"""The write side: requests become decisions, decisions become events in the log."""
