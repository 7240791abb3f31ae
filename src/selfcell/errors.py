"""Errors that a user can act on: what was got, what was needed, what to do about it."""

from __future__ import annotations


class SelfcellError(Exception):
    """An error whose message is for the user; scripts print it without a traceback.

    Args:
        got: what was found, with the place it was found in.
        needed: what would have been right.
        remedy: what the user can do.
    """

    def __init__(self, got: str, needed: str = "", remedy: str = "") -> None:
        self.got, self.needed, self.remedy = got, needed, remedy
        parts = [got]
        if needed:
            parts.append(f"needed: {needed}")
        if remedy:
            parts.append(f"remedy: {remedy}")
        super().__init__("; ".join(parts))


class ConfigError(SelfcellError):
    """The configuration cannot be used as it stands."""


class FetchError(SelfcellError):
    """A source could not be fetched, or what came is not what was pinned."""


class DataError(SelfcellError):
    """A data set breaks the contract of `selfcell.data.contract`."""


class StoreError(SelfcellError):
    """A cell store, checkpoint or result file is damaged, foreign or unfinished."""


class DivergenceError(SelfcellError):
    """A loss became NaN or infinite; carries the step in its message."""
