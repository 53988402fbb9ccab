"""What every memory mechanism keeps to, on every kind of backbone, exact in float64."""

import pytest
import torch
from foreign import SEGMENT, tiny

from rmt.errors import InputError
from rmt.memory import CELLS, MECHANISMS
from rmt.memory.base import choose, map_state
from rmt.memory.retrieval import RetrievalMemory
from rmt.model.unroll import unroll
from rmt.recorder import record, replay
from rmt.text.segments import Segment

OPTIONS = {
    "armt": {"d_memory": 4},
    "context": {"n_memory": 24},
    "sliding-window": {"n_memory": 12},
    "reformer": {"n_memory": 24, "n_buckets": 2},
    **{key: {"n_memory": 24} for key in ("memorizing", "longnet", "sparse", "interpolation")},
    "beacon": {"kept": 4},
    "landmark": {"n_memory": 27},
    "longformer": {"n_memory": 24, "window": 25},
    "bigbird": {"n_memory": 24, "block": 8, "n_random": 2},
    "knn-lm": {"n_memory": 24, "top": 4},
    **{key: {"n_memory": 24, "passage": 2, "top": 2} for key in ("bm25", "dense")},
}
KINDS = {
    "gpt2": ("gpt2", "lm"),
    "llama": ("llama", "lm"),
    "llama-classifier": ("llama", "classify"),
    "bert": ("bert", "classify"),
}
RECORDS = MECHANISMS.values()
DECODER = [record.kind for record in RECORDS if not record.encoder]  # they have no form for an encoder
ALONE = [record.kind for record in RECORDS if not record.carries]  # nothing crosses a boundary
NO_GRADIENT = [record.kind for record in RECORDS if not (record.carries and record.gradient)]  # and here no gradient
REACH = {"gist": 2}  # segments that a gradient moves through where a layer hands it to the next, one a segment
IDS = torch.arange(2 * 29).reshape(2, 29) % 11 + 3  # three whole segments and a short one; words come again


@pytest.fixture(params=CELLS)
def cell(request):
    return request.param


@pytest.fixture(params=KINDS)
def model(request, cell):
    family, head = KINDS[request.param]
    if family == "bert" and cell in DECODER:
        pytest.skip("reads with a decoder only")
    record = MECHANISMS[cell]
    if (head == "classify" and not record.classifier) or (family == "gpt2" and not record.table):
        pytest.skip("reads with another kind of decoder")
    if record.backbone and request.param != "llama":
        pytest.skip("is a backbone of its own")
    return tiny(family, cell, head=head, **OPTIONS.get(cell, {})).double()


def states(model, ids=IDS):
    """Every state of a run, the initial one first."""
    state = model.cell.initial(len(ids))
    return [state, *(after for _, _, after in unroll(model.cell, model.backbone, model.split(ids), state=state))]


def leaves(state):
    found = []
    map_state(lambda tensor: found.append(tensor) or tensor, state)
    return found


def test_shapes(model):
    output = model(IDS)
    n_slots, width = model.cell.slots(model.cell.initial(2)).shape[1:]
    assert output.memory.shape == (2, 5, n_slots, width)
    wide = (2, 2) if model.backbone.head == "classify" else (2, 29, 50)
    assert output.logits.shape == wide and output.logits.isfinite().all()


def test_the_layout_is_where_memory_is(model):
    segment = Segment(IDS[:, :SEGMENT])
    step, _ = model.cell.step(model.backbone, segment, model.cell.initial(2))
    layout, n = step.layout, step.output.hidden.shape[1]
    taken = {name: range(n)[getattr(layout, name)] for name in ("tokens", "read", "write")}
    assert len(taken["tokens"]) == SEGMENT and n == SEGMENT + model.cell.room(model.backbone.causal)
    if model.backbone.causal:
        assert (len(taken["read"]), len(taken["write"])) == (model.cell.n_read, model.cell.n_write)
        assert sorted([*taken["tokens"], *taken["read"], *taken["write"]]) == list(range(n))


def test_the_same_document_twice_gives_the_same_logits(model):
    assert torch.equal(model(IDS).logits, model(IDS).logits)


def test_the_state_is_all_that_crosses_a_boundary(model, cell):
    """From the state after two segments the rest reads as in the whole document, and from another it does not."""
    rest = IDS[:, 2 * SEGMENT :]
    whole, middle = model(IDS), states(model)[2]
    later = model(rest, state=middle)
    expected = whole.logits if model.backbone.head == "classify" else whole.logits[:, 2 * SEGMENT :]
    assert torch.equal(later.logits, expected)
    fresh = model(rest, state=model.cell.initial(2)).logits
    assert torch.equal(fresh, expected) == (cell in ALONE)


def test_slots_hold_the_whole_state(model):
    """A trace keeps slots and nothing else: from them every state comes back bit for bit."""
    run = states(model)
    memory = torch.stack([model.cell.slots(state) for state in run], dim=1)  # (B, S + 1, M, D')
    for i, state in enumerate(run):
        back = model.cell.restore(memory[:, : i + 1] if model.cell.past else memory[:, i])
        assert [t.shape for t in leaves(back)] == [t.shape for t in leaves(state)]
        assert all(torch.equal(a, b) for a, b in zip(leaves(back), leaves(state), strict=True))


def test_states_are_chosen_row_by_row(model):
    before, after = states(model)[1], states(model, IDS.flip(0))[1]
    mixed = choose(torch.tensor([True, False]), before, after)
    for a, b, c in zip(leaves(mixed), leaves(before), leaves(after), strict=True):
        assert torch.equal(a[0], b[0]) and torch.equal(a[1], c[1])


@pytest.mark.parametrize("bptt_unroll", [1, 3])
def test_the_gradient_crosses_bptt_unroll_less_one_boundaries(model, cell, bptt_unroll):
    """The last segment's loss moves with the words of the segments in its window, and of none before it."""
    heard = []

    def embed(ids):
        heard.append(torch.nn.functional.embedding(ids, words).requires_grad_())
        return heard[-1]

    words, whole = model.backbone.model.get_input_embeddings().weight.detach(), []
    model.backbone.embed = embed
    try:
        steps = unroll(model.cell, model.backbone, model.split(IDS), bptt_unroll=bptt_unroll)
        for _segment, last, _state in steps:  # noqa: B007
            whole.append(max(heard, key=lambda x: x.shape[1]))  # an encoder embeds its marks too
            heard.clear()
        last.output.hidden.square().sum().backward()
    finally:
        del model.backbone.embed
    moved = [x.grad is not None and bool(x.grad.any()) for x in whole]
    reach = 1 if cell in NO_GRADIENT else min(bptt_unroll, REACH.get(cell, bptt_unroll))
    assert moved == [i >= 4 - reach for i in range(4)]


@pytest.mark.parametrize("ids", [IDS[:1], IDS[:1, :5]], ids=["short last segment", "one short segment"])
def test_recorded_and_replayed_bit_for_bit(model, ids):
    trace = record(model, ids[0], detail="thin")
    for i in range(len(trace.segments)):
        again, recorded = replay(model, trace, i), trace.segments[i]
        assert (again.memory == recorded.memory).all()
        if model.backbone.recurrent:
            assert recorded.mass is None and again.attention is None and trace.meta["detail"] == "memory"
            continue
        assert again.mass.shape == recorded.mass.shape and abs(again.mass - recorded.mass).max() < 1e-5
        assert again.attention.shape[0] == model.backbone.n_layers
    whole = model(ids)
    assert torch.equal(torch.tensor(trace.memory.copy()), whole.memory[0].detach())
    last = torch.tensor(again.logits)
    expected = whole.logits[0] if model.backbone.head == "classify" else whole.logits[0, -len(last) :]
    assert torch.allclose(last, expected, atol=1e-12)


def test_padding_of_an_encoder_changes_nothing(cell):
    """Rows of unequal length in one batch read as each alone; a segment without tokens leaves the state as it was."""
    if cell in DECODER:
        pytest.skip("reads with a decoder only")
    model = tiny("bert", cell, **OPTIONS.get(cell, {})).double()
    mask = torch.ones_like(IDS, dtype=torch.bool)
    mask[1, 13:] = False
    if cell == "rmt-r":  # which would look back at segments that one row has and the other has not
        with pytest.raises(InputError, match="one at a time"):
            model(IDS, attention_mask=mask)
        return
    together = model(IDS, attention_mask=mask)
    for row, n in enumerate((29, 13)):
        alone = model(IDS[row : row + 1, :n])
        assert torch.allclose(together.logits[row], alone.logits[0], atol=1e-12)
        assert torch.allclose(together.memory[row, -1], alone.memory[0, -1], atol=1e-12)
    first = model.cell.initial(2)
    empty = Segment(IDS[:, :4], mask=torch.tensor([[True] * 4, [False] * 4]))
    _, after = model.cell.step(model.backbone, empty, first)
    for a, b in zip(leaves(after), leaves(first), strict=True):
        assert torch.equal(a[1], b[1]) and (cell in ALONE or not torch.equal(a[0], b[0]))


def test_around_layers_leaves_no_hook_behind():
    model = tiny(cell="armt", d_memory=4)
    plain = tiny(cell="none").backbone.model
    plain.load_state_dict(model.backbone.model.state_dict())
    model(IDS)
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in model.backbone.layers)
    with pytest.raises(ZeroDivisionError), model.backbone.around_layers(lambda i, x: 1 / 0, lambda i, x: None):
        model(IDS)
    assert torch.equal(model.backbone.model(IDS).logits, plain(IDS).logits)


def test_rmt_may_read_its_state_as_words():
    """What is read is the mean embedding under the head; what is carried is the hidden state, as ever."""
    raw, read = (tiny("llama", **options).double() for options in ({}, {"as_words": True}))
    state = torch.randn(2, 3, raw.backbone.dim, dtype=torch.float64)
    table, head = raw.backbone.embed(torch.arange(50)), raw.backbone.model.lm_head
    mean = head(state).softmax(-1) @ table
    first = IDS[:, :SEGMENT]
    ours, by_hand = read(first, state=state), raw(first, state=mean)
    assert torch.allclose(ours.logits, by_hand.logits, atol=1e-12)
    assert torch.allclose(ours.state, by_hand.state, atol=1e-12)
    again = replay(read, record(read, IDS[0], detail="thin"), 2)
    assert torch.allclose(torch.tensor(again.logits), read(IDS[:1]).logits[0, 2 * SEGMENT : 3 * SEGMENT], atol=1e-12)


def test_only_a_language_model_reads_memory_as_words():
    with pytest.raises(InputError, match="head of a causal language model"):
        tiny("bert", as_words=True)


def test_an_armt_whose_values_are_zero_is_its_backbone_without_memory():
    """As the reference initialises it: whatever was written, tokens read nothing."""
    model = tiny(cell="armt", d_memory=4, n_memory=3).double()
    for value in model.cell.value:
        value.weight.zero_()
    output = model(IDS)
    alone = torch.cat([model.backbone.model(segment.ids).logits for segment in model.split(IDS)], dim=1)
    assert torch.allclose(output.logits, alone, atol=1e-12)


def test_rmt_r_finds_the_same_whatever_came_between_when_it_takes_the_best():
    """top_1 reads the one best token, so a worse one in the past changes nothing, and a better one does."""
    cell = RetrievalMemory(16, 2, retrieve="top_1").double()
    past = torch.randn(1, 8, 16, dtype=torch.float64)
    latest = past[:, -2:]
    scores = cell.query(cell.norm_state(latest)) @ cell.key(cell.norm_past(past)).transpose(1, 2)  # (1, 2, 8)
    best, worst = scores.argmax(-1), scores.amax(1).argmin(-1).item()
    kept = [i for i in range(8) if i != worst]
    assert worst not in best
    assert torch.allclose(cell.look_back(latest, past), cell.look_back(latest, past[:, kept]), atol=1e-12)
    lost = [i for i in range(8) if i != best[0, 0]]
    assert not torch.allclose(cell.look_back(latest, past), cell.look_back(latest, past[:, lost]), atol=1e-3)
