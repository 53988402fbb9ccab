"""Resolve the name of a checkpoint: a local path, a path under an allowed root, or a Hugging Face hub repository."""

import os
import re
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from rmt.checkpoint.packages import PRETRAINED, package_folder
from rmt.errors import InputError

REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
SMALL = ["*.json", "*.txt", "*.model"]


def printable(name) -> str:
    """Return the name as text. Raises InputError where it is empty or has control characters."""
    text = str(name)
    if not text.strip() or not text.isprintable():
        raise InputError(f"The name {ascii(text)[:80]} is empty or holds control characters; type it again.")
    return text


def resolve_under(root: str | Path, name: str) -> Path:
    """Resolve `name` to an existing file or folder under `root`; a link that leads outside is refused.

    Raises InputError with a sentence that does not reveal whether anything outside exists.
    """
    root = Path(root).resolve()
    path = root / printable(name)
    try:
        path = path.resolve()
    except (OSError, RuntimeError):
        raise InputError(f"{name[:200]} cannot be opened; give a path under {root.name}.") from None
    if not path.is_relative_to(root):
        raise InputError(f"{name[:200]} lies outside of {root.name}; give a path under it.")
    if not os.path.exists(path):  # unlike Path.exists, it returns False for a name that is too long
        raise InputError(f"There is no {name[:200]} in {root.name}.")
    return path


def locate(name) -> Path:
    """Resolve a name to a local file or folder: a path, the model of an installed package, or a downloaded repository.

    A hub repository is downloaded with its safetensors; its pickled weights only where it has no safetensors.
    """
    text = printable(name)
    path = Path(text)
    if os.path.exists(path):
        return path
    if text in PRETRAINED:
        return package_folder(text)
    if not REPOSITORY.fullmatch(text) or text.startswith(".") or ".." in text:
        raise InputError(
            f"There is no {text[:200]}; give the path of a checkpoint, a hub name like "
            f"owner/name, or one of {', '.join(PRETRAINED)}."
        )
    try:
        folder = Path(snapshot_download(text, allow_patterns=[*SMALL, "*.safetensors"]))
        if not any(folder.glob("*.safetensors")):
            folder = Path(snapshot_download(text, allow_patterns=[*SMALL, "*.bin", "*.pth"]))
    except LocalEntryNotFoundError:
        raise InputError(
            f"There is no folder {text} here, and the hub cannot be reached for one of that name; download it first."
        ) from None
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise InputError(f"The hub did not give {text} ({type(error).__name__}); check its name and access.") from None
    return folder


def fetch_config(name: str) -> Path | None:
    """Download a hub repository's config.json and tokenizer without its weights; None where it has no config.json."""
    try:
        folder = Path(snapshot_download(name, allow_patterns=SMALL))
    except (HfHubHTTPError, OSError, ValueError):
        return None
    return folder if (folder / "config.json").is_file() else None
