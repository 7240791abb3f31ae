"""The ledger of claims as a page's section: one row a claim, in Markdown.

Written from results/released alone, as the other generated parts are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfcell.catalogue import markdown

if TYPE_CHECKING:
    import pandas as pd

NONE = "*No ledger has been released yet: `make release`, then `make readme`.*"
HEAD = ["Claim", "Measure", "Published", "Its runs again [95 %]", "This study [95 %]", "Verdict"]
RULE = (
    "An effect is the arm that the claim is about minus the one it is held against. Published: as"
    " printed, with the numbers of runs. Again: Welch over the published runs that the figures"
    " show, collapsed ones among them (with stored ones left out there: small print); they repeat"
    " fine-tuning on one pre-trained network and one split, so the interval is of retraining"
    " noise. This study: the nearest comparison it holds. A verdict is about the sign: *agrees*,"
    " *disagrees*, *equivalent* (the 90 % interval lies inside the margin), *undecided*, *not"
    " testable*; a claim of no difference agrees where the two are equivalent. In brackets: the"
    " verdict of the published runs on the same claim."
)


def parts(root: Path) -> dict[str, str]:
    """The generated parts of docs/findings.md: ledger and scores of each released study below the
    checkout `root` that holds the paper's claims, each under its name."""
    from selfcell import scoreboard
    from selfcell.release import released

    folders = [
        path for path in released(root / "results/released") if (path / "claims.parquet").is_file()
    ]

    def each(write: Callable[[Path], str]) -> str:
        return "\n\n".join(f"**Study `{path.name}`.**\n\n{write(path)}" for path in folders) or NONE

    return {"claims": each(claims), "scores": each(scoreboard.full)}


def claims(folder: Path) -> str:
    """Table of the claims and how to read it, of the released study in `folder`."""
    from selfcell.stats.claims import CLAIMS

    rows = CLAIMS.read(folder / "claims.parquet").sort_values("order")
    table = markdown(HEAD, [_row(row) for row in rows.itertuples()])
    return f"{RULE}\n\n{table}\n\n{_notes(rows)}"


def _row(row: Any) -> list[str]:
    from selfcell.figures import style

    printed = _effect(row, "published", interval=False)
    if printed != "–":
        printed += f" (n = {row.published_n_a:.0f}, {row.published_n_b:.0f})"
    again = _effect(row, "again")
    if row.again_collapsed > 0:
        again += f" ({row.again_collapsed:.0f} collapsed)"
    ours = row.note
    if row.ours == row.ours:
        ours = f"{style.target_name(row.target)}: {_effect(row, 'ours')}"
        ours += f" ({row.n_failed} failed)" if row.n_failed else ""
    verdict = f"**{row.verdict}** ({'–' if again == '–' else row.again_verdict})"
    return [row.text, row.metric, printed, again, ours, verdict]


def _effect(row: Any, name: str, interval: bool = True) -> str:
    value, low, high = (getattr(row, name + part) for part in ("", "_low", "_high"))
    if value != value:
        return "–"
    form = "+.2g" if abs(value) >= 1000 else "+.3f" if name == "ours" else "+.4f"
    text = format(value, form)
    if interval and low == low:
        text += f" [{low:{form}}, {high:{form}}]"
    return _minus(text).replace("e+0", "e")


def _notes(rows: pd.DataFrame) -> str:
    """What the published number does not show, and how the analogue differs, claim by claim."""
    lines = []
    for row in rows.itertuples():
        said = (("Published", row.caveat), ("Its runs", row.again_note), ("Here", row.differs))
        parts = [f"{name}: {text}" for name, text in said if text]
        if parts:
            lines.append(f"- *{row.short}* ({row.group}). {_minus('. '.join(parts))}.")
    text = "\n".join(lines)
    return f"<details><summary>Small print of each claim</summary>\n\n{text}\n\n</details>"


def _minus(text: str) -> str:
    """Real minus signs before numbers."""
    return re.sub(r"(?<![\w.])-(?=[\d.])", "−", text)
