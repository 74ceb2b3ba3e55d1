"""The settings of a run as frozen dataclasses, with the range of each declared beside its type.

No field has a default here: the defaults are in ``configs/``.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from mnist_trainer.config.checking import Checked
from mnist_trainer.config.ranges import INT64_MAX, POSITIVE, Range

Count = Annotated[int, Range(low=0, most=1e9)]
PositiveInt = Annotated[int, Range(low=1, most=1e9)]
PositiveFloat = Annotated[float, POSITIVE]
Seed = Annotated[int, Range(low=0, high=INT64_MAX)]

NUM_TRAINING_IMAGES = {
    "mnist": 60_000,
    "mnist_printed": 80_000,
    "fashion_mnist": 60_000,
    "kmnist": 60_000,
    "qmnist": 60_000,
    "emnist_digits": 240_000,
    "emnist_letters": 124_800,
}

IMAGE_SIZE = 28
"""Side of the images of every data set, in pixels, before any transform."""

NUM_CLASSES = {name: 26 if name == "emnist_letters" else 10 for name in NUM_TRAINING_IMAGES}


@dataclass(frozen=True)
class DataSettings(Checked):
    """The data set, its split, and how it is loaded."""

    name: Literal[
        "mnist",
        "mnist_printed",
        "fashion_mnist",
        "kmnist",
        "qmnist",
        "emnist_digits",
        "emnist_letters",
    ]
    root: str | None
    """Folder of the data sets in torchvision's layout; None is the per-user cache."""
    validation_size: Count
    """Images held out of the training images, stratified by class; without effect with folds."""
    folds: Annotated[int, Range(low=2, most=1000)] | None
    """Parts that the published training images are cut into; None: no folds."""
    fold: Annotated[int, Range(low=0, most=999)] | None
    """The part that is held out for validation, from 0."""
    split_seed: Seed
    loader: Literal["resident", "dataloader"]
    num_workers: Annotated[int, Range(low=0, most=1024)]
    download: bool
    mirror: str | None
    """Address of a folder with the archive files, in place of the data set's own servers."""
    per_class: PositiveInt | None
    """Training images of each class; None keeps all."""
    train_limit: PositiveInt | None
    validation_limit: PositiveInt | None
    test_limit: PositiveInt | None
    mean: Annotated[float, Range(low=0, high=1)]
    """Mean of the training pixels on the scale 0..1."""
    std: Annotated[float, Range(low=0, low_open=True, most=1e6)]
    """Standard deviation of the training pixels on the scale 0..1."""

    @property
    def holds_out(self) -> bool:
        """Whether there are validation images."""
        return self.folds is not None or self.validation_size > 0

    @property
    def held_out(self) -> tuple[object, ...]:
        """What determines the validation images: equal where these are the same."""
        part = self.validation_size if self.folds is None else (self.folds, self.fold)
        return self.name, part, self.split_seed, self.validation_limit


@dataclass(frozen=True)
class DeviceSettings(Checked):
    """Device and precision of the run."""

    type: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["auto", "mixed", "fp32", "bf16", "fp16"]
    channels_last: bool
    deterministic: bool
    threads: Annotated[int, Range(low=1, most=1024)] | None
    """CPU threads within one operation; None leaves PyTorch's choice."""
    graph: Literal["auto"] | bool
    """Whether training steps are replayed as a CUDA graph; auto: wherever that is possible."""


@dataclass(frozen=True)
class AdversarySettings(Checked):
    """Training on adversarial examples (Madry et al. 2018); pixel units are 0 to 1."""

    epsilon: Annotated[float, Range(low=0, high=1, low_open=True)]
    """Largest change of a pixel."""
    steps: Annotated[int, Range(low=1, most=1000)]
    """Steps of the attack on each batch."""
    step_size: Annotated[float, Range(low=0, high=1, low_open=True)]
    """Change of a pixel in a step."""
    warmup_epochs: Annotated[float, Range(low=0, most=1e6)]
    """Epochs in which epsilon and step size grow in proportion from nearly 0."""


@dataclass(frozen=True)
class TrainerSettings(Checked):
    """Length of the training, batch sizes, engine, validation and checkpoints."""

    epochs: Annotated[int, Range(low=1, most=1e6)]
    batch_size: PositiveInt
    """Images in one forward and backward pass."""
    accumulation: PositiveInt
    """Batches whose gradients make one update."""
    engine: Literal["autograd", "manual", "numpy"]
    """What computes the gradients: PyTorch's automatic differentiation, or formulas derived by
    hand, on tensors or in NumPy."""
    eval_batch_size: PositiveInt
    clip_norm: PositiveFloat | None
    ema_decay: Annotated[float, Range(low=0, high=1, low_open=True, high_open=True)] | None
    monitor: Literal["accuracy", "loss"]
    patience: PositiveInt | None
    """Epochs without a better validation value before the run stops."""
    test_weights: Literal["best", "last"]
    translations: Literal[1, 3, 5, 9]
    """Views of an image, shifted by at most a pixel, whose probabilities an evaluation averages."""
    log_every: PositiveInt
    """Updates between two log points."""
    checkpoint_every: PositiveInt | None
    """Updates between two checkpoints within an epoch."""
    film: bool
    """Whether snapshots of the training are kept for a lesson's page."""
    adversary: AdversarySettings | None
    """None: training on the images as they are."""


@dataclass(frozen=True)
class TrackerSettings(Checked):
    """What is written for TensorBoard, and what is profiled."""

    enabled: bool
    images: bool
    histograms: bool
    graph: bool
    images_every: PositiveInt | None
    """Epochs between two confusion matrices, galleries of mistakes and histograms of gradients."""
    profile_steps: PositiveInt | None
    """Steps whose operators are timed, once, after the first few of a session; None times nothing.
    """
    extra: dict[str, Any] | None
    """A further tracker: ``_target_`` names its class."""


@dataclass(frozen=True)
class Component:
    """A model, loss, optimizer, scheduler or transform: the class to build, and its options."""

    group: str
    choice: str
    """The name under which the command line chose it, such as ``cnn``."""
    node: Mapping[str, Any]
    """Plain values only; ``_target_`` names the class."""

    @property
    def target(self) -> str:
        return str(self.node["_target_"])

    @property
    def options(self) -> dict[str, Any]:
        return {key: value for key, value in self.node.items() if key != "_target_"}


@dataclass(frozen=True)
class TransformSettings:
    """The transforms of the images, in the order in which they are applied."""

    fixed: tuple[Component, ...]
    """Deterministic, applied once to every image."""
    random: tuple[Component, ...]
    """Drawn anew for each training image and epoch."""


@dataclass(frozen=True)
class RunConfig:
    """All settings of a run, checked."""

    seed: int
    data: DataSettings
    model: Component
    loss: Component
    optimizer: Component
    scheduler: Component
    transforms: TransformSettings
    device: DeviceSettings
    trainer: TrainerSettings
    tracker: TrackerSettings
    choices: Mapping[str, str]
    """Group name to the option that was chosen."""
    plain: Mapping[str, Any]
    """All settings as plain nested dictionaries: the content of ``config.yaml``."""

    @property
    def sweep(self) -> str | None:
        """Name of the sweep's folder, where the user gave one."""
        sweep: str | None = self.plain["sweep"]
        return sweep

    @property
    def resume(self) -> str | None:
        """Folder of the run to resume."""
        resume: str | None = self.plain["resume"]
        return resume

    @property
    def reproduce(self) -> str | None:
        """Folder of the run to compare with."""
        reproduce: str | None = self.plain["reproduce"]
        return reproduce

    @property
    def resume_allow_changes(self) -> bool:
        """Whether a resumed run may have other settings than it was started with."""
        return bool(self.plain["resume_allow_changes"])

    @cached_property
    def yaml(self) -> str:
        """All settings as YAML: the content of ``config.yaml``."""
        from omegaconf import OmegaConf

        return OmegaConf.to_yaml(OmegaConf.create(dict(self.plain)))

    def resumed_from(self, folder: Path) -> "RunConfig":
        """The same settings, resuming the run in a folder."""
        return dataclasses.replace(self, plain={**self.plain, "resume": str(folder)})

    @property
    def label(self) -> str:
        """Short name of the run."""
        return self.plain["name"] or f"{self.model.choice}-{self.optimizer.choice}"
