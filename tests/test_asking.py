"""What can be asked of a run at any moment, what is right by then, and what a trace keeps of it."""

import json

import numpy as np
import pytest

from rmt.checkpoint import untrained
from rmt.commands.common import fresh_sample
from rmt.errors import InputError
from rmt.measure import measure
from rmt.recorder import record
from rmt.tasks import TASKS
from rmt.tasks.asking import Asking, of_story, of_text
from rmt.tasks.babi import NEVER
from rmt.tasks.base import Span, Story
from rmt.trace import Trace
from rmt.trace.trace import validate
from rmt_viz.shelf.library import ASSETS

QA1 = TASKS["qa1"]
CLASS = {name: i for i, name in enumerate(QA1.classes)}


def words(text: str) -> tuple[bytes, np.ndarray]:
    """A text a word a token, and where each ends, in bytes."""
    parts = text.replace(" ", "\0 ").split("\0")
    return text.encode(), np.cumsum([len(part.encode()) for part in parts])


def said(asking: Asking, n_tokens: int) -> list[str | None]:
    """The right answer after 0, 1, ... n tokens, in words."""
    return [None if c < 0 else QA1.classes[c] for c in asking.truths(np.arange(n_tokens + 1))]


def test_the_truth_changes_where_a_move_ends():
    text, ends = words("Mary went to the garden. Café! Mary moved to the office. Where is Mary?")
    mary, john, *_ = of_text(QA1, text, ends)
    assert mary.name == "Mary" and mary.text == "Where is Mary?"
    assert said(mary, 14) == [NEVER] * 5 + ["garden"] * 6 + ["office"] * 4
    assert said(john, 14) == [NEVER] * 15


@pytest.mark.parametrize(
    ("sentence", "answer"),
    [
        ("Then Mary went back to the kitchen.", "kitchen"),
        ("Mary did not go to the kitchen.", None),
        ("Mary strolled into the kitchen.", None),
        ("Mary went to the attic.", None),
        ("John and Mary went to the kitchen.", "kitchen"),
        ("Mary and John went to the kitchen.", None),
        ("Maryland went to the kitchen.", "garden"),
        ("John went to the kitchen.", "garden"),
        ("Is Mary in the kitchen?", "garden"),
    ],
)
def test_what_is_no_fact_about_somebody_named_may_say_anything(sentence, answer):
    text, ends = words(f"Mary went to the garden. {sentence}")
    mary = of_text(QA1, text, ends)[0]
    assert said(mary, len(ends))[-1] == answer


def test_a_relation_says_what_lies_on_a_side_of_either_place_and_nothing_of_its_other_sides():
    task = TASKS["qa4"]
    text, ends = words("The garden is north of the office. So be it! The kitchen is east of the garden. What now?")
    asked = {one.name: [task.classes[c] for c in one.truths(np.array([0, 7, 18]))] for one in of_text(task, text, ends)}
    assert asked == {
        "south of the garden": [NEVER, "office", "office"],
        "north of the office": [NEVER, "garden", "garden"],
        "east of the garden": [NEVER, NEVER, "kitchen"],
        "west of the kitchen": [NEVER, NEVER, "garden"],
    }
    unclear = of_text(task, *words("The garden is north of the office. The garden was far away."))
    assert {one.name: int(one.truths(np.array([99]))[0]) >= 0 for one in unclear}["north of the office"]
    assert not any(one.truths(np.array([99]))[0] >= 0 for one in unclear if one.name.endswith("garden"))


def test_facts_are_looked_for_only_where_they_stand():
    text, ends = words("Mary went to the garden. Mary Todd was ill. Mary went to the office.")
    mary = of_text(QA1, text, ends, within=[(0, 5), (9, 14)])[0]
    assert said(mary, 14) == [NEVER] * 5 + ["garden"] * 9 + ["office"]
    assert said(of_text(QA1, text, ends)[0], 14)[9] is None, "whoever Mary Todd is"


@pytest.mark.parametrize("name", ["qa1", "qa2", "qa5"])
def test_a_story_says_what_is_right_after_each_fact(name):
    task = TASKS[name]
    story = task.story(np.random.default_rng(4))
    spans = [Span("fact", 10 * i, 10 * i + 5) for i in range(len(story.facts))]
    asked = of_story(task, story, [*spans, Span("question", 999, 1000)])
    assert len(asked) == len(task.asks)
    for asking in asked:
        for told in range(len(story.facts) + 1):
            right = story.questions(told).get(asking.text, task.classes.index(NEVER))
            assert asking.truths(np.array([10 * told]))[0] == right
    assert of_story(task, Story(story.facts, story.question, story.answer), spans) == ()


def test_of_a_story_of_relations_the_sides_are_asked_about_that_it_tells_of():
    task = TASKS["qa4"]
    story = task.story(np.random.default_rng(4))
    asked = of_story(task, story, [Span("fact", 0, 5), Span("fact", 10, 15)])
    assert len(asked) == 4 and [one.truths(np.array([0]))[0] for one in asked] == [task.classes.index(NEVER)] * 4
    for one in asked:
        told, answer = one.answers[-1]
        assert answer == story.questions(2 if told == 15 else 1)[one.text] != task.classes.index(NEVER)
    assert sorted(one.answers[-1][0] for one in asked) == [5, 5, 15, 15]


@pytest.fixture(scope="module")
def model():
    return untrained(ASSETS / "checkpoints" / "qa1", seed=1).double()


def test_a_recording_asks_everybody_of_every_state(model, tmp_path):
    ids, known = fresh_sample(model, "qa1", 3, seed=6)
    trace = record(model, ids, **known, out=tmp_path / "t.trace.safetensors")
    assert [question["name"] for question in trace.questions] == ["Mary", "John", "Daniel", "Sandra"]
    assert trace.arrays["asked_each"].shape == (4, 4, 7) and validate(trace.path) == []
    own = [question["text"] for question in trace.questions].index("Where is John?")
    text = "".join(trace.tokens)
    assert text.endswith("Where is John?"), text[-40:]
    np.testing.assert_allclose(trace.arrays["asked_each"][:, own], trace.arrays["asked"], atol=1e-6)
    assert trace.arrays["truths"][-1, own] == trace.meta["label"]
    assert not np.allclose(trace.arrays["asked_each"][:, 0], trace.arrays["asked_each"][:, 1]), "each has their own"


def test_of_a_crowd_those_are_asked_about_of_whom_the_text_tells_in_its_order(tmp_path):
    crowd = untrained(ASSETS / "checkpoints" / "many-facts-8", seed=1)
    ids, known = fresh_sample(crowd, "many-facts", 6, seed=1)
    trace = record(crowd, ids, **known, out=tmp_path / "t.trace.safetensors")
    text = "".join(trace.tokens)
    names = [question["name"] for question in trace.questions]
    assert len(names) > 8 and names == sorted(names, key=text.index) and (trace.arrays["truths"][-1] >= 0).all()
    typed = record(crowd, "Tom went to the garden. Peace at home. Anna moved to the office.")
    assert [question["name"] for question in typed.questions] == ["Tom", "Anna"]
    told = [CLASS["garden"], CLASS["office"]]
    assert typed.arrays["truths"][-1].tolist() == told and [span["kind"] for span in typed.spans] == ["fact", "fact"]


def test_a_typed_text_needs_no_question(model):
    trace = record(model, "Mary went to the garden. John went to the office. John walked to the hallway.")
    assert trace.arrays["truths"][-1].tolist() == [CLASS["garden"], -1, CLASS[NEVER], CLASS[NEVER]]
    assert [span["kind"] for span in trace.spans] == ["fact", "fact"]
    assert np.isfinite(trace.arrays["asked_each"]).all() and np.isnan(trace.arrays["asked"]).all()
    assert measure(trace).who().name == "Mary"


def test_a_trace_of_before_opens_unchanged(make_trace):
    old = make_trace()
    assert old.questions == [] and "asked_each" not in old.arrays and measure(old).followed == ()


def test_a_header_that_says_more_questions_than_there_are_is_refused(make_trace, tmp_path):
    path = make_trace(people=("Mary", "John")).path
    data = path.read_bytes()
    n = int.from_bytes(data[:8], "little")
    head = json.loads(data[8 : 8 + n])
    meta = json.loads(head["__metadata__"]["trace"])
    for questions in ([*meta["questions"], {"name": "A", "text": "B"}], [{"name": 3, "text": "B"}] * 2, []):
        head["__metadata__"]["trace"] = json.dumps({**meta, "questions": questions})
        text = json.dumps(head).encode()
        text += b" " * (-len(text) % 8)
        wrong = tmp_path / "wrong.trace.safetensors"
        wrong.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + n :])
        with pytest.raises(InputError, match="not a whole trace"):
            Trace.open(wrong)


def test_a_right_answer_that_is_no_class_is_found(make_trace):
    trace = make_trace(people=("Mary", "John"))
    with open(trace.path, "r+b") as file:
        file.seek(trace.arrays["truths"].offset)
        file.write((77).to_bytes(4, "little"))
    told = " ".join(validate(trace.path))
    assert "none of its" in told and "checksum" in told


def test_the_bundled_run_shows_updates_and_its_controls_do_not_hold_them():
    names = ("qa1", "qa1.reset", "qa1.untrained")
    runs = {name: measure(Trace.open(ASSETS / "traces" / f"{name}.trace.safetensors")) for name in names}
    score = {name: np.sum([one.score() for one in run.followed], 0) for name, run in runs.items()}
    right, told = score["qa1"]
    assert right >= 0.9 * told and all(score[name][0] < 0.5 * told for name in names[1:])
    assert any(beat.kind == "update" for one in runs["qa1"].followed for beat in one.beats)
    assert {one.name for one in runs["qa1"].followed} == {"Mary", "John", "Daniel", "Sandra"}
