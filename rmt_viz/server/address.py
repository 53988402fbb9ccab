"""What of the view is in the address: one table of fields, each read with a fallback, defaults left out."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from rmt.intervene import changes

NUMBER = re.compile(r"[0-9]{1,9}")
COLOURS = ("write", "read", "loss", "gain")


def among(text: str, allowed) -> str | None:
    """The text where it is one of the allowed."""
    return text if text in allowed else None


def counted(text: str, most: int) -> int | None:
    """A whole number from 1 to `most`: people count from 1."""
    return int(text) if NUMBER.fullmatch(text) and 1 <= int(text) <= most else None


def span(text: str, most: int) -> str | None:
    """Two whole numbers from 1 to `most` in order, such as 3-7."""
    first, dash, last = text.partition("-")
    a, b = counted(first, most), counted(last, most)
    return text if dash and a and b and a <= b else None


def counted_or_beats(text: str, most: int) -> int | str | None:
    """A segment, or "beats" for all moments of the run."""
    return text if text == "beats" else counted(text, most)


@dataclass(frozen=True)
class Field:
    """A parameter of the address and how it is read: parse(text, limit) gives None for what makes no sense."""

    name: str
    parse: Callable


FIELDS = (
    Field("trace", among),
    Field("control", among),
    Field("segment", counted),
    Field("layer", counted),
    Field("head", counted),
    Field("slot", counted),
    Field("colour", among),
    Field("how", among),
    Field("beside", counted_or_beats),
    Field("range", span),
    Field("with", among),
    Field("show", among),
    Field("change", changes.valid),
)


def read(params: Mapping[str, str], limits: Mapping, defaults: Mapping | None = None) -> dict:
    """Field -> value for the fields in `limits`; what is missing or wrong is the default, never an error.

    limits: field -> the largest number, or the allowed words.
    """
    values = dict.fromkeys(limits) | {k: v for k, v in (defaults or {}).items() if k in limits}
    for field in FIELDS:
        if field.name in limits and field.name in params:
            value = field.parse(str(params[field.name]), limits[field.name])
            values[field.name] = values[field.name] if value is None else value
    return values


def names_a_run(params: Mapping[str, str]) -> bool:
    """Whether an address says something of a run: any of the fields."""
    return any(field.name in params for field in FIELDS)


def link(values: Mapping, defaults: Mapping) -> str:
    """The query of a permalink, "" where everything is as it is by default; fields in the table's order."""
    kept = {f.name: values[f.name] for f in FIELDS if values.get(f.name) not in (None, defaults.get(f.name))}
    return f"?{urlencode(kept)}" if kept else ""
