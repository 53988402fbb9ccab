"""Whether everybody is known at the end of a text, however long: all that a task offers to ask is put to one memory.

python -m benchmarks.everybody assets/checkpoints/qa1-gated --tokens 1M --texts 25 [--precision bf16] [--json]

Stories of the task stand between the sentences of held-out State of the Union addresses as they are, and after each
text everything is asked for, of qa1 all four people, told of or not, each question alone of a copy of the memory. So a
text answers several questions, which stand or fall together: the interval is of the texts that are right as a whole.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from rmt.backbone.last_layer import lean
from rmt.causes.capacity import ask_each
from rmt.checkpoint import load
from rmt.commands.evaluate import n_tokens
from rmt.errors import InputError
from rmt.evaluate.accuracy import EVALUATION, PRECISIONS, Pages
from rmt.model import Model
from rmt.model.cuda_graph import fast_unroll
from rmt.model.provenance import made_by
from rmt.tasks import TASKS
from rmt.tasks.babi import NEVER
from rmt.tasks.base import Sampler
from rmt.tasks.interval import wilson
from rmt.text.tokenizer import encode


@torch.inference_mode()
def everybody(
    model: Model, *, n_segments: int, texts: int, seed: int = 0, precision: str = "fp32", batch: int = 20
) -> Iterator[list[tuple[bool, bool]]]:
    """Yield, for each text, of each question whether what it asks for was told and whether the answer is right.

    Raises InputError for a model whose task says of nothing that it can be asked for at any moment.
    """
    task = TASKS.get(model.about.task)
    if task is None or not task.asks:
        raise InputError(f"{model.about.name} has no task in which everything can be asked for at any moment.")
    sampler = Sampler(task, model.tokenizer, "eval")
    questions = [(text, encode(model.tokenizer, text)) for _, text in task.asks]
    for at in range(0, texts, batch):
        numbers = range(at, min(at + batch, texts))
        rngs = [np.random.default_rng([EVALUATION, seed, n_segments, i]) for i in numbers]
        stories = [task.story(rng) for rng in rngs]
        made = [
            sampler.text(rng, story, n_segments * model.segment_length)[0]
            for rng, story in zip(rngs, stories, strict=True)
        ]
        dtype = PRECISIONS[precision]
        with torch.autocast(model.device.type, dtype, enabled=dtype is not None):
            pages, initial = Pages(model, made, n_segments), model.cell.initial(len(made))
            for _, _, state in fast_unroll(model.cell, lean(model.backbone), pages, state=initial):  # noqa: B007
                pass
            rows = [row for row in range(len(made)) for _ in questions]
            given = ask_each(model, state, rows, [ids for _, ids in questions] * len(made))
        names = np.array(model.about.classes)[given.argmax(-1)].reshape(len(made), -1)
        for story, answers in zip(stories, names, strict=True):
            right = story.questions(len(story.facts))
            truths = [task.classes[right[text]] if text in right else NEVER for text, _ in questions]
            yield [(truth != NEVER, truth == answer) for truth, answer in zip(truths, answers, strict=True)]


def main() -> None:
    """Ask and print one line for each length."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--tokens", nargs="+", default=["128k"])
    parser.add_argument("--texts", type=int, nargs="+", default=[20], help="one number, or one a length")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--precision", default="fp32", choices=list(PRECISIONS))
    parser.add_argument("--json", action="store_true", help="for a program")
    options = parser.parse_args()
    counts = options.texts * len(options.tokens) if len(options.texts) == 1 else options.texts
    if len(counts) != len(options.tokens) or min(counts) < 1:
        parser.error("Give one number of texts, 1 or more, or one for each length.")
    try:
        model = load(options.checkpoint)
        rows = [_row(model, length, count, options) for length, count in zip(options.tokens, counts, strict=True)]
    except InputError as error:
        parser.error(str(error))
    if options.json:
        print(json.dumps({"rows": rows, "precision": options.precision, "made_by": made_by(model)}))


def _row(model: Model, length: str, count: int, options: argparse.Namespace) -> dict:
    n_segments = -(-n_tokens(length) // model.segment_length)
    told, never, whole = [], [], []
    for text in everybody(model, n_segments=n_segments, texts=count, seed=options.seed, precision=options.precision):
        told += [right for is_told, right in text if is_told]
        never += [right for is_told, right in text if not is_told]
        whole.append(all(right for _, right in text))
        print(f"{len(whole)} of {count} texts, {sum(whole)} right as a whole", file=sys.stderr, flush=True)
    low, high = wilson(sum(whole) / count, count)
    row = {
        "tokens": n_segments * model.segment_length, "texts": count, "whole": sum(whole), "low": low, "high": high,
        "told": (sum(told), len(told)), "never": (sum(never), len(never)),
    }  # fmt: skip
    if not options.json:
        asked = f"told {sum(told)} of {len(told)}  never mentioned {sum(never)} of {len(never)}"
        of_all = f"texts right as a whole {sum(whole)} of {count} ({low:.1%}-{high:.1%})"
        print(f"{row['tokens']:>11,} tokens  {asked}  {of_all}")
    return row


if __name__ == "__main__":
    main()
