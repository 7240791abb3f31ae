"""What every rule file uses: the study, its paths, the digest of a rule's code."""

import json
import sys

from selfcell.baselines import BASELINES
from selfcell.config import from_mapping
from selfcell.errors import SelfcellError
from selfcell.figures import FIGURES
from selfcell.provenance import ROOT, code_digest
from selfcell.study import NONE, FineTune, Study
from snakemake.settings.types import DeploymentMethod

try:
    STUDY = Study(from_mapping(config, "configuration"))
except SelfcellError as error:
    raise WorkflowError(str(error)) from None

CONFIG = STUDY.config
RESULTS = f"results/{CONFIG.study}"
STATE = "results/.state"
LOGS = RESULTS + "/logs"
BENCHMARKS = RESULTS + "/benchmarks"
REGISTRY = "resources/datasets.yaml"
ONTOLOGY = "resources/label_to_cl.json"
ENV = "../../envs/study.yaml"
# Snakemake's own interpreter: a bare `python` is not found from a venv that is not activated.
# Under conda deployment the environment's own comes first on the path.
CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
PYTHON = "python" if CONDA else sys.executable
RUN = PYTHON + " workflow/scripts"
MIRRORS = " ".join(f"--mirror {mirror}" for mirror in CONFIG.mirrors)


wildcard_constraints:
    dataset="|".join(STUDY.datasets),
    corpus="|".join([*STUDY.corpora, NONE]),
    target="|".join(STUDY.targets),
    method=r"[A-Za-z0-9_.-]+",
    seed=r"\d+",
    reference=r"[a-z0-9_]+",
    figure="|".join(FIGURES),


def code(rule, *modules):
    """Digest of a rule's script and all it imports, and of modules it loads by name."""
    return code_digest(ROOT / f"workflow/scripts/{rule}.py", *modules)


def named(pattern, names, key):
    """`--option NAME=path` values for a list of names."""
    return [f"{name}={pattern.format(**{key: name})}" for name in names]


def stores(names):
    """Stores of some data sets."""
    return [f"{RESULTS}/data/{name}/store" for name in names]


def splits(names):
    """Split files of some targets."""
    return [f"{RESULTS}/splits/{name}.json" for name in names]


def datasets_of(corpus):
    """Data sets a corpus draws from; none for scratch."""
    if corpus == NONE:
        return []
    return sorted({source.dataset for source in STUDY.corpora[corpus].sources})


def run_files(kind):
    """What a run leaves in its folder."""
    about = ["card.json"]
    made = {
        "model": ["weights.safetensors", "model.json", "history.parquet"],
        "scores": ["scores.parquet", "predictions.parquet"],
    }
    return made[kind] + about
