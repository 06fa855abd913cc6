"""Arrays as inputs: numbers that go into a network as they are."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from icecore.errors import BadItemError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ArrayPreprocessing(BaseModel):
    """None at all: an array is already what the network takes. Equal values do the same.

    Attributes:
        type: name and version of this computation; a version never changes its meaning.
        shape: of one item; None where the network itself says it.

    Example:
        >>> ArrayPreprocessing(shape=(2,))(np.array([1, 2])).dtype
        dtype('float32')
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Literal["tensor.v1"] = "tensor.v1"
    shape: tuple[Annotated[int, Field(gt=0)], ...] | None = None

    @property
    def value(self) -> dict[str, Any]:
        """JSON form: part of keys and artifacts; `model_validate` reads it back."""
        return self.model_dump(mode="json")

    def __call__(self, decoded: NDArray[Any]) -> NDArray[np.float32]:
        """The array in float32. Raises BadItemError for another shape."""
        if self.shape is not None and decoded.shape != self.shape:
            raise BadItemError(f"an array of shape {decoded.shape}; expected {self.shape}")
        return np.ascontiguousarray(decoded, np.float32)


def decode_array(source: Any) -> NDArray[Any]:
    """An array of numbers: itself, or a `.npy` file's content. Raises BadItemError."""
    try:
        array = np.load(io.BytesIO(source), allow_pickle=False) if isinstance(source, bytes) else np.asarray(source)
    except (ValueError, EOFError, OSError) as error:
        raise BadItemError(f"not an array in .npy form: {error}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise BadItemError("no array of numbers")
    return array
