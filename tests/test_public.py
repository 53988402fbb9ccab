"""The public names: `import rmt` hands them on when they are asked for, and loads torch for those that need it."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

import rmt

ROOT = Path(__file__).parent.parent
NAMES = {
    "InputError",
    "Trace",
    "TraceCallback",
    "inspect",
    "load",
    "record",
    "replay",
    "show",
    "untrained",
    "what_if",
    "why",
    "widget",
    "wrap",
}
OLD_PATHS = {  # what programs written before import
    "rmt.checkpoint": ["load", "inspect", "untrained", "save"],
    "rmt.recorder": ["record", "replay"],
    "rmt.trace": ["Trace"],
    "rmt.measure": ["measure"],
    "rmt.intervene": ["intervene", "read", "recalled"],
    "rmt.evaluate": ["evaluate"],
    "rmt.train": ["Trainer", "TrainConfig"],
    "rmt.model": ["Model"],
    "rmt.cost": ["forward", "OPT"],
    "rmt.adapter": ["wrap", "add_lora", "save_adapter", "load_adapter"],
    "rmt.changes": ["parse", "Reset", "Transplant"],
}


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_public_names_are_these_and_each_is_there():
    assert set(rmt.__all__) == NAMES <= set(dir(rmt))
    assert all(callable(getattr(rmt, name)) for name in NAMES)
    folders = {path.stem for path in (ROOT / "rmt").iterdir()}
    assert not NAMES & folders, "a sub-module would stand where the name does"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rmt.nothing


def test_names_without_torch_load_none():
    python(
        "import rmt, sys\n"
        "for name in ('__version__', 'Trace', 'InputError', 'show'):\n"
        "    getattr(rmt, name)\n"
        "    assert 'torch' not in sys.modules, name\n"
    )


@pytest.mark.parametrize("module", ["rmt.changes", "rmt.intervene", "rmt.cost", "rmt.viewer", "rmt.tasks"])
def test_a_package_that_the_app_starts_with_loads_no_torch(module):
    assert python(f"import {module}, sys; print('torch' in sys.modules)") == "False"


def test_older_paths_still_work():
    for module, names in OLD_PATHS.items():
        assert all(hasattr(importlib.import_module(module), name) for name in names), module


def small() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    return GPT2LMHeadModel(GPT2Config(vocab_size=60, n_embd=16, n_layer=2, n_head=2, n_positions=64)).eval()


def test_a_model_is_wrapped_recorded_replayed_changed_and_explained():
    stock = small()
    model = rmt.wrap(stock, segment_length=8, n_memory=3)
    assert model.backbone.model is stock and model.cell.n_memory == 3 and not model.about.trained
    trace = rmt.record(model, list(range(32)), detail="thin")
    assert trace.n_segments == 4 and trace.meta["control"] == "untrained"
    assert rmt.replay(model, trace, 1).attention.shape[:2] == (2, 2)
    other = rmt.what_if(model, trace, "reset@3")
    assert (other.memory[:3] == trace.memory[:3]).all() and (other.memory[3] != trace.memory[3]).any()
    assert len(rmt.why(model, trace, tokens=False)["segments"]) == 4
    assert "<iframe" in rmt.show(trace)._repr_html_()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cell": "nonsense"}, "no memory cell 'nonsense'"),
        ({"segment_length": 0}, "one token or more"),
        ({"segment_length": 64}, "64 positions"),
        ({"n_slots": 3}, "does not fit"),
        ({"tokenizer": object()}, "a fast one of transformers"),
    ],
)
def test_what_does_not_fit_is_said(given, said):
    with pytest.raises(rmt.InputError, match=said):
        rmt.wrap(small(), **given)


def test_a_name_is_no_model():
    with pytest.raises(rmt.InputError, match=r"rmt\.adapter\.wrap"):
        rmt.wrap("gpt2")


def test_the_example_of_the_readme_runs(capsys, monkeypatch):
    """As it is printed: it answers, and answers something else with its memory reset."""
    monkeypatch.chdir(ROOT)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", text, re.S)[1]
    assert len(example.splitlines()) < 30 and len(text.splitlines()) <= 150
    exec(compile(example, "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "garden" and lines[-2] == "office"


@pytest.mark.parametrize("page", ["README", "ARCHITECTURE", "CONTRIBUTING", "docs/guide", "docs/results"])
def test_what_a_page_links_to_is_there(page):
    file = ROOT / f"{page}.md"
    links = re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text(encoding="utf-8"))
    assert all((file.parent / link).exists() for link in links), links
