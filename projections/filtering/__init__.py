"""Filters and orders of lists: as callers write them, and what they are applied to."""
