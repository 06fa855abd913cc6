"""Multi-layer perceptron: any stack of dense layers, written as `mlp:256,relu,dropout0.3`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from icecore.heads import specs, stacks
from icecore.heads.chain import ChainHead
from icecore.heads.mlp_numbers import MlpRegressor

if TYPE_CHECKING:
    import numpy as np

    from icecore.heads.protocol import Config
    from icecore.heads.steps import Step
    from icecore.heads.weighting import ClassWeight


class MlpHead(ChainHead):
    """Dense layers on standardised features, trained by AdamW until the loss on held-out rows is lowest.

    Args:
        options: a word a layer: widths, `relu gelu tanh silu`, `batchnorm layernorm`, `dropout0.3`. The last layer, to
            the classes, is added. Empty is `dropout0.3,256,relu,dropout0.5`.
        penalty: there is none to choose; only None is right.
        class_weight: `balanced` to weigh each class's loss by the inverse of its frequency.
        seed: of the first weights, the batches, the dropout and the rows held out.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.normal(size=(30, 4)).astype("float32"), np.repeat([0, 1, 2], 10)
        >>> MlpHead("8,gelu,8").fit(X, y, n_classes=3).predict_proba(X).shape
        (30, 3)
    """

    name = "mlp"
    regressor = MlpRegressor
    penalties = (None,)

    def __init__(
        self, options: str = "", *, penalty: float | None = None, class_weight: ClassWeight = None, seed: int = 0
    ) -> None:
        super().__init__(class_weight=class_weight, seed=seed)
        self.options, self.stack = options, stacks.words(self.name, options or stacks.DEFAULT)
        specs.refuse_penalty(self.name, penalty)

    def description(self) -> Config:
        """See `ChainHead.description`."""
        return super().description() | {"options": self.options, "penalty": None}

    def _learn(self, X: np.ndarray, codes: np.ndarray, k: int) -> list[Step]:
        from icecore.heads.describing import build
        from icecore.heads.torch_training import fitted_steps

        layers = stacks.describe(self.stack, X.shape[1], k)
        return list(fitted_steps(lambda: build(layers), X, codes, k, class_weight=self.class_weight, seed=self.seed))
