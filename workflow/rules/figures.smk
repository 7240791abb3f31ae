"""Figures: each is drawn from one small table, and each table is made by one job."""

FIGURE = RESULTS + "/figures/{figure}"
FIGURE_FILES = expand(FIGURE + ".{kind}", figure=FIGURES, kind=["csv", "pdf", "png"])

# One map for each target and corpus: the first method and seed.
MAPS = [
    RESULTS + f"/maps/{target.name}.{corpus}.parquet"
    for target in CONFIG.targets
    for corpus in target.corpora
    if not STUDY.corpora[corpus].shuffle_genes
]
TABLE_INPUTS = {
    "contrasts": [RESULTS + "/contrasts.parquet"],
    "label_efficiency": [RESULTS + "/scores.parquet"],
    "per_type": [RESULTS + "/scores.parquet", *splits(STUDY.targets)],
    "embedding": MAPS,
    "qc": expand(RESULTS + "/data/{name}/qc.parquet", name=STUDY.datasets),
    "training": expand("{folder}/history.parquet", folder=MODEL_FOLDERS),
}


def mapped_model(wildcards):
    """The model whose embedding is drawn: the corpus's first method and seed."""
    first = next(m for m in STUDY.models() if m.corpus == wildcards.corpus)
    return MODEL.format(**first._asdict())


rule project:
    input:
        model=lambda wildcards: multiext(
            mapped_model(wildcards) + "/", *run_files("model")
        ),
        store=lambda wildcards: stores([STUDY.targets[wildcards.target].dataset]),
        split=lambda wildcards: splits([wildcards.target]),
    output:
        RESULTS + "/maps/{target}.{corpus}.parquet",
    log:
        LOGS + "/project/{target}.{corpus}.log",
    benchmark:
        BENCHMARKS + "/project/{target}.{corpus}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        model=lambda wildcards: mapped_model(wildcards),
        code=code("project"),
    shell:
        "{RUN}/project.py --model {params.model} --store {input.store} --split {input.split}"
        " --threads {threads} --out {output} 2> >(tee {log} >&2)"


rule figure_table:
    input:
        lambda wildcards: TABLE_INPUTS[wildcards.figure],
    output:
        FIGURE + ".csv",
    log:
        LOGS + "/figure_table/{figure}.log",
    benchmark:
        BENCHMARKS + "/figure_table/{figure}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        code=lambda wildcards: code("figure_table", FIGURES[wildcards.figure]),
    shell:
        "{RUN}/figure_table.py --name {wildcards.figure} --out {output} {input}"
        " 2> >(tee {log} >&2)"


for name in FIGURES:

    rule:
        name:
            f"figure_{name}"
        input:
            RESULTS + f"/figures/{name}.csv",
        output:
            pdf=RESULTS + f"/figures/{name}.pdf",
            png=report(
                RESULTS + f"/figures/{name}.png",
                caption=f"../report/{name}.rst",
                category="Figures",
                labels={"figure": name},
            ),
        log:
            LOGS + f"/figure/{name}.log",
        benchmark:
            BENCHMARKS + f"/figure/{name}.jsonl"
        conda:
            ENV
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            name=name,
            code=code("figure", FIGURES[name]),
        shell:
            "{RUN}/figure.py --name {params.name} --table {input} --pdf {output.pdf}"
            " --png {output.png} 2> >(tee {log} >&2)"
