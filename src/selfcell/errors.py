"""Errors that a user can act on: what was got, what was needed, what to do about it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


class StudyError(SelfcellError):
    """A study did not run to its end."""


class DivergenceError(SelfcellError):
    """A loss became NaN or infinite; carries the step in its message."""


class ProcessError(SelfcellError):
    """A process of a run of several was killed."""


@contextmanager
def intact(path: Path | str) -> Iterator[None]:
    """Say that a file of the study is damaged where reading it fails.

    Raises StoreError for what libraries raise on broken content; that a file is missing, or may
    not be read, stays the system's own error.
    """
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise type(error)(error.errno, os.strerror(error.errno), str(path)) from error
        detail = " ".join(str(error).split())
        raise StoreError(
            f"{path} is damaged ({detail})", "a whole file", "delete it and run again"
        ) from error


@contextmanager
def readable(what: str, form: str) -> Iterator[None]:
    """Say that a file from elsewhere cannot be read where reading it fails.

    Raises DataError for whatever the libraries raise: on a damaged file that may be anything.
    """
    try:
        yield
    except SelfcellError:
        raise
    except MemoryError as error:
        raise DataError(
            f"{what} asks for more memory than there is ({error})",
            f"an intact {form} file, and memory for it",
            "if the file is smaller than that it is damaged: copy it anew",
        ) from error
    except Exception as error:
        raise DataError(
            f"{what} cannot be read as {form} ({type(error).__name__}: {error})",
            f"an intact {form} file",
            "copy it anew, write it again with a current anndata, or give it the ending of its "
            "format",
        ) from error
