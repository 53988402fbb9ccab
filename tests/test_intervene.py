"""What if: identities to the bit, only what comes after a change is read again, and nothing changes the original."""

import subprocess
import sys

import pytest
import torch
from readings import IDS, KINDS, ROOT, SOME, same, small, tensors

from rmt.errors import InputError
from rmt.intervene import changes, read, recalled
from rmt.intervene import reading as intervene
from rmt.intervene.changes import END, Ablate, Block, Edit, Freeze, Move, Noise, Reset, Transplant, parse, valid, write
from rmt.recorder import record

LINK = (
    "reset@4;reset@4-6/1,2;freeze@4-9/3;hold@4-;noise:0.5:7@4;ablate:mean@4/1;transplant:a%3Ab:9@4;"
    "block:read:2.1@4-;block:write:*.*@3;edit:41-47:Mary+went,+100%25+sure.;delete:41-47;insert:41:a%40b;move:41-47:120"
)


@pytest.fixture(params=[(*kind, cell) for kind in KINDS for cell in SOME], ids=lambda p: "-".join(p))
def model(request):
    return small(*request.param)


# Changes as values and as text.


def test_every_kind_of_change_is_in_the_text_form():
    kinds = {kind for kind in vars(changes).values() if isinstance(kind, type) and issubclass(kind, changes.Timed)}
    assert kinds - {changes.Timed} <= {type(change) for change in parse(LINK)}


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
    code = "import sys, rmt.intervene.changes; rmt.intervene.changes.parse('reset@4'); print('torch' in sys.modules)"
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
