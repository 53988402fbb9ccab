"""How well a memory answers the hard questions of its task, beside the others, with distance from its facts.

python -m benchmarks.hard_questions CHECKPOINT [--facts 2] [--segments 0 1 4 16 64] [--documents 50] [--reset] [--json]

Hard questions are those that a shortcut answers wrongly: of qa4 what lies on either side of the place between two
others, of qa2 where an object is that somebody left behind (or that is not where somebody went last), of qa5 what
another gift would answer otherwise; other tasks have none. They hide behind the others in a task's accuracy. Facts
stand at random places of held-out State of the Union addresses, so many segments long (0: with the question, in one
segment), and every question is put alone to a copy of the memory after them. The control: of a memory that is reset.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rmt.causes.capacity import ask_each
from rmt.checkpoint import load
from rmt.errors import InputError
from rmt.intervene import read
from rmt.model import Model
from rmt.model.provenance import made_by
from rmt.tasks import TASKS
from rmt.tasks.babi import KINDS, NEVER
from rmt.tasks.base import Sampler, Story
from rmt.tasks.interval import wilson
from rmt.text.tokenizer import encode

KINDS_OF_QUESTIONS = ("hard, told", "hard, never mentioned", "other, told", "other, never mentioned")


@torch.inference_mode()
def answered(
    model: Model, *, n_facts: int, n_segments: int, documents: int, reset: bool = False, seed: int = 0
) -> dict[str, tuple[int, int]]:
    """How many questions of each kind are right, and how many were asked: {kind: (right, asked)}.

    reset: whether the memory is set back before the question.
    """
    task = TASKS[model.about.task]
    rng, sampler = np.random.default_rng(seed), Sampler(replace(task, filtered=False), model.tokenizer, "eval")
    texts, asked = [], []
    for row in range(documents):
        world = KINDS[task.name].world(rng)
        facts = tuple(filter(None, (world.tell() for _ in range(n_facts))))
        every = world.questions()
        world.hard = True
        hard = set(world.questions())
        hard = hard if len(hard) < len(every) else set()
        beside = [] if n_segments else [i for fact in facts for i in encode(model.tokenizer, fact)]
        asked += [(row, pair in hard, pair[1], [*beside, *encode(model.tokenizer, pair[0])]) for pair in every]
        if n_segments:
            texts.append(sampler.tell(rng, Story(facts, "", 0), n_segments * model.segment_length)[0])
    blank = reset or not texts
    state = model.cell.initial(documents) if blank else read(model, torch.from_numpy(np.stack(texts))).states[-1]
    given = ask_each(model, state, [row for row, *_ in asked], [ids for *_, ids in asked]).argmax(-1)
    counts = {kind: [0, 0] for kind in KINDS_OF_QUESTIONS}
    for answer, (_, hard, right, _) in zip(given, asked, strict=True):
        count = counts[f"{'hard' if hard else 'other'}, {'never mentioned' if right == NEVER else 'told'}"]
        count[0], count[1] = count[0] + (model.about.classes[answer] == right), count[1] + 1
    return {kind: (right, n) for kind, (right, n) in counts.items() if n}


def main() -> None:
    """Ask at each distance and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--facts", type=int, default=2, help="that each document tells")
    parser.add_argument("--segments", type=int, nargs="+", default=[0, 1, 4, 16, 64])
    parser.add_argument("--documents", type=int, default=50)
    parser.add_argument("--reset", action="store_true", help="set the memory back before the questions")
    parser.add_argument("--json", action="store_true", help="for a program")
    options = parser.parse_args()
    if min(options.facts, options.documents) < 1 or min(options.segments) < 0:
        parser.error("facts and documents are 1 or more, segments 0 or more.")
    try:
        _print(options)
    except InputError as error:
        parser.error(str(error))


def _print(options: argparse.Namespace) -> None:
    model, rows = load(options.checkpoint), []
    if model.about.task not in KINDS:
        raise InputError(f"{model.about.name} is no model of one of {', '.join(KINDS)}; give one.")
    for n_segments in options.segments:
        found = answered(
            model, n_facts=options.facts, n_segments=n_segments, documents=options.documents, reset=options.reset
        )
        rows.append({"segments": n_segments, "questions": found})
        if not options.json:
            print(f"{n_segments:>5} segments  " + "  ".join(_words(kind, *found[kind]) for kind in found))
    if options.json:
        print(json.dumps({"facts": options.facts, "rows": rows, "made_by": made_by(model)}))


def _words(kind: str, right: int, n: int) -> str:
    low, high = wilson(right / n, n)
    return f"{kind} {right / n:.0%} of {n} ({low:.0%}-{high:.0%})"


if __name__ == "__main__":
    main()
