"""`PretrainedModel`: a frozen network whose features can be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from icecore import backbones
from icecore.api.guessing import read_for
from icecore.api.options import columns_for, open_preprocessing, open_progress, open_store
from icecore.artifact import Change
from icecore.backbones import Extractor, Layer, Licence
from icecore.backbones.torchvision_ops import ensure_torchvision_imports
from icecore.features import Features, Progress, extract
from icecore.prefix import Prefix, Suffix, blocks, cut
from icecore.prefix.engines import require_engine
from icecore.store import Store
from icecore.training.unfreezing import cuttable


class PretrainedModel:
    """A pretrained network, frozen: eval mode, no gradients, its own preprocessing.

    Made by `load` or `wrap`; that of a fine-tuned model knows `changes`, what was changed of the network `base`.

    Example:
        >>> net = PretrainedModel.load("icecore:vision-s@random")
        >>> [layer.name for layer in net.layers()][-1]
        'last'
    """

    def __init__(self, backbone: Extractor, *, changes: Sequence[Change] = (), base: Extractor | None = None) -> None:
        self.backbone, self.base, self.changes = backbone, base or backbone, tuple(changes)

    def __repr__(self) -> str:
        return f"PretrainedModel({self.id!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """For other processes, such as those of a search: the network comes after what lets it be imported there."""
        return _restored, (_Importable(), self.backbone, self.changes, self.base)

    def __sklearn_clone__(self) -> PretrainedModel:
        """Itself: what is frozen need not be copied for every trial of a search."""
        return self

    @classmethod
    def load(
        cls,
        id: str,  # noqa: A002 - the public word for it
        *,
        preprocess: Any = None,
        device: str | None = None,
        precision: str = "float32",
        engine: str = "auto",
        trust_remote_code: bool = False,
        require_licence: str | None = None,
    ) -> PretrainedModel:
        """Load a network by its id, `provider:name[?options][@revision]`, a local folder or file.

        Args:
            id: such as `timm:resnet18.a1_in1k`, `hf:FOLDER`, `torch:nets:build?weights=w.pt`, `timm:resnet18@random`.
            preprocess: overrides the network's own: a `preprocess.json`, its fields, or a callable from a PIL image to
                a float tensor (channels, height, width).
            device: `cpu`, `cuda`, `mps` or `auto` (a GPU where there is one).
            precision: `float32`, or `bfloat16`, which is faster where the processor or GPU has units for it and
                changes features a little (cosine 0.999 or more, which is checked). Part of the keys of features.
            engine: what runs the network: `auto` tries those installed where there is enough to do; `eager` (the
                network's own code), `openvino`, `onnxruntime`, `compile` (torch's compiler). All agree.
            trust_remote_code: let Transformers run code that comes with the weights.
            require_licence: `permissive`, or names of licences separated by commas.

        Raises:
            UnknownBackboneError, WeightsError, PreprocessingError, LicenceError, MissingExtraError.
        """
        return cls(
            backbones.load(
                id,
                preprocess=open_preprocessing(preprocess),
                device=device,
                precision=precision,
                engine=require_engine(engine),
                trust_remote_code=trust_remote_code,
                require_licence=require_licence,
            )
        )

    @classmethod
    def wrap(
        cls,
        module: nn.Module,
        *,
        preprocess: Any,
        name: str = "wrapped",
        device: str | None = "cpu",
        precision: str = "float32",
        engine: str = "auto",
    ) -> PretrainedModel:
        """Take a network that is already in memory.

        Args:
            module: any torch module from a batch of images, (n, channels, height, width), to anything with a tensor; or
                a Keras model on its torch backend, whose images usually have their channels last.
            preprocess: as in `load`; it cannot be guessed.
            name: what it is called in tables. The key of its features is made of its weights, structure and code.
            device: where it runs.
            precision: as in `load`.
            engine: as in `load`.

        Example:
            >>> from torch import nn
            >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
            >>> model = PretrainedModel.wrap(net, preprocess={"resize": "exact", "resize_size": 32})
            >>> model.layer("last").shape
            (8,)
        """
        own = open_preprocessing(preprocess)
        return cls(
            backbones.wrap(
                module, preprocess=own, name=name, device=device, precision=precision, engine=require_engine(engine)
            )
        )

    @property
    def id(self) -> str:
        """As it was asked for."""
        return self.backbone.id

    @property
    def licence(self) -> Licence:
        """Of the weights; `unknown` where their source states none."""
        return self.backbone.licence

    @property
    def preprocessing(self) -> Mapping[str, Any]:
        """What happens to an input before the network sees it, as a JSON value."""
        return self.backbone.preprocessing.value

    @property
    def blocks(self) -> list[str]:
        """Paths of the blocks, first to last: what negative numbers count."""
        return blocks(self.backbone)

    def layers(self) -> list[Layer]:
        """Every layer whose output can be taken, in run order, with shape and axes."""
        return list(self.backbone.layers().values())

    def layer(self, name: str) -> Layer:
        """One layer by name. Raises LayerError with the nearest names."""
        known = self.backbone.layers()
        if name not in known:
            raise backbones.no_such_layer(self.backbone, name)
        return known[name]

    def cut(self, at: str) -> tuple[Prefix, Suffix]:
        """Cut the network after a module: a frozen prefix, whose rows the store keeps, and a suffix to train.

        See `icecore.prefix.cut`. Raises LayerError where something else crosses the cut, and UsageError for a network
        that is no torch module.

        Example:
            >>> prefix, suffix = PretrainedModel.load("icecore:vision-s@random").cut("stages.2")
            >>> len(suffix.trainable) < len(list(suffix.network.parameters()))
            True
        """
        return cut(cuttable(self.backbone), at)

    def extract_features(
        self,
        data: Any,
        *,
        layers: str | int | Sequence[str | int] = "last",
        pooling: str | Sequence[str] = "mean",
        target: str | Sequence[str] | None = None,
        input_col: str | Sequence[str] | None = None,
        store: Store | str | None = None,
        batch_size: int = 32,
        workers: int | None = None,
        strict: bool = False,
        progress: Progress | bool = True,
    ) -> Features:
        """Features of a data set: what the store has is read, the rest is computed once.

        Args:
            data: a folder, table, file, list of paths, arrays, images or texts, or a data frame.
            layers: module paths, `last`, `logits`, block numbers (-1 the last), `all`, or patterns (`layer4.*`).
            pooling: `mean`, `max`, `gem`, `cls`, `last-token`, `flatten`, `none`, or several of them.
            target: columns of a table to carry along as labels.
            input_col: the column with the inputs.
            store: where rows are kept: a folder, by default `ICECORE_STORE` or the user's cache directory.
            batch_size: items in one forward pass; of texts, 64 tokens for each.
            workers: threads that read and decode; by default as many as the network needs.
            strict: make bad items an error instead of setting them aside.
            progress: show it on standard error.

        Returns:
            Features; `features["layer4"]` is float32 (n, channels), `features.bad` lists what was set aside.

        Raises:
            DataError, LayerError, BadItemsError (strict), StoreError.
        """
        columns = columns_for(self.backbone, layers, pooling)
        dataset = read_for(self.backbone, data, target=target, input_col=input_col, labelled=bool(target) or None)
        return extract(
            self.backbone,
            dataset,
            columns,
            store=open_store(store),
            batch_size=batch_size,
            workers=workers,
            strict=strict,
            progress=open_progress(progress),
        )

    @property
    def modality(self) -> str:
        """Of the inputs: `image`, `text`, ..."""
        return self.backbone.modality


class _Importable:
    """Where this is unpickled, torchvision can be imported, which networks of several providers refer to."""

    def __reduce__(self) -> tuple[Any, ...]:
        return ensure_torchvision_imports, ()


def _restored(_importable: None, backbone: Extractor, changes: Sequence[Change], base: Extractor) -> PretrainedModel:
    return PretrainedModel(backbone, changes=changes, base=base)
