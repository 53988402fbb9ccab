"""The tasks by name. A new one is a file here that ends with its record, and that record in RECORDS."""

from rmt.tasks import babi, detect, memorize, reasoning
from rmt.tasks.base import Task
from rmt.tasks.questions import Look

RECORDS: tuple[Task, ...] = (memorize.TASK, detect.TASK, reasoning.TASK, *babi.RECORDS)  # in the order of a list
TASKS: dict[str, Task] = {task.name: task for task in RECORDS}


def title(name: str) -> str:
    """The title of a task; an unknown name is its own title."""
    return (TASKS[name].title if name in TASKS else "") or name


def whole_title(name: str) -> str:
    """A task's name, with what its models keep where that is less than the name says."""
    keeps = TASKS[name].keeps if name in TASKS else ""
    return f"{title(name)}: {keeps}" if keeps else title(name)


def looks(name: str | None) -> tuple[Look, ...]:
    """The forms of a task's facts in a text; those of all tasks for an unknown name."""
    chosen = [TASKS[name]] if name in TASKS else TASKS.values()
    return tuple(dict.fromkeys(look for task in chosen for look in task.looks))
