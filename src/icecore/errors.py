"""Every error that icecore raises on purpose.

An error is a short lesson: what came, what was expected, what to do next.

    IcecoreError
    ├── UsageError            the call itself cannot be right            (also a ValueError)
    ├── MissingExtraError     a library that is an extra is not there    (also an ImportError)
    ├── BackboneError         something about a pretrained network
    │   ├── UnknownBackboneError   no provider knows this id
    │   ├── WeightsError           the weights are missing, unreadable or do not fit
    │   ├── LayerError             no such layer, or it cannot be pooled like that
    │   ├── PreprocessingError     it cannot be known, or is not valid
    │   └── FingerprintError       this is not the network that the artifact was trained on
    ├── DataError             something about the user's data
    │   ├── BadItemError           one item cannot be decoded: it is set aside with this reason
    │   │   └── BadBatchError      some of several items cannot be used: smaller batches tell which
    │   └── BadItemsError          items were bad and the user asked for strictness
    ├── StoreError            the store cannot be read or written
    ├── TrainingError         fine-tuning cannot go on
    ├── HeadError             a head cannot be made, fitted, saved or loaded
    ├── ArtifactError         a saved model cannot be read or written
    └── LicenceError          the licence of the weights is not the one required
"""

from __future__ import annotations


class IcecoreError(Exception):
    """Base of all. The parts are joined to one clear paragraph.

    Args:
        got: what came, as a full sentence.
        expected: what would have been right, as a full sentence.
        do: what to do next, as a full sentence.
    """

    def __init__(self, got: str, *, expected: str = "", do: str = "") -> None:
        super().__init__(" ".join(part for part in (got, expected, do) if part))


class UsageError(IcecoreError, ValueError):
    """The call itself cannot be right."""


class MissingExtraError(IcecoreError, ImportError):
    """A library that is an extra of icecore is not installed."""


class BackboneError(IcecoreError):
    """Something about a pretrained network."""


class UnknownBackboneError(BackboneError):
    """No provider knows this id."""


class WeightsError(BackboneError):
    """The weights are missing, unreadable or do not fit the network."""


class LayerError(BackboneError):
    """There is no such layer, or it cannot be pooled like that."""


class PreprocessingError(BackboneError):
    """The preprocessing cannot be known, or is not valid."""


class FingerprintError(BackboneError):
    """The network found is not the one that the artifact was trained on."""


class DataError(IcecoreError):
    """Something about the user's data."""


class BadItemError(DataError):
    """One item cannot be decoded. It is set aside with this reason; the others go on."""


class BadBatchError(BadItemError):
    """One or more of several items cannot be used. Smaller batches are tried, to find out which."""


class BadItemsError(DataError):
    """Items were bad, and the user asked for strictness."""


class StoreError(IcecoreError):
    """The store cannot be read or written."""


class TrainingError(IcecoreError):
    """Fine-tuning cannot go on. The model that it started from is as it was."""


class HeadError(IcecoreError):
    """A head cannot be made, fitted, saved or loaded."""


class ArtifactError(IcecoreError):
    """A saved model cannot be read or written."""


class LicenceError(IcecoreError):
    """The licence of the weights is not the one required."""
