"""The small half of the sweep over the model classes of transformers; `python -m benchmarks.families` is all of it."""

import subprocess
import sys
from queue import Queue
from threading import Thread

import pytest

from benchmarks import families
from benchmarks.families import LOGITS, MAPS, NO_MODEL, markdown, names, try_class

AGREE = [
    "GPT2LMHeadModel", "LlamaForCausalLM", "MistralForCausalLM", "PhimoeForCausalLM", "DeepseekV3ForCausalLM",
    "BigBirdPegasusForCausalLM", "BertForMaskedLM", "MPNetForMaskedLM", "DebertaV2ForSequenceClassification",
    "ModernBertDecoderForSequenceClassification", "CTRLForSequenceClassification", "BertForTokenClassification",
    "LlamaForQuestionAnswering", "XmodForMultipleChoice", "GPT2Model",
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
    "T5EncoderModel": "no class that is run here",
    "CLIPModel": "vision_config, text_config), of which text is one",
    "SamModel": "reads pixel_values",
    "ViTForImageClassification": "reads pixel_values",
    "LiltForTokenClassification": "see what comes after them",
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


def test_a_layer_is_no_model():
    assert try_class("BertLayer")["outcome"] == NO_MODEL


def test_a_worker_is_given_its_share_of_a_processor_and_not_of_the_clock(tmp_path, monkeypatch):
    """What ends without an answer is said to, and what waits for a busy machine is waited for."""
    monkeypatch.setattr(families, "SECONDS", 0.5)
    monkeypatch.setattr(families, "LOOK", 0.4)
    waits, turns, ends = "import time; time.sleep(1.5)", "while True: pass", "pass"
    for code, answer in ((f"{waits}; print(1)", "1\n"), (turns, None), (ends, None)):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        lines = Queue()
        Thread(target=lambda p=process, q=lines: [q.put(line) for line in p.stdout], daemon=True).start()
        if answer is None:
            with pytest.raises(TimeoutError):
                families._answer(process, lines)
        else:
            assert families._answer(process, lines) == answer
        process.kill()


def test_a_summary_counts_every_class_once():
    rows = [{"name": "AForCausalLM", "outcome": "agrees", "logits": 1e-7, "maps": 1e-4}]
    rows.append({"name": "BModel", "outcome": "refused", "why": "It reads | pixels"})
    text = markdown(rows)
    assert "| all | 1 | 1 |" in text and "refused: It reads \\| pixels" in text and "1.0e-04" in text
