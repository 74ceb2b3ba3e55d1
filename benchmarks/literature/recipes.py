"""The recipes that claims are measured with. They were written down before the first run, and no
test image has chosen anything in them."""

ALL_IMAGES = ("data.validation_size=0", "trainer.test_weights=last")
ADAM = ("optimizer=adam", "optimizer.lr=0.001", "trainer.batch_size=128")
ONE_CYCLE = ("scheduler=onecycle",)

LINEAR = ("model=linear", *ADAM, *ALL_IMAGES, "trainer.epochs=2")

PLAIN_CNN = ("model=cnn", *ADAM, "optimizer.lr=0.002", *ALL_IMAGES, "trainer.epochs=3")

MLP = (
    "model=fcn", "model.hidden=[256,256,256]", "model.activation=gelu", "transforms=none",
    *ADAM, *ALL_IMAGES, "trainer.epochs=5",
)  # fmt: skip

LENET = ("model=lenet5", *ADAM, *ONE_CYCLE, *ALL_IMAGES, "trainer.epochs=6")

TEACHER = (
    "model=fcn", "model.hidden=[1200,1200]", "model.dropout=0.5", "transforms=augment",
    "transforms.random.0.degrees=0", "transforms.random.0.scale=[1.0,1.0]",
    "transforms.random.0.shear=0", *ADAM, *ONE_CYCLE, *ALL_IMAGES, "trainer.epochs=12",
)  # fmt: skip
STUDENT = ("model=fcn", "model.hidden=[800,800]", *ADAM, *ONE_CYCLE, *ALL_IMAGES,
    "trainer.epochs=10",
)  # fmt: skip
DISTILLED = (*STUDENT, "loss=distill", "loss.temperature=20", "loss.hard_weight=0.1")

# Other images with each seed. About 200, 300 and 600 updates; ten images held out, because some
# must be, and they select nothing.
FEW = {1: (1, 20), 10: (10, 30), 100: (50, 30)}
"""Training images of each class: images in a batch, epochs."""
FEW_MODELS = {
    "linear": ("model=linear",),
    "two_layer": ("model=two_layer", "model.hidden=300"),
    "cnn": ("model=cnn",),
}


def few_images(model: str, per_class: int) -> tuple[str, ...]:
    """The recipe of a model on so many training images of each class."""
    batch_size, epochs = FEW[per_class]
    return (
        *FEW_MODELS[model], "optimizer=adam", "optimizer.lr=0.001", "scheduler=onecycle",
        "data.validation_size=10", "data.split_seed={seed}", f"data.per_class={per_class}",
        f"trainer.batch_size={batch_size}", f"trainer.epochs={epochs}",
        "trainer.test_weights=last",
    )  # fmt: skip


SMALL_MLP = (
    "model=two_layer", "model.hidden=100", "optimizer=adam", "optimizer.lr=0.01", *ONE_CYCLE,
    *ALL_IMAGES, "data.train_limit=10000", "trainer.batch_size=100", "trainer.epochs=6",
)  # fmt: skip

CROSS_ENTROPY = ("experiment=fast99", "loss.label_smoothing=0.0")
POLY = ("experiment=fast99", "loss=poly", "~loss.label_smoothing", "loss.epsilon=1")
