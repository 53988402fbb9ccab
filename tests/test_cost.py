import json
import subprocess
import sys
from dataclasses import replace

import pytest

from rmt.cost import (
    CONVENTIONS,
    LENGTH,
    OPT,
    PAPER,
    PAPER_LENGTH,
    Convention,
    Sizes,
    forward,
    ratio,
    recurrent,
    table,
)
from rmt.cost.counted import counted, counted_recurrent, opt_config
from rmt.errors import InputError

MODELS = [OPT[name] for name in ("OPT-125M", "OPT-1.3B", "OPT-30B", "OPT-175B")]
PUBLISHED = {  # worked out apart from this program, to one digit after the point
    ("appendix F", LENGTH): (223.4, 140.0, 47.2, 28.5),
    ("embedding lookup not counted", LENGTH): (287.9, 150.5, 47.8, 28.6),
    ("embedding lookup not counted", PAPER_LENGTH): (294.8, 154.1, 48.9, 29.3),
    ("FlopCounterMode", LENGTH): (284.8, None, None, 28.5),
    ("10 memory tokens", LENGTH): (218.9, 137.2, 46.3, 28.0),
    ("10 read and 10 write memory tokens", LENGTH): (214.5, 134.6, 45.4, 27.5),
    ("causal half", LENGTH): (115.4, 71.7, 24.2, 14.8),
}
SMALL = Sizes("small", layers=2, width=32, heads=4, inner=48, vocabulary=100)


def test_every_row_of_the_table_comes_out_to_the_digits_given():
    rows = {(row["convention"], row["tokens"], row["model"]): row["ratio"] for row in table(MODELS)}
    assert len(rows) == 4 * len(PUBLISHED)
    for (convention, tokens), values in PUBLISHED.items():
        for sizes, value in zip(MODELS, values, strict=True):
            assert value is None or round(rows[convention, tokens, sizes.name], 1) == value, (convention, sizes.name)


def test_the_papers_two_numbers_come_out_under_one_convention_alone():
    def both(convention, tokens):
        return tuple(round(ratio(OPT[name], tokens, convention)) for name in ("OPT-125M", "OPT-175B"))

    found = [(c.name, n) for c in CONVENTIONS.values() for n in (LENGTH, PAPER_LENGTH) if both(c, n) == (295, 29)]
    assert found == [(PAPER.name, PAPER_LENGTH)]
    assert both(replace(PAPER, embedding=True, head=False), PAPER_LENGTH) == (295, 29)  # one of the two, whichever


def test_the_formula_is_the_sum_of_its_parts():
    """By hand, for one layer of width 2 with one head over three tokens: appendix F, line by line."""
    tiny = Sizes("tiny", layers=1, width=2, heads=1, inner=5, vocabulary=7)
    qkv, scores, softmax, mix, out, dense = 2 * 3 * 3 * 2 * 2, 2 * 9 * 2, 3 * 9, 2 * 9 * 2, 2 * 3 * 4, 2 * 3 * 2 * 10
    layer, table = qkv + scores + softmax + mix + out + dense, 2 * 3 * 7 * 2
    assert forward(tiny, 3) == layer + 2 * table
    assert forward(tiny, 3, Convention(embedding=False)) == layer + table
    assert forward(tiny, 3, Convention(head=False, embedding=False, softmax=False)) == layer - softmax
    assert forward(tiny, 3, Convention(causal=True)) == layer + 2 * table - (scores + softmax + mix) * 3 / 9


def test_rmt_is_linear_in_length_and_full_attention_in_the_end_quadratic():
    assert recurrent(SMALL, 2 * LENGTH) == 2 * recurrent(SMALL, LENGTH)
    assert forward(SMALL, 2 * LENGTH) / forward(SMALL, LENGTH) == pytest.approx(4, rel=1e-3)
    assert ratio(SMALL, 512) == 1


@pytest.mark.parametrize("tokens", [96, 512, LENGTH])
def test_torch_counts_what_the_formula_says(tokens):
    convention = CONVENTIONS["FlopCounterMode"]
    assert counted(opt_config(SMALL), tokens) == forward(SMALL, tokens, convention)
    run = counted_recurrent(opt_config(SMALL), tokens, segment=96, n_memory=0)
    assert run == pytest.approx(recurrent(SMALL, tokens, convention, 96))


def test_the_published_size_counts_as_it_was_counted_elsewhere():
    assert counted(opt_config(OPT["OPT-125M"]), 512) == 136_172_273_664


def test_memory_tokens_are_counted_where_they_run():
    """The head runs at the tokens alone, the layers at memory, too."""
    bare = Convention(embedding=False, head=False, softmax=False, n_read=10, n_write=10)
    head = 2 * 96 * SMALL.width * SMALL.vocabulary
    assert counted_recurrent(opt_config(SMALL), 96, segment=96) == recurrent(SMALL, 96, bare, 96) + head


def test_an_encoder_can_be_counted_and_a_configuration_that_is_none_cannot():
    bert = {"model_type": "bert", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
            "intermediate_size": 48, "vocab_size": 100, "max_position_embeddings": 64}  # fmt: skip
    assert counted(bert, 200) > counted(bert, 100) > 0
    with pytest.raises(InputError, match="makes no"):
        counted({"model_type": "no such"}, 10)


def test_the_formula_needs_no_torch():
    code = "import sys, rmt.cost; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_command_prints_table_and_conventions(monkeypatch, capsys):
    from rmt.__main__ import main

    monkeypatch.setattr(sys, "argv", ["rmt", "cost", "OPT-125M", "--count", "--json"])
    with pytest.raises(SystemExit) as end:
        main()
    document = json.loads(capsys.readouterr().out)
    assert not end.value.code and {"embedding", "head", "softmax", "causal"} <= set(document["conventions"][0])
    ratios = [row["ratio"] for row in [*document["table"], *document["counted"]]]
    assert max(ratios) == pytest.approx(294.8, abs=0.05) and document["counted"][0]["ratio"] in ratios[:-2]
    monkeypatch.setattr(sys, "argv", ["rmt", "cost", "OPT-1T"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2 and "OPT-175B" in capsys.readouterr().err
