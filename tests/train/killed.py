"""A training that kills itself with SIGKILL: `killed.py METHOD WHERE STEP STATE`.

WHERE is what it does for the STEPth time when it dies: it makes a batch (the first two are
validation cells), is about to put a saved state in place, or looks at the validation cells.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for `tests`

import torch

from selfcell import job
from selfcell.data.loader import Loader
from selfcell.tasks import pretrain as module
from selfcell.train.checkpoint import StateFile
from tests.methods.factory import CELLS
from tests.train.trainee import corpus, spec


def main(method: str, where: str, step: int, path: str) -> None:
    """Train until killed."""
    count = {"batch": 0, "save": 0, "measure": 0}

    def dying(kind: str, function):  # type: ignore[no-untyped-def]
        def called(*args, **kwargs):  # type: ignore[no-untyped-def]
            count[kind] += 1
            if kind == where and count[kind] == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return called

    plan_of = module.plan_of
    module.plan_of = lambda *args: replace(plan_of(*args), save_every_s=0.0)
    Loader.batch = dying("batch", Loader.batch)  # type: ignore[method-assign]
    job.os.replace = dying("save", os.replace)
    module._look = dying("measure", module._look)
    torch.set_num_threads(1)
    module.pretrain(spec(method), corpus(), CELLS.programmes, StateFile(Path(path), "key"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
