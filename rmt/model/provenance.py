"""The provenance of a file: the model, weights, device and versions that made it."""

import platform

import torch
import transformers

from rmt.model.model import Model


def versions() -> dict[str, str]:
    """The versions of Python, torch and transformers."""
    return {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__}


def made_by(model: Model) -> dict:
    """The description of a model that a trace or a result stores."""
    parameter = next(model.parameters())
    return {
        "checkpoint": model.about.name,
        "fingerprint": model.about.fingerprint,
        "trained": model.about.trained,
        "backbone": type(model.backbone.model).__name__,
        "layers": model.backbone.n_layers,
        "heads": model.backbone.n_heads,
        "cell": type(model.cell).__name__,
        "n_memory": model.cell.n_memory,
        "segment_length": model.segment_length,
        "parameters": sum(p.numel() for p in model.parameters()),
        "device": parameter.device.type,
        "precision": str(parameter.dtype).removeprefix("torch."),
        "versions": versions(),
    }
