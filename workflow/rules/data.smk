"""From sources to stores: download, quality control, splits, vocabulary, store, leak audit."""


rule download:
    output:
        f"{RESULTS}/data/{{dataset}}/raw.h5ad",
    log:
        f"{LOGS}/download/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/download/{{dataset}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(700, 25, mb=converted_mb),
        runtime=grows(10, 0.02, mb=fetched_mb),
    params:
        spec=lambda wildcards: STUDY.datasets[wildcards.dataset].to_json(),
        stamp=lambda wildcards: STUDY.datasets[wildcards.dataset].stamp(),
        code=code("download"),
    shell:
        f"python3 {SCRIPTS}/download.py"
        " --spec {params.spec:q} --out {output} 2> >(tee {log} >&2)"


rule reference:
    output:
        f"{RESULTS}/reference/{{reference}}",
    log:
        f"{LOGS}/reference/{{reference}}.log",
    benchmark:
        f"{BENCHMARKS}/reference/{{reference}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(500, 2, mb=reference_mb),
        runtime=grows(10, 0.02, mb=reference_mb),
    params:
        name=lambda wildcards: wildcards.reference.split(".")[0],
        entry=lambda wildcards: reference_entry(wildcards.reference),
        current="" if CONFIG.former_symbols else "--current",
        registry=REGISTRY,
        code=code("reference"),
    shell:
        f"python3 {SCRIPTS}/reference.py"
        " --name {params.name} --registry {params.registry:q} {params.current}"
        " --out {output} 2> >(tee {log} >&2)"


rule qc:
    input:
        raw=f"{RESULTS}/data/{{dataset}}/raw.h5ad",
        genes=f"{RESULTS}/reference/genes.csv.gz",
        ontology=LABELS,
    output:
        cells=f"{RESULTS}/data/{{dataset}}/cells.h5ad",
        table=f"{RESULTS}/data/{{dataset}}/qc.parquet",
        summary=f"{RESULTS}/data/{{dataset}}/qc.json",
    log:
        f"{LOGS}/qc/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/qc/{{dataset}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(800, 0.8),
        runtime=grows(3, 0.003),
    params:
        spec=lambda wildcards: STUDY.datasets[wildcards.dataset].to_json(),
        limits=CONFIG.quality.model_dump_json(),
        code=code("qc"),
    shell:
        f"python3 {SCRIPTS}/qc.py"
        " --raw {input.raw} --spec {params.spec:q} --genes {input.genes}"
        " --ontology {input.ontology:q} --limits {params.limits:q} --out-cells {output.cells}"
        " --out-table {output.table} --out-summary {output.summary} 2> >(tee {log} >&2)"


rule split:
    input:
        cells=lambda wildcards: f"{RESULTS}/data/{STUDY.targets[wildcards.target].dataset}/cells.h5ad",
    output:
        f"{RESULTS}/splits/{{target}}.json",
    log:
        f"{LOGS}/split/{{target}}.log",
    benchmark:
        f"{BENCHMARKS}/split/{{target}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(500, 0.5),
        runtime=grows(3, 0.001),
    params:
        spec=lambda wildcards: STUDY.targets[wildcards.target]
        .split_spec()
        .model_dump_json(),
        labels=CONFIG.labels.model_dump_json(),
        code=code("split"),
    shell:
        f"python3 {SCRIPTS}/split.py"
        " --cells {input.cells} --spec {params.spec:q} --labels {params.labels:q}"
        " --out {output} 2> >(tee {log} >&2)"


rule split_protein:
    input:
        cells=lambda wildcards: expand(CELLS, name=STUDY.stores_of([wildcards.protein])),
    output:
        f"{RESULTS}/splits/{{protein}}.json",
    log:
        f"{LOGS}/split_protein/{{protein}}.log",
    benchmark:
        f"{BENCHMARKS}/split_protein/{{protein}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(500, 0.5),
        runtime=grows(3, 0.001),
    params:
        cells=lambda wildcards: named(
            CELLS, STUDY.stores_of([wildcards.protein]), "name"
        ),
        spec=lambda wildcards: SLICES.protein_split(wildcards.protein),
        code=code("split_protein"),
    shell:
        f"python3 {SCRIPTS}/split_protein.py"
        " --cells {params.cells} --spec {params.spec:q} --out {output}"
        " 2> >(tee {log} >&2)"


rule vocabulary:
    input:
        cells=expand(CELLS, name=STUDY.datasets),
        splits=splits(STUDY.every),
        tft=[f"{RESULTS}/reference/msigdb_tft.gmt"]
        * CONFIG.vocabulary.transcription_factors,
    output:
        genes=f"{RESULTS}/vocabulary.parquet",
        alignment=f"{RESULTS}/alignment.parquet",
    log:
        f"{LOGS}/vocabulary.log",
    benchmark:
        f"{BENCHMARKS}/vocabulary.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(850, 0.5),
        runtime=grows(3, 0.001),
    params:
        cells=named(CELLS, STUDY.datasets, "name"),
        tft=lambda wildcards, input: [f"--tft {path}" for path in input.tft],
        corpora=corpora_json(),
        options=CONFIG.vocabulary.model_dump_json(),
        code=code("vocabulary"),
    shell:
        f"python3 {SCRIPTS}/vocabulary.py"
        " --cells {params.cells} --splits {input.splits} {params.tft}"
        " --corpora {params.corpora:q} --options {params.options:q} --out {output.genes}"
        " --out-alignment {output.alignment} 2> >(tee {log} >&2)"


rule store:
    input:
        cells=f"{RESULTS}/data/{{dataset}}/cells.h5ad",
        vocabulary=f"{RESULTS}/vocabulary.parquet",
    output:
        directory(f"{RESULTS}/data/{{dataset}}/store"),
    log:
        f"{LOGS}/store/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/store/{{dataset}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(750, 0.5),
        runtime=grows(3, 0.001),
    params:
        code=code("store"),
    shell:
        f"python3 {SCRIPTS}/store.py"
        " --cells {input.cells} --vocabulary {input.vocabulary} --out {output}"
        " 2> >(tee {log} >&2)"
