"""Folders of other programs: read as their own programs read them, or refused with a sentence that is true.

More than 300 lines, as there is one short test for each way in which such a folder may differ.
"""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from strangers import IDS, LENGTH, MARKED, V, agrees, change_config, saved, stock, tokenizer

from rmt.checkpoint import inspect, load, untrained
from rmt.commands.common import read_ids, read_text
from rmt.errors import InputError
from rmt.recorder import record

NAMES = "toxic insult threat obscene hate spam other joke praise thanks news advert".split()


def opened(folder, **options):
    return load(folder, segment_length=LENGTH, device="cpu", **options)


def sentences(folder, **options) -> str:
    return " ".join(inspect(folder, segment_length=LENGTH, **options).sentences())


# Names of tensors


@pytest.mark.parametrize(
    "cls",
    ["GPTNeoXForCausalLM", "MixtralForCausalLM", "AlbertForMaskedLM", "ElectraForMaskedLM", "RobertaForMaskedLM"],
)
def test_names_that_transformers_changed_are_read_by_its_own_loader(tmp_path, cls):
    theirs = stock(cls)
    assert agrees(opened(saved(tmp_path, theirs)), theirs)


def test_a_file_of_the_trunk_alone_has_the_names_without_their_prefix(tmp_path):
    theirs = stock("GPT2LMHeadModel")
    folder = saved(tmp_path, theirs)
    state = {n.removeprefix("transformer."): t for n, t in load_file(folder / "model.safetensors").items()}
    save_file(state, folder / "model.safetensors")
    assert agrees(opened(folder), theirs)


@pytest.mark.parametrize(
    ("prefix", "inside", "file"),
    [
        ("module.", None, "pytorch_model.bin"),
        ("_orig_mod.module.", None, "pytorch_model.bin"),
        ("model.", "state_dict", "last.ckpt"),
        ("net.backbone.", "state_dict", "last.pt"),
        ("", "module", "mp_rank_00_model_states.pt"),
    ],
)
def test_what_a_model_was_wrapped_in_is_taken_off_its_names(tmp_path, prefix, inside, file):
    theirs = stock("GPT2LMHeadModel")
    folder = saved(tmp_path, theirs)
    state = {prefix + name: tensor for name, tensor in theirs.state_dict().items()}
    (folder / "model.safetensors").unlink()
    torch.save({inside: state, "epoch": 3} if inside else state, folder / file)
    assert agrees(opened(folder), theirs)
    assert (prefix.rstrip(".").split(".")[0] in sentences(folder)) or not prefix


def test_parts_that_were_compiled_or_sharded_have_their_names_back(tmp_path):
    theirs = stock("LlamaForCausalLM")
    folder = saved(tmp_path, theirs)
    state = load_file(folder / "model.safetensors")
    save_file({n.replace(".layers.", ".layers._orig_mod."): t for n, t in state.items()}, folder / "model.safetensors")
    assert agrees(opened(folder), theirs)


def test_tensors_of_another_configuration_are_refused_with_both_numbers(tmp_path):
    folder = saved(tmp_path, stock("LlamaForCausalLM"))
    change_config(folder, num_hidden_layers=2)
    with pytest.raises(InputError, match="holds 3 layers and the backbone's configuration says 2"):
        opened(folder)
    change_config(folder, num_hidden_layers=3, intermediate_size=64)
    with pytest.raises(InputError, match="of another shape"):
        opened(folder)


# Heads


def test_classes_have_their_own_names_in_the_order_of_their_indices(tmp_path):
    folder = saved(tmp_path, stock("BertForSequenceClassification", id2label=dict(enumerate(NAMES))))
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()), sort_keys=True))  # "0", "1", "10", "11", "2"
    trace = record(opened(folder), "w5 w6 w7", detail="memory")
    assert list(trace.probabilities) == NAMES and sum(trace.probabilities.values()) == pytest.approx(1)
    change_config(folder, id2label={"0": "one", "1": "two"})
    assert "LABEL_0" in sentences(folder) and opened(folder).about.classes[11] == "LABEL_11"


def test_several_labels_are_shown_each_on_its_own(tmp_path):
    theirs = stock("BertForSequenceClassification", num_labels=5, problem_type="multi_label_classification")
    folder = saved(tmp_path, theirs)
    trace = record(opened(folder), IDS[0], detail="memory")
    with torch.no_grad():
        want = theirs(MARKED).logits[0].sigmoid()
    assert list(trace.probabilities.values()) == pytest.approx(want.tolist(), abs=1e-6)
    assert "multi-label" in sentences(folder)
    from rmt.trace import validate

    assert validate(trace.path) == []


@pytest.mark.parametrize("options", [{"num_labels": 1}, {"num_labels": 2, "problem_type": "regression"}])
def test_a_reward_is_no_class(tmp_path, options):
    theirs = stock("LlamaForSequenceClassification", **options)
    folder = saved(tmp_path, theirs)
    assert "a number" in sentences(folder) and agrees(opened(folder), theirs)
    trace = record(opened(folder), IDS[0], detail="memory")
    assert trace.probabilities is None and trace.classes == []


@pytest.mark.parametrize(
    ("cls", "what"),
    [
        ("BertForTokenClassification", "a class to every token"),
        ("BertForQuestionAnswering", "the answer to a question"),
        ("BertForMultipleChoice", "one of several texts"),
    ],
)
def test_heads_that_are_left_out_are_named(tmp_path, cls, what):
    theirs = stock(cls)
    folder = saved(tmp_path, theirs)
    model = opened(folder)
    assert model.backbone.head == "none" and what in sentences(folder)
    with torch.no_grad():
        hidden = model.cell.step(model.backbone, model.split(IDS)[0], model.cell.initial(1))[0].output.hidden
        assert torch.allclose(hidden, theirs.base_model(MARKED).last_hidden_state, atol=1e-5)


def test_the_original_bert_predicts_masked_tokens(tmp_path):
    theirs = stock("BertForPreTraining")
    model = opened(saved(tmp_path, theirs))
    with torch.no_grad():
        want = theirs(MARKED).prediction_logits[:, 2:-1]
        assert torch.allclose(model(IDS).logits, want, atol=1e-5)
    assert any("seq_relationship" in name for name in inspect(tmp_path, segment_length=LENGTH).ignored)


def test_a_configuration_that_names_another_head_is_contradicted(tmp_path):
    folder = saved(tmp_path, stock("BertForMaskedLM"))
    change_config(folder, architectures=["BertForSequenceClassification"])
    assert "has not all of that head's numbers" in sentences(folder)


# What a configuration may say besides


def test_quantized_weights_are_named_and_a_leftover_word_of_it_is_not_believed(tmp_path):
    theirs = stock("LlamaForCausalLM")
    folder = saved(tmp_path, theirs)
    change_config(folder, quantization_config={"quant_method": "gptq", "bits": 4})
    assert "plain float32" in sentences(folder) and agrees(opened(folder), theirs)
    state = load_file(folder / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    save_file({**state, name: state[name].to(torch.int8)}, folder / "model.safetensors")
    with pytest.raises(InputError, match=r"quantized \(gptq\).*I8"):
        opened(folder)


def test_code_of_a_folder_is_never_run_and_that_is_said(tmp_path):
    theirs = stock("LlamaForCausalLM")
    folder = saved(tmp_path, theirs)
    (folder / "modeling_mine.py").write_text("raise SystemExit('ran')")
    change_config(folder, auto_map={"AutoModelForCausalLM": "modeling_mine.Mine"})
    assert agrees(opened(folder), theirs)
    change_config(folder, model_type="mine")
    with pytest.raises(InputError, match=r"does not have.*code of its own"):
        opened(folder)


def test_infinity_is_read_as_transformers_writes_it(tmp_path):
    folder = saved(tmp_path, stock("LlamaForCausalLM"))
    change_config(folder, some_limit={"__float__": "Infinity"})
    assert opened(folder).backbone.model.config.some_limit == float("inf")


@pytest.mark.parametrize(
    ("cls", "options", "why"),
    [
        ("FalconMambaForCausalLM", {"state_size": 8}, "no softmax attention"),
        ("T5ForConditionalGeneration", {}, "an encoder and a decoder"),
        ("XLNetLMHeadModel", {"d_model": 32, "n_layer": 3, "n_head": 4, "d_inner": 48}, "see what comes after"),
        ("ViTModel", {}, "pixel_values"),
    ],
)
def test_families_that_are_not_run_are_named_for_what_they_are(tmp_path, cls, options, why):
    import transformers

    config = getattr(transformers, cls).config_class
    sizes = {"vocab_size": V, "hidden_size": 32, "num_hidden_layers": 2, "d_model": 32, "num_layers": 2, "d_ff": 48}
    sizes |= {"num_heads": 4, "d_kv": 8, "num_attention_heads": 4, "intermediate_size": 48, "image_size": 16}
    known = vars(config()).keys() | getattr(config, "attribute_map", {}).keys()
    model = getattr(transformers, cls)(config(**{k: v for k, v in (sizes | options).items() if k in known}))
    with pytest.raises(InputError, match=why):
        opened(saved(tmp_path, model))


# Files


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_pointer_of_git_lfs_is_no_file(tmp_path, name):
    folder = saved(tmp_path, stock("GPT2LMHeadModel"))
    (folder / name).write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 5\n")
    with pytest.raises(InputError, match="git lfs pull"):
        opened(folder)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_with_a_byte_order_mark_are_read_as_without(tmp_path, encoding):
    theirs = stock("GPT2LMHeadModel")
    folder = saved(tmp_path / "model", theirs)
    (folder / "config.json").write_text((folder / "config.json").read_text(), encoding=encoding)
    assert agrees(opened(folder), theirs)
    for name, text in (("ids", "3 4 5"), ("text", "Sandra")):
        (tmp_path / name).write_text(text, encoding=encoding)
    assert read_ids(tmp_path / "ids") == [3, 4, 5] and read_text(tmp_path / "text") == "Sandra"


def test_the_latest_checkpoint_of_a_training_run_is_opened_and_the_others_are_named(tmp_path):
    first, last = stock("GPT2LMHeadModel"), stock("GPT2LMHeadModel")
    last.transformer.wte.weight.data.mul_(2)
    saved(tmp_path / "checkpoint-500", first), saved(tmp_path / "checkpoint-1000", last)
    assert agrees(opened(tmp_path), last) and "checkpoint-500" in sentences(tmp_path)
    assert "checkpoint-1000, the latest" in sentences(tmp_path)
    saved(tmp_path, first)
    assert agrees(opened(tmp_path), first) and "Beside the weights" in sentences(tmp_path)


# How long a segment may be, and what is tried before a model is called ready


def test_the_longest_segment_is_that_of_the_rows_in_use(tmp_path):
    options = {"max_position_embeddings": 42, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    folder = saved(tmp_path, stock("RobertaForSequenceClassification", **options))
    record(load(folder, segment_length=37, device="cpu"), torch.arange(5, 60), detail="memory")
    with pytest.raises(InputError, match="may hold 37 tokens, not 38"):
        load(folder, segment_length=38, device="cpu")


def test_the_first_gpt_has_a_table_under_another_name(tmp_path):
    from transformers import OpenAIGPTConfig, OpenAIGPTLMHeadModel

    model = OpenAIGPTLMHeadModel(OpenAIGPTConfig(n_embd=32, n_layer=2, n_head=4, vocab_size=V, n_positions=24))
    folder = saved(tmp_path, model)
    record(load(folder, segment_length=24, device="cpu"), torch.arange(5, 60), detail="memory")
    with pytest.raises(InputError, match="may hold 24 tokens, not 25"):
        load(folder, segment_length=25, device="cpu")


def test_ready_means_that_a_segment_was_read_and_recorded(tmp_path):
    report = inspect(saved(tmp_path / "a", stock("StableLmForCausalLM")), segment_length=LENGTH)
    assert report.ready and report.details == ["memory", "summary", "thin"]
    folder = saved(tmp_path / "b", stock("ConvBertForSequenceClassification", embedding_size=32))
    report = inspect(folder, segment_length=LENGTH)
    assert not report.ready and report.details == ["memory"] and "2 heads" in report.next
    record(opened(folder), IDS[0], detail="memory")
    with pytest.raises(InputError, match="at detail 'memory'"):
        record(opened(folder), IDS[0], detail="thin")


def test_a_model_with_narrow_word_embeddings_runs_and_carries_no_memory(tmp_path):
    from rmt.adapter import wrap

    theirs = stock("ElectraForSequenceClassification", embedding_size=16)
    folder = saved(tmp_path, theirs)
    report = inspect(folder, segment_length=LENGTH)
    assert not report.wraps and not report.ready and "16 wide" in report.next and agrees(opened(folder), theirs)
    record(opened(folder), IDS[0].repeat(2), detail="thin")
    with pytest.raises(InputError, match="no memory fits"):
        wrap(folder, segment_length=LENGTH, device="cpu")


def test_attention_that_the_fused_kernel_does_not_know_is_recorded_from_the_familys_own(tmp_path):
    options = {"num_key_value_heads": 2, "head_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2}
    theirs = stock("GptOssForCausalLM", **options, sliding_window=7)
    model = opened(saved(tmp_path, theirs))
    assert not model.backbone.fused and agrees(model, theirs)
    with torch.no_grad():
        eager = type(theirs).from_pretrained(tmp_path, attn_implementation="eager")
        want = eager(IDS, output_attentions=True).attentions
    from rmt.recorder import Recorder

    recorder = Recorder(model.backbone, full=True)
    with torch.no_grad():
        model.cell.step(recorder, model.split(IDS)[0], model.cell.initial(1))
    assert torch.allclose(recorder.all.attention[:, 0], torch.cat(want), atol=1e-6)


def test_the_untrained_control_of_a_strangers_folder(tmp_path):
    folder = saved(tmp_path, stock("GPTNeoXForCausalLM"))
    fresh = untrained(folder, segment_length=LENGTH, device="cpu")
    assert not torch.equal(fresh(IDS).logits, opened(folder)(IDS).logits)


def test_a_copy_under_another_name_is_the_same_model(tmp_path):
    folder = saved(tmp_path / "one", stock("GPT2LMHeadModel"))
    shutil.copytree(folder, tmp_path / "two")
    assert opened(folder).about.fingerprint == opened(tmp_path / "two").about.fingerprint
    assert tokenizer().get_vocab_size() == V
