"""The view's state in the address: one table of fields, each parsed with a fallback; defaults are left out."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from rmt.intervene import changes, edges

NUMBER = re.compile(r"[0-9]{1,9}")


def among(text: str, allowed) -> str | None:
    """The text if it is one of the allowed words, else None."""
    return text if text in allowed else None


def counted(text: str, most: int) -> int | None:
    """A whole number from 1 to `most`, as people count; None for anything else."""
    return int(text) if NUMBER.fullmatch(text) and 1 <= int(text) <= most else None


def span(text: str, most: int) -> str | None:
    """A range of whole numbers from 1 to `most`, such as "3-7"; None for anything else."""
    first, dash, last = text.partition("-")
    a, b = counted(first, most), counted(last, most)
    return text if dash and a and b and a <= b else None


def counted_or_beats(text: str, most: int) -> int | str | None:
    """The number of a segment, or "beats" for the segments of all beats; None for anything else."""
    return text if text == "beats" else counted(text, most)


@dataclass(frozen=True)
class Field:
    """A parameter of the address and its parser: parse(text, limit) returns None for a value that makes no sense."""

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
    Field("who", among),
    Field("how", among),
    Field("beside", counted_or_beats),
    Field("range", span),
    Field("with", among),
    Field("show", among),
    Field("change", changes.valid),
    Field("from", span),
    Field("explain", counted),
    Field("cut", edges.valid),
)


def read(params: Mapping[str, str], limits: Mapping, defaults: Mapping | None = None) -> dict:
    """The view that the address asks for: field -> value; a missing or wrong value becomes the default, never an error.

    limits: the fields to read, each with the largest number or the allowed words.
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
    """The query string of a permalink, fields in the table's order; "" where every value is the default."""
    query = {f.name: values[f.name] for f in FIELDS if values.get(f.name) not in (None, defaults.get(f.name))}
    return f"?{urlencode(query)}" if query else ""
