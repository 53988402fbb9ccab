"""Peak memory of a GPU: of a run of 4,096 segments against one of 64 (part 7 of `benchmarks.gpu`).

The shape is that of `benchmarks.gpu_speed`.
"""

import torch

from benchmarks.gpu_models import capturing
from benchmarks.gpu_speed import BASE, TINY, Pages, bert
from benchmarks.verdicts import SkipError, Verdicts
from rmt.model.cuda_graph import fast_unroll
from rmt.recorder import record

SLACK = 8 * 2**20  # bytes that a peak may grow by beside the document itself


def memory(verdicts: Verdicts, options) -> None:
    """Part 7: the peak memory of a run of 4,096 segments against one of 64, reading and recording."""
    size, lengths = (TINY, (64, 256)) if options.small else (BASE, (64, 4096))
    with capturing(options.device):
        for what, run in {"reading": read, "recording a summary": summary}.items():
            verdicts.each(f"{what}, {lengths[0]} and {lengths[1]} segments", peaks, options.device, size, lengths, run)


def peaks(device, size, lengths, run) -> tuple[bool, dict]:
    """Peak bytes of a run at both lengths, and whether they grow by no more than the document and SLACK."""
    if device != "cuda":
        run(bert(size).to(device), device, size, lengths[0])
        raise SkipError("peak memory is the CUDA allocator's, and this is a CPU")
    model, peak_bytes = bert(size).to(device, torch.bfloat16), []
    run(model, device, size, lengths[0])  # what stays for good is there from here on
    for length in lengths:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        run(model, device, size, length)
        peak_bytes.append(torch.cuda.max_memory_allocated())
    document = 8 * (lengths[1] - lengths[0]) * size["n"] if run is summary else 0  # a recording's ids are on the device
    megabytes = {f"mb_{length}": value / 2**20 for length, value in zip(lengths, peak_bytes, strict=True)}
    figures = {**megabytes, "grown_mb": (peak_bytes[1] - peak_bytes[0]) / 2**20, "document_mb": document / 2**20}
    return peak_bytes[1] - peak_bytes[0] <= document + SLACK, {**figures, "bound_mb": (document + SLACK) / 2**20}


@torch.inference_mode()
def read(model, device, size, n_segments) -> None:
    """Read a document, keeping nothing."""
    pages = Pages(1, size["n"], n_segments, device)
    for _ in fast_unroll(model.cell, model.backbone, pages, state=model.cell.initial(1)):
        pass


def summary(model, device, size, n_segments) -> None:
    """Record a document with summary detail."""
    model.about.fingerprint = "benchmark"
    ids = torch.randint(3, 30522, (n_segments * size["n"],), generator=torch.Generator().manual_seed(2))
    record(model, ids, detail="summary", loss=False)
