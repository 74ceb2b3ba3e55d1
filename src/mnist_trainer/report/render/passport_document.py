"""The passport of a machine as a document: verdict, machine, bits, speed, training, moods."""

from collections import defaultdict
from functools import partial

from mnist_trainer.report.analysis.passport_comparison import alarms, facts
from mnist_trainer.report.read.json_values import JsonValues
from mnist_trainer.report.render.document import (
    DASH,
    Block,
    Document,
    Paragraph,
    Picture,
    Table,
    headline,
    percent,
    rows_of,
    sections_of,
)
from mnist_trainer.report.render.passport_plots import draw_moods, draw_roofline, draw_scaling
from mnist_trainer.system.messages import counted

MADE_BY = "mnist-passport"
SHORT_HASH = 12


def passport_document(passport: JsonValues) -> Document:
    """What a passport says, the alarms first."""
    name = passport.text("machine", "processor", "name") or "a machine"
    kind = "quick passport" if passport.flag("quick") else "passport"
    seconds = passport.number("seconds")
    took = "" if seconds is None else f", in {seconds:.0f} s"
    subtitle = f"{kind} of a machine, made {passport.text('made')}{took}"
    sections = sections_of(
        {
            "Verdict": _verdict(passport),
            "Speed": _speed(passport),
            "Training": _training(passport),
            "Moods": _moods(passport),
            "Bits": _bits(passport),
            "Machine": _machine(passport),
        }
    )
    return Document(name, subtitle, sections, MADE_BY)


def amount(value: float | None, digits: int = 3) -> str:
    """A number with so many significant digits, without an exponent where it is readable."""
    if value is None:
        return DASH
    return f"{value:,.0f}" if abs(value) >= 10 ** (digits - 1) else f"{value:.{digits}g}"


def _verdict(passport: JsonValues) -> list[Block]:
    wrong = alarms(passport)
    title = counted(len(wrong), "alarm") if wrong else "no alarm"
    checked = counted(len(passport.rows("findings")), "check")
    blocks: list[Block] = [headline(title, f"in {checked}")]
    blocks += [
        Paragraph(f"{row.text('check')}: {row.text('found')}. {row.text('advice')}", strong=True)
        for row in wrong
    ]
    rows = tuple(
        (row.text("check"), "alarm" if row.text("advice") else "ok", row.text("found"))
        for row in passport.rows("findings")
    )
    rules = tuple(tuple(_texts(row, "check", "allowed")) for row in passport.rows("findings"))
    blocks.append(Table("Checks", ("check", "result", "found"), rows))
    return [*blocks, Table("What is allowed", ("check", "no alarm as long as"), rules)]


def _speed(passport: JsonValues) -> list[Block]:
    scaling = passport.rows("scaling")
    if not scaling:
        return []
    single, peak = scaling[0].number("gflops"), passport.number("peak", "gflops")
    rows = tuple(_scaling_row(row, single, peak) for row in scaling)
    columns = ("threads", "GFLOP/s", "speedup", "of the peak", "copy GB/s", "triad GB/s")
    caption = "Products of matrices in fp32, and memory"
    blocks: list[Block] = [
        Table(caption, columns, rows, frozenset(range(6))),
        Picture("Speed by number of threads", caption, partial(draw_scaling, passport)),
        Paragraph(_peak_text(passport)),
    ]
    if low := tuple(_low_row(row) for row in passport.rows("low_precision")):
        columns = ("device", "precision", "GFLOP/s", "GFLOP/s in fp32", "ratio", "arithmetic")
        note = "Native: the device has instructions for it, and they are quicker than fp32."
        numeric = frozenset({2, 3, 4})
        blocks.append(Table("Low precision beside fp32, in turns", columns, low, numeric, note))
    names = ("gflops", "copy", "triad")
    devices = tuple(
        (row.text("device"), *(amount(row.number(name)) for name in names))
        for row in passport.rows("devices")
    )
    if devices:
        heads = ("device", "GFLOP/s", "copy GB/s", "triad GB/s")
        blocks.append(Table("Other devices", heads, devices, frozenset({1, 2, 3})))
    return blocks


def _scaling_row(row: JsonValues, single: float | None, peak: float | None) -> tuple[str, ...]:
    gflops = row.number("gflops")
    return (
        amount(row.number("threads")),
        amount(gflops),
        f"{gflops / single:.2f}" if gflops and single else DASH,
        percent(gflops / peak if gflops and peak else None, 0),
        amount(row.number("copy")),
        amount(row.number("triad")),
    )


def _low_row(row: JsonValues) -> tuple[str, ...]:
    native = {True: "native", False: "emulated", None: DASH}[row.flag("native")]
    named = (row.text("device"), row.text("precision"))
    figures = (amount(row.number(name)) for name in ("gflops", "fp32_gflops", "ratio"))
    return (*named, *figures, native)


def _peak_text(passport: JsonValues) -> str:
    memory = (
        "The bandwidth that the memory could have is unknown: no system tells its channels without"
        " administrator's rights."
    )
    peak = passport.number("peak", "gflops")
    if peak is None:
        return f"What the processor could do is unknown: its clock or instructions are. {memory}"
    return (
        f"The processor could do {amount(peak)} GFLOP/s in fp32:"
        f" {amount(passport.number('peak', 'cores'))} cores x"
        f" {amount(passport.number('peak', 'megahertz'), 4)} MHz x"
        f" {amount(passport.number('peak', 'flops_per_cycle'))} operations per cycle"
        f" ({passport.text('peak', 'instructions')}, two units). A clock above the one that the"
        f" system names makes more than 100 %, a single unit at most half. {memory}"
    )


def _training(passport: JsonValues) -> list[Block]:
    blocks: list[Block] = []
    run = passport.number("to_99", "train_seconds")
    if run is not None:
        accuracy = passport.number("to_99", "test_accuracy")
        reached = accuracy is not None and accuracy >= 0.99
        about = "of training to 99 %" if reached else "of training, and 99 % was not reached"
        total = passport.number("to_99", "total_seconds")
        details = f"experiment=fast99 came to {percent(accuracy)} of the test images"
        blocks.append(headline(f"{run:.2f} s", f"{about}: {details}, {amount(total)} s in all"))
    recipes = passport.rows("recipes")
    if not recipes:
        return blocks
    rows = tuple(
        (
            row.text("recipe"),
            row.text("precision"),
            amount(row.number("step_ms")),
            amount(_mega(row.number("flops_per_step"))),
            amount(row.number("flops_per_byte")),
            amount(row.number("gflops")),
            percent(row.number("share_of_roofline"), 1),
        )
        for row in recipes
    )
    columns = ("recipe", "precision", "ms a step", "MFLOP a step", "FLOP/byte", "GFLOP/s", "share")
    note = (
        "Share: of what the roofline allows (Williams, Waterman and Patterson 2009), the smaller of"
        " the quickest product and FLOP/byte x the quickest copy measured here. Bytes are counted"
        " as if nothing stayed in a cache, so a small network may exceed 100 %."
    )
    table = Table("Training steps", columns, rows, frozenset(range(2, 7)), note)
    picture = Picture("Roofline", "GFLOP/s over FLOP/byte", partial(draw_roofline, passport))
    return [*blocks, table, picture]


def _mega(value: float | None) -> float | None:
    return None if value is None else value / 1e6


def _moods(passport: JsonValues) -> list[Block]:
    samples = passport.rows("moods")
    walls = sorted(value for row in samples if (value := row.number("wall")) is not None)
    if len(walls) < 4 or walls[len(walls) // 2] <= 0:
        return []
    low, middle, high = (walls[len(walls) * part // 100] for part in (10, 50, 90))
    text = (
        f"The same product on one thread, {len(walls)} times over the whole passport: nine in ten"
        f" took at most {high / middle:.2f} times the median of {1000 * middle:.1f} ms, one in ten"
        f" at most {low / middle:.2f} times, the slowest {walls[-1] / middle:.2f} times."
    )
    picture = Picture("Moods of the machine", text, partial(draw_moods, passport))
    return [Paragraph(text), picture]


def _bits(passport: JsonValues) -> list[Block]:
    note = (
        "A kind is vendor, family, model and flags of the processor, capability, threads, torch and"
        " BLAS. An unknown kind is no fault."
    )
    tables = (
        _exact(passport),
        Table(
            "Reference run beside the known digests, SHA-256",
            ("model", "threads", "verdict", "weights", "losses"),
            tuple(
                (*_texts(row, "model", "threads", "verdict"), *_hashes(row, "weights", "losses"))
                for row in passport.rows("reference")
            ),
            note=note,
        ),
        Table(
            "Two equal runs",
            ("device", "precision", "model", "weights", "result"),
            tuple(
                (
                    *_texts(row, "device", "precision", "model"),
                    *_hashes(row, "weights"),
                    "same bits" if row.flag("same_bits") else "different",
                )
                for row in passport.rows("replays")
            ),
        ),
    )
    return [table for table in tables if table.rows]


def _exact(passport: JsonValues) -> Table:
    """Products of whole numbers by device and precision."""
    sums: dict[tuple[str, ...], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for row in passport.rows("exact"):
        counts = (1.0, row.number("elements") or 0.0, row.number("wrong") or 0.0)
        key = tuple(_texts(row, "device", "precision"))
        sums[key] = [a + b for a, b in zip(sums[key], counts, strict=True)]
    rows = tuple((*key, *(f"{value:,.0f}" for value in found)) for key, found in sums.items())
    columns = ("device", "precision", "products", "elements", "wrong")
    caption = "Products and convolutions of whole numbers, beside NumPy's in int64"
    return Table(caption, columns, rows, frozenset({2, 3, 4}))


def _texts(row: JsonValues, *names: str) -> list[str]:
    return [row.text(name) for name in names]


def _hashes(row: JsonValues, *names: str) -> list[str]:
    return [row.text(name)[:SHORT_HASH] for name in names]


def _machine(passport: JsonValues) -> list[Block]:
    memory = passport.number("machine", "memory_bytes")
    known = facts(passport)
    named = [(name, value) for name, value in known.items() if not name.startswith("$")]
    named.insert(3, ("memory", "" if memory is None else f"{memory / 1e9:.1f} GB"))
    variables = tuple(passport.pairs("machine", "variables"))
    blocks: list[Block] = [Table("What it is", ("", ""), rows_of(named))]
    if variables:
        caption = "Environment variables that change arithmetic"
        blocks.append(Table(caption, ("variable", "value"), variables))
    else:
        blocks.append(Paragraph("No environment variable that changes arithmetic is set."))
    return blocks
