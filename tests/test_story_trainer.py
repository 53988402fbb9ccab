"""Training on stories that go on: rungs, streams, several questions put to one state, a captured step, resuming.

More than 300 lines, since all of it is tried on one tiny run and its texts.
"""

import json
import re
import sys
from dataclasses import replace
from functools import partialmethod
from itertools import repeat

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from training import listed

from rmt.__main__ import main
from rmt.checkpoint import load
from rmt.checkpoint.build import build
from rmt.commands.options import options_of
from rmt.errors import InputError
from rmt.memory.base import map_state
from rmt.memory.recurrent import gates
from rmt.tasks import distractor
from rmt.tasks.babi import CLASSES, NEVER
from rmt.tasks.base import NAMES
from rmt.tasks.distractor import Distractor
from rmt.tasks.telling import Telling
from rmt.tasks.worlds import Persons
from rmt.text.segments import IGNORE, Segment
from rmt.text.tokenizer import open_tokenizer, train_tokenizer
from rmt.train import stories
from rmt.train.captured_step import CapturedStep
from rmt.train.config import StoryConfig
from rmt.train.rungs import Rung, rungs
from rmt.train.stories import Chunk, StoryStreams, vocabulary_texts
from rmt.train.story_step import answers, score
from rmt.train.story_trainer import StoryTrainer
from rmt.train.tracking import track

torch.set_num_threads(1)
ADDRESSES = {
    "a": "The union is strong. We have a treaty with all nations.",
    "b": "Peace at home is our first care. So be it.",
}
SHORT = Rung("short", forms=(1, 0, 0), facts=4)
FAR = Rung("far", forms=(1, 0, 0), share=(0.5, 0.9), life=3, unroll=2)
STREAMS = Rung("streams", forms=(1, 0, 0), share=(0.3, 0.9), life=12, unroll=2, streams=0.6)


@pytest.fixture(scope="module", autouse=True)
def addresses():
    """Background of four sentences, so that nothing takes long."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (distractor, stories):
            patch.setattr(module, "documents", lambda split: ADDRESSES)
        yield


@pytest.fixture(scope="module")
def file(addresses, tmp_path_factory):
    file = tmp_path_factory.mktemp("words") / "tokenizer.json"
    train_tokenizer(vocabulary_texts(np.random.default_rng(0), rounds=30), size=500).save(str(file))
    return file


@pytest.fixture
def config(file) -> StoryConfig:
    """A run of seconds: every rung is left after two steps, the last after three."""
    return StoryConfig(
        tokenizer=str(file), layers=1, width=16, heads=2, n_memory=2, segment_length=40, questions=2, rows=3,
        lesson_rows=3, warmup=1, patience=2, go_on=True, stream_steps=3, log_every=2, save_every=2,
    )  # fmt: skip


@pytest.fixture
def texts(file):
    """texts(rung, ...) are texts of these rungs, six side by side."""
    return lambda *stages: StoryStreams(list(stages), CLASSES, open_tokenizer(file), 6, 48, 3, np.random.default_rng(0))


@pytest.fixture
def model(config, tmp_path):
    """The model of a run, in float64."""
    trainer = StoryTrainer(replace(config, layers=2, segment_length=48), tmp_path / "model")
    spec = {**trainer.spec, "classes": list(CLASSES)}
    spec["backbone"] = {**spec["backbone"], "config": {**spec["backbone"]["config"], "num_labels": len(CLASSES)}}
    spec["backbone"]["config"] |= {"id2label": {i: str(i) for i in range(len(CLASSES))}}
    return build(spec, trainer.model.tokenizer).double()


def tensors(chunk):
    return [torch.from_numpy(array) for array in (chunk.ids, chunk.begins, chunk.ask, chunk.ends)]


def targets(chunk):
    return [torch.from_numpy(array) for array in (chunk.quiet, chunk.labels)]


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


def test_a_rung_may_have_shorter_segments_than_the_model(texts, model):
    stage = replace(STREAMS, tokens=32, cut=1.0)
    made = texts(stage, replace(stage, tokens=None))
    chunk = made.chunk(0)
    assert chunk.ids.shape == (6, 2, 32) and chunk.ask.shape == (6, 32) and chunk.ends.max() < 32
    assert answers(model, *tensors(chunk), model.cell.initial(6))[0].shape[:2] == (6, 3)
    assert made.chunk(1).ids.shape == (6, 2, 48), "by default they are the model's"


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


def test_many_facts_lessons_tell_of_exactly_so_many(file):
    stages = rungs(StoryConfig(kinds="many-facts"))
    texts = StoryStreams(stages[:2], CLASSES, open_tokenizer(file), 6, 64, 7, np.random.default_rng(0))
    assert texts.rungs[0].facts == 4
    assert ((texts.chunk(0).labels != IGNORE).sum(1) <= 4).all()
    labels = np.concatenate([texts.chunk(0).labels for _ in range(20)])
    asked = (labels != IGNORE).sum(1)
    assert asked.max() == 4 and (asked == 4).mean() > 0.5  # of seven questions, for there are four facts in all
    assert CLASSES.index(NEVER) not in labels


def test_places_without_a_question_count_for_nothing(texts, model):
    chunk = texts(SHORT).chunk(0)
    labels = torch.from_numpy(chunk.labels)
    assert (labels == IGNORE).any()
    state = model.cell.initial(len(labels))
    loss, right, _ = score(model, *tensors(chunk), *targets(chunk), state)
    logits, *_ = answers(model, *tensors(chunk), state)
    by_hand = [F.cross_entropy(logits[b, q], labels[b, q]) for b, q in (labels != IGNORE).nonzero().tolist()]
    assert torch.allclose(loss, torch.stack(by_hand).mean()) and not right[labels == IGNORE].any()


def with_gates(model):
    """A copy of a model whose memory is written through gates, some open and some shut."""
    options = {**model.about.config["cell"]["options"], "gated": True}
    gated = build({**model.about.config, "cell": {"kind": "rmt", "options": options}}, model.tokenizer).double()
    gated.load_state_dict(model.state_dict(), strict=False)
    torch.nn.init.normal_(gated.cell.gate.weight)
    return gated


def test_open_gates_cost_their_mean(texts, model):
    chunk, gated = texts(FAR).chunk(0), with_gates(model)
    state = gated.cell.initial(len(chunk.labels))
    steps = answers(gated, *tensors(chunk), state)[2]
    openness = torch.stack([gates(gated.cell.gate_logits(step)) for step in steps])
    assert len(steps) == FAR.unroll and 0.1 < openness.mean() < 0.9
    free, dear = (score(gated, *tensors(chunk), *targets(chunk), state, gate_cost=cost)[0] for cost in (0, 0.5))
    assert (dear - free).item() == pytest.approx(0.5 * openness.mean().item(), rel=1e-5)


def test_gates_of_segments_without_a_fact_should_be_shut(texts, model):
    chunk, gated = texts(FAR).chunk(0), with_gates(model)
    state = gated.cell.initial(len(chunk.labels))
    logits = torch.stack([gated.cell.gate_logits(step) for step in answers(gated, *tensors(chunk), state)[2]], dim=1)
    wrong = [F.softplus(logits[b, u]).mean() for b, u in zip(*chunk.quiet.nonzero(), strict=True)]
    assert 0 < len(wrong) < chunk.quiet.size
    free, dear = (score(gated, *tensors(chunk), *targets(chunk), state, quiet_cost=cost)[0] for cost in (0, 0.5))
    assert (dear - free).item() == pytest.approx(0.5 * torch.stack(wrong).mean().item(), rel=1e-5)


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


def test_gates_that_the_other_run_does_not_have_begin_nearly_open(config, tmp_path):
    config = replace(config, first=10)
    StoryTrainer(config, tmp_path / "first")._save()
    gated = StoryTrainer(replace(config, gated=True, init=str(tmp_path / "first")), tmp_path / "gated")
    ids = torch.arange(200).reshape(1, 200)
    state, before = gated.model.eval()(ids).state, load(tmp_path / "first", device="cpu")(ids).state
    assert 0 < (state - before).norm() < 0.2 * before.norm()
    list(gated.steps())
    kept = load(tmp_path / "gated", device="cpu")
    assert kept.about.config["cell"]["options"]["gated"] and kept.cell.gate is not None
    again = StoryTrainer(replace(config, gated=True, init=str(tmp_path / "gated")), tmp_path / "again")
    assert torch.equal(again.model.cell.gate.weight, kept.cell.gate.weight)


def test_streams_carry_their_state_and_begin_anew_as_a_plain_loop_does(texts, model):
    made = texts(STREAMS)
    carried, states, began = model.cell.initial(6).detach(), [None] * 6, 0
    for step in range(8):
        chunk = made.chunk(0)
        logits, carried, _ = answers(model, *tensors(chunk), carried)
        for b in range(6):
            for u, ids in enumerate([*chunk.ids[b], chunk.ask[b]]):
                if chunk.begins[b, u]:
                    states[b] = model.cell.initial(1)
                    began += step > 0 and chunk.old[b] > 0
                if states[b] is None:
                    states[b] = model.cell.initial(1)  # read and thrown away: a document begins later in this row
                before = states[b]
                read, states[b] = model.cell.step(model.backbone, Segment(torch.from_numpy(ids)[None]), before)
            states[b] = before  # the questions leave no trace
            hidden = read.output.hidden[0, read.layout.tokens]
            assert torch.allclose(logits[b], model.backbone.model.score(hidden[chunk.ends[b]]), atol=1e-12)
        carried = carried.detach()
    assert began and (chunk.old > 4).any()


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


def test_a_row_goes_on_from_the_memory_of_its_source(config, tmp_path):
    trainer = StoryTrainer(replace(config, first=10, stream_share=0.4, stream_steps=30), tmp_path / "run")
    chunks, sources, forked = trainer.chunks, [], []

    def watched():
        for group, chunk in chunks:
            sources.append(torch.from_numpy(chunk.source))
            yield group, chunk

    def step(*tensors):
        if trainer.carried:
            assert torch.equal(tensors[-1], trainer.carried[0][sources[-1]])
            forked.append((sources[-1] != torch.arange(3)).any())
        loss, right, state = trainer._train(*tensors)
        return loss, right, torch.randn_like(state)

    trainer.step, trainer.chunks = step, watched()
    list(trainer.steps())
    assert any(forked)


def test_a_stream_is_lost_where_it_answered_wrong_and_not_where_it_was_not_asked(config, tmp_path):
    trainer = StoryTrainer(replace(config, kinds="qa4", first=13, stream_share=1.0, rows=8), tmp_path / "run")
    asked = []

    def step(*tensors):
        loss, right, state = trainer._train(*tensors)
        asked.append((tensors[-2] >= 0).any(1))
        return loss, torch.zeros_like(right), state

    trainer.step = step
    for _ in range(4):
        trainer._step()
        assert torch.equal(trainer.lost[0], asked[-1])
    assert not torch.stack(asked).all(), "of a story that told nothing yet nothing can be asked"


def test_background_may_be_chosen_for_words_of_the_stories(file):
    words, rng = open_tokenizer(file), np.random.default_rng(0)
    source = Distractor(words, ["It rained all day. The GARDENS were wet. Nobody came there. All were at home."])
    shares = []
    for baits in (0.0, 0.9):
        encode = lambda text: np.array(words.encode(text).ids)  # noqa: E731
        text = Telling(source, Persons(rng), encode, rng, share=(1e-6, 1e-6), baits=baits).read(2000)[0]
        sentences = words.decode(text).count(".")
        shares.append(words.decode(text).count("GARDENS") / sentences)
    assert 0.15 < shares[0] < 0.35 and 0.8 < shares[1] < 1


def test_no_fact_is_told_in_a_pause(file):
    words, rng = open_tokenizer(file), np.random.default_rng(0)
    source = Distractor(words, ["It rained all day. All were at home."])
    encode = lambda text: np.array(words.encode(text).ids)  # noqa: E731
    for pause, longest in ((0, 0), (400, 200)):
        text = Telling(source, Persons(rng), encode, rng, share=(1.0, 1.0), pause=pause).read(4000)[0]
        gaps = [len(gap) for gap in re.findall(r"(?: ?(?:It rained all day|All were at home)\.)+", words.decode(text))]
        assert max(gaps, default=0) >= longest and bool(gaps) == bool(pause)


def test_the_first_of_several_questions_has_the_answer_of_a_document_that_ends_with_it(texts, model):
    source = texts(FAR)
    chunk = next(c for c in (source.chunk(0) for _ in range(50)) if len(set(c.begins.argmax(1))) > 1)
    logits, *_ = answers(model, *tensors(chunk), model.cell.initial(6))
    for b in range(6):
        first = int(chunk.begins[b].argmax())
        ids = np.concatenate([*chunk.ids[b, first:], chunk.ask[b, : chunk.ends[b, 0] + 1]])
        assert torch.allclose(logits[b, 0], model(torch.from_numpy(ids)[None]).logits[0], atol=1e-12)


def test_questions_asked_apart_are_put_to_one_state(texts, model):
    made = texts(replace(STREAMS, kinds=("qa4",)))
    carried = model.cell.initial(6).detach()
    for _ in range(4):
        ids, begins, ask, ends = tensors(made.chunk(0))
        logits, after, _ = answers(model, ids, begins, ask, ends, carried)
        assert len(ask) == 18 and logits.shape[:2] == (6, 3)
        for q in range(3):
            one, same, _ = answers(model, ids, begins, ask[q::3], ends[q::3], carried)
            assert torch.allclose(logits[:, q : q + 1], one, atol=1e-12) and torch.equal(same, after)
        carried = after.detach()


def test_training_on_the_same_texts_again_and_again_learns_them(config, tmp_path):
    trainer = StoryTrainer(replace(config, patience=200, go_on=False, lr=1e-2, log_every=20), tmp_path / "run")
    trainer.chunks = repeat(next(trainer.chunks))
    trainer.rungs = [replace(rung, goal=1.1) for rung in trainer.rungs]
    losses = [line["loss"] for line, _ in zip(trainer.steps(), range(5), strict=False)]
    assert losses[-1] < losses[0] / 2


def test_compiled_layers_train_as_plain_ones_do(config, tmp_path, monkeypatch):
    """Without its last stage, which writes C++ and takes minutes."""
    monkeypatch.setattr("rmt.train.story_trainer.shutil.which", lambda name: name)
    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(torch.nn.Module.compile, backend="aot_eager"))
    config = replace(config, first=9, stream_steps=6)
    runs = {
        name: StoryTrainer(replace(config, compile=name == "compiled"), tmp_path / name)
        for name in "plain compiled".split()
    }
    lines = {name: list(run.steps()) for name, run in runs.items()}
    assert [line["loss"] for line in lines["compiled"]] == pytest.approx(
        [line["loss"] for line in lines["plain"]], abs=2e-3
    )
    assert all(layer._compiled_call_impl for layer in runs["compiled"].model.backbone.layers)


def test_compiling_without_a_compiler_is_refused_with_a_sentence(config, tmp_path, monkeypatch):
    monkeypatch.setattr("rmt.train.story_trainer.shutil.which", lambda name: None)
    with pytest.raises(InputError, match=r"needs a C\+\+ compiler, g\+\+ or clang\+\+, and none is here; leave it out"):
        StoryTrainer(replace(config, compile=True), tmp_path / "run")


def test_attention_is_trained_in_single_precision_on_a_cpu(config, tmp_path, monkeypatch):
    """Its kernel takes six times as long in bfloat16 there; the products of matrices are in bfloat16 all the same."""
    seen, plain = set(), F.scaled_dot_product_attention

    def attention(query, *args, **options):
        seen.add((query.dtype, torch.is_autocast_enabled("cpu")))
        return plain(query, *args, **options)

    monkeypatch.setattr(F, "scaled_dot_product_attention", attention)
    run = StoryTrainer(replace(config, precision="bf16"), tmp_path / "run")
    kinds = []
    run.model.backbone.layers[0].mlp.register_forward_hook(lambda module, args, output: kinds.append(output.dtype))
    next(run.steps())
    assert seen == {(torch.float32, False)} and set(kinds) == {torch.bfloat16}


def test_a_rung_opens_the_next_at_its_goal_and_ends_the_run_where_it_is_not_reached(config, tmp_path):
    config = replace(config, go_on=False, log_every=1, patience=3)
    trainer = StoryTrainer(config, tmp_path / "easy")
    trainer.rungs = [replace(rung, goal=0.0) for rung in trainer.rungs]
    names = [line["rung"] for line, _ in zip(trainer.steps(), range(4), strict=False)]
    assert names == [rung.name for rung in rungs(config)[:4]]
    trainer = StoryTrainer(config, tmp_path / "hard")
    trainer.rungs = [replace(rung, goal=1.1) for rung in trainer.rungs]
    with pytest.raises(InputError, match="'short, 4 facts' was not learned in 3 steps"):
        list(trainer.steps())


def test_texts_of_relations_tell_both_facts_as_their_stories_do(texts):
    stages = rungs(StoryConfig(kinds="qa4"))
    assert all(stage.least == stage.facts == 2 for stage in stages if not stage.lesson)
    made = texts(next(stage for stage in stages if stage.name == "short, 2 facts"))
    for _ in range(5):
        for ask in made.chunk(0).ask:
            assert len(re.findall(r"(\w+) (?:north|south|east|west) (\w+)\.", made.tokenizer.decode(ask))) == 2


def test_a_rungs_rate_falls_with_its_patience_and_the_next_begins_with_all_of_it(config, tmp_path):
    config = replace(config, log_every=1, patience=4, rung_floor=0.5)
    trainer = StoryTrainer(config, tmp_path / "run")
    trainer.rungs = [replace(rung, goal=1.1) for rung in trainer.rungs]
    rates = [line["lr"] for line, _ in zip(trainer.steps(), range(8), strict=False)]
    assert rates == pytest.approx([share * config.lr for share in (0.875, 0.75, 0.625, 0.5)] * 2)
    far = StoryTrainer(replace(config, first=10), tmp_path / "far")
    assert next(far.steps())["lr"] == config.stream_lr


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_stopped_run_goes_on_to_its_end_and_its_streams_begin_anew(config, tmp_path, optimizer):
    config = replace(config, first=7, stream_life=1000, optimizer=optimizer)
    trainer = StoryTrainer(config, tmp_path / "run")
    line = [line for _, line in zip(range(4), trainer.steps(), strict=False)][-1]
    resumed = StoryTrainer(config, tmp_path / "run")
    assert resumed.at == trainer.at and resumed.at.rung > 7 and line["step"] == resumed.at.step
    weights = trainer.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in resumed.model.state_dict().items())
    moments, again = (
        [number for numbers in run.optimizer.state.values() for number in numbers.values()]
        for run in (trainer, resumed)
    )
    assert moments and all(torch.equal(a, b) for a, b in zip(moments, again, strict=True))
    rest = list(resumed.steps())
    rows = [json.loads(row) for row in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in rows]
    assert steps == sorted(set(steps)) and rows[-len(rest) :] == rest and rest[-1]["rung"] == "streams"
    assert not list(StoryTrainer(config, tmp_path / "run").steps())
    assert load(tmp_path / "run", device="cpu").about.classes == [*resumed.classes]
    with pytest.raises(InputError, match="other settings"):
        StoryTrainer(replace(config, lr=1.0), tmp_path / "run")


def test_a_resumed_stream_begins_from_the_initial_memory(config, tmp_path):
    last = len(rungs(config)) - 1
    config = replace(config, first=last, log_every=1, save_every=1, stream_steps=6)
    for _ in zip(range(2), StoryTrainer(config, tmp_path / "run").steps(), strict=False):
        pass
    _, chunk = next(StoryTrainer(config, tmp_path / "run").chunks)
    assert chunk.begins[chunk.old > 0][:, 0].all() and (chunk.old > 0).any()


@pytest.mark.parametrize(("wait", "untold"), [(0.0, 0), (1.0, 5)])
def test_streams_may_wait_for_their_first_fact(texts, wait, untold):
    waiting = replace(STREAMS, share=(1.0, 1.0), life=500, streams=1.0, wait=wait)
    chunk = texts(waiting).chunk(0)
    nothing_told = ((chunk.labels == CLASSES.index(NEVER)) | (chunk.labels == IGNORE)).all(1)
    assert nothing_told.sum() >= untold and (wait or not nothing_told.any())


@pytest.mark.parametrize("cell", ["armt", "transformer-xl"])
def test_other_mechanisms_learn_from_stories_too(config, tmp_path, cell):
    trainer = StoryTrainer(replace(config, cell=cell, first=6), tmp_path / "run")
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    lines = list(trainer.steps())
    assert lines[-1]["rung"] == "streams" and all(np.isfinite(line["loss"]) for line in lines)
    assert any(not torch.equal(tensor, before[name]) for name, tensor in trainer.model.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"backbone": "bert"}, "an encoder reads one answer"),
        ({"cell": "rmt-r"}, "grows with the text"),
        ({"cell": "nonsense"}, "no memory cell 'nonsense'"),
        ({"kinds": "qa1,qa9"}, "no stories of 'qa9'"),
        ({"first": 99}, "--first 99"),
        ({"questions": 9}, "9 questions need a segment of 81 tokens"),
        ({"precision": "half"}, "fp32 or bf16"),
        ({"cell": "armt", "gated": True}, "Only the memory of --cell rmt"),
        ({"gate_cost": 0.1}, "add --gated"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_a_sentence(config, tmp_path, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        StoryTrainer(replace(config, **settings), tmp_path / "run")


def test_a_run_may_start_from_another_and_keeps_the_classes_and_slots_they_share(config, tmp_path):
    first = StoryTrainer(replace(config, first=10), tmp_path / "first")
    list(first.steps())
    both = replace(config, kinds="qa1,qa5", init=str(tmp_path / "first"), tokenizer="")
    other = StoryTrainer(both, tmp_path / "other")
    old, new = load(tmp_path / "first", device="cpu").state_dict(), other.model.state_dict()
    (name,) = (name for name in new if name.endswith("score.weight"))
    for i, known in enumerate(first.classes):
        assert torch.equal(old[name][i], new[name][other.classes.index(known)])
    assert all(torch.equal(old[key], new[key]) for key in old if key != name) and len(new[name]) > len(old[name])
    slots = old["cell.memory"]
    for n in (1, len(slots) + 3):
        resized = StoryTrainer(replace(both, n_memory=n), tmp_path / str(n)).model.cell.memory
        assert len(resized) == n and torch.equal(resized[: len(slots)], slots[:n])
    with pytest.raises(InputError, match="another shape"):
        StoryTrainer(replace(both, width=32), tmp_path / "wide")


def test_words_begin_as_far_apart_as_is_asked_for(config, tmp_path):
    for spread in (0.02, 1.0):
        run = StoryTrainer(replace(config, word_std=spread), tmp_path / str(spread))
        words = run.model.backbone.model.get_input_embeddings().weight
        assert words.std().item() == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize("backbone", ["llama", "gpt2"])
def test_layers_that_are_added_change_nothing_and_can_learn(config, tmp_path, backbone):
    config = replace(config, first=10, backbone=backbone)
    first = StoryTrainer(config, tmp_path / "first")
    first._save()
    deeper = StoryTrainer(replace(config, layers=3, init=str(tmp_path / "first")), tmp_path / "deeper")
    ids = torch.arange(20).reshape(1, 20)
    before, after = (model.eval()(ids).logits for model in (load(tmp_path / "first", device="cpu"), deeper.model))
    assert torch.equal(before, after)
    added = {name: value.clone() for name, value in deeper.model.state_dict().items() if re.search(r"\.[12]\.", name)}
    list(deeper.steps())
    assert added and all(not torch.equal(value, deeper.model.state_dict()[name]) for name, value in added.items())
    with pytest.raises(InputError, match="as many layers or more"):
        StoryTrainer(replace(config, init=str(tmp_path / "deeper")), tmp_path / "shallower")


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_captured_step_trains_as_the_plain_one_does(config, tmp_path, optimizer):
    """Captured by a stand-in that calls the step, as a graph would be: warm-up included, results in fixed places."""

    def stand_in(run, places):
        for _ in range(3):
            results = map_state(torch.clone, run(*places))
        return lambda: map_state(torch.Tensor.copy_, results, run(*places)), results

    config = replace(
        config, first=1, cell="armt", lesson_rows=5, optimizer=optimizer
    )  # a state of two tensors; two shapes
    plain, other = (StoryTrainer(config, tmp_path / name) for name in ("plain", "captured"))
    other.step = CapturedStep(other._train, other.model, other.optimizer, stand_in)
    for a, b in zip(plain.steps(), other.steps(), strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}
    assert len(other.step.captured) == 4
    weights = plain.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in other.model.state_dict().items())


def test_muon_trains_the_matrices_of_the_layers_and_adamw_all_else(config, tmp_path):
    trainer = StoryTrainer(replace(config, optimizer="muon"), tmp_path / "run")
    names = {parameter: name for name, parameter in trainer.model.named_parameters()}
    *others, matrices = trainer.optimizer.param_groups
    assert matrices["orthogonal"] and not any(group.get("orthogonal") for group in others)
    found = {names[p] for p in matrices["params"]}
    assert found == {name for p, name in names.items() if ".layers." in name and p.dim() == 2} and len(found) == 7
    assert sorted(names[p] for group in trainer.optimizer.param_groups for p in group["params"]) == sorted(
        names.values()
    )
    with pytest.raises(InputError, match="adamw or muon, not 'sgd'"):
        StoryTrainer(replace(config, optimizer="sgd"), tmp_path / "other")


def test_without_a_tokenizer_the_run_trains_one_and_keeps_it(config, tmp_path, monkeypatch):
    monkeypatch.setattr(distractor, "addresses", lambda: {str(i): text for i, text in enumerate(ADDRESSES.values())})
    config = replace(config, tokenizer="", vocabulary=300, first=11)
    trainer = StoryTrainer(config, tmp_path / "run")
    assert trainer.model.tokenizer.get_vocab_size() == 300
    made = (tmp_path / "run" / "tokenizer.json").read_bytes()
    StoryTrainer(config, tmp_path / "run")
    assert (tmp_path / "run" / "tokenizer.json").read_bytes() == made


def test_every_setting_is_an_option_of_the_command(file, tmp_path, monkeypatch, capsys):
    assert [option.name for option in options_of(StoryConfig)] == list(StoryConfig.__dataclass_fields__)

    def run(*arguments) -> int:
        monkeypatch.setattr(sys, "argv", ["rmt", "train-stories", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0

    sizes = "--layers 1 --width 16 --heads 2 --n-memory 2 --segment-length 40 --questions 2 --rows 3 --stream-steps 2"
    given = ("--tokenizer", file, "--out", tmp_path / "run", "--first", 11, "--device", "cpu", *sizes.split())
    assert run(*given, "--kinds", "qa9") == 2 and "no stories of 'qa9'" in " ".join(capsys.readouterr().err.split())
    assert run(*given, "--kinds", "qa1", "--go-on", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rung"] == "streams"
    training = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert training["rows"] == 3 and training["go_on"] is True and training["lr"] == StoryConfig().lr


def test_metrics_of_stories_go_to_a_tracker(config, file, tmp_path, monkeypatch):
    logged, trainer = listed(monkeypatch), StoryTrainer(replace(config, first=11), tmp_path / "run")
    track(trainer, "tensorboard", tmp_path)
    lines = list(trainer.steps())
    trainer.end()
    assert logged[0]["kinds"] == config.kinds and logged[-1] == "finished"
    assert [step for step, _ in logged[1:-1]] == [line["step"] for line in lines]
    assert [values["train/loss"] for _, values in logged[1:-1]] == [line["loss"] for line in lines]
