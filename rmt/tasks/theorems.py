"""Theorem proving as text: a statement, lemmas of which the proof needs some, and the proof that cites them.

The memory task of Bulatov et al. 2022 (Figure 9) over Metamath's set.mm instead of Lean: the lemmas that the proof
cites are in earlier segments, shuffled with others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from rmt.errors import InputError

WORDS = 520  # of a statement and its lemmas; lemmas that the proof does not need are added up to this
STEPS = range(5, 41)  # lengths of the proofs that are used: a proof fits into one segment
THEOREMS = 8000  # at most, evenly spaced over the database


@dataclass(frozen=True)
class Assertion:
    """An axiom or theorem: its hypotheses and its statement (both without their typecode), and its proof's steps.

    steps: labels of assertions, and h1, h2, ... for hypotheses, in reverse Polish order. Steps that only build
    formulas are left out; a step that is used twice is listed twice.
    """

    label: str
    hypotheses: tuple[str, ...]
    statement: str
    steps: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.label} : {' & '.join(self.hypotheses)}{' => ' * bool(self.hypotheses)}{self.statement}"


def documents(path: Path) -> dict[str, str]:
    """Make a document of each of up to THEOREMS theorems of a Metamath database, by label; deterministic."""
    known = {assertion.label: assertion for assertion in read(path)}
    order = list(known)
    place = {label: i for i, label in enumerate(order)}
    proved = [theorem for theorem in known.values() if len(theorem.steps) in STEPS]
    if len(proved) < 2:
        raise InputError(f"{path} holds no proofs of {STEPS.start} to {STEPS.stop - 1} steps; give Metamath's set.mm.")
    chosen = proved[:: -(-len(proved) // THEOREMS)]
    return {theorem.label: _document(theorem, known, order, place[theorem.label]) for theorem in chosen}


def _document(theorem: Assertion, known: dict[str, Assertion], order: list[str], place: int) -> str:
    """Write a theorem's text; lemmas that it does not need are drawn from the first `place` assertions."""
    rng = np.random.default_rng(crc32(theorem.label.encode()))
    cited = list(dict.fromkeys(step for step in theorem.steps if step in known))
    lemmas = [str(known[label]) for label in cited]
    n_words = sum(len(text.split()) for text in [str(theorem), *lemmas])
    for label in map(order.__getitem__, rng.integers(max(place, 1), size=WORDS)):
        if n_words >= WORDS:
            break
        if label not in cited and label != theorem.label:
            cited.append(label)
            lemmas.append(str(known[label]))
            n_words += len(lemmas[-1].split())
    rng.shuffle(lemmas)
    return f"Theorem {theorem} . Lemmas . {' . '.join(lemmas)} . Proof . {' '.join(theorem.steps)} ."


def read(path: Path) -> Iterator[Assertion]:
    """Read the |- assertions of a Metamath database, in order. Raises InputError for another file."""
    try:
        words = iter(path.read_text(encoding="ascii", errors="replace").split())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the path of a set.mm.") from None
    try:
        yield from _assertions(words)
    except (StopIteration, RuntimeError, KeyError, IndexError, ValueError):
        raise InputError(f"{path} is not a whole Metamath database; copy it again.") from None


def _assertions(words: Iterator[str]) -> Iterator[Assertion]:
    typecode: dict[str, str] = {}  # of every label so far
    scopes: list[list[tuple[str, str, list[str]]]] = [[]]  # (kind, label, expression) of the hypotheses in force
    label = ""
    for word in words:
        if word == "$(":
            _until(words, "$)")
        elif word == "${":
            scopes.append([])
        elif word == "$}":
            scopes.pop()
        elif word in ("$c", "$v", "$d"):
            _until(words, "$.")
        elif word in ("$f", "$e"):
            expression = _until(words, "$.")
            scopes[-1].append((word, label, expression))
            typecode[label] = expression[0]
        elif word in ("$a", "$p"):
            expression = _until(words, "$=" if word == "$p" else "$.")
            proof = _until(words, "$.") if word == "$p" else []
            typecode[label] = expression[0]
            if expression[0] == "|-":
                yield _assertion(label, expression, proof, [h for scope in scopes for h in scope], typecode)
        else:
            label = word


def _until(words: Iterator[str], mark: str) -> list[str]:
    """Read words up to a mark; comments are skipped."""
    content = []
    while (word := next(words)) != mark:
        if word == "$(":
            _until(words, "$)")
        else:
            content.append(word)
    return content


def _assertion(label, expression, proof, in_force, typecode) -> Assertion:
    essential = [(name, words) for kind, name, words in in_force if kind == "$e"]
    used = {word for words in (expression, *(words for _, words in essential)) for word in words}
    hypothesis_names = {name: f"h{i}" for i, (name, _) in enumerate(essential, 1)}
    mandatory = [name for kind, name, words in in_force if kind == "$e" or words[1] in used]
    return Assertion(
        label,
        tuple(" ".join(words[1:]) for _, words in essential),
        " ".join(expression[1:]),
        tuple(hypothesis_names.get(step, step) for step in _steps(proof, mandatory, typecode)),
    )


def _steps(proof: list[str], mandatory: list[str], typecode: dict[str, str]) -> list[str]:
    """List the logical steps of a proof, which may be compressed (Metamath book, appendix B)."""
    if not proof or proof[0] != "(":
        return [step for step in proof if typecode.get(step) == "|-"]
    end = proof.index(")")
    names = mandatory + proof[1:end]
    steps, tagged, number, last = [], [], 0, ""
    for letter in "".join(proof[end + 1 :]):
        if letter == "Z":
            tagged.append(last)
        elif "U" <= letter <= "Y":
            number = number * 5 + ord(letter) - ord("T")
        elif "A" <= letter <= "T":
            number = number * 20 + ord(letter) - ord("A")
            last = names[number] if number < len(names) else tagged[number - len(names)]
            steps.append(last)
            number = 0
        else:  # "?", an unfinished proof
            return []
    return [step for step in steps if typecode[step] == "|-"]
