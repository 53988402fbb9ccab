"""kNN-LM, retrieved passages and interpolated positions are what their papers say, exact in float64 on tiny models."""

import pytest
import torch
from families import make
from foreign import tiny
from readers import IDS, LENGTH, Rotary, close, reader, stock

from rmt.errors import InputError
from rmt.memory.bm25 import BM25
from rmt.memory.numbers import number, written
from rmt.memory.passages import Text
from rmt.text.segments import Segment

LLAMA = "llama_gqa"
# What bm25s 0.3.16 (method="lucene", k1=1.5, b=0.75) gives the passages of four ids for the last four as the query.
WORDS = [8, 6, 6, 8, 5, 7, 7, 2, 1, 3, 3, 7, 8, 1, 4, 7, 2, 7, 1, 4, 7, 3, 3, 3, 6, 3, 8, 4, 4, 5, 5, 5]
BM25S = [0.0, 2.008772, 0.0, 0.330671, 0.330671, 0.0, 0.330671]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_numbers_in_a_state_are_exact(dtype):
    numbers = torch.tensor([0, 1, 255, 256, 65_535, 65_536, 250_001, 256**3 - 1])
    digits = written(numbers, dtype)
    assert torch.equal(number(digits), numbers) and not digits[0].any() and (digits < 1).all()


# -- kNN-LM


def by_hand(model, share, top, temperature):
    """log p of every token's follower, from hidden states and a list of (key, word) of all segments before."""
    alone, store, rows = reader(LLAMA, "none", 0), [], []
    for a in range(0, 29, LENGTH):
        ids = IDS[0, a : a + LENGTH]
        step, _ = alone.cell.step(alone.backbone, Segment(ids[None]), alone.cell.initial(1))
        hidden = step.output.hidden[0]
        keys = hidden / hidden.std(-1, keepdim=True)
        if store:
            store[-1] = (store[-1][0], ids[0])
        for key, logits in zip(keys, step.logits[0], strict=True):
            p = logits.softmax(-1)
            near = sorted(((((key - k) ** 2).sum() / temperature, w) for k, w in store), key=lambda pair: pair[0])[:top]
            if near:
                weights = (-torch.stack([d for d, _ in near])).softmax(0)
                p = (1 - share) * p
                for weight, (_, word) in zip(weights, near, strict=True):
                    p[word] += share * weight
            rows.append(p.log())
        store += [(key, None if i + 1 == len(ids) else ids[i + 1]) for i, key in enumerate(keys)]
    return torch.stack(rows)


@pytest.mark.parametrize("top", [3, 64])
def test_knn_lm_mixes_the_words_after_the_nearest_states(top):
    options = {"share": 0.3, "temperature": 7.0, "top": top}
    model = reader(LLAMA, "knn-lm", 24, **options)
    logits = model(IDS[:1]).logits[0].log_softmax(-1)
    expected = by_hand(model, **options)
    assert close(logits, expected)
    loss = model(IDS[:1], labels=IDS[:1]).loss
    assert close(loss, -expected[:-1].gather(1, IDS[0, 1:, None]).mean()), "token by token at the head, too"


def test_what_is_said_again_is_copied_from_far_back_by_a_model_that_learned_nothing():
    model = reader(LLAMA, "knn-lm", 64, share=0.9, top=1)
    quoted = torch.tensor([[50, 7, 31, 12, 44, 9, 27, 18]])
    ids = torch.cat([quoted, IDS[:1, :24], quoted], dim=1)
    right = (model(ids).logits[:, 32:-1].argmax(-1) == quoted[:, 1:]).double().mean()
    alone = (model(quoted).logits[:, :-1].argmax(-1) == quoted[:, 1:]).double().mean()
    assert right == 1 and alone < 0.3, "three segments later, and with an empty store"


def test_a_store_forgets_its_oldest_entries_and_none_is_no_store():
    small, alone = reader(LLAMA, "knn-lm", 8, share=0.5), reader(LLAMA, "none", 0)
    first = small(IDS[:, :16]).state
    later = small(IDS[:, 8:16]).state
    assert close(first, later), "the hidden states of a segment depend on it alone"
    assert close(small(IDS[:, :8]).logits, alone(IDS[:, :8]).logits)


def test_knn_lm_wants_a_language_model_and_a_share():
    with pytest.raises(InputError, match="next words"):
        tiny("llama", "knn-lm", head="classify")
    with pytest.raises(InputError, match="share"):
        tiny("llama", "knn-lm", share=1.0)


# -- passages


def state_of(ids, n):
    """The state of passages after a text of ids, with room for n tokens."""
    ids = torch.tensor(ids)
    rows = torch.cat([written(ids, torch.float64), written(torch.arange(1, len(ids) + 1), torch.float64)], dim=-1)
    return torch.cat([torch.zeros(max(0, n - len(ids)), 6, dtype=torch.float64), rows])[-n:][None]


@pytest.mark.parametrize("room", [32, 40, 30])
def test_bm25_scores_are_those_of_bm25s(room):
    """With room for 30 the first passage is cut, so it is none, and idf counts the others: computed by hand then."""
    cell = BM25(8, room, passage=4, top=2)
    text = Text(state_of(WORDS, room), 4, 4)
    scores = cell.scores(None, None, text)[text.whole]
    expected = torch.tensor(BM25S).masked_fill(torch.tensor(BM25S) == 0, -torch.inf)
    if room == 30:
        assert len(scores) == 6 and scores[0] > scores[2] == scores[3] == scores[5] > -torch.inf
    else:
        assert torch.allclose(scores.float(), expected, atol=1e-5)


def test_the_best_passages_stand_before_the_segment_in_the_order_of_the_text():
    """The text says "3 4" again and asks with it: the passage with both words is read, then that with one."""
    model = reader(LLAMA, "bm25", 24, passage=4, top=2)
    text = [9, 10, 11, 4, 3, 4, 5, 6, 12, 13, 14, 15, 21, 22, 3, 4]  # the query is its last four tokens
    ids = torch.tensor([text])
    segment = torch.arange(30, 38)[None]
    logits = model(segment, state=model(ids).state).logits
    both = torch.cat([ids[:, 0:4], ids[:, 4:8], segment], dim=1)
    assert close(logits, stock(model, both)[:, 8:])
    one = reader(LLAMA, "bm25", 24, passage=4, top=1)
    assert close(one(segment, state=one(ids).state).logits, stock(one, both[:, 4:])[:, 4:])


def test_a_passage_without_a_word_of_the_query_is_not_read():
    model, alone = reader(LLAMA, "bm25", 24, passage=4), reader(LLAMA, "none", 0)
    ids = torch.arange(3, 3 + 24)[None]
    assert close(model(ids).logits, alone(ids).logits)


def test_no_choice_tells_a_language_model_what_its_segment_will_say():
    model, other = reader(LLAMA, "bm25", 24, passage=4), IDS.clone()
    other[:, 20:24] = 5
    assert close(model(IDS).logits[:, :20], model(other).logits[:, :20])


def test_a_classifier_asks_with_its_segment():
    model = tiny("llama", "bm25", head="classify", n_memory=24, passage=4, top=1).double()
    ids = torch.tensor([[9, 10, 11, 4, 3, 7, 5, 6, 12, 13, 14, 15, 21, 22, 23, 24]])
    question = torch.tensor([[7, 3]])
    logits = model(question, state=model(ids).state).logits
    assert torch.allclose(logits, model(torch.cat([ids[:, 4:8], question], 1), state=model.cell.initial(1)).logits)


def test_dense_retrieval_takes_the_passage_whose_states_are_most_alike():
    model = reader(LLAMA, "dense", 24, passage=4, top=1)
    state = model(IDS[:, :16]).state
    hidden = state[:, 8:, 6:].unflatten(1, (4, 4)).mean(2)  # (B, 4, D): of four passages, the last of them the query
    best = torch.nn.functional.cosine_similarity(hidden[:, :3], hidden[:, 3:], dim=-1).argmax(1)
    logits = model(IDS[:, 16:24], state=state).logits
    for row, passage in enumerate(best.tolist()):
        together = torch.cat([IDS[row, 4 * passage : 4 * passage + 4], IDS[row, 16:24]])[None]
        assert close(logits[row : row + 1], stock(model, together)[:, 4:])


def test_padding_is_in_no_passage():
    model = reader(LLAMA, "bm25", 24, passage=2)
    ids = torch.tensor([[5, 6, 7, 8, 0, 0, 0, 0, 9, 5, 6, 11, 12, 13, 5, 6]])
    mask = ids > 0
    state = model(ids, attention_mask=mask).state
    assert torch.equal(number(state[0, -12:, :3]) - 1, ids[mask]) and not state[0, :12].any()


# -- positions


@pytest.mark.parametrize("factor", [1.0, 2.0, 4.0])
def test_interpolated_positions_are_transformers_own_linear_scaling(factor):
    model, plain = reader(LLAMA, "interpolation", 24, factor=factor), make(LLAMA, dtype=torch.float64)
    config = plain.config
    config.rope_parameters = {**config.rope_parameters, "rope_type": "linear", "factor": factor}
    scaled = type(plain)(config).double().eval().requires_grad_(False)
    scaled.load_state_dict(plain.state_dict())
    scaled.model.rotary_emb = Rotary(scaled.model.rotary_emb)
    assert close(model(IDS).logits, scaled(IDS).logits)
    assert close(model(IDS).logits, reader(LLAMA, "context", 24)(IDS).logits) == (factor == 1)


def test_a_table_of_positions_is_refused_in_a_sentence():
    with pytest.raises(InputError, match="rotary"):
        reader("gpt2", "interpolation", 8)
