"""Stock recurrent nets: read only where the caller wants the state of their own in place of memory tokens."""

from rmt.errors import InputError
from rmt.memory import own_mechanism


def own_cell(family: str, own_state: bool, name: str) -> str:
    """The kind of cell around a stock model of a family: none, or a recurrent net's own (`own_state`).

    name: of the checkpoint or model, for error messages. Raises InputError for a recurrent net whose own state is not
    wanted, and for another model whose own state is.
    """
    own = own_mechanism(family)
    if own_state and not own:
        raise InputError(f"{name} is a {family}, which has no state of its own; leave out own_state.")
    if own and not own_state:
        raise InputError(
            f"{name} is a {family}, a recurrent net: not all of its layers have softmax attention, so there are no "
            "attention maps to record. What it carries from segment to segment is a state of its own; say "
            "own_state=yes to run it with that."
        )
    return own or "none"
