"""The official bAbI files as a task: their stories and questions, hidden in our distractor text."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from rmt.errors import InputError
from rmt.tasks.babi import RECORDS
from rmt.tasks.base import Rng, Story, Task

OFFICIAL = ("qa1", "qa2", "qa3", "qa4", "qa5")


def official(name: str, folder: Path, *, split: str = "test") -> Task:
    """Make the task `name` ("qa1" to "qa5") with the stories of a file like qa1_..._test.txt in a folder.

    Each question is a story of its own, with all facts before it. Raises InputError where there is no such file or it
    is not in bAbI's format.
    """
    if name not in OFFICIAL:
        raise InputError(f"There are no official files of the task {name!r}; choose from {', '.join(OFFICIAL)}.")
    files = sorted(Path(folder).glob(f"{name}_*_{split}.txt"))
    if not files:
        raise InputError(f"{folder} has no file {name}_..._{split}.txt; give the folder of bAbI's files.")
    task = next(task for task in RECORDS if task.name == name)
    return replace(task, story=partial(_drawn, read_stories(files[0], task.classes)))


def read_stories(file: Path, classes: tuple[str, ...]) -> list[Story]:
    """Read every question of a file as a story, with the facts before it.

    A line is a number and a fact, or a number, a question, its answer and the numbers of the facts that support it.
    """
    stories, facts = [], []
    for line_number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        number, _, text = line.strip().partition(" ")
        question, *rest = text.split("\t")
        if not number.isdigit() or not text or (rest and rest[0] not in classes):
            raise InputError(
                f"Line {line_number} of {file} is not as bAbI has it: a number and a fact, or a question, a tab and "
                "its answer."
            )
        if number == "1":
            facts = []
        if rest:
            stories.append(Story(tuple(facts), question.strip(), classes.index(rest[0])))
        else:
            facts.append(text.strip())
    return stories


def _drawn(stories: list[Story], rng: Rng) -> Story:
    return stories[int(rng.integers(len(stories)))]
