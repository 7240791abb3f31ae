"""Models, checkpoints and archives of strangers: read or refused, and nothing else happens."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from selfcell.data.archive import extract
from selfcell.importer import import_checkpoint, read_state
from selfcell.modelcard import front_matter, markdown
from selfcell.tasks.model import FORMAT, load
from selfcell.train.checkpoint import StateFile
from tests.fuzz.hostile import (
    TEXT,
    VALUES,
    cases,
    damaged,
    nothing_but,
    places,
    refused_or_done,
    replaced,
)
from tests.tree import REPO

GOLDEN = REPO / f"tests/golden/model-{FORMAT}"
ABOUT = json.loads((GOLDEN / "model.json").read_text())
WEIGHTS = (GOLDEN / "weights.safetensors").read_bytes()
GENES = {f"ENSG{i}": f"G{i}" for i in range(4)}
STATE = {
    "encoder.0.weight": torch.zeros(3, 4), "encoder.0.bias": torch.zeros(3),
    "encoder.3.weight": torch.zeros(2, 3), "encoder.3.bias": torch.zeros(2),
    "decoder.0.0.weight": torch.zeros(4, 2),
}  # fmt: skip


def saved(value: Any) -> bytes:
    """What torch.save writes."""
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


CHECKPOINT = saved({"state_dict": STATE, "epoch": 1})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that every case fills anew."""
    made = tmp_path_factory.mktemp("binary")
    (made / "model").mkdir()
    return made


def model_of(folder: Path, about: bytes, weights: bytes) -> Path:
    """A model folder with that content."""
    (folder / "model/model.json").write_bytes(about)
    (folder / "model/weights.safetensors").write_bytes(weights)
    return folder / "model"


@cases(200)
@given(path=st.sampled_from(list(places(ABOUT))), value=VALUES)
def test_any_value_anywhere_in_a_model(path: tuple, value: object, folder: Path) -> None:
    about = json.dumps(replaced(ABOUT, path, value)).encode()
    model_of(folder, about, WEIGHTS)
    trained = refused_or_done(lambda: load(folder / "model"))
    if trained is not None:
        assert len(trained.gene_ids) == len(trained.symbols)


@cases(100)
@given(content=damaged(json.dumps(ABOUT).encode()))
def test_damaged_descriptions_of_models(content: bytes, folder: Path) -> None:
    refused_or_done(lambda: load(model_of(folder, content, WEIGHTS)))


@cases(150)
@given(content=damaged(WEIGHTS))
def test_damaged_weights_of_models(content: bytes, folder: Path) -> None:
    refused_or_done(lambda: load(model_of(folder, json.dumps(ABOUT).encode(), content)))


@pytest.mark.parametrize("text", ["[" * 10_000, '{"a":' * 10_000, "9" * 10_000, "NaN", ""])
def test_tricks_of_json(text: str, folder: Path) -> None:
    assert refused_or_done(lambda: load(model_of(folder, text.encode(), WEIGHTS))) is None


@cases(100)
@given(content=damaged(WEIGHTS))
def test_damaged_states_of_training(content: bytes, folder: Path) -> None:
    (folder / "state").write_bytes(content)
    network = torch.nn.Linear(2, 2)
    optimiser = torch.optim.AdamW(network.parameters())
    refused_or_done(lambda: StateFile(folder / "state", "run").load(network, optimiser))


@cases(200)
@given(content=damaged(CHECKPOINT))
def test_damaged_checkpoints(content: bytes, folder: Path) -> None:
    (folder / "c.ckpt").write_bytes(content)
    with nothing_but(folder):
        refused_or_done(lambda: import_checkpoint(folder / "c.ckpt", GENES))


NAMES = st.sampled_from([*STATE, "inner_model.0.weight", "backbone.0.bias", "encoder.²", "x"])
SHAPES = st.lists(st.integers(0, 5), max_size=3)


@cases(100)
@given(shapes=st.dictionaries(NAMES | TEXT, SHAPES | st.none(), max_size=6), wrapped=st.booleans())
def test_checkpoints_of_any_layout(
    shapes: dict[str, list[int] | None], wrapped: bool, folder: Path
) -> None:
    state = {name: None if s is None else torch.ones(s) for name, s in shapes.items()}
    changed = {**STATE, **state}
    (folder / "c.ckpt").write_bytes(saved({"state_dict": changed} if wrapped else changed))
    trained = refused_or_done(lambda: import_checkpoint(folder / "c.ckpt", GENES))
    assert trained is None or len(trained.gene_ids) == 4


class Call:
    """Pickles as a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.arguments


HARMS: dict[str, Callable[[Path], Call]] = {
    "touch": lambda mark: Call(Path.touch, mark),
    "open": lambda mark: Call(open, str(mark), "w"),
    "system": lambda mark: Call(os.system, f"touch {mark}"),
    "eval": lambda mark: Call(eval, f"open({str(mark)!r}, 'w')"),
    "exec": lambda mark: Call(exec, f"open({str(mark)!r}, 'w')"),
    "load": lambda mark: Call(torch.load, str(mark)),
    "getattr": lambda mark: Call(getattr, Call(Path, str(mark)), "touch"),
}


@cases(80)
@given(
    harm=st.sampled_from(list(HARMS)),
    key=st.sampled_from(["state_dict", "hyper_parameters", "callbacks", "encoder.0.weight"]),
    protocol=st.integers(2, 5),
    zipped=st.booleans(),
)
def test_code_in_checkpoints_is_not_run(
    harm: str, key: str, protocol: int, zipped: bool, folder: Path
) -> None:
    value = {"state_dict": STATE, key: HARMS[harm](folder / "mark")}
    path = folder / "c.ckpt"
    if zipped:
        path.write_bytes(saved(value))
    else:
        path.write_bytes(pickle.dumps(HARMS[harm](folder / "mark"), protocol=protocol))
    with nothing_but(folder):
        assert refused_or_done(lambda: read_state(path)) is None


MEMBERS = st.sampled_from(
    ["a.txt", "d/a.txt", "../a.txt", "/a.txt", "..", ".", "", "d/../../a.txt", "..\\a.txt", "d"]
)


def zipped(members: list[tuple[str, bytes, str]]) -> bytes:
    """A zip of these members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names that stand twice
        for name, content, _ in members:
            file.writestr(zipfile.ZipInfo(name or "empty"), content)
    return stream.getvalue()


def tarred(members: list[tuple[str, bytes, str]]) -> bytes:
    """A tar of these members: files, and links to what the content says."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as file:
        for name, content, kind in members:
            entry = tarfile.TarInfo(name)
            if kind != "file":
                entry.type = {"soft": tarfile.SYMTYPE, "hard": tarfile.LNKTYPE}.get(
                    kind, tarfile.CHRTYPE
                )
                entry.linkname = "../../etc/passwd"
                file.addfile(entry)
            else:
                entry.size = len(content)
                file.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


ONE = ("a.txt", b"x" * 500, "file")
KINDS = st.sampled_from(["file", "file", "soft", "hard", "device"])


@cases(250)
@given(
    members=st.lists(st.tuples(MEMBERS, st.binary(max_size=20), KINDS), max_size=4),
    wanted=st.lists(MEMBERS, min_size=1, max_size=3),
    make=st.sampled_from([zipped, tarred]),
)
def test_archives_write_one_file(
    members: list, wanted: list[str], make: Callable[[list], bytes], folder: Path
) -> None:
    (folder / "archive").write_bytes(make(members))
    (folder / "out").unlink(missing_ok=True)
    with nothing_but(folder, "out"):
        refused_or_done(lambda: extract(folder / "archive", wanted, folder / "out"))
    if (folder / "out").exists():
        assert (folder / "out").read_bytes() in {content for _, content, _ in members}


def packed(kind: int) -> bytes:
    """A zip whose member is compressed."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as file:
        file.writestr("a.txt", bytes(range(256)) * 8)
    return stream.getvalue()


PACKED = [packed(kind) for kind in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)]
WHOLE = [zipped([ONE]), tarred([ONE]), *PACKED, gzip.compress(tarred([ONE]))]


@cases(600)
@given(content=st.sampled_from(WHOLE).flatmap(damaged))
def test_damaged_archives(content: bytes, folder: Path) -> None:
    (folder / "archive").write_bytes(content)
    with nothing_but(folder, "out"):
        refused_or_done(lambda: extract(folder / "archive", ["a.txt"], folder / "out"))


@cases(100)
@given(path=st.sampled_from(list(places(ABOUT))), value=TEXT)
def test_cards_of_models_that_load(path: tuple, value: str, folder: Path) -> None:
    model_of(folder, json.dumps(replaced(ABOUT, path, value)).encode(), WEIGHTS)
    trained = refused_or_done(lambda: load(folder / "model"))
    if trained is not None:
        refused_or_done(lambda: markdown(trained.about, "m") + front_matter(trained.about))
