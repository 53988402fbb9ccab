"""The loop over segments."""

from collections.abc import Callable, Iterator, Sequence

from rmt.backbone import Backbone
from rmt.errors import InputError
from rmt.memory.base import MemoryCell, State, Step, detach
from rmt.text.segments import Segment


def unroll(
    cell: MemoryCell,
    backbone: Backbone,
    segments: Sequence[Segment],
    *,
    state: State | None = None,
    bptt_unroll: int | None = None,
    before: Callable[[int, State], State] | None = None,
) -> Iterator[tuple[Segment, Step, State]]:
    """Read segments in order, carrying only the state; yield (segment, step, state after it).

    state: the state before the first segment, by default the cell's initial one.
    bptt_unroll: segments per gradient window, counted from the end, so that the last segment's gradient crosses
        bptt_unroll - 1 boundaries; None is full back-propagation through time.
    before: (index, state) -> state, applied before each segment is read, for interventions.
    """
    if bptt_unroll is not None and bptt_unroll < 1:
        raise InputError(f"bptt_unroll counts segments and is 1 or more, not {bptt_unroll}.")
    if state is None:
        state = cell.initial(len(segments[0].ids))
    for i, segment in enumerate(segments):
        if bptt_unroll and i and (len(segments) - i) % bptt_unroll == 0:
            state = detach(state)
        if before is not None:
            state = before(i, state)
        step, state = cell.step(backbone, segment, state)
        yield segment, step, state
