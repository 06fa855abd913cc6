"""Dense layers, and the user's own, that predict a number."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from icecore.errors import HeadError
from icecore.heads import specs, stacks
from icecore.heads.numbers import ChainRegressor

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from icecore.heads.protocol import Config
    from icecore.heads.steps import Step
    from icecore.heads.torch_head import Source


class MlpRegressor(ChainRegressor):
    """Dense layers on standardised features, trained by AdamW until the squared error on held-out rows is least.

    Args:
        options: a word a layer, as for the head `mlp` of classes.
        penalty: there is none to choose; only None is right.
        seed: of the first weights, the batches, the dropout and the rows held out.

    Example:
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
        >>> MlpRegressor("16,gelu").fit(X, X[:, 0]).predict(X).shape
        (64,)
    """

    name = "mlp"
    penalties = (None,)

    def __init__(self, options: str = "", *, penalty: float | None = None, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.options, self.stack = options, stacks.words(self.name, options or stacks.DEFAULT)
        specs.refuse_penalty(self.name, penalty)

    def description(self) -> Config:
        """See `ChainRegressor.description`."""
        return super().description() | {"options": self.options, "penalty": None}

    def _learn(self, X: np.ndarray, y: np.ndarray) -> list[Step]:
        from icecore.heads.describing import build
        from icecore.heads.torch_training import fitted_numbers

        layers = stacks.describe(self.stack, X.shape[1], 1)
        return list(fitted_numbers(lambda: build(layers), X, y, seed=self.seed))


class TorchRegressor(ChainRegressor):
    """The user's own layers, from d features to one value, trained like `mlp` on numbers of mean zero and spread one.

    Args:
        layers: a `torch.nn.Module`, the text `module:factory`, or a function (n_features, 1) that builds one.
        seed: of the weights that a factory or a lazy layer draws, the batches, the dropout and the rows held out.
    """

    name = "torch"

    def __init__(self, layers: nn.Module | str | Source | None, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.layers = layers

    def description(self) -> Config:
        """See `ChainRegressor.description`."""
        return super().description() | {"factory": self.layers if isinstance(self.layers, str) else None}

    def _learn(self, X: np.ndarray, y: np.ndarray) -> list[Step]:
        from icecore.heads.layers import FactoryLayers
        from icecore.heads.torch_training import fitted_numbers
        from icecore.heads.trained import weights

        width = X.shape[1]
        scale, trained = fitted_numbers(lambda: self._built(width), X, y, seed=self.seed)
        if isinstance(self.layers, str):
            return [scale, FactoryLayers(weights(trained.module), self.layers, width, 1)]
        return [scale, trained]

    def _built(self, n_features: int) -> nn.Module:
        from torch import nn

        from icecore.heads import factories

        if isinstance(self.layers, str):
            return factories.call(self.layers, n_features, 1)
        if isinstance(self.layers, nn.Module):
            return copy.deepcopy(self.layers)
        if self.layers is None:
            raise HeadError("This head was restored from its state and can only predict.", do="Give its layers again.")
        return self.layers(n_features, 1)
