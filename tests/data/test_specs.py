import pytest

from selfcell.data.specs import (
    CorpusSpec,
    LabelSpec,
    SplitSpec,
    VocabularySpec,
    named_paths,
    read_spec,
    read_specs,
)
from selfcell.errors import ConfigError

SPLIT = '{"target": "t", "dataset": "a", "kind": "fraction"%s}'


def test_specs_are_read_from_json() -> None:
    spec = read_spec(SplitSpec, SPLIT % ', "seed": 3', "--spec")
    assert (spec.seed, spec.test_fraction, spec.by) == (3, 0.5, "cell")
    corpora = read_specs(CorpusSpec, '[{"name": "c", "sources": [{"dataset": "a"}]}]', "--corpora")
    assert corpora[0].sources[0].dataset == "a"


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="test_fraction"):
        read_spec(SplitSpec, SPLIT % ', "test_fractoin": 0.2', "--spec")


@pytest.mark.parametrize(
    "extra",
    [
        ', "column": "donor"',
        ', "test_fraction": 1.0',
        ', "kind": "column", "train": ["x"], "test": ["y"]',
        ', "kind": "column", "column": "label", "train": ["x"], "test": ["y"]',
        ', "kind": "column", "column": "donor", "train": ["x"]',
        ', "kind": "where", "train": ["x"], "test": ["y"]',
    ],
)
def test_a_split_that_says_too_little_or_too_much_is_refused(extra: str) -> None:
    with pytest.raises(ConfigError):
        read_spec(SplitSpec, SPLIT % extra, "--spec")


@pytest.mark.parametrize("regimes", ["[]", "[10, 3]", "[3, 3]", "[0]", '["all", 3]', '["most"]'])
def test_regimes_ascend(regimes: str) -> None:
    with pytest.raises(ConfigError):
        read_spec(LabelSpec, f'{{"regimes": {regimes}}}', "--labels")


def test_a_corpus_is_never_chosen_by_label() -> None:
    text = '{"name": "c", "sources": [{"dataset": "a", "where": {"label": ["beta"]}}]}'
    with pytest.raises(ConfigError, match="label"):
        read_spec(CorpusSpec, text, "--corpora")


def test_a_corpus_source_is_a_pool_or_a_condition_not_both() -> None:
    text = (
        '{"name": "c", "sources": [{"dataset": "a", "pool_of": "t", "where": {"donor": ["d1"]}}]}'
    )
    with pytest.raises(ConfigError, match="not both"):
        read_spec(CorpusSpec, text, "--corpora")


@pytest.mark.parametrize("text", ["{", "[1]", '"x"'])
def test_text_that_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--options"):
        read_spec(VocabularySpec, text, "--options")
    with pytest.raises(ConfigError, match="--options"):
        read_specs(VocabularySpec, text, "--options")


def test_named_paths() -> None:
    assert named_paths(["a=x=y", "b=z"], "--cells") == {"a": "x=y", "b": "z"}
    for wrong in (["a"], ["a="], ["a=x", "a=y"]):
        with pytest.raises(ConfigError, match="--cells"):
            named_paths(wrong, "--cells")
