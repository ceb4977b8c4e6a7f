"""The root of the command line: its global options and its commands."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from okr.calls import DEFAULT_ADDRESS, DEFAULT_TIMEOUT_SECONDS
from okr.cli import (
    adjusting,
    aligning,
    attention,
    believing,
    check_ins,
    closing,
    comparing,
    cycles,
    explaining,
    history,
    importing,
    key_results,
    objectives,
    people,
    proving,
    replaying,
    retro,
    reviews,
    scores,
    session,
    showing,
    simulating,
    teams,
    verifying,
    watching,
    why,
)
from okr.cli.typers import group

PLAN = "The plan"
PROGRESS = "While it runs"
READ = "How it stands and what happened"

app = group(
    """Keep OKRs in a ledger: every goal, every change of it, every check-in, for good.

    A **cycle** (a quarter) holds **objectives**; each has **key results**, which measure it.
    Once the cycle's plan is committed every change of it needs a reason. **Check-ins** record
    measured values with the day they held. Nothing is overwritten, so every read can be asked
    for another day, or for what was known at another time: see `--as-of`.

    **Names** are short: cycle `2026-q3`, objective `brand`, key result `brand/followers`, its
    third check-in `brand/followers/3`.

    **A first quarter:**

    $ okr team create --id marketing "Marketing"\n
    $ okr cycle create --id 2026-q4 "Q4" 2026-10-01 2026-12-31 --time-zone Europe/Budapest\n
    $ okr objective create --id brand 2026-q4 marketing "Grow brand awareness"\n
    $ okr key-result add brand "Grow followers" --id followers --baseline 12000 --target "+20 %"\n
    $ okr cycle commit 2026-q4\n
    $ okr check-in record brand/followers 12350 --confidence 7\n
    $ okr scorecard 2026-q4

    **Exit codes:** 0 done, 1 refused, 2 wrong usage, 3 no answer.
    """
)
cycles.app.command("close")(closing.close)
cycles.app.command("reopen")(closing.reopen)
cycles.app.command("seals")(closing.seals)
cycles.app.command("amend")(closing.amend)
cycles.app.command("amendments")(closing.amendments)
app.add_typer(cycles.app, name="cycle", rich_help_panel=PLAN)
app.add_typer(teams.app, name="team", rich_help_panel=PLAN)
app.add_typer(people.app, name="people", rich_help_panel=PLAN)
app.add_typer(objectives.app, name="objective", rich_help_panel=PLAN)
app.add_typer(key_results.app, name="key-result", rich_help_panel=PLAN)
app.add_typer(check_ins.app, name="check-in", rich_help_panel=PROGRESS)
app.add_typer(reviews.review_app, name="review", rich_help_panel=PROGRESS)
app.add_typer(reviews.lesson_app, name="lesson", rich_help_panel=PROGRESS)
app.command("align", rich_help_panel=PLAN)(aligning.align)
app.command("unalign", rich_help_panel=PLAN)(aligning.unalign)
app.command("adjust", rich_help_panel=PROGRESS)(adjusting.adjust)
app.command("propose", rich_help_panel=PROGRESS)(adjusting.propose)
app.command("approve", rich_help_panel=PROGRESS)(adjusting.approve)
app.command("reject", rich_help_panel=PROGRESS)(adjusting.reject)
app.command("scorecard", rich_help_panel=READ)(scores.scorecard)
app.command("deviations", rich_help_panel=READ)(attention.deviations)
app.command("due", rich_help_panel=READ)(attention.due)
app.command("retro", rich_help_panel=READ)(retro.retro)
app.command("why", rich_help_panel=READ)(why.why)
app.command("as-of", rich_help_panel=READ)(believing.as_of)
app.command("diff", rich_help_panel=READ)(comparing.diff)
app.command("explain", rich_help_panel=READ)(explaining.explain)
app.command("what-if", rich_help_panel=READ)(simulating.what_if)
app.command("policies", rich_help_panel=READ)(simulating.policies)
app.command("alignments", rich_help_panel=READ)(scores.alignments)
app.command("revisions", rich_help_panel=READ)(history.revisions)
app.command("compare", rich_help_panel=READ)(history.compare)
app.command("adjustments", rich_help_panel=READ)(history.adjustments)
app.command("events", rich_help_panel=READ)(history.events)
app.command("watch", rich_help_panel=READ)(watching.watch)
app.command("replay", rich_help_panel=READ)(replaying.replay)
app.command("checkpoint", rich_help_panel=READ)(proving.checkpoint)
app.command("prove", rich_help_panel=READ)(proving.prove)
app.command("status", rich_help_panel=READ)(history.status)
app.command("verify", rich_help_panel=READ)(verifying.verify)
app.command("import", rich_help_panel=PROGRESS)(importing.import_file)


@app.callback()
def settings(
    *,
    address: Annotated[
        str, typer.Option(envvar="OKR_ADDRESS", help="Where the service is: HOST:PORT.")
    ] = DEFAULT_ADDRESS,
    actor: Annotated[
        str,
        typer.Option(
            envvar="OKR_ACTOR", help="Who acts: people/… or services/…; the service may know."
        ),
    ] = "",
    on_behalf_of: Annotated[
        str, typer.Option(envvar="OKR_ON_BEHALF_OF", help="For whom, if the actor is a service.")
    ] = "",
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="How long to wait for an answer.", min=0.001)
    ] = DEFAULT_TIMEOUT_SECONDS,
    tls: showing.Tls = False,
    ca_file: showing.CaFile = None,
    cert_file: showing.CertFile = None,
    key_file: showing.KeyFile = None,
    token_file: showing.TokenFile = None,
) -> None:
    shown = showing.shown(tls, ca_file, cert_file, key_file, token_file)
    session.settings.set(session.Settings(address, actor, on_behalf_of, timeout, shown))


def main() -> None:
    """Run the command line."""
    # gRPC's own remarks on standard error are for its developers.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    app()
