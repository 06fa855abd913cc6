"""Make a head from a spec, and restore one from its state."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

from icecore import plugins
from icecore.errors import HeadError
from icecore.heads import specs
from icecore.heads.ensemble import Ensemble, EnsembleHead, Part
from icecore.heads.layered import LayeredHead, Over
from icecore.heads.sklearn_head import SklearnHead

if TYPE_CHECKING:
    from icecore.heads.protocol import Arrays, Config, Head
    from icecore.heads.weighting import ClassWeight


QUESTIONS = frozenset({"multilabel", "ordinal"})  # heads made of binary ones, see `questions`


def make(spec: Any, *, penalty: float | None = None, class_weight: ClassWeight = None, seed: int = 0) -> Head:
    """Make an unfitted head.

    Args:
        spec: a name (`logistic`), a name with options (`svm-rbf:C=10,gamma=0.5`, `mlp:256,relu,dropout0.3`), the user's
            own layers (`torch:module:factory` or a torch.nn.Module), a scikit-learn classifier, a head `Over` several
            layers, or an `Ensemble`.
        penalty: how simple the head has to be; larger is simpler, for every head (1 / C for logistic, svm and svm-rbf,
            alpha for ridge, k for knn, the shrinkage for lda). None is the head's own default.
        class_weight: `balanced` to let every class count the same, else None.
        seed: of whatever is drawn.

    Raises:
        UsageError: there is no head of that name; the message has the nearest names.
        HeadError: the options mean nothing, or the spec is none of these things.

    Example:
        >>> make("logistic:C=0.1").name
        'logistic'
    """
    if isinstance(spec, str) and not spec.startswith("torch:"):
        name, options = specs.split(spec)
        return cast("Head", factory(name)(options, penalty=penalty, class_weight=class_weight, seed=seed))
    how: dict[str, Any] = {"class_weight": class_weight, "seed": seed}
    if isinstance(spec, Over):
        made = make(spec.spec, penalty=penalty, **how)
        return cast("Head", made.over(spec.widths)) if isinstance(made, LayeredHead) else made
    if isinstance(spec, Ensemble):
        return EnsembleHead(
            [
                Part(make(Over(one.spec, one.widths), penalty=one.penalty, **how), one.spans, one.weight)
                for one in spec.members
            ]
        )
    if penalty is not None:
        raise HeadError(f"{title(spec)} was given penalty={penalty}.", expected="Only heads by name have one.")
    return _own(spec, class_weight, seed)


def penalties(spec: Any) -> tuple[float | None, ...]:
    """The penalties that are worth trying, simplest first; `(None,)` where there is nothing to choose.

    Example:
        >>> penalties("knn")
        (20.0, 10.0, 5.0, 3.0, 1.0)
        >>> penalties("knn:k=7"), penalties("centroid")
        ((None,), (None,))
    """
    head = make(spec)
    if getattr(head, "pinned", False):
        return (None,)
    return tuple(getattr(head, "penalties", (None,)))


def restore(config: Config, arrays: Arrays) -> Head:
    """The fitted head that `head.state()` described. Raises HeadError where the description is damaged or newer.

    Example:
        >>> import numpy as np
        >>> head = make("centroid").fit(np.eye(4, dtype="float32"), np.array([0, 0, 1, 1]), n_classes=2)
        >>> restore(*head.state()).predict_proba(np.eye(4)).argmax(axis=1).tolist()
        [0, 0, 1, 1]
    """
    try:
        return _unfitted(config).load_state(config, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(error) from error


def damaged(error: Exception) -> HeadError:
    """What is raised of a state that cannot be read."""
    return HeadError(
        f"The saved head cannot be read: {type(error).__name__} {error}.",
        expected="The description and the arrays that `state` gave.",
        do="Take another copy of it, or fit it again.",
    )


def _unfitted(config: Config) -> Head:
    name, common = config["head"], {"class_weight": config.get("class_weight"), "seed": config.get("seed", 0)}
    if name in QUESTIONS:
        from icecore.heads import multilabel, ordinal

        made: Any = multilabel.MultilabelHead if name == "multilabel" else ordinal.OrdinalHead
        return cast("Head", made(config["spec"], penalty=config["penalty"], **common))
    if name == "sklearn":
        return SklearnHead(None, seed=common["seed"])
    if name == "torch":
        from icecore.heads.torch_head import TorchHead

        return TorchHead(config.get("factory"), **common)
    if name == EnsembleHead.name:
        return EnsembleHead()
    made = factory(name)(config.get("options", ""), penalty=config.get("penalty"), **common)
    return cast("Head", made.over(config["widths"]) if isinstance(made, LayeredHead) else made)


def factory(name: str) -> Any:
    """The factory of a head, by its name. Raises HeadError for `auto`, UsageError with the nearest names."""
    if name == "auto":
        raise HeadError(
            "'auto' is not a head: it is a choice among heads.",
            expected="One head by name.",
            do="Leave the choice to icecore.selection, or to `head='auto'` of the estimators.",
        )
    return plugins.get("heads", name)


def _own(spec: Any, class_weight: ClassWeight, seed: int) -> Head:
    """The user's layers or estimator. Torch is imported only for layers."""
    if isinstance(spec, str) or is_module(spec):
        from icecore.heads.torch_head import TorchHead

        layers = spec.removeprefix("torch:") if isinstance(spec, str) else spec
        return TorchHead(layers, class_weight=class_weight, seed=seed)
    if hasattr(spec, "get_params") and hasattr(spec, "fit"):
        return SklearnHead(spec, class_weight=class_weight, seed=seed)
    raise HeadError(
        f"A head cannot be made of {title(spec)}.",
        expected="A name such as 'logistic', a torch.nn.Module, or a scikit-learn classifier.",
    )


def is_module(spec: Any) -> bool:
    """Whether a spec is layers of torch."""
    torch = sys.modules.get("torch")  # whoever has a module has imported torch
    return torch is not None and isinstance(spec, torch.nn.Module)


def title(spec: Any) -> str:
    """A spec as messages show it."""
    return repr(spec) if isinstance(spec, str) else type(spec).__name__
