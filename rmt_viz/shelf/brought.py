"""A row of the table of whose answers come with which slot."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Brought:
    """Answers about somebody, of the `of` that two texts answer otherwise, that came with a slot or stayed without it.

    slot: counted from 1; 0 is all slots, -1 none.
    """

    checkpoint: str
    slot: int
    name: str
    came: int
    stayed: int
    of: int

    @property
    def share(self) -> float:
        """The share of answers that came with it."""
        return self.came / self.of if self.of else math.nan
