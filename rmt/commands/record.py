"""The command `record`: run a checkpoint over a text and store what its memory did as a trace."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rmt.commands.common import (
    Backbone,
    Checkpoint,
    Json,
    Options,
    SegmentLength,
    bar,
    fresh_sample,
    load_options,
    read_ids,
    read_text,
)
from rmt.errors import InputError


def record(
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Option(help="Where the trace goes, a *.trace.safetensors.")],
    task: Annotated[str | None, typer.Option(help="Record a fresh sample of this task.")] = None,
    segments: Annotated[int, typer.Option(min=1, help="Its length in segments.")] = 8,
    seed: Annotated[int, typer.Option(help="Its seed.")] = 0,
    never: Annotated[bool, typer.Option("--never", help="Ask it about somebody who was never mentioned.")] = False,
    text_file: Annotated[Path | None, typer.Option(help="Record this text instead (UTF-8).")] = None,
    ids_file: Annotated[Path | None, typer.Option(help="Record these token ids instead, numbers in a text.")] = None,
    detail: Annotated[str, typer.Option(help="memory, summary or thin.")] = "summary",
    control: Annotated[str, typer.Option(help="none, reset or untrained.")] = "none",
    segment_length: SegmentLength = None,
    backbone: Backbone = None,
    options: Options = None,
    fresh_memory: Annotated[
        int, typer.Option(min=0, help="Put an untrained memory of so many slots around a model that has none.")
    ] = 0,
    precision: Annotated[str, typer.Option(help="fp32, or bf16 weights and memory, for a GPU.")] = "fp32",
    device: str | None = None,
    as_json: Json = False,
) -> None:
    """Run a checkpoint over a text and keep what its memory did, for the app to show."""
    from rmt.trace.writer import check_free

    if not out.parent.is_dir():
        raise InputError(f"The folder {out.parent} does not exist; make it first.")
    check_free(out)  # before the seconds in which torch comes in
    import torch

    from rmt.checkpoint import load, untrained
    from rmt.checkpoint.adapter import WRAPPED_LENGTH, wrap
    from rmt.evaluate import CONTROLS, PRECISIONS
    from rmt.measure import similarity
    from rmt.recorder import record as run
    from rmt.viewer.sentence import unknown_words

    if control not in CONTROLS:
        raise InputError(f"There is no control {control!r}; choose {', '.join(CONTROLS)}.")
    if precision not in PRECISIONS:
        raise InputError(f"There is no precision {precision!r}; choose {', '.join(PRECISIONS)}.")
    if sum(source is not None for source in (task, text_file, ids_file)) != 1:
        raise InputError("Give one of --task, for a fresh sample, --text-file, for a text, or --ids-file.")
    document = read_text(text_file) if text_file else read_ids(ids_file) if ids_file else None
    loading = load_options(segment_length, backbone, options)
    if fresh_memory:
        length = segment_length or WRAPPED_LENGTH
        special = (loading["options"] or {}).get("special_tokens", True)
        model = wrap(checkpoint, n_memory=fresh_memory, segment_length=length, device=device, special_tokens=special)
    else:
        model = (untrained if control == "untrained" else load)(checkpoint, device=device, **loading)
    model = model.to(PRECISIONS[precision] or torch.float32)
    document, known = (document, {}) if document is not None else fresh_sample(model, task, segments, seed, never=never)
    with bar(model.about.name, "segments") as update:
        reset = "reset" if control == "reset" else None
        trace = run(model, document, detail=detail, out=out, progress=update, control=reset, **known)
    result = {
        "trace": str(out),
        "segments": trace.n_segments,
        "answer": trace.answer,
        "probabilities": trace.probabilities,
        "unknown_tokens": trace.meta.get("unknown", 0),
        "slot_cosine": round(float(similarity(trace.memory[1:]).mean()), 4),
    }
    if as_json:
        print(json.dumps(result, indent=1))
    else:
        answer = f" It answers {trace.answer!r} ({max(trace.probabilities.values()):.3f})." if trace.answer else ""
        print(f"Recorded {trace.n_segments} segments to {out}.{answer}")
        if result["unknown_tokens"]:
            print(f"{unknown_words(trace)}.")
