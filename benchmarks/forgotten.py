"""How often a passage of background makes a memory forget, and how long an answer lasts at that rate.

python -m benchmarks.forgotten CHECKPOINT [--documents 200] [--segments 60] [--show 10] [--json]

Held-out State of the Union addresses, no sentence left out, tell a memory of people and places nothing. Memories that
have read a story, and answer what it told, read one passage each: a segment and, where that changed them, the next one,
since a name that a boundary cuts is kept until the rest is read. Then each question that was answered right is asked
again. A text of a million tokens has fifteen thousand passages of 64 tokens and gives four answers; this asks of every
passage, so that it sees rates that a few long texts can not. That passages add up (no memory is repaired, and none
gets more fragile) is assumed.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from textwrap import shorten

import numpy as np
import torch

from rmt.causes.capacity import ask_each
from rmt.checkpoint import load
from rmt.errors import InputError
from rmt.memory.base import State, map_state
from rmt.model import Model
from rmt.model.provenance import made_by
from rmt.tasks import TASKS
from rmt.tasks.babi import KINDS, NEVER
from rmt.tasks.base import Rng, Sampler, Story
from rmt.tasks.interval import wilson
from rmt.text.segments import Segment
from rmt.text.tokenizer import encode

MEMORIES, SEGMENTS, MOST = 64, 4, 8  # stories told, in so many segments, of so many facts at most
ROWS = 256  # passages read side by side
LONG = 1_000_000  # tokens


def memories(model: Model, sampler: Sampler, rng: Rng) -> tuple[State, list[list[tuple[list[int], int]]]]:
    """Memories of stories, and of each the questions about what was told that it answers right: ids and class."""
    texts, asked = [], []
    for row in range(MEMORIES):
        kind = KINDS[model.about.task]
        world = kind.world(rng)
        facts = tuple(filter(None, (world.tell() for _ in range(min(MOST, kind.facts[1])))))
        texts.append(sampler.tell(rng, Story(facts, "", 0), SEGMENTS * model.segment_length)[0])
        told = [pair for pair in world.questions() if pair[1] != NEVER]
        asked += [(row, encode(model.tokenizer, text), model.about.classes.index(right)) for text, right in told]
    state = model.cell.initial(MEMORIES)
    for ids in torch.from_numpy(np.stack(texts)).split(model.segment_length, dim=1):
        _, state = model.cell.step(model.backbone, Segment(ids), state)
    given = ask_each(model, state, [row for row, *_ in asked], [ids for _, ids, _ in asked]).argmax(-1)
    known = [[] for _ in range(MEMORIES)]
    for (row, ids, right), answer in zip(asked, given, strict=True):
        if answer == right:
            known[row].append((ids, right))
    return state, known


@torch.inference_mode()
def forgotten(model: Model, *, documents: int, segments: int, seed: int = 0) -> dict:
    """What passages did: {"passages", "changed", "asked", "wrong", "which": texts of passages with wrong answers}.

    asked: answers that were right before a passage, over all passages. wrong: those that are not right after it.
    """
    rng, length = np.random.default_rng(seed), model.segment_length
    sampler = Sampler(replace(TASKS[model.about.task], filtered=False), model.tokenizer, "eval")
    state, known = memories(model, sampler, rng)
    able = [row for row, questions in enumerate(known) if questions]
    if not able:
        raise InputError(f"{model.about.name} answers nothing right of {MEMORIES} stories, so it can forget nothing.")
    texts = np.stack([sampler.filler(rng, (segments + 1) * length) for _ in range(documents)])
    texts = torch.from_numpy(texts).unflatten(1, (-1, length))
    passages = torch.stack([texts[:, :-1], texts[:, 1:]], dim=2).flatten(0, 1)  # (documents x segments, 2, T)
    changed = asked = wrong = 0
    which = []
    for start in range(0, len(passages), ROWS):
        part = passages[start : start + ROWS]
        rows = [able[(start + i) % len(able)] for i in range(len(part))]
        before = map_state(lambda tensor: tensor[rows], state)  # noqa: B023
        _, after = model.cell.step(model.backbone, Segment(part[:, 0]), before)
        moved = (model.cell.slots(after) != model.cell.slots(before)).flatten(1).any(1).nonzero().flatten()
        changed, asked = changed + len(moved), asked + sum(len(known[row]) for row in rows)
        if not len(moved):
            continue
        rest = map_state(lambda tensor: tensor[moved], after)  # noqa: B023
        _, rest = model.cell.step(model.backbone, Segment(part[moved, 1]), rest)
        each = [(i, *question) for i, at in enumerate(moved.tolist()) for question in known[rows[at]]]
        given = ask_each(model, rest, [i for i, *_ in each], [ids for _, ids, _ in each]).argmax(-1)
        for answer, (i, ids, right) in zip(given, each, strict=True):
            if answer != right:
                wrong += 1
                passage = model.tokenizer.decode(part[moved[i]].flatten().tolist())
                which.append((model.tokenizer.decode(ids), model.about.classes[answer], passage))
    return {"passages": len(passages), "changed": changed, "asked": asked, "wrong": wrong, "which": which}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--segments", type=int, default=60, help="of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=10, help="passages after which an answer is wrong")
    parser.add_argument("--json", action="store_true", help="for a program")
    options = parser.parse_args()
    if min(options.documents, options.segments) < 1 or options.show < 0:
        parser.error("documents and segments are 1 or more, show is 0 or more.")
    try:
        _print(options)
    except InputError as error:
        parser.error(str(error))


def _print(options: argparse.Namespace) -> None:
    model = load(options.checkpoint)
    if model.about.task not in KINDS:
        raise InputError(f"{model.about.name} is no model of one of {', '.join(KINDS)}; give one.")
    found = forgotten(model, documents=options.documents, segments=options.segments, seed=options.seed)
    rate = found["wrong"] / found["asked"]
    low, high = wilson(rate, found["asked"])
    lasts = [(1 - share) ** (LONG // model.segment_length) for share in (rate, high, low)]
    if options.json:
        print(json.dumps(found | {"rate": [rate, low, high], "lasts": lasts, "made_by": made_by(model)}))
        return
    print(f"{found['changed']} of {found['passages']} passages change a memory.")
    print(f"{found['wrong']} of {found['asked']} answers are wrong after a passage: {rate:.1e} ({low:.1e}-{high:.1e})")
    print(f"An answer lasts {LONG:,} tokens of background with {lasts[0]:.1%} ({lasts[1]:.1%}-{lasts[2]:.1%}).")
    for question, answer, passage in found["which"][: options.show]:
        print(f"  {question} {answer}: {shorten(passage, 400)}")


if __name__ == "__main__":
    main()
