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
    from icecore.heads.numbers import Regressor
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
        return cast("Head", _factory(name)(options, penalty=penalty, class_weight=class_weight, seed=seed))
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
        raise HeadError(f"{_title(spec)} was given penalty={penalty}.", expected="Only heads by name have one.")
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


def make_regressor(spec: Any, *, penalty: float | None = None, seed: int = 0) -> Regressor:
    """Make an unfitted head that predicts a number.

    Args:
        spec: as for `make`: a name (`ridge`, `svm`, `svm-rbf`, `knn`, `mlp`), with options, the user's own layers with
            one output, or a scikit-learn regressor.
        penalty: how simple the head has to be; larger is simpler. None is the head's own default.
        seed: of whatever is drawn.

    Raises:
        UsageError: there is no head of that name; the message has the nearest names.
        HeadError: the head predicts classes only, the options mean nothing, or the spec is none of these things.

    Example:
        >>> make_regressor("ridge:alpha=0.1").name
        'ridge'
    """
    if isinstance(spec, str) and not spec.startswith("torch:"):
        name, options = specs.split(spec)
        return cast("Regressor", _regressor(name)(options, penalty=penalty, seed=seed))
    if penalty is not None:
        raise HeadError(f"{_title(spec)} was given penalty={penalty}.", expected="Only heads by name have one.")
    return _own_regressor(spec, seed)


def regressor_penalties(spec: Any) -> tuple[float | None, ...]:
    """The penalties that are worth trying for numbers, simplest first; `(None,)` where there is nothing to choose.

    Example:
        >>> regressor_penalties("knn")
        (40.0, 20.0, 10.0, 5.0, 3.0, 1.0)
    """
    head = make_regressor(spec)
    if getattr(head, "pinned", False):
        return (None,)
    return tuple(getattr(head, "penalties", (None,)))


def restore_regressor(config: Config, arrays: Arrays) -> Regressor:
    """The fitted head that `Regressor.state()` described. Raises HeadError where the description is damaged or newer.

    Example:
        >>> import numpy as np
        >>> head = make_regressor("knn:k=1").fit(np.eye(4, dtype="float32"), np.arange(4.0))
        >>> restore_regressor(*head.state()).predict(np.eye(4)).round(6).tolist()
        [0.0, 1.0, 2.0, 3.0]
    """
    try:
        return _unfitted_regressor(config).load_state(config, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(error) from error


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
        raise _damaged(error) from error


def _damaged(error: Exception) -> HeadError:
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
    made = _factory(name)(config.get("options", ""), penalty=config.get("penalty"), **common)
    return cast("Head", made.over(config["widths"]) if isinstance(made, LayeredHead) else made)


def _unfitted_regressor(config: Config) -> Regressor:
    name, seed = config["head"], config.get("seed", 0)
    if name == "sklearn":
        from icecore.heads.sklearn_numbers import SklearnRegressor

        return SklearnRegressor(None, seed=seed)
    if name == "torch":
        from icecore.heads.mlp_numbers import TorchRegressor

        return TorchRegressor(config.get("factory"), seed=seed)
    made = _regressor(name)(config.get("options", ""), penalty=config.get("penalty"), seed=seed)
    return cast("Regressor", made)


def _regressor(name: str) -> Any:
    found = getattr(_factory(name), "regressor", None)
    if found is None:
        able = [own for own in plugins.names("heads") if getattr(plugins.get("heads", own), "regressor", None)]
        raise HeadError(
            f"The head {name!r} predicts classes, and the target is a number.",
            expected=f"For numbers there are {', '.join(able)}.",
            do="Choose one of these, or give a scikit-learn regressor.",
        )
    return found


def _own_regressor(spec: Any, seed: int) -> Regressor:
    """The user's layers or estimator. Torch is imported only for layers."""
    if isinstance(spec, str) or _is_module(spec):
        from icecore.heads.mlp_numbers import TorchRegressor

        return TorchRegressor(spec.removeprefix("torch:") if isinstance(spec, str) else spec, seed=seed)
    if hasattr(spec, "get_params") and hasattr(spec, "fit"):
        from icecore.heads.sklearn_numbers import SklearnRegressor

        return SklearnRegressor(spec, seed=seed)
    raise HeadError(
        f"A head cannot be made of {_title(spec)}.",
        expected="A name such as 'ridge', a torch.nn.Module, or a scikit-learn regressor.",
    )


def _factory(name: str) -> Any:
    if name == "auto":
        raise HeadError(
            "'auto' is not a head: it is a choice among heads.",
            expected="One head by name.",
            do="Leave the choice to icecore.selection, or to `head='auto'` of the estimators.",
        )
    return plugins.get("heads", name)


def _own(spec: Any, class_weight: ClassWeight, seed: int) -> Head:
    """The user's layers or estimator. Torch is imported only for layers."""
    if isinstance(spec, str) or _is_module(spec):
        from icecore.heads.torch_head import TorchHead

        layers = spec.removeprefix("torch:") if isinstance(spec, str) else spec
        return TorchHead(layers, class_weight=class_weight, seed=seed)
    if hasattr(spec, "get_params") and hasattr(spec, "fit"):
        return SklearnHead(spec, class_weight=class_weight, seed=seed)
    raise HeadError(
        f"A head cannot be made of {_title(spec)}.",
        expected="A name such as 'logistic', a torch.nn.Module, or a scikit-learn classifier.",
    )


def _is_module(spec: Any) -> bool:
    torch = sys.modules.get("torch")  # whoever has a module has imported torch
    return torch is not None and isinstance(spec, torch.nn.Module)


def _title(spec: Any) -> str:
    return repr(spec) if isinstance(spec, str) else type(spec).__name__
