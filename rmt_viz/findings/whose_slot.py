"""Which slot holds whom, by taking over one slot from another text: sentences and the table. No torch."""

from collections.abc import Sequence

from rmt_viz.findings.words import add_row, percent
from rmt_viz.shelf.brought import Brought

MUCH, SOME = 0.9, 0.1  # shares of answers from which on a slot holds somebody, or may hold them


def of_checkpoint(rows: Sequence[Brought], checkpoint: str) -> list[list[Brought]]:
    """The rows of a checkpoint, a list for each slot in order, then of all slots and of none."""
    found: dict[int, list[Brought]] = {}
    for row in rows:
        if row.checkpoint == checkpoint:
            found.setdefault(row.slot, []).append(row)
    return [found[slot] for slot in sorted(found, key=lambda slot: (slot < 1, -slot if slot < 1 else slot))]


def slot_name(slot: int) -> str:
    """What a row is called."""
    return {0: "all slots", -1: "none"}.get(slot, f"slot {slot}")


def finding(lines: Sequence[Sequence[Brought]]) -> str:
    """Whose answers come with which slot, and whether it is one slot a person."""
    slots = [line for line in lines if line[0].slot > 0]
    held = {one.name: [row.slot for line in slots for row in line if row.name == one.name and row.share >= SOME]
            for one in slots[0]}  # fmt: skip
    sure = {(row.name, row.slot) for line in slots for row in line if row.share >= MUCH}
    each = [name for name, found in held.items() if len(found) == 1 and (name, found[0]) in sure]
    several = [name for name in held if name not in each]
    taken = [held[name][0] for name in each]
    if each and not several and len(set(taken)) == len(taken):
        return "One slot a person: " + ", ".join(f"{name} is slot {held[name][0]}" for name in each)
    parts = [f"{name} is slot {held[name][0]}" for name in each]
    parts += [f"{name} is in {_listed(held[name])}" for name in several]
    return "; ".join(parts)


def _listed(slots: Sequence[int]) -> str:
    if not slots:
        return "no single slot"
    return f"slot {slots[0]}, not always" if len(slots) == 1 else f"one of slots {', '.join(map(str, slots))}"


def table(lines: Sequence[Sequence[Brought]]) -> dict[str, list]:
    """One row for each slot and person."""
    rows = {name: [] for name in ("slot", "about", "came with it", "stayed", "of")}
    for row in (row for line in lines for row in line):
        add_row(rows, slot_name(row.slot), row.name, percent(row.share), row.stayed, row.of)
    return rows
