"""Make the pictures of the README from real runs: ``make pictures``.

The terminal is recorded through pyte and drawn by rich, in light and dark; pages are drawn by
Chromium, where it is installed.
"""

import contextlib
import io
import itertools
import os
import pty
import select
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text
from tests.browser import browser, find_browser

from mnist_trainer.data.embedded import load_mnist
from mnist_trainer.inference.card.contact_sheet import draw_sheet

FIGURES = Path(__file__).parent / "figures"
BIN = Path(sys.executable).parent
COLUMNS, ROWS = 80, 120
CHROMIUM = find_browser()
ANSI = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"]


def theme(*colors: str) -> TerminalTheme:
    """Background, foreground and the eight colors of a terminal, as RRGGBB."""
    background, foreground, *others = [
        (int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16)) for text in colors
    ]
    return TerminalTheme(background, foreground, others)


THEMES = {
    "light": theme(
        *("ffffff", "1f2328", "24292f", "b42318", "116329"),
        *("7a5400", "0550ae", "6e3ca0", "0f646e", "5a626a"),
    ),
    "dark": theme(
        *("0d1117", "e6edf3", "6e7681", "ff7b72", "56d364"),
        *("e3b341", "79c0ff", "d2a8ff", "56d4dd", "b1bac4"),
    ),
}
# As rich's own, without its fonts, which a page would fetch from elsewhere.
SVG = """<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def record(command: Sequence[str], folder: Path) -> pyte.Screen:
    """Run a command in a terminal; what its screen shows at the end."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    process_id, terminal = pty.fork()
    if process_id == 0:
        os.chdir(folder)
        os.environ.update(environment, COLUMNS=str(COLUMNS), LINES="50")
        os.environ["PATH"] = f"{BIN}:{os.environ['PATH']}"
        os.execvp(command[0], list(command))  # noqa: S606
    with contextlib.suppress(OSError):  # Linux's answer at the end.
        while select.select([terminal], [], [], 600)[0] and (part := os.read(terminal, 65536)):
            stream.feed(part)
    _, status = os.waitpid(process_id, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} has failed:\n" + "\n".join(screen.display).strip())
    return screen


def color(name: str) -> str | None:
    """A color of pyte in the words of rich; None for the terminal's own."""
    if name == "default":
        return None
    name = {"brown": "yellow"}.get(name, name)
    return name if name.removeprefix("bright_") in ANSI else f"#{name}"


def text_of(screen: pyte.Screen) -> list[Text]:
    """The lines of a screen, without the empty ones at its end."""
    lines = []
    for row in range(ROWS):
        chars = [screen.buffer[row][column] for column in range(COLUMNS)]
        line = Text()
        for style, run in itertools.groupby(chars, style_of):
            line.append("".join(char.data for char in run), style)
        line.rstrip()
        lines.append(line)
    while lines and not lines[-1].plain:
        lines.pop()
    return lines


def style_of(char: pyte.screens.Char) -> Style:
    """How a character is drawn."""
    return Style(color=color(char.fg), bgcolor=color(char.bg), bold=char.bold, italic=char.italics)


def draw_terminal(name: str, typed: str, lines: Sequence[Text]) -> None:
    """Write NAME-light.svg and NAME-dark.svg."""
    for kind, colors in THEMES.items():
        console = Console(
            record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True,
            color_system="truecolor",
        )  # fmt: skip
        console.print(Text.assemble(("$ ", "bold"), typed), highlight=False)
        for line in lines:
            console.print(line, highlight=False, no_wrap=True)
        svg = console.export_svg(title="", theme=colors, code_format=SVG, unique_id=name)
        (FIGURES / f"{name}-{kind}.svg").write_text(svg, encoding="utf-8")
        print(f"docs/figures/{name}-{kind}.svg")


def terminal_picture(name: str, typed: str, folder: Path, last: int | None = None) -> None:
    """Record a command as it is typed; keep the first line and the last ones."""
    lines = text_of(record(["bash", "-c", typed], folder))
    draw_terminal(name, typed, lines if last is None else lines[-last:])


def page_picture(name: str, address: str, size: tuple[int, int], seconds: float = 2) -> None:
    """Draw a page as NAME.png, some seconds after it was opened."""
    if CHROMIUM is None:
        print(f"docs/figures/{name}.png is left as it is: Chromium is not installed")
        return
    with browser(CHROMIUM) as page:
        width, height = size
        page.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        page.do("Page.navigate", url=address)
        time.sleep(seconds)
        page.picture(FIGURES / f"{name}.png")
    print(f"docs/figures/{name}.png")


@contextlib.contextmanager
def tensorboard(folder: Path) -> Iterator[str]:
    """TensorBoard of the runs in a folder; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(BIN / "tensorboard"), "--logdir", "outputs", "--host", "127.0.0.1"]
    command += ["--port", str(port)]
    server = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(address, timeout=5).close()
                break
            time.sleep(0.5)
        time.sleep(8)  # Until it has read the runs.
        yield address
    finally:
        server.terminate()
        server.wait(20)


def corruptions_picture(folder: Path) -> None:
    """Draw the corruptions of MNIST's first training images."""
    draw_sheet(load_mnist(folder).train.images[:15]).save(
        FIGURES / "corruptions.png", optimize=True
    )
    print("docs/figures/corruptions.png")


def main() -> None:
    """Train, and make every picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        corruptions_picture(folder)
        terminal_picture("train", "mnist-train", folder)
        terminal_picture("eval", "mnist-eval outputs/latest", folder)
        words = "mnist-train -m model=fcn,cnn 'seed=range(3)' trainer.epochs=1 sweep=first"
        terminal_picture("sweep", words, folder)
        with tensorboard(folder) as address:
            page_picture("tensorboard", f"{address}/#custom_scalars", (1400, 800), seconds=20)
        subprocess.run(
            [BIN / "mnist-report", "outputs/multirun/first", "--html"], cwd=folder, check=True
        )
        (report,) = (folder / "outputs" / "multirun" / "first").glob("*.html")
        page_picture("report", report.as_uri(), (1200, 1100))


if __name__ == "__main__":
    main()
