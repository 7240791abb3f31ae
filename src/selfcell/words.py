"""Rows of result tables in words: places, arms, intervals, numbers with real minus signs."""

from __future__ import annotations

from typing import Any

from selfcell.figures import style

ABSENT = "–"


def place(row: Any) -> str:
    """Target and corpus of a row of contrasts or verdicts."""
    return f"{style.target_name(row.target)}, from {style.corpus_name(row.corpus)}"


def arms(text: str, corpus: str = "") -> str:
    """Arms "method/corpus/..." separated by " | ", without a corpus that stands beside them."""
    found = []
    for arm in text.split(" | "):
        method, *rest = arm.split("/")
        parts = [word.split("+") for word in rest if word != corpus]  # "+": both corpora together
        words = [" + ".join(map(style.corpus_name, part)) for part in parts]
        words = [{"knn1": "1-NN", "knn5": "5-NN"}.get(word, word) for word in words]
        found.append(style.method_name(method) + (f" ({', '.join(words)})" if words else ""))
    return " or ".join(found)


def interval(row: Any) -> str:
    """A row's difference with its 95 % interval."""
    text = f"{row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}]"
    return ABSENT if row.difference != row.difference else text.replace("-", "−")


def number(value: float, form: str) -> str:
    """A number in a format, or a dash for a missing one."""
    return ABSENT if value != value else format(value, form).replace("-", "−")
