"""A headless Chromium, driven over its debugging pipe: no driver, no socket, nothing to install besides the browser."""
import base64, json, os, shutil, subprocess, tempfile, time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find():
    """The path of a Chromium; None where there is none."""
    return next(filter(None, (shutil.which(name) for name in NAMES)), None)


class Browser:
    """One process with a profile of its own. `tab()` opens a page in it."""

    def __init__(self, path):
        self.folder = tempfile.mkdtemp(prefix="mneme-browser-")
        here, there = os.pipe(), os.pipe()
        # The browser reads commands from descriptor 3 and writes answers to 4.
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{here[0]} 4>&{there[1]}', "_", path, "--headless=new", "--remote-debugging-pipe",
             "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
             "--font-render-hinting=none", f"--user-data-dir={self.folder}", "about:blank"],
            pass_fds=(here[0], there[1]), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=dict(os.environ, HOME=self.folder, TZ="UTC"))
        os.close(here[0]), os.close(there[1])
        self.commands, self.answers = os.fdopen(here[1], "wb", 0), os.fdopen(there[0], "rb", 0)
        os.set_blocking(self.answers.fileno(), False)
        self.rest, self.number, self.tabs, self.results = b"", 0, {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def take(self):
        """Reads what has come, and hands events to their tabs."""
        try:
            piece = self.answers.read(1 << 20)
        except BlockingIOError:
            piece = None
        if piece == b"":
            raise AssertionError("the browser ended")
        if piece:
            *whole, self.rest = (self.rest + piece).split(b"\0")
            for text in whole:
                message = json.loads(text)
                if "id" in message:
                    self.results[message["id"]] = message
                elif message.get("sessionId") in self.tabs:
                    self.tabs[message["sessionId"]].event(message["method"], message["params"])
        return bool(piece)

    def send(self, method, parameters=None, session=None, seconds=60):
        """Carries out a command and gives its result."""
        self.number += 1
        number, message = self.number, {"id": self.number, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        self.commands.write(json.dumps(message).encode() + b"\0")
        end = time.time() + seconds
        while number not in self.results:
            if not self.take():
                assert time.time() < end, f"the browser did not answer {method} within {seconds} s"
                time.sleep(0.005)
        answer = self.results.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def tab(self):
        target = self.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self.tabs[session] = tab = Tab(self, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            tab.send(domain + ".enable")
        return tab


class Tab:
    """A page. What its console says, what it throws and what it asks for is kept in `errors` and `requests`."""

    def __init__(self, browser, session):
        self.browser, self.session = browser, session
        self.errors, self.requests, self.dialogs = [], [], []

    def event(self, method, told):
        if method == "Runtime.exceptionThrown":
            details = told["exceptionDetails"]
            self.errors.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.errors.append(" ".join(str(a.get("value", a.get("description"))) for a in told["args"]))
        elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif method == "Page.javascriptDialogOpening":
            self.dialogs.append(told["message"])

    def send(self, method, parameters=None, **options):
        return self.browser.send(method, parameters, self.session, **options)

    def run(self, text):
        """The value of an expression of JavaScript; a promise is waited for."""
        answer = self.send("Runtime.evaluate", {"expression": text, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in answer:
            raise AssertionError(f"{text}: {answer['exceptionDetails'].get('exception', {}).get('description')}")
        return answer["result"].get("value")

    def wait(self, text, seconds=30):
        """Waits until an expression is true, and gives its value."""
        end = time.time() + seconds
        while True:
            value = self.run(text)
            # A node of the page comes as {}.
            if value or value == {}:
                return value
            assert time.time() < end, f"not within {seconds} s: {text}; the page says: {self.run('document.body.innerText')[:600]}"
            time.sleep(0.03)

    def open(self, url):
        self.send("Page.navigate", {"url": url})
        self.wait("document.readyState === 'complete'")

    def look(self, width=1280, height=860, dark=False, scale=1):
        """Sets the screen and the colours that the visitor prefers."""
        self.send("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600})
        self.send("Emulation.setScrollbarsHidden", {"hidden": True})
        self.send("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})

    def picture(self, path):
        open(path, "wb").write(base64.b64decode(self.send("Page.captureScreenshot", {"format": "png"})["data"]))

    def press(self, key, text=None):
        """One key, such as "j", "Tab", "Enter" or "Escape"."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowDown": 40}
        text = text or (key if len(key) == 1 else "\r" if key == "Enter" else None)
        common = {"key": key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper()))}
        self.send("Input.dispatchKeyEvent", dict(common, type="keyDown", **({"text": text} if text else {})))
        self.send("Input.dispatchKeyEvent", dict(common, type="keyUp"))

    def write(self, text):
        """Types a text where the focus is."""
        self.send("Input.insertText", {"text": text})

    def click(self, selector):
        """Clicks the middle of the first element that fits and can be seen, with the mouse."""
        place = self.wait(f"""(() => {{
            const node = document.querySelector({json.dumps(selector)});
            if (!node) return null;
            node.scrollIntoView({{ block: "center", behavior: "instant" }});
            const box = node.getBoundingClientRect();
            return box.width > 0 ? [box.x + box.width / 2, box.y + box.height / 2] : null;
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", {"type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1})
