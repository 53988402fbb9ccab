"""Floating-point operations of RMT and of full attention: by formula, without torch, and counted."""

from rmt.cost.formula import (
    CONVENTIONS,
    EXACT,
    LENGTH,
    OPT,
    PAPER,
    PAPER_LENGTH,
    SEGMENT,
    SHOWN,
    Convention,
    Sizes,
    document,
    forward,
    ratio,
    recurrent,
    table,
)

__all__ = [
    "CONVENTIONS",
    "EXACT",
    "LENGTH",
    "OPT",
    "PAPER",
    "PAPER_LENGTH",
    "SEGMENT",
    "SHOWN",
    "Convention",
    "Sizes",
    "document",
    "forward",
    "ratio",
    "recurrent",
    "table",
]
