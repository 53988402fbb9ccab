"""A training step captured once for inputs of each shape as a CUDA graph, and replayed for all that follow.

A step on a small model is thousands of small kernels, and launching them takes a CPU longer than running them takes a
GPU. What a graph touches has a place that stays put: inputs are copied into theirs, gradients and the optimizer's
numbers stay where they are, and the learning rate is a tensor.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from rmt.memory.base import State, map_state

WARM_UP = 3  # calls before a capture: kernels are chosen in them

Run = Callable[..., State]  # tensors, or tuples of them, in and out
Capture = Callable[[Run, State], tuple[Callable[[], None], State]]


def cuda_graph(run: Run, places: State) -> tuple[Callable[[], None], State]:
    """Capture run(*places): what launches it, and where its results will be."""
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
    """A training step that is called like `run` and gives what `run` gives, without gradients.

    run: trains on its inputs: gradients, the optimizer's step, and gradients set to zero, not to None.
    capture: what captures it.
    """

    def __init__(self, run: Run, model: nn.Module, optimizer: Optimizer, capture: Capture = cuda_graph):
        self.run, self.model, self.optimizer, self.capture = run, model, optimizer, capture
        self.captured: dict = {}  # shapes of the inputs -> launch, places of the inputs, places of the results

    def __call__(self, *inputs: State) -> State:
        shapes = repr(map_state(lambda tensor: tuple(tensor.shape), inputs))
        if shapes not in self.captured:
            self.captured[shapes] = self._capture(inputs)
        launch, places, results = self.captured[shapes]
        map_state(Tensor.copy_, places, inputs)
        launch()
        return map_state(Tensor.clone, results)

    def _capture(self, inputs: State) -> tuple[Callable[[], None], State, State]:
        """What launches the step, and the places of its inputs and of its results."""
        places = map_state(Tensor.clone, inputs)
        for parameter in self.model.parameters():  # these stay: graphs captured before go on writing to them
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.zero_()
        with unchanged(self.model, self.optimizer):
            launch, results = self.capture(self.run, places)
        return launch, places, results


@contextmanager
def unchanged(model: nn.Module, optimizer: Optimizer) -> Iterator[None]:
    """What is trained inside this context leaves the weights and the optimizer's numbers as they were, in place."""
    weights = [parameter.detach().clone() for parameter in model.parameters()]
    before = {p: {name: number.clone() for name, number in has.items()} for p, has in optimizer.state.items()}
    try:
        yield
    finally:
        for parameter, weight in zip(model.parameters(), weights, strict=True):
            parameter.data.copy_(weight)
        for parameter, has in optimizer.state.items():
            for name, number in has.items():
                kept = before.get(parameter, {}).get(name)
                number.zero_() if kept is None else number.copy_(kept)
