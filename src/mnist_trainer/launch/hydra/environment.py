"""Which environment variables a configuration may read: those that typed overrides name."""

import os
import re
from collections.abc import Sequence

from omegaconf import OmegaConf

from mnist_trainer.errors import RefusedError
from mnist_trainer.system.paths import refuse_undecodable

NAMED = re.compile(r"oc\.env:\s*['\"]?(\w+)")
MISSING = object()


def allow_typed_variables(overrides: Sequence[str]) -> None:
    """Let ``${oc.env:NAME}`` read the variables that these overrides name, and no others.

    A file of configurations may come from somebody else: it could send a value to a server, or
    leave it in a file that is passed on.
    """
    allowed = {name for override in overrides for name in NAMED.findall(override)}

    def read(name: str, default: object = MISSING) -> object:
        if name not in allowed:
            raise RefusedError(
                f"${{oc.env:{name}}}: a configuration file may not read the environment.\n"
                f"Type what it should be on the command line: KEY='${{oc.env:{name}}}'"
            )
        if name in os.environ:
            refuse_undecodable(os.environ[name], f"the environment variable {name}:")
            return os.environ[name]
        if default is MISSING:
            raise KeyError(f"Environment variable '{name}' not found")
        return default

    OmegaConf.register_new_resolver("oc.env", read, replace=True)
