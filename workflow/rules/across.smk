"""Evaluation over several data sets or batches: integration, and data that nothing was learned from.

Frozen networks are evaluated here too by the rule `frozen`; these are the rivals, and networks that
go on learning.
"""

INTEGRATE = f"{RESULTS}/runs/integrate/{{mixture}}"
CONTINUED = f"{RESULTS}/runs/continued/{{mixture}}/{{corpus}}/{{method}}/s{{seed}}"
UNSEEN = f"{RESULTS}/runs/unseen/{{afar}}"


rule integrate:
    input:
        audit=f"{RESULTS}/audit.json",
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
        stores=lambda wildcards: store_options([wildcards.mixture]),
        folder=INTEGRATE,
        code=code("integrate"),
    shell:
        f"python3 {SCRIPTS}/integrate.py"
        " --spec {params.spec:q} {params.stores}"
        " --code {params.code} --threads {threads} --out {params.folder} 2> >(tee {log} >&2)"


rule continued:
    input:
        audit=f"{RESULTS}/audit.json",
        model=model_files,
        stores=lambda wildcards: stores(STUDY.stores_of([wildcards.mixture])),
    output:
        multiext(f"{CONTINUED}/", *run_files("scores")),
    log:
        f"{LOGS}/continued/{{mixture}}.{{corpus}}.{{method}}.s{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/continued/{{mixture}}.{{corpus}}.{{method}}.s{{seed}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(1700, 10),
        runtime=grows(4, 0.02),
        gpu=GPU,
    params:
        spec=lambda wildcards: SLICES.continued(continued_job(wildcards)),
        model=lambda wildcards: model_folder(wildcards),
        stores=lambda wildcards: store_options([wildcards.mixture]),
        folder=CONTINUED,
        code=code("continued"),
    shell:
        f"python3 {SCRIPTS}/continued.py"
        " --spec {params.spec:q} --model {params.model} {params.stores}"
        " --code {params.code} --threads {threads} --out {params.folder} 2> >(tee {log} >&2)"


rule unseen:
    input:
        audit=f"{RESULTS}/audit.json",
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
        mem_mb=grows(1050, 10),
        runtime=grows(4, 0.02),
    params:
        spec=lambda wildcards: SLICES.unseen(wildcards.afar),
        stores=lambda wildcards: store_options([wildcards.afar]),
        folder=UNSEEN,
        code=code("unseen"),
    shell:
        f"python3 {SCRIPTS}/unseen.py"
        " --spec {params.spec:q} {params.stores}"
        " --split {input.split} --code {params.code} --threads {threads} --out {params.folder}"
        " 2> >(tee {log} >&2)"
