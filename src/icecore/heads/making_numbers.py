"""Make a head that predicts a number from a spec, and restore one from its state; see `making`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from icecore import plugins
from icecore.errors import HeadError
from icecore.heads import specs
from icecore.heads.making import damaged, factory, is_module, title

if TYPE_CHECKING:
    from icecore.heads.numbers import Regressor
    from icecore.heads.protocol import Arrays, Config


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
        raise HeadError(f"{title(spec)} was given penalty={penalty}.", expected="Only heads by name have one.")
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
        raise damaged(error) from error


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
    found = getattr(factory(name), "regressor", None)
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
    if isinstance(spec, str) or is_module(spec):
        from icecore.heads.mlp_numbers import TorchRegressor

        return TorchRegressor(spec.removeprefix("torch:") if isinstance(spec, str) else spec, seed=seed)
    if hasattr(spec, "get_params") and hasattr(spec, "fit"):
        from icecore.heads.sklearn_numbers import SklearnRegressor

        return SklearnRegressor(spec, seed=seed)
    raise HeadError(
        f"A head cannot be made of {title(spec)}.",
        expected="A name such as 'ridge', a torch.nn.Module, or a scikit-learn regressor.",
    )
