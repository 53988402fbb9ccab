"""A training step captured as a CUDA graph, once for inputs of each shape, and then replayed.

A step on a small model is thousands of small kernels, and launching them takes the CPU longer than running them takes
the GPU. All tensors of a graph keep their addresses: inputs are copied into fixed buffers, gradients and the
optimizer's numbers are changed in place, and the learning rate is a tensor.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from rmt.memory.base import State, map_state

WARM_UP = 3  # calls before a capture, in which kernels are chosen

Run = Callable[..., State]  # tensors, or tuples of them, in and out
Capture = Callable[[Run, State], tuple[Callable[[], None], State]]


def cuda_graph(run: Run, places: State) -> tuple[Callable[[], None], State]:
    """Capture run(*places) as a CUDA graph: (function that launches it, tensors of its results)."""
    torch.cuda.synchronize()
    side, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            run(*places)
    torch.cuda.current_stream().wait_stream(side)
    with torch.cuda.graph(graph):
        results = run(*places)
    return graph.replay, results


class CapturedStep:
    """A training step with the arguments and results of `run`, captured.

    run: trains on its inputs: backward pass, the optimizer's step, and gradients set to zero, not to None.
    capture: the function that captures it.
    """

    def __init__(self, run: Run, model: nn.Module, optimizer: Optimizer, capture: Capture = cuda_graph):
        self.run, self.model, self.optimizer, self.capture = run, model, optimizer, capture
        self.captured: dict = {}  # shapes of the inputs -> launch, buffers of the inputs, tensors of the results

    def __call__(self, *inputs: State) -> State:
        shapes = repr(map_state(lambda tensor: tuple(tensor.shape), inputs))
        if shapes not in self.captured:
            self.captured[shapes] = self._capture(inputs)
        launch, places, results = self.captured[shapes]
        map_state(Tensor.copy_, places, inputs)
        launch()
        return map_state(Tensor.clone, results)

    def _capture(self, inputs: State) -> tuple[Callable[[], None], State, State]:
        """Capture the step: (function that launches it, buffers of its inputs, tensors of its results)."""
        places = map_state(Tensor.clone, inputs)
        for parameter in self.model.parameters():  # never replaced: graphs captured before write to the same tensors
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.zero_()
        with unchanged(self.model, self.optimizer):
            launch, results = self.capture(self.run, places)
        return launch, places, results


@contextmanager
def unchanged(model: nn.Module, optimizer: Optimizer) -> Iterator[None]:
    """Context that restores the weights and the optimizer's numbers, in place, at its end."""
    weights = [parameter.detach().clone() for parameter in model.parameters()]
    before = {p: {name: number.clone() for name, number in has.items()} for p, has in optimizer.state.items()}
    try:
        yield
    finally:
        for parameter, weight in zip(model.parameters(), weights, strict=True):
            parameter.data.copy_(weight)
        for parameter, has in optimizer.state.items():
            for name, number in has.items():
                saved = before.get(parameter, {}).get(name)
                number.zero_() if saved is None else number.copy_(saved)
