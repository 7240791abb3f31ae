"""A scheduler's warning, remembered until a step is done."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from selfcell.nets.across import max_across

EXIT_RETRY = 75  # EX_TEMPFAIL: state is saved, run the same command again to go on


class Warned:
    """Remembers SIGTERM and SIGUSR1 (a scheduler's warning) instead of dying of them."""

    def __init__(self) -> None:
        self.signal = 0
        self._before: dict[int, object] = {}

    def __enter__(self) -> Warned:
        for number in (signal.SIGTERM, signal.SIGUSR1):
            try:
                self._before[number] = signal.signal(number, self._note)
            except ValueError:  # not the main thread: signals are its owner's business
                break
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number

    def agree(self) -> None:
        """Let a signal that one process got stop all of them, after the same step."""
        self.signal = max_across(self.signal)

    def leave(self, where: str) -> None:
        """Exit with `EXIT_RETRY` if a signal came, when the first process has saved."""
        if self.signal:
            max_across(0)
            print(f"{where}: signal {self.signal}, stopped to be continued", file=sys.stderr)
            sys.exit(EXIT_RETRY)

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
