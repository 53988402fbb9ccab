"""Shared code of the benchmarks: small models, interleaved timing, medians with their spread, JSON."""

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable

import torch
from transformers import BertConfig, BertForSequenceClassification, GPT2Config, GPT2LMHeadModel

from rmt.backbone import HFBackbone, Output
from rmt.memory import CELLS
from rmt.model import Model
from rmt.model.provenance import versions


def stock(family: str, *, layers: int, width: int, heads: int, positions: int, vocabulary: int, attention="sdpa"):
    """A stock transformers model with random weights, the same ones for every kind of attention."""
    torch.manual_seed(0)
    if family == "gpt2":
        config = GPT2Config(
            n_layer=layers, n_embd=width, n_head=heads, n_positions=positions, vocab_size=vocabulary,
            bos_token_id=None, eos_token_id=None, attn_implementation=attention,
        )  # fmt: skip
        return GPT2LMHeadModel(config).eval()
    config = BertConfig(
        num_hidden_layers=layers, hidden_size=width, num_attention_heads=heads, intermediate_size=4 * width,
        max_position_embeddings=positions, vocab_size=vocabulary, num_labels=6, attn_implementation=attention,
    )  # fmt: skip
    return BertForSequenceClassification(config).eval()


def recurrent(model, *, n_memory: int, segment_length: int) -> Model:
    """A stock model with RMT around it."""
    torch.manual_seed(1)
    backbone = HFBackbone(model, cls_id=1, sep_id=2)
    cell = CELLS["rmt"].fit(backbone, n_memory=n_memory)
    return Model(backbone, cell, segment_length=segment_length).eval().requires_grad_(False)


class Eager:
    """A Backbone around a stock model with eager attention that returns all its attentions; enough for one cell."""

    def __init__(self, model, like: HFBackbone):
        self.trunk, self.embed, self.causal = model.base_model, model.get_input_embeddings(), like.causal
        self.cls_id, self.sep_id = like.cls_id, like.sep_id

    def __call__(self, x, *, layout, mask=None) -> Output:
        options = {"use_cache": False} if self.causal else {}
        output = self.trunk(inputs_embeds=x, output_attentions=True, **options)
        self.attentions = output.attentions
        return Output(output.last_hidden_state, output.last_hidden_state, None)


def interleave(variants: dict[str, Callable[[], None]], rounds: int, clock=time.process_time) -> dict[str, list[float]]:
    """Seconds of each variant in each round; all run once before, and the order changes from round to round."""
    for run in variants.values():
        run()
    seconds = {name: [] for name in variants}
    names = list(variants)
    for i in range(rounds):
        for name in names[i % len(names) :] + names[: i % len(names)]:
            began = clock()
            variants[name]()
            seconds[name].append(clock() - began)
    return seconds


def spread(values: list[float]) -> dict[str, float]:
    """The median, and the range of the middle half."""
    low, _, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return {"median": round(statistics.median(values), 5), "low": round(low, 5), "high": round(high, 5)}


def ratio(over: list[float], under: list[float]) -> dict[str, float]:
    """The ratio of two variants' times, round by round: other work on the machine slows both."""
    return spread([a / b for a, b in zip(over, under, strict=True)])


def peak_rss() -> int:
    """The largest resident memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def report(rows: list[dict], as_json: bool, **about) -> None:
    """Print a result, as JSON or as lines for people."""
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }
    command = " ".join(["python -m", sys.modules["__main__"].__spec__.name, *sys.argv[1:]])
    document = {"command": command, "machine": machine, "versions": versions(), **about, "rows": rows}
    if as_json:
        print(json.dumps(document, indent=1))
        return
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


def arguments(doc: str, **options) -> argparse.Namespace:
    """Parse --json and the options given with their defaults."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    for name, default in options.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return parser.parse_args()
