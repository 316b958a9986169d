"""`python -m tests.web.pictures`: the screenshots under docs/pictures/, of a receiver of its own with the samples in it.

Takes each page in Chromium (Debian: chromium, chromium-driver), in light and dark: NAME.png and NAME-dark.png, and the
inbox as a telephone shows it. Nothing else writes them, so they change when somebody means them to.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from soapsvc.shipped import SAMPLES
from tests.commands import soapsvc
from tests.pushing import TEXT_XML, Service, envelope, get, post, running_service
from tests.web.browser import Browser, browsing, missing

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
WIDE, NARROW = (1280, 800), (360, 740)
SETTINGS = """
trusted_proxies = ["127.0.0.1/32"]

[[delivery]]
name = "archive"
target = "file://FOLDER/archive"

[[delivery]]
name = "branch"
target = "http://127.0.0.1:9/push"
kind = ["fax", "cdr"]
attempts = 2
gaps = [0.1]

[[delivery]]
name = "app"
target = "webhook+https://app.example.com/reports"
kind = ["report"]
paused = true

[[delivery]]
name = "desk"
target = "lease:"

[retention.accepted]
days = 90
"""
_PROXY = {"X-Forwarded-Proto": "https", "X-SSL-Protocol": "TLSv1.3"}


def main() -> int:
    absent = missing()
    if absent:
        print(f"pictures: this {absent}", file=sys.stderr)
        return 2
    with (
        tempfile.TemporaryDirectory(prefix="soapsvc-pictures-") as folder,
        running_service(Path(folder) / "receiver", settings=SETTINGS.replace("FOLDER", folder)) as service,
        browsing(Path(folder) / "browser") as browser,
    ):
        fill(service, Path(folder))
        for name, path in pages_of(service).items():
            for dark in (False, True):
                _take(browser, service, path, f"{name}{'-dark' if dark else ''}.png", WIDE, dark=dark)
        _take(browser, service, "/", "inbox-narrow.png", NARROW, dark=False)
    return 0


def fill(service: Service, folder: Path) -> None:
    """Pushes, one of them from a backup, with their deliveries in each state; some leased, one held; and what the
    traffic says of the contract."""
    drop = folder / "drop"
    drop.mkdir()
    sample = (SAMPLES / "sampleReport.xml").read_bytes().replace(b"10000", b"16000")
    (drop / "report.csv.envelope.xml").write_bytes(sample)
    assert (
        soapsvc("intake", f"file://{drop}", "--settle", "0", "--alone", "0", "--inbox", service.inbox).returncode == 0
    )
    _push_samples(service)
    rows = _asked(service, "pushes?limit=100&state=accepted")["pushes"]
    reason = "asked for by the auditors"
    assert soapsvc("inbox", "hold", str(rows[2]["id"]), "--reason", reason, "--inbox", service.inbox).returncode == 0
    for confirmed in (True, True, False):
        leased = json.loads(post(f"{service.admin_url}/api/v1/pushes/next?hold=900", b"", {}).body)
        if confirmed:
            done = f"{service.admin_url}/api/v1/pushes/{leased['push']['id']}/confirm?lease={leased['lease']}"
            assert post(done, b"", {}).status == 204
    learned = f"{service.admin_url}/api/v1/contract/learned"
    assert post(learned, b"{}", {"Content-Type": "application/json"}).status == 200
    _until(lambda: json.loads(get(learned).body)["state"] == "done", "nothing was learned")
    targets = f"{service.admin_url}/api/v1/stats"
    _until(
        lambda: all(
            one["pending"] + one["forwarding"] == 0
            for one in json.loads(get(targets).body)["targets"]
            if one["name"] in ("archive", "branch")
        ),
        "the deliveries were not tried",
    )


def _until(ask: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + 90
    while not ask():
        assert time.monotonic() < end, otherwise
        time.sleep(0.1)


def _asked(service: Service, path: str) -> dict[str, list[dict[str, object]]]:
    told: dict[str, list[dict[str, object]]] = json.loads(get(f"{service.admin_url}/api/v1/{path}").body)
    return told


def _push_samples(service: Service) -> None:
    """Four jobs of each sample from four addresses, one again, one with other content, and what is refused."""
    for n in range(4):
        for sample in sorted(SAMPLES.glob("*.xml")):
            body = sample.read_bytes()
            body = body.replace(b"10000", b"%d000" % (10 + n)) if b"UTF-16" not in body[:60] else body
            _post(service, body, f"192.0.2.{7 + n}")
    _post(service, (SAMPLES / "sampleReport.xml").read_bytes(), "192.0.2.7")
    for document in (b"reference,status\r\nINV-1,Sent\r\n", b"reference,status\r\nINV-1,Busy\r\n"):
        _post(service, envelope(1700001, document), "192.0.2.9")
    for sample in sorted((SAMPLES / "refused").glob("*.xml")):
        _post(service, sample.read_bytes(), "198.51.100.9")
    _post(service, (SAMPLES / "sampleReport.xml").read_bytes().replace(b"10000", b"15000"), "192.0.2.10")


def _post(service: Service, body: bytes, source: str) -> None:
    headers: Mapping[str, str] = {**TEXT_XML, **_PROXY, "X-Forwarded-For": source}
    assert post(service.url, body, headers).status in (200, 500)


def pages_of(service: Service) -> dict[str, str]:
    _until(
        lambda: len(_asked(service, "pushes?source=198.51.100.9&limit=9")["pushes"]) >= 5,
        "the search index did not follow",
    )
    rows = _asked(service, "pushes?limit=100")["pushes"]
    accepted = [row for row in rows if row["state"] == "accepted"]
    report = next(
        row for row in accepted if row["kind"] == "report" and int(str(row["raw_bytes"])) > 10_000 and not row["origin"]
    )
    fax = next(row for row in accepted if row["kind"] == "fax")
    refused = next(row for row in rows if row["state"] == "quarantined" and row["documents"])
    of_refused = f"exchanges?push={refused['id']}"
    _until(lambda: bool(_asked(service, of_refused)["exchanges"]), "the exchange was not kept")
    exchange = _asked(service, of_refused)["exchanges"][0]
    return {
        "inbox": "/", "push": f"/pushes/{report['id']}", "fax": f"/pushes/{fax['id']}",
        "quarantined": f"/pushes/{refused['id']}", "raw": f"/pushes/{refused['id']}/raw", "wire": "/wire",
        "exchange": f"/wire/{exchange['n']}", "overview": "/overview", "contract": "/contract",
        "learned": "/contract/learned",
    }  # fmt: skip


def _take(browser: Browser, service: Service, path: str, name: str, size: tuple[int, int], *, dark: bool) -> None:
    browser.show(*size, dark=dark)
    browser.go(service.admin_url + path)
    whole = "return [...document.images].filter((one) => one.loading !== 'lazy').every((one) => one.complete)"
    browser.until(lambda: browser.run(whole), "all of its images")
    browser.run("for (const one of document.querySelectorAll('.leaves img')) one.loading = 'eager'")
    drawn = "return [...document.querySelectorAll('.leaves img')].every((one) => one.naturalWidth)"
    browser.until(lambda: browser.run(drawn), "the images of its pages")
    browser.picture(PICTURES / name)
    with Image.open(PICTURES / name) as shot:
        few = shot.convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(PICTURES / name, optimize=True)  # half of the bytes, and nothing that the eye misses
    print(PICTURES / name)


if __name__ == "__main__":
    sys.exit(main())
