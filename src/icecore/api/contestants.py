"""Networks that are compared: loaded, told apart from those that cannot be used here, and run on some of the items."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from icecore.api.guessing import read_for
from icecore.api.options import columns_for
from icecore.api.pretrained import PretrainedModel
from icecore.backbones import LOGITS, Extractor
from icecore.data import BadItem, Dataset
from icecore.errors import BadItemsError, DataError, IcecoreError, LayerError, StoreError
from icecore.evaluation import duplicate_groups
from icecore.features import Features, Progress, Silent, extract
from icecore.prefix import Column, canonical_pooling
from icecore.store import Store

_WARM = 40  # items that are not timed: libraries get ready, and an engine is chosen
_TIMED = 16  # items that a network is timed on whose features were all there already


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A network that was not compared, and why."""

    backbone: str
    reason: str


@dataclass(frozen=True, slots=True)
class How:
    """How features are computed; the same for all networks."""

    layers: str | int | Sequence[str | int]
    pooling: str | Sequence[str]
    store: Store
    batch_size: int
    workers: int | None
    strict: bool
    progress: Progress


@dataclass(eq=False)
class Contestant:
    """A network that takes part.

    Attributes:
        name: its id.
        backbone: itself.
        dataset: the data as its modality reads them.
        rows: the row of each of its items in the data as the user gave it, (n,), in their order.
        columns: the layers that are compared.
        logits: the scores of its own classes, where it has a head that gives one vector of them.
        rates: seconds an item that extraction took, each time; the first items are left out.
        bad: items that it could not use, by row.
    """

    name: str
    backbone: Extractor
    dataset: Dataset
    rows: np.ndarray
    columns: tuple[Column, ...]
    logits: Column | None
    rates: list[float] = field(default_factory=list)
    bad: dict[int, BadItem] = field(default_factory=dict)
    _warm: bool = False

    @property
    def rate(self) -> float:
        """Seconds an item, without what a few items cost once; 0 where every item was in the store."""
        return min(self.rates, default=0.0)

    def run(self, rows: np.ndarray, how: How, *, ahead: int = 0) -> Features:
        """Features of the items of these rows, `ahead` more of which are to come. What is stored is not computed."""
        if not self._warm:
            self._warm = True
            self._extract(rows[: min(_WARM, len(rows) // 2)], how.store, how, Silent(), ahead + len(rows))
        found = self._extract(rows, how.store, how, how.progress)
        self._time(found)
        self.bad |= {item.row: item for item in found.bad}
        return found

    def timed(self, rows: np.ndarray, how: How) -> None:
        """Measure the seconds an item where nothing had to be computed: some once more, in a store of their own."""
        if not self.rates:
            with tempfile.TemporaryDirectory(prefix="icecore-rank-") as folder:
                self._time(self._extract(rows[:_TIMED], Store(folder), how, Silent()))

    def _time(self, found: Features) -> None:
        if found.report.computed:
            self.rates.append(found.report.seconds / found.report.computed)

    def _extract(self, rows: np.ndarray, store: Store, how: How, progress: Progress, ahead: int = 0) -> Features:
        columns = [*self.columns, *([self.logits] if self.logits and self.logits not in self.columns else [])]
        return extract(
            self.backbone,
            self.dataset.take(np.isin(self.rows, rows)),
            columns,
            store=store,
            batch_size=how.batch_size,
            workers=how.workers,
            strict=how.strict,
            ahead=ahead,
            progress=progress,
        )


def fatal(error: IcecoreError) -> bool:
    """Whether an error says something of the whole work, and not of one network."""
    return isinstance(error, StoreError | BadItemsError)


def contestants(
    backbones: Sequence[str | PretrainedModel],
    data: Any,
    reading: Mapping[str, Any],
    how: How,
    loading: Mapping[str, Any],
) -> tuple[list[Contestant], list[LeftOut]]:
    """Those that can be used, and those that cannot, with the reason.

    Args:
        backbones: ids, or loaded networks.
        data: as `icecore.api.guessing.read_for` takes it.
        reading: its options.
        how: features are computed.
        loading: options of `PretrainedModel.load`.

    Raises what the only network raises, or DataError with all reasons where none can be used.
    """
    read = functools.cache(functools.partial(_read, data, tuple(reading.items())))
    found, left_out, errors = list[Contestant](), list[LeftOut](), list[IcecoreError]()
    for given in backbones:
        name = given if isinstance(given, str) else given.id
        try:
            net = PretrainedModel.load(given, **loading) if isinstance(given, str) else given
            found.append(_contestant(name, net.backbone, read, how))
        except IcecoreError as error:
            if fatal(error):
                raise
            errors.append(error)
            left_out.append(LeftOut(name, str(error)))
    require_some(found, left_out, errors)
    return found, left_out


def require_some(found: Collection[Any], left_out: Sequence[LeftOut], errors: Sequence[IcecoreError]) -> None:
    """Raise where no network is left: the only error there is, or one that has the reason of each."""
    if found:
        return
    if len({one.reason for one in left_out}) == 1:
        raise errors[0]
    reasons = " ".join(f"{one.backbone}: {one.reason}" for one in left_out)
    raise DataError(f"None of the {len(left_out)} backbones can be used. {reasons}")


def common_rows(found: Sequence[Features]) -> np.ndarray:
    """Rows of the data that are good for all, sorted."""
    return functools.reduce(np.intersect1d, [rows_of(features.dataset) for features in found])


def rows_of(dataset: Dataset) -> np.ndarray:
    """The row of each item in the data as the user gave it."""
    return np.array([item.row for item in dataset.inputs], dtype=np.int64)


def groups_of(found: Sequence[Features]) -> np.ndarray:
    """(n,) equal for items that are equal to any of the networks: they see different parts of a pair, for instance.

    All features have the same rows.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    of_each = {features.dataset.modality: duplicate_groups(features.origins) for features in found}
    n = len(found[0])
    firsts = [np.unique(groups, return_index=True)[1][groups] for groups in of_each.values()]
    links = (np.ones(n * len(firsts)), (np.tile(np.arange(n), len(firsts)), np.concatenate(firsts)))
    return np.asarray(connected_components(coo_matrix(links, shape=(n, n)), directed=False)[1])


def _read(data: Any, options: tuple[tuple[str, Any], ...], backbone: _OfModality) -> tuple[Dataset, np.ndarray]:
    dataset = read_for(backbone.backbone, data, **dict(options))
    return dataset, rows_of(dataset)


@dataclass(frozen=True)
class _OfModality:
    """A network that equals every other of its modality, so that the data is read once for all of them."""

    modality: str
    backbone: Any = field(compare=False)


def _contestant(name: str, backbone: Extractor, read: Any, how: How) -> Contestant:
    dataset, rows = read(_OfModality(backbone.modality, backbone))
    columns = tuple(columns_for(backbone, how.layers, how.pooling))
    if not columns:
        raise LayerError(f"{name} has no layer to compare.", do="Name one with --layer.")
    return Contestant(name, backbone, dataset, rows, columns, _logits(backbone))


def _logits(backbone: Extractor) -> Column | None:
    """The scores of the network's own classes, where it gives one vector of several an item."""
    layer = backbone.layers().get(LOGITS)
    if layer is None or len(layer.shape) != 1 or layer.shape[0] < 2:
        return None
    return Column(LOGITS, canonical_pooling(layer, "mean"))
