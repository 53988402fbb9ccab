"""Lures, sentences that look like facts: rooms without people, people without rooms, other people, negations.

They mislead a memory that keeps any place or any name. They change the answer to no question of qa1 to qa3.
"""

from rmt.tasks.base import NAMES, PLACES, Rng

OTHERS = (
    "Anna",
    "Peter",
    "Emma",
    "Mr. Brown",
    "Mrs. Hill",
    "the doctor",
    "the president",
    "a stranger",
    "the children",
)
LURES = (
    "The {place} was empty.",
    "Nobody was in the {place}.",
    "The door of the {place} stood open.",
    "There was a new lamp in the {place}.",
    "The {place} is next to the {place2}.",
    "{name} was tired.",
    "{name} laughed.",
    "{name} said nothing.",
    "Everybody knew {name}.",
    "{name} and {name2} were friends.",
    "{other} went to the {place}.",
    "{other} moved to the {place}.",
    "{other} was in the {place}.",
    "{name} did not go to the {place}.",
    "{name} never liked the {place}.",
    "{name} talked about the {place}.",
    "{name} asked {other} about the {place}.",
    "{other} left the {place}.",
    "{other} saw {name}.",
)


def lure(rng: Rng) -> str:
    """Draw a lure, with its names and places."""
    one, two = rng.permutation(len(NAMES))[:2]
    here, there = rng.permutation(len(PLACES))[:2]
    words = {"name": NAMES[one], "name2": NAMES[two], "place": PLACES[here], "place2": PLACES[there]}
    text = LURES[int(rng.integers(len(LURES)))].format(**words, other=OTHERS[int(rng.integers(len(OTHERS)))])
    return text[0].upper() + text[1:]
