"""What a TFLite file says of itself: the metadata that its author put in.

The form is that of https://github.com/google-ai-edge/litert `metadata_schema.fbs`, read as a plain table, because the
library with its classes is no longer released.
"""

from __future__ import annotations

from icecore.backbones import extras

_NAME = b"TFLITE_METADATA"
_LICENCE = 14  # the place of `license` in the table: the sixth field


def licence_in(content: bytes) -> str:
    """The licence that a file's metadata states; empty where there is none."""
    schema = extras.require("ai_edge_litert.schema_py_generated", "tflite")
    flatbuffers = extras.require("flatbuffers", "tflite")
    model = schema.Model.GetRootAs(content)
    for entry in (model.Metadata(i) for i in range(model.MetadataLength())):
        buffer = model.Buffers(entry.Buffer())
        if entry.Name() == _NAME and buffer.DataLength():
            inner = buffer.DataAsNumpy().tobytes()
            root = flatbuffers.encode.Get(flatbuffers.packer.uoffset, inner, 0)
            table = flatbuffers.table.Table(inner, root)
            place = table.Offset(_LICENCE)
            return str(table.String(table.Pos + place).decode("utf-8", "replace")) if place else ""
    return ""
