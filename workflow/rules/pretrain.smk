"""Pre-training: one job for each corpus, method and seed."""

# On one core a hundred thousand cells a minute are read at least by the default network, whose
# encoder has 2.4 million weights; and the fewer, the more weights there are.
READ, MILLIONS = (
    CONFIG.pretraining.steps * CONFIG.pretraining.batch,
    n_weights(STUDY) / 1e6,
)
PRETRAIN_MINUTES = 4 + int(READ * MILLIONS / 2.4) // 100_000
if CONFIG.pretraining.max_minutes is not None:
    PRETRAIN_MINUTES = min(PRETRAIN_MINUTES, 5 + int(CONFIG.pretraining.max_minutes))
PRETRAIN_MB = 700 + int(245 * MILLIONS)  # torch; weights, gradients, moments
PROCESSES = CONFIG.pretraining.processes
# A training that was killed is tried again, on one machine too, by the Snakemake that was started.
# Those inside a cluster's job keep to a rule's own number as well, and would multiply it.
RETRIES = 2 if workflow.is_main_process else 0
MODEL = f"{RESULTS}/models/{{corpus}}/{{method}}/s{{seed}}"


rule pretrain:
    input:
        # The audit comes first: a leak stops the study before it trains anything.
        audit=f"{RESULTS}/audit.json",
        stores=lambda wildcards: stores(datasets_of(wildcards.corpus)),
        splits=lambda wildcards: splits(STUDY.excluding(wildcards.corpus)),
        gene_sets=gene_set_file,
    output:
        multiext(f"{MODEL}/", *run_files("model")),
    log:
        f"{LOGS}/pretrain/{{corpus}}.{{method}}.s{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/pretrain/{{corpus}}.{{method}}.s{{seed}}.jsonl"
    retries: RETRIES
    conda:
        ENV
    # Of each node. More than one node is a matter of the profile (docs/cluster.md).
    threads: PROCESSES
    resources:
        nodes=1,
        mem_mb=grows(PRETRAIN_MB, 2, PROCESSES),
        runtime=grows(PRETRAIN_MINUTES),
        gpu=GPU * PROCESSES,
    params:
        spec=lambda wildcards: SLICES.pretrain(
            wildcards.corpus, wildcards.method, int(wildcards.seed)
        ),
        stores=lambda wildcards: [
            f"--store {option}"
            for option in named(
                f"{RESULTS}/data/{{name}}/store", datasets_of(wildcards.corpus), "name"
            )
        ],
        splits=lambda wildcards, input: [f"--split {path}" for path in input.splits],
        gene_sets=gene_set_option,
        folder=MODEL,
        state=STATE,
        code=lambda wildcards: code("pretrain", STUDY.module(wildcards.method)),
    # SIGTERM, sent to all processes of a job, is the training's to answer: the shell waits for it,
    # and who writes its log stays to the end.
    shell:
        "trap : TERM; "
        f"python3 {SCRIPTS}/pretrain.py"
        " --spec {params.spec:q} {params.stores} {params.splits}"
        " {params.gene_sets} --code {params.code} --state {params.state} --threads {threads}"
        " --nodes {resources.nodes} --out {params.folder} 2> >(trap '' TERM; tee {log} >&2)"
