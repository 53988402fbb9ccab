"""The adapter to transformers: a stock model as embed -> trunk -> head.

One class and the functions that read a model's structure, so it is over 300 lines. Letters in shape comments as in
`rmt.backbone.protocol`.
"""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from inspect import signature
from threading import get_ident

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rmt.backbone import attention
from rmt.backbone.families import RECURRENT_NETS
from rmt.backbone.internals import ModelOutput, TrunkOutput, encoder_family
from rmt.backbone.mixing import mixing
from rmt.backbone.package_decoder import FAMILY, MEMORY
from rmt.backbone.protocol import Layout, Output, answering
from rmt.errors import InputError


class HFBackbone(nn.Module):
    """A stock transformers model as a Backbone: causal or masked language model, sequence classifier, or trunk alone.

    head: "lm", "mlm", "classify" or "none", in that order. Attention goes through `rmt.backbone.attention` (`fused`)
    where transformers supports that; other families run their own eager attention. Only the model's choice of attention
    is changed. Raises InputError for a model of another kind.
    """

    def __init__(self, model: nn.Module, *, cls_id: int | None = None, sep_id: int | None = None, eager: bool = False):
        super().__init__()
        config = model.config
        self.model = model
        self.n_layers = _count(config, "num_hidden_layers")
        self.recurrent = config.model_type in RECURRENT_NETS  # then there are no attention maps of every layer
        self.n_heads = 0 if self.recurrent else _count(config, "num_attention_heads")
        self.dim = _embeddings(model).embedding_dim
        self.width = getattr(config, "hidden_size", self.dim)  # of hidden states; ELECTRA's embeddings may be narrower
        self.causal = not _is_encoder(model)
        self.head = _head_kind(model)
        self.cls_id, self.sep_id = cls_id, sep_id
        self.masks_all = config.model_type == FAMILY
        self.n_positions = config.longest_input if self.masks_all else _n_positions(model)
        self.takes_positions = "position_ids" in signature(self.trunk.forward).parameters  # BLOOM has no positions
        self.fused = False
        if self.recurrent and hasattr(config, "rescale_every"):
            config.rescale_every = 0  # RWKV would divide its weights in place
        if (
            eager
            or self.recurrent
            or not model._can_set_attn_implementation()
            or getattr(config, "attn_logit_softcapping", None)
        ):
            self.run_eagerly()
        else:
            self.run_fused()

    def run_fused(self) -> None:
        """Switch attention to `rmt.backbone.attention`."""
        self.fused = True
        self.model.set_attn_implementation(attention.NAME)

    def run_eagerly(self) -> None:
        """Switch attention to the family's own eager one: slower, but exact for a softmax the fused kernel lacks."""
        self.fused = False
        if self.model._can_set_attn_implementation():
            self.model.set_attn_implementation("eager")
        self.model.config._attn_implementation = "eager"

    @property
    def trunk(self) -> nn.Module:
        return getattr(self.model, _trunk_name(self.model)) if _trunk_name(self.model) else self.model

    @property
    def embeddings(self) -> Tensor:
        """The table of word embeddings (V, D)."""
        return self.model.get_input_embeddings().weight

    @property
    def activation(self) -> str:
        """The name of its layers' activation function."""
        config = self.model.config
        return getattr(config, "activation_function", None) or getattr(config, "hidden_act", "gelu_new")

    def embed(self, ids: Tensor) -> Tensor:
        return self.model.get_input_embeddings()(ids)

    def unembed(self, rows: Tensor) -> Tensor:
        """A language model's logits (M, V) at rows (M, D) that come after the final norm."""
        return self._read(TrunkOutput(last_hidden_state=rows[None]))[0]

    def turned_back(self, query: Tensor, key: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys (B, H, N, d) at positions (N,) without rotary positions, where the family has those."""
        rotary = getattr(self.trunk, "rotary_emb", None)
        if rotary is None:
            return query, key
        cos, sin = rotary(query, positions[None])
        return sys.modules[type(self.trunk).__module__].apply_rotary_pos_emb(query, key, cos, -sin)

    @property
    def layers(self) -> nn.ModuleList:
        """The trunk's layers, first to last."""
        lists = (m for m in self.trunk.modules() if isinstance(m, nn.ModuleList) and len(m) == self.n_layers)
        layers = next(lists, None)
        if layers is None:
            raise InputError(
                f"{type(self.model).__name__} does not keep its {self.n_layers} layers one by one (they may share "
                "their weights), and this memory works inside layers; use recurrent memory, or another family."
            )
        return layers

    @contextmanager
    def around_layers(
        self,
        before: Callable[[int, Tensor], Tensor],
        after: Callable[[int, Tensor], None] | None = None,
        *,
        first: int = 0,
    ) -> Iterator:
        """Context that hooks every layer: before(layer, input) -> input, and after(layer, output).

        Both get (B, N, D). The hooks act on this thread's calls alone and are removed at the end.
        first: positions before it are only there to be attended to; the feed-forward part (`mlp`, in most families)
        skips them. Raises InputError where layers checkpoint gradients: they would run again later, without the hooks.
        """
        checkpointed = [
            layer for layer in self.layers if layer.training and getattr(layer, "gradient_checkpointing", False)
        ]
        if checkpointed and torch.is_grad_enabled():
            raise InputError("This memory works inside layers, so gradient checkpointing cannot repeat them; omit it.")
        thread = get_ident()

        def enter(i: int, args: tuple, kwargs: dict):
            if get_ident() != thread:
                return args, kwargs
            if args:
                return (before(i, args[0]), *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": before(i, kwargs["hidden_states"])}

        def leave(i: int, output) -> None:
            if get_ident() == thread:
                after(i, output if isinstance(output, Tensor) else output[0])

        def shorten(_, args: tuple):
            return (args[0][:, first:].contiguous(),) if get_ident() == thread else args

        def pad(_, args: tuple, output):
            return F.pad(output, (0, 0, first, 0)) if get_ident() == thread else output

        hooks = []
        try:
            for i, layer in enumerate(self.layers):
                hooks.append(layer.register_forward_pre_hook(lambda _, a, k, i=i: enter(i, a, k), with_kwargs=True))
                if after is not None:
                    hooks.append(layer.register_forward_hook(lambda _m, _a, output, i=i: leave(i, output)))
                part = getattr(layer, "mlp", None)
                if first and type(part).__name__.endswith("MLP") and len(signature(part.forward).parameters) == 1:
                    hooks += [part.register_forward_pre_hook(shorten), part.register_forward_hook(pad)]
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def forward(
        self,
        x: Tensor,
        *,
        layout: Layout,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        window: int | None = None,
        capture=None,
        blocked=None,
        mix=None,
    ) -> Output:
        """Run the trunk over augmented embeddings x (B, N, D).

        mask: (B, N), true where a position may be seen; None for all positions, which is faster.
        positions: (N,) or (B, N) position indices of a decoder's input, by default in order.
        window: how many positions a decoder's query sees, itself included; by default all before it.
        capture: called once a layer with its attention, see `rmt.backbone.attention`; `Recorder` passes one.
        blocked: the pairs that each layer must not see, see there; only where `fused`.
        mix: a cell's function in place of softmax attention, see `rmt.backbone.mixing`; only where `fused`.
        """
        B, N, _ = x.shape  # noqa: N806
        kwargs = {}
        if window is not None and not (self.fused and self.causal):
            raise InputError(f"{type(self.model).__name__} cannot be read through a window; use gpt2 or llama.")
        if window is not None and mask is None:
            mask = torch.ones(B, N, dtype=torch.bool, device=x.device)
        if mask is not None:  # a family outside the registry makes its own mask, and BLOOM its positions, from (B, N)
            kwargs["attention_mask"] = self._widen(mask.bool(), N, window) if self.fused else mask.long()
        if self.causal:
            kwargs["use_cache"] = False
            if self.takes_positions:
                kwargs["position_ids"] = (
                    self._positions(x, mask, layout) if positions is None else positions.expand(B, N)
                )
        hooks = nullcontext()
        if (mix is not None or blocked is not None) and not self.fused:
            kind = type(self.model).__name__
            raise InputError(f"{kind} runs its own attention, inside which this memory works; use gpt2 or llama.")
        if blocked is not None:
            kwargs["blocked"] = blocked
        if capture is not None and self.fused:
            kwargs["capture"] = capture
        elif capture is not None:
            kwargs["output_attentions"] = True
            hooks = attention.watched(self.trunk, capture)
        with hooks, mixing(mix), attention.running(capture if self.fused else None, blocked):
            output = self.trunk(inputs_embeds=x, **kwargs)
        hidden = output.last_hidden_state  # (B, N, D)
        if self.head == "classify":
            return Output(hidden, hidden, lambda _: self._classify(output, layout, mask))
        return Output(hidden, hidden[:, layout.tokens], lambda rows: self._read(type(output)(last_hidden_state=rows)))

    def _positions(self, x: Tensor, mask: Tensor | None, layout: Layout) -> Tensor:
        """Positions (B, N) in order; for OPT counted over what is not padding, as OPT itself does. In the decoder of
        `rmt.backbone.package_decoder` only tokens have positions."""
        if self.masks_all:
            start, length = layout.tokens.start, layout.tokens.stop - layout.tokens.start
            order = torch.arange(x.shape[1], device=x.device) - start
            return torch.where((order < 0) | (order >= length), MEMORY, order).expand(x.shape[:2])
        if mask is not None and self.model.config.model_type == "opt":
            return mask.long().cumsum(1) * mask.long() - 1
        return torch.arange(x.shape[1], device=x.device).expand(x.shape[:2])

    def _widen(self, mask: Tensor, n: int, window: int | None = None) -> Tensor:
        """Widen a mask (B, N) to (B, 1, N, N), true where a query may see a key.

        A query that may see nothing sees itself, since its softmax would be empty.
        """
        allowed = mask[:, None, None, :].expand(-1, 1, n, n)
        if self.causal:
            allowed = allowed & torch.ones(n, n, dtype=torch.bool, device=mask.device).tril()
        if window is not None:
            allowed = allowed.triu(1 - window)
        return allowed | (torch.eye(n, dtype=torch.bool, device=mask.device) & ~allowed.any(-1, keepdim=True))

    def _classify(self, output: ModelOutput, layout: Layout, mask: Tensor | None) -> Tensor:
        """Logits (B, C): an encoder's own head reads position 0 or a mean, a decoder's the answering position."""
        if not self.causal:
            return self._read(output, attention_mask=mask)
        rows = output.last_hidden_state  # (B, N, D)
        last = answering(layout, mask)
        each = torch.arange(len(rows), device=rows.device) if isinstance(last, Tensor) else slice(None)
        rows = rows[each, last]
        if hasattr(self.model, "score"):
            return self.model.score(rows)
        return torch.cat([self._read(type(output)(last_hidden_state=row[None, None])) for row in rows])

    def answers(self, hidden: Tensor, places: Tensor) -> Tensor:
        """Logits (B, Q, C) of a classifying decoder at each of the positions places (B, Q) of hidden (B, N, D)."""
        rows = hidden.gather(1, places[..., None].expand(-1, -1, hidden.shape[-1]))  # (B, Q, D)
        return self.model.score(rows)

    def _read(self, output: ModelOutput, **kwargs) -> Tensor:
        """Run the model's own head on a trunk output: its logits.

        This is the forward of a shallow copy whose trunk is a stand-in that returns the output.
        """
        if self.head == "none":
            raise InputError(f"{type(self.model).__name__} is a trunk without a head, so it has no logits; give one.")
        model = copy(self.model)
        model._modules = {**self.model._modules, _trunk_name(self.model): _Ran(output)}
        return model(inputs_embeds=output.last_hidden_state, **kwargs).logits


class _Ran(nn.Module):
    """A stand-in for a trunk that returns a given output."""

    def __init__(self, output: ModelOutput):
        super().__init__()
        self.output = output

    @property
    def decoder(self) -> nn.Module:  # OPT's head calls its trunk by this name
        return self

    def forward(self, *_, **__) -> ModelOutput:
        return self.output


def _count(config, name: str) -> int:
    """Read a size from a configuration; of a list with a number a layer, the greatest. Raises InputError for none."""
    value = getattr(config, name, None)
    value = max(value, default=None) if isinstance(value, list | tuple) else value
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(
            f"The configuration of this {config.model_type} has no {name}: it has no attention of the kind that is "
            "shown here, so it is not run."
        )
    return value


def _embeddings(model: nn.Module) -> nn.Module:
    """The module of word embeddings. Raises InputError where there is none."""
    try:
        embeddings = model.get_input_embeddings()
    except (NotImplementedError, AttributeError):
        embeddings = None
    if not isinstance(getattr(embeddings, "embedding_dim", None), int):
        raise InputError(
            f"{type(model).__name__} has no table of word embeddings that a memory could stand beside, so it is not "
            "run."
        )
    return embeddings


POSITION_TABLE = re.compile(r"^(wpe|pos(ition)?s?_embed(ding)?s?|embed_positions|pos_encoding|position_embedding)$")


def _n_positions(model: nn.Module) -> int | None:
    """The number of positions in the model's position table; None where positions are rotary or relative.

    Not all rows of a table are positions: OPT skips the first two, RoBERTa all up to that of padding.
    """
    sizes = []
    for name, module in model.named_modules():
        parent, _, leaf = name.rpartition(".")
        if isinstance(module, nn.Embedding) and POSITION_TABLE.match(leaf):
            first = getattr(module, "offset", 0)
            if not first and any(
                n.startswith("create_position_ids_from_inp") for n in dir(model.get_submodule(parent))
            ):
                first = (module.padding_idx if module.padding_idx is not None else model.config.pad_token_id) + 1
            sizes.append(module.num_embeddings - first)
    for name, buffer in model.named_buffers():
        if POSITION_TABLE.match(name.rpartition(".")[2]) and buffer.dim() == 2:
            sizes.append(len(buffer))
    return min(sizes, default=None)


def _trunk_name(model: nn.Module) -> str:
    """The name of the attribute with a model's trunk, empty where the model is a trunk itself.

    Llama 4's base_model_prefix is not that name.
    """
    if isinstance(getattr(model, model.base_model_prefix, None), nn.Module):
        return model.base_model_prefix
    return "model" if hasattr(model, "lm_head") and isinstance(getattr(model, "model", None), nn.Module) else ""


def _is_encoder(model: nn.Module) -> bool:
    """Whether tokens see what comes after them: families of masked language models, unless made decoders."""
    config = model.config
    return encoder_family(config.model_type) and not getattr(config, "is_decoder", False)


def _head_kind(model: nn.Module) -> str:
    """The kind of head of a model: "lm", "mlm", "classify" or "none". Raises InputError for another kind."""
    if not getattr(model.config, "is_encoder_decoder", False):
        if not _trunk_name(model):
            return "none"
        if type(model).__name__.endswith("ForSequenceClassification"):
            return "classify"
        if model.get_output_embeddings() is not None:
            return "mlm" if _is_encoder(model) else "lm"
    raise InputError(
        f"{type(model).__name__} has no head this program can read; use a causal language model "
        "or a sequence classifier (…ForCausalLM, …ForSequenceClassification)."
    )
