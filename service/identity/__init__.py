"""Who calls: told from what a call carries, before anything else is done with it."""
