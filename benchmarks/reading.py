"""Benchmark of scoring at 64 to 4,096 segments: the slope of time against length, and memory against 64 segments.

Each length runs in a process of its own, so that its peak of resident memory is its own. Time is of the process, the
best of the repeats, without what a first short evaluation has paid.
"""

import json
import subprocess
import sys
import time

import numpy as np
import torch

from benchmarks.common import arguments, peak_rss, report
from rmt.checkpoint import load
from rmt.evaluate import evaluate

LENGTHS = (64, 256, 1024, 4096)


def run(checkpoint: str, n_segments: int, samples: int) -> dict:
    """Measure one scoring in this process."""
    model = load(checkpoint, device="cpu")
    next(evaluate(model, segments=[2], samples=samples, precision="bf16"))
    began = time.process_time()
    row = next(evaluate(model, segments=[n_segments], samples=samples, precision="bf16"))
    seconds = time.process_time() - began
    return {
        "segments": n_segments, "tokens": row["tokens"], "samples": samples, "seconds": round(seconds, 3),
        "ms_per_segment": round(1e3 * seconds / n_segments / samples, 4), "peak_rss_mb": round(peak_rss() / 1e6, 1),
    }  # fmt: skip


def main() -> None:
    """Measure each length in a process of its own and print the rows."""
    options = arguments(__doc__, checkpoint="assets/checkpoints/detect-long", samples=4, repeats=3, only=0)
    torch.set_num_threads(1)
    if options.only:
        print(json.dumps(run(options.checkpoint, options.only, options.samples)))
        return
    again = [sys.executable, "-m", "benchmarks.reading", "--checkpoint", options.checkpoint]
    again += ["--samples", str(options.samples), "--only"]
    rows = []
    for n_segments in LENGTHS:
        scorings = []
        for _ in range(options.repeats):
            done = subprocess.run([*again, str(n_segments)], capture_output=True, text=True, check=True)
            scorings.append(json.loads(done.stdout.splitlines()[-1]))
        rows.append(
            {**min(scorings, key=lambda row: row["seconds"]), "peak_rss_mb": max(r["peak_rss_mb"] for r in scorings)}
        )
    slope = np.polyfit(np.log([r["segments"] for r in rows]), np.log([r["seconds"] for r in rows]), 1)[0]
    about = {
        "slope": round(float(slope), 4),
        "memory_ratio": round(rows[-1]["peak_rss_mb"] / rows[0]["peak_rss_mb"], 4),
    }
    report(rows, options.json, checkpoint=options.checkpoint, **about)
    if not options.json:
        print(*(f"{key} {value}" for key, value in about.items()), sep="\n")


if __name__ == "__main__":
    main()
