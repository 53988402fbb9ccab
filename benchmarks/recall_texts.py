"""Texts of benchmarks.recall: background with facts or a quotation in it, and at the end what is asked of them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rmt.text.segments import IGNORE

T, ANNOUNCED, ASKED = 24, 8, 4  # tokens a segment and before the question; the most keys that are asked for
TOLD, FACTS = 3, 6  # segments that something is told in, at most, and facts in each
MARK, FILL, KEYS, VALUES, NOISE = 1, 2, range(8, 32), range(32, 64), range(64, 320)
PAST = (TOLD + 1) * T  # tokens before the last segment of the longest text that is trained on


@dataclass(frozen=True)
class Texts:
    """Texts ids (B, Tn), and labels that are ids where the model is to continue a key or the mark, else IGNORE."""

    ids: Tensor
    labels: Tensor


def texts(rng: np.random.Generator, experiment: str, n: int, *, batch: int, gap: int = 0) -> Texts:
    """Texts with n facts, or a quotation of n tokens; gap: segments of background before the last two."""
    rows = [_text(rng, experiment, n, gap) for _ in range(batch)]
    ids, asked = (torch.tensor(np.stack(part)) for part in zip(*rows, strict=True))
    return Texts(ids, ids.where(asked, IGNORE))


def told(experiment: str, n: int) -> int:
    """The number of segments that n facts, or a quotation of n tokens, are told in."""
    return -(-n // FACTS) if experiment == "facts" else 1


def _text(rng: np.random.Generator, experiment: str, n: int, gap: int) -> tuple[np.ndarray, np.ndarray]:
    length = told(experiment, n) * T
    ids = rng.choice(NOISE, length + (gap + 2) * T)
    if experiment == "facts":
        keys, values = rng.permutation(KEYS)[:n], rng.choice(VALUES, n)
        places = 2 * np.sort(rng.permutation(length // 2)[:n])
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
    """The first lesson: facts told and asked again and again in one segment."""
    rows, asked = [], np.arange(T) % 2 == 1
    for _ in range(batch):
        facts = np.stack([rng.permutation(KEYS)[:ASKED], rng.choice(VALUES, ASKED)], 1)  # (4, 2)
        order = [*range(ASKED), *rng.integers(ASKED, size=T // 2 - ASKED)]
        rows.append(facts[order].ravel())
    ids = torch.tensor(np.stack(rows))
    return Texts(ids, ids.where(torch.tensor(asked & (np.arange(T) >= 2 * ASKED)), IGNORE))


def unannounced(some: Texts) -> Texts:
    """The texts without what stands before the last segment and tells what will be asked."""
    ids = some.ids.clone()
    ids[:, -T - ANNOUNCED : -T] = FILL
    return Texts(ids, some.labels)
