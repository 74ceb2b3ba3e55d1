"""The networks: images (N, 1, H, W) in, logits (N, num_classes) out."""

from mnist_trainer.models.convnet import ConvNet
from mnist_trainer.models.convolutional import CNN, LeNet5
from mnist_trainer.models.dense import FCN, Linear, TwoLayer

__all__ = ["CNN", "FCN", "ConvNet", "LeNet5", "Linear", "TwoLayer"]
