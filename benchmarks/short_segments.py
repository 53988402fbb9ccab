"""Accuracy of a model of who is where on segments shorter than in training, for a note on page Experiment.

python -m benchmarks.short_segments [CHECKPOINT] [--texts 200] --json > assets/results/short_segments.json

Every text tells six moves, each in a segment of its own among so many tokens of held-out background, and asks for one
of the people in a last segment as long as in training. Then the same sentences side by side in one segment, without
background. Intervals are Wilson's.
"""

import argparse
import itertools
import sys
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import report
from rmt.checkpoint import load
from rmt.model import Model
from rmt.model.unroll import unroll
from rmt.tasks.base import NAMES, PLACES
from rmt.tasks.distractor import Distractor
from rmt.tasks.interval import wilson

QA1 = Path(__file__).parents[1] / "assets" / "checkpoints" / "qa1"
AROUND = (0, 4, 8, 16, 32, None)  # tokens of background in a segment with a move; None: as many as it holds
MOVES = 6


class Writer:
    """Writes texts: the tokens of moves, background and questions, and whose place is asked for."""

    def __init__(self, model: Model, seed: int):
        self.model, self.rng = model, np.random.default_rng(seed)
        self.prose = Distractor.load(model.tokenizer, "eval")

    def encoded(self, sentence: str) -> list[int]:
        return self.model.tokenizer.encode(sentence, add_special_tokens=False).ids

    def background(self, n: int) -> list[int]:
        return [int(i) for piece in self.prose.sample(self.rng, n).read(0, n) for i in piece]

    def moves(self) -> tuple[list[list[int]], str, str]:
        """Six moves, a person who moved, and the place where that person is now."""
        told = [(self.rng.choice(NAMES), self.rng.choice(PLACES)) for _ in range(MOVES)]
        who = str(self.rng.choice([name for name, _ in told]))
        where = [place for name, place in told if name == who][-1]
        return [self.encoded(f"{name} moved to the {place}.") for name, place in told], who, str(where)

    def question(self, who: str) -> list[int]:
        asked = self.encoded(f"Where is {who}?")
        return [*self.background(self.model.segment_length - len(asked)), *asked]

    def apart(self, around: int | None) -> tuple[list[list[int]], str]:
        """The segments of a text, a move in each but the last, and the right answer."""
        moves, who, where = self.moves()
        segments = []
        for move in moves:
            n = self.model.segment_length - len(move) if around is None else around
            before = int(self.rng.integers(n + 1))
            segments.append([*self.background(before), *move, *self.background(n - before)])
        return [*segments, self.question(who)], where

    def together(self) -> tuple[list[list[int]], str]:
        """The same with all moves in one segment, side by side."""
        moves, who, where = self.moves()
        return [[*itertools.chain(*moves)], self.question(who)], where


@torch.inference_mode()
def answer(model: Model, segments: list[list[int]]) -> str:
    read = [one for ids in segments for one in model.split(torch.tensor([ids], device=model.device))]
    *_, (_, step, _) = unroll(model.cell, model.backbone, read)
    return model.about.classes[int(step.logits.argmax(-1)[0])]


def row(model: Model, texts: list[tuple[list[list[int]], str]], **about) -> dict:
    """How many of the texts are answered right; tokens: the mean length of the segments that tell."""
    right = float(np.mean([answer(model, segments) == where for segments, where in texts]))
    low, high = (round(end, 4) for end in wilson(right, len(texts)))
    tokens = round(float(np.mean([len(ids) for segments, _ in texts for ids in segments[:-1]])))
    return {"tokens": tokens, **about, "right": round(right, 4), "low": low, "high": high, "texts": len(texts)}


def main() -> None:
    """Score the checkpoint at each length and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", nargs="?", type=Path, default=QA1)
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="for a program; by default a table")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = load(given.checkpoint, device="cpu")
    if not {*PLACES} <= {*model.about.classes}:
        sys.exit(f"{given.checkpoint.name} does not answer with places; choose a model of who is where, such as qa1.")
    writer = Writer(model, given.seed)
    rows = [row(model, [writer.apart(n) for _ in range(given.texts)], side_by_side=False) for n in AROUND]
    rows.append(row(model, [writer.together() for _ in range(given.texts)], side_by_side=True))
    report(rows, given.json, checkpoint=given.checkpoint.name, segment_length=model.segment_length, moves=MOVES)


if __name__ == "__main__":
    main()
