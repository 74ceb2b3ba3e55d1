"""The lesson's film, broken network and two networks: the page shows what Python computes."""

import copy
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
from hydra.core.global_hydra import GlobalHydra
from torch import nn

from mnist_trainer import load_run
from mnist_trainer.data.corruptions.counter_rng import CounterRNG
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.loading import load_splits
from mnist_trainer.errors import ConfigError
from mnist_trainer.inference.export.lesson_film import refuse_other_classes
from mnist_trainer.inference.export.lesson_page import write_lesson
from mnist_trainer.inference.trained_model import TrainedModel
from mnist_trainer.launch.command import resolve_command
from mnist_trainer.launch.options import parse_command_line
from mnist_trainer.runs.film import Film, read_film
from mnist_trainer.runs.folder import RunFolder
from mnist_trainer.runs.metrics import wilson_interval
from mnist_trainer.training.run import train
from tests.browser import Browser, browser, find_browser
from tests.integration.test_lesson import AXE, REQUIRED

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(
    PROGRAM is None and os.environ.get("MNIST_TRAINER_REQUIRE_ALL") != "1",
    reason="no Chromium here; Debian's package chromium has it",
)
VIEWS = ("film", "break", "compare")
WITHOUT_AXE = "no axe-core here: npm pack --pack-destination build axe-core@4.10.3"
WORDS = (
    "device=cpu",
    "data.train_limit=640",
    "data.test_limit=100",
    "data.validation_size=300",
    "trainer.epochs=1",
    "trainer.test_weights=last",
    "tracker=none",
    "trainer.film=true",
)
WITH_BATCH_NORM = (
    "model=convnet",
    "model.batch_norm=true",
    "model.blocks=[{channels:6,kernel_size:5,pool:2}]",
    "model.hidden=[24]",
    "optimizer.lr=0.05",
)
SMALL = ("model=fcn", "model.hidden=[16]", "optimizer.lr=0.05")


@pytest.fixture(scope="module")
def pair(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> list[TrainedModel]:
    """A network with batch normalisation and another one."""
    runs: list[TrainedModel] = []
    for words in (WITH_BATCH_NORM, SMALL):
        folder = tmp_path_factory.mktemp("run")
        command = parse_command_line([*WORDS, *words, f"data.root={data_root}"])
        train(resolve_command(command).config, RunFolder(folder), time.perf_counter())
        runs.append(load_run(folder, device="cpu", precision="fp32"))
    GlobalHydra.instance().clear()
    return runs


@pytest.fixture(scope="module")
def tab(pair: list[TrainedModel], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """The lesson of both, opened."""
    assert PROGRAM is not None, "no Chromium here; Debian's package chromium has it"
    page = tmp_path_factory.mktemp("page") / "lesson.html"
    write_lesson(pair[0], page, pair[1])
    with browser(PROGRAM) as opened:
        opened.do("Network.enable")
        opened.open(page)
        opened.value("ready.then(() => 0)")
        yield opened


@pytest.fixture(scope="module")
def film(pair: list[TrainedModel]) -> Film:
    assert pair[0].folder is not None
    kept = read_film(pair[0].folder.film)
    assert kept is not None
    return kept


@pytest.fixture(scope="module")
def held_out(pair: list[TrainedModel], film: Film) -> LabelledImages:
    """The 200 images of the page: validation images of the run."""
    validation = load_splits(pair[0].config.data).validation
    return validation.select(torch.from_numpy(film.images.positions[:200]).long())


def test_the_film_of_the_page_is_that_of_the_run(
    tab: Browser, film: Film, pair: list[TrainedModel]
) -> None:
    shown = tab.value("""lesson.part("film").then((film) => ({...film,
        filters: [film.filters.shape, Array.from(film.filters.values)],
        points: Array.from(film.points.values), predicted: Array.from(film.predicted.values)}))""")
    assert shown["steps"] == [each.step for each in film.snapshots]
    assert (shown["split"], shown["network_step"]) == ("validation", shown["steps"][-1])
    filters = np.reshape(shown["filters"][1], shown["filters"][0])
    kept = np.stack([each.filters for each in film.snapshots])
    np.testing.assert_array_equal(filters, np.rint(kept / film.filter_unit))
    weights = next(m for m in pair[0].model.modules() if isinstance(m, nn.Conv2d)).weight
    own = np.floor(weights.detach().double().numpy()[:, 0] / film.filter_unit + 0.5)
    np.testing.assert_array_equal(filters[-1], own)
    points = np.reshape(shown["points"], (len(kept), -1, 2)) * np.reshape(
        shown["point_units"], (-1, 1, 1)
    ) + np.reshape(shown["centres"], (-1, 1, 2))
    expected = np.stack([each.points for each in film.snapshots if each.points is not None])
    np.testing.assert_allclose(points, expected, atol=1e-3)
    predicted = np.stack([each.predicted for each in film.snapshots])
    np.testing.assert_array_equal(np.reshape(shown["predicted"], predicted.shape), predicted)
    # The page's own network has these very filters, at the film's rounding.
    first = tab.value("""lesson.part("film").then((film) => Array.from(
        lesson.networks[0].layers.find(({type}) => type === "conv").weight,
        (weight) => Math.floor(weight / film.filter_unit + 0.5)))""")
    assert first == filters[-1].ravel().tolist()


def test_the_film_is_moved_by_keys_and_does_not_start_by_itself_where_motion_is_unwanted(
    tab: Browser, film: Film
) -> None:
    calm = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    tab.do("Emulation.setEmulatedMedia", features=calm)
    tab.value("lesson.open('film'); lesson.part('film').then(() => lesson.settled())")
    play, told = "document.getElementById('film-play')", "document.getElementById('film-told')"
    assert tab.value(f"{play}.textContent") == "Play"
    last = film.snapshots[-1]
    right = int((last.predicted == film.images.labels).sum())
    assert f"{right} of {len(last.predicted)} images right" in tab.value(f"{told}.textContent")
    tab.value("document.getElementById('film-at').focus()")
    tab.key("ArrowLeft")
    before = film.snapshots[-2].step
    assert f"after {before} updates" in tab.value(f"{told}.textContent")
    tab.value(f"{play}.focus()")
    tab.key(" ")
    assert tab.value(f"{play}.textContent") == "Pause"
    tab.key(" ")
    assert tab.value(f"{play}.textContent") == "Play"


BREAK = """(async (settings) => {
  lesson.open("break");
  document.getElementById("break-restore").click();
  for (const [name, value] of Object.entries(settings)) {
    const input = document.getElementById(`break-${name}`);
    if (input.type === "checkbox") input.checked = value; else input.value = value;
    input.dispatchEvent(new Event(input.type === "range" ? "input" : "change"));
  }
  const scores = document.getElementById("break-scores");
  while (scores.dataset.done !== "yes") await new Promise((resolve) => setTimeout(resolve, 10));
  const {images, labels} = await lesson.part("held_out"), logits = [];
  for (let i = 0; i < labels.values.length; i += 5) {
    lesson.setImage(images.values.subarray(784 * i, 784 * i + 784).slice(), labels.values[i]);
    logits.push(Array.from(lesson.answer.logits));
  }
  return {logits, images: Array.from(images.values),
    right: document.getElementById("break-score").textContent,
    interval: document.getElementById("break-interval").textContent, isChanged: lesson.isChanged};
})"""


def broken(trained: TrainedModel, settings: dict[str, Any]) -> nn.Module:
    """The same changes in Python, in double precision: docs/film.md."""
    model = copy.deepcopy(trained.model).double()
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    weights = [layer.weight.detach().numpy() for layer in layers]
    sizes = np.concatenate([np.abs(weight).ravel() for weight in weights])
    kept = np.ones(len(sizes), bool)
    kept[np.argsort(sizes, kind="stable")[: round(settings.get("prune", 0) * len(sizes))]] = False
    for stream, weight in enumerate(weights):
        deviation = weight.std()
        mask, kept = kept[: weight.size], kept[weight.size :]
        weight *= mask.reshape(weight.shape)
        if bits := settings.get("bits"):
            unit = np.abs(weight).max() / (2 ** (bits - 1) - 1)
            weight[:] = np.floor(weight / unit + 0.5) * unit
        if noise := settings.get("noise"):
            keys = torch.tensor([[settings.get("seed", 0), stream]])
            drawn = CounterRNG(keys).bits(2 * weight.size)[0].double().numpy()
            radius = np.sqrt(-2 * np.log((drawn[::2] + 1) / 2**32))
            normal = radius * np.cos(2 * np.pi * drawn[1::2] / 2**32)
            weight += noise * deviation * normal.reshape(weight.shape)
    if settings.get("biases"):
        for name, tensor in model.named_parameters():
            if name.endswith("bias"):
                tensor.data.zero_()
    return model


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"noise": 0.6, "seed": 12345},
        {"prune": 0.7},
        {"bits": 3},
        {"biases": True},
        {"right": 3, "down": -2},
        {"noise": 0.25, "prune": 0.3, "bits": 4, "biases": True, "right": -1, "down": 1},
    ],
    ids=lambda settings: "+".join(settings) or "as trained",
)
def test_breaking_equals_python(
    settings: dict[str, Any], tab: Browser, pair: list[TrainedModel], held_out: LabelledImages
) -> None:
    places = {"bits": [0, 8, 7, 6, 5, 4, 3, 2].index(settings.get("bits", 0))}
    typed = {name: places.get(name, value) for name, value in settings.items()}
    shown = tab.value(f"{BREAK}({json.dumps(typed)})")
    np.testing.assert_array_equal(np.ravel(held_out.images), shown["images"])
    moved = torch.zeros_like(held_out.images)
    right, down = settings.get("right", 0), settings.get("down", 0)
    rows, columns = (slice(max(0, n), 28 + min(0, n)) for n in (down, right))
    back = [slice(max(0, -n), 28 + min(0, -n)) for n in (down, right)]
    moved[..., rows, columns] = held_out.images[..., back[0], back[1]]
    with torch.no_grad():
        logits = broken(pair[0], settings)(pair[0].prepare(moved).double())
    difference = float(np.abs(np.array(shown["logits"]) - logits[::5].numpy()).max())
    print(f"largest difference of the logits: {difference:.1e}")
    assert difference <= 1e-5
    correct = int((logits.argmax(dim=1) == held_out.labels).sum())
    assert shown["right"] == f"{correct} of 200"
    low, high = (f"{100 * each:.1f} %" for each in wilson_interval(correct, 200))
    assert low in shown["interval"]
    assert high in shown["interval"]
    assert shown["isChanged"] == bool({"noise", "prune", "bits", "biases"} & settings.keys())


def test_two_networks_answer_to_one_stroke(
    tab: Browser, pair: list[TrainedModel], held_out: LabelledImages
) -> None:
    tab.value("document.getElementById('break-restore').click(); lesson.open('compare')")
    left, top, side = tab.value(
        "(({left, top, width}) => [left, top, width])(sheet.getBoundingClientRect())"
    )
    tab.value("document.getElementById('clear').click()")
    tab.mouse([(left + side * 0.5, top + side * (0.2 + 0.06 * k)) for k in range(11)])
    shown = tab.value("""lesson.settled().then(() => {
        const texts = (selector) => Array.from(document.querySelectorAll(selector),
          (each) => each.textContent);
        return {image: Array.from(lesson.image), reads: texts(".pair .read"),
          shares: texts(".pair .share")};
    })""")
    image = np.array(shown["image"], np.uint8).reshape(28, 28)
    logits = [trained.logits(image)[0].double() for trained in pair]
    assert shown["reads"] == [str(int(each.argmax())) for each in logits]
    expected = [f"{100 * share:.1f} %" for each in logits for share in each.softmax(0).tolist()]
    assert shown["shares"] == expected
    right = [(t.logits(held_out.images).argmax(dim=1) == held_out.labels).numpy() for t in pair]
    counts = [int((a & b).sum()) for a in (right[0], ~right[0]) for b in (right[1], ~right[1])]
    table = tab.value("""(async () => { const table = document.getElementById("compare-table");
        while (table.dataset.done !== "yes") await new Promise((r) => setTimeout(r, 10));
        return Array.from(table.querySelectorAll("tbody td"), (cell) => Number(cell.textContent));
    })()""")
    assert table == counts
    tab.value("document.getElementById('compare-use-B').click()")
    assert tab.value("lesson.network === lesson.networks[1]")
    tab.value("document.getElementById('compare-use-A').click()")


def test_no_view_is_wider_than_a_phone_and_none_contacts_anything(tab: Browser) -> None:
    for view in VIEWS:
        shown_at(tab, "light", 360)
        tab.value(f"lesson.open('{view}')")
        assert tab.value("document.documentElement.scrollWidth <= 360"), view
    tab.do("Emulation.clearDeviceMetricsOverride")
    asked = [each for each in tab.events if each["method"] == "Network.requestWillBeSent"]
    assert [each["params"]["request"]["url"][:8] for each in asked] == ["file:///"]


def shown_at(tab: Browser, scheme: str, width: int) -> None:
    features = [
        {"name": "prefers-color-scheme", "value": scheme},
        {"name": "prefers-reduced-motion", "value": "reduce"},
    ]
    tab.do("Emulation.setEmulatedMedia", features=features)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    tab.do("Emulation.setDeviceMetricsOverride", **size)


@pytest.mark.skipif(not AXE.exists() and not REQUIRED, reason=WITHOUT_AXE)
def test_accessibility(tab: Browser) -> None:
    with tarfile.open(AXE) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        tab.value(member.read().decode("utf-8") + ";0")
    for view, scheme, width in zip(
        VIEWS, ("light", "dark", "light"), (1200, 360, 360), strict=True
    ):
        shown_at(tab, scheme, width)
        tab.value(f"lesson.open('{view}'); lesson.settled()")
        found = tab.value(
            f"axe.run('#view-{view}', {{resultTypes: ['violations']}}).then(({{violations}}) =>"
            " violations.map((each) => [each.impact, each.id,"
            " each.nodes.slice(0, 3).map(({html}) => html)]))"
        )
        assert [each for each in found if each[0] in ("serious", "critical")] == []


def test_two_runs_of_other_classes_are_refused(pair: list[TrainedModel]) -> None:
    with pytest.raises(ConfigError, match=r"mnist \(10 classes\) and .*cannot be compared"):
        refuse_other_classes(pair[0], dataclasses.replace(pair[1], class_names=tuple("abc")))
