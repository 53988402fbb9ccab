"""Benchmark of recording: time and live memory of a run with thin maps, against a run without and an eager one.

Time is of the process (other work on the machine counts little), variants take turns round by round, ratios are of
the same round. `thin` runs the recorder over the segments; `file` is all of `record(detail="thin", out=...)` without
the loss. With --device cuda it is a long document on a GPU instead: see benchmarks.on_device, whose options are the
last six. Live memory is the most bytes of operators' outputs that were alive at once, seen from a dispatch mode.
"""

import tempfile
from pathlib import Path
from weakref import finalize

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks import on_device
from benchmarks.common import Eager, arguments, interleave, ratio, recurrent, report, spread, stock
from rmt.model.unroll import unroll
from rmt.recorder import Recorder, record

SEGMENTS = {128: 16, 512: 8, 1024: 4}  # read in a round, by their length n
N_MEMORY, VOCABULARY = 10, 512


class Alive(TorchDispatchMode):
    """Bytes of the tensors that operators made and that still exist; `peak` is the largest sum."""

    def __init__(self):
        super().__init__()
        self.now, self.peak, self.known = 0, 0, {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for item in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(item, torch.Tensor):
                self.count(item.untyped_storage())
        return result

    def count(self, storage) -> None:
        place = storage._cdata  # one storage, whichever view of it is seen
        if place in self.known:
            return
        self.known[place] = storage.nbytes()
        self.now += self.known[place]
        self.peak = max(self.peak, self.now)
        finalize(storage, self.drop, place)

    def drop(self, place: int) -> None:
        self.now -= self.known.pop(place, 0)


def peak(run) -> int:
    """The largest number of live bytes during a call."""
    with torch.inference_mode(), Alive() as alive:
        run()
    return alive.peak


def variants(family: str, n: int, folder: Path, *, layers: int, width: int, heads: int) -> dict:
    """name -> a function that runs SEGMENTS[n] segments of n tokens."""
    shape = {"layers": layers, "width": width, "heads": heads, "positions": n + 32, "vocabulary": VOCABULARY}
    model = recurrent(stock(family, **shape), n_memory=N_MEMORY, segment_length=n)
    model.about.fingerprint = "benchmark"
    slow = Eager(stock(family, **shape, attention="eager"), model.backbone)
    ids = torch.randint(3, VOCABULARY, (SEGMENTS[n] * n,), generator=torch.Generator().manual_seed(2))
    segments = model.split(ids[None])
    watched = Recorder(model.backbone)

    def read(backbone) -> None:
        with torch.inference_mode():
            for _ in unroll(model.cell, backbone, segments):
                pass

    def thin() -> None:
        with torch.inference_mode():
            for _ in unroll(model.cell, watched, segments):
                watched.arrays("thin")

    def file() -> None:
        path = folder / "t"
        path.unlink(missing_ok=True)
        record(model, ids, detail="thin", out=path, loss=False)

    return {"none": lambda: read(model.backbone), "thin": thin, "file": file, "eager": lambda: read(slow)}


def main() -> None:
    """Measure all variants and print the rows."""
    options = arguments(
        __doc__, device="cpu", rounds=0, layers=0, width=0, heads=0,
        family="bert", n=512, segments=4096, batch=1, precision="bf16", eager_segments=128,
    )  # fmt: skip
    sizes = {"rounds": 15, "layers": 4, "width": 256, "heads": 4}
    if options.device != "cpu":
        sizes = {"rounds": 5, "layers": 12, "width": 768, "heads": 12}
    for name, size in sizes.items():
        setattr(options, name, getattr(options, name) or size)
    if options.device != "cpu":
        on_device.main(options)
        return
    torch.set_num_threads(1)
    shape, rows = {"layers": options.layers, "width": options.width, "heads": options.heads}, []
    for family in ("gpt2", "bert"):
        for n in SEGMENTS:
            with tempfile.TemporaryDirectory() as folder:
                runs = variants(family, n, Path(folder), **shape)
                seconds = interleave(runs, options.rounds)
                bytes_alive = {name: peak(run) for name, run in runs.items()}
            for name in runs:
                rows.append(
                    {
                        "family": family, "n": n, "variant": name,
                        "ms_per_segment": spread([s / SEGMENTS[n] * 1e3 for s in seconds[name]]),
                        "time_over_none": ratio(seconds[name], seconds["none"]),
                        "peak_mb": round(bytes_alive[name] / 1e6, 2),
                        "peak_over_none": round(bytes_alive[name] / bytes_alive["none"], 3),
                        "eager_peak_over_this": round(bytes_alive["eager"] / bytes_alive[name], 3),
                    }
                )  # fmt: skip
    report(rows, options.json, shape=shape, n_memory=N_MEMORY, segments_a_round=SEGMENTS, rounds=options.rounds)


if __name__ == "__main__":
    main()
