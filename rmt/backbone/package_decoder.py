"""The decoder of the package recurrent-memory-transformer-pytorch (PyPI, version 0.7), as a model of transformers.

The same function under the same names of tensors, so that a state dict of the package fits as it is. What the package
does in one forward is two things here: memory is the cell's (`rmt.memory.recurrent`, separate), the decoder is this.
Letters in shape comments as in `rmt.backbone.protocol`; R residual streams.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from rmt.backbone.internals import ALL_ATTENTION_FUNCTIONS, BaseModelOutput, CausalLMOutput

FAMILY = "recurrent-memory-transformer-pytorch"
MEMORY = -1  # the position of memory, which has no place in the text
FIRST = (
    10_000  # the rotary position of a segment's first token; memory is at 0, the null key one before the first token
)


class PackageConfig(PreTrainedConfig):
    """Sizes of the decoder. n_positions: rows of its position table, None without one. rotary: whether keys turn."""

    model_type = FAMILY

    def __init__(
        self,
        vocab_size: int = 256,
        hidden_size: int = 32,
        num_hidden_layers: int = 2,
        num_attention_heads: int = 4,
        head_dim: int = 8,
        intermediate_size: int = 85,
        n_positions: int | None = 64,
        rotary: bool = False,
        n_streams: int = 4,
        value_residual: bool = True,
        n_memory: int = 1,
        **options,
    ):
        self.vocab_size, self.hidden_size = vocab_size, hidden_size
        self.num_hidden_layers, self.num_attention_heads = num_hidden_layers, num_attention_heads
        self.head_dim, self.intermediate_size, self.n_memory = head_dim, intermediate_size, n_memory
        self.n_positions, self.rotary, self.n_streams, self.value_residual = (
            n_positions,
            rotary,
            n_streams,
            value_residual,
        )
        super().__init__(**{**options, "tie_word_embeddings": False})

    @property
    def longest_input(self) -> int | None:
        """Positions of the augmented input: memory stands in no row of the position table."""
        return None if self.n_positions is None else self.n_positions + 2 * self.n_memory


class PackagePreTrained(PreTrainedModel):
    config_class = PackageConfig
    base_model_prefix = "model"
    _supports_attention_backend = True

    def _init_weights(self, module: nn.Module) -> None:
        """As torch and the constructors here make them, which is what the package does."""


class PackageModel(PackagePreTrained):
    """The trunk: embeddings in, hidden states after the final norm out."""

    def __init__(self, config: PackageConfig):
        super().__init__(config)
        self.token_emb = nn.Embedding(config.vocab_size, config.hidden_size)
        self.pos_emb = nn.Embedding(config.n_positions, config.hidden_size) if config.n_positions else None
        self.rotary_pos_emb = Rotary(config.head_dim) if config.rotary else None
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.num_hidden_layers))
        self.norm = nn.RMSNorm(config.hidden_size)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.token_emb

    def set_input_embeddings(self, table: nn.Module) -> None:
        self.token_emb = table

    def forward(
        self,
        input_ids: Tensor | None = None,
        *,
        inputs_embeds: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        use_cache: bool = False,
        **options,
    ) -> BaseModelOutput:
        """Hidden states (B, N, D) of inputs_embeds (B, N, D), or of ids (B, N) without memory.

        position_ids: (B, N), places of tokens in their segment and `MEMORY` where memory stands: before the first token
            it is read, after the last one written. attention_mask: None, (B, N), or bool (B, 1, N, N), of which the
            last query's row says which keys may be seen at all.
        """
        x = self.token_emb(input_ids) if inputs_embeds is None else inputs_embeds
        if position_ids is None:
            position_ids = torch.arange(x.shape[1], device=x.device)[None]
        places = position_ids.expand(x.shape[:2])  # (B, N)
        if self.pos_emb is not None:
            x = x + self.pos_emb(places.clamp(min=0)).masked_fill((places == MEMORY)[..., None], 0.0)
        options["rotary"] = self.rotary_pos_emb and self.rotary_pos_emb(places)
        mask, values = visible(places, attention_mask), None
        streams = self.config.n_streams
        hidden = x if streams == 1 else x[:, :, None].expand(-1, -1, streams, -1)  # (B, N, R, D)
        for layer in self.layers:
            hidden, values = layer(hidden, mask=mask, values=values, **options)
        return BaseModelOutput(last_hidden_state=self.norm(hidden if streams == 1 else hidden.sum(2)))


class PackageForCausalLM(PackagePreTrained):
    """The trunk under its head, which has a bias."""

    def __init__(self, config: PackageConfig):
        super().__init__(config)
        self.model = PackageModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size)
        self.post_init()

    def forward(self, input_ids: Tensor | None = None, **options) -> CausalLMOutput:
        return CausalLMOutput(logits=self.lm_head(self.model(input_ids, **options).last_hidden_state))


class Layer(nn.ModuleList):
    """Attention, then a gated feed-forward part, each on residual streams of its own."""

    def __init__(self, config: PackageConfig, index: int):
        super().__init__(
            [Streams(config, Attention(config, index), index), Streams(config, feed_forward(config), index)]
        )

    def forward(self, hidden: Tensor, *, mask: Tensor, values: Tensor | None, **options) -> tuple[Tensor, Tensor]:
        """hidden (B, N, R, D), and the values (B, H, N, d) of the first layer, which later ones mix into theirs."""
        attend, feed = self
        x, add = attend.open(hidden)
        x, _, own = attend.branch(x, mask=mask, values=values, **options)
        x, add = feed.open(hidden := add(x))
        return add(feed.branch(x)), own if values is None else values


class Streams(nn.Module):
    """Hyper-connections (Zhu et al. 2024, arXiv 2409.19606, algorithm 2): a branch reads a mix of the residual streams
    and is added to each of them by a weight of its own. One stream is a plain residual connection.
    """

    def __init__(self, config: PackageConfig, branch: nn.Module, index: int):
        super().__init__()
        self.branch, n, dim = branch, config.n_streams, config.hidden_size
        self.norm = None
        if n == 1:
            return
        first = F.one_hot(torch.tensor(index % n), n).float()
        self.static_alpha = nn.Parameter(torch.cat([first[:, None], torch.eye(n)], dim=1))
        self.dynamic_alpha_fn = nn.Parameter(torch.zeros(dim, n + 1))
        self.dynamic_alpha_scale = nn.Parameter(torch.full((), 1e-2))
        self.static_beta = nn.Parameter(torch.ones(n))
        self.dynamic_beta_fn = nn.Parameter(torch.zeros(dim))
        self.dynamic_beta_scale = nn.Parameter(torch.full((), 1e-2))
        self.norm = Norm(dim)

    def open(self, hidden: Tensor):
        """What the branch is given (B, N, D), and a function that adds what it gives to the streams (B, N, R, D)."""
        if self.norm is None:
            return hidden, lambda given: given + hidden
        normed = self.norm(hidden)
        alpha = (normed @ self.dynamic_alpha_fn).tanh() * self.dynamic_alpha_scale + self.static_alpha  # (B, N, R, 1+R)
        beta = (normed @ self.dynamic_beta_fn).tanh() * self.dynamic_beta_scale + self.static_beta  # (B, N, R)
        mixed = torch.einsum("bnrt,bnrd->bntd", alpha, hidden)
        return mixed[:, :, 0], lambda given: given[:, :, None] * beta[..., None] + mixed[:, :, 1:]


class Norm(nn.Module):
    """The norm of hyper-connections: to the length of the square root of the width, times 1 + gamma."""

    def __init__(self, dim: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(x, dim=-1) * x.shape[-1] ** 0.5 * (self.gamma + 1)


class Attention(nn.Module):
    """Attention in which every query may also look at a null key, which stands behind all others here."""

    def __init__(self, config: PackageConfig, index: int):
        super().__init__()
        self.config, self.layer_idx, self.heads = config, index, config.num_attention_heads
        inner = self.heads * config.head_dim
        self.norm = nn.RMSNorm(config.hidden_size)
        self.null_kv = nn.Parameter(torch.randn(2, self.heads, config.head_dim))
        self.to_q = nn.Linear(config.hidden_size, inner, bias=False)
        self.to_kv = nn.Linear(config.hidden_size, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, config.hidden_size, bias=False)
        if config.value_residual and index:
            self.learned_value_residual_mix = nn.Sequential(nn.Linear(config.hidden_size, self.heads, bias=False))

    def forward(self, x: Tensor, *, mask: Tensor, values: Tensor | None, rotary, **options) -> tuple:
        """x (B, N, D) -> the same, weights (B, H, N, N) where eager attention makes them, and the layer's own values
        (B, H, N, d); mask (B, 1, N, N + 1)."""
        x = self.norm(x)
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.to_q(x), *self.to_kv(x).chunk(2, -1))
        )
        own = value
        if values is not None and hasattr(self, "learned_value_residual_mix"):
            mix = self.learned_value_residual_mix(x).sigmoid().transpose(1, 2)[..., None]  # (B, H, N, 1)
            value = value.lerp(values, mix)
        null = self.null_kv[:, None, :, None].expand(-1, len(x), -1, -1, -1)  # (2, B, H, 1, d)
        key, value = (torch.cat(pair, dim=2) for pair in zip((key, value), null, strict=True))
        if rotary is not None:
            query, key = turned(query, rotary[:, :-1]), turned(key, rotary)
        run = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention_forward)
        scale = self.config.head_dim**-0.5
        mixed, weights = run(self, query, key, value, mask, scaling=scale, dropout=0.0, is_causal=False, **options)
        return self.to_out(mixed.flatten(2)), None if weights is None else weights[..., :-1], own


def eager_attention_forward(module, query, key, value, attention_mask, scaling, **_) -> tuple[Tensor, Tensor]:
    """Attention as the package computes it: output (B, N, H, d) and weights (B, H, N, N + 1)."""
    scores = (query @ key.transpose(-1, -2) * scaling).masked_fill(~attention_mask, -torch.finfo(query.dtype).max)
    weights = scores.softmax(-1)
    return (weights @ value).transpose(1, 2), weights


def feed_forward(config: PackageConfig) -> nn.Sequential:
    """Norm, up, gate, (the package's dropout) and down."""
    width, inner = config.hidden_size, config.intermediate_size
    up, down = nn.Linear(width, 2 * inner, bias=False), nn.Linear(inner, width, bias=False)
    return nn.Sequential(nn.RMSNorm(width), up, Gate(), nn.Identity(), down)


class Gate(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x, gate = x.chunk(2, dim=-1)
        return x * F.gelu(gate)


class Rotary(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.register_buffer("inv_freq", 1.0 / 32768 ** (torch.arange(0, dim, 2).float() / dim))

    def forward(self, places: Tensor) -> Tensor:
        """Angles (B, N + 1, d) of the keys, the null key's last; memory is at 0 and does not turn."""
        turns = torch.where(places == MEMORY, 0, places + FIRST)
        turns = torch.cat([turns, turns.new_full((len(turns), 1), FIRST - 1)], dim=1)
        angles = turns[..., None] * self.inv_freq
        return torch.cat([angles, angles], dim=-1)


def turned(x: Tensor, angles: Tensor) -> Tensor:
    """x (B, H, N, d) turned by angles (B, N, d)."""
    first, second = x.chunk(2, dim=-1)
    angles = angles[:, None]
    return x * angles.cos() + torch.cat([-second, first], dim=-1) * angles.sin()


def visible(places: Tensor, mask: Tensor | None) -> Tensor:
    """(B, 1, N, N + 1), true where a query may see a key: read memory sees itself, tokens read memory and the tokens
    up to them, write memory everything, and all of them the null key, which is last.
    """
    n = places.shape[1]
    order, memory = torch.arange(n, device=places.device), places == MEMORY
    started = (~memory).cumsum(1) > 0
    read, write = memory & ~started, memory & started
    earlier = order[:, None] >= order  # of which write memory, that stands last, is no part to a token
    seen = torch.where(read[:, :, None], read[:, None, :], earlier) | write[:, :, None]  # (B, N, N)
    if mask is not None:
        seen = seen & (mask[:, None, :] if mask.dim() == 2 else mask[:, 0, -1:]).bool()
    return F.pad(seen, (0, 1), value=True)[:, None]


AutoConfig.register(FAMILY, PackageConfig)
AutoModelForCausalLM.register(PackageConfig, PackageForCausalLM)
