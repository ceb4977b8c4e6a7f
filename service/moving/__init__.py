"""A ledger on its way: exported to a file, taken in from one, backed up and restored."""
