"""Shared code for tests of attention: augmented inputs, the maps of stock models, and our recorder's."""

from types import SimpleNamespace

import torch
from families import DECODERS, EAGER, EAGER_DECODERS, FUSED, make

from rmt.backbone import HFBackbone, Layout
from rmt.backbone.attention import Maps, Scores, attention, thin
from rmt.recorder import Recorder

B, M, T = 2, 3, 24
PADS = 4  # at the end of the second sample's tokens
# Families whose own eager softmax is float64 in a float64 model; the others' is always float32.
EAGER_IS_64 = {"gpt2", "gpt2_inverse_layer", "bert", "roberta"}
CAUSAL = DECODERS | EAGER_DECODERS
NAMES = [*FUSED, *EAGER]


def augmented(name: str, dtype=torch.float32, *, padded: bool, tokens: int = T):
    """Random augmented embeddings x (B, N, D), their layout, and the mask (B, N) of a batch with padding."""
    if name in CAUSAL:
        layout = Layout(slice(M, M + tokens), slice(0, M), slice(M + tokens, 2 * M + tokens))
        n = tokens + 2 * M
    else:
        layout = Layout(slice(M + 2, M + 2 + tokens), slice(1, M + 1), slice(1, M + 1), answer=0)
        n = tokens + M + 3
    x = torch.randn(B, n, 32, generator=torch.Generator().manual_seed(1)).to(dtype)
    mask = torch.ones(B, n, dtype=torch.bool)
    if padded:
        end = layout.tokens.stop if name in CAUSAL else n
        mask[1, end - PADS : end] = False
    return x, layout, mask if padded else None


def eager(name: str, x, mask, dtype=torch.float32) -> torch.Tensor:
    """The attention of the stock model when it runs eagerly: (L, B, H, N, N)."""
    trunk = make(name, attention="eager", dtype=dtype).base_model
    mask = torch.ones(x.shape[:2]) if mask is None else mask
    with torch.no_grad():
        output = trunk(inputs_embeds=x, attention_mask=mask.long(), output_attentions=True)
    return torch.stack(output.attentions)


def recorded(name: str, x, layout, mask, dtype=torch.float32, **options):
    """Our recorder's maps stacked over layers, and the hidden states of the recorded run."""
    recorder = Recorder(HFBackbone(make(name, dtype=dtype)), **options)
    with torch.no_grad():
        output = recorder(x, layout=layout, mask=mask)
    fields = ("read", "write", "answer_read", "mass", "attention")
    maps = {
        f: torch.stack([getattr(m, f) for m in recorder.maps])
        for f in fields
        if getattr(recorder.maps[0], f) is not None
    }
    return maps, output.hidden


def expected(p: torch.Tensor, layout: Layout, mask) -> dict[str, torch.Tensor]:
    """Thin maps cut from whole maps (L, B, H, N, N)."""
    tokens, read, write = layout.tokens, layout.read, layout.write
    last = torch.full((B,), layout.tokens.stop - 1) if layout.answer is None else torch.full((B,), layout.answer)
    if mask is not None and layout.answer is None:
        last[1] -= PADS
    mass = [p[..., rows, columns].sum((-1, -2)) for rows, columns in ((tokens, read), (write, tokens), (write, read))]
    mass = torch.stack([*mass, p.shape[-1] - sum(mass)], dim=-1)
    answer = torch.stack([p[:, b, :, last[b], read] for b in range(B)], dim=1)
    return {"read": p[..., tokens, read], "write": p[..., write, tokens], "answer_read": answer, "mass": mass}


class Layer(torch.nn.Module):
    def __init__(self, causal: bool):
        super().__init__()
        self.is_causal = causal


def look(query, key, value, mask=None, causal=True, **options) -> tuple[torch.Tensor, Scores]:
    seen = []
    output, _ = attention(Layer(causal), query, key, value, mask, capture=seen.append, **options)
    return output, seen[0]


def cut(scores: Scores, layout: Layout, answer: int, causal: bool = True) -> Maps:
    return thin([scores], SimpleNamespace(fused=True, causal=causal, masks_all=False), layout, answer).layers()[0]


def truth(query, key, mask, causal) -> torch.Tensor:
    """The softmax of the same numbers in float64."""
    scores = query.double() @ key.double().transpose(2, 3) * query.shape[-1] ** -0.5
    n = scores.shape[-1]
    if causal:
        mask = torch.ones(n, n, dtype=torch.bool).tril()
    return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(-1)


def heads(n: int, d: int, dtype, scale: float = 1.0):
    """Random query, key and value (2, 3, n, d), laid out in memory as transformers does."""
    generator = torch.Generator().manual_seed(3)
    draw = [torch.randn(2, n, 3, d, generator=generator) for _ in range(3)]
    return [(t * s).to(dtype).transpose(1, 2) for t, s in zip(draw, (scale, 1, 1), strict=True)]
