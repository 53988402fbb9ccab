"""The gallery: rows of fresh texts say what is special, and the same runs come back when they are recorded again."""

import json
from dataclasses import replace

import numpy as np
import pytest
from app_pages import modules_of, open_page
from planted import placed

from rmt.errors import InputError
from rmt.evaluate.gallery import FAR, fresh, gallery, row
from rmt.recorder import record
from rmt.tasks.base import PLACES
from rmt_viz import requests, session
from rmt_viz.findings import gallery as findings
from rmt_viz.shelf import results
from rmt_viz.shelf.library import Library

ROWS = 370  # in the list that ships
BUNDLED = results.read("gallery").rows


@pytest.fixture(scope="module")
def forgetful():
    """Rows of a planted model that keeps a place for a few segments only, and the model."""
    model = placed(keep=0.4, segment_length=32)
    return model, list(gallery(model, segments=[2, 12], seeds=range(8)))


def test_right_and_wrong_are_what_the_recorded_run_says(forgetful):
    model, rows = forgetful
    assert {made.right for made in rows} == {True, False} and len(rows) == 16
    for made in rows[::3]:
        example, known = fresh(model, made.segments, made.seed, never=made.never)
        trace = record(model, example.ids, detail="memory", **known)
        assert (trace.answer, trace.classes[trace.meta["label"]]) == (made.answer, made.truth)
        assert made.p == pytest.approx(trace.probabilities[trace.answer], abs=1e-4)
        assert made.right == (trace.answer == made.truth) and made.question.endswith("?")
        (fact,) = [span for span in trace.spans if span["kind"] == "fact"]
        first, last = trace.segment_of(fact["start"]), trace.segment_of(fact["end"] - 1)
        assert ("cut fact" in made.special) == (first != last)
        assert ("far" in made.special) == (trace.n_segments - 1 - last >= FAR)
        good = trace.arrays["asked"][:].argmax(-1) == trace.meta["label"]
        if made.right:
            assert made.moment == last + 1 and made.why == "here the fact is told"
        elif made.why == "forgotten here":
            assert good[made.moment - 1] and not good[made.moment], "asked before it is right, after it wrong"


def test_a_story_told_twice_is_an_update_and_one_never_told_says_so():
    model = placed(task="qa1", segment_length=64)
    model.about.classes = [*PLACES, "never mentioned"]
    assert fresh(model, 4, 0)[0].text.read().tolist() == fresh(model, 4, 0)[0].text.read().tolist()
    assert fresh(model, 4, 1, never=True)[1]["label"] == len(PLACES)
    for seed in range(12):
        example, known = fresh(model, 4, seed)
        trace = fake(example, known)
        told = sum(example.story.question in dict(new) for new in example.story.answers[1:])
        made = row("x", example, trace, seed, never=False)
        assert ("update" in made.special) == (told > 1) and made.facts == len(example.story.facts)
    example, known = fresh(model, 4, 1, never=True)
    made = row("x", example, fake(example, known), 1, never=True)
    assert made.special[0] == "never mentioned" and made.truth == "never mentioned" and made.moment == 4
    with pytest.raises(InputError, match="no questions about what was never mentioned"):
        fresh(placed(), 4, 0, never=True)


def fake(example, known):
    """A run of an example that is always right."""
    from types import SimpleNamespace

    n = len(example.ids) // 64
    classes = [*PLACES, "never mentioned"]
    p = {name: float(i == known["label"]) for i, name in enumerate(classes)}
    asked = np.eye(len(classes))[[known["label"]] * (n + 1)]
    return SimpleNamespace(
        probabilities=p, classes=classes, meta={"label": known["label"]}, answer=classes[known["label"]], n_segments=n,
        segment_of=lambda token: token // 64, arrays={"asked": asked},
    )  # fmt: skip


# On the page.


def test_failures_come_first_the_surest_on_top():
    rows = findings.ordered(BUNDLED)
    assert len(rows) == ROWS and len({made.id for made in rows}) == ROWS
    wrong = [made for made in rows if not made.right]
    assert rows[: len(wrong)] == wrong and [made.p for made in wrong] == sorted((w.p for w in wrong), reverse=True)
    assert all(made.right == (made.answer == made.truth) for made in rows)
    assert findings.gallery(rows).startswith(f"{ROWS - len(wrong)} of {ROWS} are right")
    assert {len(column) for column in findings.table(rows).values()} == {ROWS}
    cut = findings.chosen(BUNDLED, ["qa1"], ["cut fact"], "wrong")
    assert all(made.checkpoint == "qa1" and "cut fact" in made.special and not made.right for made in cut)
    assert findings.gallery([]) == "No text is like that; ask for less"


@pytest.mark.parametrize("checkpoint", ["qa1", "reasoning"])
def test_a_bundled_row_is_recorded_again_as_the_list_says(checkpoint, monkeypatch, tmp_path):
    """Through the job that a click starts, with the shipped weights."""
    library = Library(tmp_path)
    monkeypatch.setattr(session, "library", lambda: library)
    monkeypatch.setattr(session, "start", lambda kind, work, about=None: work(lambda *_: None))
    made = min(
        (made for made in BUNDLED if made.checkpoint == checkpoint), key=lambda made: (made.right, made.segments)
    )
    id = requests.start_shown(made)
    trace = library.open(id).trace
    assert trace.answer == made.answer and trace.meta["seed"] == made.seed and trace.n_segments == made.segments
    assert trace.probabilities[trace.answer] == pytest.approx(made.p, abs=2e-3)
    assert requests.shown(made) == id, "and is kept for the next click"
    with pytest.raises(InputError, match="made with other weights"):
        requests.start_shown(replace(made, answer="elsewhere", seed=made.seed))


def test_the_page_lists_without_torch_and_filters():
    assert "torch" not in modules_of("gallery")
    at = open_page("gallery")
    drawn = json.loads(at.get("bidi_component")[0].proto.json)["rows"]
    assert len(drawn) == ROWS and not drawn[0]["right"]
    at.pills(key="gallery right").set_value("right").run()
    drawn = json.loads(at.get("bidi_component")[0].proto.json)["rows"]
    assert drawn and all(each["right"] for each in drawn)


def test_the_command_prints_rows(rmt_command, monkeypatch):
    monkeypatch.setattr("rmt.checkpoint.load", lambda *_, **__: placed(keep=0.4, segment_length=32))
    code, out, _ = rmt_command("gallery", "somewhere", "--segments", "2", "--samples", "3")
    assert code == 0 and len(out.splitlines()) == 3 and "Where is" in out
    code, _, error = rmt_command("gallery", "somewhere", "--never")
    assert code == 2 and "never mentioned" in error
