"""A headless Chromium, spoken to by the DevTools protocol over a pair of pipes (`--remote-debugging-pipe`)."""

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE_SECONDS = 60.0
# What Chromium would do by itself over the network, and what it needs for running as root and in a container.
FLAGS = ("--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
         "--disable-extensions", "--no-proxy-server", "--disable-features=OptimizationHints,MediaRouter,Translate",
         "--force-color-profile=srgb", "--font-render-hinting=none")


class Trouble(Exception):
    """The browser does not do as it is told."""


class Browser:
    """One process with one tab."""

    def __init__(self, path: str) -> None:
        self.profile = tempfile.mkdtemp(prefix="page-")
        hears, self.write = os.pipe()
        self.read, says = os.pipe()
        flags = [*FLAGS, f"--user-data-dir={self.profile}", "--remote-debugging-pipe"]
        if os.getuid() == 0:
            flags.append("--no-sandbox")
        # The browser reads at 3 and writes at 4.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{hears} 4>&{says}', path, *flags, "about:blank"],
            pass_fds=(hears, says), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(hears)
        os.close(says)
        self.numbers = itertools.count(1)
        self.received = b""
        self.events: list[dict] = []
        self.session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self.session = None
        with contextlib.suppress(Trouble, OSError):
            self.call("Browser.close")
        for pipe in (self.read, self.write):
            os.close(pipe)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method: str, **params) -> dict:
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self.receive(until)
            if answer.get("id") != number:
                self.events.append(answer)
            elif "error" in answer:
                raise Trouble(f"{method}: {answer['error'].get('message')}")
            else:
                return answer["result"]

    def wait_for(self, event: str) -> None:
        """Until such an event comes that comes after this call."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            message = self.receive(until)
            self.events.append(message)
            if message.get("method") == event:
                return

    def receive(self, until: float) -> dict:
        while b"\0" not in self.received:
            ready, _, _ = select.select([self.read], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise Trouble("the browser says nothing")
            more = os.read(self.read, 1 << 20)
            if not more:
                raise Trouble("the browser has ended")
            self.received += more
        message, _, self.received = self.received.partition(b"\0")
        return json.loads(message)

    # What tests do with it.

    def dress(self, *, dark: bool = False, width: int = 1280, height: int = 900, calm: bool = False) -> None:
        """Colours, size of the window, and whether motion is unwelcome."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                    {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)

    def open(self, url: str) -> None:
        """What was seen of other pages is forgotten."""
        self.call("Page.navigate", url="about:blank")
        self.events.clear()
        self.call("Page.navigate", url=url)

    def pass_time(self, seconds: float) -> None:
        """By the page's clock, which stands still else, and while the page waits for an answer."""
        self.call("Emulation.setVirtualTimePolicy", policy="pauseIfNetworkFetchesPending", budget=seconds * 1000)
        self.wait_for("Emulation.virtualTimeBudgetExpired")

    def ask(self, expression: str):
        """What an expression in the page comes to."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Trouble(f"{expression}: {answer['exceptionDetails']['exception'].get('description')}")
        return answer["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code,
                      **({"text": text} if text and kind == "keyDown" else {}))

    def move_to(self, x: float, y: float) -> None:
        """The mouse."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def shoot(self, path: Path, *, whole: bool = True) -> None:
        """A picture of the page, down to its end if `whole`."""
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(picture["data"]))

    # What was seen of it.

    def complaints(self) -> list[str]:
        """Errors and warnings of the console, violations of the policy among them, and exceptions."""
        found = []
        for event in self.events:
            params = event.get("params", {})
            match event.get("method"):
                case "Runtime.exceptionThrown":
                    details = params["exceptionDetails"]
                    found.append(details.get("exception", {}).get("description") or details["text"])
                case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                    found.append(" ".join(str(argument.get("value")) for argument in params["args"]))
                case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                    found.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        return found

    def requested(self) -> list[str]:
        sent = [event["params"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [params["request"]["url"] for params in sent]

    def headers_of(self, url: str) -> dict[str, str]:
        """Of the first answer from there."""
        for event in self.events:
            if event.get("method") != "Network.responseReceived":
                continue
            response = event["params"]["response"]
            if response["url"] == url:
                return {name.lower(): value for name, value in response["headers"].items()}
        raise Trouble(f"no answer from {url}")
