"""Fused attention that also returns its row log-sum-exp: the only use of torch's private kernels.

F.scaled_dot_product_attention drops the log-sum-exp that its kernels compute. `attend` calls the kernel that it would
choose, with the arguments that it would pass, so that the output is the same to the bit. Each kernel must first pass a
test on this device and precision; where it fails, or there is none, the log-sum-exp is computed again from public
operations, a block of rows at a time.
"""

import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

ROWS = 128  # rows of scores in memory at once when the log-sum-exp is computed again
TOLERANCE = {torch.float64: 1e-10}  # for the log-sum-exp; in other types it is computed in float32
TOLERANCE_32 = 2e-4

aten = torch.ops.aten


def attend(query, key, value, mask: Tensor | None, causal: bool, scale: float) -> tuple[Tensor, Tensor]:
    """Attention output (B, H, N, d) and the log-sum-exp of each row of scores (B, H, N), in float32 or wider.

    query, key, value (B, H, N, d); mask None or bool (B, 1, N, N), true where a query may see a key.
    """
    choice = torch._fused_sdp_choice(query, key, value, mask, 0.0, causal, scale=scale)
    device = query.device.type
    if trusted(device, choice, query.dtype, query.shape[-1], mask is not None, causal):
        output, lse = KERNELS[device, choice](query, key, value, _additive(mask, query.dtype), causal, scale)
        return output, lse
    output = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=scale)
    return output, log_sum_exp(query, key, mask, causal, scale)


def log_sum_exp(query: Tensor, key: Tensor, mask: Tensor | None, causal: bool, scale: float) -> Tensor:
    """The log-sum-exp (B, H, N) from public operations, `ROWS` rows of scores at a time, in float32 or wider."""
    wide = torch.promote_types(query.dtype, torch.float32)
    columns, blocks = key.to(wide).transpose(-1, -2), []
    for start in range(0, query.shape[-2], ROWS):
        rows = slice(start, min(start + ROWS, query.shape[-2]))
        scores = query[..., rows, :].to(wide) @ columns * scale
        blocks.append(hide(scores, mask, causal, rows).logsumexp(-1))
    return torch.cat(blocks, dim=-1)


def hide(scores: Tensor, mask: Tensor | None, causal: bool, rows: slice) -> Tensor:
    """Set scores (..., rows, N) of some query rows to -inf, in place, where the mask or causality hides a key."""
    if mask is not None:
        return scores.masked_fill_(~mask[..., rows, :], -torch.inf)
    if causal:
        shape = scores.shape[-2:]
        later = torch.ones(shape, dtype=torch.bool, device=scores.device).triu_(rows.start + 1)
        return scores.masked_fill_(later, -torch.inf)
    return scores


def _cpu_flash(query, key, value, bias, causal, scale):
    return aten._scaled_dot_product_flash_attention_for_cpu(
        query, key, value, 0.0, causal, attn_mask=bias, scale=scale
    )  # fmt: skip


def _cuda_flash(query, key, value, bias, causal, scale):
    d = query.shape[-1]
    padded = [F.pad(t, (0, -d % 8)) for t in (query, key, value)]  # the kernel requires multiples of 8
    output, lse, *_ = aten._scaled_dot_product_flash_attention(*padded, 0.0, causal, False, scale=scale)
    return output[..., :d], lse


def _cuda_efficient(query, key, value, bias, causal, scale):
    if bias is not None:  # rows of the bias must begin at multiples of 16 bytes
        n = bias.shape[-1]
        bias = F.pad(bias, (0, -n % 16))[..., :n].expand(*query.shape[:2], -1, -1)
    output, lse, *_ = aten._scaled_dot_product_efficient_attention(
        query, key, value, bias, True, 0.0, causal, scale=scale
    )  # fmt: skip
    return output, lse[..., : query.shape[-2]]  # it comes in multiples of 32 rows


def _cuda_cudnn(query, key, value, bias, causal, scale):
    output, lse, *_ = aten._scaled_dot_product_cudnn_attention(
        query, key, value, bias, True, 0.0, causal, False, scale=scale
    )  # fmt: skip
    return output, lse.reshape(query.shape[:-1])


# (device, the choice of F.scaled_dot_product_attention) -> its kernel; all of them return natural logarithms
KERNELS: dict[tuple[str, int], Callable] = {
    ("cpu", SDPBackend.FLASH_ATTENTION.value): _cpu_flash,
    ("cuda", SDPBackend.FLASH_ATTENTION.value): _cuda_flash,
    ("cuda", SDPBackend.EFFICIENT_ATTENTION.value): _cuda_efficient,
    ("cuda", SDPBackend.CUDNN_ATTENTION.value): _cuda_cudnn,
}


@cache
def trusted(device: str, choice: int, dtype: torch.dtype, head_dim: int, masked: bool, causal: bool) -> bool:
    """Whether a kernel's output equals the public function's to the bit and its log-sum-exp agrees with float64.

    Tested once on a small input: a release may change a private kernel's arguments, unit or shapes.
    """
    if (device, choice) not in KERNELS:
        return False
    problem = _trial(device, choice, dtype, head_dim, masked, causal)
    if problem:
        warnings.warn(f"recording computes its own log-sum-exp on {device} in {dtype}: {problem}", stacklevel=2)
    return problem is None


@torch.inference_mode()
def _trial(device, choice, dtype, head_dim, masked, causal) -> str | None:
    """Test a kernel on a small input: what is wrong with it, None where it is right."""
    n, scale = 67, 0.7 * head_dim**-0.5  # a prime length, and not the default scale
    generator = torch.Generator().manual_seed(0)  # the global generator is not touched
    draw = [torch.randn(1, n, 2, head_dim, generator=generator) * 2 for _ in range(3)]
    query, key, value = (t.to(device, dtype).transpose(1, 2) for t in draw)
    mask = torch.ones(1, 1, n, n, dtype=torch.bool, device=device).tril() if masked else None
    try:
        output, lse = KERNELS[device, choice](query, key, value, _additive(mask, dtype), causal, scale)
        with sdpa_kernel(SDPBackend(choice)):
            public = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal, scale=scale)
    except (RuntimeError, TypeError, AttributeError) as error:
        return f"its kernel cannot be called ({str(error)[:200]})"
    if not torch.equal(output, public):
        return "its kernel gives another output"
    true = log_sum_exp(query.double(), key.double(), mask, causal, scale)
    if lse.shape != true.shape or not (lse - true).abs().max() <= TOLERANCE.get(dtype, TOLERANCE_32):
        return "its kernel's log-sum-exp is off"
    return None


def _additive(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """Turn a bool mask into an additive bias, as F.scaled_dot_product_attention does."""
    if mask is None:
        return None
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill_(~mask, -torch.inf)
