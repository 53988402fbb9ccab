"""The file format of a trace: its arrays, and how its header is read and checked. Numpy only.

The header comes first and never changes; the arrays follow at their full size (sparse until written); `done` counts
the segments that are whole.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import NoneType

import numpy as np

from rmt.errors import InputError
from rmt.trace.stored import OpenFile

SCHEMA = "rmt-trace-1"
DETAILS = ("memory", "summary", "thin")
DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "|u1"}
NAMES = {np.dtype(v): k for k, v in DTYPES.items()}
MAX_HEADER = 100_000_000  # as in the safetensors format

# name -> type, axes (letters as in rmt.trace; "S+" is S + 1), least detail that has it; larger types first
ARRAYS = {
    "done": ("<i8", ("1",), "memory"),
    "crc": ("<i8", ("S+",), "memory"),
    "starts": ("<i8", ("S+",), "memory"),
    "token_ends": ("<i8", ("Tn",), "memory"),
    "memory": ("<f4", ("S+", "M", "D"), "memory"),
    "ids": ("<i4", ("Tn",), "memory"),
    "asked": ("<f4", ("S+", "C"), "memory"),
    "asked_each": ("<f4", ("S+", "Q", "C"), "memory"),
    "truths": ("<i4", ("S+", "Q"), "memory"),
    "probabilities": ("<f4", ("C",), "memory"),
    "loss": ("<f4", ("Tn",), "memory"),
    "mass": ("<f4", ("S", "L", "H", "4"), "summary"),
    "answer_read": ("<f4", ("S", "L", "H", "R"), "summary"),
    "token_write": ("<f4", ("Tn",), "summary"),
    "token_read": ("<f4", ("Tn",), "summary"),
    "read": ("<f2", ("S", "L", "H", "T", "R"), "thin"),
    "write": ("<f2", ("S", "L", "H", "W", "T"), "thin"),
    "token_text": ("|u1", ("bytes",), "memory"),
}
QUESTIONS = ("asked_each", "truths")  # where the run has questions that are put to every state, as none had once
FIXED = ("starts", "token_ends", "ids", "token_text", "memory", "truths")  # known before the run; of memory the first
SEGMENT = ("memory", "loss", "mass", "answer_read", "token_write", "token_read", "read", "write")  # of each segment

# What is read of the run's account, and of what made it; more may stand there.
META = {
    "task": (str, NoneType), "label": (int, NoneType), "control": (str, NoneType), "seed": (int, NoneType),
    "causal": (bool,), "segment_length": (int,), "head": (str,),
}  # fmt: skip
MADE_BY = {
    "checkpoint": (str,), "fingerprint": (str,), "layers": (int,), "heads": (int,), "n_memory": (int,),
    "parameters": (int,),
}  # fmt: skip
MOST, LONGEST = 1 << 53, 500  # of a number, that JavaScript takes it; of a text


def arrays_at(detail: str, questions: Sequence = ()) -> list[str]:
    """Names of the arrays that a trace of this detail has. questions: those that are put to every state."""
    known = [name for name in ARRAYS if questions or name not in QUESTIONS]
    return [name for name in known if DETAILS.index(ARRAYS[name][2]) <= DETAILS.index(detail)]


def segment_parts(arrays: dict, index: int, start: int, end: int) -> Iterator[tuple[str, slice]]:
    """Yield (array, slice) of the items of a segment of tokens start to end, in the order in which they are written."""
    for name in SEGMENT:
        if name in arrays:
            first = {"S": index, "S+": index + 1, "Tn": start}[ARRAYS[name][1][0]]
            yield name, slice(first, first + (end - start if ARRAYS[name][1][0] == "Tn" else 1))


def is_trace(path: Path) -> bool:
    """Whether a file begins like a trace; it may be damaged further on."""
    try:
        with open(path, "rb") as file:
            head = file.read(200)
    except OSError:
        return False
    return b'"__metadata__"' in head and SCHEMA.rpartition("-")[0].encode() in head


def read_header(path: Path) -> tuple[dict, int, OpenFile]:
    """The header of a trace, where its data begins, and its file; every claim it makes checked against the file."""
    try:
        file = OpenFile(path)
        length = int.from_bytes(file.read(0, min(8, file.size)), "little")
        if file.size < 8 or length > min(file.size - 8, MAX_HEADER):
            raise InputError(f"{path.name} is not a trace: its header does not fit the file. Record it again.")
        header = json.loads(file.read(8, length))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the path of a trace file.") from None
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise InputError(f"{path.name} is not a trace: its header is not JSON. Record it again.") from None
    try:
        problem = _header_problem(header, file.size - 8 - length)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        problem = f"its header lacks or garbles {str(error)[:60]}"
    if problem:
        raise InputError(f"{path.name} is not a whole trace: {problem}. Record it again.")
    return header, 8 + length, file


def _header_problem(header, room: int) -> str | None:
    meta = json.loads(header["__metadata__"]["trace"])
    try:
        json.dumps(meta, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can escape and nothing can show
        return "a text in its header is no Unicode"
    if meta["schema"] != SCHEMA:
        return f"its schema is {str(meta['schema'])[:40]!r}, this version reads {SCHEMA!r}"
    if meta["detail"] not in DETAILS:
        return f"its level of detail is {str(meta['detail'])[:40]!r}, none of {', '.join(DETAILS)}"
    questions = meta.get("questions", [])
    missing = [name for name in arrays_at(meta["detail"], questions) if name not in header and name != "crc"]
    if missing:
        return f"it lacks {', '.join(missing)}"
    sizes = {"1": 1, "4": 4, "C": len(meta["classes"]), "Q": len(questions)}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if name not in ARRAYS:
            return f"{ascii(name)[:40]} is no array of a trace"
        problem = _entry_problem(entry, room) or _shape_problem(ARRAYS[name][1], entry["shape"], sizes)
        if problem:
            return f"{name} {problem}"
    return _meta_problem(meta, sizes)


def _entry_problem(entry: dict, room: int) -> str | None:
    begin, end = entry["data_offsets"]
    items = 1
    for n in entry["shape"]:
        if type(n) is not int or n < 0:
            return "has an impossible shape"
        items *= n
    if entry["dtype"] not in DTYPES or items * np.dtype(DTYPES[entry["dtype"]]).itemsize != end - begin:
        return "has a size that its shape and type do not give"
    if not 0 <= begin <= end <= room:
        return "lies past the end of the file, which was cut short"
    return None


def _shape_problem(axes: tuple[str, ...], shape: list[int], sizes: dict[str, int]) -> str | None:
    """Axes of one letter must agree over all arrays; `sizes` collects them."""
    if len(axes) != len(shape):
        return f"has {len(shape)} axes where {len(axes)} are needed"
    for axis, n in zip(axes, shape, strict=True):
        letter, n = (axis[0], n - 1) if axis == "S+" else (axis, n)
        if n != sizes.setdefault(letter, n) or (letter in ("S", "Tn") and n < 1):
            return f"has the shape {tuple(shape)}, which does not fit the other arrays"
    return None


def _meta_problem(meta: dict, sizes: dict[str, int]) -> str | None:
    made = meta["made_by"]
    for values, kinds in ((meta, META), (made, MADE_BY)):
        for name, kind in kinds.items():
            value = values[name]
            if type(value) not in kind or (type(value) is int and not 0 <= value < MOST) or len(str(value)) > LONGEST:
                return f"its {name.replace('_', ' ')} is {ascii(value)[:40]}"
    if not all(isinstance(name, str) for name in meta["classes"]):
        return "its classes are not words"
    for question in meta.get("questions", []):
        if not all(type(question[part]) is str and len(question[part]) <= LONGEST for part in ("name", "text")):
            return f"a question of it is {ascii(question)[:60]}"
    for span in meta["spans"]:
        at = span["start"], span["end"]
        if not (
            isinstance(span["kind"], str) and all(type(i) is int for i in at) and 0 <= at[0] <= at[1] <= sizes["Tn"]
        ):
            return f"a span lies outside the text ({str(span)[:60]})"
    if "L" in sizes and (made["layers"], made["heads"]) != (sizes["L"], sizes["H"]):
        return "its layers and heads are not those of its arrays"
    return None
