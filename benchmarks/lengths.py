"""Benchmark of accuracy against length: models of every stage, two recipes, up to two and ten million tokens.

Every score comes from `rmt.evaluate` and is kept as it is made (--keep), so a stopped study goes on. --only takes the
runs whose checkpoint's name begins so.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.common import arguments
from rmt.checkpoint import load, untrained
from rmt.commands.common import bar
from rmt.evaluate import evaluate
from rmt.model.provenance import versions

CHECKPOINTS = Path(__file__).parents[1] / "assets" / "checkpoints"
STAGES = (1, 2, 3, 5, 7)
NEAR = (*range(1, 15), 20, 28)  # figure 4 of the paper ends at 15
FAR = (1, 2, 7, 14, 64, 256, 1024, 4096)
TEN_MILLION = 20_041  # segments of 499 tokens: 10,000,459
CONTROLS = ("reset", "untrained")
KEYS = {
    "checkpoint": "in assets/checkpoints",
    "trained_on": "segments of the longest documents in training",
    "recipe": "curriculum; the same for as many tokens as streams; or curriculum, then streams (rmt/train/streams.py), "
    "in which memory that changes for no reason may be penalised (rmt/train/penalties.py)",
    "accuracy": "share of samples answered right",
    "low, high": "Wilson's 95 % interval",
    "control": "none, reset (memory, before every segment), untrained (weights)",
    "seconds": "of one thread, for all samples",
}  # fmt: skip


@dataclass(frozen=True)
class Study:
    """A checkpoint to be scored at some lengths."""

    checkpoint: str
    trained_on: int
    recipe: str
    segments: tuple[int, ...]
    samples: int = 200
    control: str = "none"
    batch: int = 25

    @property
    def name(self) -> str:
        return f"{self.checkpoint.replace('/', '-')}.{self.control}.{self.segments[-1]}"


def studies() -> list[Study]:
    """All studies behind assets/results/length.json."""
    planned = []
    for task in ("memorize", "detect", "reasoning"):
        planned += [Study(f"{task}-stages/{n}", n, "curriculum", NEAR) for n in STAGES]
        planned.append(Study(f"{task}-stages/7", 7, "curriculum", (64, 256, 1024), 100))
        planned += [Study(f"{task}-stages/7", 7, "curriculum", STAGES, control=c) for c in CONTROLS]
    planned.append(Study("detect-stages/more", 7, "curriculum, as many tokens", (*NEAR, 64, 256, 1024), 100))
    planned.append(Study("detect-stages/streams", 7, "streams", (*NEAR, 64, 256, 1024, 4096), 100))
    planned.append(Study("reasoning-stages/more", 7, "curriculum, as many tokens", (*NEAR, 64, 256, 1024), 100))
    planned.append(Study("reasoning", 5, "streams", (1, 2, 5, 10, 64, 256, 1024), 100))
    penalised = "streams, change penalised"
    planned.append(Study("reasoning-long", 7, penalised, (*NEAR, 64, 256, 1024), batch=50))
    planned.append(Study("reasoning-long", 7, penalised, (4096,), 100, batch=50))
    planned += [Study("reasoning-long", 7, penalised, STAGES, control=c) for c in CONTROLS]
    for name, n in (("detect-long", 7), ("memorize-long", 2)):
        planned.append(Study(name, n, "streams", FAR, 100))
        planned += [Study(name, n, "streams", (1, 2, 7), 100, control=c) for c in CONTROLS]
    planned.append(Study("detect-long", 7, "streams", (TEN_MILLION,), 20, batch=10))
    return planned


def rows(study: Study, keep: Path) -> list[dict]:
    """The scores of a study."""
    path = CHECKPOINTS / study.checkpoint
    model = (untrained if study.control == "untrained" else load)(path, device="cpu")
    with bar(study.name, "tokens") as update:
        scores = list(
            evaluate(
                model, segments=list(study.segments), samples=study.samples, control=study.control, precision="bf16",
                batch=study.batch, keep=keep / study.name, progress=update,
            )
        )  # fmt: skip
    about = {
        "task": model.about.task, "checkpoint": study.checkpoint, "trained_on": study.trained_on,
        "recipe": study.recipe, "segment_length": model.segment_length,
    }  # fmt: skip
    return [{**about, **row} for row in scores]


def main() -> None:
    """Score the chosen studies and print their rows."""
    options = arguments(__doc__, keep="runs/lengths", only="")
    torch.set_num_threads(1)
    keep = Path(options.keep)
    keep.mkdir(parents=True, exist_ok=True)
    chosen = [study for study in studies() if study.checkpoint.startswith(options.only)]
    results = [row for study in chosen if (CHECKPOINTS / study.checkpoint).is_dir() for row in rows(study, keep)]
    document = {
        "command": " ".join(["python -m benchmarks.lengths", *sys.argv[1:]]),
        "made_by": {"device": "cpu", "threads": 1, "precision": "bf16", "versions": versions()},
        "keys": KEYS,
        "results": results,
    }
    if options.json:
        print(json.dumps(document, indent=1))
        return
    for row in results:
        print("{checkpoint:20s} {segments:6d} {tokens:9d} {accuracy:.4f} {samples:5d} {control}".format(**row))


if __name__ == "__main__":
    main()
