"""Every figure: legible, on the page, not blank, the same bytes twice, and its numbers right."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import matplotlib.text
import numpy as np
import pandas as pd
import pytest
import score_factory as factory
from matplotlib.figure import Figure

from selfcell import figures
from selfcell.claims import load
from selfcell.errors import DataError
from selfcell.figures import (
    claims,
    contrasts,
    embedding,
    label_efficiency,
    pretexts,
    qc,
    style,
    training,
)
from selfcell.stats.by_type import TUNED, changes
from selfcell.stats.claims import Ours, ledger
from selfcell.stats.contrasts import Spec, contrast_table
from selfcell.stats.published import FOLDER
from selfcell.stats.table import overall
from tests.tree import REPO

REPORT = Path(__file__).parents[2] / "workflow" / "report"
RELEASED = Path(__file__).parents[2] / "results" / "released" / "default" / "figures"
PRETEXTS = tuple(factory.PRETEXTS)
ROLES = {("baron", "kang_ctrl"): "negative control"}
SPEC = Spec(resamples=20, negative_controls={"baron": ["kang_ctrl"]})


@pytest.fixture(scope="module")
def small() -> factory.Made:
    return made_study(("pbmc3k",), ("random_mask", "byol"))


def histories(tasks: tuple[str, ...]) -> dict[tuple[str, str, int], pd.DataFrame]:
    runs = {}
    for number, method in enumerate(tasks):
        for corpus in ("kang_ctrl", "baron_pool"):
            for seed in range(2):
                step = np.arange(20.0, 401.0, 20.0)
                gate = "skill" if number % 2 else "retrieval"
                values = {"step": step, "loss": 1 / step + seed, gate: step * (seed + 1)}
                values |= {"rank": 10.0 + number + seed * step / 400, "spread": 0 * step + 0.5}
                values |= {"gate": 0 * step + 0.05} if gate == "skill" else {}
                runs[(corpus, method, seed)] = pd.DataFrame(values)
    return runs


def cells() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    parts = []
    for target in ("pbmc3k", "baron"):
        names = list(factory.TYPES[target])
        for method in ("random_mask", "pca"):
            label = rng.integers(0, len(names), 300)
            centre = 6 * rng.normal(size=(len(names), 2))
            xy = centre[label] + rng.normal(size=(300, 2))
            part = {"umap1": xy[:, 0], "umap2": xy[:, 1], "label": [names[i] for i in label]}
            batch = rng.choice(factory.DONORS[target], 300)
            parts.append(
                pd.DataFrame(part).assign(
                    target=target, corpus="kang_ctrl", method=method, batch=batch, extra=1
                )
            )
    return pd.concat(parts, ignore_index=True)


def quality() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(1)
    found = {}
    for name, share in (("kang", False), ("pbmc3k", True), ("baron", False)):
        counts = np.exp(rng.normal(7.6, 0.5, 500)).astype(int)
        frame = pd.DataFrame({"total_counts": counts, "n_genes": (counts**0.88).astype(int)})
        frame["pct_mito"] = rng.gamma(3, 0.8, 500) if share else np.nan
        frame["reason"] = np.where(rng.uniform(size=500) < 0.02, "few_genes", "")
        found[name] = frame
    return found


@functools.cache
def made_table(name: str, size: str) -> pd.DataFrame:
    """The input table of a figure: of two pretext tasks on one target, or of all on all."""
    if size == "small":
        targets, tasks = ("pbmc3k",), ("random_mask", "byol")
    else:
        targets, tasks = ("pbmc3k", "kang_stim", "baron"), PRETEXTS
    if name == "claims":
        return claims.summary(ledger_of(made_study(targets, tasks)))
    if name in ("label_efficiency", "pretexts", "contrasts", "per_type"):
        made = made_study(targets, tasks)
        if name == "label_efficiency":
            return label_efficiency.summary(overall(made.scores, "macro_f1"), ROLES)
        if name == "pretexts":
            return pretexts.summary(overall(made.scores, "macro_f1"), ROLES)
        if name == "per_type":
            return changes(made.scores, made.truths, SPEC)
        return contrasts.summary(contrast_table(made.scores, made.predictions, made.truths, SPEC))
    if name == "embedding":
        return embedding.summary(cells())
    return qc.summary(quality()) if name == "qc" else training.summary(histories(tasks))


def ledger_of(made: factory.Made) -> pd.DataFrame:
    """The paper's claims held against a made-up study."""
    compared = contrast_table(made.scores, made.predictions, made.truths, Spec(resamples=20))
    ours = Ours(compared, made.scores, changes(made.scores, made.truths, SPEC))
    return ledger(load(REPO / "resources/claims.yaml"), ours, "made", REPO / FOLDER)


@functools.cache
def made_study(targets: tuple[str, ...], tasks: tuple[str, ...]) -> factory.Made:
    return factory.study(targets, tasks, seeds=2, draws=2, scale=0.08)


@functools.cache
def read_back(name: str, size: str) -> pd.DataFrame:
    """A table after its round trip through csv, as the figure gets it; or the released one."""
    if size == "released":
        return figures.read_table(RELEASED / f"{name}.csv")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.csv"
        figures.write_table(made_table(name, size), path)
        return figures.read_table(path)


Box = tuple[float, float, float, float]


@functools.cache
def drawn(name: str, size: str) -> tuple[Figure, list[tuple[matplotlib.text.Text, Box]]]:
    """A figure and all its texts."""
    figure = figures.module(name).draw(read_back(name, size))
    return figure, list(texts(figure))


def texts(figure: Figure) -> Iterator[tuple[matplotlib.text.Text, Box]]:
    """Every text that is really drawn, with its box in pixels."""
    found: list[matplotlib.text.Text] = []
    original = matplotlib.text.Text.draw

    def record(self: matplotlib.text.Text, *args: object, **options: object) -> None:
        if self.get_visible() and self.get_text().strip():
            found.append(self)
        original(self, *args, **options)

    with pytest.MonkeyPatch.context() as patch, style.styled():
        patch.setattr(matplotlib.text.Text, "draw", record)
        figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    for text in found:
        box = matplotlib.text.Text.get_window_extent(text, renderer)
        yield text, (box.x0, box.y0, box.x1, box.y1)


SMALL = [(name, "small") for name in figures.FIGURES]
LARGE = [
    pytest.param(name, size, marks=pytest.mark.slow)
    for name in figures.FIGURES
    for size in ("large", "released")
]


@pytest.mark.parametrize(("name", "size"), SMALL + LARGE)
def test_text_is_legible_and_on_the_page(name: str, size: str) -> None:
    figure, found = drawn(name, size)
    width, height = figure.get_size_inches() / style.MM
    assert width <= 180.001 and height <= style.MAX_HEIGHT_MM + 0.001
    edge_x, edge_y = figure.bbox.width, figure.bbox.height
    assert len(found) > 5
    for text, (x0, y0, x1, y1) in found:
        assert text.get_fontsize() >= 6.0, text.get_text()
        inside = x0 >= -1 and y0 >= -1 and x1 <= edge_x + 1 and y1 <= edge_y + 1
        assert inside, f"{text.get_text()!r} leaves the page: {(x0, y0, x1, y1)}"


@pytest.mark.parametrize(("name", "size"), SMALL + LARGE)
def test_no_text_lies_on_another(name: str, size: str) -> None:
    found = [(text.get_text(), box) for text, box in drawn(name, size)[1]]
    slack = 1.0  # pixels at 100 per inch: boxes are a little larger than their glyphs
    for i, (first, a) in enumerate(found):
        for second, b in found[:i]:
            apart = (
                a[2] - slack <= b[0] or b[2] - slack <= a[0]
                or a[3] - slack <= b[1] or b[3] - slack <= a[1]
            )  # fmt: skip
            assert apart, f"{first!r} lies on {second!r}"


@pytest.mark.parametrize("name", list(figures.FIGURES))
def test_files_are_the_same_twice_and_not_blank(tmp_path: Path, name: str) -> None:
    from matplotlib.image import imread

    for turn in "ab":
        figure = figures.module(name).draw(read_back(name, "small"))
        style.save(figure, tmp_path / f"{turn}.pdf", tmp_path / f"{turn}.png")
    for ending in ("pdf", "png"):
        first, second = (tmp_path / f"{turn}.{ending}" for turn in "ab")
        assert first.read_bytes() == second.read_bytes()
    image = imread(tmp_path / "a.png")[..., :3]
    assert abs(image.shape[1] - 180 / 25.4 * 300) <= 2
    assert (image < 0.9).any(axis=2).mean() > 0.005
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert b"/CIDFontType2" in pdf or b"/FontFile2" in pdf
    assert b"/Type3" not in pdf and b"CreationDate" not in pdf


@pytest.mark.parametrize("name", list(figures.FIGURES))
def test_an_empty_or_foreign_table_is_an_error(name: str, tmp_path: Path) -> None:
    frame = read_back(name, "small")
    module = figures.module(name)
    assert list(module.COLUMNS) == list(frame.columns)
    with pytest.raises(DataError, match=f"figure {name} is empty"):
        module.draw(frame.iloc[:0])
    with pytest.raises(DataError, match=f"figure {name} lacks"):
        module.draw(frame.iloc[:, 1:])
    figures.write_table(frame.iloc[:0], tmp_path / "a.csv")
    (text,) = figures.drawn(figures.module(name), figures.read_table(tmp_path / "a.csv")).texts
    assert text.get_text() == "no run to draw: see the score table"


@pytest.mark.parametrize("name", list(figures.FIGURES))
def test_caption_says_what_it_cannot_show(name: str) -> None:
    caption = (REPORT / f"{name}.rst").read_text()
    assert caption.startswith("**") and "*What it cannot show.*" in caption
    assert "interval" in caption


def test_style_leaves_matplotlib_alone() -> None:
    before = dict(matplotlib.rcParams)
    with style.styled():
        assert matplotlib.rcParams["pdf.fonttype"] == 42
    assert dict(matplotlib.rcParams) == before
    with pytest.raises(ValueError, match="does not fit a page"):
        style.new(400)


def test_label_efficiency_numbers(small: factory.Made) -> None:
    frame = label_efficiency.summary(overall(small.scores, "macro_f1"), {})
    row = frame[(frame.method == "byol") & (frame.regime == "10")].iloc[0]
    s = small.scores
    own = s[
        (s.method == "byol") & (s.regime == "10") & (s.readout == "probe") & (s.level == "overall")
    ]
    assert row["mean"] == pytest.approx(own.value.mean())
    assert (row.n_seeds, row.n_draws, row.n_failed) == (2, 2, 0)
    assert row.low < row["mean"] < row.high
    assert set(frame.corpus) == {"kang_ctrl"}  # the shuffled corpus shares the panel
    assert "kang_ctrl_shuffled" in set(frame.arm_corpus)


def test_failed_runs_leave_the_mean_and_are_counted(small: factory.Made) -> None:
    scores = overall(small.scores, "macro_f1").copy()
    bad = (scores.method == "byol") & (scores.seed == 1)
    scores.loc[bad, "status"] = "not_learned"
    frame = label_efficiency.summary(scores, {})
    row = frame[(frame.method == "byol") & (frame.regime == "10")].iloc[0]
    assert (row.n_seeds, row.n_failed) == (1, 2)
    scores.loc[scores.method == "byol", "status"] = "not_learned"
    frame = label_efficiency.summary(scores, {})
    row = frame[(frame.method == "byol") & (frame.regime == "10")].iloc[0]
    assert np.isnan(row["mean"]) and row.n_failed == 4
    label_efficiency.draw(frame)


@pytest.mark.parametrize("init", ["pretrained", "every"])
def test_runs_that_all_failed_are_a_result(small: factory.Made, init: str, tmp_path: Path) -> None:
    scores = small.scores.copy()
    failed = (scores.init == init) | (init == "every")
    scores.loc[failed, "status"] = "not_learned"
    assert label_efficiency.summary(overall(scores, "macro_f1"), {}).n_failed.sum() > 0
    assert changes(scores, small.truths, SPEC).empty
    for name, frame in (
        ("label_efficiency", label_efficiency.summary(overall(scores, "macro_f1"), {})),
        ("per_type", changes(scores, small.truths, SPEC)),
    ):
        figures.write_table(frame, tmp_path / "a.csv")
        figure = figures.drawn(figures.module(name), figures.read_table(tmp_path / "a.csv"))
        style.save(figure, tmp_path / "a.pdf", tmp_path / "a.png")


def test_per_type_numbers(small: factory.Made) -> None:
    frame = changes(small.scores, small.truths, SPEC)
    s = small.scores[(small.scores.label == "NK") & (small.scores.seed == 1)]
    a = s[(s.method == "random_mask") & (s["mode"] == "fine-tuned")]
    b = s[s.method == "scratch"]
    row = frame[(frame.label == "NK") & (frame.comparison == TUNED)].iloc[0]
    assert row.regimes == "10,all" and row.n_draws == 3
    one_seed = []
    for side in (a, b):
        few = side[side.regime == "10"].sort_values("draw").value.to_numpy()
        one_seed.append((few + side[side.regime == "all"].value.item()) / 2)
    other = small.scores[(small.scores.label == "NK") & (small.scores.seed == 0)]
    zero = []
    for method in ("random_mask", "scratch"):
        side = other[(other.method == method) & (other["mode"] == "fine-tuned")]
        few = side[side.regime == "10"].sort_values("draw").value.to_numpy()
        zero.append((few + side[side.regime == "all"].value.item()) / 2)
    expected = np.mean([one_seed[0] - one_seed[1], zero[0] - zero[1]])
    assert row.difference == pytest.approx(expected)
    truth = small.truths["pbmc3k"]
    assert row.n_pool == truth.pool[truth.classes.index("NK")]


def test_a_sample_of_cells_is_fixed() -> None:
    many = pd.concat([cells()] * 8, ignore_index=True)
    first, second = embedding.summary(many), embedding.summary(many)
    pd.testing.assert_frame_equal(first, second)
    assert first.groupby(["target", "method"]).size().max() == embedding.CELLS
    sample = qc.summary(quality())
    kept = (quality()["kang"].reason == "").sum()
    assert (sample.n_kept[sample.dataset == "kang"] == kept).all()


def test_histories_are_named_by_their_path(tmp_path: Path) -> None:
    path = tmp_path / "kang_ctrl" / "byol" / "s2" / "history.parquet"
    path.parent.mkdir(parents=True)
    step = np.arange(1.0, 501.0)
    pd.DataFrame({"step": step, "loss": -step, "lr": 0.1}).to_parquet(path)
    frame = training.table([path])
    assert set(frame.measure) == {"loss"} and len(frame) == training.POINTS
    assert (frame.corpus[0], frame.method[0], frame.seed[0]) == ("kang_ctrl", "byol", 2)
    assert frame.value.iloc[-1] == -500
    training.draw(frame)


@pytest.mark.slow
def test_layout_is_two_dimensional_and_repeats() -> None:
    code = np.random.default_rng(0).normal(size=(60, 8))
    first, second = embedding.layout(code, 3), embedding.layout(code, 3)
    assert first.shape == (60, 2)
    np.testing.assert_array_equal(first, second)


def test_training_shows_the_gate_and_the_last_effective_ranks() -> None:
    frame = training.summary(histories(("byol", "random_mask")))
    assert set(frame.measure) == {"loss", "skill", "retrieval", "gate", "rank", "spread"}
    figure = training.draw(frame)
    panels = {axes.get_title(loc="left").strip(): axes for axes in figure.axes}
    mae, byol = (figure.axes[index] for index in (0, 1))
    assert "masked autoencoder" in panels
    assert [text.get_text() for text in mae.texts if "rank" in text.get_text()] == [
        "rank 11–12"
    ] * 2
    assert [text.get_text() for text in byol.texts if "rank" in text.get_text()] == [
        "rank 10–11"
    ] * 2
    gates = [sum(line.get_linestyle() == "--" for line in axes.lines) for axes in figure.axes[2:4]]
    assert gates == [1, 0]


def test_the_training_table_of_many_long_runs_stays_small() -> None:
    step = np.arange(1.0, 101.0)
    long = pd.DataFrame({"step": step, **dict.fromkeys(("loss", *training.DIAGNOSTICS), step)})
    frame = training.summary({("c", f"m{number}", 0): long for number in range(300)})
    assert len(frame) <= training.ROWS
    assert frame.groupby(["method", "measure"]).step.max().eq(100).all()


def test_more_methods_than_a_page_has_room_for_are_counted() -> None:
    methods = [f"method_{number:02d}" for number in range(training.MOST + 11)]
    rows = [
        {"corpus": "c", "method": name, "seed": 0, "measure": "loss", "step": step, "value": 1.0}
        for name in methods for step in (1, 2, 3)
    ]  # fmt: skip
    figure = training.draw(pd.DataFrame(rows))
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_visible()]
    assert len([title for title in titles if title]) == training.MOST
    assert figure.legends[0].get_title().get_text() == "11 more methods in the table"
