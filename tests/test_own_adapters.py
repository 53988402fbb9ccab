"""Folders of peft, tokenizers of other programs, and models that are open already."""

import json

import numpy as np
import peft
import pytest
import torch
from strangers import IDS, LENGTH, V, agrees, saved, stock, tokenizer

from rmt.checkpoint import inspect, load
from rmt.errors import InputError
from rmt.recorder import record, replay

TUNED = {
    "plain": {},
    "rank-stabilised": {"use_rslora": True},
    "patterns": {"rank_pattern": {"h.0.attn.c_attn": 2}, "alpha_pattern": {"h.1.attn.c_attn": 32}},
    "two modules": {"target_modules": ["c_attn", "c_fc"]},
    "dora": {"use_dora": True},
}


def opened(folder, **options):
    return load(folder, segment_length=LENGTH, device="cpu", **options)


def sentences(folder, **options) -> str:
    return " ".join(inspect(folder, segment_length=LENGTH, **options).sentences())


def tuned(model, **options):
    """The model with a LoRA adapter of random numbers."""
    torch.manual_seed(1)
    given = {"r": 4, "lora_alpha": 8, "target_modules": ["c_attn"], "init_lora_weights": False, **options}
    return peft.get_peft_model(model, peft.LoraConfig(**given)).eval()


@pytest.mark.parametrize("kind", TUNED)
def test_an_adapter_alone_is_merged_into_the_base_it_names(tmp_path, kind):
    base = saved(tmp_path / "base", stock("GPT2LMHeadModel"))
    theirs = tuned(type(stock("GPT2LMHeadModel")).from_pretrained(base), task_type="CAUSAL_LM", **TUNED[kind])
    theirs.save_pretrained(tmp_path / "adapter")
    assert agrees(opened(tmp_path / "adapter"), theirs)
    assert "merged into its base model" in sentences(tmp_path / "adapter")
    assert opened(tmp_path / "adapter").about.fingerprint != opened(base).about.fingerprint


def test_an_adapter_beside_its_base_is_merged_and_named(tmp_path):
    saved(tmp_path, stock("GPT2LMHeadModel"))
    theirs = tuned(stock("GPT2LMHeadModel"), task_type="CAUSAL_LM")
    theirs.save_pretrained(tmp_path)
    assert agrees(opened(tmp_path), theirs) and "rank 4, alpha 8" in sentences(tmp_path)


def test_an_adapter_brings_the_head_it_was_trained_with(tmp_path):
    base = saved(tmp_path / "base", stock("GPT2LMHeadModel"))
    from transformers import GPT2ForSequenceClassification

    model = GPT2ForSequenceClassification.from_pretrained(base, num_labels=4)
    theirs = tuned(model, task_type="SEQ_CLS")
    theirs.save_pretrained(tmp_path / "adapter")
    mine = opened(tmp_path / "adapter")
    assert mine.backbone.head == "classify" and len(mine.about.classes) == 4 and agrees(mine, theirs)


def test_an_adapter_without_its_base_says_whose_it_is(tmp_path):
    theirs = tuned(stock("GPT2LMHeadModel"))
    theirs.save_pretrained(tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "base_model_name_or_path": "/nowhere/mine"}))
    with pytest.raises(InputError, match=r"peft adapter without its base model.*/nowhere/mine"):
        opened(tmp_path / "adapter")
    base = saved(tmp_path / "base", stock("GPT2LMHeadModel"))
    assert agrees(opened(tmp_path / "adapter", backbone=base), theirs)
    other = saved(tmp_path / "other", stock("LlamaForCausalLM"))
    with pytest.raises(InputError, match="base model it was"):
        opened(tmp_path / "adapter", backbone=other)


def test_an_adapter_that_stands_beside_the_text_is_not_merged(tmp_path):
    base = saved(tmp_path / "base", stock("GPT2LMHeadModel"))
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=4)
    peft.get_peft_model(stock("GPT2LMHeadModel"), config).save_pretrained(tmp_path / "adapter")
    with pytest.raises(InputError, match="PROMPT_TUNING, whose numbers stand beside"):
        opened(tmp_path / "adapter", backbone=base)


def test_an_adapter_config_imports_nothing(tmp_path):
    base = saved(tmp_path / "base", stock("GPT2LMHeadModel"))
    tuned(stock("GPT2LMHeadModel")).save_pretrained(tmp_path / "adapter")
    file = tmp_path / "adapter" / "adapter_config.json"
    evil = {"megatron_core": "this", "megatron_config": {}, "auto_mapping": {"parent_library": "this"}}
    file.write_text(json.dumps({**json.loads(file.read_text()), **evil}))
    import sys

    opened(tmp_path / "adapter", backbone=base)
    assert "this" not in sys.modules


# Tokenizers


def test_vocab_txt_is_read_as_transformers_reads_it(tmp_path):
    folder = saved(tmp_path, stock("BertForSequenceClassification"), words=False)
    entries = ["[PAD]", "[UNK]", "[MASK]", "[CLS]", "[SEP]", "the", "cat", "##s", "sat", "on", "mat", "."]
    (folder / "vocab.txt").write_text("\n".join([*entries, *(f"w{i}" for i in range(V - len(entries)))]) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    from transformers import AutoTokenizer

    want = AutoTokenizer.from_pretrained(folder)("The cats sat.", add_special_tokens=False).input_ids
    model = opened(folder)
    assert (model.backbone.cls_id, model.backbone.sep_id) == (3, 4)
    assert record(model, "The cats sat.", detail="memory").arrays["ids"].tolist() == want


def test_vocab_json_and_merges_are_read(tmp_path):
    folder = saved(tmp_path, stock("GPT2LMHeadModel"), words=False)
    (folder / "vocab.json").write_text(json.dumps({"<|endoftext|>": 0, "h": 1, "i": 2, "hi": 3, "Ġ": 4, "Ġhi": 5}))
    (folder / "merges.txt").write_text("#version: 0.2\nh i\nĠ hi\n")
    assert record(opened(folder), "hi hi", detail="memory").arrays["ids"].tolist() == [3, 5]


def test_sentencepiece_is_read(tmp_path):
    spm = pytest.importorskip("sentencepiece")
    folder = saved(tmp_path / "model", stock("XLMRobertaForMaskedLM"), words=False)
    (tmp_path / "t.txt").write_text("the cat sat on the mat where is sandra\n" * 20)
    spm.SentencePieceTrainer.train(
        input=str(tmp_path / "t.txt"), model_prefix=str(tmp_path / "m"), vocab_size=18, minloglevel=3
    )
    (folder / "sentencepiece.bpe.model").write_bytes((tmp_path / "m.model").read_bytes())
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(folder)
    trace = record(opened(folder), "the cat sat", detail="memory")
    assert trace.arrays["ids"].tolist() == theirs("the cat sat", add_special_tokens=False).input_ids


def test_a_text_begins_as_the_model_was_trained_with_and_that_can_be_left_out(tmp_path):
    from tokenizers.processors import TemplateProcessing

    folder = saved(tmp_path, stock("LlamaForCausalLM"))
    words = tokenizer()
    words.post_processor = TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 3)])
    words.save(str(folder / "tokenizer.json"))
    trace = record(opened(folder), "w5 w6 w7", detail="memory")
    assert trace.arrays["ids"].tolist() == [3, 5, 6, 7] and "".join(trace.tokens) == "[CLS]w5 w6 w7"
    assert "begins with [CLS]" in sentences(folder)
    without = opened(folder, options={"special_tokens": False})
    assert record(without, "w5 w6 w7", detail="memory").arrays["ids"].tolist() == [5, 6, 7]
    assert "as you asked" in sentences(folder, options={"special_tokens": False})


def test_words_that_the_vocabulary_lacks_are_marked_and_counted(tmp_path):
    from rmt.viewer.sentence import provenance

    trace = record(opened(saved(tmp_path, stock("BertForMaskedLM"))), "w5 Sandra w6 Daniel", detail="memory")
    assert "".join(trace.tokens) == "w5 [UNK] w6 [UNK]" and trace.meta["unknown"] == 2
    assert any("2 of 4 tokens" in line for line in provenance(trace, "live"))


# Models that are open already


@pytest.mark.parametrize("cls", ["GPT2LMHeadModel", "MixtralForCausalLM", "BertForMaskedLM"])
def test_a_transformers_model_is_taken_and_left_as_it_was(cls):
    theirs = stock(cls)
    before, kind = {n: p.clone() for n, p in theirs.named_parameters()}, theirs.config._attn_implementation
    model = load(theirs, tokenizer=tokenizer(), segment_length=LENGTH)
    assert agrees(model, theirs)
    trace = record(model, "w5 w6 w7 w8", detail="thin")
    assert replay(model, trace, 0).attention.shape[-1] >= 4
    assert theirs.config._attn_implementation == kind and all(p.requires_grad for p in theirs.parameters())
    assert all(torch.equal(p, before[n]) for n, p in theirs.named_parameters())
    theirs.get_input_embeddings().weight.data.zero_()  # the numbers are shared and not copied
    assert float(model.backbone.model.get_input_embeddings().weight.abs().max()) == 0


def test_a_peft_model_is_merged_in_a_copy():
    theirs = tuned(stock("GPT2LMHeadModel"))
    model = load(theirs, segment_length=LENGTH)
    assert agrees(model, theirs) and any("lora_A" in name for name, _ in theirs.named_parameters())


def test_what_a_wrapped_model_is_checked_for():
    """An untrained memory around a model that is open already: width, marks, and how its classes are answered."""
    from tokenizers.processors import TemplateProcessing

    import rmt

    words = tokenizer()
    words.post_processor = TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 3)])
    theirs = stock("LlamaForCausalLM")
    model = rmt.wrap(theirs, words, segment_length=LENGTH, n_memory=3)
    assert model.backbone.model is theirs
    assert record(model, "w5 w6 w7", detail="memory").arrays["ids"].tolist() == [3, 5, 6, 7]
    bare = rmt.wrap(theirs, words, segment_length=LENGTH, n_memory=3, special_tokens=False)
    assert record(bare, "w5 w6 w7", detail="memory").arrays["ids"].tolist() == [5, 6, 7]

    several = {"num_labels": 3, "problem_type": "multi_label_classification"}
    model = rmt.wrap(stock("BertForSequenceClassification", **several), tokenizer(), segment_length=LENGTH, n_memory=3)
    trace = record(model, "w5 w6 w7", detail="memory")
    want = model(torch.tensor([[5, 6, 7]])).logits[0].detach().sigmoid()
    assert trace.meta["answers"] == "several" and np.allclose(trace.arrays["probabilities"], want, atol=1e-6)
    model = rmt.wrap(stock("LlamaForSequenceClassification", num_labels=1, pad_token_id=0), segment_length=LENGTH)
    assert model.about.answers == "score" and record(model, IDS[0], detail="memory").arrays["probabilities"].size == 0

    narrow = stock("ElectraForMaskedLM", embedding_size=16)
    with pytest.raises(InputError, match="16 wide and its states 32"):
        rmt.wrap(narrow, tokenizer(), segment_length=LENGTH, n_memory=3)
    for wrong in (torch.nn.Linear(2, 2), object()):
        with pytest.raises(InputError, match="is no model of transformers"):
            rmt.wrap(wrong)


def test_a_wrapped_peft_model_is_merged_in_a_copy():
    import rmt

    theirs = tuned(stock("GPT2LMHeadModel"))
    model = rmt.wrap(theirs, segment_length=LENGTH, n_memory=3)
    assert not any("lora" in name for name, _ in model.named_parameters())
    merged = load(theirs, segment_length=LENGTH).backbone.model
    assert torch.equal(
        model.backbone.model.transformer.h[0].attn.c_attn.weight, merged.transformer.h[0].attn.c_attn.weight
    )
    assert any("lora_A" in name for name, _ in theirs.named_parameters())


def test_what_is_no_model_is_said(tmp_path):
    for wrong in (torch.nn.Linear(2, 2), object(), 5):
        with pytest.raises(InputError, match="is no model of transformers"):
            load(wrong)
    with pytest.raises(InputError, match="fast one"):
        load(stock("GPT2LMHeadModel"), tokenizer=lambda text: [1])
    with pytest.raises(InputError, match="CLS"):
        load(stock("BertForMaskedLM"))


@pytest.mark.parametrize(
    ("ids", "what"),
    [
        ("a text", "str"),
        (torch.tensor([1, 2]), r"\(2,\)"),
        (torch.rand(1, 4), "float"),
        (torch.tensor([[1, V]]), f"0 to {V - 1}"),
        (torch.tensor([[-1, 2]]), f"0 to {V - 1}"),
        (torch.empty(1, 0, dtype=torch.long), "at least one"),
    ],
)
def test_what_are_no_ids_is_said(ids, what):
    with pytest.raises(InputError, match=what):
        load(stock("GPT2LMHeadModel"), segment_length=LENGTH)(ids)


def test_two_documents_are_not_one():
    model = load(stock("GPT2LMHeadModel"), segment_length=LENGTH)
    for rows in (IDS.repeat(2, 1), IDS.repeat(2, 1).numpy(), [[5, 6], [7]], ["w5", "w6"]):
        with pytest.raises(InputError, match=r"one by one|whole numbers"):
            record(model, rows, detail="memory")
    assert record(model, IDS, detail="memory").arrays["ids"].tolist() == IDS[0].tolist()
    trace = record(model, np.arange(5, 40), detail="memory")
    for wrong in (3, -4, 1.5, True):
        with pytest.raises(InputError, match="The run has 3 segments"):
            replay(model, trace, wrong)
