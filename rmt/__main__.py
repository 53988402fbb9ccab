"""The command line: python -m rmt COMMAND. Each command is a file in rmt/commands and a line in COMMANDS."""

import sys

import typer
from typer.exceptions import TyperException

from rmt.commands.common import console
from rmt.commands.cost import cost
from rmt.commands.evaluate import evaluate
from rmt.commands.evaluate_loss import evaluate_loss
from rmt.commands.export import export
from rmt.commands.facts import facts
from rmt.commands.gallery import gallery
from rmt.commands.inspect import inspect
from rmt.commands.mechanisms import mechanisms
from rmt.commands.record import record
from rmt.commands.train import train
from rmt.commands.train_stories import train_stories
from rmt.commands.validate import validate
from rmt.commands.what_if import what_if
from rmt.commands.why import why
from rmt.errors import InputError

COMMANDS = (
    train,
    train_stories,
    evaluate,
    evaluate_loss,
    record,
    cost,
    inspect,
    facts,
    gallery,
    what_if,
    why,
    mechanisms,
    validate,
    export,
)
app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Train, run and record Recurrent Memory Transformers."
)
for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """Run a command; an error in its input ends with one sentence and exit code 2."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["evaluate"] and "--per-position" in arguments:  # the older name of evaluate-loss
        arguments = ["evaluate-loss", *(argument for argument in arguments[1:] if argument != "--per-position")]
    try:
        sys.exit(app(arguments, standalone_mode=False))
    except InputError as error:
        sentence = str(error)
    except TyperException as error:
        sentence = f"{error.format_message().rstrip('.')}. See python -m rmt --help."
    except OSError as error:  # a full disk, a name too long, a folder that may not be written
        sentence = f"{error.filename or 'A file'} cannot be used: {error.strerror or error}."
    except typer.Abort:
        sys.exit(130)
    console.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
