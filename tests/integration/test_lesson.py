"""The lesson in a browser: its numbers are PyTorch's, its sums add up, a keyboard is enough."""

import dataclasses
import json
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hydra.core.global_hydra import GlobalHydra
from torch import Tensor, nn

from mnist_trainer import load_run
from mnist_trainer.inference.export.html_network import WITHOUT_EFFECT
from mnist_trainer.inference.export.lesson_data import layers_part, rounded
from mnist_trainer.inference.export.lesson_page import write_lesson
from mnist_trainer.inference.trained_model import TrainedModel
from mnist_trainer.launch.command import resolve_command
from mnist_trainer.launch.options import parse_command_line
from mnist_trainer.models.activations import ACTIVATIONS
from mnist_trainer.models.convnet import ConvNet
from mnist_trainer.models.convolutional import CNN, LeNet5
from mnist_trainer.models.dense import FCN
from tests.browser import Browser, browser, find_browser
from tests.saved_runs import SMALL, save_run

AXE = Path(__file__).parents[2] / "build" / "axe-core-4.10.3.tgz"
REQUIRED = os.environ.get("MNIST_TRAINER_REQUIRE_ALL") == "1"
PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(
    PROGRAM is None and not REQUIRED, reason="no Chromium here; Debian's package chromium has it"
)
RATE, LABEL = 0.05, 3
COMPUTED = f"""(async (network, image) => {{
    const tools = lesson.tools, loaded = await tools.loadNetwork(network);
    const answer = tools.answerTo(loaded, Uint8Array.from(image));
    const numbers = (data) => Array.from(data);
    const {{ loss, gradient }} = tools.crossEntropy(answer.logits, {LABEL});
    const back = tools.backward(loaded, answer.values, gradient);
    const after = tools.stepped(loaded, back.parameters, {RATE});
    return {{
        activations: answer.values.slice(1).map(({{ data }}) => numbers(data)), loss,
        pixels: numbers(back.values[0].data),
        parameters: tools.parametersOf(after).map(({{ name, values }}) => [name, numbers(values)]),
        logits: numbers(tools.answerTo(after, Uint8Array.from(image)).logits),
    }};
}})"""


@pytest.fixture(scope="module")
def trained(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    """A run with weights that were never trained, on the middle 24x24 pixels."""
    line = parse_command_line([*SMALL, f"data.root={data_root}", "transforms=crop"])
    folder = save_run(resolve_command(line).config, tmp_path_factory.mktemp("runs") / "run")
    GlobalHydra.instance().clear()
    return load_run(folder.path, device="cpu", translations=1, precision="fp32")


def with_model(trained: TrainedModel, model: nn.Module, image_size: int = 28) -> TrainedModel:
    """The run with another network; of 28x28 pixels it is shown the whole image."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    fixed = trained.transforms.fixed
    transforms = dataclasses.replace(
        trained.transforms, fixed=fixed[1:] if image_size == 28 else fixed
    )
    return dataclasses.replace(
        trained, model=model.eval(), transforms=transforms, image_size=image_size
    )


@pytest.fixture(scope="module")
def page(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "lesson.html"
    torch.manual_seed(0)
    write_lesson(with_model(trained, CNN([3, 5], 5, 0, 2, [], "relu", 0.0, 10)), path)
    return path


@pytest.fixture(scope="module")
def tab(page: Path) -> Iterator[Browser]:
    assert PROGRAM is not None, "no Chromium here; Debian's package chromium has it"
    with browser(PROGRAM) as opened:
        for domain in ("Network", "Log"):
            opened.do(f"{domain}.enable")
        opened.open(page)
        opened.value("ready.then(() => 'ready')")
        yield opened


def expected(trained: TrainedModel, image: np.ndarray[Any, Any], bits: int) -> dict[str, Any]:
    """What the page is to compute, by autograd and in double precision."""
    model = trained.model.double()
    for name, tensor in rounded(trained, bits).items():
        model.get_parameter(name).data = tensor.double()
    parameters = dict(model.named_parameters())
    activations: list[Tensor] = []
    leaves = [each for each in model.modules() if not list(each.children())]
    handles = [
        each.register_forward_hook(lambda _, __, output: activations.append(output[0].detach()))
        for each in leaves
        if not isinstance(each, WITHOUT_EFFECT)
    ]
    pixels = torch.from_numpy(image / 255.0)[None, None].requires_grad_()
    value = pixels
    for transform in trained.transforms.fixed:
        value = transform(value)
        activations.append(value[0].detach())
    loss = F.cross_entropy(model(value), torch.tensor([LABEL]))
    for handle in handles:
        handle.remove()
    gradients = torch.autograd.grad(loss, [pixels, *parameters.values()])
    with torch.no_grad():
        for tensor, gradient in zip(parameters.values(), gradients[1:], strict=True):
            tensor.sub_(RATE * gradient)
        logits = model(trained.transforms.apply_fixed(pixels))[0]
    return {
        "activations": activations,
        "loss": loss.detach(),
        "pixels": gradients[0],
        "parameters": parameters,
        "logits": logits,
    }


def compare(tab: Browser, trained: TrainedModel, bits: int = 32) -> None:
    image = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    network = json.dumps(layers_part(trained, bits))
    found = tab.value(f"{COMPUTED}({network}, {image.reshape(-1).tolist()})")
    wanted = expected(trained, image, bits)
    assert len(found["activations"]) == len(wanted["activations"])
    pairs = list(zip(found["activations"], wanted["activations"], strict=True))
    pairs += [(found[name], wanted[name]) for name in ("loss", "pixels", "logits")]
    assert [name for name, _ in found["parameters"]] == list(wanted["parameters"])
    pairs += [(each, wanted["parameters"][name].detach()) for name, each in found["parameters"]]
    differences = [
        float((torch.tensor(one, dtype=torch.float64).flatten() - other.flatten()).abs().max())
        for one, other in pairs
    ]
    print(f"{type(trained.model).__name__}: largest difference {max(differences):.1e}")
    assert max(differences) <= 1e-5, trained.model


BLOCKS = [
    {"channels": 4, "kernel_size": 5, "stride": 2, "padding": 2},
    {"channels": 6, "kernel_size": 3, "pool": 2, "padding": 1},
]


def test_numbers(tab: Browser, trained: TrainedModel) -> None:
    torch.manual_seed(0)
    compare(tab, with_model(trained, FCN([40, 20], "relu", 0.0, 10)))
    compare(tab, with_model(trained, FCN([40, 20], "relu", 0.0, 10)), bits=16)
    compare(tab, with_model(trained, CNN([10, 20], 5, 0, 2, [], "relu", 0.0, 10)))
    compare(tab, with_model(trained, LeNet5("tanh", "max", 0.0, 10)))
    compare(tab, with_model(trained, LeNet5("gelu", "average", 0.2, 10)))
    normalised = ConvNet(BLOCKS, True, [9], "relu", 0.3, 10, 24)
    compare(tab, with_model(trained, normalised, 24))


def test_derivative_of_each_activation(tab: Browser, trained: TrainedModel) -> None:
    for name in ACTIVATIONS:
        compare(tab, with_model(trained, CNN([2], 7, 0, 3, [], name, 0.0, 10)))


SUM = """(() => {
    const rows = [...document.querySelectorAll('.equation tr')].map((row) =>
        [row.className, Number(row.querySelector('td').textContent.replace('\\u2212', '-'))]);
    const { i, unit, value, type } = lesson.explained;
    return { rows, type, value, unit: lesson.answer.values[i + 1].data[unit] };
})()"""


def test_sums_add_up(tab: Browser) -> None:
    tab.value("lesson.open('layers')")
    # Maps and the kernels beside them lie on two canvases, one on the other.
    assert tab.value(
        "[...document.querySelectorAll('.atlas canvas')].every((each) =>"
        " each.getBoundingClientRect().width === each.parentElement.getBoundingClientRect().width)"
    )
    count = tab.value("document.querySelectorAll('.maps').length")
    kinds = set()
    for at in range(count):
        tab.value(f"document.querySelectorAll('.maps')[{at}].focus()")
        for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
            tab.key(key)
        written = tab.value(SUM)
        kinds.add(written["type"])
        assert written["value"] == pytest.approx(written["unit"], abs=1e-9)
        total = next(value for kind, value in written["rows"] if kind == "total")
        assert total == pytest.approx(written["unit"], abs=1e-3)
        if written["type"] in ("conv", "linear"):
            terms = [value for kind, value in written["rows"] if kind == ""]
            assert sum(terms) == pytest.approx(total, abs=5e-4 * (len(terms) + 1))
    assert kinds == {"affine", "conv", "pool", "map", "linear"}


def test_pointing_writes_the_sum_out(tab: Browser) -> None:
    tab.value("lesson.open('layers')")
    tab.value("document.querySelectorAll('.maps')[3].scrollIntoView({block: 'end'})")
    place = "(({left, top}) => [left + 9, top + 9])"
    x, y = tab.value(f"{place}(document.querySelectorAll('.maps')[3].getBoundingClientRect())")
    before = tab.value("document.querySelector('.sum h3').textContent")
    tab.do("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    assert tab.value("document.querySelector('.sum h3').textContent") != before
    assert tab.value("document.querySelector('.mark:not([hidden])') !== null")


def wait_for(tab: Browser, expression: str) -> Any:
    for _ in range(400):
        if found := tab.value(expression):
            return found
        time.sleep(0.05)
    raise AssertionError(expression)


def go_to(tab: Browser, selector: str, *, back: bool = False) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(90):
        if tab.value(f"document.activeElement.matches({json.dumps(selector)})"):
            return
        tab.key("Tab", shift=back)
    raise AssertionError(f"Tab does not lead to {selector}")


def typed(tab: Browser, text: str) -> None:
    for sign in text.replace("\u2212", "-"):
        tab.key(sign)
    tab.key("Enter")


def answered(tab: Browser, step: str) -> None:
    """The question was answered, and the next step is opened."""
    assert tab.value("lesson.step") == step
    feedback = tab.value("document.querySelector('.feedback').className")
    assert feedback == "feedback right", tab.value("document.querySelector('.feedback').outerHTML")
    if step != "failure":
        go_to(tab, "#next")
        tab.key("Enter")


def test_keyboard_through_six_steps(tab: Browser, page: Path) -> None:
    tab.open(page)
    tab.value("ready.then(() => 'ready')")
    go_to(tab, "#sheet")
    for key in ("Escape", " ", *["ArrowDown"] * 12, " "):
        tab.key(key)
    wait_for(tab, "lesson.board.strokes.length === 1 && lesson.answer !== null")
    # 1. A unit of the first convolution; its bias is read from the page.
    go_to(tab, ".layer:nth-child(2) .maps")
    tab.key("ArrowRight")
    bias = tab.value(
        "[...document.querySelectorAll('.equation tr')].find((row) =>"
        " row.cells[0].textContent === lesson.texts.views.layers.bias).cells[1].textContent"
    )
    go_to(tab, ".question input", back=True)
    typed(tab, "7")
    assert tab.value("document.querySelector('.feedback').className") == "feedback wrong"
    tab.key("Backspace")
    tab.value("document.activeElement.value = ''")
    typed(tab, bias)
    answered(tab, "weight")
    # 2. A kernel of 5 x 5.
    go_to(tab, ".question input")
    typed(tab, "25")
    answered(tab, "layer")
    # 3. 1 divided by the total.
    go_to(tab, ".question input")
    total = float(tab.value("document.getElementById('sum-of-powers').textContent"))
    typed(tab, f"{100 / total:.1f}")
    answered(tab, "probability")
    # 4. The first of three answers.
    go_to(tab, "input[type=radio]")
    tab.key(" ")
    go_to(tab, ".question button")
    tab.key("Enter")
    answered(tab, "error")
    # 5. A mistake, a rate, a step.
    wait_for(tab, "lesson.learned && lesson.learned.label === lesson.label")
    go_to(tab, "#rate")
    for _ in range(50):
        if tab.value("lesson.preview && lesson.preview.best === lesson.label"):
            break
        tab.key("ArrowRight")
    go_to(tab, "#take")
    tab.key("Enter")
    go_to(tab, ".question button", back=True)
    tab.key("Enter")
    answered(tab, "step")
    # 6. A push towards the right label.
    wait_for(tab, "lesson.view === 'why' && lesson.path && !lesson.isChanged")
    go_to(tab, "#target")
    tab.key(tab.value("lesson.classNames[lesson.label]"))
    go_to(tab, "#until")
    tab.key("Enter")
    wait_for(tab, "lesson.path.arrived && lesson.path.target === lesson.label")
    steps = wait_for(
        tab, "(/Steps: (\\d+)/.exec(document.getElementById('path').textContent)||[])[1]"
    )
    go_to(tab, ".question input", back=True)
    typed(tab, steps)
    answered(tab, "failure")
    assert "6 of 6" in tab.value("document.getElementById('progress').textContent")


def test_nothing_leaves_the_page(tab: Browser, page: Path) -> None:
    requests = [
        event["params"]["request"]["url"]
        for event in tab.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert set(requests) == {page.as_uri()}
    # No error, and nothing that the page itself does is against its own content policy.
    assert [event for event in tab.events if event["method"] != "Network.requestWillBeSent"] == []
    for address in ("https://example.invalid", "data:text/plain,1"):
        assert tab.value(f"fetch('{address}').then(() => 'open', () => 'closed')") == "closed"


@pytest.mark.skipif(
    not AXE.exists() and not REQUIRED,
    reason="no axe-core here: npm pack --pack-destination build axe-core@4.10.3",
)
def test_accessibility(tab: Browser) -> None:
    with tarfile.open(AXE) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        tab.value(member.read().decode("utf-8") + ";0")
    tab.value("lesson.showNext('samples')")
    for scheme, width in (("light", 1200), ("dark", 360)):
        tab.do(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        tab.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        for view in ("layers", "why", "learn"):
            tab.value(f"lesson.open('{view}')")
            assert tab.value("document.documentElement.scrollWidth <= innerWidth"), (view, width)
            found = tab.value(
                "axe.run(document, {resultTypes: ['violations']}).then(({violations}) =>"
                " violations.map((each) => [each.impact, each.id,"
                " each.nodes.slice(0, 3).map(({html}) => html)]))"
            )
            assert [each for each in found if each[0] in ("serious", "critical")] == []
