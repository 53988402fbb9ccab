"""Tensors in files, read so that nothing in a file can run code or make us allocate more than the file holds."""

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from rmt.checkpoint.locate import printable
from rmt.errors import InputError

NAMED = (
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
    "model_best.pth",
)  # fmt: skip
ENDINGS = (".safetensors", ".bin", ".pth", ".pt")
OTHERS = ("optimizer", "scheduler", "training_args", "resume", "random_states", "scaler", "rng_state")
INSIDE = ("model_state_dict", "state_dict")  # where a trainer's file keeps the model among its own things
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
MAX_JSON = 64_000_000
# Trainers' files hold numpy scalars among their metrics; making one runs nothing.
HARMLESS = [
    *((np._core.multiarray.scalar, f"{module}.multiarray.scalar") for module in ("numpy.core", "numpy._core")),
    np.dtype, type(np.dtype("f8")), type(np.dtype("f4")), type(np.dtype("i8")), type(np.dtype("i4")),
]  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """Tensors by name, their shapes and types known before any is read."""

    files: tuple[Path, ...]
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, torch.dtype]
    read: Callable[[str], Tensor]

    def tensor(self, name: str) -> Tensor:
        """One tensor; raises InputError where it is not made of finite numbers."""
        tensor = self.read(name)
        # One pass and no copy: a sum in float64 is finite where all of its terms are, and not otherwise.
        if tensor.is_floating_point() and not tensor.sum(dtype=torch.float64).isfinite():
            raise InputError(
                f"{self.files[0].name} is damaged or its training diverged: {name} holds NaN or infinite numbers. "
                "Use an earlier checkpoint of the run."
            )
        return tensor

    @property
    def precision(self) -> str:
        """The type most numbers are stored in."""
        counts = {}
        for name, dtype in self.dtypes.items():
            counts[dtype] = counts.get(dtype, 0) + int(np.prod(self.shapes[name]))
        return str(max(counts, key=counts.get)).removeprefix("torch.") if counts else "none"

    def fingerprint(self) -> str:
        """What tells these weights from all others, in 16 characters."""
        digest = hashlib.sha256()
        for file in self.files:
            with open(file, "rb") as opened:
                while block := opened.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()[:16]


def find_weights(path: Path) -> list[Path]:
    """The files with a model's weights: the path itself, or those of a folder or of its model_best."""
    if path.is_file():
        return _shards(path) if path.name.endswith(".index.json") else [path]
    for name in NAMED:
        if (path / name).is_file():
            return find_weights(path / name)
    if (path / "model_best").is_dir():
        return find_weights(path / "model_best")
    files = [f for f in sorted(path.iterdir()) if f.name.endswith(ENDINGS) and not f.name.startswith(OTHERS)]
    files = [f for f in files if f.is_file() and not f.name.endswith(".trace.safetensors")]
    if len(files) == 1:
        return files
    if not files:
        raise InputError(
            f"{path} holds no weights (model.safetensors, pytorch_model.bin or *.pth); give another folder."
        )
    raise InputError(f"{path} holds {len(files)} files of weights ({', '.join(f.name for f in files[:3])}…); give one.")


def _shards(index: Path) -> list[Path]:
    names = read_json(index).get("weight_map")
    names = sorted(set(names.values())) if isinstance(names, dict) and _all_text(names.values()) else []
    if not names or any(Path(name).name != name for name in names):
        raise InputError(f"{index} does not list files beside it; copy it again.")
    missing = [name for name in names if not os.path.isfile(index.parent / name)]
    if missing:
        raise InputError(f"{index.parent} lacks {', '.join(missing[:3])}; copy the whole folder.")
    return [index.parent / name for name in names]


def _all_text(values: Iterable) -> bool:
    return all(isinstance(value, str) for value in values)


def read_json(path: Path) -> dict:
    """A JSON object from a file; raises InputError where it is anything else."""
    try:
        if path.stat().st_size > MAX_JSON:
            raise InputError(f"{path} is too large for a JSON file; give another.")
        value = json.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} is not JSON; copy it again.") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} is not a JSON object; copy it again.")
    return value


def open_weights(files: list[Path]) -> Weights:
    """Weights from safetensors or from pickled state dicts. Nothing pickled is run: see `_unpickle`."""
    shapes, dtypes, readers = {}, {}, {}
    for file in files:
        printable(file.name)
        found = _safetensors(file) if file.name.endswith(".safetensors") else _pickled(file)
        for name, (shape, dtype, read) in found.items():
            if not name.isprintable() or len(name) > 500:
                raise InputError(
                    f"{file.name} names a tensor {ascii(name)[:60]}; that is no name, copy the file again."
                )
            shapes[name], dtypes[name], readers[name] = shape, dtype, read
    if not shapes:
        raise InputError(f"{files[0]} holds no tensors; give another file.")
    return Weights(tuple(files), shapes, dtypes, lambda name: readers[name](name))


def _safetensors(file: Path) -> dict:
    try:  # the library checks every size the header claims against the file, and maps instead of reading
        opened = safe_open(file, "pt")
        found = {}
        for name in opened.keys():  # noqa: SIM118
            part = opened.get_slice(name)
            found[name] = tuple(part.get_shape()), FLOATS.get(part.get_dtype(), part.get_dtype()), opened.get_tensor
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{file} is damaged ({str(error)[:80]}); copy it again.") from None
    return found


def _pickled(file: Path) -> dict:
    content = _unpickle(file)
    if isinstance(content, dict):
        content = next((content[key] for key in INSIDE if isinstance(content.get(key), dict)), content)
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise InputError(f"{file} holds no state dict; save model.state_dict() and give that.")
    odd = next((name for name, value in content.items() if not _plain(value)), None)
    if odd is not None:
        raise InputError(
            f"{file} holds {ascii(odd)[:60]}, which is no plain tensor; save model.state_dict() and give that."
        )
    return {name: (tuple(v.shape), v.dtype, lambda _, v=v: v.detach()) for name, v in content.items()}


def _plain(value) -> bool:
    """Whether this is a dense tensor with every number of its own: one that repeats few could claim any size."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.device.type != "cpu":
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def _unpickle(file: Path):
    """torch.load of tensors and plain containers only, mapped from the file, not read.

    A compressed entry could unfold to any size, so the archive must store its entries as they are. The form from
    before torch 1.6 is no archive: it allocates what its header claims, and is refused.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
        if any(e.compress_type != zipfile.ZIP_STORED for e in entries):
            raise InputError(f"{file} is a compressed archive and not a file of weights; save it again.")
        if sum(e.file_size for e in entries) > file.stat().st_size:
            raise InputError(f"{file} claims more than it holds; copy it again.")
        with torch.serialization.safe_globals(HARMLESS):
            return torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except zipfile.BadZipFile:
        raise InputError(
            f"{file} is damaged, no file of weights, or written by a torch older than 1.6; copy it again, or save it "
            "as safetensors."
        ) from None
    except InputError:
        raise
    except Exception as error:  # whatever a damaged pickle makes the reader trip over
        if "Unsupported" in str(error) or "weights_only" in str(error).lower():
            raise InputError(
                f"{file} holds more than tensors: opening it would run code of whoever made it, so it was not opened. "
                "Save the state dict alone, best as safetensors."
            ) from None
        raise InputError(
            f"{file} is damaged or is no file of weights ({type(error).__name__}); copy it again."
        ) from None
