"""evaluate --per-position: language models on held-out documents, with more or less history."""

import json
from pathlib import Path

from rmt.commands.common import bar, command_line
from rmt.errors import InputError

HISTORY = [0, 1, 2, 4]
LEAST = 4  # segments before every target, so that runs with less history score the same ones


def per_position(
    checkpoint: Path,
    *,
    against: list[Path],
    history: list[int],
    corpus: str | None,
    positions: int | None,
    targets: int,
    controls: bool,
    precision: str,
    batch: int,
    device: str | None,
    as_json: bool,
) -> None:
    """Score a checkpoint and those it is compared with on the same targets, and print the losses."""
    from rmt.checkpoint import load, untrained
    from rmt.corpora import open_corpus
    from rmt.per_position import compare, score
    from rmt.provenance import made_by
    from rmt.tasks.language_model import Documents

    history = sorted(set(history)) or HISTORY
    if history[0] < 0 or targets < 1:
        raise InputError("History is 0 segments or more, and a document has one target or more.")
    model = load(checkpoint, device=device)
    corpus = corpus or model.about.config.get("training", {}).get("corpus", "sotu")
    opened = open_corpus(corpus)
    documents = Documents(_tokenizer(model, checkpoint), opened.held_out)
    length = positions or model.segment_length
    least = 0 if positions else LEAST
    chosen = documents.targets(length, max(least, *history) * length, targets)
    runs = [(checkpoint, "none", h) for h in history]
    if controls:
        runs += [(checkpoint, control, h) for h in history if h for control in ("reset", "other")]
        runs += [(checkpoint, "untrained", max(history))]
    runs += [(other, "none", h) for other in against for h in history]
    losses, made, opened_model = [], {}, {}
    with bar(model.about.name, "tokens") as update:
        done, total = 0, sum(len(chosen) * length * (h + 1) for _, _, h in runs)

        def count(tokens: int) -> None:
            nonlocal done
            done += tokens
            update(done, total)

        for path, control, h in runs:
            key = (path, control == "untrained")
            if key not in opened_model:
                opened_model = {key: (untrained if key[1] else load)(path, device=device)}  # one at a time
                if _tokenizer(opened_model[key], path).to_str() != model.tokenizer.to_str():
                    raise InputError(
                        f"{path} cuts text into other tokens than {checkpoint}; compare models of one vocabulary."
                    )
            losses.append(
                score(
                    opened_model[key],
                    documents,
                    chosen,
                    length=length,
                    history=h,
                    control=control,
                    precision=precision,
                    batch=batch,
                    count=count,
                )
            )
            if control == "none":
                made[str(path)] = made_by(opened_model[key])
    rows = [one.row() for one in losses]
    if as_json:
        result = {
            "command": command_line(),
            "made_by": made[str(checkpoint)],
            "against": [made[str(path)] for path in against],
            "corpus": {"name": corpus, "held_out": documents.names},
            "segment_length": model.segment_length,
            "positions": length,
            "precision": precision,
            "results": rows,
            "comparisons": list(compare(losses)),
        }
        print(_compact(result))
        return
    parts = [key.removesuffix("_stderr") for key in rows[0] if key.endswith("_stderr")]
    print("mechanism          control   history  documents" + "".join(f"{part:>10s}   stderr" for part in parts))
    for row in rows:
        figures = "".join(f"{row[part]:10.4f} {row[f'{part}_stderr']:8.4f}" for part in parts)
        print("{mechanism:18s} {control:9s} {history:7d} {documents:10d}".format(**row) + figures)


def _tokenizer(model, path):
    if model.tokenizer is None or model.backbone.head != "lm":
        raise InputError(f"{path} is not a language model with a tokenizer, so no text can be scored with it.")
    return model.tokenizer


def _compact(result: dict) -> str:
    """JSON with a row a line: hundreds of numbers that nobody reads down a column."""
    lists = {key: result[key] for key in ("results", "comparisons")}
    head = json.dumps({key: value for key, value in result.items() if key not in lists}, indent=1)[:-2]
    parts = [f' "{key}": [\n  ' + ",\n  ".join(map(json.dumps, rows)) + "\n ]" for key, rows in lists.items()]
    return ",\n".join([head, *parts]) + "\n}"
