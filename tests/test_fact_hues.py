"""The hues of facts: read on their page, and told apart for every kind of colour-blindness."""

from itertools import combinations

import numpy as np
import pytest

from rmt.viewer import bundle
from rmt_viz.figures.theme import FACTS, PAGE

SEEN = {  # Machado et al. 2009, severity 1.0: linear RGB as it is and as it is seen
    "everybody": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
CONES = [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]  # fmt: skip
OKLAB = [[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.808675766]]  # fmt: skip


def linear(colour: str) -> np.ndarray:
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def seen(colour: str, by: str) -> np.ndarray:
    return np.cbrt(np.clip(np.array(SEEN[by]) @ linear(colour), 0, 1) @ np.array(CONES).T) @ np.array(OKLAB).T


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_there_are_eight_and_text_in_them_can_be_read(theme):
    page = luminance(PAGE[theme][0])
    assert len(set(FACTS[theme])) == 8
    for hue in FACTS[theme]:
        low, high = sorted((page, luminance(hue)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, hue


@pytest.mark.parametrize("by", SEEN)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_any_two_are_told_apart(theme, by):
    far = {pair: float(np.linalg.norm(seen(pair[0], by) - seen(pair[1], by))) for pair in combinations(FACTS[theme], 2)}
    least = min(far, key=far.get)
    assert far[least] >= 0.06, (least, far[least])
    first = [far[pair] for pair in combinations(FACTS[theme][:4], 2)]
    assert min(first) >= 0.08, "four people are told apart more easily still"


def test_the_styles_name_them_from_1_to_8():
    css = bundle.read("facts.css")
    assert [f"--fact-{i}:" in css for i in range(1, 9)] == [True] * 8
