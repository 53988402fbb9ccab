"""What each memory mechanism gives back: a quotation, one of many facts, a fact from far back. Trains and scores.

python -m benchmarks.recall rmt landmark bm25 none --json > runs/recall.json

Texts are made of token ids: background, and in it facts (a key and the value after it) or a quotation (a mark and the
values after it). At the end of the last segment but one stand the keys that will be asked for, so that a retriever has
a query; the last segment repeats them, and the model continues each. All mechanisms stand around the same small Llama,
or are recurrent nets of its sizes. The decoder is first taught alone to find facts within one segment, and mechanisms
around it begin with those weights; a recurrent net begins with its own. Step k of each draws its texts from the same
random numbers. Lessons grow when they are learned, or after their share of the steps; training ends early where the
last one is learned. Controls: the last segment is read with the initial memory (reset), or nothing tells before it what
will be asked (unannounced). Intervals are Wilson's over texts, as if all answers about one text were one.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from benchmarks.recall_first import SIZES, around, induction_head
from benchmarks.recall_texts import ANNOUNCED, NOISE, PAST, TOLD, T, Texts, one_segment, texts, told, unannounced
from rmt.checkpoint.build import build
from rmt.evaluate.mechanisms import count, fresh
from rmt.memory import CELLS, MECHANISMS
from rmt.memory.base import State
from rmt.memory.context import ExactContext
from rmt.model import Model
from rmt.model.provenance import versions
from rmt.model.unroll import unroll
from rmt.tasks.interval import wilson
from rmt.text.segments import IGNORE

KEEP = ("context", "transformer-xl", "memorizing", "longnet", "sparse", "bigbird", "ernie-doc", "feedback", "reformer")
OPTIONS = {  # where the fresh ones, scaled to these segments, hold too little to be worth comparing
    **{kind: {"n_memory": PAST} for kind in KEEP},
    "compressive": {"n_cache": T, "n_memory": (PAST - T) // 4, "rate": 4},
    "landmark": {"n_memory": (TOLD + 1) * (T + 1)},
    "interpolation": {"n_memory": PAST, "factor": 2},
    "bm25": {"n_memory": PAST, "passage": ANNOUNCED, "top": 4},
    "dense": {"n_memory": PAST, "passage": ANNOUNCED, "top": 4},
    "knn-lm": {"n_memory": PAST, "share": 0.5},
    "rmt": {"n_memory": 8},
}
STORES = ("landmark", "memorizing", "knn-lm", "bm25", "dense")  # they hold all of a text, however long
MOST = {"landmark": 100, "memorizing": 100, "knn-lm": 100}  # segments: they compute on all that they hold, each time
LESSONS = (1, 2, 4, 8, 16)  # facts, or tokens of a quotation
FIRST_RATE = 2e-3  # of learning, while the decoder is taught alone
GOAL, WINDOW, BACK = 0.9, 40, 0.3  # accuracy that ends a lesson, over so many steps; share of batches from earlier ones


def ask(model: Model, some: Texts, *, state: State = None, reset: bool = False) -> tuple[Tensor, Tensor]:
    """The mean loss at what is asked, and which answers are right (B, Q).

    state: the memory before the texts, by default the initial one. reset: the last segment is read with that one.
    """
    segments = model.split(some.ids, labels=some.labels)
    for segment, step, _ in unroll(model.cell, model.backbone, segments[-1:] if reset else segments, state=state):  # noqa: B007
        pass
    scored = segment.labels != IGNORE
    right = (step.logits.argmax(-1) == segment.labels)[scored].view(len(some.ids), -1)
    return step.output.token_loss(segment.labels).nanmean(), right


def first_weights(seed: int, path: Path | None = None, *, steps: int = 400) -> dict[str, Tensor]:
    """The decoder's first weights: those in a file, or taught the first lesson, and then kept in that file."""
    if path and path.is_file():
        return load_file(path)
    model = induction_head(made("none", seed), seed)
    optimizer = _optimizer(model, FIRST_RATE)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = FIRST_RATE * min(1.0, (step + 1) / 20, 4 * (1 - step / steps))
        _learn(model, optimizer, one_segment(np.random.default_rng([seed, 0, step]), 16))
    weights = {key: value.detach().clone() for key, value in model.backbone.state_dict().items()}
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(weights, path)
    return weights


def _optimizer(model: Model, lr: float) -> torch.optim.Optimizer:
    model.train().requires_grad_(True)
    return torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01, betas=(0.9, 0.98))


def _learn(model: Model, optimizer: torch.optim.Optimizer, some: Texts) -> float:
    """One step of training; the share of right answers before it."""
    loss, right = ask(model, some)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return float(right.float().mean())


def train(model: Model, steps: int, *, seed: int, batch: int, lr: float, say: Callable[[str], None] = print) -> dict:
    """Train for at most so many steps: {steps that were taken, learned: the step at which each lesson was learned}."""
    optimizer = _optimizer(model, lr)
    lesson, begun, end, recent, learned = -1, 0, steps, [], {}
    share, tail = steps // (len(LESSONS) + 1), max(1, steps // 8)
    for step in range(steps):
        if step == end:
            break
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / 50, (end - step) / tail)
        rng = np.random.default_rng([seed, 1, step])
        now = lesson if rng.random() > BACK else int(rng.integers(-1, lesson + 1))
        right = _learn(model, optimizer, _batch(rng, now, ("facts", "quotation")[step % 2], batch))
        if now == lesson:
            recent = [*recent[1 - WINDOW :], right]
        if (step + 1) % 100 == 0:
            say(f"step {step + 1}, lesson {lesson + 2} of {len(LESSONS) + 1}, accuracy {np.mean(recent or [0]):.2f}")
        mastered = len(recent) == WINDOW and np.mean(recent) >= GOAL
        if mastered:
            learned.setdefault(str(LESSONS[lesson] if lesson >= 0 else 0), step + 1)
        if lesson + 1 < len(LESSONS) and (mastered or step + 1 - begun >= share):
            lesson, begun, recent = lesson + 1, step + 1, []
        elif mastered:
            end = min(end, step + 1 + tail)
    model.eval().requires_grad_(False)
    return {"steps": min(end, steps), "learned": learned}


def _batch(rng: np.random.Generator, lesson: int, experiment: str, batch: int) -> Texts:
    """Texts of a lesson; half of the batches with background between, as far as the longest text allows."""
    if lesson < 0:
        return one_segment(rng, batch)
    n = LESSONS[lesson]
    room = TOLD - told(experiment, n)
    return texts(
        rng, experiment, n, batch=batch, gap=int(rng.integers(1, room + 1)) if room and rng.random() < 0.5 else 0
    )


@torch.inference_mode()
def scores(model: Model, *, documents: int, seed: int) -> Iterator[dict]:
    """Rows {experiment, x, accuracy, low, high, documents, control} by length and by number of facts."""
    for experiment in ("quotation", "facts"):
        for n in LESSONS:
            some = texts(np.random.default_rng([seed, 2, n]), experiment, n, batch=documents)
            yield _row(experiment, n, ask(model, some)[1], "none")
            yield _row(experiment, n, ask(model, some, reset=True)[1], "reset")
    yield _row(experiment, n, ask(model, unannounced(some))[1], "unannounced")


@torch.inference_mode()
def far(model: Model, kind: str, *, later: Sequence[int], documents: int, seed: int) -> Iterator[dict]:
    """Rows as of `scores`, and numbers, the size of the memory: one fact, asked for so many segments later.

    A text is read once, and asked at each distance with a copy of the memory. It is read no farther than where the
    answers are no better than the control's.
    """
    rng = np.random.default_rng([seed, 3])
    some = texts(rng, "facts", 1, batch=documents)
    told_in, asked_in = some.ids[:, :T], Texts(some.ids[:, T:], some.labels[:, T:])
    guessed = _row("far", 1, ask(model, some, reset=True)[1], "reset")
    yield guessed
    state, read = memory(model, told_in), 1
    for x in later:
        model, state = roomy(model, kind, state, x + 2)
        for _ in range(x - read):
            state = memory(model, torch.tensor(rng.choice(NOISE, (documents, T))), state)
        read = x
        row = _row("far", x, ask(model, asked_in, state=state)[1], "none")
        yield row | {"numbers": numbers(model, state)}
        if row["low"] <= guessed["high"]:
            return


def memory(model: Model, ids: Tensor, state: State = None) -> State:
    """The memory after more text, ids (B, Tn)."""
    return [after for _, _, after in unroll(model.cell, model.backbone, model.split(ids), state=state)][-1]


def roomy(model: Model, kind: str, state: State, segments: int) -> tuple[Model, State]:
    """Model and memory with room for a text of so many segments, where the mechanism stores all of a text."""
    if kind not in STORES:
        return model, state
    wide = made(kind, 0, n_memory=segments * (T + 1 if kind == "landmark" else T))
    wide.load_state_dict(model.state_dict())
    return wide.eval().requires_grad_(False), F.pad(state, (0, 0, wide.cell.n_memory - state.shape[1], 0))


def numbers(model: Model, state: State) -> int:
    """How many numbers the memory of one document has; of exact context its token ids, all that has to be stored."""
    return model.cell.n_memory if isinstance(model.cell, ExactContext) else count(state)


def _row(experiment: str, x: int, right: Tensor, control: str) -> dict:
    accuracy = float(right.double().mean())
    low, high = (round(end, 4) for end in wilson(accuracy, len(right)))
    return {"experiment": experiment, "x": x, "accuracy": round(accuracy, 4), "low": low, "high": high,
            "documents": len(right), "control": control}  # fmt: skip


def made(kind: str, seed: int, first: dict[str, Tensor] | None = None, **options) -> Model:
    """A fresh model of a mechanism.

    first: weights of its decoder; a recurrent net has its own. options: of its cell, in place of this experiment's.
    """
    config = next(fresh([kind], backbone=around(), segment_length=T)).about.config
    config["cell"]["options"] |= OPTIONS.get(kind, {}) | options
    if not MECHANISMS[kind].backbone and kind != "rmt-r":
        config["cell"]["options"] |= {"initial_std": 1.0}
    torch.manual_seed(seed)
    model = build(config)
    if first and not MECHANISMS[kind].backbone:
        model.backbone.load_state_dict(first)
    return model


def learn(kind: str, options: argparse.Namespace) -> tuple[dict, list[dict]]:
    """Train and score one mechanism: what is said of it, and its rows."""
    begun, first = time.process_time(), first_weights(options.seed, options.first)
    model = made(kind, options.seed, first)
    say = lambda words: print(f"{kind}: {words}", file=sys.stderr, flush=True)  # noqa: E731
    trained = train(model, options.steps, seed=options.seed, batch=options.batch, lr=options.lr, say=say)
    about = {
        "mechanism": kind,
        "seed": options.seed,
        "options": model.about.config["cell"]["options"],
        "parameters": sum(p.numel() for p in model.parameters()),
        "numbers": numbers(model, memory(model, torch.zeros(1, PAST, dtype=torch.long))),
        **trained,
        "seconds": round(time.process_time() - begun),
    }
    few = options.documents // 8 if kind in STORES else options.documents // 2
    later = [x for x in options.later if x <= MOST.get(kind, x)]
    rows = [
        *scores(model, documents=options.documents, seed=options.seed),
        *far(model, kind, later=later, documents=few, seed=options.seed),
    ]
    return about, [{"mechanism": kind, "seed": options.seed, "numbers": about["numbers"]} | row for row in rows]


def printed(document: dict) -> str:
    """The document as JSON, a line for each model and each row."""
    models, rows = (",\n  ".join(map(json.dumps, document[key])) for key in ("models", "results"))
    head = json.dumps({key: document[key] for key in document if key not in ("models", "results")}, indent=1)
    return f'{head[:-2]},\n "models": [\n  {models}\n ],\n "results": [\n  {rows}\n ]\n}}'


def joined(paths: Sequence[Path]) -> dict:
    """Several documents as one: their commands, models and rows one after another."""
    parts = [json.loads(path.read_text()) for path in paths]
    commands = [command for part in parts for command in part["commands"]]
    models, rows = ([one for part in parts for one in part[key]] for key in ("models", "results"))
    return {**parts[0], "command": "recipes/mechanisms.sh", "commands": commands, "models": models, "results": rows}


def main() -> None:
    """Train and score mechanisms and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mechanisms", nargs="*", default=list(CELLS), help="by default all")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--documents", type=int, default=128, help="fewer where the text is long")
    parser.add_argument("--first", type=Path, help="the decoder's first weights; made where there is no such file")
    parser.add_argument("--later", type=int, nargs="+", default=[1, 7, 100, 1000], help="segments after it was told")
    parser.add_argument("--json", action="store_true", help="for a program; by default a table")
    parser.add_argument("--join", type=Path, nargs="+", help="print these documents as one; nothing is trained")
    options = parser.parse_args()
    if options.join:
        print(printed(joined(options.join)))
        return
    if unknown := [kind for kind in options.mechanisms if kind not in CELLS]:
        parser.error(f"there is no mechanism {unknown[0]!r}; choose from {', '.join(CELLS)}")
    models, results = [], []
    for kind in options.mechanisms:
        about, rows = learn(kind, options)
        models.append(about)
        results += rows
        for row in [] if options.json else rows:
            print("{mechanism:20s} {experiment:10s} {x:4d} {control:6s} {accuracy:.3f}".format(**row), flush=True)
    if options.json:
        command = "python -m benchmarks.recall " + " ".join(sys.argv[1:])
        document = {"command": command, "commands": [command], "versions": versions(), "sizes": SIZES}
        print(printed(document | {"models": models, "results": results}))


if __name__ == "__main__":
    main()
