"""A browser for tests: Chromium without a window, driven through the pipes of its DevTools
protocol."""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
)
WATCHED = ("Network.requestWillBeSent", "Runtime.exceptionThrown", "Log.entryAdded")
"""Events that are kept, of those that a test enables."""
LIMIT = 90.0
"""Longest wait for an answer, in seconds: a busy machine starts a browser slowly."""


def find_browser() -> str | None:
    """The program, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One tab. Commands go out and answers come back as JSON, each ended by a zero byte."""

    def __init__(self, program: str, profile: str) -> None:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # Chromium reads file 3 and writes file 4; ours are moved out of the way of those numbers.
        read, write = (
            fcntl.fcntl(number, fcntl.F_DUPFD, 100) for number in (theirs_in, theirs_out)
        )

        def place() -> None:
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            [program, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(3, 4),
            preexec_fn=place,
        )
        for number in (theirs_in, theirs_out, read, write):
            os.close(number)
        self.out, self.input = ours_out, ours_in
        self.buffer, self.count, self.session = b"", 0, ""
        self.events: list[dict[str, Any]] = []
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.do("Page.enable")
        self.do("Runtime.enable")

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for what it answers."""
        self.count += 1
        message: dict[str, Any] = {"id": self.count, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            if answer.get("method") in WATCHED:
                self.events.append(answer)

    def receive(self) -> dict[str, Any]:
        """The next message, be it an answer or an event."""
        end = time.monotonic() + LIMIT
        while b"\0" not in self.buffer:
            if not select.select([self.input], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"no answer from the browser within {LIMIT:.0f} s")
            piece = os.read(self.input, 1 << 20)
            if not piece:
                raise ConnectionError("the browser has ended")
            self.buffer += piece
        text, _, self.buffer = self.buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def open(self, page: Path) -> None:
        """Load a file, and wait until its scripts have run."""
        self.do("Page.navigate", url=page.as_uri())
        end = time.monotonic() + LIMIT
        while self.value("document.readyState + document.URL") != f"complete{page.as_uri()}":
            if time.monotonic() > end:
                raise TimeoutError(f"{page} does not load")
            time.sleep(0.05)

    def value(self, expression: str) -> Any:
        """What an expression of the page's language comes to; promises are waited for."""
        answer = self.do(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(
                str(answer["exceptionDetails"].get("exception", answer["exceptionDetails"]))
            )
        return answer["result"].get("value")

    def mouse(self, points: list[tuple[float, float]]) -> None:
        """Press at the first point, move along the others, let go."""
        at = dict(zip(("x", "y"), points[0], strict=True))
        self.do(
            "Input.dispatchMouseEvent",
            type="mousePressed",
            button="left",
            buttons=1,
            clickCount=1,
            **at,
        )
        for x, y in points[1:]:
            self.do(
                "Input.dispatchMouseEvent", type="mouseMoved", button="left", buttons=1, x=x, y=y
            )
        x, y = points[-1]
        self.do(
            "Input.dispatchMouseEvent", type="mouseReleased", button="left", clickCount=1, x=x, y=y
        )

    def touch(self, points: list[tuple[float, float]]) -> None:
        """A finger along the points."""
        for kind, (x, y) in zip(
            ["touchStart", *["touchMove"] * (len(points) - 1)], points, strict=True
        ):
            self.do("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": x, "y": y}])
        self.do("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def key(self, key: str, shift: bool = False) -> None:
        """Press and release a key: its name, or the character that it types."""
        code = {" ": "Space"}.get(key, key)
        virtual = {
            " ": 32,
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "ArrowDown": 40,
            "Enter": 13,
            "Escape": 27,
            "Tab": 9,
        }.get(key, 0)
        text = {"Enter": {"text": "\r"}, " ": {}}.get(key, {"text": key} if len(key) == 1 else {})
        for kind in ("keyDown", "keyUp"):
            self.do(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=code,
                windowsVirtualKeyCode=virtual,
                modifiers=8 if shift else 0,
                **(text if kind == "keyDown" else {}),
            )

    def choose_file(self, selector: str, path: Path) -> None:
        """Choose a file in an input of the page."""
        root = self.do("DOM.getDocument")["root"]["nodeId"]
        node = self.do("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.do("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def picture(self, path: Path) -> None:
        """Save what is seen."""
        path.write_bytes(
            base64.b64decode(self.do("Page.captureScreenshot", captureBeyondViewport=True)["data"])
        )

    def close(self) -> None:
        """End the browser."""
        with contextlib.suppress(OSError):
            os.close(self.out)
            os.close(self.input)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def browser(program: str) -> Iterator[Browser]:
    """A browser with a profile of its own, both gone at the end."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        opened = Browser(program, profile)
        try:
            yield opened
        finally:
            opened.close()
