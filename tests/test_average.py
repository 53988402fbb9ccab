import json

import torch

from benchmarks.average import average
from rmt.build import build
from rmt.checkpoint import load, save


def test_the_mean_of_two_checkpoints_is_one(tmp_path):
    spec = {
        "cell": {"kind": "rmt", "options": {"n_memory": 2}},
        "segment_length": 8,
        "backbone": {
            "head": "classify",
            "config": {
                "model_type": "llama", "vocab_size": 40, "hidden_size": 16, "intermediate_size": 32,
                "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 16, "pad_token_id": 0,
            },
        },
    }  # fmt: skip
    for seed, name in enumerate(("a", "b")):
        torch.manual_seed(seed)
        save(build(spec), spec, tmp_path / name)
        (tmp_path / name / "metrics.jsonl").write_text(f'{{"step": {seed}}}\n')
    average(tmp_path / "a", tmp_path / "b", tmp_path / "mean")
    a, b, mean = (load(tmp_path / name, device="cpu").state_dict() for name in ("a", "b", "mean"))
    for key in mean:
        torch.testing.assert_close(mean[key], (a[key] + b[key]) / 2, rtol=1e-3, atol=1e-4)
        assert mean[key].eq(1).all() or not torch.allclose(mean[key], a[key], atol=1e-4)  # norms begin as ones in both
    assert json.loads((tmp_path / "mean" / "metrics.jsonl").read_text()) == {"step": 1}
    assert json.loads((tmp_path / "mean" / "config.json").read_text())["mean_of"] == ["a", "b"]
