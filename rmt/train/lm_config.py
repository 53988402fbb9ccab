"""The schedule of a language model's run: length of history, learning rate, and the tokens of every step."""

import math

import numpy as np

from rmt.errors import InputError
from rmt.memory import mechanism
from rmt.tasks.language_model import Documents
from rmt.train.config import LMConfig
from rmt.train.loop import TRAINING


def longest(config: LMConfig, step: int) -> int:
    """The most segments that a document has at a step; it grows one by one over `config.growth` of the steps."""
    grown = min(1.0, (step + 1) / max(1, config.growth * config.steps))
    return 1 + math.ceil(grown * (config.segments - 1))


def rate(config: LMConfig, step: int) -> float:
    """The learning rate of a step: it rises during warm-up, then falls to its floor."""
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    progress = (step - config.warmup) / max(1, config.steps - config.warmup)
    left = 1 - progress if config.schedule == "linear" else (1 + math.cos(math.pi * progress)) / 2
    return config.lr * (config.floor + (1 - config.floor) * left)


def draw(config: LMConfig, documents: Documents, step: int, processes: int = 1) -> np.ndarray:
    """Draw the ids (documents, tokens) of a step, the same for every mechanism."""
    rng = np.random.default_rng([TRAINING, config.seed, step])
    n = longest(config, step)
    if n > 1 and rng.random() < config.shorter:
        n = int(rng.integers(1, n))
    rows = -(-max(1, config.batch // n) // processes) * processes  # every process has as many
    return documents.windows(rng, rows, n * config.segment_length, ends=config.ends)


def check(config: LMConfig) -> None:
    """Raise InputError for settings that exclude each other."""
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
