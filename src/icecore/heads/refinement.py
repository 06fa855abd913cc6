"""Which epoch to keep: the one whose held-out loss is lowest once its temperature is right.

A network goes on learning which class is right long after its plain loss has begun to rise from too much confidence.
Confidence is calibrated by one number afterwards, so stopping looks at the loss with that number in place (Berta et al.
2025, "Rethinking early stopping: refine, then calibrate"). On TrashNet this took an MLP from 0.81 to 0.83.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from icecore.heads.steps import Softmax
from icecore.heads.temperature import temperature

Judge = Callable[[np.ndarray], tuple[float, float]]  # outputs of the held-out rows -> their loss, and a temperature


class Best:
    """The best weights so far, judged on held-out rows (m, d); without such rows the last weights are kept."""

    def __init__(self, module: nn.Module, rows: np.ndarray, judge: Judge) -> None:
        self.module, self.rows, self.judge = module, torch.from_numpy(rows), judge
        self.loss, self.temperature, self._age = float("inf"), 1.0, 0
        self.state: dict[str, torch.Tensor] | None = None

    def age(self) -> int:
        """Look at the module as it is now; how many looks ago it was best."""
        self._age += 1
        if len(self.rows):
            self._look()
            return self._age
        return 0

    def restore(self) -> float:
        """Give the module its best weights, for evaluation, and return their temperature."""
        if self.state is not None:
            self.module.load_state_dict(self.state)
        self.module.eval()
        return self.temperature

    def _look(self) -> None:
        self.module.eval()
        with torch.inference_mode():
            outputs = self.module(self.rows).double().numpy()
        loss, warmth = self.judge(outputs)
        if loss < self.loss:
            self.loss, self.temperature, self._age = loss, warmth, 0
            self.state = copy.deepcopy(self.module.state_dict())


def of_classes(codes: np.ndarray, weights: np.ndarray) -> Judge:
    """Log loss of classes (m,), each weighing as said, (k,), with its temperature put right."""
    row_weights = weights[codes].astype(np.float64)

    def judge(logits: np.ndarray) -> tuple[float, float]:
        warmth = temperature(logits, codes)
        own = Softmax(warmth)(logits)[np.arange(len(logits)), codes]
        return float(np.average(-np.log(np.maximum(own, 1e-12)), weights=row_weights)), warmth

    return judge


def of_numbers(y: np.ndarray) -> Judge:
    """Mean squared error of numbers (m,)."""
    return lambda values: (float(np.square(values[:, 0] - y).mean()), 1.0)
