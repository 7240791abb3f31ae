"""The audit: nothing of a test cell reaches training, or the study stops."""


rule audit:
    input:
        stores=stores(STUDY.datasets),
        splits=splits(STUDY.every),
        vocabulary=f"{RESULTS}/vocabulary.parquet",
    output:
        f"{RESULTS}/audit.json",
    log:
        f"{LOGS}/audit.log",
    benchmark:
        f"{BENCHMARKS}/audit.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(600, 5),
        runtime=grows(3, 0.003),
    params:
        stores=named(f"{RESULTS}/data/{{name}}/store", STUDY.datasets, "name"),
        corpora=corpora_json(),
        code=code("audit"),
    shell:
        f"python3 {SCRIPTS}/audit.py"
        " --stores {params.stores} --splits {input.splits}"
        " --vocabulary {input.vocabulary} --corpora {params.corpora:q} --out {output}"
        " 2> >(tee {log} >&2)"
