"""From sources to stores: download, quality control, splits, vocabulary, store, leak audit."""


def corpora_json():
    """All corpora of the study, as the scripts read them."""
    specs = [STUDY.corpus_spec(name).model_dump(mode="json") for name in STUDY.corpora]
    return json.dumps(specs, sort_keys=True)


rule download:
    output:
        RESULTS + "/data/{dataset}/raw.h5ad",
    log:
        LOGS + "/download/{dataset}.log",
    benchmark:
        BENCHMARKS + "/download/{dataset}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=1500,
        runtime=30,
    params:
        spec=lambda wildcards: STUDY.datasets[wildcards.dataset].to_json(),
        code=code("download"),
    shell:
        "{RUN}/download.py --spec {params.spec:q} {MIRRORS} --out {output} 2> >(tee {log} >&2)"


rule reference:
    output:
        RESULTS + "/reference/{reference}",
    log:
        LOGS + "/reference/{reference}.log",
    benchmark:
        BENCHMARKS + "/reference/{reference}.jsonl"
    wildcard_constraints:
        reference=r"[a-z0-9_]+\.(csv\.gz|gmt|json\.zst)",
    conda:
        ENV
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        name=lambda wildcards: wildcards.reference.split(".")[0],
        current="" if CONFIG.former_symbols else "--current",
        code=code("reference"),
    shell:
        "{RUN}/reference.py --name {params.name} --registry {REGISTRY} {params.current}"
        " {MIRRORS} --out {output} 2> >(tee {log} >&2)"


rule qc:
    input:
        raw=RESULTS + "/data/{dataset}/raw.h5ad",
        genes=RESULTS + "/reference/genes.csv.gz",
        ontology=ONTOLOGY,
    output:
        cells=RESULTS + "/data/{dataset}/cells.h5ad",
        table=RESULTS + "/data/{dataset}/qc.parquet",
        summary=RESULTS + "/data/{dataset}/qc.json",
    log:
        LOGS + "/qc/{dataset}.log",
    benchmark:
        BENCHMARKS + "/qc/{dataset}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        spec=lambda wildcards: STUDY.datasets[wildcards.dataset].to_json(),
        limits=CONFIG.quality.model_dump_json(),
        code=code("qc"),
    shell:
        "{RUN}/qc.py --raw {input.raw} --spec {params.spec:q} --genes {input.genes}"
        " --ontology {input.ontology} --limits {params.limits:q} --out-cells {output.cells}"
        " --out-table {output.table} --out-summary {output.summary} 2> >(tee {log} >&2)"


rule split:
    input:
        cells=lambda wildcards: RESULTS
        + f"/data/{STUDY.targets[wildcards.target].dataset}/cells.h5ad",
    output:
        RESULTS + "/splits/{target}.json",
    log:
        LOGS + "/split/{target}.log",
    benchmark:
        BENCHMARKS + "/split/{target}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        spec=lambda wildcards: STUDY.targets[wildcards.target]
        .split_spec()
        .model_dump_json(),
        labels=CONFIG.labels.model_dump_json(),
        code=code("split"),
    shell:
        "{RUN}/split.py --cells {input.cells} --spec {params.spec:q} --labels {params.labels:q}"
        " --out {output} 2> >(tee {log} >&2)"


rule vocabulary:
    input:
        cells=expand(RESULTS + "/data/{name}/cells.h5ad", name=STUDY.datasets),
        splits=splits(STUDY.targets),
        tft=[RESULTS + "/reference/msigdb_tft.gmt"]
        * CONFIG.vocabulary.transcription_factors,
    output:
        genes=RESULTS + "/vocabulary.parquet",
        alignment=RESULTS + "/alignment.parquet",
    log:
        LOGS + "/vocabulary.log",
    benchmark:
        BENCHMARKS + "/vocabulary.jsonl"
    conda:
        ENV
    resources:
        mem_mb=2500,
        runtime=15,
    params:
        cells=named(RESULTS + "/data/{name}/cells.h5ad", STUDY.datasets, "name"),
        tft=lambda wildcards, input: [f"--tft {path}" for path in input.tft],
        corpora=corpora_json(),
        options=CONFIG.vocabulary.model_dump_json(),
        code=code("vocabulary"),
    shell:
        "{RUN}/vocabulary.py --cells {params.cells} --splits {input.splits} {params.tft}"
        " --corpora {params.corpora:q} --options {params.options:q} --out {output.genes}"
        " --out-alignment {output.alignment} 2> >(tee {log} >&2)"


rule store:
    input:
        cells=RESULTS + "/data/{dataset}/cells.h5ad",
        vocabulary=RESULTS + "/vocabulary.parquet",
    output:
        directory(RESULTS + "/data/{dataset}/store"),
    log:
        LOGS + "/store/{dataset}.log",
    benchmark:
        BENCHMARKS + "/store/{dataset}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=1500,
        runtime=15,
    params:
        code=code("store"),
    shell:
        "{RUN}/store.py --cells {input.cells} --vocabulary {input.vocabulary} --out {output}"
        " 2> >(tee {log} >&2)"


rule audit:
    input:
        stores=stores(STUDY.datasets),
        splits=splits(STUDY.targets),
        vocabulary=RESULTS + "/vocabulary.parquet",
    output:
        RESULTS + "/audit.json",
    log:
        LOGS + "/audit.log",
    benchmark:
        BENCHMARKS + "/audit.jsonl"
    conda:
        ENV
    resources:
        mem_mb=1500,
        runtime=15,
    params:
        stores=named(RESULTS + "/data/{name}/store", STUDY.datasets, "name"),
        corpora=corpora_json(),
        code=code("audit"),
    shell:
        "{RUN}/audit.py --stores {params.stores} --splits {input.splits}"
        " --vocabulary {input.vocabulary} --corpora {params.corpora:q} --out {output}"
        " 2> >(tee {log} >&2)"
