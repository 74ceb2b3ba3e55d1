"""The help text, written from the configurations themselves."""

from mnist_trainer.config.shipped import group_choices, group_names
from mnist_trainer.system.version import __version__

HELP_OPTIONS = ("--help", "-h")
VERSION_OPTIONS = ("--version",)

HEAD = """\
mnist-train: train a digit classifier from composed configurations.

  mnist-train                                    the default: a small CNN on MNIST, 5 epochs
  mnist-train model=fcn device=cuda              other choices of a group
  mnist-train trainer.epochs=10 seed=1           other values
  mnist-train experiment=docs_cnn                a whole recipe
  mnist-train -m model=fcn,cnn seed=0,1          a sweep: every combination
  mnist-train -m sweep_file=study.yaml           a sweep from a file, with its question
  mnist-train -m model=fcn,cnn --plan 0.1        how many seeds show 0.1 points? (runs nothing)
  mnist-train -m model=fcn,cnn --until width=0.2,max=60   add seeds until it is decided
  mnist-train reproduce=latest                   the newest run once more: is it the same?
  mnist-train --find-lr model=fcn                which learning rate? a test over many, with seeds
  mnist-train model=lenet5 --explain             shapes and parameters written out; or =backward

Groups and their choices:"""

FOOT = """
Values: mnist-train --cfg job shows every key; the files in configs/ explain each.
Options: -m sweep, --cfg job the configuration, --config-dir DIR your own, --version, --hydra-help.
Tab:     eval "$(mnist-train -sc install=bash)" completes words; also zsh and fish.
Results: outputs/<date>/<time>-<model>-<optimizer>-<id>/; latest names the newest.
Curves:  tensorboard --logdir outputs"""


def print_help() -> None:
    """Print what the command can do, on one screen."""
    width = max(len(name) for name in group_names())
    print(HEAD)
    for name in group_names():
        print(f"  {name:<{width}}  {' '.join(group_choices(name))}")
    print(FOOT)


def print_version() -> None:
    """Print the version of this package."""
    print(f"mnist-train {__version__}")
