"""What shipped models answer of stories in background as it is, for the tests of specimens."""

import numpy as np
import torch

from rmt.model import Model
from rmt.tasks.distractor import Distractor


def answers(
    model: Model, texts: list[tuple[list[str], str]], *, segments: int, reset: bool = False, apart: bool = False
) -> list[str]:
    """The class word answered for each (facts, question), whose facts stand in a background so many segments long.

    reset: whether memory is set back before every segment. apart: whether the question is a further segment of its own;
    then all questions have the same number of tokens.
    """
    source = Distractor.load(model.tokenizer, "eval")
    rng, rows = np.random.default_rng(12), []
    for facts, question in texts:
        facts = [model.tokenizer.encode(fact, add_special_tokens=False).ids for fact in facts]
        asked = model.tokenizer.encode(question, add_special_tokens=False).ids
        room = segments * model.segment_length - (0 if apart else len(asked))
        passage = source.sample(rng, room - sum(map(len, facts)))
        gaps = sorted(rng.integers(passage.n_gaps, size=len(facts)).tolist())
        ids, done = [], 0
        for fact, gap in zip(facts, (passage.gap(k) for k in gaps), strict=True):
            ids += [i for piece in passage.read(done, gap) for i in piece.tolist()] + fact
            done = gap
        rows.append(ids + [i for piece in passage.read(done, len(passage)) for i in piece.tolist()] + asked)
    ids = torch.tensor(rows)
    initial = model.cell.initial(len(ids))
    with torch.inference_mode():
        given = model(ids, before=(lambda i, state: initial) if reset else None).logits.argmax(-1)
    return [model.about.classes[i] for i in given.tolist()]


def answer(model: Model, text: str) -> str:
    """The class word answered for a whole text with its question at its end."""
    ids = torch.tensor([model.tokenizer.encode(text, add_special_tokens=False).ids])
    with torch.inference_mode():
        return model.about.classes[int(model(ids).logits.argmax())]


def share(given: list[str], expected: list[str]) -> float:
    """The share of right answers."""
    return float(np.mean([a == b for a, b in zip(given, expected, strict=True)]))
