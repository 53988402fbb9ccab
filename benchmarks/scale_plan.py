"""Calculation of what 1,000 documents of ten million tokens cost on more and more devices (docs/scale.md).

Measured: how many tokens a second one CPU thread reads with detect-long (assets/results/length.json). Counted: the
operations of a segment in BERT-base's shape. Assumed, as no GPU has measured them: the share of an H100's rate for
dense bfloat16 products that reading reaches, and the shortest step.
"""

import argparse
import json
import math
from pathlib import Path

RESULTS = Path(__file__).parent.parent / "assets" / "results"
DOCUMENTS, SEGMENTS, LENGTH = 1000, 20_041, 499  # 10,000,459 tokens a document
N, LAYERS, WIDTH = LENGTH + 10 + 3, 12, 768  # BERT-base: tokens, memory, [CLS], [SEP], [SEP]
PEAK = 989e12  # operations a second, the vendor's data sheet of an H100 SXM
SHARES = (0.4, 0.1)  # of it: what the project aims at, and a poor one
SHORTEST = 1e-3  # seconds of a step, however small: 4,096 segments in 4 s, what the project aims at
BATCH = 16  # documents a device reads at a time
DEVICES = (1, 8, 64, 250, 1000)


def operations() -> float:
    """Operations of a segment: projections, feed-forward parts, attention; a multiply-add counts as two."""
    return N * LAYERS * (24 * WIDTH**2 + 4 * N * WIDTH)


def seconds(devices: int, share: float) -> float:
    """Seconds on the clock where every device reads its documents, `BATCH` at a time, segment after segment."""
    each = math.ceil(DOCUMENTS / devices)
    full, rest = divmod(each, BATCH)
    batches = [BATCH] * full + [rest] * bool(rest)
    return SEGMENTS * sum(max(SHORTEST, batch * operations() / (share * PEAK)) for batch in batches)


def cpu() -> dict:
    """Tokens a second of one CPU thread, from the longest run there is, and the hours for all documents."""
    rows = json.loads((RESULTS / "length.json").read_text(encoding="utf-8"))["results"]
    row = next(r for r in rows if r["checkpoint"] == "detect-long" and r["segments"] == SEGMENTS)
    rate = row["tokens"] * row["samples"] / row["seconds"]
    return {"tokens_per_second": rate, "hours": DOCUMENTS * row["tokens"] / rate / 3600}


def rows() -> list[dict]:
    """A row for each number of devices."""
    plan = []
    for devices in DEVICES:
        row = {"devices": devices, "documents": math.ceil(DOCUMENTS / devices)}
        for share in SHARES:
            took = seconds(devices, share)
            row[f"seconds_{share}"] = took
            row[f"efficiency_{share}"] = seconds(1, share) / devices / took
        plan.append(row)
    return plan


def table() -> str:
    """The rows as the Markdown table of docs/scale.md."""
    lines = [
        "| GPUs | documents each | at 40 % of the rate | efficiency | at 10 % | efficiency |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows():
        cells = [f"{row['devices']:,}", str(row["documents"])]
        for share in SHARES:
            cells += [f"{row[f'seconds_{share}'] / 60:.1f} min", f"{row[f'efficiency_{share}']:.0%}".replace("%", " %")]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    if options.json:
        document = {"command": "python -m benchmarks.scale_plan --json", "operations_a_segment": operations()}
        print(json.dumps({**document, "cpu": cpu(), "rows": rows()}, indent=1))
    else:
        print(table())


if __name__ == "__main__":
    main()
