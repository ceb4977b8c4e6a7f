"""What both sides of the wire share: calls, tokens, errors, settings, logs, operators' commands."""
