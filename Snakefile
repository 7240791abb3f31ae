"""Entry point: `snakemake --cores all` runs the study of config.yaml."""

from snakemake.utils import min_version

min_version("9.20")

# --configfile FILE replaces config.yaml whole; --config key=value goes over either.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/pretrain.smk"
include: "workflow/rules/ready.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/across.smk"
include: "workflow/rules/tune.smk"
include: "workflow/rules/stats.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


# Beside Snakemake itself, also where a cluster runs the others: its nodes often reach no network.
localrules:
    all,
    figures,
    download,
    reference,


rule all:
    default_target: True
    input:
        rules.collect.output,
        rules.contrasts.output,
        rules.claims.output,
        BY_GENE,
        FIGURE_FILES,
        f"{RESULTS}/report.html",


rule figures:
    input:
        FIGURE_FILES,
