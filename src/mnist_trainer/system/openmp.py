"""What is settled before torch is imported: how its threads wait for each other."""

import os

# GNU OpenMP lets a waiting thread spin for about a hundred milliseconds. On a machine with other
# work to do the thread that it waits for is then kept from its core: steps were seen to take 50
# times as long. Spinning for some ten microseconds is as quick on a quiet machine, and five to ten
# times as quick on a busy
# one.
SPIN_COUNT = "10000"


def limit_openmp_spinning() -> None:
    """Shorten the spinning, unless the user has said how to wait; to be called before torch is
    imported, which reads it."""
    if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
        os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT
