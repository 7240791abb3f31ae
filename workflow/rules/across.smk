"""Evaluation over several data sets or batches: integration, and data that nothing was learned from.

All networks in one job: what it has to load costs more than scoring one of them.
"""

INTEGRATE = f"{RESULTS}/runs/integrate/{{mixture}}"
UNSEEN = f"{RESULTS}/runs/unseen/{{afar}}"


rule integrate:
    input:
        audit=f"{RESULTS}/audit.json",
        models=lambda wildcards: files_of_models(wildcards.mixture),
        stores=lambda wildcards: stores(STUDY.stores_of([wildcards.mixture])),
    output:
        multiext(f"{INTEGRATE}/", *run_files("scores")),
    log:
        f"{LOGS}/integrate/{{mixture}}.log",
    benchmark:
        f"{BENCHMARKS}/integrate/{{mixture}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(2500, 10),
        runtime=grows(4, 0.005),
    params:
        spec=lambda wildcards: SLICES.integrate(wildcards.mixture),
        models=lambda wildcards: model_options(wildcards.mixture),
        stores=lambda wildcards: store_options([wildcards.mixture]),
        folder=INTEGRATE,
        code=code("integrate"),
    shell:
        f"python3 {SCRIPTS}/integrate.py"
        " --spec {params.spec:q} {params.models} {params.stores}"
        " --code {params.code} --threads {threads} --out {params.folder} 2> >(tee {log} >&2)"


rule unseen:
    input:
        audit=f"{RESULTS}/audit.json",
        models=lambda wildcards: files_of_models(wildcards.afar),
        stores=lambda wildcards: stores(STUDY.stores_of([wildcards.afar])),
        split=lambda wildcards: splits([STUDY.unseen[wildcards.afar].query]),
    output:
        multiext(f"{UNSEEN}/", *run_files("scores")),
    log:
        f"{LOGS}/unseen/{{afar}}.log",
    benchmark:
        f"{BENCHMARKS}/unseen/{{afar}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(1000, 10),
        runtime=grows(4, 0.02),
    params:
        spec=lambda wildcards: SLICES.unseen(wildcards.afar),
        models=lambda wildcards: model_options(wildcards.afar),
        stores=lambda wildcards: store_options([wildcards.afar]),
        folder=UNSEEN,
        code=code("unseen"),
    shell:
        f"python3 {SCRIPTS}/unseen.py"
        " --spec {params.spec:q} {params.models} {params.stores}"
        " --split {input.split} --code {params.code} --threads {threads} --out {params.folder}"
        " 2> >(tee {log} >&2)"
