"""Memorize: the fact opens the document, the question closes it (Bulatov et al. 2024, section 4)."""

from rmt.tasks.base import ACTIONS, NAMES, PLACES, Rng, Story, Task


def story(rng: Rng) -> Story:
    """Somebody went somewhere; where are they?"""
    name, action, place = rng.choice(NAMES), rng.choice(ACTIONS), int(rng.integers(len(PLACES)))
    return Story((f"{name} {action} to the {PLACES[place]}.",), f"Where is {name}?", place)


TASK = Task("memorize", PLACES, story, facts_first=True)
