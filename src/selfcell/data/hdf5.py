"""HDF5 files as others wrote them: all that they hold must lie in them, and no more.

A link or a data set may name any other file of the machine. Reading it would show that file, and
adding to a copy would write to it, so such a file is refused before anything of it is read. And so
is one of a few bytes that says it holds values by the thousand million: reading makes them all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfcell.errors import DataError

if TYPE_CHECKING:
    import h5py


MOST_PACKED, FREE_BYTES = 5_000, 50_000_000
"""Bytes that a stored one may stand for (deflate reaches a thousand), and what may be beyond it."""


@contextmanager
def opened(path: Path, mode: str = "r", **options: Any) -> Iterator[h5py.File]:
    """An HDF5 file, `options` as h5py takes them. Raises DataError as `require_whole`, and what
    h5py raises."""
    import h5py

    with h5py.File(path, mode, **options) as file:
        require_whole(file)
        yield file


def require_whole(file: h5py.File) -> None:
    """Raise DataError where a part of the file lies in another file, or nowhere; names the part.

    A soft link cannot leave the file but through an external one, which is found by itself.
    """
    import h5py

    for name in _names(file):
        link = file.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise _elsewhere(file, name, "an external link", link.filename)
        if isinstance(link, h5py.HardLink) and isinstance(node := file[name], h5py.Dataset):
            if node.external:
                raise _elsewhere(file, name, "external storage", node.external[0][0])
            if node.is_virtual:
                raise _elsewhere(file, name, "a virtual data set", "other data sets")
            said, held = (node.size or 0) * node.dtype.itemsize, node.id.get_storage_size()
            if said > MOST_PACKED * held + FREE_BYTES:
                raise DataError(
                    f"{name!r} of {file.filename} is said to be {said} bytes, of which {held} lie"
                    " in the file",
                    "a file that holds all of its cells",
                    "take the file anew from where it came",
                )


def _names(file: h5py.File) -> list[str]:
    """All links of the file; those found behind a soft or an external one are not among them."""
    found: list[str] = []
    file.visit_links(found.append)  # h5py loses an error that is raised while it visits
    return found


def _elsewhere(file: h5py.File, name: str, what: str, target: str) -> DataError:
    return DataError(
        f"{file.filename} does not hold {name!r} itself: it is {what} ({target})",
        "a file that holds all of its cells",
        "if you trust the file, write it anew: anndata.read_h5ad(FILE).write_h5ad(NEW)",
    )


def held(group: h5py.Group, name: str) -> Any:
    """What stands under the name; None where nothing does, or what anndata writes for None."""
    if name not in group:
        return None
    node = group[name]  # `get` takes what is damaged for absent
    return None if node.attrs.get("encoding-type") == "null" else node


def members(file: h5py.File, name: str) -> Mapping[str, Any]:
    """What stands in a group; nothing where there is no such group. Raises ValueError for a data
    set in its place: to look for a name in one would read all of it."""
    import h5py

    if name not in file:
        return {}
    if not isinstance(found := file[name], h5py.Group):
        raise ValueError(f"{name} is no group")
    return found
