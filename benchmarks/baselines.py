"""What the product is compared with: the loop that tutorials teach, and the least that PyTorch has
to do."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import datasets
from torchvision.transforms import Compose, Normalize, ToTensor

from mnist_trainer.config.settings import RunConfig
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.models.build import build_model

MEAN, STD = 0.1307, 0.3081
BATCH_SIZE = 64
LEARNING_RATE, MOMENTUM = 0.01, 0.5
# What was quickest of 64 to 10,000 on the CPU, or as good as that.
BARE_TEST_BATCH_SIZE = 256


def seeded_model(config: RunConfig) -> nn.Module:
    """The same network, with the same initial weights, for every way."""
    torch.manual_seed(config.seed)
    return build_model(config.model, num_classes=10)


class TutorialLoop:
    """torchvision's data set, one PIL image at a time through a DataLoader, the loss fetched at
    every step."""

    def __init__(self, config: RunConfig, root: Path, device: torch.device, steps: int) -> None:
        transform = Compose([ToTensor(), Normalize((MEAN,), (STD,))])
        train_set = datasets.MNIST(str(root), train=True, transform=transform)
        test_set = datasets.MNIST(str(root), train=False, transform=transform)
        self.train_loader = DataLoader(train_set, batch_size=BATCH_SIZE, shuffle=True)
        self.test_loader = DataLoader(test_set, batch_size=BATCH_SIZE, shuffle=False)
        self.device = device
        self.steps = steps
        self.model = seeded_model(config).to(device)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM
        )
        self.running_loss = 0.0
        self.batches = self._batches()

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from self.train_loader

    def train(self) -> None:
        """One turn of training."""
        self.model.train()
        for batch, batch_labels in islice(self.batches, self.steps):
            images, labels = batch.to(self.device), batch_labels.to(self.device)
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
            self.running_loss += loss.item()

    def test(self) -> int:
        """One pass over the test images: the number of right answers."""
        self.model.eval()
        correct = 0
        with torch.no_grad():
            for batch, batch_labels in self.test_loader:
                images, labels = batch.to(self.device), batch_labels.to(self.device)
                predicted = self.model(images).argmax(dim=1)
                correct += int((predicted == labels).sum().item())
        return correct


class BareLoop:
    """The limit of eager PyTorch: normalised tensors in memory, forward, backward and update, and
    nothing else."""

    def __init__(
        self,
        config: RunConfig,
        train: LabelledImages,
        test: LabelledImages,
        device: torch.device,
        memory_format: torch.memory_format,
        steps: int,
    ) -> None:
        self.images, self.labels = normalised(train, device, memory_format)
        self.test_images, self.test_labels = normalised(test, device, memory_format)
        self.memory_format = memory_format
        self.device = device
        self.steps = steps
        self.model = seeded_model(config).to(device).to(memory_format=memory_format)
        self.criterion = nn.CrossEntropyLoss()
        # The limit is to be low: one kernel for all parameters.
        self.optimizer = torch.optim.SGD(
            self.model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM, fused=True
        )
        self.indexes = self._indexes()

    def _indexes(self) -> Iterator[Tensor]:
        while True:
            yield from torch.randperm(len(self.labels)).to(self.device).split(BATCH_SIZE)

    def train(self) -> None:
        """One turn of training."""
        self.model.train()
        for indexes in islice(self.indexes, self.steps):
            images = self.images[indexes].contiguous(memory_format=self.memory_format)
            loss = self.criterion(self.model(images), self.labels[indexes])
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def test(self) -> int:
        """One pass over the test images: the number of right answers."""
        self.model.eval()
        size = BARE_TEST_BATCH_SIZE
        with torch.inference_mode():
            portions = zip(self.test_images.split(size), self.test_labels.split(size), strict=True)
            return sum(
                int((self.model(images).argmax(dim=1) == labels).sum())
                for images, labels in portions
            )


def normalised(
    data: LabelledImages, device: torch.device, memory_format: torch.memory_format
) -> tuple[Tensor, Tensor]:
    """float32 images and their labels, on the device."""
    images = data.images.to(device).to(torch.float32).div_(255).sub_(MEAN).div_(STD)
    return images.contiguous(memory_format=memory_format), data.labels.to(device)
