"""What a file is in the words of the contract: DocType and CharacterSet (docs/contract.md lists the types seen)."""

from __future__ import annotations

from pathlib import PurePath

_DOCTYPES = {
    ".bmp": "BMP", ".csv": "text", ".gif": "GIF", ".htm": "HTML", ".html": "HTML", ".jpeg": "JPEG", ".jpg": "JPEG",
    ".mpp": "MPP", ".doc": "MSW", ".docx": "MSW", ".pcl": "PCL", ".pdf": "PDF", ".png": "PNG", ".ppt": "PPT",
    ".pptx": "PPT", ".ps": "PS", ".pub": "PUB", ".rtf": "RTF", ".text": "text", ".tif": "TIFF", ".tiff": "TIFF",
    ".txt": "text", ".vsd": "VSD", ".wav": "WAV", ".xls": "XLS", ".xlsx": "XLS",
}  # fmt: skip
_OF_CHARACTERS = frozenset({"text", "HTML", "HTMLLITE"})


def doctype_of(filename: str) -> str:
    """The DocType for a file by its name; `unspec` where the list has none. There is no CSV: it goes as `text`."""
    return _DOCTYPES.get(PurePath(filename).suffix.lower(), "unspec")


def charset_of(content: bytes, doctype: str) -> str | None:
    """The CharacterSet of text: UTF-8 where the bytes are that, else windows-1252; None: it is no text."""
    if doctype not in _OF_CHARACTERS:
        return None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "windows-1252"
    return "UTF-8"
