"""Checks and measurements of everything that runs differently on a GPU, on the GPU of this machine.

Nine parts, each in a process of its own, so that a fault in one stops no other: (1) tests marked gpu, (2) the private
kernels' own trials, (3) captured graphs against the plain loop, (4) thin maps against float64, (5) the cost of
recording, (6) throughput of training and of evaluation, (7) peak memory, (8) what-if, facts and attribution against
the CPU, (9) layers of neighbouring segments run at once. A verdict is printed as soon as it is known; DIR/gpu.json
holds all of them so far, DIR/gpu.log what the parts said otherwise. With --device cpu nothing is captured and (2) is of
the CPU's kernel: that tries this command.
"""

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.verdicts import MARK, Verdicts, readable

ROOT = Path(__file__).parent.parent
LEAST = 5  # seconds under which no part is begun
GRACE = 20  # seconds that a part has beyond its own, to start and to end what it is at


@dataclass(frozen=True)
class Part:
    """A part of the checks: its module and function, and how many seconds it may take."""

    name: str
    module: str
    function: str
    seconds: int


CHECKS, CAUSES, SPEED = "benchmarks.gpu_checks", "benchmarks.gpu_causes", "benchmarks.gpu_speed"
GRAPHS, MEMORY, DIAGONAL = "benchmarks.gpu_graphs", "benchmarks.gpu_memory", "benchmarks.gpu_diagonal"
PARTS = {
    2: Part("kernels", CHECKS, "kernels", 60),
    3: Part("graph", GRAPHS, "graphs", 100),
    4: Part("maps", CHECKS, "maps", 60),
    8: Part("causes", CAUSES, "causes", 100),
    1: Part("tests", CHECKS, "tests", 110),
    5: Part("recording", SPEED, "recording", 110),
    6: Part("throughput", SPEED, "throughput", 80),
    7: Part("memory", MEMORY, "memory", 40),
    9: Part("diagonal", DIAGONAL, "diagonals", 110),
}
TOGETHER = (2, 3, 4, 8, 1)  # right or wrong does not depend on what else runs; the others are timed, one by one


class Run:
    """The parts of one call and their verdicts so far."""

    def __init__(self, options: argparse.Namespace):
        self.options, self.until = options, time.monotonic() + options.minutes * 60
        self.folder = Path(options.out) if options.out else None
        self.lock = threading.Lock()
        command = " ".join(["python -m benchmarks.gpu", *sys.argv[1:]])
        self.results = {"command": command, "started": time.strftime("%Y-%m-%d %H:%M"), "machine": {}, "parts": {}}
        if self.folder:
            self.folder.mkdir(parents=True, exist_ok=True)
        self.log = open(self.folder / "gpu.log" if self.folder else os.devnull, "w")  # noqa: SIM115

    def part(self, number: int) -> None:
        """Run one part in a process of its own, for as long as it may, and keep its verdicts."""
        part, began = PARTS[number], time.monotonic()
        entry = {"name": part.name, "ended": "running", "seconds": 0.0, "verdicts": []}
        with self.lock:
            self.results["parts"][str(number)] = entry
        left = min(part.seconds, self.until - began - LEAST)
        if left < LEAST:
            entry["ended"] = "no time was left"
            self._heard(number, {"verdict": "SKIP", "what": f"all of {part.name}", "why": entry["ended"]})
            return
        process = start(number, left, self.options)
        ended = "done"

        def stop() -> None:
            nonlocal ended
            ended = f"stopped after {time.monotonic() - began:.0f} s"
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(max(min(left + GRACE, self.until - time.monotonic()), 1), stop)
        timer.start()
        last = ""
        for line in process.stdout:
            if line.startswith(MARK):
                self._heard(number, json.loads(line.removeprefix(MARK)))
            else:
                last = line.strip() or last
                self.log.write(f"{number} {line}")
                self.log.flush()
        status = process.wait()
        timer.cancel()
        if status and ended == "done":
            ended = f"ended with status {status}: {last[:200]}"
        entry["ended"], entry["seconds"] = ended, round(time.monotonic() - began, 1)
        if ended != "done":
            self._heard(number, {"verdict": "FAIL", "what": f"the rest of {part.name}", "why": ended})
        self.write()

    def _heard(self, number: int, line: dict) -> None:
        with self.lock:
            self.results["parts"][str(number)]["verdicts"].append(line)
            print(readable(number, line), file=sys.stderr if self.options.json else sys.stdout, flush=True)
        self.write()

    def write(self) -> None:
        """Write all verdicts so far into the folder; a reader finds whole JSON at any time."""
        if not self.folder:
            return
        with self.lock:
            part = self.folder / "gpu.json.part"
            part.write_text(json.dumps(self.document(), indent=1))
            part.replace(self.folder / "gpu.json")

    def document(self) -> dict:
        verdicts = [line["verdict"] for part in self.results["parts"].values() for line in part["verdicts"]]
        return {**self.results, "counts": {kind: verdicts.count(kind) for kind in ("PASS", "FAIL", "SKIP", "FIGURE")}}


def start(number: int, seconds: float, options: argparse.Namespace) -> subprocess.Popen:
    """Start a process that runs one part; number 0 reports the machine."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--part", str(number), "--device", options.device]
    command += ["--seconds", f"{seconds:.1f}", *(["--small"] if options.small else [])]
    threads = "1" if options.device == "cpu" else "4"
    environment = {"OMP_NUM_THREADS": threads, "HF_HUB_OFFLINE": "1", **os.environ, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip


def machine(device: str) -> dict:
    """The machine that the figures were measured on. Raises SystemExit where there is no such device."""
    import platform

    import torch

    from rmt.model.provenance import versions

    about = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count(), **versions()}
    if device == "cpu":
        return {**about, "device": "cpu"}
    if not torch.cuda.is_available():
        raise SystemExit("There is no CUDA device here; give --device cpu --small to try this command.")
    properties = torch.cuda.get_device_properties(0)
    asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        driver = subprocess.run(asked, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        driver = "unknown"
    return {
        **about, "device": properties.name, "memory_gb": round(properties.total_memory / 2**30, 1),
        "multiprocessors": properties.multi_processor_count, "capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(), "driver": driver,
    }  # fmt: skip


def child(options: argparse.Namespace) -> None:
    """Run a part in this process, and print its verdicts."""
    if options.part == 0:
        print(MARK + json.dumps(machine(options.device)), flush=True)
        return
    verdicts, part = Verdicts(options.seconds), PARTS[options.part]
    getattr(importlib.import_module(part.module), part.function)(verdicts, options)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to try the command")
    parser.add_argument("--only", default="", help="parts to run, numbers with commas between")
    parser.add_argument("--minutes", type=float, default=10, help="for all of it; what does not fit is left out aloud")
    parser.add_argument("--json", action="store_true", help="print one JSON document, or leave it in --out")
    parser.add_argument("--out", help="a folder for gpu.json and gpu.log")
    parser.add_argument("--part", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=60, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part is not None:
        child(options)
        return
    try:
        chosen = [int(one) for one in options.only.split(",") if one] or list(PARTS)
    except ValueError:
        chosen = [0]
    if unknown := set(chosen) - set(PARTS):
        parser.error(f"There is no part {min(unknown)}; choose from 1 to {max(PARTS)}, with commas between.")
    run = Run(options)
    asked = start(0, 60, options)
    answer = asked.communicate()[0].strip().splitlines()
    if asked.returncode or not answer or not answer[-1].startswith(MARK):
        raise SystemExit(answer[-1] if answer else "This machine could not be asked what it is.")
    run.results["machine"] = json.loads(answer[-1].removeprefix(MARK))
    print(json.dumps(run.results["machine"]), file=sys.stderr if options.json else sys.stdout, flush=True)
    with ThreadPoolExecutor(2 if options.device == "cpu" else len(TOGETHER)) as pool:
        list(pool.map(run.part, [number for number in PARTS if number in chosen and number in TOGETHER]))
    for number in PARTS:
        if number in chosen and number not in TOGETHER:
            run.part(number)
    run.write()
    document = run.document()
    if options.json and not options.out:
        print(json.dumps(document, indent=1))
    print("  ".join(f"{kind} {n}" for kind, n in document["counts"].items()), file=sys.stderr, flush=True)
    sys.exit(1 if document["counts"]["FAIL"] else 0)


if __name__ == "__main__":
    main()
