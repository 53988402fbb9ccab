"""The job of Mechanisms: one text read with every mechanism. Torch is loaded only in the job."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rmt_viz.shelf.results import Mechanism, mechanisms

Progress = Callable[[int, int], None]


def side_by_side(folders: Sequence[Path], text: str, progress: Progress) -> tuple[Mechanism, ...]:
    """A text read with the checkpoints in these folders, which share a tokenizer: a row for each.

    Raises InputError for a text that fits into one segment.
    """
    from rmt.checkpoint import load
    from rmt.evaluate.mechanisms import account, aligned

    models, rows = aligned([load(folder, device="cpu") for folder in folders]), []
    ids = models[0].tokenizer.encode(text, add_special_tokens=False).ids
    for i, model in enumerate(models):
        progress(i, len(models))
        rows.append(account(model, ids).row())
    return mechanisms(rows)
