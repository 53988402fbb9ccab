"""The table of docs/mechanisms.md: what each mechanism agrees with, and the largest difference that its tests met.

    python tests/tools/agreement.py [--write]    prints the table; --write puts it into docs/mechanisms.md

Runs the tests below and takes the largest difference of all comparisons in them that held. Files and lines are counted.
RMT_GOLDEN says where the recorded runs of the authors' code lie; rows whose test is skipped are said to be not run.
"""

import argparse
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from rmt.memory.words import WORDS  # noqa: E402

PATTERN = "the pattern as a mask over the whole text, one pass of the stock model"
MASK = "test_sparse_memory.py::test_a_sparse_pattern_is_a_mask_over_the_whole_text"
BEGIN, END = "<!-- made by tests/tools/agreement.py -->\n", "<!-- end -->\n"
ROWS = (  # kind, what it agrees with, its tests: how their ids begin, with one of several parameters
    *((kind, f"the authors' code, {runs}, logits", f"test_reference.py::test_agrees_with_the_reference[{families}")
      for kind, runs, families in (("rmt", "26 recorded runs of five families in float32", "bert|gpt|llama|opt"),
                                   ("rmt-r", "two recorded runs", "rmtr"), ("armt", "two recorded runs", "armt"))),
    ("transformer-xl", "full attention, with a cache as long as the text",
     "test_baselines.py::test_transformer_xl_with_a_cache_as_long"),
    ("compressive", "Transformer-XL with the joined cache, where it compresses by 1",
     "test_baselines.py::test_compressive_with_rate_1"),
    ("sliding-window", "a banded mask over the whole text, one pass of the stock model",
     "test_baselines.py::test_a_sliding_window_is_a_banded"),
    ("context", "the stock model on history and segment in one", "test_baselines.py::test_exact_context_is_the_stock"),
    ("memory-transformer", "RMT on one segment", "test_baselines.py::test_memory_transformer_on_one"),
    *((kind, words, f"test_recurrent_nets.py::{test}[{kind}]")
      for kind, name in (("rwkv", "RwkvForCausalLM, which fades in float32"),
                         ("mamba", "MambaForCausalLM, whose A and B are float32"),
                         ("mamba2", "Mamba2ForCausalLM, whose scan is float32"),
                         ("recurrent-gemma", "RecurrentGemmaForCausalLM, whose scan and angles are float32"))
      for words, test in (("itself over the whole text, in segments of 1, 2 and 7",
                           "test_segments_are_read_as_the_whole_text"),
                          (f"transformers' {name}", "test_a_whole_text_is_read_as_transformers_reads_it"))),
    ("autocompressor", "the stock model on summaries, segment and summary tokens in one",
     "test_token_memory.py::test_summaries_of_all"),
    ("gist", "the paper's mask over the whole text, one pass of the stock model",
     "test_token_memory.py::test_gist_tokens_are_a_mask"),
    ("beacon", "one gist token, where it has one beacon and the backbone's projections",
     "test_token_memory.py::test_one_beacon"),
    ("landmark", "the grouped softmax written out, of all blocks and of the best",
     "test_sparse_memory.py::test_the_grouped_softmax"),
    ("memorizing", "both softmaxes and the gate written out", "test_sparse_memory.py::test_the_nearest_keys"),
    ("memorizing", "memorizing-transformers-pytorch 0.4.1, but for its gate, which is a query's",
     "test_sparse_memory.py::test_neighbours_and_text"),
    ("knn-lm", "its equations, a list of keys and words in place of the state",
     "test_retrieval_memory.py::test_knn_lm_mixes"),
    ("longformer", PATTERN, f"{MASK}[longformer]"),
    ("longformer", "as an encoder transformers' LongformerModel, whose softmax is float32",
     "test_sparse_memory.py::test_an_encoder_of_one_segment"),
    *((kind, PATTERN, f"{MASK}[{kind}]") for kind in ("bigbird", "longnet", "sparse")),
    ("interpolation", "transformers' `rope_type: linear`", "test_retrieval_memory.py::test_interpolated_positions"),
    ("bm25", "bm25s, its Lucene scores, kept to six digits", "test_retrieval_memory.py::test_bm25_scores"),
    ("bm25", "the stock model on the passages and the segment in one",
     "test_retrieval_memory.py::test_the_best_passages_stand"),
    ("dense", "the stock model on the passage and the segment in one",
     "test_retrieval_memory.py::test_dense_retrieval_takes"),
    ("linear-attention", "performer-pytorch 1.1.4, its causal linear attention",
     "test_associative_memories.py::test_linear_attention_is_that_of_performer_pytorch[linear"),
    ("performer", "performer-pytorch 1.1.4, its softmax kernel without its small constant",
     "test_associative_memories.py::test_linear_attention_is_that_of_performer_pytorch[perf"),
    ("infini", "infini-transformer-pytorch 0.2.1, with and without the delta rule",
     "test_associative_memories.py::test_infini_attention_is_that"),
    ("block-recurrent", "block-recurrent-transformer-pytorch 0.4.4, read and write of its state, one head, fixed gate",
     "test_gated_states.py::test_a_state_is_read_and_written"),
    ("reformer", "reformer-pytorch 1.4.4, one round, two buckets", "test_reformer.py::test_attention_in_buckets"),
    ("ernie-doc", "its equation; what a layer made, taken by a hook", "test_gated_states.py::test_ernie_doc_keeps"),
    ("feedback", "its equation; the mean of all levels, taken by hooks",
     "test_gated_states.py::test_feedback_memory_is_a_mean"),
    ("memformer", "its equations for each slot, written out",
     "test_gated_states.py::test_memformers_slots_are_written"),
    ("memformer", "memformer 0.3.1, the attention of its slots, one head",
     "test_gated_states.py::test_memformers_slots_attend"),
    ("titans", "its equations; the gradient by autograd", "test_gated_states.py::test_the_net_of_titans"),
    ("titans", "titans-pytorch 0.5.5 over two segments, with our net and one rate a segment",
     "test_gated_states.py::test_titans_net_is_taught_as"),
)  # fmt: skip


class Differences:
    """A pytest plugin that keeps the largest difference of the comparisons that held in each test."""

    def __init__(self):
        self.largest: dict[str, float] = {}  # test id, without its folder -> difference

    def met(self, test: str) -> list[float]:
        """The differences met in the tests of a row."""
        name, _, parameters = test.partition("[")
        begins = tuple(f"{name}[{one}" for one in parameters.split("|")) if parameters else name
        return [apart for id, apart in self.largest.items() if id.startswith(begins)]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item):
        allclose, apart = torch.allclose, []

        def compared(a, b, *args, **options):
            if holds := allclose(a, b, *args, **options):
                difference = (a.detach().double() - b.detach().double()).abs()
                apart.append(float(difference[difference.isfinite()].max()) if difference.numel() else 0.0)
            return holds

        torch.allclose = compared
        try:
            return (yield)
        finally:
            torch.allclose = allclose
            if "table" in item.funcargs:  # recorded runs have their own comparison
                run = item.funcargs["run"]
                apart += [run.table[run.name, "logits"]]
            if apart:
                self.largest[item.nodeid.removeprefix("tests/")] = max(apart)


def table() -> str:
    """The rows of the table, with a line for each comparison."""
    found = Differences()
    files = sorted({str(ROOT / "tests" / test.split("::")[0]) for *_, test in ROWS})
    names = " or ".join(sorted({test.split("::")[1].split("[")[0] for *_, test in ROWS}))
    pytest.main(["-q", "-p", "no:cacheprovider", "-k", names, *files], plugins=[found])
    words, lines, last = {one.kind: one for one in WORDS}, [], None
    for kind, agrees, test in ROWS:
        met = found.met(test)
        file = f"{words[kind].file}.py"
        length = len((ROOT / "rmt" / "memory" / file).read_text().splitlines())
        first = f"{words[kind].name} | `{file}` | {length}" if kind != last else " | | "
        largest = "not run here" if not met else f"{max(met):.0e}" if max(met) else "0"
        lines.append(f"| {first} | {agrees} | {largest} |")
        last = kind
    head = "| mechanism | file | lines | agrees with | largest difference |\n|---|---|---:|---|---:|\n"
    return head + "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="into docs/mechanisms.md")
    options = parser.parse_args()
    made = table()
    print(made)
    if options.write:
        path = ROOT / "docs" / "mechanisms.md"
        before, rest = path.read_text().split(BEGIN)
        path.write_text(f"{before}{BEGIN}\n{made}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
