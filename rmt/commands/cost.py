"""The command `cost`: floating-point operations of RMT and of full attention."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rmt.commands.common import Json, command_line
from rmt.errors import InputError


def cost(
    models: Annotated[list[str] | None, typer.Argument(help="OPT-125M … OPT-175B; four of them by default.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="A config.json of a language model instead, or its folder; implies --count.")
    ] = None,
    tokens: Annotated[int, typer.Option(min=1, help="The length.")] = 2_048_000,
    segment: Annotated[int, typer.Option(min=1, help="Tokens a segment of RMT.")] = 512,
    n_memory: Annotated[int, typer.Option(min=0, help="Of --count: memory tokens.")] = 10,
    count: Annotated[
        bool, typer.Option("--count", help="Count with torch's FlopCounterMode beside the formula.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Floating-point operations of RMT and of full attention, under every convention of counting them."""
    from rmt.cost import OPT, SHOWN, document

    unknown = [name for name in models or [] if name not in OPT]
    if unknown:
        raise InputError(f"There is no {ascii(unknown[0])[:40]} here; choose from {', '.join(OPT)}, or give --config.")
    chosen = [] if config else [OPT[name] for name in models] if models else SHOWN
    counts = _counts(chosen, config, tokens, segment, n_memory) if count or config else []
    if as_json:
        document_json = {"command": command_line(), **document(chosen, tokens, segment), "counted": counts}
        print(json.dumps(document_json, indent=1))
        return
    for row in [*document(chosen, tokens, segment)["table"], *counts]:
        name, figures = f"{row['convention']}, {row['tokens']:,} tokens", (row["full"], row["rmt"], row["ratio"])
        print(f"{name:54s} {row['model']:10s} {figures[0]:.4g} / {figures[1]:.4g} = {figures[2]:.1f}")


def _counts(chosen: list, config: Path | None, tokens: int, segment: int, n_memory: int) -> list[dict]:
    """Count operations with FlopCounterMode, of each model with memory and without: rows of the table."""
    from rmt.checkpoint.weights import read_json
    from rmt.cost.counted import counted, counted_recurrent, opt_config

    models = {sizes.name: opt_config(sizes) for sizes in chosen}
    if config:
        model_config = read_json(config / "config.json" if config.is_dir() else config)
        if isinstance(model_config.get("backbone"), dict):  # a checkpoint of ours
            model_config = model_config["backbone"]["config"]
        models = {str(model_config.get("model_type")): model_config}
    rows = []
    for name, model_config in models.items():
        for memory in sorted({0, n_memory}):
            full, rmt = (
                counted(model_config, tokens),
                counted_recurrent(model_config, tokens, segment=segment, n_memory=memory),
            )
            convention = f"FlopCounterMode, run, {memory} memory tokens"
            rows.append({
                "convention": convention, "model": name, "tokens": tokens, "segment": segment,
                "full": full, "rmt": rmt, "ratio": full / rmt,
            })  # fmt: skip
    return rows
