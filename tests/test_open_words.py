"""Open words: hundreds of people and a hundred places, and pairs of them that training never tells."""

import re
from itertools import pairwise

import numpy as np
import pytest

from rmt.tasks import TASKS
from rmt.tasks.babi import KINDS, NEVER
from rmt.tasks.base import ACTIONS
from rmt.tasks.open_words import ANYWHERE, CAST, FIRST_NAMES, OpenWords, held_out
from rmt.train.config import StoryConfig
from rmt.train.rungs import rungs

FACT = re.compile(rf"([A-Z]\w+) (?:{'|'.join(ACTIONS)}) to the (\w+)\.")


def pairs(facts):
    """Who went where, read from the sentences alone."""
    return [FACT.fullmatch(fact).groups() for fact in facts]


def told(seed, n_facts=60, **options):
    world = OpenWords(np.random.default_rng(seed), **options)
    return world, pairs(world.tell() for _ in range(n_facts))


def test_training_and_evaluation_tell_no_pair_in_common():
    seen = {pair for seed in range(60) for pair in told(seed)[1]}
    stories = [KINDS["open-words"].story(np.random.default_rng(seed)) for seed in range(300)]
    new = {pair for story in stories for pair in pairs(story.facts)}
    assert len(seen) > 2000 and len(new) > 500 and not seen & new
    assert not any(held_out(*pair) for pair in seen) and all(held_out(*pair) for pair in new)
    both = [{pair[i] for pair in seen} & {pair[i] for pair in new} for i in range(2)]
    assert len(both[0]) > 100 and len(both[1]) > 80, "the words themselves are in both"


def test_the_latest_move_counts_and_everybody_else_was_never_mentioned():
    for seed in range(20):
        world, moves = told(seed)
        where = dict(moves)
        asked = dict(world.questions())
        assert len(where) <= CAST and len(asked) == len(FIRST_NAMES)
        assert asked == {f"Where is {name}?": where.get(name, NEVER) for name in FIRST_NAMES}


def test_a_lesson_has_four_people_and_a_story_one_to_four():
    assert {len(dict(told(seed, lesson=True)[1])) for seed in range(20)} == {CAST}
    assert {len(dict(told(seed)[1])) for seed in range(60)} == {1, 2, 3, CAST}


def test_nobody_moves_to_where_they_are():
    _, moves = told(3, n_facts=200)
    for name in FIRST_NAMES:
        places = [place for who, place in moves if who == name]
        assert all(a != b for a, b in pairwise(places))


def test_the_short_form_has_the_same_words():
    world = OpenWords(np.random.default_rng(0), short=True)
    name, place = world.tell().rstrip(".").split()
    assert dict(world.questions())[name] == place


def test_first_lessons_ask_of_those_alone_who_were_told_of():
    first, *_ = stages = rungs(StoryConfig(kinds="open-words"))
    assert first.lesson == 1 and first.never == 0 and any(rung.never for rung in stages)


@pytest.mark.parametrize("words", [FIRST_NAMES, ANYWHERE])
def test_no_word_is_twice_in_its_list(words):
    assert len(set(words)) == len(words) > 100


def test_the_answers_of_the_task_are_its_places():
    task = TASKS["open-words"]
    assert task.classes == (*ANYWHERE, NEVER) and "attic" in task.classes and "Ada" in task.about
