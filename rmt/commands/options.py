"""Command-line options made from the fields of a config dataclass: name, type, default, bounds and help."""

from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields
from inspect import Parameter, signature
from typing import Annotated

import typer

from rmt.errors import InputError


def options_of(config: type, *, mark: str = "", without: Iterable[str] = (), optional: bool = False) -> list[Parameter]:
    """Make an option of every field of a config dataclass that has a help text.

    mark: a prefix of each help text. without: names that are left out. optional: an option that is not typed has the
    value None, which stands for the config's own default.
    """
    options = []
    for field in fields(config):
        metadata = field.metadata
        name = metadata.get("flag", field.name)
        if "help" not in metadata or name in without:
            continue
        kind, default = (list[str] | None, None) if field.default is MISSING else (field.type, field.default)
        if optional and kind is not bool:
            kind, default = kind | None, None
        flags = [f"--{name.replace('_', '-')}"] if kind is bool else []  # and no --no-… beside it
        option = typer.Option(*flags, help=mark + metadata["help"], min=metadata.get("least"), max=metadata.get("most"))
        options.append(Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]))
    return options


def with_options(*options: Parameter) -> Callable[[Callable], Callable]:
    """Decorator that adds options to a command, which gets their values as the dict `settings`."""

    def decorate(function: Callable) -> Callable:
        def command(**values):
            settings = {option.name: values.pop(option.name) for option in options}
            return function(**values, settings=settings)

        whole = signature(function)
        own = [p.replace(kind=Parameter.KEYWORD_ONLY) for name, p in whole.parameters.items() if name != "settings"]
        command.__signature__ = whole.replace(parameters=[*own, *options])
        command.__annotations__ = {p.name: p.annotation for p in (*own, *options)}
        command.__name__, command.__doc__, command.__module__ = function.__name__, function.__doc__, function.__module__
        return command

    return decorate


Track = Annotated[
    str, typer.Option(help="Send metrics to tensorboard, wandb or trackio, too; jsonl: metrics.jsonl alone.")
]


def typed(context: typer.Context) -> list[str]:
    """The names of the options that were typed; the others have their defaults."""
    return [name for name in context.params if context.get_parameter_source(name).name == "COMMANDLINE"]


def name_and_value(text: str) -> tuple[str, int | float | str]:
    """Parse an option of a cell written name=value; the value is a number where it can be one."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InputError(f"An option of a cell is written name=value, not {text!r}.")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            pass
    return name, value
