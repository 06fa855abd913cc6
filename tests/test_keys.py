"""Keys are equal exactly where the things that they stand for are."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from icecore import keys

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
PARTS = st.lists(st.binary(max_size=6), max_size=5)
ARRAYS = hnp.arrays(
    st.sampled_from(["u1", "i1", "<i4", ">i4", "<f4", "<f8", "?", "S2", "<U1"]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)


def tell_apart(value: Any) -> Any:
    """A form in which Python's own equality is that of JSON: True is not 1, 1 is not 1.0, 0.0 is not -0.0."""
    if isinstance(value, dict):
        return "dict", frozenset((name, tell_apart(inner)) for name, inner in value.items())
    if isinstance(value, list | tuple):
        return "list", tuple(tell_apart(inner) for inner in value)
    return type(value).__name__, repr(value)


@given(VALUES, VALUES)
def test_canonical_forms_are_equal_where_values_are(one: Any, other: Any):
    """Two values share a canonical form exactly if they are the same JSON value."""
    assert (keys.canonical(one) == keys.canonical(other)) == (tell_apart(one) == tell_apart(other))


@given(VALUES)
def test_canonical_forms_lose_nothing(value: Any):
    """A canonical form is JSON in which the whole value can be read again."""
    text = keys.canonical(value).decode("utf-8", "surrogatepass")
    assert tell_apart(json.loads(text)) == tell_apart(value)


@given(st.dictionaries(st.text(), SCALARS, max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_a_mapping_does_not_matter(value: dict, dice):
    """The same mapping filled in another order has the same form."""
    items = list(value.items())
    dice.shuffle(items)
    assert keys.canonical(dict(items)) == keys.canonical(value)


def test_canonical_forms_stay_what_they_are():
    """The form is fixed for ever: sorted, without white space, UTF-8, tuples as lists."""
    assert keys.canonical({"b": (1, 2.5, True), "a": None, "ü": "☃"}) == '{"a":null,"b":[1,2.5,true],"ü":"☃"}'.encode()
    assert keys.canonical(0.1) == b"0.1"
    assert keys.canonical(-0.0) == b"-0.0"


@pytest.mark.parametrize("value", [{1: "a"}, {"a": [{None: 1}]}, {"a": {("x",): 1}}])
def test_keys_of_mappings_are_strings(value: Any):
    """JSON would turn other keys into strings, and two mappings into one."""
    with pytest.raises(TypeError, match="only strings have one form in JSON"):
        keys.canonical(value)


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", np.float32(1), object(), np.zeros(2)])
def test_what_json_has_no_word_for_is_refused(value: Any):
    """A key must not depend on how a library prints its objects."""
    with pytest.raises(TypeError):
        keys.canonical({"a": value})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_cannot_say_are_refused(value: float):
    """NaN and infinities have no JSON form."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        keys.canonical([value])


@given(st.sampled_from(["file", "text", "array"]), PARTS, st.sampled_from(["file", "text", "array"]), PARTS)
def test_digests_are_equal_where_tag_and_parts_are(tag: str, parts: list, other_tag: str, other: list):
    """Bytes moved from one part to the next, or under another tag, make another digest."""
    same = (tag, parts) == (other_tag, other)
    assert (keys.digest(tag, parts) == keys.digest(other_tag, other)) == same


@given(PARTS)
def test_a_digest_takes_views_as_it_takes_bytes(parts: list):
    """Views of memory, of any item size, hash as their bytes."""
    views = [memoryview(bytearray(part)) for part in parts]
    assert keys.digest("x", views) == keys.digest("x", parts)
    floats = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert keys.digest("x", [memoryview(floats)]) == keys.digest("x", [floats.tobytes()])


def test_the_recipe_is_fixed():
    """Keys of today are keys for ever: these digests were written down once."""
    assert keys.row_of_bytes(b"") == hashlib.sha256(b"ice1:file:").digest()
    assert keys.row_of_text("a") == hashlib.sha256(b"ice1:text:" + (1).to_bytes(8, "little") + b"a").digest()
    assert keys.key("prefix", {"a": 1}) == hashlib.sha256(b'ice1:prefix:\7\0\0\0\0\0\0\0{"a":1}').hexdigest()


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_a_file_has_the_key_of_its_bytes(tmp_path_factory: pytest.TempPathFactory, raw: bytes, other: bytes):
    """A file's name and place do not matter, its bytes do."""
    path = tmp_path_factory.mktemp("files") / "a"
    path.write_bytes(raw)
    assert keys.row_of_file(path) == keys.row_of_file(str(path)) == keys.row_of_bytes(raw)
    assert (keys.row_of_file(path) == keys.row_of_bytes(memoryview(other))) == (raw == other)


@pytest.mark.parametrize("size", [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_large_files_are_read_in_pieces(tmp_path: Path, size: int):
    """Files around and above the size of a piece have the key of their bytes."""
    raw = np.random.default_rng(size).bytes(size)
    (tmp_path / "a").write_bytes(raw)
    assert keys.row_of_file(tmp_path / "a") == keys.row_of_bytes(raw)


def test_a_file_that_is_not_there_has_no_key(tmp_path: Path):
    """A missing file and a folder are errors of the system."""
    with pytest.raises(FileNotFoundError):
        keys.row_of_file(tmp_path / "never")
    with pytest.raises(OSError, match=r"Is a directory|Permission denied"):
        keys.row_of_file(tmp_path)


@given(st.text(), st.text())
def test_texts_have_the_same_key_where_they_are_equal(one: str, other: str):
    """No normalisation: texts that only look alike are different inputs."""
    assert (keys.row_of_text(one) == keys.row_of_text(other)) == (one == other)
    assert len(keys.row_of_text(one)) == keys.DIGEST_SIZE


def test_texts_that_look_alike_are_different():
    """Composed and decomposed letters, and halves of surrogate pairs, each have a key."""
    texts = ["\u00e9", "e\u0301", "\ud83d", "\ude00", "\U0001f600", "", " "]
    assert len({keys.row_of_text(text) for text in texts}) == len(texts)


@given(ARRAYS, ARRAYS)
def test_arrays_have_the_same_key_where_dtype_shape_and_bytes_are_equal(one: np.ndarray, other: np.ndarray):
    """Dtype with byte order, shape and content: all of them, and nothing else."""
    same = (one.dtype.str, one.shape, one.tobytes()) == (other.dtype.str, other.shape, other.tobytes())
    assert (keys.row_of_array(one) == keys.row_of_array(other)) == same


@given(ARRAYS.filter(lambda array: array.ndim >= 2))
def test_the_layout_in_memory_does_not_matter(array: np.ndarray):
    """Fortran order, views and copies of equal arrays share a key."""
    assert keys.row_of_array(np.asfortranarray(array)) == keys.row_of_array(array)
    assert keys.row_of_array(np.repeat(array, 2, axis=0)[::2]) == keys.row_of_array(array)


def test_the_same_bytes_of_another_kind_are_another_row():
    """A dtype, a shape, or being a text or a file instead of an array, makes another row."""
    raw = np.zeros(8, np.uint8)
    arrays = [
        raw,
        raw.reshape(2, 4),
        raw.reshape(4, 2),
        raw.view("<f4"),
        raw.view("<i4"),
        raw.view(">i4"),
        raw.view("S8"),
    ]
    rows = [keys.row_of_array(array) for array in arrays]
    rows += [keys.row_of_bytes(raw.tobytes()), keys.row_of_text(raw.tobytes().decode()), keys.row_of_tuple([])]
    assert len(set(rows)) == len(rows)


def test_arrays_of_objects_have_no_key():
    """The bytes of Python objects are addresses."""
    for array in (np.array([None]), np.array([(1, None)], dtype=[("a", int), ("b", object)])):
        with pytest.raises(TypeError, match="a key needs numbers, booleans or fixed-size strings"):
            keys.row_of_array(array)


@given(
    st.lists(st.binary(min_size=32, max_size=32), max_size=4), st.lists(st.binary(min_size=32, max_size=32), max_size=4)
)
def test_tuples_keep_their_order(one: list, other: list):
    """Inputs that belong together have one key, which knows their order and number."""
    assert (keys.row_of_tuple(one) == keys.row_of_tuple(other)) == (one == other)


def test_keys_are_hexadecimal_digests():
    """The key of a description is 64 characters, and depends on tag and description."""
    one = keys.key("prefix", {"layer": "layer4"})
    assert len(one) == 64
    assert bytes.fromhex(one) == keys.digest("prefix", [keys.canonical({"layer": "layer4"})])
    assert len({one, keys.key("column", {"layer": "layer4"}), keys.key("prefix", {"layer": "layer3"})}) == 3


def test_structures_of_one_size_have_keys_of_their_own():
    """Two structured dtypes of the same size are not the same array."""
    halves = np.zeros(2, dtype=[("a", "<f4"), ("b", "<f4")])
    assert keys.row_of_array(halves) != keys.row_of_array(np.zeros(2, dtype=[("a", "<f8")]))
    assert keys.row_of_array(halves) == keys.row_of_array(halves.copy())
