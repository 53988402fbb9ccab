"""Texts longer than a model was trained on: plain extrapolation against Position Interpolation, with a short tuning.

python -m benchmarks.stretched assets/checkpoints/lm-context --json > assets/results/stretched.json

The last tokens of a window are scored, half as many as the model was trained on at once. The window is as long as in
training, and several times as long; the scored tokens are the same ones. Extrapolation reads it at positions 0, 1,
2 ...; interpolation divides them by how many times longer it is. Both once as the model is and once after a few
steps on windows of that length, with as many tokens whatever the length. Control: the window of training, which reads
nothing farther back, as it is and tuned. Errors are standard errors over documents; differences are paired.
"""

import argparse
import json
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch

from rmt.checkpoint import load
from rmt.evaluate.loss_by_position import stderr
from rmt.memory.context import ExactContext
from rmt.memory.interpolation import PositionInterpolation
from rmt.model import Model
from rmt.model.provenance import made_by, versions
from rmt.tasks.corpora import open_corpus
from rmt.tasks.language_model import Documents
from rmt.text.segments import IGNORE

TIMES = (2, 4, 8)
WINDOW, EXTRAPOLATION, INTERPOLATION = "window of training", "extrapolation", "interpolation"


def trained_at(model: Model) -> int:
    """How many tokens the model was trained on at once: a segment, and the text before it where it reads that again."""
    return model.segment_length + (model.cell.n_memory if isinstance(model.cell, ExactContext) else 0)


def stretched(model: Model, times: int, *, squeezed: bool) -> Model:
    """A copy of the model that reads so many times what it was trained on, at squeezed positions or at plain ones."""
    backbone = deepcopy(model.backbone)
    cell = PositionInterpolation.fit(backbone, n_memory=0, factor=times if squeezed else 1)
    return Model(backbone, cell, segment_length=times * trained_at(model))


def tune(model: Model, documents: Documents, *, steps: int, tokens: int, lr: float, seed: int) -> None:
    """Train on windows as long as the model reads, so many tokens a step, with a falling rate."""
    model.train().requires_grad_(True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    for step in range(steps):
        rng = np.random.default_rng([seed, step])
        ids = documents.windows(rng, max(1, tokens // model.segment_length), model.segment_length + 1)
        for group in optimizer.param_groups:
            group["lr"] = lr * (1 - step / steps)
        loss(model, torch.from_numpy(ids), model.segment_length).mean().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.eval().requires_grad_(False)


def loss(model: Model, ids: torch.Tensor, n: int) -> torch.Tensor:
    """Cross-entropy (B, n) of the last n tokens of ids (B, T + 1), read as one segment of T."""
    labels = ids[:, 1:].clone()
    labels[:, :-n] = IGNORE
    (segment,) = model.split(ids[:, :-1])
    step, _ = model.cell.step(model.backbone, segment, model.cell.initial(len(ids)))
    return step.output.token_loss(labels)[:, -n:]


@torch.inference_mode()
def score(model: Model, documents: Documents, targets: list, n: int) -> np.ndarray:
    """The mean loss of each document's targets of n tokens (D,), read with as much before them as the model takes."""
    means = []
    for target in targets:
        ids = documents.read([target], n, model.segment_length - n)
        means.append(float(loss(model, torch.from_numpy(ids), n).mean()))
    owners = np.array([target.document for target in targets])
    return np.array([np.mean(np.array(means)[owners == owner]) for owner in np.unique(owners)])


def main() -> None:
    """Score one language model without memory and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="a llama without memory, or with exact context")
    parser.add_argument("--times", type=int, nargs="+", default=TIMES)
    parser.add_argument("--steps", type=int, default=20, help="of tuning")
    parser.add_argument("--tokens", type=int, default=2176, help="a step of tuning")
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--documents", type=int, default=12, help="held-out ones")
    parser.add_argument("--targets", type=int, default=1, help="of each document")
    parser.add_argument("--corpus", default="sotu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="for a program; by default lines")
    options = parser.parse_args()
    model, corpus = load(options.checkpoint), open_corpus(options.corpus)
    train, held = Documents(model.tokenizer, corpus.train), Documents(model.tokenizer, corpus.held_out)
    n = trained_at(model) // 2
    targets = held.targets(n, max(options.times) * trained_at(model) - n, options.targets)
    targets = targets[: options.documents * options.targets]
    rows, losses = [], {}
    cases = [(WINDOW, 1), *((reads, times) for times in options.times for reads in (EXTRAPOLATION, INTERPOLATION))]
    for reads, times in cases:
        one = stretched(model, times, squeezed=reads == INTERPOLATION)
        for tuned in (False, True):
            if tuned:
                tune(one, train, steps=options.steps, tokens=options.tokens, lr=options.lr, seed=options.seed)
            found = losses[reads, times, tuned] = score(one, held, targets, n)
            row = {"reads": reads, "times": times, "tokens": one.segment_length, "tuned": tuned}
            row |= {"documents": len(found), "loss": float(found.mean()), "stderr": float(stderr(found))}
            for against, with_this in ((WINDOW, (WINDOW, 1, tuned)), (EXTRAPOLATION, (EXTRAPOLATION, times, tuned))):
                if against != reads and with_this in losses:
                    gain = losses[with_this] - found  # (D,): how much lower this loss is
                    name = f"below_{against.split()[0]}"
                    row |= {name: float(gain.mean()), f"{name}_stderr": float(stderr(gain))}
            rows.append(row)
            if not options.json:
                print(
                    "{reads:18s} x{times:<2d} tuned {tuned!s:5s} {loss:.3f} +- {stderr:.3f}".format(**row), flush=True
                )
    if options.json:
        command = "python -m benchmarks.stretched " + " ".join(sys.argv[1:])
        settings = {k: v for k, v in vars(options).items() if k not in ("checkpoint", "json")}
        about = {"trained_at": trained_at(model), "made_by": made_by(model), "versions": versions()}
        print(json.dumps({"command": command, **about, "settings": settings, "results": rows}, indent=1))


if __name__ == "__main__":
    main()
