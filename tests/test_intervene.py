"""What if: identities to the bit, only what comes after a change is read again, and nothing changes the original."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign import tiny

from rmt import changes, effects, intervene
from rmt.changes import END, Ablate, Block, Edit, Freeze, Move, Noise, Reset, Transplant, parse, valid, write
from rmt.checkpoint import load
from rmt.errors import InputError
from rmt.intervene import ask, read, recalled
from rmt.memory import CELLS
from rmt.memory.base import map_state
from rmt.paths import Blocking
from rmt.recorder import Recorder, record
from rmt.retell import retell
from rmt.rewrite import carried, edited
from rmt.samples import usual
from rmt.segments import Segment
from rmt.tasks.base import Span
from rmt.trace import validate

ROOT = Path(__file__).parent.parent
DETECT = ROOT / "assets" / "checkpoints" / "detect"
IDS = (torch.arange(45) * 7 % 47 + 3)[None]  # five whole segments and a short one
OPTIONS = {"armt": {"d_memory": 4}}
KINDS = [("gpt2", "lm"), ("llama", "classify"), ("bert", "classify")]
SOME = [cell for cell in ("rmt", "rmt-r", "armt") if cell in CELLS]
LINK = (
    "reset@4;reset@4-6/1,2;freeze@4-9/3;hold@4-;noise:0.5:7@4;ablate:mean@4/1;transplant:a%3Ab:9@4;"
    "block:read:2.1@4-;block:write:*.*@3;edit:41-47:Mary+went,+100%25+sure.;delete:41-47;insert:41:a%40b;move:41-47:120"
)


def small(family="bert", head="classify", cell="rmt"):
    return tiny(family, cell, head=head, **OPTIONS.get(cell, {})).double().eval()


@pytest.fixture(params=[(*kind, cell) for kind in KINDS for cell in SOME], ids=lambda p: "-".join(p))
def model(request):
    return small(*request.param)


def tensors(state) -> list[torch.Tensor]:
    found = []
    map_state(lambda t: found.append(t) or t, state)
    return found


def same(a: intervene.Reading, b: intervene.Reading) -> bool:
    """Whether two readings are the same to the bit."""
    pairs = zip(a.states, b.states, strict=True)
    answers = (a.probabilities is None) == (b.probabilities is None)
    if answers and a.probabilities is not None:
        answers = torch.equal(a.probabilities, b.probabilities)
    states = all(torch.equal(x, y) for s, t in pairs for x, y in zip(tensors(s), tensors(t), strict=True))
    return answers and states and torch.equal(a.loss.nan_to_num(), b.loss.nan_to_num())


# Changes as values and as text.


def test_changes_are_written_and_read_back():
    assert write(parse(LINK)) == LINK and valid(LINK) == LINK and parse("") == ()
    assert parse(" reset@4 ;") == (Reset(3),)
    assert parse("freeze@2-/1")[0] == Freeze(1, END, (0,)) and parse("hold@2")[0].own
    assert parse("transplant:x:1@2")[0] == Transplant(1, donor="x", at=0)
    assert parse("block:read:*.2@1")[0] == Block(0, layer=None, head=1)
    assert parse("insert:41:;")[0] == Edit(40, 40, "")


@pytest.mark.parametrize(
    "text",
    [
        "reset@0", "reset@6-4", "reset", "foo@3", "noise:-1:2@3", "noise:1e9:2@3", "ablate:none@1", "block:all:1.1@1",
        "edit:5-2:x", "edit:5:x", "insert:4", "delete:1", "delete:1-2:x", "move:1-2:x", "reset@4/0", "reset@1/",
        "reset@99999999999", "<script>@1", "edit:1-2:" + "x" * 4001, "x" * 10_000, ";".join(["reset@1"] * 65),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_a_sentence(text):
    assert valid(text) is None
    with pytest.raises(InputError) as told:
        parse(text)
    assert len(str(told.value)) < 250


def test_links_are_read_without_torch():
    code = "import sys, rmt.changes; rmt.changes.parse('reset@4'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Identities, to the bit.


def test_a_reading_is_what_the_model_does(model):
    reading, plain = read(model, IDS), model(IDS, labels=IDS if model.backbone.head == "lm" else None)
    slots = torch.stack([model.cell.slots(state) for state in reading.states], dim=1)
    assert torch.equal(slots, plain.memory)
    if model.backbone.head == "classify":
        assert torch.equal(reading.probabilities, plain.logits.float().softmax(-1))
    else:
        assert torch.allclose(reading.loss.nanmean(), plain.loss)


@pytest.mark.parametrize(
    "link",
    [
        "",
        "hold@2-",
        "hold@2-5/1,2",
        "freeze@3",
        "freeze@3/2",
        "transplant:own@3",
        "transplant:own:3@3/1",
        "noise:0:1@3",
    ],
)
def test_changes_that_change_nothing_are_the_run(model, link):
    reading = read(model, IDS)
    other = intervene.intervene(model, reading, parse(link), donors={"own": reading})
    assert same(reading, other)


def test_an_edit_to_the_same_text_and_a_move_to_its_own_place_are_the_run(model):
    reading = read(model, IDS)
    other = intervene.intervene(model, reading, [Move(20, 23, 20), Move(30, 33, 33)])
    assert same(reading, other) and other.first == len(reading.segments)


def test_a_recorded_run_is_a_reading_without_being_read(model, monkeypatch):
    trace = record(model, IDS[0])
    monkeypatch.setattr(type(model.cell), "step", None)
    kept = recalled(model, trace)
    monkeypatch.undo()
    fresh = read(model, IDS)
    assert all(
        torch.equal(x, y)
        for s, t in zip(kept.states, fresh.states, strict=True)
        for x, y in zip(tensors(s), tensors(t), strict=True)
    )
    assert (
        same(
            intervene.intervene(model, kept, parse("reset@3;noise:0.3:1@5/2")),
            intervene.intervene(model, fresh, parse("reset@3;noise:0.3:1@5/2")),
        )
        or model.backbone.head == "lm"
    )  # a trace keeps loss in float32


def test_a_trace_of_other_weights_is_refused():
    with pytest.raises(InputError, match="other weights"):
        recalled(small("gpt2", "lm"), record(small("gpt2", "lm", "armt"), IDS[0]))


# What changes do.


def test_a_change_reads_only_what_comes_after_it(model, monkeypatch):
    reading, read_again = read(model, IDS), []
    step = type(model.cell).step
    monkeypatch.setattr(type(model.cell), "step", lambda *a: read_again.append(a[2]) or step(*a))
    seen = []
    for s in range(1, 6):
        read_again.clear()
        other = intervene.intervene(model, reading, [Noise(s)], progress=lambda *p: seen.append(p))
        assert len(read_again) == 6 - s == len(reading.segments) - other.first
        assert all(a is b for a, b in zip(other.states[:s], reading.states[:s], strict=True))
        assert not torch.equal(model.cell.slots(other.states[s + 1]), model.cell.slots(reading.states[s + 1]))
    assert seen[:5] == [(i, 5) for i in range(1, 6)]


def test_the_original_is_never_changed(model):
    reading = read(model, IDS)
    before = [[t.clone() for t in tensors(state)] for state in reading.states]
    intervene.intervene(model, reading, parse("noise:3:1@2-;ablate:zero@3-4/2;reset@5;freeze@6/1;delete:9-12"))
    assert all(
        torch.equal(x, y)
        for s, old in zip(reading.states, before, strict=True)
        for x, y in zip(tensors(s), old, strict=True)
    )


def test_a_reset_forgets_all_that_came_before(model):
    other = intervene.intervene(model, read(model, IDS), [Reset(3)])
    alone = read(model, IDS[:, 24:])
    assert torch.equal(model.cell.slots(other.states[-1]), model.cell.slots(alone.states[-1]))


def test_slots_become_what_was_asked_for():
    model = small()
    reading, slots = read(model, IDS), []
    spy = lambda i, state: slots.append(model.cell.slots(state)) or state  # noqa: E731
    go = intervene._go
    try:
        intervene._go = lambda m, start, before, *rest: go(m, start, lambda i, s: spy(i, before(i, s)), *rest)
        for link in ("ablate:zero@3/2", "ablate:initial@3/2", "ablate:mean@3/2", "freeze@3-5/2", "hold@3-5/2"):
            intervene.intervene(model, reading, parse(link), means=torch.full((7, 3, 16), 5.0))
    finally:
        intervene._go = go
    of = [run[:, 1] for run in slots]
    first, own = reading.states[0][:, 1], [state[:, 1] for state in reading.states]
    assert not of[0].any() and torch.equal(of[4], first) and (of[8] == 5).all()
    assert torch.equal(of[12], own[2]) and torch.equal(of[13], own[2]) and torch.equal(of[14], own[2])
    assert not torch.equal(of[15], own[2])
    assert torch.equal(of[16], own[2]) and torch.equal(of[17], own[3]) and torch.equal(of[18], own[4])
    assert torch.equal(slots[0][:, 0], reading.states[2][:, 0]), "other slots stay"


def test_noise_is_as_large_as_asked_and_the_same_each_time():
    model = small()
    reading = read(model, IDS)
    a, b, c = (intervene.intervene(model, reading, parse(f"noise:0.1:{seed}@4")) for seed in (1, 1, 2))
    assert same(a, b) and not same(a, c)


def test_changes_compose_in_their_order():
    model = small()
    reading = read(model, IDS)
    both = intervene.intervene(model, reading, parse("ablate:zero@4;noise:1:3@4"))
    assert same(both, intervene.intervene(model, reading, parse("ablate:zero@4"))), "noise is relative to a slot's size"
    assert not same(both, intervene.intervene(model, reading, parse("noise:1:3@4")))
    whole = intervene.intervene(model, reading, parse("ablate:zero@4/1;ablate:zero@4/2,3"))
    assert same(whole, both)


def test_a_transplant_takes_over_another_run():
    model = small()
    other = read(model, IDS.flip(1))
    made = intervene.intervene(model, read(model, IDS), [Transplant(4, donor="b", at=2)], donors={"b": other})
    asked = model(IDS[:, 32:], state=other.states[2])
    assert torch.equal(made.states[-1], asked.state)
    with pytest.raises(InputError, match="no run “c”"):
        intervene.intervene(model, other, [Transplant(4, donor="c")], donors={"b": other})
    with pytest.raises(InputError, match="6 boundaries, not 10"):
        intervene.intervene(model, other, [Transplant(4, donor="b", at=9)], donors={"b": other})


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("reset@7", "6 segments"), ("reset@2/4", "3 slots"), ("block:read:3.1@2", "2 layers"),
        ("block:read:1.3@2", "2 heads"),
        ("delete:40-46", "45 tokens"), ("delete:1-45", "Nothing would be left"),
        ("delete:3-6;delete:5-8", "same tokens"),
        ("edit:3-4:x", "no tokenizer"), ("ablate:mean@2", "other runs"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_run_is_refused(link, told):
    model = small()
    with pytest.raises(InputError, match=told):
        intervene.intervene(model, read(model, IDS), parse(link))


def test_a_memory_without_slots_has_nothing_to_change():
    model = small(cell="none")
    with pytest.raises(InputError, match="0 slots"):
        intervene.intervene(model, read(model, IDS), [Ablate(2, to="zero")])


# Text.


def test_text_is_moved_deleted_and_put_in():
    model, ids = load(DETECT, device="cpu"), np.arange(100, 150)
    new, origin = edited(model, ids, parse("move:11-14:31;delete:21-22;insert:41:Mary;edit:46-47:John"))
    kept = origin >= 0
    assert len(new) == 50 - 2 + 1 - 2 + 1
    assert np.array_equal(new[kept & (origin != 45)], ids[origin[kept & (origin != 45)]])
    assert list(origin[:12]) == [*range(10), 14, 15] and list(origin[24:28]) == [10, 11, 12, 13]
    assert model.tokenizer.decode(new[origin == -1]).strip() == "Mary"
    assert model.tokenizer.decode(new[origin == 45]).strip() == "John"
    spans = [
        {"kind": "fact", "start": 10, "end": 14},
        {"kind": "x", "start": 20, "end": 22},
        {"kind": "q", "start": 45, "end": 48},
    ]
    at = carried(spans, origin)
    assert [span["kind"] for span in at] == ["fact", "q"]
    assert np.array_equal(new[at[0]["start"] : at[0]["end"]], ids[10:14])
    assert at[1] == {"kind": "q", "start": 44, "end": 46}


def test_text_edits_read_from_the_first_segment_that_differs():
    model = small()
    reading = read(model, IDS)
    other = intervene.intervene(model, reading, [Move(26, 28, 30)])
    assert other.first == 3
    ids = IDS[0].tolist()
    assert same(other, read(model, [*ids[:26], *ids[28:30], *ids[26:28], *ids[30:]]))
    with pytest.raises(InputError, match="one document at a time"):
        intervene.intervene(model, read(model, IDS.expand(2, -1)), [Move(26, 28, 30)])


def test_an_edit_changes_the_label_of_the_token_before_it():
    model = small("gpt2", "lm")
    reading = read(model, IDS)
    other = intervene.intervene(model, reading, [Move(24, 25, 30)])
    ids = IDS[0].tolist()
    expected = read(model, [*ids[:24], *ids[25:30], ids[24], *ids[30:]])
    assert torch.equal(other.loss.nan_to_num(), expected.loss.nan_to_num())


# Paths.


@pytest.mark.parametrize("family", ["gpt2", "llama", "bert"])
def test_a_cut_path_carries_nothing(family):
    model = small(family, "classify")
    segment, state = Segment(IDS[:, :8]), model.cell.initial(1)
    recorder = Recorder(Blocking(model.backbone, parse("block:read:2.1@1;block:write:1.*@1/2")), full=True)
    model.cell.step(recorder, segment, state)
    whole = recorder.all.attention[:, 0]  # (L, H, N, N)
    layout = model.cell.step(model.backbone, segment, state)[0].layout
    read_, write_ = layout.read, layout.write
    assert not whole[1, 0, layout.tokens, read_].any() and whole[1, 1, layout.tokens, read_].any()
    assert not whole[0, :, write_, layout.tokens][:, 1].any() and whole[0, :, write_, layout.tokens][:, 0].any()
    assert torch.allclose(whole.sum(-1), torch.ones(()).double())
    assert torch.allclose(recorder.all.mass.sum(-1), torch.tensor(float(whole.shape[-1])).double(), atol=1e-5)


def test_without_reading_memory_it_does_not_matter():
    model = small("llama", "classify")
    blind = parse("block:read:*.*@4-;block:carry:*.*@4-")
    a = intervene.intervene(model, read(model, IDS), blind)
    b = intervene.intervene(model, read(model, IDS), [*blind, Noise(3, scale=9.0)])
    # Noise still reaches the next state, as write memory begins as a copy of this one; tokens see none of it.
    assert torch.equal(_tokens(model, blind, a.states[3]), _tokens(model, blind, b.states[4]))


def _tokens(model, blocks, state):
    backbone = Blocking(model.backbone, blocks)
    backbone.segment = 3
    step, _ = model.cell.step(backbone, Segment(IDS[:, 24:32]), state)
    return step.output.hidden[:, step.layout.tokens]


def test_a_block_leaves_other_segments_alone_to_the_bit():
    model = small("gpt2", "lm")
    reading = read(model, IDS)
    other = intervene.intervene(model, reading, parse("block:read:1.1@5"))
    cut = slice(32, 40)
    assert torch.equal(other.states[4], reading.states[4])
    assert not torch.equal(other.loss[:, cut], reading.loss[:, cut])
    again = read(model, IDS[:, 40:])
    after = intervene.intervene(model, other, [Reset(5)])
    assert torch.equal(again.loss.nan_to_num(), after.loss[:, 40:].nan_to_num())


def test_a_memory_that_no_attention_reads_has_no_path():
    model = small("gpt2", "lm", "armt")
    with pytest.raises(InputError, match="by attention"):
        intervene.intervene(model, read(model, IDS), parse("block:read:1.1@2"))


# Asking, and effects.


@pytest.mark.parametrize("cell", SOME)
def test_asking_leaves_states_alone_and_is_what_recording_does(cell):
    model = small(cell=cell)
    reading = read(model, IDS)
    asked = ask(model, reading.states, IDS[0, -5:])
    for i, state in enumerate(reading.states):
        assert torch.allclose(asked[0, i], model(IDS[:, -5:], state=state).logits.float().softmax(-1)[0], atol=1e-6)
    two = ask(model, read(model, IDS.expand(2, -1)).states, IDS[:, -5:].expand(2, -1))
    assert torch.allclose(two[1], asked[0], atol=1e-6)


@pytest.mark.parametrize(("family", "head"), KINDS)
def test_the_map_of_effects_is_what_single_interventions_do(family, head):
    model = small(family, head)
    reading = read(model, IDS)
    found = effects.effects(model, reading, to="zero", segments=[3, 5])
    assert found.map.shape == (2, 3) and list(found.segments) == [3, 5]
    for row, s in enumerate((3, 5)):
        for slot in (0, 2):
            alone = intervene.intervene(model, reading, [Ablate(s, slots=(slot,), to="zero")])
            assert found.map[row, slot] == pytest.approx(_fall(reading, alone, s), abs=1e-6)
        alone = intervene.intervene(model, reading, [Ablate(s, to="zero")])
        assert found.whole[row] == pytest.approx(_fall(reading, alone, s), abs=1e-6)
    assert np.abs(found.map).max() > 1e-4


def _fall(reading, other, s) -> float:
    if reading.probabilities is None:
        return float((other.loss - reading.loss)[:, 8 * s :].nanmean())
    k = int(reading.probabilities.argmax())
    return float(reading.probabilities[0, k] - other.probabilities[0, k])


def test_effects_report_progress_and_can_be_stopped():
    model = small()
    reading, seen = read(model, IDS), []
    effects.effects(model, reading, to="zero", progress=lambda *p: seen.append(p))
    assert seen[-1] == (84, 84) and [done for done, _ in seen] == [4, 12, 24, 40, 60, 84]
    with pytest.raises(KeyboardInterrupt):
        effects.effects(model, reading, to="zero", progress=_stop)


def _stop(done, total):
    raise KeyboardInterrupt


# The shipped model.


@pytest.fixture(scope="module")
def detect():
    return load(DETECT, device="cpu")


def test_memory_of_another_run_gives_its_answer(detect):
    score = effects.transplant_score(detect, distance=3, pairs=40)
    assert score["donor"] >= 0.95 and score["receiver"] <= 0.05


def test_without_its_memory_detect_cannot_answer(detect):
    trace_ids = json.loads((DETECT / "config.json").read_text())["segment_length"]
    assert trace_ids == detect.segment_length
    means = usual(detect, 4, samples=8)
    assert means.shape == (5, 8, 128)
    text = (
        "Sandra went to the garden. " + "The committee met again and heard eleven witnesses. " * 25 + "Where is Sandra?"
    )
    reading = recalled(detect, record(detect, text))
    assert detect.about.classes[int(reading.probabilities.argmax())] == "garden"
    found = effects.effects(detect, reading, means=usual(detect, len(reading.segments), samples=8))
    assert found.answer == detect.about.classes.index("garden")
    assert found.whole[-1] > 0.5, "without the whole memory the answer is gone"
    start, end = (int(x) for x in (record(detect, text).spans[0]["start"], record(detect, text).spans[0]["end"]))
    turned = intervene.intervene(detect, reading, [Edit(start, end, "Sandra went to the office.")])
    assert detect.about.classes[int(turned.probabilities.argmax())] == "office"


def test_every_kind_of_change_is_in_the_text_form():
    kinds = {kind for kind in vars(changes).values() if isinstance(kind, type) and issubclass(kind, changes.Timed)}
    assert kinds - {changes.Timed} <= {type(change) for change in parse(LINK)}


# As a recorded run of its own.


@pytest.mark.parametrize("detail", ["memory", "thin"])
@pytest.mark.parametrize(("family", "head"), KINDS)
def test_a_what_if_is_recorded_as_the_run_it_would_have_been(family, head, detail):
    model = small(family, head)
    trace = record(model, IDS[0], detail=detail, spans=[Span("question", 40, 45)] if head == "classify" else [])
    made = retell(model, trace, [Move(20, 22, 26), Noise(4, scale=0.5)])
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
        made = retell(model, trace, changed)
        names = set(trace.arrays) - {"crc"}
        assert all(np.array_equal(made.arrays[name], trace.arrays[name], equal_nan=True) for name in names)
        assert made.meta["control"] == trace.meta["control"]


def test_an_edited_fact_has_the_answer_that_it_tells(detect):
    noise = "The committee met again and heard eleven witnesses. " * 9
    trace = record(detect, f"{noise}John moved to the hallway. {noise}Where is John?")
    fact = trace.spans[0]
    made = retell(detect, trace, [Edit(fact["start"], fact["end"], "John moved to the office.")])
    assert made.answer == made.classes[made.meta["label"]] == "office" != trace.answer
    told = made.spans[0]
    assert "".join(made.token_texts(told["start"], told["end"])).strip() == "John moved to the office."
    short = load(DETECT, device="cpu", segment_length=32)
    other = retell(detect, record(short, f"{noise}John moved to the hallway. Where is John?"), [Reset(2)])
    assert other.meta["segment_length"] == 32 and detect.segment_length == 64


def test_the_command_says_what_became_of_the_answer(tmp_path):
    trace, out = ROOT / "assets" / "traces" / "detect.trace.safetensors", tmp_path / "made.trace.safetensors"
    command = [sys.executable, "-m", "rmt", "what-if", str(DETECT), str(trace)]
    done = subprocess.run(
        [*command, "--change", "reset@9", "--out", str(out), "--json"], cwd=ROOT, capture_output=True, text=True
    )
    told = json.loads(done.stdout)
    assert told["changes"] == "reset@9" and told["first"] == 8 and told["answer"][0] == "bathroom", done.stderr
    assert validate(out) == [] and told["answer"][2] != "bathroom"
    for wrong, why in (("reset@0", "is no change"), ("reset@99", "12 segments"), ("transplant:x@3", "no run “x”")):
        refused = subprocess.run([*command, "--change", wrong], cwd=ROOT, capture_output=True, text=True)
        assert refused.returncode == 2 and why in refused.stderr and "Traceback" not in refused.stderr
