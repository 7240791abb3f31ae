"""The study, its paths, digests of code, and the functions of the other files."""

import json
import shlex
import sys
from pathlib import Path

from selfcell import autoencoders, yaml_once
from selfcell.baselines import BASELINES
from selfcell.config import from_mapping
from selfcell.errors import SelfcellError
from selfcell.figures import FIGURES
from selfcell.plan import n_weights
from selfcell.provenance import ROOT, code_digest
from selfcell.slices import Slices
from selfcell.study import NONE, FineTune, Model, Study
from snakemake.settings.types import DeploymentMethod

try:
    for path in workflow.configfiles:
        yaml_once.read(path)  # Snakemake takes the last of a key's values
    STUDY = Study(from_mapping(config, "configuration"))
except SelfcellError as error:
    raise WorkflowError(str(error)) from None

SLICES = Slices(STUDY)
CONFIG = STUDY.config
RESULTS = f"results/{CONFIG.study}"
STATE = "results/.state"
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
CELLS = f"{RESULTS}/data/{{name}}/cells.h5ad"
# The workflow's own files: by their whole path where a study runs in another folder.
HOME = "" if Path.cwd() == ROOT else f"{ROOT}/"
SCRIPTS = shlex.quote(f"{HOME}workflow/scripts")
REGISTRY = f"{HOME}resources/datasets.yaml"
LABELS = f"{HOME}resources/label_to_cl.json"
ENV = "../../envs/study.yaml"
# Schedulers send SIGTERM to all of a job at once; its shell waits for the script, which may have
# a state to save, since Slurm kills what is left when the shell is gone.
PREFIX = "trap : TERM; "
# Snakemake's own interpreter: python is not found from a venv that is not activated. Under conda
# deployment the environment's own comes first on the path. A prefix is no part of what a job is,
# so another place for the same environment re-runs nothing.
if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    PREFIX += f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
shell.prefix(PREFIX)
# Where files come from is no part of what they are either: mirrors go through the environment.
STUDY.export_mirrors()


wildcard_constraints:
    dataset="|".join(STUDY.datasets),
    corpus="|".join([*STUDY.corpora, *STUDY.ready, NONE]),
    target="|".join(STUDY.targets),
    protein="|".join(STUDY.proteins) or NONE,
    mixture="|".join(STUDY.mixtures) or NONE,
    afar="|".join(STUDY.unseen) or NONE,
    method=r"[A-Za-z0-9_.-]+",
    seed=r"\d+",
    reference=r"[a-z0-9_]+\.(csv\.gz|gmt|json\.zst)",


def input_mb(files):
    """MB (1e6 bytes) of files, and of all files of folders; what is not made yet counts nothing."""
    paths = [Path(file) for file in files]
    paths += [part for path in paths if path.is_dir() for part in path.iterdir()]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


def fetched_mb(wildcards):
    """MB of the files that a data set is made of: of one's own, or by their registry entry."""
    sources = STUDY.datasets[wildcards.dataset].sources
    return sum(source.artefact.mb() for source in sources)


def converted_mb(wildcards):
    """The same of a file that is converted, for which its matrix is held whole; else none. What a
    member of an archive has is not known before; those of the registry are small."""
    spec = STUDY.datasets[wildcards.dataset]
    return spec.source.artefact.mb() if spec.converted and not spec.source.member else 0


def reference_mb(wildcards):
    """MB of the file that a reference is, or lies in."""
    name = wildcards.reference.split(".")[0]
    return STUDY.registry.reference(name).source.artefact.mb()


# Jobs that train ask for a GPU where the study insists on one; `auto` takes what it is given.
GPU = int(CONFIG.pretraining.device == "cuda")


def grows(base, per_mb=0, processes=1, mb=None):
    """A resource: what each process of a job takes (a number, or one of its wildcards), what each
    MB adds, of its inputs or by `mb` of its wildcards; twice as much at each retry."""

    def needed(wildcards, input, attempt):
        size = mb(wildcards) if mb else input_mb(input)
        first = base(wildcards) if callable(base) else base
        return int(first + per_mb * size) * processes * 2 ** (attempt - 1)

    return needed


def code(rule, *modules):
    """Digest of a rule's script and all it imports, and of modules it loads by name."""
    return code_digest(ROOT / f"workflow/scripts/{rule}.py", *modules)


def named(pattern, names, key):
    """`--option NAME=path` values for a list of names."""
    return [f"{name}={pattern.format(**{key: name})}" for name in names]


def stores(names, corpus=NONE):
    """Stores of some data sets: in the study's genes, or in those of a ready model."""
    place = f"ready/{corpus}/cells/{{}}" if corpus in STUDY.ready else "data/{}/store"
    return [f"{RESULTS}/{place.format(name)}" for name in names]


def splits(names):
    """Split files of some targets."""
    return [f"{RESULTS}/splits/{name}.json" for name in names]


def store_options(targets, corpus=NONE):
    """`--store NAME=folder` for the data sets of some targets."""
    names = STUDY.stores_of(targets)
    return [
        f"--store {name}={store}" for name, store in zip(names, stores(names, corpus))
    ]


def datasets_of(corpus):
    """Data sets a corpus draws from; none for scratch."""
    if corpus == NONE:
        return []
    return sorted({source.dataset for source in STUDY.corpora[corpus].sources})


def run_files(kind):
    """What a run leaves in its folder."""
    about = ["card.json"] if kind != "ready" else []
    made = {
        "ready": ["weights.safetensors", "model.json"],
        "model": ["weights.safetensors", "model.json", "history.parquet"],
        "scores": ["scores.parquet", "predictions.parquet"],
    }
    made["tasks"] = made["scores"] + ["genes.parquet"] * bool(CONFIG.reconstruction)
    return made[kind] + about


def corpora_json():
    """All corpora of the study, as the scripts read them."""
    specs = [SLICES.corpus(name).model_dump(mode="json") for name in STUDY.corpora]
    return json.dumps(specs, sort_keys=True)


def reference_entry(file):
    """Sums and places of a reference file, so that another one is fetched when they change."""
    return STUDY.registry.reference(file.split(".")[0]).model_dump_json()


def ontology_file():
    """The Cell Ontology that predictions are scored by; nothing without lineage scores."""
    own = CONFIG.lineage
    return [own.ontology or f"{RESULTS}/reference/cell_ontology.json.zst"] * own.scores


def ontology_options():
    """What `collect` needs for lineage scores."""
    if not CONFIG.lineage.scores:
        return []
    files = *ontology_file(), CONFIG.lineage.labels or LABELS
    ontology, labels = map(shlex.quote, files)
    keys = [f"--key {target}={key}" for target, key in STUDY.ontology_keys().items()]
    options = [f"--split {path}" for path in splits(STUDY.targets)]
    return [f"--ontology {ontology} --labels {labels}", *keys, *options]


def gene_set_option(wildcards, input):
    """`--gene-sets FILE` where the method names a collection."""
    return f"--gene-sets {input.gene_sets}" if input.get("gene_sets") else ""


def gmt_files(names):
    """Files of gene-set collections: the reader's own, or the registry's."""
    own = {entry.name: entry.path for entry in CONFIG.gene_sets if entry.path}
    return [own.get(name) or f"{RESULTS}/reference/{name}.gmt" for name in names]


def gene_set_file(wildcards):
    """The collection that the method's parameters name; nothing for most methods."""
    return gmt_files(STUDY.gene_sets(wildcards.method))
