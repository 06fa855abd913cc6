"""Training: the part of a network above a cut, from stored boundaries.

What is below the cut is a pure function, so it is read from the store and not run again: an epoch costs what the suffix
costs. Training starts from the fitted head (linear probing, then fine-tuning: Kumar et al. 2022), and its outcome is
adopted only where it beats the frozen model on rows that neither has seen.
"""

from icecore.training.settings import TrainingSettings

__all__ = ["TrainingSettings"]
