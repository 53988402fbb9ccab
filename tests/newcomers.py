"""The script of test_newcomers.py, run in a copy of the code that has one mechanism and one task more.

It trains, scores, records and asks for facts, then opens every page over what it made, and prints what came of it.
"""

import contextlib
import io
import json
import shutil
import sys
from pathlib import Path

import torch

from rmt.__main__ import main
from rmt.evaluate.mechanisms import account, fresh
from rmt.train import TrainConfig, Trainer
from rmt_viz.findings import mechanisms as findings
from rmt_viz.shelf import results

HERE = Path.cwd()
ASSETS = HERE / "assets"
CHECKPOINT = ASSETS / "checkpoints" / "whistle"


def command(*arguments) -> dict:
    """Run a command of `python -m rmt`; its exit code and its output."""
    sys.argv, out, err = ["rmt", *map(str, arguments)], io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def page(name: str) -> dict:
    """The text of a page over the newcomers' checkpoint, run and tables."""
    from streamlit.testing.v1 import AppTest

    at = AppTest.from_string(f"from rmt_viz.pages import {name}\n{name}.page()", default_timeout=300)
    at.run()
    if name == "length":
        at.button_group(key="task").set_value("whistle").run()
    texts = [chart.proto.spec for chart in at.get("plotly_chart")]
    texts += [element.value for kind in ("markdown", "caption", "info") for element in at.get(kind)]
    for choice in at.get("button_group"):
        texts += [option.content for option in choice.proto.options]
    texts += [str(option) for choice in at.get("selectbox") for option in choice.options]
    texts += [button.label for button in at.get("button")]
    return {"exception": [str(e.value) for e in at.exception], "errors": [e.value for e in at.error], "texts": texts}


CHECKPOINT.mkdir(parents=True)
shutil.copyfile(sys.argv[1], CHECKPOINT / "tokenizer.json")
told = {"nonsense": command("train", "--task", "whistle", "--cell", "nonsense", "--out", HERE / "no")}
CONFIG = TrainConfig(
    task="whistle", cell="echo", segments=2, layers=1, width=16, heads=2, n_memory=2, segment_length=32, batch=2,
    threshold=0.0, window=1, log_every=1, streams=2, stream_steps=2, warmup=2,
)  # fmt: skip
told["lines"] = list(Trainer(CONFIG, CHECKPOINT, cpu=True).steps())
told["evaluate"] = command("evaluate", CHECKPOINT, "--segments", 2, "--samples", 2, "--json")
trace = ASSETS / "traces" / "whistle.trace.safetensors"
told["record"] = command("record", CHECKPOINT, "--task", "whistle", "--segments", 3, "--out", trace, "--json")
reset = trace.with_name("whistle.reset.trace.safetensors")
told["reset"] = command(
    "record", CHECKPOINT, "--task", "whistle", "--segments", 3, "--control", "reset", "--out", reset, "--json"
)
told["facts"] = command("facts", CHECKPOINT, "--samples", 4, "--segments", 2, "--no-probe", "--json")
told["inspect"] = command("inspect", CHECKPOINT)
rows = [account(model, torch.arange(256)).row() for model in fresh(["none", "echo"], segment_length=32)]
text = {"name": "numbers", "segments": [" ".join(map(str, range(i, i + 32))) for i in range(0, 256, 32)]}
document = {"command": "fresh", "text": text, "results": rows}
(ASSETS / "results" / "mechanisms.json").write_text(json.dumps(document))
told["crosses"] = [findings.crosses(row) for row in results.read("mechanisms").rows]
told["pages"] = {path.stem: page(path.stem) for path in sorted((HERE / "rmt_viz" / "pages").glob("[a-z]*.py"))}
print(json.dumps(told))
