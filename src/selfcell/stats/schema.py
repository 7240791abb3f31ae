"""Typed tables on disk: columns, checks that name the first offending cell, canonical parquet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from selfcell.errors import DataError

ARROW = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "codes": pa.list_(pa.int16()),
}


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: of the column.
        kind: a key of `ARROW`; "codes" is a list of small integers.
        allowed: the values it may take; empty means any.
        pattern: regular expression that the whole text must match; "" means any.
        empty: whether the empty text is allowed.
        nullable: whether a number may be missing.
        minimum: least number allowed.
        before: its value in files of before there was the column; None: such files are refused.
    """

    name: str
    kind: str = "string"
    allowed: tuple[str, ...] = ()
    pattern: str = ""
    empty: bool = False
    nullable: bool = False
    minimum: float | None = None
    before: float | str | None = None

    def wrong(self, values: pd.Series) -> tuple[np.ndarray, str]:
        """Mask of the offending rows, and what was needed."""
        if self.kind == "string":
            return self._wrong_text(values)
        if self.kind == "boolean":
            is_bool = values.map(lambda value: isinstance(value, bool | np.bool_))
            return ~is_bool.to_numpy(bool), "true or false"
        if self.kind == "codes":
            return self._wrong_codes(values)
        return self._wrong_number(values)

    def _wrong_text(self, values: pd.Series) -> tuple[np.ndarray, str]:
        # Each distinct value is judged once: a score table repeats a few of them very often.
        code_N, distinct = pd.factorize(values.to_numpy(object), use_na_sentinel=False)
        bad_K = [not (isinstance(value, str) and self._fits(value)) for value in distinct]
        return np.array(bad_K, dtype=bool)[code_N], self._needed()

    def _fits(self, value: str) -> bool:
        if self.allowed:
            return value in self.allowed
        if self.pattern:
            return re.fullmatch(self.pattern, value) is not None
        return self.empty or value != ""

    def _needed(self) -> str:
        if self.allowed:
            return f"one of {self.allowed}"
        if self.pattern:
            return f"text matching {self.pattern}"
        return "text" if self.empty else "text, not empty"

    def _wrong_number(self, values: pd.Series) -> tuple[np.ndarray, str]:
        number = pd.to_numeric(values, errors="coerce").to_numpy(float)
        bad = ~np.isfinite(number)
        if self.kind == "integer":
            bad |= np.where(bad, 0.0, number) % 1 != 0
        if self.minimum is not None:
            bad |= ~(number >= self.minimum)
        if self.nullable:
            bad &= ~values.isna().to_numpy(bool)
        bound = "" if self.minimum is None else f" >= {self.minimum:g}"
        needed = ("an integer" if self.kind == "integer" else "a finite number") + bound
        return bad, needed + ", or nothing" * self.nullable

    @staticmethod
    def _wrong_codes(values: pd.Series) -> tuple[np.ndarray, str]:
        def right(value: object) -> bool:
            try:
                array = np.asarray(value)
            except ValueError:
                return False
            whole = array.ndim == 1 and array.size > 0 and array.dtype.kind in "iu"
            return bool(whole and array.min() >= 0 and array.max() <= np.iinfo(np.int16).max)

        return ~values.map(right).to_numpy(bool), "a list of class codes from 0 to 32767"


@dataclass(frozen=True)
class Table:
    """A table with fixed columns.

    Attributes:
        name: used in messages.
        columns: in file order.
        key: columns that together name a row; no two rows share them, and files are sorted by
            them, so that the same rows give the same bytes.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Column names in file order."""
        return [column.name for column in self.columns]

    def check(self, frame: pd.DataFrame) -> None:
        """Raise DataError naming the first offending row and column."""
        self._check_columns(list(frame.columns))
        first: tuple[int, str, object, str] | None = None
        for column in self.columns:
            bad, needed = column.wrong(frame[column.name])
            if bad.any() and (first is None or int(bad.argmax()) < first[0]):
                row = int(bad.argmax())
                first = (row, column.name, frame[column.name].iloc[row], needed)
        if first is not None:
            self.refuse(*first)
        twice = frame.duplicated(list(self.key)).to_numpy(bool)
        if twice.any():
            row = int(twice.argmax())
            named = {name: frame[name].iloc[row] for name in self.key}
            raise DataError(
                f"{self.name} row {row} repeats an earlier row: {named}", "one row each"
            )

    def _check_columns(self, got: Sequence[str]) -> None:
        missing = [name for name in self.names if name not in got]
        extra = [name for name in got if name not in self.names]
        if missing or extra:
            raise DataError(
                f"{self.name} table: columns missing {missing}, unknown {extra}",
                f"exactly {self.names}",
            )

    def refuse(self, row: int, column: str, value: object, needed: str) -> None:
        """Raise the DataError for one cell of the table."""
        raise DataError(f"{self.name} row {row}, column {column}: {value!r}", needed)

    def write(self, frame: pd.DataFrame, path: Path | str) -> None:
        """Check and write parquet: sorted rows, no dictionary, no library metadata."""
        self.check(frame)
        ordered = frame[self.names].sort_values(list(self.key), kind="stable")
        schema = pa.schema([(column.name, ARROW[column.kind]) for column in self.columns])
        arrow = pa.Table.from_pandas(ordered, schema=schema, preserve_index=False)
        pq.write_table(
            arrow.replace_schema_metadata(None), path, use_dictionary=False, compression="zstd"
        )

    def read(self, path: Path | str) -> pd.DataFrame:
        """Read and check one file. Raises DataError for a file that is not this table."""
        return self._typed(_read_arrow(Path(path)))

    def concat(self, paths: Iterable[Path | str]) -> pd.DataFrame:
        """Read many files as one table, checked as a whole, in key order."""
        parts = [_read_arrow(Path(path)) for path in paths]
        for part in parts:
            self._check_columns(part.column_names)
        schema = pa.schema([(column.name, ARROW[column.kind]) for column in self.columns])
        whole = (
            pa.concat_tables([part.select(self.names).cast(schema) for part in parts])
            if (parts)
            else schema.empty_table()
        )
        frame = self._typed(whole)
        return frame.sort_values(list(self.key), kind="stable").reset_index(drop=True)

    def _typed(self, arrow: pa.Table) -> pd.DataFrame:
        frame = arrow.to_pandas()
        for place, column in enumerate(self.columns):
            if column.before is not None and column.name not in frame:
                frame.insert(min(place, frame.shape[1]), column.name, column.before)
        self.check(frame)
        return frame


def _read_arrow(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, partitioning=None)
    except (pa.ArrowInvalid, pa.ArrowException) as error:
        raise DataError(f"{path}: {error}", "a parquet file", "delete it and run again") from error
