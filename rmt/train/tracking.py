"""Metrics of a training run in the trackers that people use, through accelerate: TensorBoard, W&B, Trackio."""

from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from accelerate import Accelerator
from accelerate.tracking import filter_trackers

from rmt.errors import InputError

TRACKERS = {"jsonl": None, "tensorboard": "tensorboard", "trackio": "trackio", "wandb": "wandb"}  # name -> package
PROJECT = "rmt"


def track(run, name: str, folder: Path) -> None:
    """Let a tracker have the metrics of a `TrainingRun`, too. TensorBoard's files lie in the folder, under rmt/.

    name: of TRACKERS; jsonl is the metrics.jsonl that every run writes. The run's config is stored with the tracker.
    Raises InputError for another name, and where the tracker's package is not installed.
    """
    if name not in TRACKERS:
        raise InputError(f"There is no tracker {name!a}; choose from {', '.join(TRACKERS)}.")
    package = TRACKERS[name]
    if package is None:
        return
    if find_spec(package) is None:
        raise InputError(f"The tracker {name} needs its package: pip install {package}.")
    settings = {key: value if isinstance(value, (int, float, str, bool)) else str(value)
                for key, value in asdict(run.config).items()}  # fmt: skip
    run.accelerator = run.accelerator or Accelerator()
    run.accelerator.log_with = filter_trackers([name], str(folder))
    run.accelerator.project_configuration.set_directories(str(folder))
    run.accelerator.init_trackers(PROJECT, config=settings)


def numbers(line: dict) -> dict[str, float]:
    """The numbers of a line of metrics, under names that trackers group: train/loss."""
    return {f"train/{name}": value for name, value in line.items() if type(value) in (int, float) and name != "step"}
