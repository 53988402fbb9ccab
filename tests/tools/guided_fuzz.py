"""Coverage-guided bad input, with atheris: what does the trace reader, the inspector, a change, the address do with it?

`.fuzz/bin/python tests/tools/guided_fuzz.py TARGET -runs=20000`, TARGET one of trace, checkpoint, change, address; what
follows are options of libFuzzer. `make fuzz` runs all four. Whatever is raised but InputError ends the run and leaves
the input in a file, and so does an input of more than two seconds of work.
"""

import contextlib
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path
from urllib.parse import parse_qsl

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

import atheris  # noqa: E402
import numpy  # noqa: E402, F401
import torch  # noqa: E402, F401

with atheris.instrument_imports(include=["rmt", "rmt_viz"]):
    from rmt import trace as traces
    from rmt.checkpoint import inspect
    from rmt.errors import InputError
    from rmt.intervene import changes
    from rmt_viz.server import address

LONGEST = 2  # seconds of work
FILES = ("config.json", "model.safetensors", "tokenizer.json")
LIMITS = {"segment": 8, "layer": 2, "range": 8, "beside": 8, "how": ["mean"], "with": ["toy"], "trace": ["toy"],
          "change": None}  # fmt: skip
WORK = Path(tempfile.mkdtemp(prefix="rmt-fuzz-"))


def trace(data: bytes) -> None:
    """A trace file with these bytes."""
    path = WORK / "toy.trace.safetensors"
    path.write_bytes(data)
    assert all(isinstance(problem, str) for problem in traces.validate(path))
    with contextlib.suppress(InputError):
        opened = traces.Trace.open(path)
        opened.check_text()
        assert len(opened.segments[:2]) <= 2 and opened.n_segments >= 1


def checkpoint(data: bytes) -> None:
    """A sound checkpoint, of which one file, as the first byte says, has the other bytes."""
    folder = WORK / "checkpoint"
    name = FILES[data[0] % len(FILES)] if data else FILES[0]
    (folder / name).write_bytes(data[1:])
    try:
        with contextlib.suppress(InputError):
            inspect(folder)
    finally:
        shutil.copyfile(WORK / "sound" / name, folder / name)


def change(data: bytes) -> None:
    """The interventions' language; what is understood is written as it is read."""
    with contextlib.suppress(InputError):
        parsed = changes.parse(atheris.FuzzedDataProvider(data).ConsumeUnicode(400))
        assert changes.parse(changes.write(parsed)) == parsed


def view(data: bytes) -> None:
    """A query string."""
    query = atheris.FuzzedDataProvider(data).ConsumeUnicode(400)
    values = address.read(dict(parse_qsl(query)), LIMITS, {"segment": 1})
    assert 1 <= values["segment"] <= 8 and values.keys() == LIMITS.keys()


def seeds(target: str) -> Path:
    """A folder of inputs to begin with."""
    folder = WORK / "seeds"
    folder.mkdir()
    shutil.copytree(ROOT / "assets" / "checkpoints" / "memorize", WORK / "sound")
    shutil.copytree(WORK / "sound", WORK / "checkpoint")
    if target == "trace":
        from conftest import write_trace

        options = {"segments": 2, "fact": None, "length": 4, "layers": 1, "heads": 1}
        write_trace(folder / "toy", **options)
    elif target == "checkpoint":
        for i, name in enumerate(FILES):
            (folder / name).write_bytes(bytes([i]) + (WORK / "sound" / name).read_bytes()[:8000])
    else:
        texts = ["reset@3", "swap@2-4/1,2;reset@5", "trace=toy&segment=3&change=reset%403", "range=3-7&beside=beats"]
        for i, text in enumerate(texts):
            (folder / str(i)).write_bytes(b"\x01" + text.encode())  # the first byte: one byte a character
    return folder


TARGETS = {"trace": trace, "checkpoint": checkpoint, "change": change, "address": view}


def main() -> None:
    target, folder = TARGETS[sys.argv[1]], seeds(sys.argv[1])
    warnings.simplefilter("ignore")

    def timed(data: bytes) -> None:
        modules, began = len(sys.modules), time.process_time()
        target(data)
        assert time.process_time() - began < LONGEST or len(sys.modules) > modules

    timed(b"")  # imports what it needs
    atheris.Setup([sys.argv[0], *sys.argv[2:], "-max_len=20000", "-timeout=120", str(folder)], timed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
