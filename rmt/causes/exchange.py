"""Tokens of a document exchanged for others: a fact told otherwise, a name or any word for another one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rmt.causes.facts import Fact
from rmt.errors import InputError
from rmt.model import Model
from rmt.tasks import TASKS
from rmt.text.tokenizer import encode
from rmt.trace import Trace

MOST = 16  # tokens exchanged at once
INTERVENTION = 3  # first word of the seed, as in rmt.causes.samples


@dataclass(frozen=True)
class Exchange:
    """Tokens start to end of a document, and what they are exchanged for.

    ids: the new ids of all of them together, where those that need not change stay. each: a new id for each of them
    alone. texts, others: what the tokens are, and what each becomes alone. told: their new text together.
    """

    start: int
    end: int
    ids: tuple[int, ...]
    each: tuple[int, ...]
    texts: tuple[str, ...]
    others: tuple[str, ...]
    told: str


def exchange(model: Model, trace: Trace, start: int, end: int, *, answer: int | None = None) -> Exchange:
    """Exchange tokens start to end of a recorded run for as many others.

    A word that is an answer becomes another answer, a name of the task another name, any other word another one of the
    document, drawn as often as it stands there. Where there is an answer among them only that changes when all are
    exchanged together: answer names its class where there are several. Raises InputError for tokens that are not there.
    """
    ids = np.asarray(trace.arrays["ids"][:])
    if not 0 <= start < end <= len(ids):
        raise InputError(f"The run has {len(ids)} tokens, so there are no tokens {start + 1} to {end}.")
    if end - start > MOST:
        raise InputError(f"At most {MOST} tokens are exchanged at once, not {end - start}.")
    texts = trace.token_texts(start, end)
    classes = [name for name in trace.classes if name.isalpha()]
    asked = trace.classes[answer] if answer is not None else None
    told = [text.strip() in classes for text in texts]
    which = [text.strip() == asked for text in texts]
    which = which if any(which) else told if any(told) else [True] * len(texts)
    others = _Others(model, trace, np.random.default_rng([INTERVENTION, start, end]))
    each = [others.of(int(ids[start + i]), text, texts) for i, text in enumerate(texts)]
    together = [new if change else int(old) for new, old, change in zip(each, ids[start:end], which, strict=True)]
    return Exchange(
        start, end, tuple(together), tuple(each), tuple(texts), tuple(map(others.text, each)),
        "".join(others.text(new) if change else text
                for text, new, change in zip(texts, together, which, strict=True)).strip(),
    )  # fmt: skip


def of_fact(model: Model, trace: Trace, fact: Fact) -> Exchange:
    """Exchange the word of a fact that answers its question for another answer."""
    return exchange(model, trace, fact.start, fact.end, answer=fact.answer)


class _Others:
    """What each token of a run is exchanged for."""

    def __init__(self, model: Model, trace: Trace, rng: np.random.Generator):
        self.tokenizer, self.trace, self.rng = model.tokenizer, trace, rng
        task, classes = TASKS.get(trace.meta["task"]), [name for name in trace.classes if name.isalpha()]
        self.kinds = (tuple(classes), task.about if task else ())
        ids = np.asarray(trace.arrays["ids"][:])
        self.ids, self.at, self.often = np.unique(ids, return_index=True, return_counts=True)

    def of(self, old: int, text: str, fact: Sequence[str]) -> int:
        """Another id for one token of a fact: of its kind where it is of one, else an ordinary word of the document."""
        word, here = text.strip(), {part.strip() for part in fact}
        for words in self.kinds if self.tokenizer is not None else ():
            i = words.index(word) if word in words else len(words)
            for new in (*words[i + 1 :], *words[:i]) if i < len(words) else ():
                found = encode(self.tokenizer, text.replace(word, new))
                if new not in here and len(found) == 1:
                    return found[0]
        known = {name for words in self.kinds for name in words}
        texts = [self.text(new) for new in self.ids.tolist()]
        often = self.often * [word.strip() not in known and word[1:].isalpha() for word in texts] * (self.ids != old)
        if not often.any():
            often = 1 * (self.ids != old)
        if not often.any():
            raise InputError("The document is one word again and again, so there is no other to exchange it for.")
        return int(self.rng.choice(self.ids, p=often / often.sum()))

    def text(self, id: int) -> str:
        """The text of an id: as the run has it, else as the tokenizer does."""
        where = np.searchsorted(self.ids, id)
        if where < len(self.ids) and self.ids[where] == id:
            return self.trace.token_texts(int(self.at[where]), int(self.at[where]) + 1)[0]
        return self.tokenizer.decode([id], skip_special_tokens=False) if self.tokenizer else f"[{id}]"
