"""Redraw results/released from its committed tables: nothing is fetched, nothing is trained."""

import shlex
import sys

from selfcell.figures import FIGURES
from selfcell.provenance import ROOT, code_digest
from snakemake.settings.types import DeploymentMethod
from snakemake.utils import min_version

min_version("9.20")

RELEASED = "results/released"
ENV = "../envs/study.yaml"
CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
PYTHON = "python" if CONDA else shlex.quote(sys.executable)
TABLES = glob_wildcards(f"{RELEASED}/{{study}}/figures/{{figure}}.csv")
NAMES = [name for name in FIGURES if name in TABLES.figure]
if set(TABLES.figure) - set(NAMES):
    raise WorkflowError(f"{RELEASED} holds tables of no figure of {NAMES}")
if not NAMES:
    raise WorkflowError(f"{RELEASED} holds no figure tables; remedy: make release")


wildcard_constraints:
    study=r"[A-Za-z0-9_.-]+",


localrules:
    all,


rule all:
    default_target: True
    input:
        expand(
            f"{RELEASED}/{{study}}/figures/{{figure}}.{{kind}}",
            zip,
            study=[study for study in TABLES.study for _ in range(2)],
            figure=[figure for figure in TABLES.figure for _ in range(2)],
            kind=["pdf", "png"] * len(TABLES.figure),
        ),


for name in NAMES:

    rule:
        name:
            f"figure_{name}"
        input:
            f"{RELEASED}/{{study}}/figures/{name}.csv",
        output:
            pdf=f"{RELEASED}/{{study}}/figures/{name}.pdf",
            png=f"{RELEASED}/{{study}}/figures/{name}.png",
        log:
            f"logs/redraw/{{study}}.{name}.log",
        benchmark:
            f"logs/redraw/{{study}}.{name}.jsonl"
        conda:
            ENV
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            name=name,  # the command is formatted late, when the loop is over
            code=code_digest(ROOT / f"workflow/scripts/figure_{name}.py"),
        shell:
            "{PYTHON} workflow/scripts/figure_{params.name}.py"
            " --table {input} --pdf {output.pdf} --png {output.png}"
            " 2> >(tee {log} >&2)"
