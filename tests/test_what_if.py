"""A what-if recorded as a run of its own, and what the command says of it."""

import json

import numpy as np
import pytest
import torch
from readings import DETECT, IDS, KINDS, ROOT, small

from rmt import intervene
from rmt.causes.what_if import what_if
from rmt.checkpoint import load, untrained
from rmt.commands.common import fresh_sample
from rmt.intervene import read
from rmt.intervene.changes import Edit, Freeze, Move, Noise, Reset
from rmt.recorder import record
from rmt.tasks.base import Span
from rmt.trace import validate


@pytest.fixture(scope="module")
def detect():
    return load(DETECT, device="cpu")


@pytest.mark.parametrize("detail", ["memory", "thin"])
@pytest.mark.parametrize(("family", "head"), KINDS)
def test_a_what_if_is_recorded_as_the_run_it_would_have_been(family, head, detail):
    model = small(family, head)
    trace = record(model, IDS[0], detail=detail, spans=[Span("question", 40, 45)] if head == "classify" else [])
    made = what_if(model, trace, [Move(20, 22, 26), Noise(4, scale=0.5)])
    ids = IDS[0].tolist()
    moved = [*ids[:20], *ids[22:26], *ids[20:22], *ids[26:]]
    expected = read(model, moved)
    expected = intervene.intervene(model, expected, [Noise(4, scale=0.5)])
    assert validate(made.path) == [] and made.complete and made.meta["changes"] == "move:21-22:27;noise:0.5:0@5"
    assert list(made.arrays["ids"]) == moved
    slots = torch.cat([model.cell.slots(state) for state in expected.states])
    assert np.array_equal(made.memory, slots.numpy())
    plain = record(model, moved, detail=detail)
    for name in ("mass", "read", "token_write"):
        if name in plain.arrays:
            assert np.array_equal(made.arrays[name][:4], plain.arrays[name][:4])
    if head == "classify":
        assert np.allclose(list(made.probabilities.values()), expected.probabilities[0])
        assert np.isfinite(made.arrays["asked"]).all()


@pytest.mark.parametrize("control", [None, "reset"])
def test_a_what_if_without_a_change_is_the_run(control):
    model = small()
    trace = record(model, IDS[0], detail="thin", control=control, spans=[Span("question", 40, 45)])
    for changed in ([], [Freeze(3)]):
        made = what_if(model, trace, changed)
        names = set(trace.arrays) - {"crc"}
        assert all(np.array_equal(made.arrays[name], trace.arrays[name], equal_nan=True) for name in names)
        assert made.meta["control"] == trace.meta["control"]


def test_an_edited_fact_has_the_answer_that_it_tells(detect):
    noise = "The committee met again and heard eleven witnesses. " * 9
    trace = record(detect, f"{noise}John moved to the hallway. {noise}Where is John?")
    fact = trace.spans[0]
    made = what_if(detect, trace, [Edit(fact["start"], fact["end"], "John moved to the office.")])
    assert made.answer == made.classes[made.meta["label"]] == "office" != trace.answer
    told = made.spans[0]
    assert "".join(made.token_texts(told["start"], told["end"])).strip() == "John moved to the office."
    short = load(DETECT, device="cpu", segment_length=32)
    other = what_if(detect, record(short, f"{noise}John moved to the hallway. Where is John?"), [Reset(2)])
    assert other.meta["segment_length"] == 32 and detect.segment_length == 64


def test_the_command_says_what_became_of_the_answer(tmp_path, rmt_command):
    trace, out = ROOT / "assets" / "traces" / "detect.trace.safetensors", tmp_path / "made.trace.safetensors"
    _, printed, error = rmt_command("what-if", DETECT, trace, "--change", "reset@9", "--out", out, "--json")
    told = json.loads(printed)
    assert told["changes"] == "reset@9" and told["first"] == 8 and told["answer"][0] == "bathroom", error
    assert validate(out) == [] and told["answer"][2] != "bathroom"
    for wrong, why in (("reset@0", "is no change"), ("reset@99", "12 segments"), ("transplant:x@3", "no run “x”")):
        code, _, error = rmt_command("what-if", DETECT, trace, "--change", wrong)
        assert code == 2 and why in error and "Traceback" not in error


@pytest.mark.parametrize(
    ("change", "right"),
    [
        ("edit:{first}-{last}:{name} went to the garden.", "garden"),
        ("edit:{before}-{last}:. {name} went to the garden.", "garden"),
        ("edit:{first}-{last}:{name} stayed where it was warm.", None),
        ("edit:{place}-{place}:garden", "garden"),
        ("delete:{first}-{last}", ...),
    ],
)
def test_an_edited_move_changes_what_is_right_about_that_person_alone(change, right):
    """Everybody else's truth stays, and who is edited is held against the new text, or against nothing where it may say
    anything."""
    model = untrained(ROOT / "assets" / "checkpoints" / "qa1", seed=0)
    ids, known = fresh_sample(model, "qa1", 4, seed=3)
    run = record(model, ids, **known)
    names = [question["name"] for question in run.questions]
    facts = [span for span in run.spans if span["kind"] == "fact"]
    texts = ["".join(run.token_texts(span["start"], span["end"])).strip() for span in facts]
    who = texts[-1].split()[0]
    span, q = facts[-1], names.index(who)
    at = {
        "first": span["start"] + 1,
        "last": span["end"],
        "before": span["start"],
        "place": span["end"] - 1,
        "name": who,
    }
    made = what_if(model, run, change.format(**at))
    others = [i for i in range(len(names)) if i != q]
    now = made.arrays["truths"][-1]
    assert (now[others] == run.arrays["truths"][-1][others]).all()
    if right is ...:
        earlier = [text.split()[-1].rstrip(".") for text in texts[:-1] if text.startswith(who)]
        right = earlier[-1] if earlier else "never mentioned"
    assert (None if now[q] < 0 else run.classes[now[q]]) == right
