"""Check a composed configuration and convert it to ``RunConfig``: all mistakes in one message.

No torch here: a mistake in the configuration is answered before it is imported.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mnist_trainer.config.allow_list import refusal, refused_targets
from mnist_trainer.config.checking import KIND_NAMES, annotations_of, check_value
from mnist_trainer.config.engine_rules import engine_problems
from mnist_trainer.config.hints import unknown_setting
from mnist_trainer.config.ranges import Range, option_problem
from mnist_trainer.config.settings import (
    AdversarySettings,
    Component,
    DataSettings,
    DeviceSettings,
    RunConfig,
    Seed,
    TrackerSettings,
    TrainerSettings,
    TransformSettings,
)
from mnist_trainer.config.shipped import config_dir, group_choices
from mnist_trainer.config.split_rules import fold_problems, too_many_held_out
from mnist_trainer.errors import ConfigError

CLOSED_GROUPS = {
    "data": DataSettings,
    "device": DeviceSettings,
    "trainer": TrainerSettings,
    "tracker": TrackerSettings,
}
# Settings that came after the first version: folders of runs of that time lack them.
LATER: dict[str, dict[str, Any]] = {
    "": {"sweep_file": None},
    "data": {"per_class": None, "folds": None, "fold": None},
    "trainer": {"adversary": None, "film": False},
}
OPEN_GROUPS = ("model", "loss", "optimizer", "scheduler")
# Groups that reach into the others and leave no key of their own.
OVERLAY_GROUPS = ("experiment", "debug")
TOP_LEVEL = {
    "seed": Seed,
    "name": str | None,
    "sweep": str | None,
    "sweep_file": str | None,
    "resume": str | None,
    "resume_allow_changes": bool,
    "reproduce": str | None,
    "reproduce_seeds": Annotated[int, Range(low=0, most=100)],
}


def read_config(config: DictConfig, choices: Mapping[str, str]) -> RunConfig:
    """Check a composed configuration and convert it.

    Args:
        config: what Hydra composed, without its own ``hydra`` part.
        choices: group name to chosen option, such as ``{"model": "cnn"}``.

    Raises:
        ConfigError: names every key that is unknown, missing, of the wrong type or out of range.
    """
    try:
        plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(
            f"{error.full_key or 'The configuration'}: {str(error).splitlines()[0]}"
        ) from error
    reader = _Reader(choices)
    read = reader.read(plain)
    if reader.refused:
        raise refusal(reader.refused)
    if read is None:
        raise ConfigError("\n".join(reader.problems))
    return read


class _Reader:
    """Reads the sections one by one and collects what is wrong with them."""

    def __init__(self, choices: Mapping[str, str]) -> None:
        self.choices = choices
        self.problems: list[str] = []
        self.refused: list[str] = []

    def read(self, plain: dict[str, Any]) -> RunConfig | None:
        """The settings; None where ``problems`` or ``refused`` say why not."""
        known = [*CLOSED_GROUPS, *OPEN_GROUPS, "transforms", *TOP_LEVEL]
        self.problems += [
            unknown_setting(key, known, _typed(plain[key])) for key in plain if key not in known
        ]
        top = {key: plain[key] for key in TOP_LEVEL if key in plain}
        self._fields("", TOP_LEVEL, LATER[""] | top)
        closed: dict[str, Any] = {
            group: (kind, self._fields(group, annotations_of(kind), self._section(plain, group)))
            for group, kind in CLOSED_GROUPS.items()
        }
        components: dict[str, Any] = {
            group: self._component(group, self._section(plain, group)) for group in OPEN_GROUPS
        }
        transforms = self._transforms(self._section(plain, "transforms"))
        self._tracker(plain.get("tracker"))

        if self.problems or self.refused:
            return None
        if (
            components["loss"].options.get("of") == "logits"
            and closed["trainer"][1]["translations"] > 1
        ):
            # Views are averaged as probabilities, from which no logits follow.
            self.problems.append(
                "loss.of=logits cannot score averaged views: use trainer.translations=1, or"
                " loss.of=softmax."
            )
            return None
        read = RunConfig(
            seed=plain["seed"],
            **{group: kind(**values) for group, (kind, values) in closed.items()},
            **components,
            transforms=transforms,
            choices=dict(self.choices),
            plain=plain,
        )
        self.problems += [*engine_problems(read), *fold_problems(read.data)]
        return None if self.problems else read

    def _section(self, plain: dict[str, Any], group: str) -> dict[str, Any]:
        section = plain.get(group)
        if isinstance(section, dict):
            return {**LATER.get(group, {}), **section}
        self.problems.append(f"{group}={section}: choose one of: {', '.join(group_choices(group))}")
        return {}

    def _fields(
        self, group: str, annotations: Mapping[str, Any], values: dict[str, Any]
    ) -> dict[str, Any]:
        prefix = f"{group}." if group else ""
        self.problems += [
            unknown_setting(prefix + key, annotations, _typed(values[key]))
            for key in values
            if key not in annotations
        ]
        read = {}
        for name, annotation in annotations.items():
            if name not in values:
                # A group that is missing altogether is one problem.
                if values or not group:
                    self.problems.append(f"{prefix}{name} is missing: its default is in configs/")
                continue
            if (group, name) == ("trainer", "adversary"):
                read[name] = self._adversary(values[name])
                continue
            read[name], problem = check_value(annotation, values[name])
            if (group, name) == ("data", "validation_size") and problem is None:
                problem = too_many_held_out(values.get("name"), values[name])
            if problem:
                self.problems.append(
                    f"{prefix}{name}={values[name]}: {self._with_example(problem, group, name)}"
                )
        return read

    def _adversary(self, node: Any) -> AdversarySettings | None:
        """The settings of ``trainer.adversary``; None where it is null, or its epsilon is: off."""
        if node is None:
            return None
        if not isinstance(node, dict):
            self.problems.append(
                f"trainer.adversary={node}: must be null, or a group of settings, such as"
                " trainer.adversary.epsilon=0.3"
            )
            return None
        annotations = annotations_of(AdversarySettings)
        is_on, before = node.get("epsilon") is not None, len(self.problems)
        if not is_on:
            del annotations["epsilon"]
            node = {name: value for name, value in node.items() if name != "epsilon"}
        values = self._fields("trainer.adversary", annotations, node)
        return AdversarySettings(**values) if is_on and len(self.problems) == before else None

    def _with_example(self, problem: str, group: str, name: str) -> str:
        """The problem, followed by the shipped default unless a spelling is proposed already."""
        shipped = _shipped_node(group, self.choices.get(group, "")) if group else None
        default = (shipped or {}).get(name)
        if problem.endswith("?") or default is None or "${" in str(default):
            return problem
        return f"{problem}, such as {group}.{name}={_typed(default)}"

    def _component(self, group: str, node: dict[str, Any]) -> Component:
        choice = self.choices.get(group, "")
        if node and "_target_" not in node:
            self.problems.append(f"{group}._target_ is missing: it names the class to build")
        self.refused += refused_targets(node, group)
        shipped = _shipped_node(group, choice)
        if shipped is not None and shipped.get("_target_") == node.get("_target_"):
            self._options(group, node, shipped)
        return Component(
            group, choice or str(node.get("_target_", "")).rpartition(".")[2].lower(), node
        )

    def _tracker(self, section: Any) -> None:
        """Check the options of a shipped ``tracker.extra``."""
        node = section.get("extra") if isinstance(section, dict) else None
        shipped = (_shipped_node("tracker", self.choices.get("tracker", "")) or {}).get("extra")
        if isinstance(node, dict):
            self.refused += refused_targets(node, "tracker.extra")
            if "_target_" not in node:
                self.problems.append(
                    "tracker.extra._target_ is missing: it names the class to build"
                )
            elif shipped and shipped["_target_"] == node["_target_"]:
                self._options("tracker.extra", node, shipped)

    def _transforms(self, node: dict[str, Any]) -> TransformSettings:
        kinds = ("fixed", "random")
        self.problems += [
            unknown_setting(f"transforms.{key}", kinds) for key in node if key not in kinds
        ]
        return TransformSettings(
            *(self._steps(f"transforms.{kind}", node.get(kind, [])) for kind in kinds)
        )

    def _steps(self, key: str, steps: Any) -> tuple[Component, ...]:
        if not isinstance(steps, list) or not all(
            isinstance(step, dict) and "_target_" in step for step in steps
        ):
            self.problems.append(f"{key}: must be a list of nodes, each with a _target_")
            return ()
        self.refused += refused_targets(steps, key)
        for index, step in enumerate(steps):
            for option, value in step.items():
                if problem := option_problem("transforms", option, value):
                    self.problems.append(f"{key}[{index}].{option}={value}: {problem}")
        choice = self.choices.get("transforms", "")
        return tuple(Component("transforms", choice, step) for step in steps)

    def _options(self, group: str, node: dict[str, Any], shipped: dict[str, Any]) -> None:
        """Check options against the shipped file, which names all of them with their types."""
        options = [key for key in shipped if key != "_target_"]
        for key in node:
            if key not in shipped and not accepts(str(node["_target_"]), key):
                hint = (
                    f" If an experiment sets it for another {group}: ~{group}.{key} leaves it out."
                )
                self.problems.append(unknown_setting(f"{group}.{key}", options) + "." + hint)
        for key in options:
            if key in node:
                problem = _unlike(shipped[key], node[key]) or option_problem(group, key, node[key])
                if problem:
                    self.problems.append(
                        f"{group}.{key}={node[key]}: {self._with_example(problem, group, key)}"
                    )


def accepts(target: str, option: str) -> bool:
    """Whether a shipped class has an option that its file does not name, by its signature."""
    from mnist_trainer.config.instantiate import option_names

    return option in option_names(target)


def _typed(value: object) -> str:
    """A value as it is typed on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value).replace(" ", "") if isinstance(value, list) else str(value)


@lru_cache(maxsize=64)
def _shipped_node(group: str, choice: str) -> dict[str, Any] | None:
    if not re.fullmatch(r"[\w-]+", choice):
        return None
    path = config_dir() / group / f"{choice}.yaml"
    if not path.is_file():
        return None
    node: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    return dict(node)


def _unlike(default: object, value: object) -> str | None:
    """What is wrong with a value of another type than the shipped default; None where nothing."""
    if default is None:
        return None
    if isinstance(default, list):
        if not isinstance(value, list):
            return f"must be a list, such as {default}"
        kinds = {type(item) for item in default}
        problems = [_unlike(default[0], item) for item in value] if len(kinds) == 1 else []
        return next((f"each entry {problem}" for problem in problems if problem), None)
    _, problem = check_value(type(default), value) if type(default) in KIND_NAMES else (value, None)
    return problem
