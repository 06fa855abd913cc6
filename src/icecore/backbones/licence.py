"""Licences of weights: read from where a provider keeps them, and sorted by what they allow."""

from __future__ import annotations

import re
from pathlib import Path

from icecore.backbones.base import Licence
from icecore.errors import LicenceError

PERMISSIVE = frozenset(
    {
        "0bsd", "afl-3.0", "apache-2.0", "artistic-2.0", "bsd", "bsd-2-clause", "bsd-3-clause", "bsl-1.0", "cc-by-4.0",
        "cc-by-3.0", "cc-by-2.0", "cc0-1.0", "isc", "mit", "ncsa", "pddl", "unlicense", "wtfpl", "zlib",
    }
)  # fmt: skip
_NON_COMMERCIAL = re.compile(r"(^|[-_ ])(nc|non-?commercial|research-only|fair-noncommercial)([-_ ]|$)")
_RESTRICTED = re.compile(r"non-?commercial|research (use|purposes?) only|only for research", re.IGNORECASE)
_TEXTS = {
    "apache-2.0": r"Apache License[\s,.]+Version 2\.0",
    "mit": r"MIT License|Permission is hereby granted, free of charge",
    "bsd-3-clause": r"Redistribution and use in source and binary forms[\s\S]+Neither the name",
    "bsd-2-clause": r"Redistribution and use in source and binary forms",
    "cc-by-nc-4.0": r"Attribution-NonCommercial 4\.0",
    "cc-by-4.0": r"Creative Commons Attribution 4\.0|Attribution 4\.0 International",
}
_ADDRESSES = {"https://github.com/facebookresearch/SWAG/blob/main/LICENSE": "cc-by-nc-4.0"}  # as torchvision states it


def permissive(name: str) -> bool:
    """Whether use, change and sale are allowed with at most a notice."""
    return all(part in PERMISSIVE for part in name.lower().split(" and "))


def non_commercial(name: str) -> bool:
    """Whether the name of the licence says that commercial use is not allowed."""
    return _NON_COMMERCIAL.search(name.lower()) is not None


def require(licence: Licence, required: str | None, backbone: str) -> None:
    """Raise LicenceError unless the licence is what is required: `permissive`, or names separated by commas."""
    if required is None:
        return
    allowed = [name.strip().lower() for name in required.split(",")]
    name = licence.name.lower()
    if name in allowed or ("permissive" in allowed and permissive(name)):
        return
    raise LicenceError(
        f"The weights of {backbone} have the licence {licence.name!r}.",
        expected=f"Required was: {required}.",
        do="Choose another backbone, or leave --require-licence out if you may use it."
        if name != "unknown"
        else "Its source states none: find out, or choose a backbone whose licence is known.",
    )


def of_folder(folder: Path) -> Licence:
    """Licence of a local model folder: `license:` in its model card, else what a LICENSE file plainly is."""
    for card in (folder / "README.md", folder / "MODEL_CARD.md"):
        name = _of_card(card)
        if name:
            return Licence(name, str(card))
    for path in sorted(folder.glob("LICEN[CS]E*")):
        name = _of_text(path.read_text("utf-8", errors="replace"))
        if name:
            return Licence(name, str(path))
    return Licence()


def stated(text: str, source: str) -> Licence:
    """What metadata of a file or a library state: a name, a licence's text, or where a known one is found."""
    plain = text.strip()
    name = _ADDRESSES.get(plain) or _of_text(plain) or plain.lower()
    return Licence(name, source) if name else Licence()


def of_file(file: Path) -> Licence:
    """Licence of a single file, from the folder that it lies in; unknown where that holds texts that differ."""
    found = of_folder(file.parent)
    texts = {_of_text(path.read_text("utf-8", errors="replace")) for path in file.parent.glob("LICEN[CS]E*")}
    return found if len(texts) < 2 else Licence()


def _of_card(path: Path) -> str:
    if not path.is_file():
        return ""
    front = re.match(r"---\s*\n(.*?)\n---", path.read_text("utf-8-sig", errors="replace"), re.DOTALL)
    if front is None:
        return ""
    stated = _field(front.group(1), "license")
    return (_field(front.group(1), "license_name") if stated == "other" else "") or stated


def _field(front: str, name: str) -> str:
    """A field of the front matter: a word, plain or quoted, or the words of a list."""
    found = re.search(rf"^{name}:[ \t]*(\S.*|(?:\n[ \t]*-.*)+)", front, re.MULTILINE)
    words = re.findall(r"[\w.+-]*\w", found.group(1).partition("#")[0]) if found else []
    return " and ".join(words).lower()


def _of_text(text: str) -> str:
    """What a licence text plainly is. One that speaks of non-commercial use is none of the permissive ones."""
    found = next((name for name, pattern in _TEXTS.items() if re.search(pattern, text)), "")
    return "" if permissive(found) and _RESTRICTED.search(text) else found
