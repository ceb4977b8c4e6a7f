"""The read side: follows the log, keeps what it says in tables, and answers from them."""
