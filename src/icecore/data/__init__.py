"""What the user has -> items.

A reader turns a source (a folder, a table, a data frame, a list) into a `Dataset`: where the inputs are, what they are
labelled, which rows were set aside and why. Nothing is opened yet. `load` then takes one item through its modality,
reading it once, to a row key and a decoded value; a preprocessing, itself a value, makes the network's input of that.

A bad item never shifts the others: every item carries the row that it has in the data as the user gave it.
"""

from icecore.data.array_preprocessing import ArrayPreprocessing
from icecore.data.clips import Windowed
from icecore.data.gaps import NO_LABEL
from icecore.data.images import MAX_PIXELS, decode_image
from icecore.data.items import BadItem, Dataset, Item, Items, printable
from icecore.data.load import load, row_key
from icecore.data.modalities import (
    IMAGE,
    IMAGE_TEXT,
    SOUND,
    TEXT,
    Modality,
    modalities,
    modality_named,
    modality_of_files,
    register_modality,
)
from icecore.data.preprocess_files import is_own, modality_of, preprocessing_from, preprocessing_from_file
from icecore.data.preprocessing import ImagePreprocessing
from icecore.data.read import read
from icecore.data.readers import Reader, ReadOptions
from icecore.data.remarks import remark, remarks
from icecore.data.sound_preprocessing import LogMelPreprocessing, WaveformPreprocessing
from icecore.data.sound_summary import sound_summary, summary_size
from icecore.data.sounds import Sound, decode_sound
from icecore.data.texts import bag_of_words, decode_text
from icecore.data.tuples import part_of
from icecore.data.values import ArrowValues, ListValues, Values
from icecore.data.views import View, ViewedPreprocessing, views_of

__all__ = [
    "IMAGE",
    "IMAGE_TEXT",
    "MAX_PIXELS",
    "NO_LABEL",
    "SOUND",
    "TEXT",
    "ArrayPreprocessing",
    "ArrowValues",
    "BadItem",
    "Dataset",
    "ImagePreprocessing",
    "Item",
    "Items",
    "ListValues",
    "LogMelPreprocessing",
    "Modality",
    "ReadOptions",
    "Reader",
    "Sound",
    "Values",
    "View",
    "ViewedPreprocessing",
    "WaveformPreprocessing",
    "Windowed",
    "bag_of_words",
    "decode_image",
    "decode_sound",
    "decode_text",
    "is_own",
    "load",
    "modalities",
    "modality_named",
    "modality_of",
    "modality_of_files",
    "part_of",
    "preprocessing_from",
    "preprocessing_from_file",
    "printable",
    "read",
    "register_modality",
    "remark",
    "remarks",
    "row_key",
    "sound_summary",
    "summary_size",
    "views_of",
]
