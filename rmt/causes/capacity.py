"""How many facts a memory holds: each of K people is told of once, then everybody is asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from rmt.causes.samples import INTERVENTION
from rmt.errors import InputError
from rmt.intervene import Progress, read
from rmt.memory.base import State, map_state
from rmt.model import Model
from rmt.model.ask import ask_state
from rmt.tasks import TASKS
from rmt.tasks.babi_words import CROWD, NEVER
from rmt.tasks.base import PLACES, Sampler, Story
from rmt.text.tokenizer import encode

TASK = "many-facts"
STRANGERS = 4  # people of whom a document tells nothing and who are asked for, too
MOST = len(CROWD) - STRANGERS
AT_ONCE = 256  # questions of one batch
Z = 1.96


@dataclass(frozen=True)
class Capacity:
    """What is held of `told` facts, over documents of so many segments; the question is a segment of its own.

    accuracy: the share of people whose place is answered, low to high its 95 % interval over documents. held: facts,
    corrected for guessing among the places: told * (accuracy - 1/6) / (1 - 1/6), not below 0; held_low and held_high
    the same at the interval's ends. by_order: the accuracy about the first person told of, the second, and so on.
    never: the share of people never mentioned of whom the answer says so.
    """

    told: int
    segments: int
    documents: int
    accuracy: float
    low: float
    high: float
    held: float
    held_low: float
    held_high: float
    by_order: tuple[float, ...]
    never: float


@torch.inference_mode()
def capacity(
    model: Model,
    *,
    told: Sequence[int],
    segments: int = 7,
    documents: int = 100,
    seed: int = 0,
    reset: bool = False,
    progress: Progress | None = None,
) -> Iterator[Capacity]:
    """Yield one row for each number of facts, over fresh documents of held-out background that is left as it is.

    reset: the control, in which the question is read with the initial memory. progress(done, total) counts documents.
    Raises InputError for a model without this task's answers and for documents that are too short for their facts.
    """
    sampler = _sampler(model)
    if max(told) > MOST or min(told) < 1:
        raise InputError(f"Tell of 1 to {MOST} people; there are no more names.")
    n_tokens = segments * model.segment_length
    for i, n in enumerate(told):
        rngs = [np.random.default_rng([INTERVENTION, seed, n, segments, d]) for d in range(documents)]
        stories = [sampler.task.story(rng, people=n) for rng in rngs]
        texts = [sampler.tell(rng, story, n_tokens)[0] for rng, story in zip(rngs, stories, strict=True)]
        state = _state(model, np.stack(texts), reset)
        asked = [_asked(story, rng) for rng, story in zip(rngs, stories, strict=True)]
        flat = [(d, question) for d, pairs in enumerate(asked) for question, _ in pairs]
        given = ask_each(model, state, [d for d, _ in flat], [encode(model.tokenizer, q) for _, q in flat])
        names = np.array(model.about.classes)[given.argmax(-1)].reshape(documents, -1)
        right = names == np.array([[answer for _, answer in pairs] for pairs in asked])
        if progress:
            progress((i + 1) * documents, len(told) * documents)
        yield _row(right[:, :n], right[:, n:], segments)


@torch.inference_mode()
def one_by_one(model: Model, facts: Sequence[tuple[str, str]], *, seed: int = 0) -> np.ndarray:
    """Probabilities (K + 1, P, C) of the answers about each of P people, before the first and after each of K facts.

    facts: (person, place), each told in a segment of its own, among background of its own; a person may move again. The
    people are in the order in which they are first told of. Raises InputError for a person or a place it cannot know.
    """
    sampler = _sampler(model)
    if unknown := [
        word for pair in facts for word, known in zip(pair, (CROWD, PLACES), strict=True) if word not in known
    ]:
        raise InputError(f"The model has not learned of {unknown[0]}; choose among the people and places of its task.")
    rng = np.random.default_rng([INTERVENTION, seed])
    stories = [Story((f"{name} went to the {place}.",), "", PLACES.index(place)) for name, place in facts]
    ids = np.concatenate([sampler.tell(rng, story, model.segment_length)[0] for story in stories])
    states = read(model, torch.from_numpy(ids)).states
    people = list(dict.fromkeys(name for name, _ in facts))
    questions = [encode(model.tokenizer, f"Where is {name}?") for name in people]
    rows = [row for row in range(len(states)) for _ in people]
    joined = map_state(lambda *parts: torch.cat(parts), *states)
    given = ask_each(model, joined, rows, questions * len(states))
    return given.reshape(len(states), len(people), -1)


def ask_each(model: Model, state: State, rows: Sequence[int], questions: Sequence[Sequence[int]]) -> np.ndarray:
    """Class probabilities (n, C): each question is put alone to a copy of the memory of its row."""
    given = np.zeros((len(questions), len(model.about.classes)))
    lengths = np.array([len(question) for question in questions])
    for length in np.unique(lengths):
        alike = np.flatnonzero(lengths == length)
        for part in np.array_split(alike, -(-len(alike) // AT_ONCE)):
            words = torch.tensor([list(questions[i]) for i in part], device=model.device)
            index = torch.tensor([rows[i] for i in part], device=model.device)
            memory = map_state(lambda tensor, index=index: tensor[index], state)
            given[part] = ask_state(model, memory, words).double().cpu().numpy()
    return given


def _sampler(model: Model) -> Sampler:
    """Where documents come from. Raises InputError where the model has not learned this task."""
    task = TASKS[TASK]
    if model.tokenizer is None or model.about.task != TASK:
        raise InputError(f"{model.about.name} was not trained on the task {TASK}, so its capacity cannot be counted.")
    return Sampler(task, model.tokenizer, "eval")


def _state(model: Model, ids: np.ndarray, reset: bool) -> State:
    """The memory after documents ids (B, Tn); with reset, that before any text."""
    if reset:
        return model.cell.initial(len(ids))
    return read(model, torch.from_numpy(ids)).states[-1]


def _asked(story: Story, rng: np.random.Generator) -> list[tuple[str, str]]:
    """What is asked of a document and the right answers: its people in the order they are told of, then strangers."""
    classes = TASKS[TASK].classes
    told = [(question, classes[label]) for question, label in map(story.about, range(len(story.facts)))]
    known = {question for question, _ in told}
    strangers = [question for name in CROWD if (question := f"Where is {name}?") not in known]
    return [*told, *((strangers[i], NEVER) for i in rng.permutation(len(strangers))[:STRANGERS])]


def _row(right: np.ndarray, strangers: np.ndarray, segments: int) -> Capacity:
    """right (B, K), strangers (B, n): which answers were right."""
    documents, told = right.shape
    accuracy = float(right.mean())
    half = Z * float(right.mean(1).std(ddof=1)) / documents**0.5 if documents > 1 else 1.0
    shares = accuracy, max(0.0, accuracy - half), min(1.0, accuracy + half)
    chance = 1 / len(PLACES)
    held = (max(0.0, told * (share - chance) / (1 - chance)) for share in shares)
    by_order = tuple(right.mean(0).tolist())
    return Capacity(told, segments, documents, *shares, *held, by_order, float(strangers.mean()))
