"""The tasks. A new one is a file here and a line in TASKS."""

from rmt.tasks import babi, detect, memorize, reasoning
from rmt.tasks.base import Task

TASKS: dict[str, Task] = {
    "memorize": memorize.TASK,
    "detect": detect.TASK,
    "reasoning": reasoning.TASK,
    **babi.TASKS,
}
