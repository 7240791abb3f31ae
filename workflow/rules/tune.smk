"""Tuning on the development set; only `snakemake tuned` runs it, with configs/tune.yaml."""

GRID = f"{RESULTS}/tuning/{{target}}.{{corpus}}.{{method}}.s{{seed}}.csv"


rule tune:
    input:
        model=model_files,
        store=lambda wildcards: stores([STUDY.targets[wildcards.target].dataset]),
        split=lambda wildcards: splits([wildcards.target]),
    output:
        GRID,
    log:
        f"{LOGS}/tune/{{target}}.{{corpus}}.{{method}}.s{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/tune/{{target}}.{{corpus}}.{{method}}.s{{seed}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(1000, 10),
        runtime=grows(60, 0.5),
        gpu=GPU,
    params:
        spec=lambda wildcards: SLICES.tune(fine_tune_job(wildcards)),
        model=model_option,
        code=code("tune"),
    shell:
        f"python3 {SCRIPTS}/tune.py"
        " --spec {params.spec:q} {params.model} --store {input.store}"
        " --split {input.split} --threads {threads} --out {output} 2> >(tee {log} >&2)"


rule tuned:
    input:
        [GRID.format(**job._asdict()) for job in STUDY.fine_tunes()],
    output:
        f"{RESULTS}/tuning.yaml",
    log:
        f"{LOGS}/tuned.log",
    benchmark:
        f"{BENCHMARKS}/tuned.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(500),
        runtime=grows(5),
    params:
        code=code("tuned"),
    shell:
        f"python3 {SCRIPTS}/tuned.py" " {input} --out {output} 2> >(tee {log} >&2)"
