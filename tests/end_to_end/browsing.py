"""The service behind uvicorn, as `make run` serves it, and a visit to its page by Chromium."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route
from starlette.types import ASGIApp

from lambda_app.handler import build_app
from lambda_app.settings import Settings
from lambda_app.telemetry import Telemetry
from local.ports import LOOPBACK, find_free_ports
from problem.table import TABLE

# The same server to the browser, as if it were another machine.
OTHER_NAME = "page.test"
# The study's first patient as a person types it: the laboratory reports triglycerides, and not their logarithm.
FIRST_PATIENT = {feature.name: feature.example for feature in TABLE.features}
TYPED_FIRST_PATIENT = {**FIRST_PATIENT, "s5": 129}
# What Chromium writes for every status from 400 on, and for a network that is away.
FAILED_REQUEST = "Failed to load resource"


def serve(environment: Mapping[str, str], **changed: str) -> AbstractContextManager[str]:
    """Serve the api with these variables; yield the URL of its page."""
    # Powertools keeps a logger for each service name of the process.
    own = {"SERVICE_NAME": f"diabetes-{uuid4()}", "LOG_LEVEL": "WARNING"}
    settings = Settings.from_env({**environment, **own, **changed})
    return serve_app(build_app(settings, Telemetry(settings, emit_emf=False)))


@contextmanager
def serve_app(app: ASGIApp) -> Iterator[str]:
    [port] = find_free_ports(1)
    server = uvicorn.Server(uvicorn.Config(app, host=LOOPBACK, port=port, lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, name="uvicorn")
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.02)
        yield f"http://{LOOPBACK}:{port}/"
    finally:
        server.should_exit = True
        thread.join()


class Visit:
    """One browser window on the page, its requests, and its errors and warnings."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.context = context
        self.page: Page = context.new_page()
        self.record = self.page.locator("#record")
        self.requests: list[str] = []
        # What the page last sent to /explain: the measurements in the service's units.
        self.sent: dict[str, float] = {}
        self.complaints: list[str] = []
        self.page.on("request", self._note_request)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        # Also what the content security policy refused.
        self.page.on("console", self._note)

    def _note_request(self, request: Request) -> None:
        self.requests.append(request.url)
        if request.url == self.url + "explain":
            self.sent = json.loads(request.post_data or "{}")

    def _note(self, line: ConsoleMessage) -> None:
        if line.type in {"error", "warning"}:
            self.complaints.append(line.text)

    def open(self) -> None:
        self.page.goto(self.url)
        self.wait()

    def wait(self) -> None:
        """Until the page has answered the last change, or given up."""
        self.page.wait_for_function("() => !['asking', undefined].includes(document.body.dataset.standing)")

    def enter(self, **values: float | str) -> None:
        """Type into the number fields, and choose the code of the sex."""
        for name, value in values.items():
            if name == "sex":
                self.page.get_by_label(f"Code {value}").check()
            else:
                self.page.locator(f"#{name}-number").fill(str(value))
        self.wait()

    def press_record(self) -> str:
        """Record the prediction and return its id."""
        self.page.get_by_role("button", name="Record this prediction").click()
        self.page.locator("#recorded").wait_for()
        return self.text("#recorded-id")

    def open_record(self) -> dict[str, Any]:
        """Return the record to which the id leads."""
        with self.page.expect_popup() as popup:
            self.page.locator("#recorded-id").click()
        record: dict[str, Any] = json.loads(popup.value.locator("body").inner_text())
        return record

    def hold_requests(self, path: str) -> list[Route]:
        """Collect the requests from now on; none goes on by itself."""
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        self.page.route(f"**/{path}", hold)
        return held

    def change_answers(self, path: str, change: Callable[[dict[str, Any]], object]) -> None:
        """Hand the page what the service answers only with `change` applied."""

        def answer(route: Route) -> None:
            response = route.fetch()
            body = response.json()
            change(body)
            route.fulfill(response=response, body=json.dumps(body))

        self.page.route(f"**/{path}", answer)

    def ask(self, path: str, body: Mapping[str, float] | None = None) -> dict[str, Any]:
        """The API's own answer, past the page."""
        url = self.url + path
        response = self.page.request.post(url, data=body) if body else self.page.request.get(url)
        assert response.ok, response.text()
        answer: dict[str, Any] = response.json()
        return answer

    def count_requests(self, path: str) -> int:
        return self.requests.count(self.url + path)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def number(self, selector: str) -> float:
        """The number that the element holds."""
        return parse_number(self.text(selector))

    def boxes(self, selector: str) -> list[dict[str, float]]:
        return [self.box(f"{selector} >> nth={index}") for index in range(self.page.locator(selector).count())]

    def box(self, selector: str) -> dict[str, float]:
        """The place of an element on the page, in pixels."""
        box = self.page.locator(selector).bounding_box()
        assert box, selector
        x, width = box["x"], box["width"]
        sides = {"x": x, "right": x + width, "middle": x + width / 2, "y": box["y"]}
        return {**sides, "width": width, "height": box["height"]}

    def close(self) -> None:
        """Nothing may have been asked of another host, and nothing refused, thrown or complained of."""
        self.context.close()
        hosts = {urlsplit(url).netloc for url in self.requests}
        assert hosts == {urlsplit(self.url).netloc}
        assert not [line for line in self.complaints if FAILED_REQUEST not in line]


# The fixture `visit`: opens the page in a window of its own.
Visiting = Callable[..., Visit]


def parse_number(text: str) -> float:
    """A number with its sign as it is set in print."""
    return float(text.replace("\N{MINUS SIGN}", "-").strip("±"))


def open_context(browser: Browser, **options: Any) -> BrowserContext:
    """A window without animations, so that what is measured has come to rest."""
    context = browser.new_context(**{"reduced_motion": "reduce", "locale": "en-GB", **options})
    context.set_default_timeout(20_000)
    return context
