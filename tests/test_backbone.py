"""Heads of stock models, read over a trunk that has already run."""

import pytest
import torch
from families import ALL, CLASSES, DECODERS, EAGER_DECODERS, VOCABULARY, make
from transformers import AutoModel, BertConfig, BertLMHeadModel, T5Config, T5ForConditionalGeneration

from rmt.backbone import HFBackbone, Layout
from rmt.errors import InputError

T = 20
CAUSAL = DECODERS | EAGER_DECODERS
ENCODERS = [name for name in ALL if name not in CAUSAL]
LAYOUT = Layout(slice(3, T - 3), slice(0, 3), slice(T - 3, T))


def embeddings() -> tuple[torch.Tensor, torch.Tensor]:
    """x (2, T, 32) and a mask (2, T) that hides the end of the second sample's tokens."""
    x = torch.randn(2, T, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    mask = torch.ones(2, T, dtype=torch.bool)
    mask[1, T - 6 : T - 3] = False
    return x, mask


def stock(name: str, head: str, x, mask, **options) -> torch.Tensor:
    model = make(name, head=head, dtype=torch.float64, **options)
    with torch.no_grad():
        return model(inputs_embeds=x, attention_mask=mask.long()).logits


def ours(name: str, head: str, x, mask, **options) -> torch.Tensor:
    backbone = HFBackbone(make(name, head=head, dtype=torch.float64, **options))
    assert (backbone.head, backbone.causal) == (head, name in CAUSAL)
    with torch.no_grad():
        return backbone(x, layout=LAYOUT, mask=mask).logits


@pytest.mark.parametrize("name", CAUSAL)
def test_language_models(name):
    x, mask = embeddings()
    logits = ours(name, "lm", x, mask)
    assert logits.shape == (2, T - 6, VOCABULARY)
    torch.testing.assert_close(logits, stock(name, "lm", x, mask)[:, LAYOUT.tokens], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ENCODERS)
def test_masked_language_models(name):
    x, mask = embeddings()
    torch.testing.assert_close(
        ours(name, "mlm", x, mask), stock(name, "mlm", x, mask)[:, LAYOUT.tokens], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_that_classify(name):
    x, mask = embeddings()
    logits = ours(name, "classify", x, mask)
    assert logits.shape == (2, CLASSES)
    torch.testing.assert_close(logits, stock(name, "classify", x, mask), rtol=1e-5, atol=1e-6)


def test_an_encoder_that_classifies_by_the_mean_of_its_positions():
    x, mask = embeddings()
    mean, first = (ours("modernbert", "classify", x, mask, classifier_pooling=p) for p in ("mean", "cls"))
    torch.testing.assert_close(mean, stock("modernbert", "classify", x, mask, classifier_pooling="mean"))
    assert (mean - first).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["gpt2", "llama_gqa", "opt"])
def test_a_decoder_classifies_from_its_last_token_and_not_from_write_memory(name):
    x, mask = embeddings()
    backbone = HFBackbone(make(name, head="classify", dtype=torch.float64))
    with torch.no_grad():
        output = backbone(x, layout=LAYOUT, mask=mask)
        for row, last in ((0, T - 4), (1, T - 7)):
            torch.testing.assert_close(output.logits[row], backbone.model.score(output.hidden[row, last]))


def test_a_trunk_alone_has_hidden_states_and_no_logits():
    x, _ = embeddings()
    backbone = HFBackbone(AutoModel.from_config(ALL["gpt2"]).double())
    output = backbone(x, layout=LAYOUT)
    assert backbone.head == "none" and output.hidden.shape == x.shape
    with pytest.raises(InputError, match="GPT2Model is a trunk without a head"):
        output.logits  # noqa: B018


def test_a_model_in_two_halves_is_refused():
    model = T5ForConditionalGeneration(T5Config(vocab_size=20, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2))
    with pytest.raises(InputError, match="T5ForConditionalGeneration has no head this program can read"):
        HFBackbone(model)


def test_a_bert_made_a_decoder_is_causal():
    config = {**ALL["bert"].to_dict(), "is_decoder": True}
    backbone = HFBackbone(BertLMHeadModel(BertConfig(**config)).eval().double())
    x, _ = embeddings()
    changed = x.clone()
    changed[:, -1] += 1
    assert (backbone.head, backbone.causal) == ("lm", True)
    with torch.no_grad():
        a, b = (backbone(v, layout=LAYOUT).hidden for v in (x, changed))
    assert torch.equal(a[:, :-1], b[:, :-1]) and not torch.equal(a[:, -1], b[:, -1])


def test_training_reaches_every_weight_through_the_stand_in():
    x, mask = embeddings()
    backbone = HFBackbone(make("roberta", dtype=torch.float64)).train()
    backbone(x, layout=LAYOUT, mask=mask).logits.square().sum().backward()
    lost = [name for name, p in backbone.named_parameters() if p.grad is None]
    assert lost == ["model.roberta.embeddings.word_embeddings.weight"]  # embedded text was given
