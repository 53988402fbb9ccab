"""Benchmark of recording 4,096 segments to disk: time per segment from first to last, memory against 64 segments.

Each length runs in a process of its own, so that its peak of resident memory is its own. Time is of the process.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch

from benchmarks.common import arguments, peak_rss, recurrent, report, stock
from rmt.recorder import record
from rmt.trace import Trace

N_MEMORY, VOCABULARY, EDGE = 10, 512, 100
LENGTHS = (64, 4096)


def run(n_segments: int, family: str, n: int, detail: str, path: Path) -> dict:
    """Record once in this process: seconds per segment, and peak memory."""
    shape = {"layers": 2, "width": 128, "heads": 4, "positions": n + 32, "vocabulary": VOCABULARY}
    model = recurrent(stock(family, **shape), n_memory=N_MEMORY, segment_length=n)
    ids = torch.randint(3, VOCABULARY, (n_segments * n,), generator=torch.Generator().manual_seed(2))
    record(model, ids[: 4 * n], detail=detail)  # what the first run alone pays
    began = time.perf_counter()
    at = [time.process_time()]
    record(model, ids, detail=detail, out=path, progress=lambda done, total: at.append(time.process_time()))
    wall = time.perf_counter() - began
    ms = [1e3 * (b - a) for a, b in pairwise(at)]
    began = time.perf_counter()
    Trace.open(path).segments[-1].mass.sum()
    opened = time.perf_counter() - began
    edge = min(EDGE, n_segments // 2)
    return {
        "segments": n_segments, "tokens": len(ids), "peak_rss_mb": round(peak_rss() / 1e6, 1),
        "file_mb": round(os.stat(path).st_blocks * 512 / 1e6, 1), "wall_s": round(wall, 2),
        "ms_per_segment": round(statistics.median(ms), 4), "open_and_read_last_ms": round(opened * 1e3, 2),
        "ms_first": round(statistics.median(ms[:edge]), 4), "ms_last": round(statistics.median(ms[-edge:]), 4),
        "last_over_first": round(statistics.median(ms[-edge:]) / statistics.median(ms[:edge]), 4),
    }  # fmt: skip


def main() -> None:
    """Measure each length in a process of its own and print the rows."""
    options = arguments(__doc__, family="gpt2", n=128, detail="thin", repeats=3, only=0)
    torch.set_num_threads(1)
    if options.only:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(run(options.only, options.family, options.n, options.detail, Path(folder) / "t")))
        return
    again = [sys.executable, "-m", "benchmarks.scaling", *sys.argv[1:]]
    rows = []
    for repeat in range(options.repeats):
        pair = {}
        for n_segments in LENGTHS:
            done = subprocess.run([*again, "--only", str(n_segments)], capture_output=True, text=True, check=True)
            pair[n_segments] = {"repeat": repeat, **json.loads(done.stdout.splitlines()[-1])}
        short, long = pair.values()
        long["rss_over_short"] = round(long["peak_rss_mb"] / short["peak_rss_mb"], 4)
        rows += [short, long]
    report(rows, options.json, family=options.family, n=options.n, detail=options.detail, n_memory=N_MEMORY)


if __name__ == "__main__":
    main()
