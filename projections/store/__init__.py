"""Where the read models are kept: generations of tables, built, compared, switched and read."""
