"""Slots as words: by a language model's own head, or as the nearest embeddings."""

import numpy as np
import pytest
import torch
from families import ALL, DECODERS, EAGER_DECODERS, ENCODERS, make

from rmt.backbone import HFBackbone
from rmt.errors import InputError
from rmt.memory.recurrent import RecurrentMemory
from rmt.model import Model
from rmt.model.readout import read_slots


def model(name: str, head: str | None = None) -> Model:
    backbone = HFBackbone(make(name, head=head, dtype=torch.float64), cls_id=1, sep_id=2)
    return Model(backbone, RecurrentMemory(backbone.dim, 3).double(), segment_length=8)


@pytest.mark.parametrize("name", DECODERS | EAGER_DECODERS)
def test_a_language_models_head_reads_a_state_as_it_reads_its_own_output(name):
    reader = model(name)
    ids = torch.arange(6)[None]
    with torch.inference_mode():
        output = reader.backbone.model(input_ids=ids, output_hidden_states=True)
        last = reader.backbone.trunk(input_ids=ids).last_hidden_state[0]
        torch.testing.assert_close(reader.backbone.unembed(last), output.logits[0])
    found = read_slots(reader, np.zeros((6, reader.backbone.dim)), last.numpy(), k=4)
    probabilities = output.logits[0].double().softmax(-1)
    torch.testing.assert_close(found.score, probabilities.topk(4).values)
    assert found.by == "head" and found.texts[0][0] == f"[{int(found.ids[0, 0])}]"


@pytest.mark.parametrize("name", ENCODERS)
def test_an_embedding_is_nearest_to_itself(name):
    reader = model(name)
    table = reader.backbone.model.get_input_embeddings().weight.detach().numpy()
    found = read_slots(reader, 2 * table[[5, 9]], 3 * table[[7, 9]], k=3)
    assert found.by == "embeddings" and found.ids[:, 0].tolist() == [7, 9]
    torch.testing.assert_close(found.score[:, 0], torch.ones(2, dtype=torch.float64))
    assert found.rank[1, 0] == 0 and found.rank[0, 0] > 0, "9 was nearest before, 7 was not"
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    np.testing.assert_allclose(found.before[0], (unit @ unit[5])[found.ids[0]], atol=1e-12)


def test_ranks_count_the_words_that_were_nearer():
    reader = model("bert")
    before, after = np.random.default_rng(0).normal(size=(2, 3, reader.backbone.dim))
    found = read_slots(reader, before, after)
    was = read_slots(reader, after, before, k=ALL["bert"].vocab_size)
    for slot in range(3):
        order = was.ids[slot].tolist()
        assert [order.index(i) for i in found.ids[slot].tolist()] == found.rank[slot].tolist()


def test_states_of_another_kind_are_refused():
    with pytest.raises(InputError, match="no head can read it"):
        read_slots(model("bert"), np.zeros((2, 5)), np.zeros((2, 5)))
