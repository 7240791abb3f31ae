"""Ready models: a copy of each, and the cells of its targets in its genes."""

READY = f"{RESULTS}/ready/{{corpus}}"


rule adopt:
    input:
        lambda wildcards: [
            STUDY.ready[wildcards.corpus].folder / file for file in run_files("ready")
        ],
    output:
        multiext(f"{READY}/model/", *run_files("ready")),
    log:
        f"{LOGS}/adopt/{{corpus}}.log",
    benchmark:
        f"{BENCHMARKS}/adopt/{{corpus}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(1000, 4),
        runtime=grows(4),
    params:
        source=lambda wildcards: str(STUDY.ready[wildcards.corpus].folder),
        folder=f"{READY}/model",
        code=code("adopt"),
    shell:
        f"python3 {SCRIPTS}/adopt.py"
        " --model {params.source:q} --out {params.folder} 2> >(tee {log} >&2)"


rule align:
    input:
        raw=f"{RESULTS}/data/{{dataset}}/raw.h5ad",
        cells=f"{RESULTS}/data/{{dataset}}/cells.h5ad",
        model=multiext(f"{READY}/model/", *run_files("ready")),
    output:
        store=directory(f"{READY}/cells/{{dataset}}"),
        report=f"{READY}/alignment/{{dataset}}.json",
    log:
        f"{LOGS}/align/{{corpus}}.{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/align/{{corpus}}.{{dataset}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(1000, 10),
        runtime=grows(4, 0.02),
    params:
        spec=lambda wildcards: STUDY.datasets[wildcards.dataset].to_json(),
        model=lambda wildcards, input: Path(input.model[0]).parent,
        min_found=lambda wildcards: STUDY.ready[wildcards.corpus].min_found,
        code=code("align"),
    shell:
        f"python3 {SCRIPTS}/align.py"
        " --raw {input.raw} --cells {input.cells} --spec {params.spec:q}"
        " --model {params.model} --min-found {params.min_found}"
        " --out {output.store} --out-report {output.report}"
        " 2> >(tee {log} >&2)"
