"""Text that a user or a stranger wrote: gene sets, configurations, lists of genes, addresses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from selfcell.config import from_mapping, load_config
from selfcell.data.fetch import cache_dir
from selfcell.errors import ConfigError, DataError
from selfcell.hub import address_of
from selfcell.importer import read_genes
from selfcell.masks.gmt import read_gmt, write_gmt
from tests.fuzz.hostile import TEXT, VALUES, cases, damaged, places, refused_or_done, replaced
from tests.tree import REPO

GMT = b"A\tna\tG1\tG2\nB\tna\tG3\r\nC\tna\tG1\tG4\t\n"
SMOKE = (REPO / "configs/smoke.yaml").read_bytes()
STUDY = yaml.safe_load(SMOKE)
NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\t\n\r\0\x1c\x1d\x1e\x85\u2028\u2029"),
    min_size=1,
    max_size=8,
).filter(lambda name: name == name.strip() and name != "")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path that every case writes anew."""
    return tmp_path_factory.mktemp("text") / "file"


@cases(200)
@given(content=damaged(GMT) | st.binary(max_size=200))
def test_gene_sets_are_read_or_refused(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    sets = refused_or_done(lambda: read_gmt(file))
    if sets is not None:
        assert sets and all(genes and all(genes) for genes in sets.values())


@cases(100)
@given(
    sets=st.dictionaries(NAMES, st.lists(NAMES, min_size=1, max_size=5, unique=True), min_size=1)
)
def test_gene_sets_of_any_name_come_back(file: Path, sets: dict[str, list[str]]) -> None:
    write_gmt(sets.items(), file)
    assert read_gmt(file) == {name: tuple(genes) for name, genes in sets.items()}


@cases(100)
@given(content=damaged(b"ENSG1\tA\nENSG2\tB\n") | st.binary(max_size=60))
def test_lists_of_genes_are_read_or_refused(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    genes = refused_or_done(lambda: read_genes(file))
    assert genes is None or (genes and all(genes) and all(genes.values()))


@cases(200)
@given(path=st.sampled_from(list(places(STUDY))), value=VALUES)
def test_any_value_anywhere_in_a_configuration(path: tuple, value: object) -> None:
    refused_or_done(lambda: from_mapping(replaced(STUDY, path, value)))


@cases(150)
@given(content=damaged(SMOKE) | VALUES.map(lambda value: yaml.safe_dump(value).encode()))
def test_configurations_are_read_or_refused(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    refused_or_done(lambda: load_config(file))


TRICKS = {
    "code": "study: !!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path "
    "[mark]]",
    "module": "!!python/module:os",
    "aliases": "a: &a [x, x, x, x, x, x, x, x, x]\n"
    + "".join(
        f"{b}: &{b} [{', '.join(['*' + a] * 9)}]\n"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "study: *i\n",
    "depth": "[" * 5000,
    "itself": "&a {study: *a}",
    "twice": "study: a\nstudy: b\n",
    "twice inside": SMOKE.decode() + "\npretraining: {steps: 7}\n",
    "date": "study: 2001-01-01",
    "unhashable": "? [a]\n: b\n",
    "whole number": "study: " + "9" * 5000,
}


@pytest.mark.parametrize("trick", TRICKS)
def test_tricks_of_yaml(trick: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(TRICKS[trick])
    with pytest.raises(ConfigError):
        load_config(tmp_path / "study.yaml")
    assert not (tmp_path / "mark").exists()


@cases(300)
@given(text=TEXT | st.from_regex(r"(hf://)?[\w./@-]{1,20}").map(str))
def test_addresses_name_a_folder_of_the_cache(text: str) -> None:
    address = refused_or_done(lambda: address_of(text))
    if address is not None:
        inside = cache_dir() / "hub"
        assert address.folder.parent == inside
        assert address.folder.resolve().parent == inside.resolve()


def test_a_reader_that_lets_others_errors_through_is_seen() -> None:
    with pytest.raises(KeyError):
        refused_or_done(lambda: {}["a"])
    with pytest.raises(DataError):
        raise DataError("what was got")
