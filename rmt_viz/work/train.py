"""Jobs of Train: a small training run, and one text read at several moments of training."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rmt.files import TemporaryFolder
from rmt.measure import knows
from rmt.trace import Trace
from rmt_viz.findings.train import Reading
from rmt_viz.shelf.library import Library

BEYOND = 3  # segments of the text that is read beyond those trained on
EVERY = 2  # lines of metrics between two readings
SHAPE = {"layers": 2, "width": 64, "heads": 4, "n_memory": 4, "segment_length": 32}
PACE = {"batch": 32, "lr": 1e-3, "warmup": 50, "patience": 800, "log_every": 5}
SEED = 5
NAME = "memorize, trained here"

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Plan:
    """A small training run: the most segments of a document, and the seed of weights and samples."""

    segments: int = 3
    seed: int = 0


@dataclass
class TrainingLog:
    """The log of a training run for the page to draw: metrics and readings. of: the text of the readings, in words."""

    of: str = ""
    lines: list[dict] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)


def train(plan: Plan, log: TrainingLog, shelf: Library, tokenizer: Path, progress: Progress) -> str:
    """Train a tiny model on memorize; returns the id of the trained model's run, whose controls are added, too.

    tokenizer: a file to begin with, if it exists. Raises InputError where the run does not learn.
    """
    import torch

    from rmt.checkpoint import load, untrained
    from rmt.train import TrainConfig, Trainer

    torch.set_num_threads(1)
    with TemporaryFolder() as name:
        folder = Path(name)
        if tokenizer.is_file():
            shutil.copyfile(tokenizer, folder / "tokenizer.json")
        config = TrainConfig(task="memorize", segments=plan.segments, seed=plan.seed, save_every=10**9, **SHAPE, **PACE)
        trainer = Trainer(config, folder, cpu=True)
        document = _sample(trainer.model, plan.segments + BEYOND)
        log.readings.append(_reading(trainer.model, document, "untrained", 0, shelf))
        trainer.model.about.trained = True
        for i, line in enumerate(trainer.steps()):
            learned = log.lines[-1]["stage"] if log.lines and line["stage"] != log.lines[-1]["stage"] else None
            log.lines.append(line)
            progress(trainer.at.stage, len(trainer.stages))
            if learned or i % EVERY == EVERY - 1:
                label = f"after {learned}" if learned else ""
                log.readings.append(_reading(trainer.model, document, label, line["step"], learned and shelf))
        model, fresh = load(folder, device="cpu"), untrained(folder, device="cpu")
    for reader in (model, fresh):
        reader.about.name = NAME
    last = _reading(model, document, "at the end", log.lines[-1]["step"], shelf)
    log.readings.append(last)
    shelf.add(_record(model, document, control="reset"), of=last.run, keep=False)
    shelf.add(_record(fresh, document), of=last.run, keep=False)
    return last.run


def reread(stages: list[Path], trace: Trace, log: TrainingLog, shelf: Library, progress: Progress) -> None:
    """Read a recorded run's text with the checkpoint of each stage, in the order of training.

    The stages may have another tokenizer than the model of the run, so they read its text and not its token ids.
    """
    from rmt.checkpoint import load

    text = "".join(trace.token_texts(0, len(trace.arrays["ids"])))
    answer = trace.classes[trace.meta["label"]]
    for i, folder in enumerate(stages):
        model = load(folder, device="cpu")
        ended = model.about.config.get("ended", {})
        model.about.name = f"{trace.meta['made_by']['checkpoint']}, after stage {folder.name}"
        document = (text, {"label": model.about.classes.index(answer), "seed": trace.meta["seed"]})
        label = f"after {folder.name} segment{'s' * (folder.name != '1')}"
        log.readings.append(_reading(model, document, label, ended.get("step", 0), shelf))
        progress(i + 1, len(stages))


def stages_of(checkpoint: Path) -> list[Path]:
    """The folders of a checkpoint's stages, kept inside it or shipped beside it, in the order of training."""
    places = (checkpoint / "stages", checkpoint.with_name(f"{checkpoint.name}-stages"))
    found = [p.parent for place in places for p in place.glob("*/config.json") if p.parent.name.isdigit()]
    return sorted(found, key=lambda folder: int(folder.name))


def _sample(model, segments: int) -> tuple:
    """Token ids of a fresh sample that training never sees, and its spans, label and seed."""
    import numpy as np

    from rmt.evaluate import EVALUATION
    from rmt.tasks import TASKS
    from rmt.tasks.base import Sampler

    sampler = Sampler(TASKS["memorize"], model.tokenizer, "eval")
    example = sampler.example(np.random.default_rng([EVALUATION, SEED]), segments * model.segment_length)
    return example.ids, {"spans": example.spans, "label": example.label, "seed": SEED}


def _record(model, document: tuple[object, dict], control: str | None = None) -> Trace:
    from rmt.recorder import record

    text, known = document
    return record(model.eval(), text, detail="thin", control=control, **known)


def _reading(model, document: tuple, label: str, step: int, shelf: Library | None) -> Reading:
    """A reading of the document with the model as it is. shelf: where to add the run, None for no link to it."""
    trace = _record(model, document)
    model.train()
    return Reading(label, step, tuple(map(float, knows(trace))), shelf.add(trace, keep=False) if shelf else "")
