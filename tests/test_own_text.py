"""Tests of a visitor's own text: what it begins with, its checks, a file in its place, how much is recorded of it."""

from io import BytesIO
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rmt.errors import InputError
from rmt.tasks import TASKS
from rmt_viz.shelf import example_texts
from rmt_viz.widgets import text_file
from rmt_viz.work import score

ROOT = Path(__file__).parent.parent
DETECT = {"task": "detect", "segment_length": 64}


@pytest.mark.parametrize("task", TASKS)
def test_examples_are_good_texts(task):
    example_texts.check(example_texts.example(task), {"task": task, "segment_length": 64}, 64)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "empty"), (" \n ", "empty"), ("John went home.", "question"),
        ("x" * 12_000_001, "shorten it to 12,000,000"), ("x" * 3_000_000, "question"),
        ("Peter went to the garden. Where is Peter?", "Mary, John, Daniel or Sandra"),
        ("Where is John? He is away.", "does not end with a question"),
    ],
)  # fmt: skip
def test_odd_texts_get_a_sentence(text, told):
    with pytest.raises(InputError, match=told):
        example_texts.check(text, DETECT, 64)


def test_a_long_text_is_recorded_without_maps_and_a_longer_one_refused(monkeypatch):
    from rmt.checkpoint import load

    model = load(ROOT / "assets" / "checkpoints" / "detect", device="cpu")
    text, made = 9 * "It rained all night in the valley. ", []
    monkeypatch.setattr(score, "SHORT", len(text))
    for some in (text, text + text):
        made.append(score.record_text(model, some, lambda done, total: None).meta["detail"])
    assert made == ["thin", "summary"]
    assert score.record_text(model, text, lambda done, total: None, "memory").meta["detail"] == "memory"
    monkeypatch.setattr(score, "MOST_TEXT", 9)
    for given in (text, [5] * 10):
        with pytest.raises(InputError, match="tokens of this model; shorten it to 9"):
            score.record_text(model, given, lambda done, total: None)


@pytest.mark.parametrize(
    ("content", "read"),
    [("\ufeffIt is é.".encode(), "It is é."), (b"\xff\xfe\x00", "not text in UTF-8"), (None, "typed")],
)
def test_a_text_file_is_read_in_place_of_what_is_typed(monkeypatch, content, read):
    monkeypatch.setattr(text_file.st, "file_uploader", lambda *_, **__: content and BytesIO(content))
    try:
        assert text_file.typed_or_uploaded("typed", "key") == read
    except InputError as error:
        assert read in str(error)


def test_ones_own_text_begins_with_what_the_model_knows():
    at = AppTest.from_string("from rmt_viz.forms.own_text import own_text\nown_text()", default_timeout=60).run()
    at.selectbox(key="own checkpoint").select("detect").run()
    assert "one of bathroom, hallway" in at.caption[0].value and at.text_area[0].value == example_texts.example(
        "detect", 64
    )
    at.selectbox(key="own checkpoint").select("lm-rmt").run()
    assert "answers no questions" in at.caption[0].value and "one of" not in at.caption[0].value
    assert at.text_area[0].value == example_texts.NOISE
    at.text_area[0].set_value(" ")
    at.button(key="own run").click().run()
    assert not at.exception and "empty" in at.error[0].value


@pytest.mark.parametrize("length", [0, 15, 65])
def test_lengths_that_no_model_reads_get_a_sentence(length):
    with pytest.raises(InputError, match="16 to 64 tokens"):
        example_texts.check(example_texts.example("detect"), DETECT, length)
