"""Probes find what is planted, and nothing where there is nothing."""

from pathlib import Path

import pytest
import torch

from rmt.causes.probe import fit, probes, score
from rmt.checkpoint import load, untrained

DETECT = Path(__file__).parent.parent / "assets" / "checkpoints" / "detect"


def planted(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two slots of 12 numbers: the class moves the first one's, the second's are noise."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(4, (n,), generator=generator)
    x = torch.randn(2, n, 12, generator=generator, dtype=torch.float64)
    x[0, torch.arange(n), y] += 6
    return x + 100, y  # far from zero: a probe must find the mean itself


def test_a_probe_reads_what_is_there_and_nothing_else():
    (x, y), (held, truth) = planted(400, 0), planted(400, 1)
    right = score(fit(x, y, 4), held, truth)
    assert right[0] > 0.97 and 0.15 < right[1] < 0.35
    shuffled = score(fit(x, y[torch.randperm(400, generator=torch.Generator().manual_seed(2))], 4), held, truth)
    assert shuffled.max() < 0.45


def test_many_probes_at_once_are_many_probes():
    (x, y), (held, truth) = planted(200, 0), planted(200, 1)
    both = score(fit(x, y, 4), held, truth)
    for i in range(2):
        assert score(fit(x[i : i + 1], y, 4), held[i : i + 1], truth)[0] == both[i]


def test_a_slot_that_never_moves_breaks_nothing():
    x, y = torch.ones(1, 50, 12, dtype=torch.float64), torch.arange(50) % 4
    assert torch.isfinite(fit(x, y, 4)[0]).all()


def test_detect_can_be_read_after_its_fact_and_not_before():
    model, seen = load(DETECT, device="cpu"), []
    found = probes(model, train=80, test=40, moments=(-1, 1), progress=lambda *p: seen.append(p))
    before, after = found["right"]
    assert max(before) < 0.5 and min(after) > 0.9 and seen[-1] == (120, 120)
    assert sum(map(sum, found["shuffled"])) / 16 < 0.4 and found["chance"] == pytest.approx(1 / 6)
    assert found["whole"][1] > 0.9 and found["moments"] == [-1, 1]


def test_the_controls_can_not_be_read():
    found = probes(untrained(DETECT, device="cpu"), train=60, test=40, moments=(2,))
    reset = probes(load(DETECT, device="cpu"), train=60, test=40, moments=(2,), reset=True)
    assert max(found["right"][0]) < 0.5 and max(reset["right"][0]) < 0.5
