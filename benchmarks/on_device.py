"""Benchmark of recording on a GPU: seconds for a long document with thin maps, without, and in an eager loop.

The shape is BERT-base's, 4,096 segments of 512 tokens, bf16. `none` carries the memory and keeps nothing; `thin` makes
the maps beside it and has them on the host; `file` is all of `record(detail="thin")` to a disk; `eager` is the stock
model with eager attention asked for its attentions, fewer segments of it. Time is the clock's, the device waited for.
`python -m benchmarks.recording --device cuda` comes here.
"""

import tempfile
import time
from pathlib import Path

import torch

from benchmarks.common import Eager, interleave, ratio, recurrent, report, spread, stock
from rmt.model.cuda_graph import fast_unroll, fixed_step, observed
from rmt.model.unroll import unroll
from rmt.recorder import Recorder, record_all
from rmt.recorder.recorder import observer

N_MEMORY = 10
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def main(options) -> None:
    """Measure all variants and print the rows."""
    if torch.device(options.device).type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("There is no CUDA device here, so there is nothing to measure; leave out --device.")
    names = ("family", "layers", "width", "heads", "n")
    about = {name: getattr(options, name) for name in names}
    report(rows(options), options.json, shape=about, n_memory=N_MEMORY, rounds=options.rounds)


def rows(options) -> list[dict]:
    """A row for each variant; options as in `benchmarks.recording`."""
    with tempfile.TemporaryDirectory() as folder:
        runs, segments = variants(options, Path(folder))
        seconds = interleave(runs, options.rounds, clock=lambda: _now(options.device))
    per = {name: [s / segments[name] for s in seconds[name]] for name in runs}
    return [
        {
            "variant": name, "device": options.device, "precision": options.precision, "batch": options.batch,
            "segments": segments[name], "seconds": spread(seconds[name]),
            "ms_per_segment": spread([s * 1e3 for s in per[name]]), "time_over_none": ratio(per[name], per["none"]),
            "eager_over_this": ratio(per["eager"], per[name]),
        }
        for name in runs
    ]  # fmt: skip


def variants(options, folder: Path) -> tuple[dict, dict[str, int]]:
    """name -> (a function that reads a document, the document's number of segments)."""
    shape = {"layers": options.layers, "width": options.width, "heads": options.heads}
    shape |= {"positions": options.n + 32, "vocabulary": 30522}
    device, dtype = torch.device(options.device), PRECISIONS[options.precision]
    model = recurrent(stock(options.family, **shape), n_memory=N_MEMORY, segment_length=options.n).to(device, dtype)
    model.about.fingerprint = "benchmark"
    slow = Eager(stock(options.family, **shape, attention="eager").to(device, dtype), model.backbone)
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(3, 30522, (options.batch, options.segments * options.n), generator=generator).to(device)
    segments, watcher = model.split(ids), Recorder(model.backbone)
    few = segments[: options.eager_segments]

    @torch.inference_mode()
    def none() -> None:
        for _ in fast_unroll(model.cell, model.backbone, segments, state=model.cell.initial(options.batch)):
            pass

    @torch.inference_mode()
    def thin() -> None:
        observe, state = observer(model, watcher, "thin"), model.cell.initial(options.batch)
        step = fixed_step(model.cell, watcher, segments, state)
        if step:
            for _ in observed(step, segments, observe):
                pass
            return
        for seen in unroll(model.cell, watcher, segments, state=state):
            for value in observe(*seen).values():
                value.cpu()

    def file() -> None:
        paths = [folder / str(i) for i in range(options.batch)]
        for path in paths:
            path.unlink(missing_ok=True)
        record_all(model, ids, known=[{"out": path} for path in paths], detail="thin", loss=False)

    @torch.inference_mode()
    def eager() -> None:
        for _ in unroll(model.cell, slow, few, state=model.cell.initial(options.batch)):
            pass

    runs = {"none": none, "thin": thin, "file": file, "eager": eager}
    return runs, {name: len(few) if name == "eager" else len(segments) for name in runs}


def _now(device: str) -> float:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
