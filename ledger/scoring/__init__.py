"""Scores as pure functions: definitions, check-ins, a policy and a day in, exact decimals out."""
