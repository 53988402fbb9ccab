"""The table of docs/mechanisms.md with what trained mechanisms give back, from assets/results/recall.json.

python -m benchmarks.recall_table [--write]    prints it; --write puts it into docs/mechanisms.md
"""

import argparse
from pathlib import Path

from rmt_viz.findings import recall
from rmt_viz.findings.recall import FACTS, FAR, QUOTATION, Lines, Point
from rmt_viz.findings.words import percent
from rmt_viz.shelf.results import read

PAGE = Path(__file__).parents[1] / "docs" / "mechanisms.md"
BEGIN, END = "<!-- made by python -m benchmarks.recall_table -->\n", "<!-- end of what is given back -->\n"


def table() -> str:
    """What was trained, and a row for each mechanism, the one that gives back most of the most facts first."""
    results = read("recall")
    rows, numbers = results.rows, recall.sizes(results.rows)
    given = {of: recall.lines(rows, of) for of in (QUOTATION, FACTS, FAR)}
    reset = recall.lines(rows, FAR, "reset")
    most, quoted = (max(x for points in given[of].values() for x in points) for of in (FACTS, QUOTATION))
    lines = [
        f"| {recall.name(kind)} | {numbers[kind]:,} | {_share(given[FACTS], kind, 1)} | "
        f"{_share(given[FACTS], kind, most)} | {_share(given[QUOTATION], kind, quoted)} | "
        f"{_reach(given[FAR], reset, kind)} | {given[FACTS][kind][most].seeds} |"
        for kind in sorted(given[FACTS], key=lambda kind: -given[FACTS][kind][most].y)
    ]
    head = f"| mechanism | numbers that cross | 1 fact | {most} facts | {quoted} quoted | far, in segments | seeds |"
    return "\n".join([recall.trained(results), "", head, "|---|---:|---:|---:|---:|---:|---:|", *lines]) + "\n"


def _share(given: Lines, kind: str, x: int) -> str:
    point: Point | None = given.get(kind, {}).get(x)
    return f"{percent(point.y)} ({percent(point.low)} to {percent(point.high)})" if point else "not run"


def _reach(given: Lines, reset: Lines, kind: str) -> str:
    if kind not in given or kind not in reset:
        return "not run"
    x = recall.reach(given, reset, kind)
    return f"{x:,} of {max(given[kind]):,}" if x else "not"


def main() -> None:
    """Print the table, or write it into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="into docs/mechanisms.md")
    made = table()
    if parser.parse_args().write:
        before, rest = PAGE.read_text().split(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.split(END)[1]}")
    print(made)


if __name__ == "__main__":
    main()
