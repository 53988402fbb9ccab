"""How many facts memories hold, by the number of their slots: what the Capacity page shows.

python -m benchmarks.capacity assets/checkpoints/many-facts-8 --documents 200 --json > assets/results/capacity.json

Each of K people is told of once, in a background of held-out State of the Union addresses as they are; then, in a
segment of its own, each of them is asked for, and four people of whom nothing was told. Intervals are over documents.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from rmt.causes.capacity import capacity
from rmt.checkpoint import load, untrained
from rmt.model.provenance import made_by

TOLD = [1, 2, 4, 6, 8, 10, 12, 16]


def main() -> None:
    """Score checkpoints and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--told", type=int, nargs="+", default=TOLD)
    parser.add_argument("--segments", type=int, nargs="+", default=[7])
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--controls", nargs="*", default=["reset", "untrained"], choices=["reset", "untrained"])
    parser.add_argument("--json", action="store_true", help="for a program; by default a table")
    options = parser.parse_args()
    rows, makers = [], {}
    for folder in options.checkpoints:
        for control in ("none", *options.controls):
            model = (untrained if control == "untrained" else load)(folder)
            makers.setdefault(model.about.name, made_by(model))
            of = {
                "checkpoint": model.about.name,
                "mechanism": model.about.config["cell"]["kind"],
                "slots": model.cell.slots(model.cell.initial(1)).shape[1],
                "numbers": model.cell.slots(model.cell.initial(1))[0].numel(),
                "control": control,
            }
            for segments in options.segments if control == "none" else options.segments[:1]:
                scores = capacity(
                    model, told=options.told, segments=segments, documents=options.documents, seed=options.seed,
                    reset=control == "reset",
                )  # fmt: skip
                for score in scores:
                    rows.append(of | asdict(score))
                    if not options.json:
                        print(_line(rows[-1]), flush=True)
    if options.json:
        document = {
            "command": "python -m benchmarks.capacity " + " ".join(sys.argv[1:]),
            "made_by": makers,
            "background": "State of the Union addresses held out from training, as they are",
            "seed": options.seed,
            "results": rows,
        }
        print(json.dumps(document, indent=1))


def _line(row: dict) -> str:
    return (
        "{checkpoint:16s} {slots:3d} slots {control:10s} {segments:4d} segments  {told:2d} told  "
        "{accuracy:.3f} ({low:.3f}-{high:.3f})  {held:5.2f} held  never {never:.3f}"
    ).format(**row)


if __name__ == "__main__":
    main()
