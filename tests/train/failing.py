"""A process of several that ends as it is told: `failing.py PROCESSES RANK HOW`."""

from __future__ import annotations

import os
import signal
import sys
import time

from selfcell.train import distributed


def main(processes: int, rank: int, how: str) -> None:
    """The process of that rank ends, the others wait for it."""
    distributed.enter(sys.argv, processes)
    if distributed.rank() == rank:
        print("last words", file=sys.stderr, flush=True)
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        sys.exit(int(how))
    time.sleep(60)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
