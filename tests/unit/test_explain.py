"""Models explained: every shipped one, a user's own, and the graph of the way back."""

import pytest
import torch
from torch import Tensor, nn

from mnist_trainer.backward_graph import explain_backward
from mnist_trainer.config_files import group_choices
from mnist_trainer.data.published import PUBLISHED
from mnist_trainer.errors import ConfigError
from mnist_trainer.explain import Model, configured_model, explain_layers, totals
from mnist_trainer.settings import NUM_CLASSES
from mnist_trainer.summary import count_parameters
from tests.conftest import Compose


def model_of(module: nn.Module, size: int = 28) -> Model:
    return Model(module, nn.CrossEntropyLoss(), (1, size, size), 10)


@pytest.mark.parametrize("choice", group_choices("model"))
def test_every_model_is_explained_and_the_sums_are_right(choice: str, compose: Compose) -> None:
    model = configured_model(compose(f"model={choice}"))
    layers = explain_layers(model)
    assert [layer.name for layer in layers] == [name for name, m in model.module.named_modules() if not list(m.children())]
    assert layers[-1].output == "10"
    (parameters, total), *_ = totals(model)
    assert parameters == "parameters"
    assert int(total.rpartition("= ")[2].replace(",", "")) == count_parameters(model.module)
    for layer in layers:
        for line in layer.sizes:
            if line.startswith("floor"):
                assert line.endswith(f"= {layer.output.rpartition(' x ')[2]}")


def test_the_cnn_of_the_tutorials(compose: Compose) -> None:
    layers = explain_layers(configured_model(compose("experiment=docs_cnn")))
    assert [(layer.kind, layer.output, *layer.sizes) for layer in layers] == [
        ("Conv2d", "10 x 24 x 24", "floor((28 - 5 + 2*0)/1) + 1 = 24"),
        ("MaxPool2d", "10 x 12 x 12", "floor((24 - 2 + 2*0)/2) + 1 = 12"),
        ("ReLU", "10 x 12 x 12", "each number alone"),
        ("Conv2d", "20 x 8 x 8", "floor((12 - 5 + 2*0)/1) + 1 = 8"),
        ("MaxPool2d", "20 x 4 x 4", "floor((8 - 2 + 2*0)/2) + 1 = 4"),
        ("ReLU", "20 x 4 x 4", "each number alone"),
        ("Flatten", "320", "20*4*4 = 320"),
        ("Linear", "10", "every output sees all 320 inputs"),
    ]
    assert [layer.parameters for layer in layers if layer.parameters] == [
        "10*(1*5*5) + 10 = 260",
        "20*(10*5*5) + 20 = 5,020",
        "10*320 + 10 = 3,210",
    ]


def test_images_and_classes_follow_the_configuration(compose: Compose) -> None:
    model = configured_model(compose("model=cnn", "transforms=crop", "data=emnist_letters", "data.validation_size=1000"))
    assert (model.image_shape, model.num_classes) == ((1, 24, 24), 26)
    assert explain_layers(model)[0].output == "10 x 20 x 20"


def test_known_numbers_of_classes_are_those_of_the_data_sets() -> None:
    published = {name: len(source().class_names) for name, source in PUBLISHED.items()}
    assert published | {"mnist": 10} == NUM_CLASSES


class OwnForward(nn.Module):
    """Does without layers what others do with them, and uses one layer twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(784, 784)
        self.outer = nn.Linear(196, 10)
        self.scale = nn.Parameter(torch.ones(3))
        self.unused = nn.Linear(2, 2)
        self.inner.bias.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        hidden: Tensor = self.inner(self.inner(images.flatten(1)).relu())
        return self.outer(hidden.unflatten(1, (1, 28, 28))[..., ::2, ::2].flatten(1)) * self.scale.sum()  # type: ignore[no-any-return]


class Forgetful(OwnForward):
    """Its mistake is in no layer."""

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) to nothing."""
        return super().forward(images).reshape(3)


def test_a_models_own_forward_shows_between_its_layers() -> None:
    model = model_of(OwnForward())
    layers = explain_layers(model)
    assert [(layer.name, layer.output) for layer in layers] == [
        ("(forward)", "784"), ("inner", "784"), ("inner", "784"), ("(forward)", "196"), ("outer", "10"),
    ]  # fmt: skip
    assert layers[0].sizes == ["1*28*28 becomes 784, not by a layer"]
    assert layers[2].parameters == "those of its first use"
    assert dict(totals(model)) == {
        "parameters": "3 + 615,440 + 1,970 + 6 = 617,419",
        "multiply-adds": "614,656 + 614,656 + 1,960 = 1,231,272",
        "not trained": "784",
    }


def test_a_model_that_does_not_fit_names_the_layer() -> None:
    body = [nn.Conv2d(1, 2, 3), nn.Flatten()]
    with pytest.raises(ConfigError, match=r"2 \(Linear\), where 1352 arrives: in_features is 100, and 1,352 numbers come"):
        explain_layers(model_of(nn.Sequential(*body, nn.Linear(100, 10))))
    with pytest.raises(ConfigError, match=r"2 \(Linear\) puts out 5 .* 10 classes"):
        explain_layers(model_of(nn.Sequential(*body, nn.Linear(1352, 5))))
    with pytest.raises(ConfigError, match=r"0 \(Conv2d\).*floor\(\(28 - 29 \+ 2\*0\)/1\) \+ 1 = 0"):
        explain_layers(model_of(nn.Sequential(nn.Conv2d(1, 2, 29))))
    with pytest.raises(ConfigError, match=r"cannot pass the model after outer \(Linear\)"):
        explain_layers(model_of(Forgetful()))


@pytest.mark.parametrize("choice", group_choices("loss"))
def test_the_way_back_begins_at_the_loss_and_ends_in_every_parameter(choice: str, compose: Compose) -> None:
    model = configured_model(compose("model=lenet5", f"loss={choice}"))
    backward = explain_backward(model)
    assert backward.functions[0].output_of == "the loss"
    reached = {name for function in backward.functions for name in function.next if not name.isdigit()}
    names = [name for name, _ in model.module.named_parameters()]
    assert reached == set(names)
    assert [name for name, _ in backward.keeps] == names
    for number, function in enumerate(backward.functions, start=1):
        onward = [int(name) for name in function.next if name.isdigit()]
        assert all(number < other <= len(backward.functions) for other in onward)
    outputs = [function.output_of for function in backward.functions if function.output_of]
    assert outputs[1:] == [f"classifier.{k}" for k in range(5, -1, -1)] + [f"features.{k}" for k in range(5, -1, -1)]


def test_tensors_without_a_gradient_are_named_with_the_reason() -> None:
    backward = explain_backward(model_of(OwnForward()))
    assert dict(backward.without) == {
        "the images": "1 x 28 x 28: data, requires_grad is false",
        "inner.bias": "784: requires_grad is false",
        "unused.weight": "2 x 2: no part of the loss",
        "unused.bias": "2: no part of the loss",
    }
    assert {name for name, _ in backward.keeps} == {"scale", "inner.weight", "outer.weight", "outer.bias"}


def test_a_first_layer_without_a_bias_is_a_function_too() -> None:
    """It hands on to a single leaf, as a transposition does, which is left out."""
    backward = explain_backward(model_of(nn.Sequential(nn.Conv2d(1, 10, 28, bias=False), nn.Flatten())))
    assert [function.name for function in backward.functions][-1] == "ConvolutionBackward0"
    assert backward.functions[-1].next == ["0.weight"]
