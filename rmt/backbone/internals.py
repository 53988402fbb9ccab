"""All imports from transformers' internals, which a new release may move; public classes are imported elsewhere."""

from dataclasses import dataclass

from torch import Tensor
from transformers.activations import ACT2FN
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightRenaming
from transformers.modeling_outputs import (
    BaseModelOutput,
    BaseModelOutputWithPastAndCrossAttentions,
    BaseModelOutputWithPoolingAndCrossAttentions,
    CausalLMOutput,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.auto.auto_factory import _get_model_class as class_of_config
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES
from transformers.pytorch_utils import Conv1D
from transformers.utils import ModelOutput


@dataclass
class TrunkOutput(BaseModelOutputWithPastAndCrossAttentions):
    """A trunk's output with every name that a head of some family reads from it."""

    cache_params: object = None
    state: list[Tensor] | None = None


__all__ = [
    "ACT2FN",
    "ALL_ATTENTION_FUNCTIONS",
    "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "BaseModelOutput",
    "BaseModelOutputWithPastAndCrossAttentions",
    "BaseModelOutputWithPoolingAndCrossAttentions",
    "CausalLMOutput",
    "Conv1D",
    "ModelOutput",
    "TrunkOutput",
    "WeightRenaming",
    "class_of_config",
    "encoder_family",
    "get_model_conversion_mapping",
]


def encoder_family(model_type: str | None) -> bool:
    """Whether a family has masked language models in transformers, so that its tokens see what comes after them."""
    return model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES
