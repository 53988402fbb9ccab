"""Jobs of Length and Loss: a fresh sample recorded, a checkpoint scored, a text recorded with its reset control.

Torch is loaded only in a job.
"""

import copy
from collections.abc import Callable, Sequence

from rmt.errors import InputError
from rmt.trace import Trace
from rmt_viz.shelf.results import Score, scores

THIN = 64  # segments up to which maps are kept
SHORT = 100_000  # characters of a text up to which maps are kept
MOST_TEXT = 2_000_000  # tokens of a text
SEED = 5
MOST_TOKENS = 25_000_000  # of one scoring, over all lengths and samples: longer ones belong on the command line

Progress = Callable[[int, int], None]


def with_segment_length(model, segment_length: int):
    """A copy of a model that reads segments of this length and shares its weights; other jobs use the model itself.

    Raises InputError for a length that does not fit the model.
    """
    from rmt.checkpoint.whole import check_room

    check_room(model, segment_length)
    view = copy.copy(model)
    view.segment_length = segment_length
    return view


def record_text(model, text: str | Sequence[int], progress: Progress, detail: str = "thin") -> Trace:
    """The trace of a text, or of token ids; of a long one without its maps.

    Raises InputError where it has too many tokens.
    """
    from rmt.recorder import record

    if len(text) > MOST_TEXT:
        ids = model.tokenizer.encode(text, add_special_tokens=False).ids if isinstance(text, str) else text
        if len(ids) > MOST_TEXT:
            raise InputError(f"The text has {len(ids):,} tokens of this model; shorten it to {MOST_TEXT:,}.")
    short = len(text) <= SHORT or detail != "thin"
    return record(model, text, detail=detail if short else "summary", progress=progress)


def sample(model, segments: int, progress: Progress, *, seed: int = SEED, never: bool = False) -> Trace:
    """The trace of a fresh sample of the model's task. never: ask about somebody who was never mentioned."""
    from rmt.evaluate.gallery import fresh
    from rmt.recorder import record

    example, known = fresh(model, segments, seed, never=never)
    return record(model, example.ids, detail="thin" if segments <= THIN else "summary", progress=progress, **known)


def score(
    model, lengths: Sequence[int], samples: int, controls: Sequence[str], rows: list[Score], progress: Progress
) -> list[Score]:
    """Accuracy at each length, appended to `rows` as it comes.

    Raises InputError where the model has no task of ours, or where there is too much to read.
    """
    from rmt.evaluate import evaluate

    total = sum(lengths) * samples * model.segment_length * len(controls)
    if total > MOST_TOKENS:
        raise InputError(
            f"That is {total:,} tokens to read, more than {MOST_TOKENS:,}: take fewer samples or shorter lengths, "
            "or run python -m rmt evaluate."
        )
    for i, control in enumerate(controls):
        before = i * total // len(controls)
        report = lambda done, _, before=before: progress(before + done, total)  # noqa: E731
        for row in evaluate(model, segments=list(lengths), samples=samples, control=control, progress=report):
            rows.extend(scores(model.about.task, model.about.name, 0, "yours", [row]))
    return rows


def pair(model, text, progress: Progress) -> tuple[Trace, Trace]:
    """The traces of a text with memory, and with memory reset before every segment.

    Raises InputError where the model predicts no tokens, so that there is no loss.
    """
    from rmt.recorder import record

    if model.backbone.head != "lm":
        raise InputError(f"{model.about.name} predicts no next token, so it has no loss; choose a language model.")
    trace = record(model, text, detail="thin", progress=lambda done, total: progress(done, 2 * total))
    n = trace.n_segments
    if n < 2:
        raise InputError("The text fits into one segment, so no memory is needed; give a longer one.")
    reset = lambda done, _: progress(n + done, 2 * n)  # noqa: E731
    return trace, record(model, text, detail="summary", control="reset", progress=reset)
