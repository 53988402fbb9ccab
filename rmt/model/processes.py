"""Several processes that share one work: which of them this is, its share, and the shares of all put together.

`torchrun` and `accelerate launch` start them, on one machine or on many. Every process makes all the random choices
of the whole work, so that these are what one process alone would choose, and reads its share.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

import torch

Item = TypeVar("Item")


def this_process() -> tuple[int, int, torch.device | None]:
    """This process's number, how many there are, and its device where it is one of several."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return 0, 1, None
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(days=7))  # one may be slower than another
    return state.process_index, state.num_processes, state.device


def my_share(items: Sequence[Item]) -> list[Item]:
    """The items that this process works on: every n-th of them, where there are n processes."""
    process, processes, _ = this_process()
    return list(items[process::processes])


def together(mine: list[Item]) -> list[Item]:
    """What all processes made of their shares, one result an item, in the order of the items."""
    process, processes, _ = this_process()
    if processes == 1:
        return mine
    from accelerate.utils import gather_object

    numbered = gather_object([(process + i * processes, result) for i, result in enumerate(mine)])
    return [result for _, result in sorted(numbered, key=lambda pair: pair[0])]
