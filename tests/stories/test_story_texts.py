"""The texts that training on stories reads: documents, streams, forks, questions and where they end."""

import re
from dataclasses import replace

import numpy as np
import pytest

from rmt.tasks.babi import CLASSES, NEVER
from rmt.tasks.base import NAMES
from rmt.tasks.distractor import Distractor
from rmt.tasks.telling import Telling
from rmt.tasks.worlds import Persons
from rmt.text.segments import IGNORE
from rmt.text.tokenizer import open_tokenizer
from rmt.train.config import StoryConfig
from rmt.train.rungs import Rung, rungs
from rmt.train.stories import Chunk, StoryStreams

SHORT = Rung("short", forms=(1, 0, 0), facts=4)
FAR = Rung("far", forms=(1, 0, 0), share=(0.5, 0.9), life=3, unroll=2)
STREAMS = Rung("streams", forms=(1, 0, 0), share=(0.3, 0.9), life=12, unroll=2, streams=0.6)


def test_each_question_ends_at_its_place_and_has_the_answer_of_the_text_before_it(texts):
    made = texts(SHORT)
    asked = 0
    for _ in range(5):
        chunk = made.chunk(0)
        for ask, ends, labels in zip(chunk.ask, chunk.ends, chunk.labels, strict=True):
            n = int((labels != IGNORE).sum())
            told = dict(re.findall(r"(\w+) (\w+)\.", made.tokenizer.decode(ask)))  # the latest counts
            for q in range(n):
                name = made.tokenizer.decode(ask[: ends[q] + 1]).split()[-1]
                assert CLASSES[labels[q]] == told.get(name, NEVER)
                asked += 1
            assert (labels[n:] == IGNORE).all() and (ask[ends[:n].max() + 1 :] == 0).all()
    assert asked > 30


def test_short_questions_leave_room_for_all_facts_of_a_lesson(texts):
    made = texts(SHORT)
    chunks = [made.chunk(0) for _ in range(10)]
    facts = [
        made.tokenizer.decode(ask).count(".")
        for chunk in chunks
        for ask, labels in zip(chunk.ask, chunk.labels, strict=True)
        if (labels != IGNORE).all()
    ]
    assert max(facts) == SHORT.facts


def test_each_step_may_have_segments_of_a_length_of_its_own_and_its_questions_stand_whole(file):
    words = open_tokenizer(file)
    rung = replace(STREAMS, share=(0.1, 0.3), unroll=1, life=40)
    texts = StoryStreams([rung], CLASSES, words, 4, 200, 2, np.random.default_rng(0), shortest=25)
    chunks = [texts.chunk(0) for _ in range(60)]
    assert {chunk.ids.shape[2] for chunk in chunks} == {25, 50, 100, 200}
    # What was made for a long asking segment and is not read yet still stands in a short one, so it may be longer.
    assert any(chunk.ask.shape[1] > chunk.ids.shape[2] for chunk in chunks)
    for chunk in chunks:
        asked = [chunk.ask[b, end] for b, ends in enumerate(chunk.ends) for end in ends[chunk.labels[b] != IGNORE]]
        assert asked and {words.decode([token]).strip() for token in asked} <= set(NAMES)


def test_one_question_has_room_for_more_text_before_it(texts):
    made = texts(replace(STREAMS, share=(0.2, 0.5)))
    before = {1: [], 3: []}
    for _ in range(40):
        chunk = made.chunk(0)
        for ends, labels in zip(chunk.ends, chunk.labels, strict=True):
            n = int((labels != IGNORE).sum())
            if n in before:
                before[n].append(int(ends[0]))
    assert len(before[1]) > 60 and len(before[3]) > 100
    assert np.mean(before[1]) > np.mean(before[3]) + 2 and max(before[1]) > 40


def test_many_facts_lessons_tell_of_exactly_so_many(file):
    stages = rungs(StoryConfig(kinds="many-facts"))
    texts = StoryStreams(stages[:2], CLASSES, open_tokenizer(file), 6, 64, 7, np.random.default_rng(0))
    assert texts.rungs[0].facts == 4
    assert ((texts.chunk(0).labels != IGNORE).sum(1) <= 4).all()
    labels = np.concatenate([texts.chunk(0).labels for _ in range(20)])
    asked = (labels != IGNORE).sum(1)
    assert asked.max() == 4 and (asked == 4).mean() > 0.5  # of seven questions, for there are four facts in all
    assert CLASSES.index(NEVER) not in labels


def test_a_segment_is_quiet_where_no_token_of_a_fact_is(texts):
    made = texts(FAR)
    facts, found = {"Mary", "John", "Daniel", "Sandra"}, set()
    for _ in range(6):
        chunk = made.chunk(0)
        for row, quiet, begins in zip(chunk.ids, chunk.quiet, chunk.begins, strict=True):
            first = int(begins.argmax()) if begins.any() else 0
            assert not quiet[:first].any(), "before its text begins"
            for segment, still in zip(row[first:], quiet[first:], strict=True):
                named = any(name in made.tokenizer.decode(segment.tolist()) for name in facts)
                found.add((bool(still), named))
    assert (True, False) in found and (False, True) in found and (True, True) not in found


def test_documents_may_go_on_from_where_a_stream_is_in_a_way_of_their_own(texts):
    made = texts(replace(STREAMS, streams=0.5, forks=1.0))
    read, forked, differ = [""] * 6, 0, 0
    for _ in range(12):
        chunk = made.chunk(0)
        past = [read[source] for source in chunk.source]
        for b, (ids, ask, ends, labels) in enumerate(zip(chunk.ids, chunk.ask, chunk.ends, chunk.labels, strict=True)):
            new = made.tokenizer.decode(ids.reshape(-1))
            read[b] = new if chunk.begins[b, 0] else past[b] + new
            assert b >= 3 or chunk.source[b] == b, "streams go on from themselves"
            if chunk.source[b] == b:
                continue
            assert chunk.own[b] and not chunk.old[b] and not chunk.begins[b].any()
            told = dict(re.findall(r"\b(\w+) (\w+)\.", read[b] + made.tokenizer.decode(ask)))
            for end, label in zip(ends[labels != IGNORE], labels[labels != IGNORE], strict=True):
                name = made.tokenizer.decode(ask[: end + 1]).split()[-1]
                assert CLASSES[label] == told.get(name, NEVER)
                forked += 1
            differ += (ids != chunk.ids[chunk.source[b]]).any()
    assert forked > 30 and differ > 20


def test_documents_go_on_from_streams_that_are_not_lost_and_have_more_to_tell(texts):
    made = texts(replace(STREAMS, streams=0.5, forks=1.0, facts=2, least=2, life=500, wait=1.0))
    made.chunk(0)
    made.lost = np.array([True, False, False, False, False, False])
    made.streams[1].text.limit = 0
    waits = made.streams[2].text
    waits.wait = 10**6
    chunk = Chunk.empty(6, 2, (48, 48), 3, 1, 0)
    forks = [(made._fork(chunk, 5), int(chunk.source[5])) for _ in range(20)]
    assert {source for _, source in forks} == {2}
    assert all(fork.text.wait <= 0 and fork.text.pause == 0 for fork, _ in forks) and waits.wait > 10**5


def test_a_boundary_may_cut_the_first_fact_of_a_document_that_goes_on(file):
    words, rng, rare = open_tokenizer(file), np.random.default_rng(0), (1e-9, 1e-9)
    encode = lambda text: np.array(words.encode(text).ids)  # noqa: E731
    text = Telling(Distractor.load(words, "train"), Persons(rng), encode, rng, share=rare)
    text.read(100)
    whole, cut = (text.fork(rare, tokens).read(96)[1] for tokens in (None, 45))
    assert not whole.any() and cut.argmax() == 45 and cut[45:50].all() and not cut[60:].any()
    text._tell()
    begun = text.read(text.length - 3)[1]
    left, _ = text.fork(rare, 45).read(96)
    assert begun[-1] and left[:3].tolist() == text.read(3)[0].tolist(), "a fact is told to its end"


def test_background_may_be_chosen_for_words_of_the_stories_or_be_given_them(file):
    words, rng = open_tokenizer(file), np.random.default_rng(0)
    prose = "It rained all day. The GARDENS were wet. Nobody came there. All were at home, said Ada."
    source = Distractor(words, [prose])
    encode = lambda text: np.array(words.encode(text).ids)  # noqa: E731
    has, given, capital = {}, {}, 0
    for baits in (0.0, 0.9):
        text = Telling(source, Persons(rng), encode, rng, share=(1e-6, 1e-6), baits=baits).read(4000)[0]
        sentences = re.findall(r"[^.]+\.", words.decode(text))
        has[baits] = np.mean(["GARDENS" in sentence for sentence in sentences])
        given[baits] = np.mean([any(word in sentence for word in Persons.words) for sentence in sentences])
        capital += sum(f", said {name}." in sentence for sentence in sentences for name in NAMES)
    assert 0.15 < has[0.0] < 0.35 and given[0.0] == 0
    assert 0.45 < has[0.9] < 0.65 and 0.3 < given[0.9] < 0.5 and capital, "a name stands where a name stood"


def test_names_put_into_background_may_have_a_surname(file):
    words, rng = open_tokenizer(file), np.random.default_rng(0)
    encode = lambda text: np.array(words.encode(text).ids)  # noqa: E731
    source = Distractor(words, ["The words of Brown were true. A word by Webster, and none of Taylor now."])
    assert source.capitalized == ["Brown", "Taylor", "Webster"]
    text = Telling(source, Persons(rng), encode, rng, share=(1e-6, 1e-6), baits=0.9).read(4000)[0]
    follows = re.findall(rf"(?:{'|'.join(NAMES)}),? (\w+)", words.decode(text))
    assert len(follows) > 50 and 0.5 < np.mean([word in source.capitalized for word in follows]) < 0.75


def test_a_boundary_may_cut_a_bait_in_place_of_a_fact(file):
    words, rng = open_tokenizer(file), np.random.default_rng(0)
    encode = lambda text: np.array(words.encode(text).ids)  # noqa: E731
    source = Distractor(words, ["It rained for a very long time all over the whole of Maryland in those days."])
    starts = []
    for baits in (0.0, 0.5):
        for _ in range(60):
            text = Telling(source, Persons(rng), encode, rng, share=(1e-9, 1e-9), baits=baits, cut=30)
            ids, of_facts = text.read(60)
            starts.append((baits, bool(of_facts[30]), any(name in words.decode(ids[30:40]) for name in NAMES)))
    assert all(fact and named for baits, fact, named in starts if not baits)
    baited = [named for baits, fact, named in starts if baits and not fact]
    assert 15 <= len(baited) <= 45 and np.mean(baited) > 0.5, "half, and their word is near"


def test_no_fact_is_told_in_a_pause(file):
    words, rng = open_tokenizer(file), np.random.default_rng(0)
    source = Distractor(words, ["It rained all day. All were at home."])
    encode = lambda text: np.array(words.encode(text).ids)  # noqa: E731
    for pause, longest in ((0, 0), (400, 200)):
        text = Telling(source, Persons(rng), encode, rng, share=(1.0, 1.0), pause=pause).read(4000)[0]
        gaps = [len(gap) for gap in re.findall(r"(?: ?(?:It rained all day|All were at home)\.)+", words.decode(text))]
        assert max(gaps, default=0) >= longest and bool(gaps) == bool(pause)


def test_texts_of_relations_tell_both_facts_as_their_stories_do(texts):
    stages = rungs(StoryConfig(kinds="qa4"))
    assert all(stage.least == stage.facts == 2 for stage in stages if not stage.lesson)
    made = texts(next(stage for stage in stages if stage.name == "short, 2 facts"))
    for _ in range(5):
        for ask in made.chunk(0).ask:
            assert len(re.findall(r"(\w+) (?:north|south|east|west) (\w+)\.", made.tokenizer.decode(ask))) == 2


@pytest.mark.parametrize(("wait", "untold"), [(0.0, 0), (1.0, 5)])
def test_streams_may_wait_for_their_first_fact(texts, wait, untold):
    waiting = replace(STREAMS, share=(1.0, 1.0), life=500, streams=1.0, wait=wait)
    chunk = texts(waiting).chunk(0)
    nothing_told = ((chunk.labels == CLASSES.index(NEVER)) | (chunk.labels == IGNORE)).all(1)
    assert nothing_told.sum() >= untold and (wait or not nothing_told.any())
