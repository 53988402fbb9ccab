"""The small half of the sweep over the model classes of transformers; `python -m benchmarks.families` is all of it."""

import pytest

from benchmarks.families import LOGITS, MAPS, markdown, names, try_class

AGREE = [
    "GPT2LMHeadModel", "LlamaForCausalLM", "MistralForCausalLM", "PhimoeForCausalLM", "DeepseekV3ForCausalLM",
    "BigBirdPegasusForCausalLM", "BertForMaskedLM", "MPNetForMaskedLM", "DebertaV2ForSequenceClassification",
    "ModernBertDecoderForSequenceClassification", "CTRLForSequenceClassification",
]  # fmt: skip
IN_PART = {
    "SqueezeBertForMaskedLM": "attention of 0 of its 2 layers",
    "FunnelForMaskedLM": "cannot be recorded",
    "RemBertForMaskedLM": "no memory fits",
}
REFUSED = {
    "BartForSequenceClassification": "an encoder and a decoder",
    "FNetForMaskedLM": "no softmax attention",
    "XLNetForSequenceClassification": "see what comes after them",
    "Wav2Vec2BertForSequenceClassification": "reads input_features",
    "EsmcForMaskedLM": "fails inside transformers",
    "ClvpForCausalLM": "automatic classes open no",
}


def test_the_sweep_is_over_hundreds_of_classes():
    assert len(names()) > 1000 and {*AGREE, *IN_PART, *REFUSED} <= set(names())


@pytest.mark.parametrize("name", AGREE)
def test_it_agrees_with_the_stock_model(name):
    found = try_class(name)
    assert found["outcome"] == "agrees", found
    assert found["logits"] <= LOGITS and found["maps"] <= MAPS


@pytest.mark.parametrize("name", IN_PART)
def test_it_runs_and_what_is_not_possible_is_said(name):
    found = try_class(name)
    assert found["outcome"].startswith("agrees, ") and IN_PART[name] in found["why"], found


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_for_the_true_reason(name):
    found = try_class(name)
    assert found["outcome"] == "refused" and REFUSED[name] in found["why"], found


def test_a_summary_counts_every_class_once():
    rows = [{"name": "AForCausalLM", "outcome": "agrees", "logits": 1e-7, "maps": 1e-4}]
    rows.append({"name": "BModel", "outcome": "refused", "why": "It reads | pixels"})
    text = markdown(rows)
    assert "| all | 1 | 1 |" in text and "refused: It reads \\| pixels" in text and "1.0e-04" in text
