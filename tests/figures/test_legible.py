"""Every figure: legible, on the page, not blank, the same bytes twice."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import matplotlib.text
import pytest
from matplotlib.figure import Figure

from selfcell import figures
from selfcell.errors import DataError
from selfcell.figures import style
from tests.figures.made import RELEASED, read_back
from tests.tree import REPO

REPORT = REPO / "workflow" / "report"

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
    if size == "large" or (RELEASED / f"{name}.csv").is_file()
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
    why = getattr(figures.module(name), "EMPTY", "no run to draw: see the score table")
    assert text.get_text() == why


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
