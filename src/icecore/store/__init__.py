"""Store: rows by key, kept as immutable parts. Knows nothing of networks.

A table is a folder of parts; a part is an Arrow IPC file with a `row` (32 bytes, see `icecore.keys`) and one value
column for each thing computed. A part is written aside, flushed and renamed, and never changed; what it holds is said
by the part itself, and its name carries the digest of its bytes. So there is no index to corrupt and nobody to ask:
any number of processes write at once, a killed one loses at most the part it was filling, and a damaged part is set
aside, after which its rows are simply missing again.
"""

from icecore.store.claims import Claim
from icecore.store.file_rows import FileRows, Stamp
from icecore.store.place import default_root
from icecore.store.reports import CompactReport, Damage, PruneReport, TableInfo
from icecore.store.rows import RowKeys, as_keys
from icecore.store.store import Store
from icecore.store.table import Table
from icecore.store.values import Values

__all__ = [
    "Claim",
    "CompactReport",
    "Damage",
    "FileRows",
    "PruneReport",
    "RowKeys",
    "Stamp",
    "Store",
    "Table",
    "TableInfo",
    "Values",
    "as_keys",
    "default_root",
]
