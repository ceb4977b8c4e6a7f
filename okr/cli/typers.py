"""How the groups of commands are set up."""

from __future__ import annotations

import textwrap

import typer


def group(help_text: str) -> typer.Typer:
    """A group of commands whose help is Markdown; asked for nothing, it shows its help."""
    return typer.Typer(
        help=textwrap.dedent(help_text),
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="markdown",
        # A failure of ours is told in a sentence where it happens; anything else is a defect.
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
