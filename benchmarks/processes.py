"""One evaluation by 1, 2 and 4 processes on this machine: the same table, and how many times as fast.

Each is `rmt evaluate --json` under torchrun, with one thread a process. Starting takes as long as the same command with
a sample of one segment for each process, and is left out of the speed-up. More processes than cores are no faster than
as many as there are.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.common import arguments, report

ROOT = Path(__file__).parents[1]
COMMAND = ["-m", "rmt", "evaluate", str(ROOT / "assets" / "checkpoints" / "detect"), "--device", "cpu", "--json"]


def evaluated(processes: int, segments: int, samples: int, batch: int) -> tuple[list[dict], float]:
    """The rows of the table without their times, and the seconds from the start of the command to its end."""
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    work = ["--segments", str(segments), "--samples", str(samples), "--batch", str(batch)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command, began = [sys.executable, *launch, *COMMAND, *work], time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    rows = json.loads(done.stdout)["results"]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows], time.monotonic() - began


def main() -> None:
    given = arguments(__doc__, segments=20, samples=64, batch=8)
    rows, table, alone = [], None, 0.0
    for processes in (1, 2, 4):
        start = evaluated(processes, 1, processes, 1)[1]
        found, whole = evaluated(processes, given.segments, given.samples, given.batch)
        table, alone = table or found, alone or whole - start
        assert found == table, f"{processes} processes found {found}, one found {table}"
        figures = {"seconds": round(whole - start, 1), "start": round(start, 1)}
        figures |= {"times_as_fast": round(alone / (whole - start), 2), "load_average": round(os.getloadavg()[0], 1)}
        rows.append({"what": f"{processes} processes", **figures})
    report(rows, given.json)


if __name__ == "__main__":
    main()
