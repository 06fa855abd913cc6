"""Features: the only room that both computes and stores.

A plan first (what is asked, what is there, what is missing), then a bounded pipeline (read, hash, decode, prepare,
batch, forward, pool, write). Equal inputs are computed once, all layers come from one pass, and what one run or process
has computed no other computes again, unless another version or engine computed it and a few rows show that it differs.
"""

from icecore.features.extract import bad_items_error, extract
from icecore.features.memory import too_large
from icecore.features.output import names, write, writer_for
from icecore.features.progress import Progress, Silent, Terminal, tell
from icecore.features.result import Features, Report, named
from icecore.features.stored import StoredRows

__all__ = [
    "Features",
    "Progress",
    "Report",
    "Silent",
    "StoredRows",
    "Terminal",
    "bad_items_error",
    "extract",
    "named",
    "names",
    "tell",
    "too_large",
    "write",
    "writer_for",
]
