"""Benchmark of reading time and memory against length: RMT, a sliding window, full attention; one small decoder.

Each run has a process of its own, so that its peak of resident memory is its own, and may take --limit GB of memory
and --patience seconds; a method whose run did not fit is not tried at greater lengths. Time is of the process.
"""

import json
import resource
import subprocess
import sys
import time

import torch

from benchmarks.common import arguments, peak_rss
from rmt.backbone.families import backbone_config
from rmt.checkpoint.build import build
from rmt.cost import SHOWN, document
from rmt.model.provenance import versions
from rmt.model.unroll import unroll
from rmt.text.segments import Segment

SEGMENT, N_MEMORY, VOCABULARY = 512, 10, 2048
SHAPE = {"layers": 2, "width": 64, "heads": 4, "vocabulary": VOCABULARY, "positions": SEGMENT + 64}
METHODS = {  # the memory cell, its options, and whether the text is cut
    "RMT": ("rmt", {"n_memory": N_MEMORY}, True),
    "sliding window": ("sliding-window", {"n_memory": SEGMENT}, True),
    "full attention, fused": ("none", {}, False),
    "full attention, eager": ("none", {}, False),
}


class Text:
    """Random tokens, made when they are read: a text of any length takes no memory."""

    def __init__(self, n_tokens: int, length: int):
        self.n_segments, self.length = -(-n_tokens // length), length

    def __iter__(self):
        generator = torch.Generator().manual_seed(0)
        for _ in range(self.n_segments):
            yield Segment(torch.randint(3, VOCABULARY, (1, self.length), generator=generator))


def run(method: str, n_tokens: int) -> dict:
    """Measure one reading in this process."""
    cell, options, cut = METHODS[method]
    spec = {
        "cell": {"kind": cell, "options": options}, "segment_length": SEGMENT,
        "backbone": backbone_config("llama", **SHAPE),
    }  # fmt: skip
    model = build(spec)
    if method.endswith("eager"):
        model.backbone.model.set_attn_implementation("eager")
    with torch.inference_mode():
        for _ in unroll(model.cell, model.backbone, [Segment(torch.zeros(1, 64).long())], state=model.cell.initial(1)):
            pass  # what the first run alone pays
        before = peak_rss()
        began = time.process_time()
        pages = Text(n_tokens, SEGMENT if cut else n_tokens)
        for _ in unroll(model.cell, model.backbone, pages, state=model.cell.initial(1)):
            pass
    seconds = time.process_time() - began
    return {
        "method": method,
        "tokens": n_tokens,
        "seconds": round(seconds, 4),
        "peak_bytes": peak_rss(),
        "empty_bytes": before,
    }


def main() -> None:
    """Measure each method at each length, each in a process of its own, and print the rows."""
    options = arguments(__doc__, limit=4.0, patience=120, longest=2_097_152, repeats=3, method="", tokens=0)
    torch.set_num_threads(1)
    if options.method:
        room = int(options.limit * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (room, room))
        print(json.dumps(run(options.method, options.tokens)))
        return
    measured, misfits = [], []
    for method in METHODS:
        tokens = SEGMENT
        while tokens <= options.longest:
            rows = [_apart(method, tokens, options) for _ in range(options.repeats if tokens < 100_000 else 1)]
            if not all(rows):
                misfits.append({"method": method, "tokens": tokens})
                break
            measured.append(min(rows, key=lambda row: row["seconds"]))
            if measured[-1]["seconds"] * (2 if METHODS[method][2] else 4) > options.patience:
                break
            tokens *= 2
    about = {
        "command": " ".join(["python -m benchmarks.methods", *sys.argv[1:]]),
        "measured_on": {
            "threads": 1,
            "layers": SHAPE["layers"],
            "width": SHAPE["width"],
            "heads": SHAPE["heads"],
            "segment": SEGMENT,
            "n_memory": N_MEMORY,
            "window": SEGMENT,
            "limit_bytes": int(options.limit * 2**30),
            "family": "llama",
            "device": "cpu",
            "repeats": options.repeats,
            "versions": versions(),
        },
        "keys": {
            "seconds": "of processor time, the best of the repeats",
            "peak_bytes": "resident memory of the process",
            "empty_bytes": "the same before the text",
            "misfits": "runs that did not fit into the limit",
        },
    }
    whole = {**document(SHOWN), **about, "measured": measured, "misfits": misfits}
    print(json.dumps(whole, indent=1) if options.json else "\n".join(map(str, [*measured, *misfits])))


def _apart(method: str, tokens: int, options) -> dict | None:
    """Measure one run in a process of its own; None where it did not fit."""
    again = [sys.executable, "-m", "benchmarks.methods", "--method", method, "--tokens", str(tokens)]
    done = subprocess.run([*again, "--limit", str(options.limit)], capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if "memory" not in done.stderr.lower() and done.returncode != -9:
        sys.exit(done.stderr)
    return None


if __name__ == "__main__":
    main()
