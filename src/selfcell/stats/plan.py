"""Which arms the study compares: three primary contrasts a target and corpus, and the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from selfcell.stats.arms import Arm, Bench, Side, mean_of, one
from selfcell.stats.paired import common_regimes, pick

MAE, PROGRAMME, PERMUTED = "random_mask", "gene_programme", "gene_programme_permuted"
MATCHED = "random_mask_matched"


@dataclass(frozen=True)
class Contrast:
    """One comparison: side a minus side b, over their common regimes or the given ones."""

    family: str
    name: str
    a: Side
    b: Side
    regimes: tuple[str, ...] | None = None


def find(bench: Bench, corpus: str | None = None, **wanted: str) -> list[Arm]:
    """Arms whose fields have the wanted values, of one corpus if it is given."""
    kept = [arm for arm in bench.arms if corpus is None or arm.corpus == corpus]
    return [arm for arm in kept if all(getattr(arm, k) == v for k, v in wanted.items())]


def best_pca(bench: Bench, readout: str, controls: Sequence[str]) -> Side | None:
    """The better PCA arm, whatever it was fitted on (control corpora apart)."""
    arms = [
        arm
        for arm in find(bench, readout=readout)
        if arm.method in ("pca", "pca_own_genes") and arm.corpus not in controls
    ]
    if not arms:
        return None
    regimes = common_regimes(bench, arms)
    return pick(bench, f"best PCA {readout}", arms, regimes) if regimes else None


def plan(
    bench: Bench, corpus: str, controls: Sequence[str], parts: Sequence[str] = ()
) -> list[Contrast]:
    """Every contrast that the arms of a target and corpus allow, primary ones first.

    A control corpus and a part of a corpus have no primary contrasts: what would be one is
    secondary there. Each primary contrast also comes regime by regime, as secondary ones (of a
    control corpus it does not).
    """
    found = [*_primary(bench, corpus, controls)]
    beside = [replace(contrast, family="secondary") for contrast in found]
    if corpus in controls:
        return beside
    by_regime = [
        Contrast("secondary", f"{c.name} at {regime}", c.a, c.b, (regime,))
        for c in found
        for regime in common_regimes(bench, (*c.a.arms, *c.b.arms))
    ]
    if corpus in parts:
        return [*beside, *by_regime]
    return [*found, *_secondary(bench, corpus, controls), *by_regime]


def _primary(bench: Bench, corpus: str, controls: Sequence[str]) -> Iterator[Contrast]:
    # Fine-tuned networks are judged by their head; its code has re-scores alone.
    scratch = find(bench, method="scratch", mode="fine-tuned", readout="head")
    for tuned in find(bench, corpus, method=MAE, mode="fine-tuned", readout="head"):
        for arm in scratch:
            yield Contrast("primary", "MAE fine-tuned - scratch", one(tuned), one(arm))
    pca = best_pca(bench, "probe", controls)
    for probe in find(bench, corpus, method=MAE, mode="frozen", readout="probe"):
        if pca is not None:
            yield Contrast("primary", "MAE probe - best PCA probe", one(probe), pca)
    permuted = _permuted(bench, corpus, "probe")
    for probe in find(bench, corpus, method=PROGRAMME, mode="frozen", readout="probe"):
        if permuted:
            side = mean_of(f"mean of {len(permuted)} permuted programmes", permuted)
            yield Contrast("primary", "programmes - permuted programmes", one(probe), side)


def _permuted(bench: Bench, corpus: str, readout: str) -> list[Arm]:
    arms = find(bench, corpus, mode="frozen", readout=readout)
    return [arm for arm in arms if arm.method.startswith(PERMUTED)]


def _secondary(bench: Bench, corpus: str, controls: Sequence[str]) -> Iterator[Contrast]:
    pca = {readout: best_pca(bench, readout, controls) for readout in ("probe", "prototype")}
    mae = {arm.readout: arm for arm in find(bench, corpus, method=MAE, mode="frozen")}
    for arm in find(bench, corpus, init="pretrained"):
        if arm.method.startswith(PERMUTED):
            continue
        if arm.mode == "fine-tuned":
            if arm.readout == "head":
                yield from _against_scratch(bench, arm)
            continue
        bar = pca.get(arm.readout)
        if bar is not None and (arm.method, arm.readout) != (MAE, "probe"):
            name = f"{arm.method} {arm.readout} - {bar.name}"
            yield Contrast("secondary", name, one(arm), bar)
        if arm.readout == "probe" and arm.method != MAE and "probe" in mae:
            name = f"{arm.method} probe - MAE probe"
            yield Contrast("secondary", name, one(arm), one(mae["probe"]))
    if "probe" in mae:
        yield from _mae_against_the_rest(bench, corpus, mae["probe"], controls)
    for probe in find(bench, corpus, method=PROGRAMME, mode="frozen", readout="probe"):
        for twin in find(bench, corpus, method=MATCHED, mode="frozen", readout="probe"):
            yield Contrast("secondary", "programmes - matched random mask", one(probe), one(twin))


def _against_scratch(bench: Bench, arm: Arm) -> Iterator[Contrast]:
    for method in ("scratch", "scratch_long", "scratch_shallow", "logreg"):
        for bar in find(bench, method=method):
            if (arm.method, method) != (MAE, "scratch") and bar.readout in ("head", "none"):
                label = "MAE" if arm.method == MAE else arm.method
                name = f"{label} fine-tuned - {method}"
                yield Contrast("secondary", name, one(arm), one(bar))


def _mae_against_the_rest(
    bench: Bench, corpus: str, probe: Arm, controls: Sequence[str]
) -> Iterator[Contrast]:
    for method in ("logreg", "supervised", "random_encoder", "random_projection", "scratch"):
        for bar in find(bench, method=method):
            if bar.readout in ("probe", "head", "none") and bar.corpus in ("none", corpus):
                yield Contrast("secondary", f"MAE probe - {method}", one(probe), one(bar))
    for other in controls:
        for bar in find(bench, other, method=MAE, mode="frozen", readout="probe"):
            yield Contrast("secondary", f"MAE probe - MAE of {other}", one(probe), one(bar))
