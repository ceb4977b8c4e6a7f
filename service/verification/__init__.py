"""Whether a ledger is what it should be, from its stored rows."""
