"""Read tensors from files so that no file can run code or make the program allocate more than it holds."""

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from rmt.checkpoint.locate import printable
from rmt.errors import InputError
from rmt.text.outside import refuse_pointer

NAMED = (
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
    "model_best.pth",
)  # fmt: skip
ENDINGS = (".safetensors", ".bin", ".pth", ".pt", ".ckpt")
OTHERS = (
    "optimizer", "scheduler", "training_args", "resume", "random_states", "scaler", "rng_state", "adapter_", "zero_pp_",
    "bf16_zero_pp_", "trainer_state", "scheduler_", "sampler",
)  # fmt: skip
INSIDE = ("model_state_dict", "state_dict", "module", "model")  # keys under which a trainer's file holds the weights
# What torch.compile, FSDP and activation checkpointing insert into tensor names, at any place.
WRAPPERS = re.compile(r"(?<![^.])(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
SHARED = ("module.", "model.memory_cell.")  # prefixes of every name: by data parallelism, by Lightning around an RMT
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
INNER = re.compile(r"(?:checkpoint|epoch|step)[-_](\d+)")
ADAPTERS = ("adapter_model.safetensors", "adapter_model.bin")
MAX_JSON = 64_000_000
# Types that may be unpickled: trainers' files hold numpy scalars among their metrics, and these run no code.
HARMLESS = [
    *((np._core.multiarray.scalar, f"{module}.multiarray.scalar") for module in ("numpy.core", "numpy._core")),
    np.dtype, type(np.dtype("f8")), type(np.dtype("f4")), type(np.dtype("i8")), type(np.dtype("i4")),
]  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """The tensors of a checkpoint by name; shapes and types are known before any tensor is read."""

    files: tuple[Path, ...]
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, torch.dtype]
    read: Callable[[str], Tensor]
    left_off: str | None = None  # prefixes and infixes of the names in the file that the names here lack

    def tensor(self, name: str) -> Tensor:
        """Read one tensor. Raises InputError where it holds NaN or infinite numbers."""
        tensor = self.read(name)
        # One pass and no copy: a sum in float64 is finite where all of its terms are, and not otherwise.
        if tensor.is_floating_point() and not tensor.sum(dtype=torch.float64).isfinite():
            raise InputError(
                f"{self.files[0].name} is damaged or its training diverged: {name} holds NaN or infinite numbers. "
                "Use an earlier checkpoint of the run."
            )
        return tensor

    def renamed(self, names: dict[str, str], left_off: str) -> "Weights":
        """The same tensors under other names, of a dict new name -> old name; the others are left out."""
        shapes = {new: self.shapes[old] for new, old in names.items()}
        dtypes = {new: self.dtypes[old] for new, old in names.items()}
        return replace(self, shapes=shapes, dtypes=dtypes, read=lambda name: self.read(names[name]), left_off=left_off)

    @property
    def precision(self) -> str:
        """The type that most of the numbers are stored in."""
        counts = {}
        for name, dtype in self.dtypes.items():
            counts[dtype] = counts.get(dtype, 0) + int(np.prod(self.shapes[name]))
        return str(max(counts, key=counts.get)).removeprefix("torch.") if counts else "none"

    def fingerprint(self) -> str:
        """A SHA-256 of the files, cut to 16 characters."""
        digest = hashlib.sha256()
        for file in self.files:
            with open(file, "rb") as opened:
                while block := opened.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()[:16]


def find_weights(path: Path) -> list[Path]:
    """Find the files with a model's weights: the path itself, or those in a folder, its model_best or latest step.

    Raises InputError where there are none, or several to choose from.
    """
    if path.is_file():
        return _shards(path) if path.name.endswith(".index.json") else [path]
    for name in NAMED:
        if (path / name).is_file():
            return find_weights(path / name)
    if (path / "model_best").is_dir():
        return find_weights(path / "model_best")
    inside = inner_checkpoints(path)
    if inside and not any(f.name.endswith(ENDINGS) and not f.name.startswith(OTHERS) for f in path.iterdir()):
        return find_weights(inside[-1])
    files = [f for f in sorted(path.iterdir()) if f.name.endswith(ENDINGS) and not f.name.startswith(OTHERS)]
    files = [f for f in files if f.is_file() and not f.name.endswith((".trace.safetensors", "_optim_states.pt"))]
    if len(files) == 1:
        return files
    if not files:
        parts = [f.name for f in sorted(path.iterdir()) if f.name.startswith(("zero_pp_", "bf16_zero_pp_"))]
        if parts:
            raise InputError(
                f"{path} holds parts of a model as DeepSpeed's ZeRO divides it ({parts[0]}…); run the zero_to_fp32.py "
                "that DeepSpeed left beside it, and give what that makes."
            )
        raise InputError(
            f"{path} holds no weights that this program knows (model.safetensors, pytorch_model.bin, *.pth, *.pt or "
            "*.ckpt); give another folder."
        )
    raise InputError(f"{path} holds {len(files)} files of weights ({', '.join(f.name for f in files[:3])}…); give one.")


def inner_checkpoints(path: Path) -> list[Path]:
    """List the checkpoint folders inside a run's folder, earliest first.

    Trainer calls them checkpoint-500, accelerate epoch_1, step_100 or checkpoint_3.
    """
    folders = [f for f in path.iterdir() if INNER.fullmatch(f.name) and f.is_dir()] if path.is_dir() else []
    if (path / "checkpoints").is_dir():
        folders += [f for f in (path / "checkpoints").iterdir() if INNER.fullmatch(f.name) and f.is_dir()]
    with_weights = [f for f in folders if any((f / name).is_file() for name in (*NAMED, *ADAPTERS))]
    return sorted(with_weights, key=lambda f: (int(INNER.fullmatch(f.name)[1]), f.stat().st_mtime))


def _shards(index: Path) -> list[Path]:
    """List the files that an index of a sharded model names. Raises InputError where one is not beside it."""
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
    """Read a JSON object from a file. Raises InputError for anything else."""
    try:
        if path.stat().st_size > MAX_JSON:
            raise InputError(f"{path} is too large for a JSON file; give another.")
        content = path.read_bytes()
        value = json.loads(content)  # accepts UTF-8 and UTF-16, with a byte order mark or without
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None
    except InputError:
        raise
    except (ValueError, RecursionError):
        refuse_pointer(path, content)
        raise InputError(f"{path} is not JSON; copy it again.") from None
    if not isinstance(value, dict):
        raise InputError(f"{path} is not a JSON object; copy it again.")
    return value


def open_weights(files: list[Path]) -> Weights:
    """Open weights in safetensors or pickled state dicts. No pickled code is run: see `_unpickle`."""
    shapes, dtypes, readers = {}, {}, {}
    for file in files:
        printable(file.name)
        _refuse_pointer_file(file)
        tensors = _safetensors(file) if file.name.endswith(".safetensors") else _pickled(file)
        for name, (shape, dtype, read) in tensors.items():
            if not name.isprintable() or len(name) > 500:
                raise InputError(
                    f"{file.name} names a tensor {ascii(name)[:60]}; that is no name, copy the file again."
                )
            shapes[name], dtypes[name], readers[name] = shape, dtype, read
    if not shapes:
        raise InputError(f"{files[0]} holds no tensors; give another file.")
    return _unwrapped(Weights(tuple(files), shapes, dtypes, lambda name: readers[name](name)))


def _refuse_pointer_file(file: Path) -> None:
    try:
        refuse_pointer(file)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}).") from None


def _unwrapped(weights: Weights) -> Weights:
    """Rename tensors to what they were called before the model was wrapped by torch.compile, FSDP, Lightning, …"""
    names = {WRAPPERS.sub("", name): name for name in weights.shapes}
    if len(names) < len(weights.shapes):  # two tensors would have one name
        return weights
    removed = {match[0] for name in weights.shapes for match in WRAPPERS.finditer(name)}
    while prefix := next((p for p in SHARED if all(name.startswith(p) for name in names)), None):
        prefix = prefix.partition(".")[0] + "."
        names = {name.removeprefix(prefix): old for name, old in names.items()}
        removed.add(prefix)
    return weights.renamed(names, ", ".join(sorted(removed))) if removed else weights


def _safetensors(file: Path) -> dict:
    """Map each tensor's name in a safetensors file to (shape, type, function that reads it)."""
    try:  # the library checks every size the header claims against the file, and maps instead of reading
        opened = safe_open(file, "pt")
        tensors = {}
        for name in opened.keys():  # noqa: SIM118
            part = opened.get_slice(name)
            tensors[name] = tuple(part.get_shape()), FLOATS.get(part.get_dtype(), part.get_dtype()), opened.get_tensor
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(f"{file} is damaged ({str(error)[:80]}); copy it again.") from None
    return tensors


def _pickled(file: Path) -> dict:
    """Map each tensor's name in a pickled state dict to (shape, type, function that reads it)."""
    content = _unpickle(file)
    if isinstance(content, dict):
        content = next((content[key] for key in INSIDE if _state_dict(content.get(key))), content)
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise InputError(f"{file} holds no state dict; save model.state_dict() and give that.")
    odd = next((name for name, value in content.items() if not _plain(value)), None)
    if odd is not None:
        raise InputError(
            f"{file} holds {ascii(odd)[:60]}, which is no plain tensor; save model.state_dict() and give that."
        )
    return {name: (tuple(v.shape), v.dtype, lambda _, v=v: v.detach()) for name, v in content.items()}


def _state_dict(value) -> bool:
    return isinstance(value, dict) and any(isinstance(item, Tensor) for item in value.values())


def _plain(value) -> bool:
    """Whether a value is a dense CPU tensor with storage for every number: a strided view could claim any size."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.device.type != "cpu":
        return False
    return value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def _unpickle(file: Path):
    """Load tensors and plain containers alone with torch.load, memory-mapped from the file.

    A compressed entry could expand to any size, so the archive must store its entries uncompressed. The format from
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
    except Exception as error:  # a damaged pickle can raise anything
        if "Unsupported" in str(error) or "weights_only" in str(error).lower():
            raise InputError(
                f"{file} holds more than tensors: opening it would run code of whoever made it, so it was not opened. "
                "Save the state dict alone, best as safetensors."
            ) from None
        raise InputError(
            f"{file} is damaged or is no file of weights ({type(error).__name__}); copy it again."
        ) from None
