"""Worlds of bAbI qa1 to qa5: what their facts mean, what can be asked, and texts that are cut anywhere.

More than 300 lines, since all worlds are read by one independent reader.
"""

import re
from itertools import pairwise

import numpy as np
import pytest

from rmt.errors import InputError
from rmt.tasks import TASKS
from rmt.tasks.babi import CLASSES, DROPS, GIVES, KINDS, NEVER, TAKES, Before, Gifts, Objects, Persons, Relations
from rmt.tasks.base import NAMES, PLACES, Sampler
from rmt.tasks.lures import lure
from rmt.tasks.official import official, read_stories
from rmt.tasks.relations import Chains
from rmt.text.tokenizer import open_tokenizer
from rmt.train.config import StoryConfig
from rmt.train.rungs import Rung, rungs
from rmt.train.stories import StoryStreams

GONE = re.compile(r"(\w+) (?:went|moved|went back|travelled|journeyed) to the (\w+)\.")


@pytest.fixture(scope="module")
def tokenizer(tokenizer_file):
    return open_tokenizer(tokenizer_file)


def rng(seed=0):
    return np.random.default_rng(seed)


def retold(world, facts):
    """What an independent reader of the sentences makes of them: told again to a world that draws nothing."""
    for fact in facts:
        words = fact.rstrip(".").split()
        name, thing = words[0], next((w for w in words if w in ("football", "apple", "milk")), None)
        verb = " ".join(words[1 : words.index("the")])
        if thing is None:
            world.moved(name, words[-1])
        elif verb in TAKES:
            world.took(name, thing)
        elif verb in DROPS:
            world.dropped(name, thing)
        else:
            assert verb in GIVES
            world.gave(name, thing, words[-1])
    return world


@pytest.mark.parametrize("kind", ["qa1", "qa2", "qa3", "qa5"])
def test_the_sentences_alone_say_what_the_world_answers(kind):
    for seed in range(20):
        world = KINDS[kind].world(rng(seed))
        facts = [world.tell() for _ in range(40)]
        assert dict(retold(KINDS[kind].world(rng(99)), facts).questions()) == dict(world.questions())


def test_the_latest_move_counts_and_who_was_never_mentioned_is_nowhere():
    world = Persons(rng())
    world.moved("Mary", "garden")
    world.moved("John", "office")
    world.moved("Mary", "kitchen")
    assert dict(world.questions()) == {
        "Where is Mary?": "kitchen", "Where is John?": "office",
        "Where is Daniel?": NEVER, "Where is Sandra?": NEVER,
    }  # fmt: skip


def test_an_object_is_with_who_carries_it_and_stays_where_it_was_dropped():
    world = Objects(rng())
    world.moved("Mary", "garden")
    world.took("Mary", "milk")
    world.moved("Mary", "office")
    assert dict(world.questions())["Where is the milk?"] == "office"
    world.dropped("Mary", "milk")
    world.moved("Mary", "kitchen")
    assert dict(world.questions())["Where is the milk?"] == "office"
    assert dict(world.questions())["Where is the apple?"] == NEVER


def test_what_is_taken_before_its_carrier_was_anywhere_is_nowhere_until_a_move():
    world = Objects(rng())
    world.took("John", "apple")
    assert dict(world.questions())["Where is the apple?"] == NEVER
    world.moved("John", "hallway")
    assert dict(world.questions())["Where is the apple?"] == "hallway"


def test_before_a_place_counts_the_latest_coming_there():
    world = Before(rng())
    world.moved("Mary", "garden")
    world.took("Mary", "milk")
    for place in ("office", "kitchen", "garden", "office"):
        world.moved("Mary", place)
    asked = dict(world.questions())
    assert asked["Where was the milk before the office?"] == "garden"
    assert asked["Where was the milk before the kitchen?"] == "office"
    assert asked["Where was the milk before the bedroom?"] == NEVER


def test_the_official_files_ask_of_an_objects_latest_journey_soon_after_it():
    """Of qa3's questions: between two places where one person came with the object, who just took or dropped it."""
    facts = ["Mary moved to the garden.", "Mary took the milk."]
    facts += ["Mary went to the office.", "Mary went to the hallway."]
    asked = [("Where was the milk before the hallway?", "office")]  # not before the office: in the garden it was taken
    now = lambda world: world.official([pair for pair in world.questions() if pair[1] != NEVER])  # noqa: E731
    world = retold(Before(rng()), facts)
    assert now(world) == asked
    assert now(retold(world, ["John moved to the kitchen.", "John moved to the bedroom."])) == asked
    assert now(retold(world, ["John moved to the garden."])) == [], "five facts ago it was taken"
    assert now(retold(world, ["Mary dropped the milk."])) == asked
    assert now(retold(world, ["John went to the hallway.", "John took the milk.", "John went to the garden."])) == []
    pairs = [(f"Where was the milk before the {place}?", "") for place in ("hallway", "garden", "office")]
    assert world.weights(pairs) == [0.02] * 3, "none of them on John's way"
    retold(world, ["John went to the office."])
    assert world.weights(pairs) == [0.02, 0.02, 1.0], "from the garden to the office, with him"
    assert world.weights([("Where is the milk?", "office"), ("Where is Mary?", "hallway")]) == [0.1, 0.1], "beside it"


def test_relations_are_read_from_both_sides():
    world = Relations(rng())
    world.told = [("office", "north", "kitchen"), ("garden", "south", "kitchen")]
    asked = dict(world.questions())
    assert asked["What is north of the kitchen?"] == "office"
    assert asked["What is the office north of?"] == "kitchen"
    assert asked["What is the kitchen north of?"] == "garden"
    assert asked["What is south of the office?"] == "kitchen"
    assert asked["What is east of the office?"] == NEVER


def test_the_latest_gift_that_fits_answers():
    world = Gifts(rng())
    world.gave("Bill", "milk", "Fred")
    world.gave("Fred", "milk", "Jeff")
    world.gave("Bill", "apple", "Fred")
    asked = dict(world.questions())
    assert asked["What did Bill give to Fred?"] == "apple"
    assert asked["Who gave the milk to Fred?"] == "Bill"
    assert asked["Who did Fred give the milk to?"] == "Jeff"
    assert asked["Who received the milk?"] == "Jeff"
    assert asked["Who gave the football?"] == NEVER


def test_the_lesson_of_relations_asks_in_the_direction_told():
    world = Relations(rng(), lesson=True)
    world.told = [("office", "north", "kitchen"), ("garden", "south", "kitchen")]
    asked = dict(world.questions())
    assert asked["What is north of the kitchen?"] == "office" and asked["What is the garden south of?"] == "kitchen"
    assert "What is south of the office?" not in asked and "What is the kitchen north of?" not in asked
    assert asked["What is south of the garden?"] == NEVER


def test_of_a_place_that_no_fact_mentioned_nothing_was_told():
    world = Relations(rng())
    assert not world.questions()
    world.told = [("office", "north", "kitchen"), ("garden", "south", "kitchen")]
    asked = dict(world.questions())
    assert asked["What is north of the bedroom?"] == asked["What is the bedroom north of?"] == NEVER
    assert len(asked) == 3 * 2 * 4 + 3 * 2


def test_hard_questions_about_relations_change_their_answer_with_the_side():
    world, mirrored = Relations(rng(), hard=True), Relations(rng(1), hard=True)
    world.told = [("office", "north", "kitchen"), ("garden", "south", "kitchen")]
    mirrored.told = [("office", "south", "kitchen"), ("garden", "north", "kitchen")]
    asked, other = dict(world.questions()), dict(mirrored.questions())
    assert asked["What is north of the kitchen?"] == "office" and other["What is north of the kitchen?"] == "garden"
    assert asked["What is north of the office?"] == NEVER and other["What is south of the office?"] == NEVER
    assert len(asked) == len(other) == 8 and not set(asked.items()) & set(other.items())
    world.told.pop()
    assert len(world.questions()) == 2 * 2 * 4 + 4 * 2, "of one fact, all is asked"


def chain(*facts):
    """What a world of chains answers, other than NEVER, once it was told these facts."""
    world = Chains(rng())
    world.told = [tuple(fact.split()) for fact in facts]
    return {question: answer for question, answer in world.questions() if answer != NEVER}


def test_two_places_away_is_said_by_both_facts_and_by_neither_alone():
    both = {"What is two places north of the office?": "garden", "What is two places south of the garden?": "office"}
    facts = ("garden north kitchen", "kitchen north office")
    assert chain(*facts) == both == chain("garden north kitchen", "office south kitchen")
    assert chain(facts[0]) == chain(facts[1]) == {}
    assert set(chain("kitchen north garden", "kitchen south office").values()) == {"garden", "office"}
    for seed in range(20):
        story = KINDS["chains"].story(rng(seed))
        said = chain(*(" ".join(re.fullmatch(r"The (\w+) is (\w+) of the (\w+)\.", f).groups()) for f in story.facts))
        assert said[story.question] == PLACES[story.answer]


def test_some_texts_of_chains_tell_one_fact_alone():
    far = rungs(StoryConfig(kinds="chains"))[-3:]
    assert all((rung.least, rung.facts) == (1, 2) for rung in far)
    assert all((rung.least, rung.facts) == (2, 2) for rung in rungs(StoryConfig(kinds="qa4"))[-3:])


def test_the_lesson_of_chains_asks_what_qa4_asks_too():
    world, lesson = (Chains(rng(1), lesson=lesson) for lesson in (False, True))
    for _ in range(2):
        assert world.tell() == lesson.tell()
    relations = Relations(rng(1))
    relations.told = world.told
    assert lesson.questions() == world.questions() + relations.questions()
    assert not set(dict(world.questions())) & set(dict(relations.questions()))


@pytest.mark.parametrize("kind", ["qa2", "qa3"])
def test_in_the_lesson_of_objects_what_was_taken_has_a_place(kind):
    for seed in range(10):
        world = KINDS[kind].world(rng(seed), lesson=True)
        if world.apart:
            continue
        facts = [world.tell() for _ in range(12)]
        assert all(world.seen[thing] for thing in world.seen) and world.seen, facts
        told = retold(KINDS[kind].world(rng(99)), facts)
        assert dict(told.questions()).items() <= dict(world.questions()).items()


def test_the_lesson_of_objects_asks_about_people_too():
    facts = ["Mary went to the garden.", "Mary took the milk there.", "Mary went to the office."]
    asked = dict(retold(Objects(rng(), lesson=True), facts).questions())
    assert asked["Where is Mary?"] == asked["Where is the milk?"] == "office" and asked["Where is John?"] == NEVER
    assert asked["Who took the milk?"] == "Mary" and asked["Who took the apple?"] == NEVER
    world = retold(Objects(rng()), facts)
    assert "Where is Mary?" not in dict(world.questions()) and "Where is Mary?" in dict(world.beside())


def test_the_lesson_of_what_was_before_asks_where_it_is_too_and_its_hard_questions_are_of_places_left():
    facts = ["Mary went to the garden.", "Mary took the milk there.", "Mary went to the office."]
    asked = dict(retold(Before(rng(), lesson=True), facts).questions())
    assert asked["Where was the milk before the office?"] == "garden" and asked["Where is the milk?"] == "office"
    assert asked["Who took the milk?"] == "Mary" and asked["Where is Mary?"] == "office"
    facts = [*facts, "Mary went to the kitchen."]
    assert retold(Before(rng(), hard=True), facts).questions() == [("Where was the milk before the office?", "garden")]


@pytest.mark.parametrize(("lesson", "taken", "carried_on"), [(True, (0.9, 1), (0.5, 1)), (False, (0, 0.7), (0, 0.4))])
def test_in_the_lesson_of_objects_few_facts_have_something_taken_and_carried_on(lesson, taken, carried_on):
    known = on = 0
    for seed in range(200):
        world, moved = Objects(rng(seed), lesson=lesson), False
        world.apart = False
        for _ in range(6):
            before = dict(world.place)
            world.tell()
            moved |= any(world.place[name] != before[name] and world.carried(name) for name in world.names)
        known, on = known + any(world.seen.values()), on + moved
    assert taken[0] <= known / 200 <= taken[1] and carried_on[0] <= on / 200 <= carried_on[1]


def test_half_of_the_lessons_of_objects_hand_them_out_among_several_people():
    worlds = [Objects(rng(seed), lesson=True) for seed in range(100)]
    assert 35 <= sum(world.apart for world in worlds) <= 65
    several = later = 0
    for world in (world for world in worlds if world.apart):
        facts = [world.tell() for _ in range(8)]
        several += len(set(world.carrier.values())) > 1
        taken = next(i for i, fact in enumerate(facts) if " the " in fact and fact.split()[-1] not in PLACES)
        later += not any(fact.startswith(facts[taken].split()[0]) for fact in facts[:taken])
        known = dict(retold(Objects(rng(99)), facts).questions())
        assert known == {question: answer for question, answer in world.questions() if question in known}
    assert several >= 30 and later >= 15, "whose places are told later"
    assert not any(Objects(rng(seed)).apart for seed in range(20))


def test_hard_questions_about_objects_are_about_those_that_are_not_where_somebody_went_last():
    facts = ["Mary went to the garden.", "Mary took the milk there.", "John took the apple there."]
    world = retold(Objects(rng(), hard=True), facts)
    assert world.questions() == [("Where is the apple?", NEVER)], "nobody was told where John is"
    world.moved("John", "office")
    assert world.questions() == [("Where is the milk?", "garden")]
    world.moved("Daniel", "kitchen")
    assert sorted(world.questions()) == [("Where is the apple?", "office"), ("Where is the milk?", "garden")]
    world.dropped("Mary", "milk")
    assert len(world.questions()) == 2, "where its carrier still is, it is not left behind"
    world.moved("Mary", "kitchen")
    assert world.questions() == [("Where is the milk?", "garden")], "left behind by Mary, who went on"
    assert len(retold(Objects(rng(), hard=True), facts[:2]).questions()) == 3, "where there is none, all is asked"


def test_hard_questions_about_gifts_share_a_word_with_another_gift_that_says_otherwise():
    facts = ["Fred gave the milk to Mary.", "Bill gave the apple to Jeff.", "Fred gave the football to Bill."]
    asked = dict(retold(Gifts(rng(), hard=True), facts).questions())
    assert asked["What did Fred give to Mary?"] == "milk" and asked["What did Fred give to Bill?"] == "football"
    assert asked["What did Bill give to Jeff?"] == "apple", "Bill was given something else"
    assert asked["What did Mary give to Fred?"] == NEVER
    assert "Who gave the milk?" not in asked and "Who received the apple?" not in asked
    asked = dict(retold(Gifts(rng(), hard=True), [*facts, "Mary gave the milk to Jeff."]).questions())
    assert asked["Who gave the milk?"] == "Mary" and asked["Who gave the milk to Mary?"] == "Fred"


def test_in_the_lesson_of_objects_many_are_left_behind():
    left = 0
    for seed in range(200):
        world = Objects(rng(seed), lesson=True)
        world.apart = False
        for _ in range(8):
            world.tell()
        lying = {thing: place for thing, place in world.seen.items() if thing not in world.holder}
        left += any(place != world.place[world.carrier[thing]] for thing, place in lying.items())
    assert left / 200 >= 0.33, "where droppers move no more than others it is 0.25"


def test_texts_ask_hard_questions_alone_where_their_rung_says_so(tokenizer):
    hard = Rung("hard", ("qa4",), facts=2, least=2, never=0.0, hard=1.0)
    chunk = StoryStreams([hard], CLASSES, tokenizer, 20, 64, 1, rng(3)).chunk(0)
    for ids in chunk.ask:
        text = tokenizer.decode(ids.tolist())
        one, other = ({first, second} for first, second in re.findall(r"The (\w+) is \w+ of the (\w+)\.", text))
        assert re.search(r"What is.* the (\w+)[\w ]*\?", text)[1] in one & other, text


def test_the_lesson_of_gifts_tells_gifts_alone():
    world = Gifts(rng(), lesson=True)
    facts = [world.tell() for _ in range(30)]
    assert all(re.match(rf"(\w+) ({'|'.join(GIVES)}) the \w+ to (?!\1)\w+\.$", fact) for fact in facts)
    assert dict(retold(Gifts(rng(1)), facts).questions()) == dict(world.questions())


@pytest.mark.parametrize("kind", ["qa2", "qa3", "qa4", "qa5", "chains"])
def test_training_begins_with_a_tasks_lesson_and_ends_with_its_stories(kind):
    steps = rungs(StoryConfig(kinds=kind))
    assert steps[0].lesson == (0.9 if kind == "qa3" else 1), "qa3 goes on from qa2"
    assert all(rung.lesson < 1 for rung in steps[-3:])
    assert len({rung.name for rung in steps}) == len(steps)
    assert not any(rung.lesson for rung in rungs(StoryConfig(kinds=f"qa1, {kind}"))), "there qa1 comes first"


def test_relations_cross_a_boundary_one_fact_before_two_and_then_many_questions_need_the_side():
    steps = rungs(StoryConfig(kinds="qa4"))
    across = [rung for rung in steps if rung.life == 2]
    assert [(rung.facts, rung.lesson) for rung in across[:3]] == [(1, 1), (2, 1), (2, 0)]
    assert all(rung.hard == 0 if rung.lesson else rung.hard >= 0.4 for rung in steps)


def test_gifts_are_cut_by_boundaries_in_a_rung_of_short_segments_before_the_streams():
    often = rungs(StoryConfig(kinds="qa5"))[-3]
    assert often.tokens < 32 and often.life > 8 and often.share[0] >= 0.4 and not often.streams


def test_objects_are_few_in_the_lessons_and_many_before_the_streams():
    steps = rungs(StoryConfig(kinds="qa2"))
    *lessons, many, left, _, _ = steps
    assert (
        all(4 <= rung.facts <= 12 for rung in lessons)
        and left.facts > 12
        and many.facts is None
        and many.share[0] >= 0.3
    )
    assert all(rung.lesson for rung in steps), "people are asked about to the end"
    across = [rung for rung in lessons if rung.life > 1 and rung.forms[2] == 0]
    across = [rung for rung in across if "left behind" not in rung.name]
    assert len(across) == 4 and all(rung.share[0] >= 0.8 for rung in across), "told before the boundary, not after it"


def test_streams_of_what_was_before_tell_as_much_as_its_stories():
    """Fifty facts within a life: where streams paused between them, a memory that was told so many no longer wrote."""
    first, last = rungs(StoryConfig(kinds="qa3"))[-2:]
    for stream in (first, last):
        assert stream.streams and stream.share[0] >= 0.05 and stream.wait <= 0.2 and stream.lesson >= 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_stories_ask_what_was_told_or_what_never_was(kind):
    task = TASKS[kind]
    for seed in range(30):
        assert task.classes[task.story(rng(seed)).answer] != NEVER
        assert task.classes[task.story(rng(seed), never=True).answer] == NEVER


def test_stories_are_as_long_as_the_official_ones_and_ask_mostly_about_what_was_told_last():
    """Official files: qa3 has 50 facts in the mean and asks 793 of 1,000 times about where an object came last, each
    time with the place before on the same journey, qa5 20 and 9,847 of 10,000 times about the latest gift."""
    stories = {kind: [KINDS[kind].story(rng(seed)) for seed in range(300)] for kind in ("qa3", "qa5")}
    facts = {kind: np.mean([len(story.facts) for story in told]) for kind, told in stories.items()}
    assert 40 < facts["qa3"] < 60 and 17 < facts["qa5"] < 28
    latest = 0
    for story in stories["qa3"]:
        thing, place = re.match(r"Where was the (\w+) before the (\w+)\?", story.question).groups()
        latest += retold(Before(rng()), story.facts).seen[thing] == place
        handled = [i for i, fact in enumerate(story.facts) if thing in fact]
        taken = [i for i in handled if re.search("|".join(TAKES), story.facts[i])][-1]
        end = len(story.facts) if taken == handled[-1] else handled[-1]
        moves = [GONE.fullmatch(fact) for fact in story.facts[taken:end]]
        way = [move[2] for move in moves if move and story.facts[taken].startswith(move[1])]
        assert (CLASSES[story.answer], place) in pairwise(way) and len(story.facts) - handled[-1] <= 5
    assert 0.7 < latest / 300 < 0.88
    of_gift = [{*re.findall(r"\w+", story.question), CLASSES[story.answer]} for story in stories["qa5"]]
    gifts = [[f for f in story.facts if f.split()[1] in GIVES][-1] for story in stories["qa5"]]
    fits = [len({*re.findall(r"\w+", gift)} & words) for gift, words in zip(gifts, of_gift, strict=True)]
    assert np.mean(np.array(fits) >= 2) > 0.9


def test_training_asks_about_older_facts_more_often_than_the_official_files(tokenizer):
    """Between as they do (99 of 100 of four gifts about the latest) and evenly (a third of these questions)."""
    world = Gifts(rng())
    for giver, thing, other in (("Bill", "milk", "Fred"), ("Fred", "apple", "Jeff"), ("Jeff", "football", "Mary")):
        world.gave(giver, thing, other)
    streams = StoryStreams([Rung("gifts", ("qa5",), never=0.0)], CLASSES, tokenizer, 2, 64, 1, rng(3))
    asked = [streams._draw(world, 1)[0] for _ in range(300)]
    of_latest = [len({"Jeff", "football", "Mary"} & {*re.findall(r"\w+", q), answer}) > 1 for q, answer in asked]
    assert 0.6 < np.mean(of_latest) < 0.93


def test_the_lesson_of_what_was_before_asks_of_that_in_a_third_of_its_questions():
    asked, people = [], set()
    for seed in range(100):
        world = Before(rng(seed), lesson=True)
        for _ in range(10):
            world.tell()
        told = [pair for pair in world.questions() if pair[1] != NEVER]
        shares = np.sqrt(world.weights(told))
        asked.append(sum(shares[i] for i, (question, _) in enumerate(told) if "before" in question) / sum(shares))
        people.add(len(world.present))
    assert 0.25 < np.mean(asked) < 0.6 and people == {1, 2, 3, 4}


def test_lures_move_nobody_who_is_asked_for():
    for seed in range(300):
        assert not re.search(r"^(Mary|John|Daniel|Sandra) (went|moved|is|was) (to|in) the", lure(rng(seed)))


def test_every_label_is_what_the_text_in_front_of_the_question_says(tokenizer):
    """Read the decoded texts of streams and documents with a regular expression, from where each begins."""
    stages = [
        Rung("streams", ("qa1",), share=(0.3, 0.9), life=12, unroll=3, streams=0.5, cut=0.5),
        Rung("lesson", ("qa1",), facts=4),
    ]
    streams = StoryStreams(stages, CLASSES, tokenizer, 12, 48, 4, rng(3))
    read = {}
    checked = 0
    for _ in range(12):
        chunk = streams.chunk(0)
        for b in range(12):
            text = read.get(b, [])
            for u in range(chunk.begins.shape[1]):
                if chunk.begins[b, u]:
                    text = []
                if u < chunk.ids.shape[1]:
                    text = [*text, *chunk.ids[b, u]]
            read[b] = text
            first = chunk.ends[b, 0]
            asked = tokenizer.decode(chunk.ask[b][: max(chunk.ends[b]) + 1])
            said = tokenizer.decode([int(i) for i in text]) + asked
            where = dict(
                re.findall(r"(Mary|John|Daniel|Sandra) (?:went|moved|went back|travelled|journeyed) to the (\w+)", said)
            )
            for question, label in zip(re.findall(r"Where is (\w+)\?", asked), chunk.labels[b], strict=False):
                assert CLASSES[label] == where.get(question, NEVER), (said, question)
                checked += 1
            assert first > 0
    assert checked > 200


@pytest.mark.parametrize(("kind", "apart"), [("qa1", False), ("qa3", True), ("qa4", True), ("qa5", True)])
def test_questions_that_answer_each_other_are_asked_apart(tokenizer, kind, apart):
    stage = Rung("prose", (kind,), share=(0.8, 0.9), life=5, unroll=4)
    chunk = StoryStreams([stage], CLASSES, tokenizer, 20, 64, 4, rng(3)).chunk(0)
    asked = [tokenizer.decode(ids.tolist()).count("?") for ids in chunk.ask]
    assert len(asked) == (80 if apart else 20) and max(asked) == (1 if apart else 4)
    assert (chunk.labels >= 0).sum(1).max() > 1


def test_official_files_are_read_and_told_as_they_are(tokenizer, tmp_path):
    lines = ["1 Mary moved to the bathroom.", "2 John went to the hallway.", "3 Where is Mary? \tbathroom\t1"]
    lines += ["4 Mary went to the garden.", "5 Where is Mary? \tgarden\t4", "1 John went to the office."]
    lines += ["2 Where is John?\toffice\t1"]
    (tmp_path / "qa1_single-supporting-fact_test.txt").write_text("\n".join(lines))
    stories = read_stories(tmp_path / "qa1_single-supporting-fact_test.txt", TASKS["qa1"].classes)
    assert [len(story.facts) for story in stories] == [2, 3, 1]
    assert [PLACES[story.answer] for story in stories] == ["bathroom", "garden", "office"]
    example = Sampler(official("qa1", tmp_path), tokenizer, "eval").example(rng(), 400)
    assert len(example.ids) == 400
    assert tokenizer.decode(example.ids.tolist()).rstrip().endswith(example.story.question)


@pytest.mark.parametrize("text", ["Mary went.", "1 Where?\tnowhere\t1", "x y\tgarden", ""])
def test_a_file_that_is_not_babi_is_refused_with_its_line(tmp_path, text):
    (tmp_path / "qa1_x_test.txt").write_text("1 Mary moved to the bathroom.\n" + text)
    if not text:
        assert read_stories(tmp_path / "qa1_x_test.txt", TASKS["qa1"].classes) == []
        return
    with pytest.raises(InputError, match="Line 2"):
        official("qa1", tmp_path)


def test_a_folder_without_the_files_is_refused(tmp_path):
    with pytest.raises(InputError, match="qa3_"):
        official("qa3", tmp_path)


def test_who_is_absent_is_never_mentioned_however_long_the_story_is():
    left_out = []
    for seed in range(30):
        world = KINDS["qa1"].world(rng(seed), absent=True)
        told = " ".join(world.tell() for _ in range(200))
        absent = [name for name in NAMES if name not in told]
        assert absent and {f"Where is {name}?" for name in absent} == {q for q, a in world.questions() if a == NEVER}
        left_out.append(len(absent))
    assert set(left_out) == {1, 2, 3}, "and somebody is always there"
