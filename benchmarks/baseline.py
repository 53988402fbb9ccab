"""Benchmark of skipped logits: a plain loop over the stock model, as released wrappers have it, against our engine.

The plain loop runs the whole language model over every augmented segment, keeps each segment's logits and joins them
at the end. Ours carries the same memory over the same segments and leaves the head out, as `keep_logits=False` or
recording without a loss does. Both end in the same memory, which is checked. Time is of the process.
"""

import tempfile
from pathlib import Path

import torch

from benchmarks.common import arguments, interleave, ratio, recurrent, report, spread, stock
from rmt.recorder import record

N_MEMORY = 10


def plain(stock_model, memory: torch.Tensor, segments: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """The plain loop: logits (1, T, V) of all segments, and the last memory (1, M, D)."""
    embed, logits, m = stock_model.get_input_embeddings(), [], memory.shape[1]
    for ids in segments:
        x = torch.cat([memory, embed(ids), memory], dim=1)
        output = stock_model(inputs_embeds=x, output_hidden_states=True)
        memory = output.hidden_states[-1][:, -m:]
        logits.append(output.logits[:, m:-m])
    return torch.cat(logits, dim=1), memory


def main() -> None:
    """Time both and print the result."""
    options = arguments(
        __doc__, rounds=5, segments=16, n=128, layers=4, width=128, heads=4, vocabulary=50257, detail="thin"
    )
    torch.set_num_threads(1)
    shape = {name: getattr(options, name) for name in ("layers", "width", "heads", "vocabulary")}
    shape["positions"] = options.n + 2 * N_MEMORY
    other = stock("gpt2", **shape)
    model = recurrent(stock("gpt2", **shape), n_memory=N_MEMORY, segment_length=options.n)
    model.about.fingerprint = "benchmark"
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(3, options.vocabulary, (1, options.segments * options.n), generator=generator)
    ends = {}

    def loop() -> None:
        with torch.inference_mode():
            ends["loop"] = plain(other, model.cell.initial(1), list(ids.split(options.n, dim=1)))[1]

    def ours() -> None:
        with torch.inference_mode():
            ends["ours"] = model(ids, keep_logits=False).memory[:, -1]

    def recorded() -> None:
        with tempfile.TemporaryDirectory() as folder:
            trace = record(model, ids, detail=options.detail, out=Path(folder) / "t", loss=False)
            ends["recorded"] = torch.tensor(trace.memory[-1])[None]

    def scored() -> None:
        with torch.inference_mode():
            model(ids, labels=ids, keep_logits=False)

    runs = {"loop": loop, "ours": ours, "recorded": recorded, "scored": scored}
    seconds = interleave(runs, options.rounds)
    for name, end in ends.items():
        assert torch.allclose(end, ends["loop"], atol=1e-4), f"{name} ends in another memory"
    rows = [
        {
            "variant": name,
            "ms_per_segment": spread([s / options.segments * 1e3 for s in seconds[name]]),
            "times_faster_than_loop": ratio(seconds["loop"], seconds[name]),
        }
        for name in runs
    ]
    report(rows, options.json, shape=shape, n=options.n, segments=options.segments, rounds=options.rounds)


if __name__ == "__main__":
    main()
