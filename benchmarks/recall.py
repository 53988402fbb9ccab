"""What each memory mechanism gives back: a quotation, one of many facts, a fact from far back. Trains and scores.

python -m benchmarks.recall rmt landmark bm25 none --steps 1500 --json > runs/recall.json

Texts are made of token ids: background, and in it facts (a key and the value after it) or a quotation (a mark and the
values after it). At the end of the last segment but one stand the keys that will be asked for, so that a retriever has
a query; the last segment repeats them, and the model continues each. All mechanisms stand around the same small Llama,
or are recurrent nets of its sizes, are trained from the same first weights on the same texts for as many steps, and
lessons grow when they are learned, or after their share of the steps. Control: the last segment is read with the
initial memory.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rmt.backbone.families import backbone_config
from rmt.checkpoint.build import build
from rmt.evaluate.mechanisms import fresh
from rmt.memory import CELLS, MECHANISMS
from rmt.model import Model
from rmt.model.provenance import versions
from rmt.model.unroll import unroll
from rmt.text.segments import IGNORE

T, ANNOUNCED, ASKED = 32, 16, 4  # tokens a segment and before the question; the most keys that are asked for
MARK, FILL, KEYS, VALUES, NOISE = 1, 2, range(8, 32), range(32, 64), range(64, 320)
SIZES = {"layers": 3, "width": 64, "heads": 4, "vocabulary": 320, "positions": 512, "inner": 3}
OPTIONS = {  # where the fresh ones, scaled to these segments, hold too little to be worth comparing
    **{kind: {"n_memory": 256} for kind in ("context", "transformer-xl", "memorizing", "longnet", "sparse", "bigbird")},
    "landmark": {"n_memory": 8 * (T + 1)},
    "interpolation": {"n_memory": 256, "factor": 2},
    "bm25": {"n_memory": 1024, "passage": ANNOUNCED, "top": 4},
    "dense": {"n_memory": 1024, "passage": ANNOUNCED, "top": 4},
    "knn-lm": {"n_memory": 256, "share": 0.5},
    "rmt": {"n_memory": 8},
}
LESSONS = (1, 2, 4, 8, 16)  # facts, or tokens of a quotation
GOAL, WINDOW, BACK = 0.9, 40, 0.3  # accuracy that ends a lesson, over so many steps; share of batches from earlier ones
Z = 1.96


@dataclass(frozen=True)
class Texts:
    """Texts ids (B, Tn), and labels that are ids where the model is to continue a key or the mark, else IGNORE."""

    ids: Tensor
    labels: Tensor


def texts(rng: np.random.Generator, experiment: str, n: int, *, batch: int, gap: int = 0) -> Texts:
    """Texts with n facts, or a quotation of n tokens; gap: segments of background before the question."""
    rows = [_text(rng, experiment, n, gap) for _ in range(batch)]
    ids, asked = (torch.tensor(np.stack(part)) for part in zip(*rows, strict=True))
    return Texts(ids, ids.where(asked, IGNORE))


def _text(rng: np.random.Generator, experiment: str, n: int, gap: int) -> tuple[np.ndarray, np.ndarray]:
    told = -(-n // 3) if experiment == "facts" else 1
    ids = rng.choice(NOISE, (told + gap + 2) * T)
    if experiment == "facts":
        keys, values = rng.permutation(KEYS)[:n], rng.choice(VALUES, n)
        places = 2 * np.sort(rng.permutation(told * T // 2)[:n])
        ids[places], ids[places + 1] = keys, values
        asked = rng.permutation(n)[:ASKED]
        said, answer = keys[asked], np.stack([keys[asked], values[asked]], 1).ravel()
        scored = np.arange(len(answer)) % 2 == 1
    else:
        quoted = np.array([MARK, *rng.permutation(VALUES)[:n]])
        at = int(rng.integers(T - n))
        ids[at : at + n + 1] = quoted
        said, answer, scored = quoted[:1], quoted, np.arange(n + 1) > 0
    ids[-T - ANNOUNCED : -T] = [FILL] * (ANNOUNCED - len(said)) + said.tolist()
    ids[-T : -T + len(answer)] = answer
    mask = np.zeros(len(ids), dtype=bool)
    mask[-T : -T + len(answer)] = scored
    return ids, mask


def one_segment(rng: np.random.Generator, batch: int) -> Texts:
    """The first lesson: four facts, told and asked in one segment."""
    whole = texts(rng, "facts", 4, batch=batch)
    ids, labels = whole.ids[:, -T:].clone(), whole.labels[:, -T:].clone()
    answer = ids[:, : 2 * ASKED].clone()
    order = torch.argsort(torch.rand(batch, ASKED, generator=torch.Generator().manual_seed(int(rng.integers(2**31)))))
    pairs = answer.view(batch, ASKED, 2).gather(1, order[..., None].expand(-1, -1, 2)).flatten(1)
    ids[:, 2 * ASKED : 4 * ASKED] = pairs
    labels = torch.full_like(labels, IGNORE)
    labels[:, 2 * ASKED + 1 : 4 * ASKED : 2] = pairs[:, 1::2]
    return Texts(ids, labels)


def ask(model: Model, some: Texts, *, reset: bool = False) -> tuple[Tensor, Tensor]:
    """The mean loss at what is asked, and which answers are right (B, Q)."""
    segments = model.split(some.ids, labels=some.labels)
    last, batch = len(segments) - 1, len(some.ids)
    before = (lambda i, state: model.cell.initial(batch) if i == last else state) if reset else None
    for segment, step, _ in unroll(model.cell, model.backbone, segments, before=before):  # noqa: B007
        pass
    scored = segment.labels != IGNORE
    right = (step.logits.argmax(-1) == segment.labels)[scored].view(batch, -1)
    return step.output.token_loss(segment.labels).nanmean(), right


def train(model: Model, steps: int, *, seed: int, batch: int, lr: float) -> Iterator[tuple[int, str, float]]:
    """Train for a number of steps; yield (step, lesson, accuracy) now and then."""
    rng, lesson, since, recent = np.random.default_rng([seed, 1]), -1, 0, []
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    share = steps // (len(LESSONS) + 1)
    model.train().requires_grad_(True)
    for step in range(steps):
        rate = min(1.0, (step + 1) / 50, max(0.02, 5 * (1 - step / steps)))
        for group in optimizer.param_groups:
            group["lr"] = lr * rate
        now = lesson if rng.random() > BACK else int(rng.integers(-1, lesson + 1))
        kind = ("facts", "quotation")[step % 2]
        some = one_segment(rng, batch) if now < 0 else texts(rng, kind, LESSONS[now], batch=batch)
        loss, right = ask(model, some)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        since += 1
        if now == lesson:
            recent = [*recent[1 - WINDOW :], float(right.float().mean())]
        learned = len(recent) == WINDOW and np.mean(recent) >= GOAL
        if (step + 1) % 100 == 0:
            yield step + 1, f"lesson {lesson + 2} of {len(LESSONS) + 1}", float(np.mean(recent))
        if lesson + 1 < len(LESSONS) and (learned or since >= share):
            lesson, since, recent = lesson + 1, 0, []
    model.eval().requires_grad_(False)


@torch.inference_mode()
def scores(model: Model, *, documents: int, seed: int, gaps: list[int]) -> Iterator[dict]:
    """Rows {experiment, x, accuracy, low, high, control}: by length, by the number of facts, by segments between."""
    asked = [("quotation", n, 0, n) for n in LESSONS] + [("facts", n, 0, n) for n in LESSONS]
    asked += [("far", 1, gap, gap + 1) for gap in gaps]
    for experiment, n, gap, x in asked:
        rng = np.random.default_rng([seed, 2, n, gap])
        some = texts(rng, "facts" if experiment == "far" else experiment, n, batch=documents, gap=gap)
        for control in ("none", "reset"):
            if control == "reset" and experiment == "far" and gap:
                continue  # the control reads the same last segment whatever came before
            right = ask(model, some, reset=control == "reset")[1].double().mean(1)
            half = Z * float(right.std()) / documents**0.5
            mean = float(right.mean())
            row = {"experiment": experiment, "x": x, "accuracy": mean, "low": max(0.0, mean - half)}
            yield row | {"high": min(1.0, mean + half), "control": control}


def made(kind: str, seed: int) -> Model:
    """A fresh model of a mechanism."""
    around = backbone_config("llama", **SIZES)
    config = next(fresh([kind], backbone=around, segment_length=T)).about.config
    config["cell"]["options"] |= OPTIONS.get(kind, {})
    if not MECHANISMS[kind].backbone and kind not in ("rmt-r",):
        config["cell"]["options"] |= {"initial_std": 1.0}
    torch.manual_seed(seed)
    return build(config)


def main() -> None:
    """Train and score mechanisms and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mechanisms", nargs="*", default=list(CELLS), help="by default all")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--documents", type=int, default=128)
    parser.add_argument("--gaps", type=int, nargs="+", default=[0, 6, 27, 99], help="segments of background before")
    parser.add_argument("--json", action="store_true", help="for a program; by default a table")
    parser.add_argument("--join", type=Path, nargs="+", help="print these documents as one; nothing is trained")
    options = parser.parse_args()
    if options.join:
        parts = [json.loads(path.read_text()) for path in options.join]
        rows = [row | {"seed": part["settings"]["seed"]} for part in parts for row in part["results"]]
        print(json.dumps({**parts[0], "command": [part["command"] for part in parts], "results": rows}, indent=1))
        return
    if unknown := [kind for kind in options.mechanisms if kind not in CELLS]:
        parser.error(f"there is no mechanism {unknown[0]!r}; choose from {', '.join(CELLS)}")
    rows = []
    for kind in options.mechanisms:
        model, begun = made(kind, options.seed), time.process_time()
        for step, lesson, accuracy in train(
            model, options.steps, seed=options.seed, batch=options.batch, lr=options.lr
        ):
            print(f"{kind}: step {step}, {lesson}, accuracy {accuracy:.2f}", file=sys.stderr, flush=True)
        about = {
            "mechanism": kind,
            "options": model.about.config["cell"]["options"],
            "parameters": sum(p.numel() for p in model.parameters()),
            "numbers": model.cell.slots(model.cell.initial(1))[0].numel(),
            "seconds": round(time.process_time() - begun, 1),
        }
        for row in scores(model, documents=options.documents, seed=options.seed, gaps=options.gaps):
            rows.append(about | row)
            if not options.json:
                print(
                    "{mechanism:20s} {experiment:10s} {x:4d} {control:6s} {accuracy:.3f}".format(**rows[-1]), flush=True
                )
    if options.json:
        settings = {k: v for k, v in vars(options).items() if k not in ("mechanisms", "json", "join")}
        command = "python -m benchmarks.recall " + " ".join(sys.argv[1:])
        document = {"command": command, "versions": versions(), "sizes": SIZES, "settings": settings, "results": rows}
        print(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
