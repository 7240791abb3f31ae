"""The score table's contract, and that its schema file says the same."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
import score_factory as factory
import yaml

from selfcell.errors import DataError
from selfcell.stats import table
from selfcell.stats.predictions import PREDICTIONS

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "scores.schema.yaml"
TYPES = {"string": "string", "integer": "integer", "number": "number", "boolean": "boolean"}


@pytest.fixture(scope="module")
def made() -> factory.Made:
    return factory.study(pretexts=("random_mask",), seeds=2, draws=2, scale=0.1)


@pytest.fixture
def scores(made: factory.Made) -> pd.DataFrame:
    return made.scores.head(60).reset_index(drop=True)


def schema() -> dict:
    return yaml.safe_load(SCHEMA.read_text())


def test_schema_and_code_hold_the_same_columns() -> None:
    properties = schema()["properties"]
    assert list(properties) == table.COLUMNS == schema()["required"]
    for column in table.SCORES.columns:
        entry = properties[column.name]
        kinds = entry["type"] if isinstance(entry["type"], list) else [entry["type"]]
        assert kinds[0] == TYPES[column.kind], column.name
        assert ("null" in kinds) == column.nullable, column.name
        assert tuple(entry.get("enum", ())) == column.allowed, column.name
        assert entry.get("pattern", "") == (f"^({column.pattern})$" if column.pattern else "")
        assert entry.get("minimum") == column.minimum, column.name
        assert entry["description"].strip()


def test_rows_pass_the_schema_as_they_pass_the_code(scores: pd.DataFrame) -> None:
    table.validate(scores)
    validator = jsonschema.Draft202012Validator(schema())
    for row in scores.to_dict("records"):
        validator.validate(row)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("study", ""),
        ("task", "guess"),
        ("regime", "ten"),
        ("seed", -1),
        ("draw", 1.5),
        ("readout", None),
        ("status", "failed"),
        ("value", np.inf),
        ("value", np.nan),
        ("value", 1.2),
        ("label", 3),
        ("n_test", 0),
        ("higher_is_better", "yes"),
        ("metric", "Macro F1"),
    ],
)
def test_first_offending_row_and_column_are_named(
    scores: pd.DataFrame, column: str, value: object
) -> None:
    scores[column] = scores[column].astype(object)
    scores.at[7, column] = value
    scores.at[9, column] = value
    with pytest.raises(DataError, match=f"scores row 7, column {column}"):
        table.validate(scores)


def test_value_and_status_agree(scores: pd.DataFrame) -> None:
    scores.loc[4, "status"] = "diverged"
    with pytest.raises(DataError, match="row 4, column value"):
        table.validate(scores)
    scores.loc[4, "value"] = np.nan
    table.validate(scores)
    scores.loc[4, "status"] = "collapsed"
    table.validate(scores)
    scores.loc[4, "status"] = "not_learned"
    with pytest.raises(DataError, match="row 4, column value"):
        table.validate(scores)


def test_label_stands_at_level_type_alone(scores: pd.DataFrame) -> None:
    row = int(np.argmax(scores.level == "type"))
    scores.loc[row, "label"] = ""
    with pytest.raises(DataError, match=f"row {row}, column label"):
        table.validate(scores)


def test_missing_unknown_and_repeated(scores: pd.DataFrame) -> None:
    with pytest.raises(DataError, match="columns missing \\['draw'\\]"):
        table.validate(scores.drop(columns="draw"))
    with pytest.raises(DataError, match="unknown \\['extra'\\]"):
        table.validate(scores.assign(extra=1))
    with pytest.raises(DataError, match="repeats an earlier row"):
        table.validate(pd.concat([scores, scores.tail(1)], ignore_index=True))


def test_same_rows_give_the_same_bytes(scores: pd.DataFrame, tmp_path: Path) -> None:
    scores.loc[4, ["status", "value"]] = ["diverged", np.nan]
    table.write(scores, tmp_path / "a.parquet")
    shuffled = scores.sample(frac=1, random_state=0)
    table.write(shuffled[shuffled.columns[::-1]], tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    back = table.read(tmp_path / "a.parquet")
    assert list(back.columns) == table.COLUMNS
    assert back.value.isna().sum() == 1
    table.write(scores.head(20), tmp_path / "c.parquet")
    table.write(scores.tail(len(scores) - 20), tmp_path / "d.parquet")
    both = table.concat([tmp_path / "d.parquet", tmp_path / "c.parquet"])
    pd.testing.assert_frame_equal(both, back)


def test_a_damaged_file_is_refused(tmp_path: Path, scores: pd.DataFrame) -> None:
    path = tmp_path / "a.parquet"
    table.write(scores, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="a parquet file"):
        table.read(path)


def test_predictions_survive_the_disk(made: factory.Made, tmp_path: Path) -> None:
    PREDICTIONS.write(made.predictions, tmp_path / "a.parquet")
    PREDICTIONS.write(made.predictions.sample(frac=1, random_state=1), tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    back = PREDICTIONS.read(tmp_path / "a.parquet")
    ordered = made.predictions.sort_values(list(PREDICTIONS.key))
    for ours, theirs in zip(back.predicted, ordered.predicted, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("codes", [[-1, 2], [0.5, 1.0], [], "ab"])
def test_bad_codes_are_refused(made: factory.Made, codes: object) -> None:
    frame = made.predictions.head(3).reset_index(drop=True)
    frame["predicted"] = pd.Series([frame.predicted[0], codes, frame.predicted[2]])
    with pytest.raises(DataError, match="predictions row 1, column predicted"):
        PREDICTIONS.check(frame)


def test_overall_rows_are_of_the_study_s_own_protocol(made: factory.Made) -> None:
    """Re-scores are published in any study; what is between the protocols is never the study's."""
    rows = made.scores[made.scores.level == "overall"].head(30).reset_index(drop=True)
    intended = [*["intended"] * 10, *["published"] * 10, *["mixed"] * 10]
    pd.testing.assert_frame_equal(
        table.overall(rows.assign(protocol=intended), "macro_f1"),
        rows.assign(protocol=intended).iloc[:10],
    )
    published = [*["published"] * 20, *["mixed"] * 10]
    own = table.overall(rows.assign(protocol=published), "macro_f1")
    assert own.index.tolist() == list(range(20))
