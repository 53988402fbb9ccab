"""Records the same small document to a path again and again, each time in a child process, as the caller says.

Lines in: a path, and after how many seconds to kill the child (or -1). Lines out: the child's exit status and seconds.
Run by test_trace.py: importing torch once and forking is what makes many kills affordable.
"""

import os
import signal
import sys
import time

import numpy as np
import torch
from families import VOCABULARY, make

from rmt.backbone import HFBackbone
from rmt.memory import CELLS
from rmt.model import Model
from rmt.recorder import record
from rmt.tasks.base import Span

SEGMENTS, LENGTH = 60, 8


def main() -> None:
    torch.manual_seed(0)
    backbone = HFBackbone(make("bert"), cls_id=1, sep_id=2)
    cell = CELLS["rmt"].fit(backbone, n_memory=3)
    model = Model(backbone, cell, segment_length=LENGTH).eval().requires_grad_(False)
    model.about.classes = list("abcde")
    ids = np.random.default_rng(0).integers(3, VOCABULARY, SEGMENTS * LENGTH - 3)
    spans = [Span("question", len(ids) - 5, len(ids))]
    for line in sys.stdin:
        path, delay = line.split()
        began = time.monotonic()
        child = os.fork()
        if not child:
            record(model, ids, detail="thin", out=path, spans=spans)
            os._exit(0)
        if float(delay) >= 0:
            time.sleep(float(delay))
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
        print(status, time.monotonic() - began, flush=True)


if __name__ == "__main__":
    main()
