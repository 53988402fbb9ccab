"""Teaching a memory: the curriculum of a task, streams, and language models."""

from rmt.train.tasks import TRAINING, TrainConfig, Trainer

__all__ = ["TRAINING", "TrainConfig", "Trainer"]
