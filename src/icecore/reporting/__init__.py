"""Report: one page of HTML that says how good a model is, what it gets wrong, and what its data are like.

`build` makes contents of what a fit kept (`Material`), all of it plain values; `page` turns these into a file that
needs nothing else: no network, no library, no server. It is written for readers who are no statisticians.
"""

from icecore.reporting.building import build
from icecore.reporting.explained import Explained, write_explained
from icecore.reporting.material import Material
from icecore.reporting.page import page
from icecore.reporting.parts import Contents

__all__ = ["Contents", "Explained", "Material", "build", "page", "write_explained"]
