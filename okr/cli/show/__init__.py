"""Answers for people: tables, bars and colours; plain text where the output is no terminal."""
