"""Loss by position: what is scored of which documents, and the command that does it."""

import json

import numpy as np
import pytest
import torch
from datasets import Dataset

from rmt.backbone.families import backbone_config
from rmt.checkpoint import save
from rmt.checkpoint.build import build
from rmt.errors import InputError
from rmt.evaluate.loss_by_position import difference, score
from rmt.tasks.language_model import Documents, Target
from rmt.text.tokenizer import train_tokenizer

LENGTH = 8
WORDS = "the union of states has a treaty with nations and peace at home is our first care this year".split()
TEXTS = {f"{i}": " ".join(np.random.default_rng(i).choice(WORDS, 60)) for i in range(4)}
TOKENIZER = train_tokenizer(TEXTS.values(), size=300)


@pytest.fixture(scope="module")
def documents() -> Documents:
    return Documents(TOKENIZER, Dataset.from_dict({"name": list(TEXTS), "text": list(TEXTS.values())}))


def config(kind: str, *, segment_length: int = LENGTH, n_memory: int = 3) -> dict:
    sizes = {"layers": 2, "width": 16, "heads": 2, "vocabulary": TOKENIZER.get_vocab_size(), "positions": 64}
    return {
        "cell": {"kind": kind, "options": {"n_memory": n_memory, "initial_std": 1.0}},
        "segment_length": segment_length,
        "backbone": backbone_config("llama", **sizes),
        "task": "language_model",
    }


def model(kind: str, **options):
    torch.manual_seed(0)
    made = build(config(kind, **options), TOKENIZER).double()
    torch.manual_seed(1)  # the backbone's weights are the same in all of them
    for parameter in made.backbone.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def losses(made, documents, targets, history, control="none", **options) -> np.ndarray:
    return score(made, documents, targets, length=LENGTH, history=history, control=control, **options).by_document


@pytest.fixture
def targets(documents):
    return documents.targets(LENGTH, 4 * LENGTH, 3)


def test_targets_are_the_same_for_every_history_and_have_room_around_them(documents, targets):
    assert [t.document for t in targets] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    whole = documents.read(targets, LENGTH, 4 * LENGTH)
    assert whole.shape == (12, 5 * LENGTH + 1)
    assert (documents.read(targets, LENGTH, LENGTH) == whole[:, 3 * LENGTH :]).all()
    assert documents.targets(LENGTH, 0, 1)[0].start == len(documents.ids[0]) - LENGTH - 1  # one: the last there is
    with pytest.raises(InputError, match="less history"):
        documents.targets(LENGTH, 1000, 1)


def test_windows_begin_anywhere_in_a_document_and_never_cross_into_another(documents):
    drawn = documents.windows(np.random.default_rng(0), 4000, 70)
    text = [" ".join(map(str, one)) for one in documents.ids]
    assert all(any(" ".join(map(str, row)) in one for one in text) for row in drawn)
    possible = {tuple(one[i : i + 70]) for one in documents.ids for i in range(len(one) - 69)}
    assert {tuple(row) for row in drawn} == possible
    ends = documents.windows(np.random.default_rng(0), 50, 70, ends=True)
    assert {tuple(row) for row in ends} == {tuple(one[-70:]) for one in documents.ids}


def test_the_loss_is_that_of_the_document_read_whole(documents, targets):
    made = model("rmt")
    ids = torch.from_numpy(documents.read(targets[:1], LENGTH, 2 * LENGTH))
    logits = made(ids[:, :-1]).logits[0, -LENGTH:]
    expected = torch.nn.functional.cross_entropy(logits, ids[0, -LENGTH:], reduction="none")
    both = [*targets[:1], *targets[3:4]]
    found = losses(made, documents, both, 2)
    assert np.allclose(found[0], expected.detach().numpy(), rtol=0, atol=1e-6)
    assert np.allclose(found, losses(made, documents, both, 2, batch=1), rtol=0, atol=1e-6)


def test_documents_count_once_however_many_targets_they_have(documents, targets):
    made = model("rmt")
    each = np.concatenate([losses(made, documents, [t, targets[-1]], 1)[:1] for t in targets[:3]])
    assert np.allclose(losses(made, documents, targets, 1)[0], each.mean(0), rtol=0, atol=1e-6)


def test_memory_changes_the_loss_and_reset_takes_it_back(documents, targets):
    made = model("rmt")
    alone, with_memory = losses(made, documents, targets, 0), losses(made, documents, targets, 3)
    assert not np.allclose(alone, with_memory)
    assert np.allclose(alone, losses(made, documents, targets, 3, "reset"), rtol=0, atol=1e-6)
    ids = torch.from_numpy(documents.read(targets[:1], LENGTH, 2 * LENGTH))
    reset = made(ids[:, :-1], before=lambda i, state: made.cell.initial(1)).logits[0, -LENGTH:]
    expected = torch.nn.functional.cross_entropy(reset, ids[0, -LENGTH:], reduction="none").detach().numpy()
    found = losses(made, documents, [targets[0], targets[3]], 2, "reset")
    assert np.allclose(found[0], expected, rtol=0, atol=1e-6)
    assert np.allclose(losses(made, documents, targets, 0, "other"), alone)


def test_reset_puts_memory_back_within_a_target_too(documents):
    made = model("rmt")
    targets = documents.targets(3 * LENGTH, 0, 1)
    found = score(made, documents, targets, length=3 * LENGTH, history=0, control="reset").by_document
    ids = torch.from_numpy(documents.read(targets, 3 * LENGTH, 0))
    reset = made(ids[:, :-1], before=lambda i, state: made.cell.initial(len(ids))).logits
    expected = torch.nn.functional.cross_entropy(reset.mT, ids[:, 1:], reduction="none").detach().numpy()
    assert np.allclose(found, expected, rtol=0, atol=1e-6)
    assert not np.allclose(found, score(made, documents, targets, length=3 * LENGTH, history=0).by_document)


def test_another_documents_memory_is_what_its_history_leaves(documents, targets):
    made = model("rmt")
    ids = documents.read(targets, LENGTH, 2 * LENGTH)
    swapped = torch.from_numpy(np.concatenate([ids[3:4, : 2 * LENGTH], ids[0:1, 2 * LENGTH :]], axis=1))
    logits = made(swapped[:, :-1]).logits[0, -LENGTH:]
    expected = torch.nn.functional.cross_entropy(logits, swapped[0, -LENGTH:], reduction="none").detach().numpy()
    one_each = [targets[0], targets[3]]
    found = losses(made, documents, one_each, 2, "other")
    assert np.allclose(found[0], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["none", "memory-transformer"])
def test_history_is_nothing_to_what_carries_nothing(kind, documents, targets):
    made = model(kind)
    ids = torch.from_numpy(documents.read(targets[:1], LENGTH, 2 * LENGTH))
    read = made(ids[:, :-1]).logits[0, -LENGTH:]  # after two segments before it
    expected = torch.nn.functional.cross_entropy(read, ids[0, -LENGTH:], reduction="none").detach().numpy()
    assert np.allclose(losses(made, documents, [targets[0], targets[3]], 2)[0], expected, rtol=0, atol=1e-6)
    assert np.allclose(losses(made, documents, targets, 0), losses(made, documents, targets, 4), rtol=0, atol=1e-6)


def test_exact_context_is_the_same_read_at_once_or_kept_as_state(documents, targets):
    at_once, kept = model("none", segment_length=5 * LENGTH), model("context", n_memory=4 * LENGTH)
    for history in (0, 1, 4):
        one, other = (losses(made, documents, targets, history) for made in (at_once, kept))
        assert np.allclose(one, other, rtol=0, atol=1e-5)
    ids = torch.from_numpy(documents.read(targets[:1], LENGTH, 2 * LENGTH))
    stepped = kept(ids[:, :-1]).logits[0, -LENGTH:]  # read step by step, as the cell itself does
    expected = torch.nn.functional.cross_entropy(stepped, ids[0, -LENGTH:], reduction="none").detach().numpy()
    found = losses(kept, documents, [targets[0], targets[3]], 2)
    assert np.allclose(found[0], expected, rtol=0, atol=1e-5)
    alone = losses(kept, documents, targets, 0)
    assert np.allclose(losses(kept, documents, targets, 2, "reset"), alone, rtol=0, atol=1e-5)
    assert score(at_once, documents, targets, length=LENGTH, history=1).mechanism == "context"


def test_the_end_of_a_long_target_is_summed_up_on_its_own(documents):
    made = model("rmt")
    targets = documents.targets(4 * LENGTH, 0, 1)
    found = score(made, documents, targets, length=4 * LENGTH, history=0)
    row = found.row()
    assert len(row["loss"]) == 4 * LENGTH
    assert row["last"] == pytest.approx(np.mean(row["loss"][-LENGTH:]), abs=1e-4) and "last" in difference(found, found)
    ends = [Target(t.document, t.start + 3 * LENGTH) for t in targets]
    assert np.allclose(found.by_document[:, -LENGTH:], losses(made, documents, ends, 3), rtol=0, atol=1e-6)
    assert "last" not in score(made, documents, targets, length=LENGTH, history=0).row()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lm")
    for kind, n_memory in {"rmt": 3, "none": 0, "context": 2 * LENGTH}.items():
        save(model(kind, n_memory=n_memory).float(), config(kind, n_memory=n_memory), folder / kind)
    for i in range(17):
        (folder / f"{i:02d}.txt").write_text(" ".join(np.random.default_rng(i).choice(WORDS, 60)))
    return folder


def test_the_command_scores_every_mechanism_on_held_out_documents(rmt_command, folder):
    code, out, _ = rmt_command(
        "evaluate-loss", folder / "rmt", "--history", 0, 2, "--corpus", folder, "--targets", 2,
        "--against", folder / "none", "--against", folder / "context", "--json",
    )  # fmt: skip
    assert code == 0
    found = json.loads(out)
    assert found["corpus"]["held_out"] == ["00", "08", "16"] and found["positions"] == LENGTH
    rows = {(row["mechanism"], row["control"], row["history"]): row for row in found["results"]}
    own = [("none", 0), ("none", 2), ("reset", 2), ("other", 2), ("untrained", 2)]
    assert [made["cell"] for made in found["against"]] == ["NoMemory", "ExactContext"]
    others = [(kind, "none", history) for kind in ("none", "context") for history in (0, 2)]
    assert list(rows) == [*(("rmt", *key) for key in own), *others]
    assert {row["targets"] for row in rows.values()} == {6} and {row["documents"] for row in rows.values()} == {3}
    assert all(len(row["loss"]) == len(row["stderr"]) == LENGTH for row in rows.values())
    assert rows["rmt", "reset", 2]["mean"] == pytest.approx(rows["rmt", "none", 0]["mean"], abs=1e-4)
    assert len(found["comparisons"]) >= 8 and found["made_by"]["checkpoint"] == "rmt"
    code, out, _ = rmt_command(
        "evaluate-loss", folder / "rmt", "--history", 0, 2, "--corpus", folder, "--no-controls", "--json",
        "--targets", 2, "--exact", folder / "none", "--against", folder / "context", "--plain", "transformer-xl=16",
    )  # fmt: skip
    again = json.loads(out)["results"]
    cached = [row for row in again if row["mechanism"] == "transformer-xl"]
    assert [row["checkpoint"] for row in cached] == ["context", "context"]
    assert cached[0]["loss"] == pytest.approx(rows["context", "none", 0]["loss"], abs=2e-4)  # nothing in it yet
    assert cached[1]["loss"] != pytest.approx(rows["context", "none", 0]["loss"], abs=2e-2)
    at_once = [row for row in again if row["mechanism"] == "context" and row["checkpoint"] == "none"]
    for row in at_once:  # the same backbone as that of the checkpoint with exact context
        assert row["loss"] == pytest.approx(rows["context", "none", row["history"]]["loss"], abs=2e-4)
    assert len(at_once) == 2
    code, out, _ = rmt_command(
        "evaluate-loss", folder / "rmt", "--history", 0, 2, "--corpus", folder, "--no-controls", "--json",
        "--targets", 2, "--exact", folder / "none",
    )  # fmt: skip
    for row in json.loads(out)["results"][2:]:  # with nothing beside it, it is the baseline without memory, too
        assert row["loss"] == pytest.approx(rows[row["mechanism"], "none", row["history"]]["loss"], abs=2e-4)
    assert [row["mechanism"] for row in json.loads(out)["results"][2:]] == ["none", "none", "context", "context"]
    # as it was called before
    code, out, _ = rmt_command(
        "evaluate", folder / "rmt", "--per-position", 1, "--corpus", folder, "--no-controls"
    )  # as it was called
    assert code == 0 and len(out.splitlines()) == 2
    code, out, _ = rmt_command(
        "evaluate-loss", folder / "rmt", 0, "--positions", 24, "--targets", 1, "--corpus", folder, "--json"
    )
    assert code == 0 and json.loads(out)["positions"] == 24
    code, few, _ = rmt_command(
        "evaluate-loss", folder / "rmt", 0, "--documents", 2, "--corpus", folder, "--json", "--no-controls"
    )
    assert code == 0 and json.loads(few)["corpus"]["held_out"] == ["00", "08"]
    memory, reset, untrained = json.loads(out)["results"]  # memory is reset within a target, too
    assert [memory["control"], reset["control"], untrained["control"]] == ["none", "reset", "untrained"]
    assert reset["loss"][:LENGTH] == memory["loss"][:LENGTH] and reset["last"] != memory["last"]


def test_what_cannot_be_scored_is_said_in_a_sentence(rmt_command, folder, tmp_path):
    other = train_tokenizer(["something else altogether, in other words"], size=290)
    made = build(config("none"), other)
    save(made, config("none"), tmp_path / "other")
    for arguments, sentence in {
        (folder / "rmt", "--corpus", folder, "--against", tmp_path / "other"): "one vocabulary",
        (folder / "rmt", "--corpus", "/nowhere"): "no corpus",
        (folder / "rmt", "--corpus", folder, "--history", 90): "less history",
        (folder / "rmt", "--corpus", folder, "--history", -1): "0 segments or more",
        (folder / "rmt", "--corpus", folder, "--plain", "transformer-xl=16"): "on the last --against",
        (folder / "rmt", "--corpus", folder, "--plain", "rmt=2", "--against", folder / "none"): "weights of its own",
    }.items():
        code, _, error = rmt_command("evaluate-loss", *arguments)
        assert code == 2 and sentence in " ".join(error.split())


def test_a_target_is_a_place_in_a_document(documents):
    assert documents.read([Target(1, 5)], 3, 2).tolist() == [documents.ids[1][3:9].tolist()]
