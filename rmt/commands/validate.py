"""The command `validate`: check that a trace is whole."""

from pathlib import Path
from typing import Annotated

import typer


def validate(trace: Annotated[Path, typer.Argument(help="A trace file.", show_default=False)]) -> None:
    """Say whether a trace is whole, and what is wrong with it where it is not (exit code 1)."""
    from rmt.trace import validate as look

    problems = look(trace)
    print("\n".join(problems) or f"{trace} is a whole trace.")
    if problems:
        raise typer.Exit(1)
