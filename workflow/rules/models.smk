"""Functions that say which job wildcards name, and which models it reads."""


def model_folder(wildcards):
    """Folder of the weights of an arm."""
    if wildcards.corpus in STUDY.ready:
        return f"{RESULTS}/ready/{wildcards.corpus}/model"
    method = STUDY.weights(wildcards.method)
    return MODEL.format(corpus=wildcards.corpus, method=method, seed=wildcards.seed)


def model_files(wildcards):
    """The model to start from; nothing for the scratch arms."""
    if wildcards.corpus == NONE:
        return []
    kind = "ready" if wildcards.corpus in STUDY.ready else "model"
    return multiext(f"{model_folder(wildcards)}/", *run_files(kind))


def model_option(wildcards):
    """`--model FOLDER`; nothing for the scratch arms."""
    return "" if wildcards.corpus == NONE else f"--model {model_folder(wildcards)}"


def mapped_model(corpus):
    """The model whose embedding is drawn: the corpus's first method and seed."""
    first = next(model for model in STUDY.models() if model.corpus == corpus)
    return MODEL.format(**first._asdict())


def model_of(wildcards):
    """The model that wildcards name."""
    return Model(wildcards.corpus, wildcards.method, int(wildcards.seed))


def frozen_across(wildcards):
    """Integration and unseen targets of a frozen network."""
    return STUDY.across(model_of(wildcards))


def frozen_targets(wildcards):
    """All targets of a frozen network."""
    return STUDY.splits_of(wildcards.corpus, wildcards.method) + frozen_across(
        wildcards
    )


def frozen_queries(wildcards):
    """By unseen target of a frozen network, the split of the cells it annotates."""
    names = [name for name in frozen_across(wildcards) if name in STUDY.unseen]
    return {name: splits([STUDY.unseen[name].query])[0] for name in names}


def frozen_mb(wildcards):
    """MB of an evaluation: scIB's metrics bring jax along, which keeps what it compiled."""
    across = frozen_across(wildcards)
    return 2600 if any(name in STUDY.mixtures for name in across) else 1100


def fine_tune_job(wildcards):
    """The fine-tuning job that wildcards name."""
    return FineTune(
        wildcards.target, wildcards.corpus, wildcards.method, int(wildcards.seed)
    )


def protein_job(wildcards):
    """The job on a protein target that wildcards name."""
    return FineTune(
        wildcards.protein, wildcards.corpus, wildcards.method, int(wildcards.seed)
    )


def continued_job(wildcards):
    """The job of a model that goes on learning that wildcards name."""
    return FineTune(
        wildcards.mixture, wildcards.corpus, wildcards.method, int(wildcards.seed)
    )
