"""The life of a fact: what is asked of which memory, and the numbers made of many."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rmt.causes import survival
from rmt.causes.facts import Lives, ablations, facts_of, find_facts, ledger, lives, slots_of
from rmt.causes.samples import Told, fresh, sampler_of, told
from rmt.checkpoint import load, untrained
from rmt.errors import InputError
from rmt.intervene import ask, read
from rmt.tasks import TASKS, looks
from rmt.tasks.base import NAMES, PLACES, Span
from rmt.tasks.questions import question_about

LOOKS = looks(None)

ROOT = Path(__file__).parent.parent
DETECT = ROOT / "assets" / "checkpoints" / "detect"
FACT = "John moved to the hallway."
OTHER = "Mary went back to the garden."


@pytest.fixture(scope="module")
def detect():
    return load(DETECT, device="cpu")


def split(model, text: str) -> tuple[list[int], list[str]]:
    encoding = model.tokenizer.encode(text, add_special_tokens=False)
    return encoding.ids, [model.tokenizer.decode([i]) for i in encoding.ids]


# What is a fact.


def test_facts_are_found_with_what_to_ask(detect):
    ids, tokens = split(
        detect, f"It rained all night. {FACT} Ships came in. {OTHER} Nobody went to the theatre. Where is John?"
    )
    john, mary = find_facts(tokens, PLACES)
    assert (john.text, john.question, PLACES[john.answer]) == (FACT, "Where is John?", "hallway")
    assert (mary.text, mary.question, PLACES[mary.answer]) == (OTHER, "Where is Mary?", "garden")
    for fact in (john, mary):
        assert "".join(tokens[fact.start : fact.end]).strip() == fact.text
    assert len(ids) == len(tokens)


def test_a_relation_is_asked_for_from_the_side_that_the_other_fact_names():
    first, second = "The garden is west of the office.", "The office is west of the kitchen."
    assert question_about(first, [second], PLACES, LOOKS) == ("What is west of the office?", PLACES.index("garden"))
    assert question_about(second, [first], PLACES, LOOKS) == ("What is the office west of?", PLACES.index("kitchen"))
    assert question_about(first, [], PLACES, LOOKS) == ("What is west of the office?", PLACES.index("garden"))


@pytest.mark.parametrize(
    "text", ["", "John moved to the moon.", "Where is John?", "The garden is nice.", "John went home."]
)
def test_what_tells_nothing_is_no_fact(text):
    assert question_about(text, [], PLACES, LOOKS) is None and find_facts(list(text), PLACES) == []


@pytest.mark.parametrize("name", ["detect", "memorize", "reasoning"])
def test_every_story_of_a_task_can_be_asked_for(name):
    model = load(ROOT / "assets" / "checkpoints" / name, device="cpu")
    sampler, rng = sampler_of(model), np.random.default_rng(0)
    for _ in range(50):
        story = sampler.task.story(rng)
        known, about = sampler.task.looks, [story.about(k) for k in range(len(story.facts))]
        asked = [question_about(f, [o for o in story.facts if o != f], PLACES, known) for f in story.facts]
        assert asked == about, "a text is asked what its story says"
        assert all(asked) and (story.question, story.answer) in asked, "the task's own question is one of them"


# One run.


def test_the_ledger_follows_each_fact_through_the_run(detect):
    noise = "The committee met again and heard eleven witnesses. " * 20
    ids, tokens = split(detect, f"{noise}{FACT} {noise}Where is John?")
    (fact,) = find_facts(tokens, PLACES)
    reading = read(detect, ids)
    p = ledger(detect, reading, [fact])
    told_in = fact.start // detect.segment_length
    assert p.shape == (1, len(reading.segments) + 1)
    assert p[0, : told_in + 1].max() < 0.5 < 0.95 < p[0, told_in + 2 :].min()
    assert p[0, -1] == pytest.approx(float(reading.probabilities[0, fact.answer]), abs=0.05)
    initial = detect.cell.initial(1)[0]
    falls = slots_of(detect, reading.states[-1], fact, initial)
    assert falls.shape == (9,) and falls[-1] > 0.5, "without the whole memory the fact is gone"
    without = ledger(detect, read(detect, ids[-1:]), [fact])[0, 0]
    assert falls[-1] == pytest.approx(p[0, -1] - without, abs=1e-5)
    assert ledger(detect, reading, []).shape == (0, len(reading.states))


@pytest.mark.parametrize("name", ["detect", "memorize", "detect-long"])
def test_what_these_models_keep_is_a_place_whoever_is_asked_for(name):
    """The control of binding: they would be said to know where Sandra is, and answer the same of everybody."""
    model = load(ROOT / "assets" / "checkpoints" / name, device="cpu")
    noise = "The committee met again and heard eleven witnesses. " * (model.segment_length // 8)
    ids, _ = split(model, f"Sandra went to the garden. {noise}")
    state = read(model, ids).states[-1]
    for question in (*(f"Where is {name}?" for name in NAMES), "What time is it?"):
        answers = ask(model, [state], torch.tensor(split(model, question)[0]))[0, 0]
        assert float(answers[PLACES.index("garden")]) > 0.98, question


def test_a_fact_is_followed_until_a_later_one_answers_its_question_anew():
    rng = np.random.default_rng(0)
    stories = [TASKS["qa1"].story(rng) for _ in range(20)]
    for story in stories:
        spans = tuple(Span("fact", 10 * k, 10 * k + 8) for k in range(len(story.facts)))
        facts = facts_of(Told(np.zeros(200), spans, story))
        people = [fact.split()[0] for fact in story.facts]
        assert [fact.question for fact in facts] == [f"Where is {name}?" for name in people]
        for k, fact in enumerate(facts):
            again = people.index(people[k], k + 1) if people[k] in people[k + 1 :] else None
            assert fact.until == (None if again is None else spans[again].end)


def test_what_is_answered_anew_counts_no_longer():
    p = np.array([[0.1, 0.9, 0.9, 0.9], [0.1, 0.9, np.nan, np.nan], [0.1, 0.2, 0.9, np.nan]])
    toy = Lives(p, np.array([[0, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]], bool), [None] * 3, None, 1)
    assert [(row["distance"], row["share"], row["n"]) for row in survival.retention(toy)] == [(1, 1, 1), (2, 0, 1)]
    rows = survival.survival(toy)
    assert rows["right"] == [0, 0.6667, 1, 0] and rows["mean"] == [0.1, 0.6667, 0.9, 0.9]
    gone = Lives(p[1:], toy.right[1:], [None] * 2, None, 1)
    assert survival.survival(gone)["distance"] == [-1, 0, 1], "beyond that nothing is left to ask for"


# Many runs.


@pytest.fixture(scope="module")
def found(detect):
    return lives(detect, samples=24, segments=3, batch=10)


def test_facts_live_from_the_segment_that_tells_them(detect, found):
    assert found.p.shape == found.right.shape == (24, 5) and list(found.distance) == [-1, 0, 1, 2, 3]
    assert found.right[:, 1:].mean() > 0.95 and found.p[:, 0].mean() < 0.5
    assert len({fact.text for fact in found.facts}) > 10
    assert detect.cell.slots(found.states).shape == (24, 8, 128)


def test_the_same_runs_however_many_at_once(detect, found):
    again = lives(detect, samples=24, segments=3, batch=24)
    assert [fact.text for fact in again.facts][:10] == [fact.text for fact in found.facts][:10]


def test_controls_know_nothing(detect):
    for control in (
        lives(detect, samples=24, segments=2, reset=True),
        lives(untrained(DETECT, device="cpu"), samples=24, segments=2),
    ):
        assert control.right[:, 2:].mean() < 0.5


def test_capture_and_retention_count_what_they_say():
    right = np.array([[0, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0]], bool)
    toy = Lives(right * 0.8 + 0.1, right, [None] * 4, None, 1)
    assert survival.share(toy.right[:, 1])["share"] == 0.75
    kept = survival.retention(toy)
    assert [(row["distance"], row["share"], row["n"]) for row in kept] == [(1, 0.6667, 3), (2, 0.3333, 3)]
    rows = survival.survival(toy)
    assert rows["distance"] == [-1, 0, 1, 2] and rows["right"] == [0.25, 0.75, 0.75, 0.5]
    assert rows["mean"][1] == pytest.approx(0.7) and rows["low"][0] <= rows["mean"][0] <= rows["high"][0]
    nothing = survival.share(np.zeros(0, bool))
    assert nothing["share"] is None and nothing["n"] == 0
    low, high = survival.share(np.ones(200, bool))["low"], survival.share(np.ones(200, bool))["high"]
    assert 0.97 < low < 1 and high == 1


def test_ablation_of_slots_counts_what_is_left(detect, found):
    table = ablations(detect, found)
    assert len(table["fall"]) == len(table["alone"]) == 8 and sorted(table["order"]) == list(range(1, 9))
    assert len(table["best"]) == len(table["others"]) == 9
    assert table["best"][0] == table["others"][0] > 0.9 and table["best"][8] == table["others"][8] < 0.6
    assert table["whole"] > max(table["fall"])


@pytest.mark.parametrize("kind", survival.SECOND)
def test_a_second_fact_is_of_the_kind_asked_for(detect, kind):
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = survival._pair(rng, sampler_of(detect).task, kind)
        assert first.answer != second.answer and (first.question == second.question) == (kind == "same")
    rows = survival.interference(detect, kind, samples=8, gap=1, after=2)
    assert rows["distance"] == [-1, 0, 1, 2]
    assert rows["first"]["mean"][0] > 0.9 > 0.5 > rows["second"]["mean"][0], "the second is not told yet"
    assert all(len(rows[which][name]) == 4 for which in ("first", "second") for name in ("mean", "low", "high"))


def test_told_stories_stand_where_they_should(detect):
    sampler, rng = sampler_of(detect), np.random.default_rng(3)
    document = told(sampler, rng, sampler.task.story(rng), before=1, over=2, after=3, length=64)
    assert len(document.ids) == 6 * 64
    span = next(span for span in document.spans if span.kind == "fact")
    assert 64 <= span.start < span.end <= 3 * 64
    assert detect.tokenizer.decode(document.ids[span.start : span.end]).strip() == document.story.facts[0]


def test_fresh_runs_need_a_task():
    model = load(DETECT, device="cpu")
    model.about.task = None
    with pytest.raises(InputError, match="not trained on a task of ours"):
        fresh(model, 2, samples=1, seed=0)


def test_the_command_prints_one_document(rmt_command):
    command = ("facts", DETECT, "--samples", 6, "--segments", 2, "--no-probe", "--json")
    code, out, error = rmt_command(*command)
    assert code == 0, error
    told = json.loads(out)
    assert told["command"].startswith("python -m rmt facts") and told["capture"]["n"] == told["facts"] == 6
    assert [row["distance"] for row in told["retention"]] == [1, 2] and told["made_by"]["checkpoint"] == "detect"
    code, out, error = rmt_command(*command, "--control", "evil")
    assert code == 2 and "no control 'evil'" in error and not out


def test_numbers_are_those_of_the_seed(detect):
    torch.manual_seed(0)
    a = survival.interference(detect, "same", samples=4, gap=0, after=1)
    torch.manual_seed(1)
    assert a == survival.interference(detect, "same", samples=4, gap=0, after=1)
