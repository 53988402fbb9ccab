"""What is said of the mechanisms side by side is counted and found out, and agrees with what is known of them."""

import json

import numpy as np
import pytest
import torch
from foreign import SEGMENT, tiny

from rmt.checkpoint import save
from rmt.checkpoint.build import build
from rmt.errors import InputError
from rmt.evaluate.mechanisms import FRESH, SEEN_LENGTH, SEEN_SEGMENTS, account, aligned, fresh, kind, operations, sight
from rmt.memory import CELLS
from rmt.memory.context import ExactContext
from rmt.text.segments import Segment
from rmt.text.tokenizer import train_tokenizer

N = SEEN_SEGMENTS * SEEN_LENGTH
LOOKS, AT = np.indices((N, N))
OWN = (LOOKS // SEEN_LENGTH == AT // SEEN_LENGTH) & (AT <= LOOKS)
BEFORE = AT < LOOKS // SEEN_LENGTH * SEEN_LENGTH
START = LOOKS // SEEN_LENGTH * SEEN_LENGTH
IDS = torch.arange(5 * SEGMENT) % 47 + 3


def at(name: str, **options) -> np.ndarray:
    """Who sees whom, of segments as long as the picture's."""
    return sight(name, options, SEEN_LENGTH)


def test_nothing_crosses_without_memory_or_with_memory_tokens_that_are_not_carried():
    assert np.array_equal(at("none"), OWN)
    assert np.array_equal(at("memory-transformer", n_memory=3), OWN)


@pytest.mark.parametrize("n", [3, 8, 13])
def test_caches_are_seen_as_far_back_as_they_go(n):
    assert np.array_equal(at("transformer-xl", n_memory=n), OWN | (BEFORE & (START - n <= AT)))
    assert np.array_equal(at("context", n_memory=n), OWN | (BEFORE & (START - n <= AT)))
    assert np.array_equal(at("sliding-window", n_memory=n), (AT <= LOOKS) & (LOOKS - n <= AT))


@pytest.mark.parametrize("rate", [2, 4])
def test_what_is_compressed_is_shared_by_as_many(rate):
    seen = at("compressive", n_memory=4, n_cache=4, rate=rate)
    cached, pressed = BEFORE & (AT >= START - 4), BEFORE & (AT < START - 4) & (START - 4 - 4 * rate <= AT)
    assert np.array_equal(seen, OWN + cached + rate * pressed)


@pytest.mark.parametrize("name", ["rmt", "armt"])
def test_a_recurrent_state_is_shared_by_all_that_was_read(name):
    assert np.array_equal(at(name, **FRESH[name]), OWN + START * BEFORE)


def test_retrieval_sees_the_state_after_each_segment():
    assert np.array_equal(at("rmt-r", n_memory=2), OWN + (AT // SEEN_LENGTH + 1) * SEEN_LENGTH * BEFORE)


def test_what_keeps_tokens_is_scaled_with_the_segments():
    assert np.array_equal(sight("transformer-xl", {"n_memory": 96}, 128), at("transformer-xl", n_memory=6))


@pytest.mark.parametrize("cell", CELLS)
def test_an_account_of_every_mechanism(cell):
    options = {"compressive": {"n_cache": 8}, "armt": {"d_memory": 4}}.get(cell, {})
    model = tiny("llama", cell, **options)
    found = account(model, IDS)
    with torch.no_grad():
        whole = model(IDS[None], labels=IDS[None])
    scored = np.array([SEGMENT] * 4 + [SEGMENT - 1])  # the last token has none to predict
    assert found.loss == [] and not model.about.trained
    model.about.trained = True
    losses = account(model, IDS).loss
    assert np.isclose(np.average(losses, weights=scored), whole.loss, atol=1e-5) and len(losses) == 5
    sizes = {"rmt": 48, "transformer-xl": 96, "compressive": 32 * 11, "sliding-window": 96, "context": 3, "reformer": 3}
    sizes |= {"armt": 2 * 24 * 17, "none": 0, "memory-transformer": 0}
    sizes |= {"autocompressor": 8 * 48, "gist": 96, "beacon": 8 * 96, "landmark": 3 * 33, "memorizing": 48}
    sizes |= {"knn-lm": 3 * 19, "interpolation": 3, "bm25": 3 * 6, "dense": 3 * 22}
    sizes |= dict.fromkeys(("longformer", "bigbird", "longnet", "sparse"), 3 * 35)  # and three digits of a place
    sizes |= dict.fromkeys(("linear-attention", "infini"), 2 * 4 * 4 * 5) | {"performer": 2 * 4 * 5 * 5}
    sizes |= {"block-recurrent": 48, "memformer": 48, "feedback": 48, "ernie-doc": 96, "titans": 4 * 16 * 16}
    sizes |= {"rwkv": 2 * 64, "mamba": 2 * 32 * (3 + 16), "mamba2": 2 * (64 * 3 + 32 * 16)}
    sizes |= {"recurrent-gemma": 3 * 2 * 63 * 8}
    grows = [
        48 * (s + 1) for s in range(5)
    ]  # two layers, three slots or positions of sixteen numbers; of context three ids
    assert found.numbers == (grows if cell == "rmt-r" else [sizes[cell]] * 5)
    assert json.loads(json.dumps(found.row()))["seen"] == found.seen


def test_operations_are_those_of_the_products():
    model = tiny("llama", "none")
    t, d, f, v, layers, kv = SEGMENT, 16, 24, 50, 2, 8
    products = 2 * t * d * (2 * d + 2 * kv) + 4 * t * t * d + 6 * t * d * f
    segment = Segment(IDS[None, :SEGMENT])
    expected = layers * products + 2 * t * d * v
    rotary = operations(model, segment, model.cell.initial(1)) - expected
    assert 0 <= rotary <= 2 * t * d, "angles of rotary positions are a product, too"
    cached = tiny("llama", "transformer-xl", n_memory=SEGMENT)
    more = operations(cached, segment, cached.cell.initial(1)) - operations(model, segment, model.cell.initial(1))
    assert more - rotary == layers * (2 * t * d * (2 * d + 2 * kv) + 3 * 4 * t * t * d), "no feed-forward part"


def test_models_are_put_side_by_side_in_segments_of_one_length():
    short, long = tiny("llama", "rmt"), tiny("llama", "none")
    long.segment_length = 3 * SEGMENT
    models = aligned([short, long])
    assert [model.segment_length for model in models] == [SEGMENT, SEGMENT]
    assert isinstance(models[1].cell, ExactContext) and models[1].cell.n_memory == 2 * SEGMENT
    short.segment_length = 2 * SEGMENT
    with pytest.raises(InputError, match="side by side"):
        aligned([short, tiny("llama", "armt")])


def test_fresh_models_are_all_mechanisms_around_the_same_numbers():
    models = list(fresh(backbone=tiny("llama").about.config["backbone"], segment_length=8))
    assert [kind(model.cell) for model in models] == list(CELLS)
    weights = [model.backbone.model.state_dict() for model in models if not model.backbone.recurrent]
    assert all(torch.equal(a, b) for one in weights[1:] for a, b in zip(one.values(), weights[0].values(), strict=True))


def test_what_keeps_tokens_keeps_as_many_segments():
    short, long = (next(fresh(["compressive"], segment_length=n)).cell for n in (32, 128))
    assert (4 * short.n_memory, 4 * short.n_cache, short.rate) == (long.n_memory, long.n_cache, long.rate)


def test_a_text_of_one_segment_is_refused():
    with pytest.raises(InputError, match="fits into one segment"):
        account(tiny("llama"), IDS[:SEGMENT])


# -- on the command line


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    text = "the keeper of the light wrote the weather in the log and wound the clock again. " * 20
    tokenizer, made = train_tokenizer([text], size=300), []
    for cell in ("rmt", "transformer-xl", "none"):
        model = tiny("llama", cell)
        config = model.about.config
        config["backbone"]["config"]["vocab_size"] = tokenizer.get_vocab_size()
        model = build(config, tokenizer)
        made.append(tmp_path_factory.mktemp("made") / cell)
        save(model, config, made[-1])
    file = made[0].parent / "text.txt"
    file.write_text(text)
    return made, file


def test_the_command_reads_one_text_with_every_checkpoint(rmt_command, folders):
    made, file = folders
    code, out, _ = rmt_command("mechanisms", *made, "--text-file", file, "--segments", 4, "--json")
    document = json.loads(out)
    assert code == 0 and [row["mechanism"] for row in document["results"]] == ["rmt", "transformer-xl", "none"]
    assert file.read_text().startswith("".join(document["text"]["segments"])) and document["text"]["name"] == file.name
    assert {len(row["loss"]) for row in document["results"]} == {len(document["text"]["segments"])} == {4}
    code, out, _ = rmt_command("mechanisms", *made, "--text-file", file)
    assert code == 0 and "transformer-xl" in out and "untrained" not in out
    code, out, _ = rmt_command("mechanisms", *made, "--plain", "sliding-window=8", "--text-file", file, "--json")
    row = json.loads(out)["results"][-1]
    assert (code, row["mechanism"], row["read"], row["checkpoint"]) == (0, "sliding-window", 8, "none") and row["loss"]
    code, out, _ = rmt_command("mechanisms", *made[:2], "--text-file", file, "--rest", "--json")
    rows = {row["mechanism"]: row for row in json.loads(out)["results"]}
    assert code == 0 and rows.keys() == CELLS.keys()
    assert rows["rmt"]["loss"] and not rows["armt"]["loss"] and not rows["none"]["checkpoint"]


def test_what_cannot_be_compared_is_said_in_a_sentence(rmt_command, folders, tmp_path):
    made, _ = folders
    model = tiny("llama", "rmt")
    save(model, model.about.config, tmp_path / "bare")
    for extra, sentence in (
        ([tmp_path / "bare"], "no text has a loss"),
        ([tmp_path / "nowhere"], "nowhere"),
        ([made[0], "--text-file", tmp_path / "no.txt"], "cannot be read"),
        ([made[0], "--plain", "sliding-window"], "--plain is a cell"),
    ):
        code, out, err = rmt_command("mechanisms", *extra)
        assert code == 2 and sentence in err.replace("\n", " ") and out == ""
