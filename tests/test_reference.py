"""Our engine against tensors recorded from the reference implementations, loaded through our own loader.

The folder is named by RMT_GOLDEN; every case and run in it is read, and every size is taken from it.
"""

import json
import os
import re
from pathlib import Path

import pytest
import torch
from continuation import continuation
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from rmt.checkpoint import load
from rmt.checkpoint.examine import examine
from rmt.memory.base import detach
from rmt.model.unroll import unroll
from rmt.recorder import Recorder
from rmt.text.segments import IGNORE

GOLDEN = Path(os.environ.get("RMT_GOLDEN", Path(__file__).parents[2] / "shared" / "golden"))
RUNS = sorted(file.with_suffix("") for file in GOLDEN.glob("*/run_*.safetensors"))
# In float32, where the reference's own rounding moves attention by up to 9e-6.
TOLERANCE = {"logits": 2e-5, "memory": 2e-5, "hidden": 2e-5, "attention": 2e-5, "loss": 1e-5, "gradient": 1e-4}
ARMT = TOLERANCE | {"logits": 1e-4, "hidden": 1e-4, "memory": 5e-5, "gradient": 5e-4}  # its division is ill-conditioned

if not RUNS:
    pytest.skip(f"no golden tensors in {GOLDEN}: set RMT_GOLDEN", allow_module_level=True)


class Run:
    """One recorded run of one case, and our model of it."""

    def __init__(self, stem: Path, folder: Path, table: dict):
        self.case = json.loads((stem.parent / "fixture.json").read_text())
        self.facts = json.loads(stem.with_suffix(".json").read_text())
        self.tensors = load_file(stem.with_suffix(".safetensors"))
        self.name, self.table = f"{stem.parent.name}/{stem.name}", table
        weights = stem.parent / "state_dict.safetensors"
        n_memory = self.argument("num_mem_tokens", int)
        if n_memory is not None and n_memory != self.case["num_mem_tokens"]:
            state = load_file(weights)
            state["memory_cell.memory"] = state["memory_cell.memory"][:n_memory].clone()
            weights = folder / "fewer.safetensors"
            save_file(state, weights)
        options = {"alignment": self.argument("segment_alignment", str)}
        if "retrieve_mode" in self.case:
            options |= {"n_memory": self.case["num_write_mem_tokens"], "retrieve": self.case["retrieve_mode"]}
        if "correction" in self.case:
            options |= {"correction": self.case["correction"], "nu": self.case["nu"]}
        given = {
            "segment_length": self.case["segment_size"],
            "backbone": stem.parent / "backbone_config.json",
            "options": {key: value for key, value in options.items() if value is not None},
        }
        self.model = load(weights, device="cpu", **given).requires_grad_(True)
        sources = examine(weights, **given)[0].sources
        self.ours = {name: ours for ours, source in sources.items() for name in source.names}
        self.tolerance = dict(ARMT if "d_mem" in self.case else TOLERANCE)
        # The recorded run rounds too, by as much as it says; two such runs may differ by twice that.
        noise = 2 * self.facts.get("fp32_vs_fp64_max_abs_logit_diff", 0.0)
        self.tolerance["logits"] = max(self.tolerance["logits"], noise)

    def argument(self, name: str, kind: type):
        """An argument of the recorded call, which is kept as text; None where it was left to its default."""
        found = re.search(rf"{name}='?(\w+)", json.dumps(self.facts["call"]))
        return None if found is None or found[1] == "None" else kind(found[1])

    def near(self, what: str, ours, theirs, *, relative: bool = False) -> None:
        """Agreement within the tolerance; relative to the norm for gradients and matrices that add up."""
        error = (ours.detach() - theirs).abs().max().item() if ours.numel() else 0.0
        if relative:
            error = ((ours.detach() - theirs).norm() / theirs.norm().clamp(min=1e-2)).item()
        key = (self.name, what)
        self.table[key] = max(error, self.table.get(key, 0.0))
        assert ours.shape == theirs.shape
        assert error <= self.tolerance[what], f"{what} is off by {error:.1e}"

    def document(self) -> dict:
        """Arguments of our model for the recorded call; a labels_mask is over the position that predicts."""
        t = self.tensors
        labels = t["labels"].clone()
        if "labels_mask" in t:
            labels[:, 1:][~t["labels_mask"][:, :-1]] = IGNORE
        return {"ids": t["input_ids"], "labels": labels, "attention_mask": t.get("attention_mask")}

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        return dict(self.model.named_parameters(remove_duplicate=False))

    def check_gradients(self, loss, tensors: dict, norms: dict | None) -> None:
        """tensors: their name -> gradient. norms: their name -> norm of it."""
        self.model.zero_grad()
        loss.backward()
        parameters = self.parameters()
        for name, theirs in tensors.items():
            self.near("gradient", parameters[self.ours[name]].grad, theirs, relative=True)
        for name, theirs in (norms or {}).items():
            ours = parameters[self.ours[name]].grad
            ours = torch.tensor(0.0) if ours is None else ours.norm()
            self.near("gradient", ours, torch.tensor(theirs), relative=True)


@pytest.fixture(scope="module")
def table(request):
    errors = {}
    yield errors
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n\nlargest error of each run against the reference")
        for name in sorted({name for name, _ in errors}):
            print(f"  {name:48}", *(f"{what} {error:.1e}" for (n, what), error in errors.items() if n == name))


@pytest.fixture(params=RUNS, ids=lambda stem: f"{stem.parent.name}-{stem.name}")
def run(request, table, tmp_path):
    return Run(request.param, tmp_path, table)


def prefixed(tensors: dict, prefix: str) -> dict:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def test_agrees_with_the_reference(run):
    (check_encoder if run.case["kind"] == "rmt-encoder-classifier" else check_decoder)(run)


def check_decoder(run):
    t, document = run.tensors, run.document()
    output = run.model(**document)
    run.near("logits", output.logits, t["logits"])
    run.near("loss", output.loss, t["loss"][0])
    for i, theirs in prefixed(t, "memory_out.").items():
        run.near("memory", output.memory[:, int(i) + 1], theirs)
    norms = run.facts.get("grad_norms_full_bptt") or run.facts.get("grad_norms")
    run.check_gradients(output.loss, prefixed(t, "grad."), norms)
    check_segments(run, document)
    for k2 in sorted({int(m[1]) for m in (re.match(r"grad_k2_(\d+)\.aa\.", name) for name in t) if m}):
        check_truncated(run, document, k2)
    if "generate.aa" in t:
        theirs = t["generate.aa"]
        assert torch.equal(continuation(run.model, t["input_ids"], theirs.shape[1]), theirs)


@torch.no_grad()
def check_segments(run, document):
    """Segment by segment: what attention did, the last hidden states, and what each mechanism keeps inside."""
    t, model, hidden = run.tensors, run.model, []
    segments = model.split(document["ids"], mask=document["attention_mask"])
    if "segment_lengths" in run.facts:
        assert [segment.ids.shape[1] for segment in segments] == run.facts["segment_lengths"]
    recorder, before = Recorder(model.backbone, full=True), model.cell.initial(len(document["ids"]))
    for i, (_segment, step, state) in enumerate(unroll(model.cell, recorder, segments, state=before)):
        hidden.append(step.output.hidden[:, step.layout.tokens])
        for layer, maps in enumerate(recorder.maps):
            if f"attn.{i}.{layer}" in t:
                run.near("attention", maps.attention, t[f"attn.{i}.{layer}"])
            if f"W_mem.{i}.{layer}" in t:
                run.near("memory", state[0][:, layer], t[f"W_mem.{i}.{layer}"], relative=True)
                run.near("memory", state[1][:, layer], t[f"z.{i}.{layer}"], relative=True)
        if f"retrieved.{i}" in t:
            run.near("memory", model.cell.look_back(model.cell.slots(before), before), t[f"retrieved.{i}"])
        before = state
    if "hidden_last" in t:
        run.near("hidden", torch.cat(hidden, dim=1), t["hidden_last"])


def check_truncated(run, document, k2: int):
    """Their k2 cuts after segment s where s >= 1 and s + k2 <= n; ours cuts every bptt_unroll from the end."""
    n = run.argument("max_n_segments", int)
    cuts = {s + 1 for s in range(1, n) if s + k2 <= n} & set(range(1, n))
    norm = run.facts["grad_norms_k2"][f"{k2}.aa"]
    theirs = prefixed(run.tensors, f"grad_k2_{k2}.aa.")
    same = [u for u in range(1, n + 1) if {i for i in range(1, n) if (n - i) % u == 0} == cuts]
    ways = [{"before": lambda i, state: detach(state) if i in cuts else state}, *({"bptt_unroll": u} for u in same[:1])]
    for way in ways:
        run.check_gradients(run.model(**document, **way).loss, theirs, None)
        total = torch.stack([p.grad.norm() for p in run.model.parameters() if p.grad is not None]).norm()
        run.near("gradient", total, torch.tensor(norm), relative=True)


def check_encoder(run):
    t, case, model = run.tensors, run.case, run.model
    ids, mask = without_marks(run)
    segments = model.split(ids, mask=mask)
    assert [s.mask.any(1).tolist() for s in segments] == run.facts["non_empty_mask_per_segment"]
    recorder, before, losses = Recorder(model.backbone, full=True), model.cell.initial(len(ids)), []
    for i, (segment, step, state) in enumerate(unroll(model.cell, recorder, segments, state=before)):
        rows = segment.mask.any(1)
        run.near("memory", before[rows], t[f"memory_in.{i}"])
        run.near("memory", state[rows], t[f"memory_out.{i}"])
        assert torch.equal(state[~rows], before[~rows])
        run.near("logits", step.logits[rows], t[f"segment_logits.{i}"])
        losses.append(F.cross_entropy(step.logits[rows], t["labels"][rows]))
        run.near("loss", losses[-1], t[f"segment_loss.{i}"][0])
        if f"attn.{i}.0" in t:
            check_maps(run, i, segment, step, recorder, rows)
        before = state
    summed = bool(re.search(r"sum_loss=True", run.facts["call"]))
    loss = torch.stack(losses).mean() if summed else losses[-1]
    run.near("loss", loss, t["loss"][0])
    output = model(ids, t["labels"], mask)
    run.near("logits", output.logits, t["logits"])
    memory = {name: gradient for name, gradient in prefixed(t, "grad.").items() if name.endswith("[memory rows]")}
    run.ours |= dict.fromkeys(memory, "cell.memory")
    words = next(name for name in run.ours if name.endswith("word_embeddings.weight"))
    norms = {name: norm for name, norm in run.facts["grad_norms"].items() if name != words}
    run.check_gradients(loss, memory, norms)
    parameters = run.parameters()  # their table of words holds the memory too
    both = [parameters[f"backbone.{words}"].grad, parameters["cell.memory"].grad]
    theirs = torch.tensor(run.facts["grad_norms"][words])
    run.near("gradient", torch.cat(both).norm(), theirs, relative=True)
    assert model.cell.n_memory == case["num_mem_tokens"]


def without_marks(run):
    """Their input as our engine takes it: no marks, cut at the end to what their segments hold."""
    t, special = run.tensors, torch.tensor(list(run.case["special_token_ids"].values()))
    most = len(run.facts["non_empty_mask_per_segment"]) * run.case["segment_size"]
    rows = [
        row[m.bool() & ~torch.isin(row, special)][:most]
        for row, m in zip(t["input_ids"], t["attention_mask"], strict=True)
    ]
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), mask.bool()


def check_maps(run, i: int, segment, step, recorder, rows) -> None:
    """Attention and hidden states where there is input; they pad to their input size, we to the longest row."""
    lengths = run.tensors[f"attention_mask.{i}"].sum(1).tolist()
    assert lengths == (segment.mask.sum(1)[rows] + run.model.cell.room(causal=False)).tolist()
    for row, n in enumerate(lengths):
        hidden = step.output.hidden[rows][row, :n]
        run.near("hidden", hidden, run.tensors[f"hidden_last.{i}"][row, :n])
        for layer, maps in enumerate(recorder.maps):
            run.near(
                "attention", maps.attention[rows][row, :, :n, :n], run.tensors[f"attn.{i}.{layer}"][row, :, :n, :n]
            )
