"""Detect and memorize: the fact stands anywhere in the document (Bulatov et al. 2024, section 4)."""

from rmt.tasks.base import PLACES, Task
from rmt.tasks.memorize import story

TASK = Task("detect", PLACES, story)
