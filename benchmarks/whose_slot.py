"""Which slot holds whom: each slot is taken over from another text's memory, and everybody is asked for.

python -m benchmarks.whose_slot assets/checkpoints/qa1-gated assets/checkpoints/qa1 [--texts 100] [--json]

For each pair of texts one slot of the first one's memory is replaced by that of the second, and all that the task
offers to ask is asked. Where both memories answer a question otherwise, the answer is either the other text's (it came
with the slot), or still its own, or a third one. A slot that holds one person brings that person's answer and no other.
The controls: all slots at once, which bring every answer, and none.
"""

import argparse
import json
import sys
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
from rmt.tasks.base import Sampler
from rmt.text.tokenizer import encode


@torch.inference_mode()
def brought(model: Model, *, texts: int, segments: int, seed: int = 0) -> dict[str, np.ndarray]:
    """What comes with slots: counts of answers by slot and question, {"came", "stayed", "of"}, each (M + 2, Q).

    The last two rows are the controls: all slots, and none. of: how many pairs of texts answer the question otherwise.
    Raises InputError for a model whose task says of nothing that it can be asked for, or whose memory is not slots.
    """
    task = TASKS.get(model.about.task)
    if task is None or not task.asks:
        raise InputError(f"{model.about.name} has no task in which everything can be asked for at any moment.")
    rng, sampler = np.random.default_rng(seed), Sampler(task, model.tokenizer, "eval")
    made = [sampler.tell(rng, task.story(rng), segments * model.segment_length)[0] for _ in range(texts)]
    own = read(model, torch.from_numpy(np.stack(made))).states[-1]
    if not torch.is_tensor(own) or not own.shape[1]:
        raise InputError(f"The memory of {model.about.name} is not slots alone, so none can be taken over.")
    other = own.roll(1, dims=0)
    questions = [encode(model.tokenizer, text) for _, text in task.asks]
    each = [text for text in range(texts) for _ in questions]
    answers = lambda state: ask_each(model, state, each, questions * texts).argmax(-1).reshape(texts, -1)  # noqa: E731
    before = answers(own)
    there = np.roll(before, 1, axis=0)
    came, stayed = [], []
    slots = own.shape[1]
    for taken in [*([slot] for slot in range(slots)), range(slots), []]:
        mixed = own.clone()
        mixed[:, list(taken)] = other[:, list(taken)]
        now = answers(mixed)
        came.append(((now == there) & (before != there)).sum(0))
        stayed.append(((now == before) & (before != there)).sum(0))
    of = np.broadcast_to((before != there).sum(0), np.shape(came))
    return {"came": np.stack(came), "stayed": np.stack(stayed), "of": of}


def rows(model: Model, found: dict[str, np.ndarray]) -> list[dict]:
    """A row for each slot, counted from 1, and question; slot 0 is all slots, slot -1 none."""
    names, last = [name for name, _ in TASKS[model.about.task].asks], len(found["of"])
    slots = [*range(1, last - 1), 0, -1]
    return [
        {"checkpoint": model.about.name, "slot": slot, "name": name}
        | {what: int(counts[i, j]) for what, counts in found.items()}
        for i, slot in enumerate(slots)
        for j, name in enumerate(names)
    ]


def main() -> None:
    """Exchange slots and print how often each answer came with each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--texts", type=int, default=100)
    parser.add_argument("--segments", type=int, default=12, help="of each text")
    parser.add_argument("--json", action="store_true", help="for a program; by default a table")
    options = parser.parse_args()
    if options.texts < 2 or options.segments < 1:
        parser.error("Give two texts or more, of one segment or more.")
    results, makers = [], {}
    try:
        for folder in options.checkpoints:
            model = load(folder)
            results += rows(model, brought(model, texts=options.texts, segments=options.segments))
            makers[model.about.name] = made_by(model)
    except InputError as error:
        parser.error(str(error))
    if options.json:
        command = "python -m benchmarks.whose_slot " + " ".join(sys.argv[1:])
        print(json.dumps({"command": command, "texts": options.texts, "made_by": makers, "results": results}, indent=1))
        return
    print("Answers that came with a slot, of those that both texts answer otherwise (in brackets: that stayed)")
    for row in results:
        slot = {0: "all slots", -1: "none"}.get(row["slot"], f"slot {row['slot']}")
        shares = f"{row['came'] / row['of']:.0%} ({row['stayed'] / row['of']:.0%})" if row["of"] else "–"
        print(f"{row['checkpoint']:<14}{slot:<11}{row['name']:<24}{shares:>12} of {row['of']}")


if __name__ == "__main__":
    main()
