"""Work shared by several processes: the number of this process, its share, and the results of all gathered.

`torchrun` and `accelerate launch` start the processes, on one machine or on many. Every process draws all random
numbers of the whole work, so that they are the same as for one process, and reads its share.
"""

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

import torch

Item = TypeVar("Item")


def this_process() -> tuple[int, int, torch.device | None]:
    """The number of this process, the number of processes, and this process's device where there are several."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return 0, 1, None
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(days=7))  # one may be slower than another
    return state.process_index, state.num_processes, state.device


def my_share(items: Sequence[Item]) -> list[Item]:
    """This process's share of the items: every n-th, where there are n processes."""
    process, processes, _ = this_process()
    return list(items[process::processes])


def together(results: list[Item]) -> list[Item]:
    """Gather the results of all processes, one an item, in the order of the items."""
    process, processes, _ = this_process()
    if processes == 1:
        return results
    from accelerate.utils import gather_object

    numbered = gather_object([(process + i * processes, result) for i, result in enumerate(results)])
    return [result for _, result in sorted(numbered, key=lambda pair: pair[0])]
