"""Settings of OpenMP that must be made before torch is imported."""

import os

# GNU OpenMP lets a waiting thread spin for about 100 ms. On a busy machine this keeps the thread
# that it waits for from its core: steps took up to 50 times as long. Spinning for about 10 µs takes
# the same time on an idle machine, and a fifth to a tenth on a busy one.
SPIN_COUNT = "10000"


def limit_openmp_spinning() -> None:
    """Shorten the spinning of waiting threads, unless the user has set a policy.

    To be called before torch is imported, which reads the environment.
    """
    if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
        os.environ["GOMP_SPINCOUNT"] = SPIN_COUNT
