"""Checkpoints of the released layouts, made here: what they compute, and what is refused."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from anndata import AnnData
from torch import nn

import selfcell
from selfcell import cli
from selfcell.api import EMBEDDING, Model
from selfcell.errors import DataError, StoreError
from selfcell.importer import LICENCE, METHODS, import_checkpoint, read_genes
from selfcell.modelcard import markdown
from tests.cells import user_cells

GENES, WIDTHS, TYPES = 30, (12, 10, 6), 4


def released(widths: tuple[int, ...], activation: type[nn.Module], inputs: int) -> nn.Sequential:
    """Layers as the released code stacks them: nothing after the last linear one."""
    layers: list[nn.Module] = []
    for width in widths[:-1]:
        layers += [nn.Linear(inputs, width), activation(), nn.Dropout(0.1)]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, widths[-1])).eval()


def head(inputs: int) -> nn.Sequential:
    """A projector or predictor of the released contrastive models."""
    return nn.Sequential(nn.Linear(inputs, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5))


def named(**parts: nn.Module) -> dict[str, torch.Tensor]:
    """The state of a module with these parts; `__` stands for a dot."""
    state = {}
    for prefix, part in parts.items():
        for name, value in part.state_dict().items():
            state[f"{prefix.replace('__', '.')}.{name}"] = value
    return state


def lightning(state: dict[str, torch.Tensor]) -> dict[str, Any]:
    """The weights as Lightning wraps them."""
    wrapped = {"epoch": 3, "global_step": 40, "pytorch-lightning_version": "2.0.1"}
    loops = {"fit_loop": {"epoch_progress": {"current": {"ready": 4}}}}
    callbacks = {"ModelCheckpoint": {"best_model_score": torch.tensor(0.1), "monitor": "val_loss"}}
    optimiser = [{"state": {}, "param_groups": [{"lr": 1e-3, "params": [0, 1]}]}]
    return {
        **wrapped, "state_dict": state, "loops": loops, "callbacks": callbacks,
        "optimizer_states": optimiser, "lr_schedulers": [{"gamma": 0.9, "step_size": 2}],
    }  # fmt: skip


def masked(encoder: nn.Sequential) -> Any:
    """A masked autoencoder, negative binomial."""
    decoder = nn.Sequential(released((10, 12, 2 * GENES), nn.SELU, WIDTHS[-1]), nn.Softplus())
    return lightning({**named(encoder=encoder, decoder=decoder), "px_r": torch.zeros(GENES)})


def byol(encoder: nn.Sequential) -> Any:
    """BYOL, whose encoder stands under four names, the target's being another."""
    target = released(WIDTHS, nn.SELU, GENES)
    return lightning(
        named(
            byol__target_encoder__net=target, inner_model=encoder, byol__net=encoder,
            byol__online_encoder__net=encoder, byol__online_encoder__projector=head(10),
            byol__online_predictor=head(5),
        )
    )  # fmt: skip


def simsiam(encoder: nn.Sequential) -> Any:
    """As BYOL, without target."""
    parts = {"inner_model": encoder, "byol__net": encoder, "byol__online_encoder__net": encoder}
    return lightning(named(**parts, byol__online_predictor=head(5)))


def barlow(encoder: nn.Sequential) -> Any:
    """Barlow Twins, which saved its weights alone."""
    return named(backbone=encoder, projector=head(6), bn=nn.BatchNorm1d(5, affine=False))


def barlow_lightning(encoder: nn.Sequential) -> Any:
    """Barlow Twins as Lightning would save it."""
    parts = {"inner_model": encoder, "barlow_twins__backbone": encoder}
    return lightning(named(**parts, barlow_twins__projector=head(6)))


MAKERS: dict[str, tuple[Callable[[nn.Sequential], Any], str]] = {
    "masked": (masked, "random_mask"),
    "BYOL": (byol, "byol"),
    "SimSiam": (simsiam, "simsiam"),
    "Barlow Twins": (barlow, "barlow_twins"),
    "Barlow Twins of Lightning": (barlow_lightning, "barlow_twins"),
}


def written(path: Path, value: Any) -> Path:
    """A checkpoint of that content."""
    torch.save(value, path)
    return path


def genes(n: int = GENES) -> dict[str, str]:
    """The first so many genes of the user's cells."""
    table = user_cells(4).var["ensembl"][:n]
    return {str(ensembl): str(symbol) for symbol, ensembl in table.items()}


def cells() -> AnnData:
    """Cells with counts in the model's genes and in others."""
    made = user_cells(50)
    made.X = made.X + made.X  # no whole multiple of what follows
    return made


def expected(network: nn.Module, made: AnnData, scaled_by: int = GENES) -> np.ndarray:
    """Counts of the model's genes to 10,000 of the first so many genes, log1p, through the
    network."""
    count_NG = made.X.toarray()
    total_N = count_NG[:, :scaled_by].sum(1, keepdims=True)
    x_NG = np.log1p(count_NG[:, :GENES] / total_N * 1e4)
    with torch.no_grad():
        return network(torch.as_tensor(x_NG, dtype=torch.float32)).numpy()


@pytest.mark.parametrize("kind", MAKERS)
def test_an_encoder_embeds_as_it_did_where_it_was_trained(kind: str, tmp_path: Path) -> None:
    make, method = MAKERS[kind]
    encoder, made = released(WIDTHS, nn.SELU, GENES), cells()
    trained = import_checkpoint(written(tmp_path / "c.ckpt", make(encoder)), genes())
    assert (trained.about["spec"]["method"], trained.status) == (method, "unchecked")
    Model(trained).save(tmp_path / "model")
    selfcell.load(tmp_path / "model").embed(made)
    np.testing.assert_allclose(made.obsm[EMBEDDING], expected(encoder, made), atol=1e-4)


def test_cells_of_a_model_of_variable_genes_are_scaled_over_all(tmp_path: Path) -> None:
    encoder, made = released(WIDTHS, nn.SELU, GENES), cells()
    path = written(tmp_path / "c.ckpt", masked(encoder))
    Model(import_checkpoint(path, genes(), variable_genes=True)).embed(made)
    np.testing.assert_allclose(made.obsm[EMBEDDING], expected(encoder, made, 96), atol=1e-4)


def test_a_classifier_gives_what_goes_into_its_last_layer(tmp_path: Path) -> None:
    network, made = released((*WIDTHS, TYPES), nn.ReLU, GENES), cells()
    lookups = {"class_weights": torch.ones(TYPES), "child_lookup": torch.eye(TYPES).long()}
    state = lightning({**named(classifier=network), **lookups})
    trained = import_checkpoint(written(tmp_path / "c.ckpt", state), genes())
    assert trained.about["spec"]["network"]["hidden"] == list(WIDTHS)
    Model(trained).embed(made)
    np.testing.assert_allclose(made.obsm[EMBEDDING], expected(network[:-1], made), atol=1e-4)


def test_what_is_known_of_it_is_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "best.ckpt", masked(released(WIDTHS, nn.SELU, GENES)))
    trained = import_checkpoint(path, genes(), "gene_programme", "MIT")
    Model(trained).save(tmp_path / "model")
    about = selfcell.load(tmp_path / "model").trained.about
    assert about["imported"]["file"] == "best.ckpt" and len(about["imported"]["sha256"]) == 64
    card = markdown(about, "model")
    for said in ("best.ckpt", "gene_programme", "MIT", "gate was not run", "12-10-6, selu"):
        assert said in card
    assert not caplog.records


def test_genes_are_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "genes.txt"
    path.write_text("ENSG2\tB\nENSG1\n", encoding="utf-8")
    assert list(read_genes(path).items()) == [("ENSG2", "B"), ("ENSG1", "ENSG1")]
    wrong = {b"": "no gene", b"A\n\nB": "line 2: no gene", b"A\nA": "A again", b"\xff": "as text"}
    for content, said in wrong.items():
        path.write_bytes(content)
        with pytest.raises(DataError, match=said):
            read_genes(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_genes(tmp_path / "absent")


def test_another_number_of_genes_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "c.ckpt", masked(released(WIDTHS, nn.SELU, GENES)))
    with pytest.raises(DataError, match="takes 30 genes, 29 were named"):
        import_checkpoint(path, genes(29))


class Harmful:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(dump(value))])
def test_code_in_a_checkpoint_is_not_run(save: Callable[..., Any], tmp_path: Path) -> None:
    state = masked(released(WIDTHS, nn.SELU, GENES))
    mark = tmp_path / "mark"
    save({**state, "hyper_parameters": Harmful(mark)}, tmp_path / "c.ckpt")
    with pytest.raises(StoreError, match="as tensors alone .*save its weights alone"):
        import_checkpoint(tmp_path / "c.ckpt", genes())
    assert not mark.exists()


def dump(value: Any) -> bytes:
    """A bare pickle."""
    return pickle.dumps({**value, "state_dict": {}}, protocol=2)


def test_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        import_checkpoint(tmp_path / "absent.ckpt", genes())
    whole = written(tmp_path / "c.ckpt", masked(released(WIDTHS, nn.SELU, GENES))).read_bytes()
    for content in (b"", b"no pickle", whole[: len(whole) // 2]):
        (tmp_path / "c.ckpt").write_bytes(content)
        with pytest.raises(StoreError, match=r"c\.ckpt"):
            import_checkpoint(tmp_path / "c.ckpt", genes())


def test_the_command_writes_a_model_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hook in ("excepthook", "unraisablehook"):
        monkeypatch.setattr(sys, hook, getattr(sys, hook))
    path = written(tmp_path / "c.ckpt", masked(released(WIDTHS, nn.SELU, GENES)))
    listed = "".join(f"{gene}\t{symbol}\n" for gene, symbol in genes().items())
    (tmp_path / "genes.txt").write_text(listed)
    words = ["import-checkpoint", path, "--genes", tmp_path / "genes.txt", "--json"]
    cli.main([str(word) for word in [*words, "--out", tmp_path / "model"]])
    report = json.loads(capsys.readouterr().out)
    assert (report["method"], report["genes"], report["widths"]) == ("random_mask", 30, [12, 10, 6])
    assert selfcell.load(tmp_path / "model").trained.symbols == list(genes().values())
    with pytest.raises(SystemExit, match="2"):
        cli.main([str(word) for word in [*words, "--out", tmp_path / "model"]])
    assert "is there already" in capsys.readouterr().err


def test_the_methods_it_tells_are_named() -> None:
    assert METHODS == ("byol", "simsiam", "barlow_twins", "random_mask", "supervised")
    assert LICENCE
