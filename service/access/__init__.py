"""Who may do what: policies in Cedar, decided on what the ledger says of teams and owners."""
