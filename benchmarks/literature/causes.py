"""Why a claim was not reproduced, or no verdict was possible, as far as it was found: written after
the measurement, and shown below the table."""

from collections.abc import Mapping

CAUSES: Mapping[str, str] = {
    "linear-99": "It is wrong, and was put in to show that a wrong claim fails.",
}
