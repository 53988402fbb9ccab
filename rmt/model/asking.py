"""Ask a model a question with a state of a run, beside the run: neither is changed."""

from torch import Tensor

from rmt.memory.base import State
from rmt.model.model import Model

ROWS = 64  # rows of states asked in one batch


def ask_state(model: Model, state: State, question: Tensor) -> Tensor:
    """Answer probabilities (B, C) if question (B, Tq) came after a state of B rows, which is left as it is."""
    return model.shares(model(question, state=state).logits)


def states_at_once(model: Model, n_rows: int = 1) -> int:
    """How many states of so many rows are asked in one batch: one where states of different moments do not stack."""
    return 1 if model.cell.past else max(1, ROWS // n_rows)
