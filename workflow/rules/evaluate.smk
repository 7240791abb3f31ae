"""Evaluation: frozen embeddings, fine-tuning, and the baselines."""

FROZEN = f"{RESULTS}/runs/frozen/{{corpus}}/{{method}}/s{{seed}}"
FINETUNE = f"{RESULTS}/runs/finetune/{{target}}/{{corpus}}/{{method}}/s{{seed}}"
PROTEIN = f"{RESULTS}/runs/protein/{{protein}}/{{corpus}}/{{method}}/s{{seed}}"
RECONSTRUCT = f"{RESULTS}/runs/reconstruct/{{corpus}}/{{method}}/s{{seed}}"
BASELINE = f"{RESULTS}/runs/baseline/{{target}}"


rule frozen:
    input:
        model=model_files,
        stores=lambda wildcards: stores(
            STUDY.stores_of(frozen_targets(wildcards)), wildcards.corpus
        ),
        splits=lambda wildcards: splits(
            STUDY.splits_of(wildcards.corpus, wildcards.method)
        ),
        queries=lambda wildcards: sorted(set(frozen_queries(wildcards).values())),
    output:
        multiext(f"{FROZEN}/", *run_files("tasks")),
    log:
        f"{LOGS}/frozen/{{corpus}}.{{method}}.s{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/frozen/{{corpus}}.{{method}}.s{{seed}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(frozen_mb, 5),
        runtime=grows(3, 0.005),
    params:
        spec=lambda wildcards: SLICES.frozen(
            wildcards.corpus, wildcards.method, int(wildcards.seed)
        ),
        stores=lambda wildcards: store_options(
            frozen_targets(wildcards), wildcards.corpus
        ),
        splits=lambda wildcards, input: [f"--split {path}" for path in input.splits],
        queries=lambda wildcards: [
            f"--query {name}={path}"
            for name, path in frozen_queries(wildcards).items()
        ],
        model=lambda wildcards: model_folder(wildcards),
        folder=FROZEN,
        code=code("frozen"),
    shell:
        f"python3 {SCRIPTS}/frozen.py"
        " --spec {params.spec:q} --model {params.model} {params.stores}"
        " {params.splits} {params.queries} --code {params.code} --threads {threads}"
        " --out {params.folder} 2> >(tee {log} >&2)"


rule finetune:
    input:
        audit=f"{RESULTS}/audit.json",
        model=model_files,
        store=lambda wildcards: stores(
            [STUDY.targets[wildcards.target].dataset], wildcards.corpus
        ),
        split=lambda wildcards: splits([wildcards.target]),
    output:
        multiext(f"{FINETUNE}/", *run_files("scores")),
    log:
        f"{LOGS}/finetune/{{target}}.{{corpus}}.{{method}}.s{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/finetune/{{target}}.{{corpus}}.{{method}}.s{{seed}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(1100, 3),
        runtime=grows(4, 0.005),
        gpu=GPU,
    params:
        spec=lambda wildcards: SLICES.finetune(fine_tune_job(wildcards)),
        model=model_option,
        folder=FINETUNE,
        code=code("finetune"),
    shell:
        f"python3 {SCRIPTS}/finetune.py"
        " --spec {params.spec:q} {params.model} --store {input.store}"
        " --split {input.split} --code {params.code} --threads {threads} --out {params.folder}"
        " 2> >(tee {log} >&2)"


rule protein:
    input:
        audit=f"{RESULTS}/audit.json",
        model=model_files,
        stores=lambda wildcards: stores(STUDY.stores_of([wildcards.protein])),
        split=lambda wildcards: splits([wildcards.protein]),
    output:
        multiext(f"{PROTEIN}/", *run_files("scores")),
    log:
        f"{LOGS}/protein/{{protein}}.{{corpus}}.{{method}}.s{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/protein/{{protein}}.{{corpus}}.{{method}}.s{{seed}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(1000, 15),
        runtime=grows(4, 0.02),
        gpu=GPU,
    params:
        spec=lambda wildcards: SLICES.protein(protein_job(wildcards)),
        model=model_option,
        stores=lambda wildcards: store_options([wildcards.protein]),
        folder=PROTEIN,
        code=code("protein"),
    shell:
        f"python3 {SCRIPTS}/protein.py"
        " --spec {params.spec:q} {params.model} {params.stores}"
        " --split {input.split} --code {params.code} --threads {threads} --out {params.folder}"
        " 2> >(tee {log} >&2)"


rule reconstruct:
    input:
        audit=f"{RESULTS}/audit.json",
        model=model_files,
        stores=lambda wildcards: stores(
            STUDY.stores_of(autoencoders.targets(STUDY, wildcards.corpus))
        ),
        splits=lambda wildcards: splits(autoencoders.targets(STUDY, wildcards.corpus)),
    output:
        multiext(f"{RECONSTRUCT}/", *run_files("tasks")),
    log:
        f"{LOGS}/reconstruct/{{corpus}}.{{method}}.s{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/reconstruct/{{corpus}}.{{method}}.s{{seed}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(1300, 5),
        runtime=grows(4, 0.02),
        gpu=GPU,
    params:
        spec=lambda wildcards: SLICES.reconstruct(model_of(wildcards)),
        model=model_option,
        stores=lambda wildcards: store_options(
            autoencoders.targets(STUDY, wildcards.corpus)
        ),
        splits=lambda wildcards, input: [f"--split {path}" for path in input.splits],
        folder=RECONSTRUCT,
        code=code("reconstruct"),
    shell:
        f"python3 {SCRIPTS}/reconstruct.py"
        " --spec {params.spec:q} {params.model} {params.stores} {params.splits}"
        " --code {params.code} --threads {threads} --out {params.folder} 2> >(tee {log} >&2)"


rule baseline:
    input:
        audit=f"{RESULTS}/audit.json",
        stores=stores(STUDY.datasets),
        splits=splits(STUDY.every),
    output:
        multiext(f"{BASELINE}/", *run_files("tasks")),
    log:
        f"{LOGS}/baseline/{{target}}.log",
    benchmark:
        f"{BENCHMARKS}/baseline/{{target}}.jsonl"
    conda:
        ENV
    resources:
        mem_mb=grows(900, 15),
        runtime=grows(4, 0.02),
        gpu=GPU,
    params:
        spec=lambda wildcards: SLICES.baseline(wildcards.target),
        stores=[
            f"--store {name}={RESULTS}/data/{name}/store" for name in STUDY.datasets
        ],
        splits=lambda wildcards, input: [f"--split {path}" for path in input.splits],
        folder=BASELINE,
        code=code("baseline", *[BASELINES[name] for name in CONFIG.baselines]),
    shell:
        f"python3 {SCRIPTS}/baseline.py"
        " --spec {params.spec:q} {params.stores} {params.splits}"
        " --code {params.code} --threads {threads} --out {params.folder} 2> >(tee {log} >&2)"
