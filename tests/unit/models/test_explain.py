"""Explanations of shipped and custom models, and the autograd graph."""

import pytest
import torch
from torch import Tensor, nn

from mnist_trainer.cli.explain import configured_model
from mnist_trainer.config.settings import NUM_CLASSES
from mnist_trainer.config.shipped import group_choices
from mnist_trainer.data.published import PUBLISHED
from mnist_trainer.errors import ConfigError
from mnist_trainer.models.backward_graph import explain_backward
from mnist_trainer.models.explain import Model, explain_layers, totals
from mnist_trainer.models.summary import count_parameters, summarize
from tests.conftest import Compose


def model_of(module: nn.Module, size: int = 28) -> Model:
    return Model(module, nn.CrossEntropyLoss(), (1, size, size), 10)


@pytest.mark.parametrize("choice", group_choices("model"))
def test_every_model_is_explained_with_correct_sums(choice: str, compose: Compose) -> None:
    model = configured_model(compose(f"model={choice}"))
    layers = explain_layers(model)
    assert [layer.name for layer in layers] == [
        name for name, m in model.module.named_modules() if not list(m.children())
    ]
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
    model = configured_model(
        compose("model=cnn", "transforms=crop", "data=emnist_letters", "data.validation_size=1000")
    )
    assert (model.image_shape, model.num_classes) == ((1, 24, 24), 26)
    assert explain_layers(model)[0].output == "10 x 20 x 20"


def test_known_numbers_of_classes_are_those_of_the_data_sets() -> None:
    published = {name: len(source().class_names) for name, source in PUBLISHED.items()}
    assert published | {"mnist": 10, "mnist_printed": 10} == NUM_CLASSES


class OwnForward(nn.Module):
    """Computes in its own forward between layers, and calls one layer twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(784, 784)
        self.outer = nn.Linear(196, 10)
        self.scale = nn.Parameter(torch.ones(3))
        self.unused = nn.Linear(2, 2)
        self.inner.bias.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        hidden: Tensor = self.inner(self.inner(images.flatten(1)).relu())
        quarter = hidden.unflatten(1, (1, 28, 28))[..., ::2, ::2].flatten(1)
        scaled: Tensor = self.outer(quarter) * self.scale.sum()
        return scaled


class Forgetful(OwnForward):
    """Fails in its own forward, outside of every layer."""

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) to nothing."""
        return super().forward(images).reshape(3)


def test_custom_forward_is_shown_between_layers() -> None:
    model = model_of(OwnForward())
    layers = explain_layers(model)
    assert [(layer.name, layer.output) for layer in layers] == [
        ("(forward)", "784"), ("inner", "784"), ("(forward)", "784"), ("inner", "784"),
        ("(forward)", "196"), ("outer", "10"),
        ("(forward)", "10"), ("OwnForward", ""), ("unused", ""),
    ]  # fmt: skip
    assert layers[0].sizes == ["1*28*28 becomes 784, not by a layer"]
    assert all(layers[k].sizes == ["computed without a layer"] for k in (2, 4, 6))
    assert layers[3].parameters == "those of its first use"
    assert [(*layer.sizes, layer.parameters) for layer in layers[7:]] == [
        ("its own, beside its layers", "3"),
        ("never called: unused, or its numbers are used elsewhere", "2*2 + 2 = 6"),
    ]
    assert dict(totals(model)) == {
        "parameters": "615,440 + 1,970 + 3 + 6 = 617,419",
        "multiply-adds": "614,656 + 614,656 + 1,960 = 1,231,272",
        "not counted": "multiply-adds of unused",
        "not trained": "784",
    }


class Branches(nn.Module):
    """A skip connection, views and changes in place."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(1, 4, 3, 2, 1)
        self.skip = nn.Conv2d(1, 4, 1, 2)
        self.act = nn.ReLU(inplace=True)
        self.b = nn.Linear(784, 784)
        self.c = nn.Linear(784, 10)
        self.d = nn.Linear(784, 10)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) to (N, 10)."""
        hidden = self.act(self.a(images) + self.skip(images)).flatten(1)
        self.b(hidden).neg_()
        left: Tensor = self.c(hidden)
        right: Tensor = self.d(hidden.neg_())
        left += right
        return left


def test_branches_are_found_by_the_inputs_of_layers() -> None:
    layers = explain_layers(model_of(Branches()))
    assert [
        (layer.name, layer.output, *layer.sizes)
        for layer in layers
        if layer.name in ("(forward)", "skip", "act")
    ] == [
        ("(forward)", "1 x 28 x 28", "the image again"),
        ("skip", "4 x 14 x 14", "floor((28 - 1 + 2*0)/2) + 1 = 14"),
        ("(forward)", "4 x 14 x 14", "computed without a layer"),
        ("act", "4 x 14 x 14", "each number alone"),
        ("(forward)", "784", "4*14*14 becomes 784, not by a layer"),
        ("(forward)", "784", "the output of act again", "4*14*14 becomes 784, not by a layer"),
        ("(forward)", "784", "computed without a layer"),
        ("(forward)", "10", "computed without a layer"),
    ]


class Attentive(nn.Module):
    """Attention over rows, a parameter of its own, a tied weight, a layer that returns a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(28, 4, batch_first=True)
        self.recurrent = nn.LSTM(28, 5, batch_first=True)
        self.matrix = nn.Parameter(torch.eye(5))
        self.tied = nn.Linear(5, 5)
        self.tied.weight = self.matrix
        self.head = nn.Linear(5, 10)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, 28, 28) to (N, 10)."""
        rows = images.squeeze(1)
        hidden, _ = self.recurrent(self.attention(query=rows, key=rows, value=rows)[0])
        return self.head(self.tied(hidden[:, -1] @ self.matrix))  # type: ignore[no-any-return]


def test_every_parameter_is_listed_once() -> None:
    module = Attentive()
    model = model_of(module)
    by_name = {layer.name: layer for layer in explain_layers(model)}
    assert list(by_name) == ["(forward)", "attention", "recurrent", "tied", "head"]
    count = sum(parameter.numel() for parameter in module.attention.parameters())
    assert by_name["attention"].parameters == f"84*28 + 84 + 28*28 + 28 = {count:,}"
    assert by_name["attention"].output == "28 x 28"
    assert by_name["attention"].macs == by_name["recurrent"].macs == "not counted"
    sums = dict(totals(model))
    assert sums["parameters"].endswith(f"= {count_parameters(module):,}")
    assert sums["not counted"] == "multiply-adds of attention, recurrent"
    assert "not trained" not in sums
    assert sum(layer.parameters for layer in summarize(module)) == count_parameters(module)


def test_backward_through_layers_with_several_outputs() -> None:
    backward = explain_backward(model_of(Attentive()))
    assert ("recurrent", "28 x 5") in backward.passes
    assert {name for name, _ in backward.keeps} == {
        name for name, _ in Attentive().named_parameters()
    }


def test_parameter_outside_of_layers_is_counted_once() -> None:
    class Scaled(nn.Sequential):
        def __init__(self) -> None:
            super().__init__(nn.Flatten(), nn.Linear(784, 10))
            self.matrix = nn.Parameter(torch.eye(10))

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = super().forward(images)  # type: ignore[no-untyped-call]
            return logits @ self.matrix

    model = model_of(Scaled())
    assert [(layer.name, layer.parameters, layer.macs) for layer in explain_layers(model)][-2:] == [
        ("(forward)", None, None),
        ("Scaled", "10*10 = 100", "not counted"),
    ]
    assert dict(totals(model))["not counted"] == "multiply-adds of Scaled"


@pytest.mark.parametrize(
    "words",
    [("model=cnn", "model.channels=[]"), ("model=convnet", "model.blocks=[]")],
    ids=" ".join,
)
def test_empty_containers_are_no_layers(words: tuple[str, ...], compose: Compose) -> None:
    model = configured_model(compose(*words))
    assert all(layer.name.startswith("classifier.") for layer in explain_layers(model))
    assert all(name.startswith("classifier.") for name, _ in explain_backward(model).passes)


def test_parametrized_and_attention_blocks_add_up() -> None:
    """A layer whose weight is computed by layers within it is one layer."""
    convolution = torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 28, 3, padding=1))
    encoder = nn.TransformerEncoderLayer(28, 4, 16, batch_first=True)
    module = nn.Sequential(
        convolution, nn.Flatten(1, 2), encoder, nn.Flatten(), nn.Linear(28 * 28 * 28, 10)
    )
    layers = explain_layers(model_of(module))
    assert layers[0].name == "0"
    assert (layers[0].kind, layers[0].output) == (type(convolution).__name__, "28 x 28 x 28")
    assert dict(totals(model_of(module)))["parameters"].endswith(f"= {count_parameters(module):,}")
    assert sum(layer.parameters for layer in summarize(module)) == count_parameters(module)


def test_shape_mismatch_names_the_layer() -> None:
    body = [nn.Conv2d(1, 2, 3), nn.Flatten()]
    with pytest.raises(
        ConfigError,
        match=r"2 \(Linear\), where 1352 arrives: in_features is 100, and 1,352 numbers come",
    ):
        explain_layers(model_of(nn.Sequential(*body, nn.Linear(100, 10))))
    with pytest.raises(ConfigError, match=r"2 \(Linear\) puts out 5 .* 10 classes"):
        explain_layers(model_of(nn.Sequential(*body, nn.Linear(1352, 5))))
    with pytest.raises(ConfigError, match=r"0 \(Conv2d\).*floor\(\(28 - 29 \+ 2\*0\)/1\) \+ 1 = 0"):
        explain_layers(model_of(nn.Sequential(nn.Conv2d(1, 2, 29))))
    with pytest.raises(ConfigError, match=r"cannot pass the model after outer \(Linear\)"):
        explain_layers(model_of(Forgetful()))


@pytest.mark.parametrize("choice", group_choices("loss"))
def test_graph_leads_from_the_loss_to_every_parameter(choice: str, compose: Compose) -> None:
    model = configured_model(compose("model=lenet5", f"loss={choice}"))
    backward = explain_backward(model)
    assert backward.functions[0].output_of == "the loss"
    reached = {
        name for function in backward.functions for name in function.next if not name.isdigit()
    }
    names = [name for name, _ in model.module.named_parameters()]
    assert reached == set(names)
    assert [name for name, _ in backward.keeps] == names
    for number, function in enumerate(backward.functions, start=1):
        onward = [int(name) for name in function.next if name.isdigit()]
        assert all(number < other <= len(backward.functions) for other in onward)
    outputs = [function.output_of for function in backward.functions if function.output_of]
    assert outputs[1:] == [f"classifier.{k}" for k in range(5, -1, -1)] + [
        f"features.{k}" for k in range(5, -1, -1)
    ]


def test_tensors_without_gradient_are_listed_with_reason() -> None:
    backward = explain_backward(model_of(OwnForward()))
    assert dict(backward.without) == {
        "the images": "1 x 28 x 28: data, requires_grad is false",
        "inner.bias": "784: requires_grad is false",
        "unused.weight": "2 x 2: no part of the loss",
        "unused.bias": "2: no part of the loss",
    }
    assert {name for name, _ in backward.keeps} == {
        "scale",
        "inner.weight",
        "outer.weight",
        "outer.bias",
    }


def test_first_layer_without_bias_is_in_the_graph() -> None:
    """Its node has a single leaf, as a transpose node has, which is left out."""
    backward = explain_backward(
        model_of(nn.Sequential(nn.Conv2d(1, 10, 28, bias=False), nn.Flatten()))
    )
    assert [function.name for function in backward.functions][-1] == "ConvolutionBackward0"
    assert backward.functions[-1].next == ["0.weight"]
