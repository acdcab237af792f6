"""An application whose import takes processor time, as those of real sites do."""

import time

from benches.apps import hello

__all__ = ["hello"]

#: Seconds.
TAKES = 0.4

begun = time.process_time()
while time.process_time() - begun < TAKES:
    sum(range(1000))
