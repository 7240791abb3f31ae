"""Functions that say which models a job reads."""


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


def model_folders(target):
    """Folders of every model evaluated on an integration or unseen target."""
    return [MODEL.format(**model._asdict()) for model in STUDY.models_of(target)]


def files_of_models(target):
    """Files of every model evaluated on an integration or unseen target."""
    folders = model_folders(target)
    return [f"{folder}/{file}" for folder in folders for file in run_files("model")]


def model_options(target):
    """`--model FOLDER` for each of them."""
    return [f"--model {folder}" for folder in model_folders(target)]
