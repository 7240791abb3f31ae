"""One look for all figures: sizes, fonts, colours of arms, names, and files without dates."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl

from selfcell.figures.names import CORPUS_NAMES, METHOD_NAMES, TARGET_NAMES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_MM = 180.0
MAX_HEIGHT_MM = 225.0
DPI = 300
SPARE = 0.12  # of a score, above and below the means, that long bars may take
MM = 1 / 25.4
SMALL, NORMAL = 6.0, 7.0  # pt; nothing is smaller than SMALL

# Okabe & Ito (2008): told apart under the common colour-vision deficiencies.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, RED, PURPLE = (
    *("#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"),
)
GREY, PALE = "#7F7F7F", "#C4C4C4"

# Kept in every figure: an arm has one colour wherever it stands.
ARM_COLOURS = {
    "random_mask": BLUE,
    "gene_programme": PURPLE,
    "scratch": RED,
    "scratch_long": RED,
    "scratch_shallow": "#8C564B",
    "pca": GREEN,
    "logreg": ORANGE,
    "random_encoder": BLACK,
    "random_projection": GREY,
    "majority": GREY,
}
OTHER_PRETEXT = SKY
CORPUS_COLOURS = (
    *(BLUE, ORANGE, GREEN, PURPLE, SKY, BLACK),
    *("#8C564B", "#B8A800", GREY, "#6B4C9A", "#A6CEE3"),
)

PERMUTED = "gene_programme_permuted"
WORDS_WIDTH = 130  # characters of small text across a page
LINE = 9.0  # pt from line to line of small text
LONGEST = 24  # characters of a name that still fit above a panel

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib: the same glyphs everywhere
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.title_fontsize": SMALL,
    "figure.titlesize": NORMAL,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 4.0,
    "axes.labelpad": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "lines.linewidth": 1.0,
    "lines.markersize": 3.2,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.columnspacing": 1.4,
    "figure.dpi": 100,
    "savefig.dpi": DPI,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.hashsalt": "selfcell",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.04,
    "figure.constrained_layout.w_pad": 0.04,
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw with the figures' settings, and leave matplotlib's own as they were."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)  # type: ignore[arg-type]
        yield


def new(height_mm: float, width_mm: float = WIDTH_MM) -> Figure:
    """An empty figure without a window. Raises ValueError if it is wider or higher than a page."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if width_mm > WIDTH_MM or height_mm > MAX_HEIGHT_MM:
        raise ValueError(f"{width_mm} x {height_mm} mm does not fit a page")
    figure = Figure(figsize=(width_mm * MM, height_mm * MM), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def nothing(text: str) -> Figure:
    """A figure that holds a sentence in place of what there is none of."""
    with styled():
        figure = new(20.0)
        figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def grid(figure: Figure, n: int, columns: int, **options: Any) -> list[Axes]:
    """`n` axes in rows of `columns`; the places left over stay empty."""
    rows = -(-n // columns)
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    for spare in axes[n:]:
        spare.set_visible(False)
    return axes[:n]


def save(figure: Figure, pdf: Path | str, png: Path | str) -> None:
    """Write vector and pixel versions; the same figure gives the same bytes."""
    with styled():
        figure.savefig(
            pdf, format="pdf", metadata={"CreationDate": None, "ModDate": None, "Producer": None}
        )
        figure.savefig(png, format="png", dpi=DPI, metadata={"Software": None})


def method_name(method: str) -> str:
    """A method's name for readers; an unknown one keeps its own, cut where it is long."""
    if method.startswith(PERMUTED):
        return f"permuted {method.removeprefix(PERMUTED).strip('_')}".strip()
    name = METHOD_NAMES.get(method, method.replace("_", " "))
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def target_name(target: str) -> str:
    """A target's name for readers."""
    return TARGET_NAMES.get(target, target.replace("_", " "))


def corpus_name(corpus: str) -> str:
    """A corpus's name for readers."""
    return CORPUS_NAMES.get(corpus, corpus.replace("_", " "))


def learned_on(corpus: str, role: str = "study") -> str:
    """Where the weights of a panel come from, and whether that is a negative control."""
    end = "" if role == "study" else f" ({role})"
    return f"pre-trained on {corpus_name(corpus)}{end}"


def origin(corpus: str, role: str = "study") -> str:
    """`learned_on` in the few words that a narrow panel has room for."""
    return f"from {corpus_name(corpus)}" + ("" if role == "study" else f" ({role})")


def is_control(corpus: str) -> bool:
    """Whether a corpus is a control of another one, and shares its panel."""
    return corpus.endswith("_shuffled")


def in_order(targets: Iterable[str]) -> list[str]:
    """Distinct targets, known ones in the study's order, then others by name."""
    known = list(TARGET_NAMES)
    return sorted(set(targets), key=lambda t: (known.index(t) if t in known else len(known), t))


Place = tuple[str, str, "pd.DataFrame"]
"""A target, a corpus, and their rows of a table."""


def places(frame: pd.DataFrame) -> list[Place]:
    """A table's parts, a panel each; targets in the study's order."""
    return [
        (target, str(corpus), own)
        for target in in_order(frame.target)
        for corpus, own in frame[frame.target == target].groupby("corpus", sort=True)
    ]


def foremost(every: Sequence[Place], most: int) -> tuple[list[Place], str | None]:
    """The places that a page has room for, and what it says of the others.

    Each target comes in with its corpus of the most rows before any comes in with a second one.
    """
    largest = sorted(range(len(every)), key=lambda place: -len(every[place][2]))
    seen: Counter[str] = Counter()
    turn = {}
    for place in largest:
        target = every[place][0]
        turn[place] = seen[target]
        seen[target] += 1
    kept = sorted(sorted(turn, key=lambda place: (turn[place], place))[:most])
    n = len(every) - len(kept)
    words = f"{n} more pair{'s' * (n > 1)} of target and corpus in the table" if n else None
    return [every[place] for place in kept], words


def left_out(own: pd.DataFrame) -> str:
    """The arms of a panel's rows of which runs did not learn, with their number; nothing where all
    did. A corpus other than the panel's (column arm_corpus) is named."""
    failed = own[own.n_failed > 0]
    elsewhere = failed.get("arm_corpus", failed.corpus)
    failed = failed.assign(of=elsewhere.where(elsewhere.map(is_control).astype(bool), ""))
    names = [
        f"{method_name(str(method))}{', fine-tuned' if mode == 'fine-tuned' else ''}"
        f"{' on ' + corpus_name(str(of)) if of else ''} {number}"
        for (method, mode, of), number in failed.groupby(["method", "mode", "of"])
        .n_failed.sum()
        .items()
    ]
    return "runs that did not learn, left out: " + ", ".join(names) if names else ""


def legend(
    figure: Figure, entries: Iterable[tuple[str, str, str]], columns: int, title: str | None = None
) -> None:
    """Below all panels: label, colour and mark of each entry."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, marker=mark, linestyle="", label=label)
        for label, colour, mark in entries
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, borderpad=0.1, title=title
    )


def title(
    axes: Axes, index: int, first: str, second: str = "", failed: str = "",
    *, columns: int = 1, narrow: bool = False,
) -> None:  # fmt: skip
    """Panel letter and title: a bold line, a plain one below it, and what `left_out` says, in as
    many lines as so many panels side by side need; all in several where they are narrow (a fifth
    of the page)."""
    if narrow:
        first, second = textwrap.fill(first, 12), textwrap.fill(second, 17)
    failed = textwrap.fill(failed, WORDS_WIDTH // columns)
    height = 4.0
    for words, colour in ((failed, RED), (second, "#404040")):
        if words:
            axes.annotate(
                words, (0, 1), xytext=(0, height), xycoords="axes fraction", fontsize=SMALL,
                textcoords="offset points", color=colour,
            )  # fmt: skip
        height += LINE * len(words.splitlines())
    axes.set_title(first, pad=height + 1.0, va="bottom")
    letter(axes, index, height + 1.0)


def bounded(axes: Axes, means: Sequence[float]) -> None:
    """Set the limits of a score axis by what is drawn. An interval of very few runs may leave
    [0, 1]; it must not flatten the rest, and is cut `SPARE` beyond the means."""
    bottom = max(axes.dataLim.y0, min(means) - SPARE, 0.0)
    top = min(axes.dataLim.y1, max(means) + SPARE, 1.0)
    if bottom < top:
        axes.set_ylim(bottom - 0.02, top + 0.02)


def letter(axes: Axes, index: int, height: float) -> None:
    """Write the panel's letter left of its title, `height` points above the axes."""
    axes.annotate(
        "abcdefghijklmnopqrstuvwxyz"[index],
        (0, 1),
        xytext=(-12, height),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=8,
        fontweight="bold",
        annotation_clip=False,
    )
