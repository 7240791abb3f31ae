"""Pre-training: one job for each corpus, method and seed."""

MODEL = RESULTS + "/models/{corpus}/{method}/s{seed}"


def gene_set_option(wildcards, input):
    """`--gene-sets FILE` where the method names a collection."""
    return f"--gene-sets {input.gene_sets}" if input.get("gene_sets") else ""


def gene_set_file(wildcards):
    """The collection that the method's parameters name; nothing for most methods."""
    own = {entry.name: entry.path for entry in CONFIG.gene_sets if entry.path}
    names = STUDY.gene_sets(wildcards.method)
    return [own.get(name) or f"{RESULTS}/reference/{name}.gmt" for name in names]


rule pretrain:
    input:
        # The audit comes first: a leak stops the study before it trains anything.
        audit=RESULTS + "/audit.json",
        stores=lambda wildcards: stores(datasets_of(wildcards.corpus)),
        splits=lambda wildcards: splits(STUDY.excluding(wildcards.corpus)),
        gene_sets=gene_set_file,
    output:
        multiext(MODEL + "/", *run_files("model")),
    log:
        LOGS + "/pretrain/{corpus}.{method}.s{seed}.log",
    benchmark:
        BENCHMARKS + "/pretrain/{corpus}.{method}.s{seed}.jsonl"
    retries: 2
    conda:
        ENV
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        spec=lambda wildcards: STUDY.pretrain_spec(
            wildcards.corpus, wildcards.method, int(wildcards.seed)
        ),
        stores=lambda wildcards: [
            f"--store {option}"
            for option in named(
                RESULTS + "/data/{name}/store", datasets_of(wildcards.corpus), "name"
            )
        ],
        splits=lambda wildcards, input: [f"--split {path}" for path in input.splits],
        gene_sets=gene_set_option,
        folder=MODEL,
        code=lambda wildcards: code("pretrain", STUDY.module(wildcards.method)),
    shell:
        "{RUN}/pretrain.py --spec {params.spec:q} {params.stores} {params.splits}"
        " {params.gene_sets} --code {params.code} --state {STATE} --threads {threads}"
        " --out {params.folder} 2> >(tee {log} >&2)"
