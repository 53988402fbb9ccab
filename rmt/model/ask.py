"""Ask a model a question with a state of a run, without a change of the run."""

from torch import Tensor

from rmt.memory.base import State
from rmt.model.model import Model

ROWS = 64  # rows of states asked in one batch


def ask_state(model: Model, state: State, question: Tensor) -> Tensor:
    """Answer probabilities (B, C) if the question (B, Tq) came after a state of B rows, which is not changed."""
    return model.shares(model(question, state=state).logits)


def states_at_once(model: Model, n_rows: int = 1) -> int:
    """The number of states, of n_rows each, to ask in one batch: 1 where states of different moments do not stack."""
    return 1 if model.cell.past else max(1, ROWS // n_rows)
