"""Streams: the ledger's events and scores as they come, and a cycle played again."""
