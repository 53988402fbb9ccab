"""Findings of the path of a cause: what its picture shows, as a sentence and as columns."""

from collections.abc import Sequence

from rmt_viz.findings.words import add_row, listed, percent

DRAWN = 0.02  # the least share of an edge that is drawn
MOVED = 0.1  # of the odds' fall in nats below which nothing arrives at all
MOST = 0.5  # of the whole fall, made by one slot alone


def path(found: dict) -> str:
    """A sentence on what the exchange does to the answer, and through which slots."""
    (was, _), (now, then) = found["p"]
    told = f"Told otherwise, “{found['exchanged']}”"
    if found["odds"][0] - found["odds"][1] < MOVED:
        return f"Nothing of “{found['text']}” arrives: told otherwise, P({found['output']}) stays at {now:.2f}"
    end = found["read"]
    strong, some = ([found["edges"][i] for i, share in enumerate(end) if share >= least] for least in (MOST, DRAWN))
    if len(strong) > 1:
        share = f"any one of {len(strong)} slots is enough for that"
    elif strong:
        share = f"slot {listed(strong)} alone makes {percent(min(max(end), 1))} of that"
    else:
        share = f"no slot alone makes half of that{f', the most by slots {listed(some)}' if len(some) > 1 else ''}"
    moved = f"P({found['output']}) falls from {was:.2f} to {now:.2f}, P({found['other']}) is {then:.2f}"
    return f"{told}: {moved}; {share}"


def edges(found: dict) -> list[dict]:
    """The edges of a path: name as `rmt.intervene.edges` writes it, label, share, and P(output) once it is cut."""
    slots, moments, rows = [slot + 1 for slot in found["edges"]], found["moments"], []

    def add(name: str, label: str, share: float, p: float) -> None:
        rows.append({"name": name, "label": label, "share": share, "p": p})

    for w, word in enumerate(found["words"]):
        for i, slot in enumerate(slots):
            label = f"“{word['text'].strip()}” into slot {slot}"
            add(f"into:{w + 1}>{slot}", label, found["into"][w][i], found["p_into"][w][i])
    for k, (shares, ps) in enumerate(zip(found["carry"], found["p_carry"], strict=True)):
        where = f"after segment {moments[k]} to after segment {moments[k + 1]}"
        for i, slot in enumerate(slots):
            for j, to in enumerate(slots):
                label = f"slot {slot} to slot {to}, {where}"
                add(f"carry@{moments[k]}:{slot}>{to}", label, shares[i][j], ps[i][j])
    for i, slot in enumerate(slots):
        add(f"read:{slot}", f"slot {slot} to the answer", found["read"][i], found["p_read"][i])
    return rows


def table(found: dict) -> dict[str, Sequence]:
    """Columns of the path: a row for each edge."""
    rows = {name: [] for name in ("edge", "share", f"P({found['output']}) with it cut")}
    for edge in edges(found):
        add_row(rows, edge["label"], edge["share"], edge["p"])
    return rows
