"""`okr-ledger`: the operators' command line."""


def main() -> None:
    """Runs the command line; the entry point of the package."""
    # Here, because the server takes its options from this package, and the commands the server.
    from service.cli.app import app

    app()
