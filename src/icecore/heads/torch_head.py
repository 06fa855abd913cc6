"""The user's own torch layers as a head."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Self

from torch import nn

from icecore.errors import HeadError
from icecore.heads import factories
from icecore.heads.chain import ChainHead
from icecore.heads.layers import FactoryLayers, TorchStep
from icecore.heads.torch_training import fitted_steps
from icecore.heads.trained import weights

if TYPE_CHECKING:
    import numpy as np

    from icecore.heads.protocol import Arrays, Config
    from icecore.heads.steps import Step
    from icecore.heads.weighting import ClassWeight

Source = Callable[[int, int], nn.Module]  # (n_features, n_classes) -> layers


class TorchHead(ChainHead):
    """Layers that turn d features into a logit for each class, trained like `mlp`, on standardised features.

    Every fit starts from the layers as they were given, which stay as they are. `fit` raises HeadError where they do
    not fit the features or the classes; `state` where they cannot be written down without pickle.

    Args:
        layers: a `torch.nn.Module`, the text `module:factory`, or a function (n_features, n_classes) that builds one.
        class_weight: `balanced` to weigh each class's loss by the inverse of its frequency.
        seed: of the weights that a factory or a lazy layer draws, the batches, the dropout and the rows held out.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.normal(size=(30, 4)).astype("float32"), np.repeat([0, 1, 2], 10)
        >>> TorchHead(nn.Linear(4, 3)).fit(X, y, n_classes=3).predict_proba(X).shape
        (30, 3)
    """

    name = "torch"

    def __init__(
        self, layers: nn.Module | str | Source | None, *, class_weight: ClassWeight = None, seed: int = 0
    ) -> None:
        super().__init__(class_weight=class_weight, seed=seed)
        self.layers = layers

    def description(self) -> Config:
        """See `ChainHead.description`."""
        return super().description() | {"factory": self.layers if isinstance(self.layers, str) else None}

    def load_state(self, config: Config, arrays: Arrays) -> Self:
        """See `Head.load_state`. Fitting again builds the layers anew."""
        super().load_state(config, arrays)
        saved = next((step for step in self.steps_ if isinstance(step, TorchStep)), None)
        if self.layers is None and saved is not None:
            self.layers = lambda _features, _classes: saved.built()
        return self

    def _chain(self, X: np.ndarray, y: np.ndarray, n_classes: int) -> list[Step]:
        """All classes have a logit, whether they are there or not: the layers say how many there are."""
        width = X.shape[1]
        scale, trained, softmax = fitted_steps(
            lambda: self._built(width, n_classes), X, y, n_classes, class_weight=self.class_weight, seed=self.seed
        )
        if isinstance(self.layers, str):
            return [scale, FactoryLayers(weights(trained.module), self.layers, width, n_classes), softmax]
        return [scale, trained, softmax]

    def _built(self, n_features: int, n_classes: int) -> nn.Module:
        if isinstance(self.layers, str):
            return factories.call(self.layers, n_features, n_classes)
        if isinstance(self.layers, nn.Module):
            return copy.deepcopy(self.layers)
        if self.layers is None:
            raise HeadError("This head has no layers.", do="Restore it from its state, or give it layers.")
        return self.layers(n_features, n_classes)
