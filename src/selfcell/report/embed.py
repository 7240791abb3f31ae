"""What a page holds inside itself: pictures, tables to download, captions."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from selfcell.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

TITLE = re.compile(r"\A\*\*(.+?)\*\*\s*", re.DOTALL)
COLOURS = 256  # of an embedded picture: a third of the bytes, and nothing that an eye misses


class Picture(NamedTuple):
    """An embedded picture: address of its data, width and height in pixels."""

    address: str
    width: int
    height: int


class Caption(NamedTuple):
    """A figure's caption: its title as text, the rest as HTML."""

    title: str
    html: str


def address(content: bytes, kind: str) -> str:
    """A `data:` address of some bytes of a media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def picture(path: Path) -> Picture:
    """A PNG with fewer colours and the same pixels; the same file gives the same bytes."""
    from PIL import Image

    with Image.open(path) as image:
        flat = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    flat.save(buffer, "PNG", optimize=True)
    return Picture(address(buffer.getvalue(), "image/png"), *flat.size)


def csv(frame: pd.DataFrame) -> str:
    """Address of a table as csv, with six significant digits."""
    text = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    return address(text.encode("utf-8"), "text/csv")


def caption(path: Path) -> Caption:
    """A caption in reStructuredText that begins with its title in bold.

    Raises:
        DataError: it begins with anything else.
    """
    from docutils.core import publish_parts

    text = path.read_text(encoding="utf-8")
    found = TITLE.match(text)
    if not found:
        raise DataError(f"{path} begins without a title", "**Title.** first", "write one")
    # Nothing but text is wanted: no file or raw HTML comes in through a caption.
    safe = {"file_insertion_enabled": False, "raw_enabled": False, "halt_level": 2}
    parts = publish_parts(text[found.end() :], writer="html5", settings_overrides=safe)
    html = parts["body"].strip().replace(" %", "\u00a0%")
    return Caption(" ".join(found[1].split()).rstrip("."), html)
