"""Who loses their place to whom: a memory of many facts is told of two people, and the first is asked for.

python -m benchmarks.pairs assets/checkpoints/many-facts-8 [--documents 6] [--short] [--json]

Each of the two is told of in a segment of its own, in held-out State of the Union addresses as they are; then the first
is asked for in another one. All ordered pairs of people, so many documents each; a pair is lost where every answer is
wrong. --short: facts and questions in two words and in one, as lessons begin.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from rmt.causes.capacity import TASK, ask_each
from rmt.checkpoint import load
from rmt.intervene import read
from rmt.model.provenance import made_by
from rmt.tasks.babi_words import CROWD
from rmt.tasks.base import PLACES
from rmt.tasks.distractor import Distractor
from rmt.text.tokenizer import encode


@torch.inference_mode()
def pairs(model, *, documents: int, short: bool, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Whether the first person's place is answered, and whether the second's is: (P, P, documents) by first, second."""
    rng, source = np.random.default_rng(seed), Distractor.load(model.tokenizer, "eval")
    told = [(a, b) for a in range(len(CROWD)) for b in range(len(CROWD)) if a != b for _ in range(documents)]
    texts, places = [], []
    for people in told:
        both = rng.permutation(len(PLACES))[:2]
        places.append(both)
        facts = [
            f"{CROWD[who]} {'' if short else 'went to the '}{PLACES[at]}." for who, at in zip(people, both, strict=True)
        ]
        texts.append(np.concatenate([_segment(model, source, rng, fact) for fact in facts]))
    state = read(model, torch.from_numpy(np.stack(texts))).states[-1]
    questions = [encode(model.tokenizer, CROWD[a] if short else f"Where is {CROWD[a]}?") for a, _ in told]
    given = ask_each(model, state, range(len(told)), questions).argmax(-1)
    answers = np.array([[model.about.classes.index(PLACES[at]) for at in both] for both in places])
    right = np.zeros((2, len(CROWD), len(CROWD), documents), bool)
    for i, (a, b) in enumerate(told):
        right[:, a, b, i % documents] = given[i] == answers[i]
    return right[0], right[1]


def _segment(model, source: Distractor, rng: np.random.Generator, fact: str) -> np.ndarray:
    """The ids (T,) of a segment of background with a fact at one of its gaps."""
    ids = encode(model.tokenizer, fact)
    passage = source.sample(rng, model.segment_length - len(ids))
    gap = passage.gap(int(rng.integers(passage.n_gaps)))
    return np.concatenate([*passage.read(0, gap), ids, *passage.read(gap, len(passage))]).astype(np.int64)


def main() -> None:
    """Ask about all pairs and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--documents", type=int, default=6, help="of each pair")
    parser.add_argument("--short", action="store_true", help="facts in two words")
    parser.add_argument("--json", action="store_true", help="for a program")
    options = parser.parse_args()
    model = load(options.checkpoint)
    if model.about.task != TASK:
        parser.error(f"{model.about.name} was not trained on the task {TASK}; give one that was.")
    first, second = pairs(model, documents=options.documents, short=options.short)
    apart = ~np.eye(len(CROWD), dtype=bool)
    shares, others = first.mean(-1)[apart], second.mean(-1)[apart]  # of each pair
    half = 1.96 * shares.std(ddof=1) / len(shares) ** 0.5
    lost = [f"{CROWD[a]} to {CROWD[b]}" for a, b in np.argwhere(~first.any(-1) & apart)]
    found = {"right": shares.mean(), "low": shares.mean() - half, "high": shares.mean() + half, "others": others.mean()}
    if options.json:
        print(json.dumps({**found, "pairs": len(shares), "lost": lost, "made_by": made_by(model)}))
        return
    print("{right:.1%} right ({low:.1%}-{high:.1%}), {others:.1%} the second person's place".format(**found))
    print(f"Of {len(shares)} pairs {len(lost)} are lost every time: {', '.join(lost)}")


if __name__ == "__main__":
    main()
