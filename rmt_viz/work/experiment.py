"""The front page's experiment, computed: a text and its counterfactuals read side by side. Torch comes in here.

`python -m rmt_viz.work.experiment` writes assets/results/experiment.json, from which the page draws its first picture.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice

import numpy as np

from rmt.errors import InputError
from rmt_viz.findings import experiment as findings
from rmt_viz.shelf.experiment import (
    BARE,
    BUNDLED,
    CHECKPOINT,
    DEFAULT,
    MOST_NOISE,
    SHORT,
    Experiment,
    check,
    cut,
    document,
)
from rmt_viz.shelf.json_file import read_json
from rmt_viz.shelf.library import ASSETS
from rmt_viz.work.on_demand import OnDemand
from rmt_viz.work.queue import Job

DRAWN = 24  # boundaries in the noise that are looked at
DIGITS = 3
FORGOTTEN = 3.0  # seconds after which an edit that nobody asks for any more is not read to its end

Progress = Callable[[int, int], None]


class Reader:
    """One model over many edits of a text: what an edit leaves as it was is not read again."""

    def __init__(self, model):
        from rmt.causes.carried_facts import Known

        self.model, self.known = model, Known()

    def read(self, experiment: Experiment, progress: Progress = lambda done, total: None) -> dict:
        """All numbers and sentences of the page for one text, with memory and with memory reset.

        Raises InputError for a text that cannot be read.
        """
        from rmt.causes.carried_facts import carried_facts

        segments = cut(experiment.segments, self._ends, self.model.segment_length)
        experiment = check(replace(experiment, segments=segments))
        facts, classes = experiment.facts, self.model.about.classes
        others, places = zip(*map(experiment.exchanged, range(len(facts))), strict=True) if facts else ((), ())
        text, exchanged = self._ids(experiment), [self._ids(other) for other in others]
        people, at = experiment.people(), boundaries(len(experiment.segments), experiment.noise)
        questions = [self._encode(f"Where is {who}?") for who in people]
        runs = {}
        for name in ("memory", "reset"):
            given = {"reset": name == "reset", "at": at, "known": self.known, "progress": progress}
            run = carried_facts(self.model, text, exchanged, questions, **given)
            runs[name] = {"slots": run.slots, "answers": run.answers, "effects": run.effects}
        told = [
            {"segment": s, "who": fact.who, "how": fact.how, "where": fact.where, "exchanged": place}
            for (s, fact), place in zip(facts, places, strict=True)
        ]
        return {
            "text": document(experiment),
            "lengths": [len(segment) for segment in text],
            "facts": told,
            "people": people,
            "truth": [experiment.truth(who) for who in people],
            "classes": list(classes),
            "boundaries": list(at),
            "total": len(text),
            "says": findings.said(experiment, places, runs, classes),
            "notes": findings.notes(experiment, [len(text[i]) for i in sorted({i for i, _ in facts})], self.short),
            "moments": {
                name: findings.moments(experiment, len(text), at, run["slots"], name == "reset")
                for name, run in runs.items()
            },
            "runs": {name: {key: _rounded(value) for key, value in run.items()} for name, run in runs.items()},
        }

    @cached_property
    def short(self) -> dict | None:
        """What is known of short segments, where it was measured with this model."""
        document = read_json(SHORT) if SHORT.is_file() else {}
        return document if document.get("checkpoint") == self.model.about.name else None

    def _ids(self, experiment: Experiment) -> list[list[int]]:
        """The tokens of each segment, noise at the end."""
        texts = [[part if isinstance(part, str) else part.sentence for part in parts] for parts in experiment.segments]
        told = [[token for text in parts for token in self._encode(text)] for parts in texts]
        return [*told, *self.noise[: experiment.noise]]

    def _encode(self, text: str) -> list[int]:
        return self.model.tokenizer.encode(text, add_special_tokens=False).ids

    def _ends(self, text: str) -> list[int]:
        return [end for _, end in self.model.tokenizer.encode(text, add_special_tokens=False).offsets]

    @cached_property
    def noise(self) -> list[list[int]]:
        """Segments of held-out addresses, without the sentences that name one of the task's people."""
        from rmt.tasks.base import NAMES
        from rmt.tasks.distractor import SENTENCE, WORD, documents

        length, ids = self.model.segment_length, []
        names = {name.lower() for name in NAMES}
        sentences = (one for text in documents("eval").values() for one in SENTENCE.split(text.strip()))
        for sentence in sentences:
            if names.isdisjoint(WORD.findall(sentence.lower())):
                ids += self._encode(sentence)
            if len(ids) >= MOST_NOISE * length:
                break
        return [ids[i : i + length] for i in islice(range(0, len(ids), length), MOST_NOISE)]


def boundaries(told: int, noise: int) -> tuple[int, ...]:
    """The boundaries that are looked at: all of the told segments, at most DRAWN of the noise, and the last."""
    step = -(-noise // DRAWN)
    return (*range(told + 1), *(told + i for i in range(step, noise, step or 1)), *([told + noise] if noise else []))


def _rounded(values: np.ndarray) -> list:
    return np.round(values, DIGITS).tolist()


class Experiments(OnDemand):
    """Edits read when a page asks for them, one after another, by a model that is opened once.

    open_model: whether trained -> the model. Called on the worker's thread.
    """

    def __init__(self, open_model: Callable[[bool], object]):
        super().__init__(forgotten=FORGOTTEN)
        self.open_model, self.readers = open_model, {}

    def read(self, experiment: Experiment) -> Job:
        """The job of an edit, done or on its way; asked again until it is done."""
        return self.ask(("experiment", experiment), lambda progress: self._read(experiment, progress))

    def _read(self, experiment: Experiment, progress: Progress) -> dict:
        if experiment.trained not in self.readers:
            self.readers[experiment.trained] = Reader(self.open_model(experiment.trained))
        return self.readers[experiment.trained].read(experiment, progress)


def make(experiment: Experiment = DEFAULT) -> dict:
    """What the page draws first: the default text by the shipped model and by fresh weights of the same shape.

    And what it draws when the prose is taken out of that text.
    """
    from rmt.checkpoint import load, untrained

    folder = ASSETS / "checkpoints" / CHECKPOINT
    models = {"trained": load(folder, device="cpu"), "untrained": untrained(folder, device="cpu")}
    readers = {name: Reader(model) for name, model in models.items()}
    made = {name: reader.read(replace(experiment, trained=name == "trained")) for name, reader in readers.items()}
    made["bare"] = readers["trained"].read(BARE)
    return {"command": "python -m rmt_viz.work.experiment", "checkpoint": CHECKPOINT, **made}


def main(arguments: Sequence[str] = ()) -> None:
    if arguments:
        raise InputError("This command takes no arguments; it writes assets/results/experiment.json.")
    BUNDLED.write_text(json.dumps(make(), ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
