"""Measures the server against a no-op server and a stock event-sourcing stack (`make bench`)."""
