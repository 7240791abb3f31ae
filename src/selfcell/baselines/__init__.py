"""The simple rivals of pre-training."""

BASELINES: dict[str, str] = {
    name: f"selfcell.baselines.{name}"
    for name in ("pca", "logreg", "random_encoder", "random_projection", "majority")
}
