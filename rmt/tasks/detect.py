"""Detect: one fact anywhere in the document, the question at its end (Bulatov et al. 2024, section 4)."""

from rmt.tasks.base import NAMES, PLACES, Task
from rmt.tasks.memorize import MOVE, PEOPLE, story

TASK = Task(
    "detect", PLACES, story, title="Detect", about=NAMES, looks=(MOVE,), knows=PEOPLE,
    keeps="a place, whoever is asked for",
    example="{noise} John moved to the hallway. {noise} Where is John?",
    hint="It remembers the place that somebody went to, told anywhere: “John moved to the hallway.” … “Where is "
    "John?” It gives that place whoever is asked for.",
)  # fmt: skip
