"""What ships with the package: trained models and recorded runs, by their names."""

import os
from pathlib import Path

from rmt.errors import InputError
from rmt.trace import Trace

INSTALLED = Path(__file__).parents[1] / "rmt_viz" / "assets"  # where a wheel puts them; a checkout has them at its root
CHECKOUT = Path(__file__).parents[1] / "assets"
ASSETS = Path(os.environ.get("RMT_VIZ_ASSETS") or (INSTALLED if INSTALLED.is_dir() else CHECKOUT))


def checkpoint(name: str) -> Path:
    """The folder of a shipped checkpoint, for `rmt.load`. Raises InputError where there is none of that name."""
    return _named(ASSETS / "checkpoints", name, "", "checkpoint")


def trace(name: str) -> Trace:
    """A shipped run, such as "qa1" or its control "qa1.reset". Raises InputError where there is none of that name."""
    return Trace.open(_named(ASSETS / "traces", name, ".trace.safetensors", "run"))


def _named(folder: Path, name: str, suffix: str, what: str) -> Path:
    names = sorted(path.name.removesuffix(suffix) for path in folder.glob(f"*{suffix}"))
    if name not in names:
        raise InputError(f"There is no shipped {what} {name!a}; choose from {', '.join(names)}.")
    return folder / f"{name}{suffix}"
