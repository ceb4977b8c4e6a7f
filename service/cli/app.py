"""The commands of `okr-ledger`."""

from __future__ import annotations

import typer

from server import serve
from service.cli import checkpoint, identity, keys, log, moving, policy, projections
from service.cli.conformance import conformance
from service.cli.follow import follow
from service.cli.status import status
from service.cli.verify import verify

app = typer.Typer(
    name="okr-ledger",
    help="Run and look after a ledger of OKRs. Callers use `okr`.",
    epilog="Settings are flags or OKR_… variables; a flag wins.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(follow)
app.command()(status)
app.command()(verify)
app.command()(conformance)
app.command()(moving.backup)
app.command()(moving.restore)
app.command()(moving.export)
app.command("import")(moving.import_ledger)
app.add_typer(projections.app, name="projections")
app.add_typer(log.app, name="log")
app.add_typer(checkpoint.app, name="checkpoint")
app.add_typer(identity.app, name="identity")
app.add_typer(policy.app, name="policy")
app.add_typer(keys.app, name="keys")
