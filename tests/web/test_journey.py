"""A person's way through the pages in a real Chromium: from an empty inbox to a HAR that replays, with nothing that a
sender wrote ever run, and no serious fault for who cannot see or use a mouse."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import ActionChains, Keys
from werkzeug.security import generate_password_hash

from soapsvc.shipped import SAMPLES
from tests.pushing import TEXT_XML, Service, envelope, get, post, running_service
from tests.web.browser import Browser, browsing, missing
from tests.web.hostile import MARKUP, hostile_envelope
from tests.web.test_wire import replayed

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))

WIDE, NARROW = (1280, 900), (360, 740)
AXE = "axe-core@4.14.1"
OPEN_ALL = "for (const one of document.querySelectorAll('details')) one.open = true"
AXE_RUN = "axe.run({resultTypes: ['violations']}).then(arguments[arguments.length - 1])"
REPORT, FAX = SAMPLES / "sampleReport.xml", SAMPLES / "sampleFax.xml"
REFUSED = SAMPLES / "refused" / "badNumber.xml"
DELIVERIES = """
[[delivery]]
name = "archive"
target = "file://{folder}/archive"

[[delivery]]
name = "branch"
target = "http://127.0.0.1:9/push"
kind = ["report"]
attempts = 1
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser")) as one:
        one.show(*WIDE)
        yield one


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("journey")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Service]:
    with running_service(folder, settings=DELIVERIES.format(folder=folder)) as running:
        yield running


@pytest.fixture(scope="module")
def filled(service: Service, browser: Browser) -> Service:
    """With each sample, what was refused, and a push whose every field is markup; looked at first while it was empty."""
    begins_empty_and_shows_what_arrives(service, browser)
    for sample in sorted(SAMPLES.glob("*.xml")):
        assert post(service.url, sample.read_bytes()).status == 200, sample.name
    assert post(service.url, (SAMPLES / "refused" / "badBase64.xml").read_bytes()).status == 500
    assert post(service.url, hostile_envelope(well=True), HOSTILE_HEADERS).status == 200
    assert post(service.url, hostile_envelope(well=False), HOSTILE_HEADERS).status == 500
    browser.until(lambda: len(pushes(service, "?q=zzmarkup&limit=9")) == 2, "the index to have followed")
    learned = f"{service.admin_url}/api/v1/contract/learned"
    assert post(learned, b"{}", {"Content-Type": "application/json"}).status == 200
    browser.until(lambda: json.loads(get(learned).body)["state"] == "done", "what the traffic says")
    return service


HOSTILE_HEADERS = {**TEXT_XML, "User-Agent": MARKUP, "X-Said": MARKUP}


def pushes(service: Service, query: str = "?limit=100") -> list[dict]:
    return json.loads(get(f"{service.admin_url}/api/v1/pushes{query}").body)["pushes"]


def push_of(service: Service, filename: str, state: str = "accepted") -> str:
    return next(
        row["id"]
        for row in pushes(service)
        if row["state"] == state and any((one["filename"] or "").startswith(filename) for one in row["documents"])
    )


def begins_empty_and_shows_what_arrives(service: Service, browser: Browser) -> None:
    browser.go(service.admin_url)
    assert browser.texts("h1") == ["Nothing has come in yet"]
    assert f"samples/sampleReport.xml {service.url}" in browser.one("main").text
    browser.run("window.sameDocument = true")
    assert post(service.url, REPORT.read_bytes()).status == 200
    row = browser.one("#rows tr.new")
    assert "Delivery report" in row.text
    assert "report_1000001.csv" in row.text
    assert browser.run("return window.sameDocument") is True, "the page was loaded anew"


# What is looked at ---------------------------------------------------------------------------------------------------


def test_pushes_that_came_while_nobody_looked_are_counted(filled: Service, browser: Browser) -> None:
    browser.go(filled.admin_url)
    browser.run("Object.defineProperty(document, 'hidden', {get: () => window.away, configurable: true}); away = true")
    for n in (501, 502):
        assert post(filled.url, envelope(n)).acknowledged
    browser.until(lambda: browser.chrome.title.startswith("(2) "), "a title that counts two")
    assert browser.one("#unseen").text == "2"
    assert browser.one("#unseen").get_attribute("aria-label") == "2 new"
    browser.run("away = false; document.dispatchEvent(new Event('visibilitychange'))")
    browser.until(lambda: not browser.chrome.title.startswith("("), "a title without a count")
    assert not browser.one("#unseen").is_displayed()


def test_keys_move_through_the_list_and_back(filled: Service, browser: Browser) -> None:
    browser.go(filled.admin_url)
    browser.one("#rows tr")

    def press(*keys: str) -> None:
        ActionChains(browser.chrome).send_keys(*keys).perform()

    press("j", "j", "k", "j")
    at = browser.one("#rows tr.at").get_attribute("data-id")
    assert at == browser.all("#rows tr")[1].get_attribute("data-id")
    press(Keys.ENTER)
    browser.until(lambda: browser.chrome.current_url.endswith(f"/pushes/{at}"), "the push")
    press("u")
    browser.until(lambda: browser.all("#rows"), "the list")
    press("?")
    assert browser.one("#keys").is_displayed()
    press(Keys.ESCAPE)
    press("/")
    assert browser.run("return document.activeElement.id") == "q"


def test_a_word_in_a_document_is_found_and_filters_are_links(filled: Service, browser: Browser) -> None:
    browser.go(filled.admin_url)
    browser.one("#q").send_keys("INV-2012-1017", Keys.ENTER)
    browser.until(lambda: "q=INV" in browser.chrome.current_url, "the answer to the search")
    assert len(browser.all("#rows tr")) == len(pushes(filled, "?q=INV-2012-1017"))
    assert all("report_1000001.csv" in row for row in browser.texts("#rows tr"))
    browser.go(filled.admin_url)
    next(link for link in browser.all(".filters a") if link.text == "fax").click()
    browser.until(lambda: "kind=fax" in browser.chrome.current_url, "the faxes")
    assert browser.texts("#rows .kind") == ["fax"]
    browser.one("#q").send_keys("no such word anywhere", Keys.ENTER)
    browser.until(lambda: browser.texts("h1") == ["Nothing matches"], "that nothing matches")


@pytest.mark.parametrize(
    ("filename", "shown"),
    [
        ("report_1000001.csv", "table"), ("fax_1000003.tif", "pages"), ("cover note.txt", "text"),
        ("cdr", "table"), ("report_1000002.pdf", "pages"),
    ],
)  # fmt: skip
def test_each_kind_of_document_is_previewed(filled: Service, browser: Browser, filename: str, shown: str) -> None:
    browser.go(f"{filled.admin_url}/pushes/{push_of(filled, filename)}")
    document = next(one for one in browser.all(".document") if filename in one.text)
    within = f"#{document.get_attribute('id')} "
    if shown == "table":
        assert len(browser.all(f"{within}.preview tbody tr")) > 1
    elif shown == "text":
        assert browser.one(f"{within}.preview pre").text.strip()
    else:
        first = browser.one(f"{within}.leaves img")
        browser.until(lambda: browser.run("return arguments[0].naturalWidth", first) > 300, "the image of a page")
    assert "sha256" in document.text


def test_a_table_is_summed_up_and_sorted(filled: Service, browser: Browser) -> None:
    browser.go(f"{filled.admin_url}/pushes/{push_of(filled, 'report_1000001.csv')}")
    assert "Sent 85" in browser.one(".outcomes").text
    assert len(browser.all(".outcomes svg rect")) == len(browser.all(".outcomes li")) > 2
    browser.one(".preview th:nth-child(7) a").click()
    browser.until(lambda: browser.all('th[aria-sort="ascending"]'), "a sorted column")
    seconds = [int(cell.text) for cell in browser.all(".preview tbody td:nth-child(7)") if cell.text]
    assert seconds == sorted(seconds)


def test_a_deviation_is_highlighted_in_the_raw_envelope_a_click_apart(filled: Service, browser: Browser) -> None:
    browser.go(f"{filled.admin_url}/pushes/{push_of(filled, 'report_1000001.csv', 'quarantined')}")
    named = browser.one(".deviations li.named")
    assert "DocData" in named.text
    line = named.get_attribute("value")
    colours = "return [...arguments].map((one) => getComputedStyle(one).backgroundColor)"
    beside = browser.one(".deviations .code li:not(.named)")
    assert len(set(browser.run(colours, named, beside))) == 2
    next(link for link in browser.all(".deviations a") if link.text == f"line {line}").click()
    target = browser.one(f"#line-{line}")
    assert target.get_attribute("class") == "named"
    assert "PAY-001" in target.text
    assert browser.run(
        "const b = arguments[0].getBoundingClientRect(); return b.top >= 0 && b.top < innerHeight", target
    )


def test_the_contract_page_leads_to_what_the_traffic_says_of_it(filled: Service, browser: Browser) -> None:
    assert post(filled.url, envelope(601)).acknowledged
    browser.go(f"{filled.admin_url}/contract")
    next(link for link in browser.all(".facts a") if "contradicted" in link.text).click()
    browser.until(lambda: "More came in since." in browser.texts(".notice"), "that there is more to look at")
    browser.one("#learn").click()
    browser.until(lambda: not browser.all("#learn") and not browser.all(".notice"), "the outcome, by itself")
    assert any(heading.startswith("Confirmed (") for heading in browser.texts("h2"))
    shown = browser.one("td.ids a")
    push_id = (shown.get_attribute("href") or "").rpartition("/")[2]
    shown.click()
    browser.until(lambda: browser.chrome.current_url.endswith(f"/pushes/{push_id}"), "the push that shows it")


def test_an_operator_holds_a_push_and_puts_back_its_dead_letter_by_keyboard(filled: Service, browser: Browser) -> None:
    push_id = push_of(filled, "report_1000001.csv")
    page = f"{filled.admin_url}/pushes/{push_id}"
    browser.until(lambda: deliveries(filled, push_id)["branch"] == ("dead", 1), "a dead letter")
    browser.go(page)

    def acts(form: str, *keys: str) -> None:
        browser.one(f"details:has(form[action$='/{form}']) summary").send_keys(Keys.ENTER)
        ActionChains(browser.chrome).send_keys(*keys).perform()

    acts("hold", Keys.TAB, "asked for by the auditors", Keys.ENTER)
    said(browser, "Held:")
    assert "asked for by the auditors" in browser.one("section[aria-labelledby=retention]").text
    assert "branch dead letter after 1 attempt" in browser.one(".deliveries").text
    browser.go(page)
    acts("requeue", Keys.TAB, "branch", Keys.TAB, Keys.SPACE, Keys.TAB, Keys.ENTER)
    said(browser, "Requeued: 1 delivery, due now.")
    browser.until(lambda: deliveries(filled, push_id)["branch"] == ("dead", 2), "the second attempt to have failed")
    assert deliveries(filled, push_id)["archive"][0] == "delivered"
    browser.one("#release").click()
    said(browser, "Released:")
    assert not browser.complaints()


def said(browser: Browser, words: str) -> None:
    """What the page that an action led to says of it."""
    shown = "return document.querySelector('[role=status].notice')?.innerText ?? ''"
    browser.until(lambda: browser.run(shown).startswith(words), words)


def deliveries(service: Service, push_id: str) -> dict[str, tuple[str, int]]:
    told = json.loads(get(f"{service.admin_url}/api/v1/pushes/{push_id}").body)["deliveries"]
    return {one["target"]: (one["state"], one["attempts"]) for one in told}


@pytest.fixture
def without_script(browser: Browser) -> Iterator[Browser]:
    browser.scripts(allowed=False)
    yield browser
    browser.scripts(allowed=True)


def test_without_javascript_everything_is_there_after_a_reload(filled: Service, without_script: Browser) -> None:
    browser = without_script
    browser.go(filled.admin_url)
    assert browser.all("#rows tr")
    browser.one("#q").send_keys("INV-2012-1017", Keys.ENTER)
    browser.until(lambda: "q=INV" in browser.chrome.current_url, "the answer to the search")
    browser.one("a.open").click()
    browser.one(".preview th:nth-child(7) a").click()
    browser.one('th[aria-sort="ascending"]')
    assert not any(one.is_displayed() for one in browser.all("button.copy")), "nothing is offered that does nothing"
    assert post(filled.url, envelope(701)).acknowledged
    browser.go(f"{filled.admin_url}/contract/learned")
    browser.one("#learn").click()
    browser.until(lambda: browser.all(".notice a"), "that it is under way")
    again = f"{filled.admin_url}/contract/learned"
    browser.until(lambda: browser.go(again) or not browser.all(".notice"), "the outcome, after some reloads")


def test_without_javascript_a_target_is_paused_and_its_dead_letters_are_put_back(
    filled: Service, without_script: Browser
) -> None:
    browser = without_script
    browser.go(f"{filled.admin_url}/overview")
    next(link for link in browser.all("th a") if link.text == "branch").click()
    browser.one("#pause").click()
    said(browser, "Paused:")
    browser.one(".act summary").click()
    browser.one("#requeue-dead").click()
    assert browser.one(".act .tick input:invalid"), "nothing is sent before the box is ticked"
    browser.one(".act .tick input").click()
    browser.one("#requeue-dead").click()
    said(browser, "Requeued:")
    told = json.loads(get(f"{filled.admin_url}/api/v1/targets/branch").body)
    assert (told["dead"], told["pending"] > 1, told["paused_at"] is None) == (0, True, False)
    browser.one("#resume").click()
    said(browser, "Resumed:")


def test_a_keyboard_alone_leads_from_the_top_of_the_inbox_into_a_push(filled: Service, browser: Browser) -> None:
    browser.go(filled.admin_url)

    def press(key: str) -> Any:
        ActionChains(browser.chrome).send_keys(key).perform()
        return browser.chrome.switch_to.active_element

    assert press(Keys.TAB).text == "Skip to the content"
    press(Keys.ENTER)
    outline = "const s = getComputedStyle(arguments[0]); return s.outlineStyle + ' ' + s.outlineWidth"
    for _ in range(60):
        at = press(Keys.TAB)
        assert browser.run(outline, at) == "solid 2px", at.get_attribute("outerHTML")
        if at.get_attribute("class") == "open":
            break
    where = at.get_attribute("href")
    press(Keys.ENTER)
    browser.until(lambda: browser.chrome.current_url == where, "the push")


# What must not happen ------------------------------------------------------------------------------------------------


def every_page(service: Service) -> list[str]:
    """The pages that there are, those of the hostile pushes among them, in every view."""
    hostile = [row["id"] for row in pushes(service, "?q=zzmarkup")]
    assert len(hostile) == 2
    exchanges = json.loads(get(f"{service.admin_url}/api/v1/exchanges?push={hostile[0]}").body)["exchanges"]
    views = ("raw", "pretty", "hex")
    return [
        "/", "/?q=zzmarkup", "/?state=quarantined", "/wire", "/overview", "/contract", "/contract/learned", "/rules",
        "/targets/archive", "/targets/branch",
        *(f"/pushes/{one}" for one in hostile),
        *(f"/pushes/{one}/raw?view={view}" for one in hostile for view in views),
        *(f"/wire/{exchanges[0]['n']}?view={view}" for view in views),
        f"/?account={MARKUP.replace('&', '%26').replace('#', '%23')}",
    ]  # fmt: skip


def test_markup_in_every_field_of_a_push_is_text_everywhere(filled: Service, browser: Browser) -> None:
    browser.complaints()
    seen = 0
    for path in every_page(filled):
        browser.go(filled.admin_url + path)
        assert browser.run("return typeof window.owned") == "undefined", path
        assert not browser.all("img[src='x'], svg[onload], iframe, main script, main style, base"), path
        inline = "return [...document.querySelectorAll('*')].filter((one) => [...one.attributes].some((a) => /^on/.test(a.name))).length"
        assert browser.run(inline) == 0, path
        assert not browser.complaints(), path
        seen += MARKUP in browser.run("return document.body.innerText")
    assert seen > 8, "the markup was not shown as text: the test looked at nothing"


def test_a_document_of_html_is_handed_over_and_never_rendered(filled: Service, browser: Browser) -> None:
    row = next(row for row in pushes(filled, "?q=zzmarkup") if row["state"] == "accepted")
    answer = get(f"{filled.admin_url}/api/v1/pushes/{row['id']}/documents/1")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert "sandbox" in answer.headers["content-security-policy"]
    browser.go(f"{filled.admin_url}/pushes/{row['id']}")
    browser.one(".document a.button").click()
    file = browser.until(lambda: next(iter(browser.downloads.glob("*script*")), None), "the download")
    assert file.parent == browser.downloads
    assert browser.chrome.current_url.endswith(f"/pushes/{row['id']}")


@pytest.mark.parametrize("size", [WIDE, (640, 900), NARROW], ids=["wide", "at 200 percent", "narrow"])
def test_no_page_is_wider_than_its_window(filled: Service, browser: Browser, size: tuple[int, int]) -> None:
    browser.show(*size)
    try:
        for path in every_page(filled):
            browser.go(filled.admin_url + path)
            browser.run(OPEN_ALL)
            assert browser.run("return document.documentElement.scrollWidth") <= size[0], path
    finally:
        browser.show(*WIDE)


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of axe-core's script, as npm installs it."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm (Debian: npm)")
    where = tmp_path_factory.mktemp("axe")
    command = ["npm", "install", "--prefix", str(where), "--no-audit", "--no-fund", "--ignore-scripts", AXE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        pytest.skip(f"needs {AXE} from the package registry of npm: {done.stderr.strip()[:300]}")
    return (where / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_serious_fault(filled: Service, browser: Browser, axe: str, dark: bool) -> None:
    browser.show(*(NARROW if dark else WIDE), dark=dark)
    faults = []
    try:
        pages = [path for path in every_page(filled) if not path.endswith(("view=pretty", "view=raw"))]
        for path in [*pages, f"/pushes/{push_of(filled, 'report_1000001.csv')}", "/no-such-page"]:
            browser.go(filled.admin_url + path)
            browser.run(OPEN_ALL)
            browser.run(axe)
            found = browser.chrome.execute_async_script(AXE_RUN)
            assert found["passes"], path
            faults += [
                f"{path}: {one['id']}: {one['help']}: {one['nodes'][0]['html'][:120]}"
                for one in found["violations"]
                if one["impact"] in ("serious", "critical")
            ]
    finally:
        browser.show(*WIDE)
        browser.complaints()
    assert not faults, "\n".join(faults)


# What is done --------------------------------------------------------------------------------------------------------


def test_what_the_wire_page_exports_replays_to_the_same_answers(
    filled: Service, browser: Browser, tmp_path: Path
) -> None:
    browser.go(f"{filled.admin_url}/wire")
    browser.one("#har").click()
    file = browser.until(lambda: next(iter(browser.downloads.glob("exchanges*.har")), None), "the HAR")
    log = json.loads(file.read_text())["log"]
    assert (log["version"], log["creator"]["name"]) == ("1.2", "soapsvc")
    entries = [one for one in log["entries"] if one["request"]["method"] == "POST"]
    assert len(entries) >= 10
    for entry in entries:  # against the receiver that answered: what was accepted is a redelivery now
        assert replayed(filled, entry) == entry["response"]["status"]


def test_the_button_judges_again_what_the_settings_let_pass_now(browser: Browser, tmp_path: Path) -> None:
    with running_service(tmp_path) as strict:
        assert post(strict.url, REFUSED.read_bytes()).status == 500
    with running_service(tmp_path, settings='conformance = "observe"\n') as lenient:
        browser.go(f"{lenient.admin_url}/?state=quarantined")
        browser.one("a.open").click()
        browser.one("#reprocess").click()
        assert browser.one("[role=status].notice").text == "Judged again: accepted."
        assert "judged again: accepted" in browser.one(".history").text
        assert [row["state"] for row in pushes(lenient)] == ["accepted"]
        browser.go(lenient.admin_url)
        assert browser.texts("#rows .badge.accepted") == ["accepted"]


def test_who_signs_in_sees_the_inbox_and_signs_out_again(browser: Browser, tmp_path: Path) -> None:
    secret = generate_password_hash("correct horse", "scrypt:1024:8:1")
    settings = f'admin_user = "desk"\nadmin_password_hash = "{secret}"\n'
    with running_service(tmp_path, settings=settings) as guarded:
        browser.go(f"{guarded.admin_url}/wire")
        assert browser.texts("h1") == ["Sign in"]
        for password in ("wrong", "correct horse"):
            browser.one("input[name=user]").send_keys("desk")
            browser.one("input[name=password]").send_keys(password, Keys.ENTER)
            if password == "wrong":
                assert "not a user name" in browser.one(".notice.bad").text
        browser.until(lambda: browser.texts("h1") == ["On the wire"], "the page that was wanted")
        browser.one(".signout button").click()
        browser.until(lambda: browser.texts("h1") == ["Sign in"], "the login")
        browser.go(guarded.admin_url)
        assert browser.texts("h1") == ["Sign in"]
