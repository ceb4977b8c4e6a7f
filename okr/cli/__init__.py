"""The callers' command line, `okr`."""

from okr.cli.app import app, main

__all__ = ["app", "main"]
