"""Measurements beyond the test images: corruptions, attacks, noise, new images, distillation."""

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.literature import recipes
from benchmarks.literature.accuracies import Estimates, paired_difference
from benchmarks.literature.registered import CORRUPTED, DISTILLATION, QMNIST, UNKNOWN
from benchmarks.literature.runs import Runs
from benchmarks.literature.verdict import Estimate, mean_over_seeds
from benchmarks.results import UnavailableError
from mnist_trainer import load_run
from mnist_trainer.data.corruptions.apply import CORRUPTIONS, PUBLISHED_STRENGTH, corrupt
from mnist_trainer.data.images import LabelledImages
from mnist_trainer.data.loading import load_dataset
from mnist_trainer.errors import DataError
from mnist_trainer.inference.card.attacks import score_attacks
from mnist_trainer.inference.card.auroc import auroc
from mnist_trainer.inference.card.not_digits import images_without_digits
from mnist_trainer.inference.card.parts import EFFORTS
from mnist_trainer.inference.card.subject import Subject, correct_predictions, spaced_indexes
from mnist_trainer.inference.card.unknown import confidences
from mnist_trainer.inference.scoring.evaluation_result import data_settings, load_split
from mnist_trainer.inference.scoring.qmnist import qmnist_parts
from mnist_trainer.inference.trained_run import TrainedRun

CORRUPTED_IMAGES, ATTACKED_IMAGES = 2_000, 500
EPSILON, ATTACK_STEPS = 0.3, 100
HARDEST = {"stripe", "impulse_noise", "fog", "translate", "canny_edges"}
RANGE = "smallest to largest over seeds"
AUROC_STEP = 0.01
"""In percent: equal areas of a few seeds do not prove that there is no spread."""


def test_images(run: TrainedRun) -> LabelledImages:
    """The test images of a run's own data."""
    return load_split(run, data_settings(run, None, None), "test")[1]


def spaced(images: LabelledImages, count: int) -> LabelledImages:
    """So many images, evenly spaced."""
    return images.select(spaced_indexes(len(images), count))


def measure_corruptions(runs: Runs) -> Estimates:
    """Mean accuracy over the corruptions, and how many of the hardest are the published ones."""
    trained = runs.train(recipes.PLAIN_CNN, CORRUPTED[0].needed)
    images = spaced(test_images(trained[0]), 200 if runs.quick else CORRUPTED_IMAGES)
    scores: dict[str, list[float]] = {}
    for name in CORRUPTIONS:
        change = partial(_corrupt, name)
        scores[name] = [
            100 * float(correct_predictions(run, images, change).float().mean()) for run in trained
        ]
    means = [float(np.mean(each)) for each in zip(*scores.values(), strict=True)]
    by_kind = {name: float(np.mean(values)) for name, values in scores.items()}
    shared = [
        len(HARDEST & hardest({name: values[seed] for name, values in scores.items()}))
        for seed in range(len(trained))
    ]
    details = {"by_corruption": by_kind, "hardest": sorted(hardest(by_kind), key=by_kind.get)}  # type: ignore[arg-type]
    count = Estimate(
        float(np.mean(shared)), min(shared), max(shared), len(shared), RANGE, shared, details
    )
    return {
        CORRUPTED[0].name: mean_over_seeds(means, 100 / len(images), {"by_corruption": by_kind}),
        CORRUPTED[1].name: count,
    }


def _corrupt(name: str, images: Tensor, first: int) -> Tensor:
    return corrupt(images, name, PUBLISHED_STRENGTH[name], seed=0, first=first)


def hardest(scores: Mapping[str, float]) -> set[str]:
    """The five names of smallest accuracy."""
    return set(sorted(scores, key=lambda name: scores[name])[: len(HARDEST)])


def measure_attacks(runs: Runs) -> Estimates:
    """Accuracy under FGSM and PGD of the finished run that the command line names.

    Raises:
        UnavailableError: it names none.
    """
    given = runs.given.get("adversarial", ())
    if not given:
        raise UnavailableError(
            "experiment=adversarial takes up to half an hour, and no finished run of it was named;"
            " train it, then: python -m benchmarks.claims --only adversarial --adversarial RUN"
        )
    run = load_run(given[0], device="cpu")
    images = spaced(test_images(run), 20 if runs.quick else ATTACKED_IMAGES)
    scores = score_attacks(
        run,
        images.images,
        images.labels,
        epsilons=(EPSILON,),
        steps=5 if runs.quick else ATTACK_STEPS,
        restarts=1,
        seed=0,
    ).as_json()
    details = {"masked": scores["masked"], "clean": 100 * float(runs.test_result(run)["accuracy"])}
    found = {}
    for attack in ("fgsm", "pgd"):
        point = scores[attack][0]
        low, high = (100 * bound for bound in point["accuracy_interval_95"])
        value = 100 * point["accuracy"]
        interval = "95 %, Wilson, over images; one run"
        found[f"madry-{attack}"] = Estimate(value, low, high, 1, interval, [value], details)
    return found


def measure_unknown(runs: Runs) -> Estimates:
    """AUROC of the maximal probability for errors, and for two kinds of noise."""
    effort = dataclasses.replace(EFFORTS["full"], unknown=200 if runs.quick else 10_000)
    areas: dict[str, list[float]] = {claim.name: [] for claim in UNKNOWN}
    for run in runs.train(recipes.MLP, UNKNOWN[0].needed):
        settings = data_settings(run, None, None)
        subject = Subject(run, settings, test_images(run), effort)
        confidence = subject.probabilities.max(axis=1)
        others = {"softmax-errors": confidence[~subject.correct]}
        for kind in ("uniform", "gaussian"):
            noise = images_without_digits(f"{kind}_noise", subject)
            if isinstance(noise, str):
                raise UnavailableError(noise)
            others[f"softmax-{kind}"] = confidences(run, noise)
        for name, low in others.items():
            own = confidence[subject.correct] if name == "softmax-errors" else confidence
            found = auroc(own, low)
            if found is None:
                raise UnavailableError("a run made no error, or nothing else")
            areas[name].append(100 * float(found["auroc"]))
    return {name: mean_over_seeds(values, AUROC_STEP) for name, values in areas.items()}


def measure_qmnist(runs: Runs) -> Estimates:
    """Errors on the two parts of QMNIST, which is never downloaded.

    Raises:
        UnavailableError: it is not in the cache of data sets.
    """
    from benchmarks.product import compose_config

    settings = compose_config("data=qmnist", "data.download=false").data
    try:
        test = load_dataset(settings).test
    except DataError as error:
        raise UnavailableError(
            "QMNIST is not in the cache of data sets, and this measurement downloads nothing; to"
            " fetch it: mnist-eval RUN --data qmnist"
        ) from error
    parts = qmnist_parts(len(test))
    trained = runs.train(recipes.LENET, QMNIST[0].needed)
    found = {}
    for name in parts.keys() & {"known", "new"}:
        images = test.select(parts[name])
        errors = [100 * error_share(run, images) for run in trained]
        found[f"qmnist-{name}"] = mean_over_seeds(errors, 100 / len(images))
    return found


def error_share(run: TrainedRun, images: LabelledImages) -> float:
    """Share of the images that a run misclassifies."""
    wrong = run.logits(images.images).argmax(dim=1) != images.labels.to(torch.int64)
    return float(wrong.float().mean())


def measure_distillation(runs: Runs) -> Estimates:
    """Errors of a student alone and distilled, and the difference in pairs of the same seed."""
    (teacher,) = runs.train(recipes.TEACHER, 1)
    place = teacher.folder.path if teacher.folder else ""
    needed = DISTILLATION[0].needed
    alone = errors(runs, recipes.STUDENT, needed)
    distilled = errors(runs, (*recipes.DISTILLED, f"loss.teacher={place}"), needed)
    test = runs.test_result(teacher)
    details = {"teacher_errors": test["images"] - test["correct"]}
    return {
        "distill-alone": mean_over_seeds(alone, 1),
        "distill-student": mean_over_seeds(distilled, 1, details),
        "distill-gain": paired_difference(alone, distilled, 1, **details),
    }


def errors(runs: Runs, words: Sequence[str], seeds: int) -> list[float]:
    """Misclassified test images of a recipe, one number of each seed."""
    results = [runs.test_result(run) for run in runs.train(words, seeds)]
    return [float(each["images"] - each["correct"]) for each in results]
