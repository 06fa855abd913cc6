"""Preprocessing of any family from its JSON form."""

import numpy as np
import pytest

from icecore.data import (
    ArrayPreprocessing,
    ImagePreprocessing,
    modality_of,
    preprocessing_from,
    preprocessing_from_file,
)
from icecore.errors import BadItemError, PreprocessingError


def test_the_type_says_the_family():
    """Without a type it is an image's; the value of each reads back, and names the modality."""
    image, array = preprocessing_from({}), preprocessing_from({"type": "tensor.v1", "shape": [2]})
    assert (image, array) == (ImagePreprocessing(), ArrayPreprocessing(shape=(2,)))
    assert [preprocessing_from(each.value) for each in (image, array)] == [image, array]
    assert [modality_of(each.value) for each in (image, array)] == ["image", "array"]


def test_what_can_be_wrong(tmp_path):
    """A type that nobody knows, a field that the family has not, and JSON that is no object."""
    with pytest.raises(PreprocessingError, match=r"has the type 'smell\.v1'\. Known types begin with image, logmel"):
        preprocessing_from({"type": "smell.v1"})
    with pytest.raises(PreprocessingError, match=r"is not valid: mean: .*Fields are type, shape\."):
        preprocessing_from({"type": "tensor.v1", "mean": 0})
    (tmp_path / "a.json").write_text("[1]", "utf-8")
    with pytest.raises(PreprocessingError, match="it holds a list"):
        preprocessing_from_file(tmp_path / "a.json")
    with pytest.raises(BadItemError, match=r"an array of shape \(3,\); expected \(2,\)"):
        ArrayPreprocessing(shape=(2,))(np.zeros(3))
