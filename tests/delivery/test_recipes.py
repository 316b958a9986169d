"""Each recipe of docs/deliveries.md, from its own text: a receiver with these settings delivers to a real server."""

from __future__ import annotations

import base64
import dataclasses
import email
import hashlib
import hmac
import json
import os
import re
import time
import tomllib
from email import policy
from pathlib import Path
from typing import Any

import pytest

from soapsvc.cli.inbox import inbox
from soapsvc.cli.target import target
from soapsvc.delivery_settings import SCHEDULES, Bounds, DeliverySettings
from soapsvc.serving.service import RunningServer
from soapsvc.settings import load_settings
from soapsvc.states import NEXT_STATE, DeliveryState
from soapsvc.targets.file_names import FIELDS
from soapsvc.targets.options import TargetOptions
from tests.pushing import envelope, get, listed, post, running_service
from tests.s3 import s3_server
from tests.targets.servers import SECRET, Certificate, ftp_server, http_server, mail_server, sftp_server

DOCS = (Path(__file__).parents[2] / "docs" / "deliveries.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```toml\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
RECIPES = dict(re.findall(r"^### ([^\n]+)\n\n```toml\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL))
REPORT = b"reference,status\r\nINV-1,Sent\r\n"
PATIENCE_SECONDS = 30


def running(tmp_path: Path, recipe: str, **instead: str) -> RunningServer:
    """A receiver with the recipe's settings.

    instead  what stands there of it, number by number, and what this machine has: `of_0`, `by_0`, `of_1`, …
    """
    text = RECIPES[recipe]
    for n in range(len(instead) // 2):
        assert instead[f"of_{n}"] in text, f"the recipe has no {instead[f'of_{n}']}"
        text = text.replace(instead[f"of_{n}"], instead[f"by_{n}"])
    config = tmp_path / "soapsvc.toml"
    config.write_text(text)
    flags = {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "inbox": f"sqlite:///{tmp_path / 'inbox.db'}"}
    return RunningServer(load_settings(flags, config))


def delivered(server: RunningServer) -> dict[str, Any]:
    """The record of a push that came in and was delivered."""
    assert post(server.public_url, envelope()).acknowledged
    patience = time.monotonic() + PATIENCE_SECONDS
    while True:
        (row,) = json.loads(get(f"{server.admin_url}api/v1/pushes").body)["pushes"]
        push: dict[str, Any] = json.loads(get(f"{server.admin_url}api/v1/pushes/{row['id']}").body)
        (delivery,) = push["deliveries"]
        if delivery["state"] == "delivered":
            return push
        assert time.monotonic() < patience, delivery
        time.sleep(0.02)


def files_in(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_directory(tmp_path: Path) -> None:
    root = tmp_path / "reports"
    with running(tmp_path, "A directory", of_0="/srv/reports", by_0=str(root)) as server:
        push = delivered(server)
    folder = f"report/{push['received_at'][:10]}"
    found = files_in(root)
    assert set(found) == {f"{folder}/report_1000001.csv{suffix}" for suffix in ("", ".json", ".envelope.xml")}
    assert found[f"{folder}/report_1000001.csv"] == REPORT
    assert found[f"{folder}/report_1000001.csv.envelope.xml"] == envelope()
    record = json.loads(found[f"{folder}/report_1000001.csv.json"])
    assert record["id"] == push["id"]
    assert {"deliveries", "held"} & set(record) == set(), "where else it goes is nobody's business"


def test_another_receiver(tmp_path: Path) -> None:
    with (
        running_service(tmp_path / "branch") as other,
        running(tmp_path, "Another receiver", of_0="https://branch.example.com/push", by_0=other.url) as server,
    ):
        delivered(server)
        (there,) = listed(other.inbox)
    assert there["properties"]["Subject"] == "Delivery report - job 1000001"
    assert there["documents"][0]["sha256"] == hashlib.sha256(REPORT).hexdigest()


def test_a_webhook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = os.urandom(32)
    monkeypatch.setenv("WEBHOOK_SECRET", f"whsec_{base64.b64encode(key).decode()}")
    with (
        http_server() as app,
        running(
            tmp_path, "A webhook", of_0="https://app.example.com/reports", by_0=app.url,
            of_1="options = { ", by_1="options = { allow_internal = true, ",
        ) as server,
    ):  # fmt: skip
        push = delivered(server)
    ((headers, body),) = app.came
    sent = {name.lower(): value for name, value in headers.items()}
    signed = f"{push['id']}.{sent['webhook-timestamp']}.".encode() + body
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert (sent["webhook-id"], sent["webhook-signature"]) == (push["id"], f"v1,{signature}")
    event = json.loads(body)
    assert event["type"] == "push.received"
    assert base64.b64decode(event["data"]["documents"][0]["content_base64"]) == REPORT


def test_a_mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: Certificate) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", SECRET)
    with (
        mail_server(certificate, login=True) as server,
        running(
            tmp_path, "A mailbox", of_0="smtp://soapsvc@mail.example.com:587",
            by_0=f"smtp://vendor@127.0.0.1:{server.port}",
            of_1="options = { ", by_1=f'options = {{ ca_file = "{certificate.ca}", ',
        ) as receiver,
    ):  # fmt: skip
        push = delivered(receiver)
    (mail,) = server.box.mails
    read = email.message_from_bytes(mail, policy=policy.default)
    assert (read["To"], read["From"]) == ("reports@example.com", "soapsvc@example.com")
    assert read["Subject"] == "Delivery report"
    assert read["Message-ID"].endswith("@example.com>")
    attached = {part.get_filename(): part.get_content() for part in read.iter_attachments()}  # type: ignore[attr-defined]
    report = attached["report_1000001.csv"]
    assert (report.encode() if isinstance(report, str) else report).splitlines() == REPORT.splitlines()
    assert push["id"] in str(attached), "the record is attached too"


def test_an_ftp_site_with_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, certificate: Certificate) -> None:
    root = tmp_path / "site"
    root.mkdir()
    monkeypatch.setenv("SITE_PASSWORD", SECRET)
    with (
        ftp_server(root, certificate) as site,
        running(
            tmp_path, "An FTP site, with TLS", of_0="vendor@ftp.example.com", by_0=f"vendor@127.0.0.1:{site.port}",
            of_1="options = { ", by_1=f'options = {{ ca_file = "{certificate.ca}", ',
        ) as server,
    ):  # fmt: skip
        push = delivered(server)
    assert files_in(root) == {f"test2-1000001/{push['received_at'][:10]}/report_1000001.csv": REPORT}


def test_an_sftp_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "site"
    root.mkdir()
    monkeypatch.setenv("SITE_PASSWORD", SECRET)
    with (
        sftp_server(root, tmp_path) as site,
        running(
            tmp_path, "An SFTP site", of_0="vendor@sftp.example.com", by_0=f"vendor@127.0.0.1:{site.port}",
            of_1="/etc/soapsvc/known_hosts", by_1=str(site.known_hosts),
        ) as server,
    ):  # fmt: skip
        push = delivered(server)
    assert files_in(root) == {f"test2-1000001/{push['received_at'][:10]}/report_1000001.csv": REPORT}


def test_an_object_store(tmp_path: Path) -> None:
    s3fs = pytest.importorskip("s3fs", reason="needs s3fs: pip install 'soapsvc[s3]'")
    with s3_server() as url:
        fs = s3fs.S3FileSystem(endpoint_url=url, skip_instance_cache=True, use_listings_cache=False)
        fs.mkdir("reports")
        with running(tmp_path, "An object store", of_0="https://s3.example.com", by_0=url) as server:
            delivered(server)
        assert fs.find("reports") == ["reports/incoming/test2/1000001/1-report_1000001.csv"]
        assert fs.cat_file("reports/incoming/test2/1000001/1-report_1000001.csv") == REPORT


def test_a_command(tmp_path: Path) -> None:
    told, command = tmp_path / "told", tmp_path / "take-report"
    command.write_text(f'#!/bin/sh\ncat > {told}.json\necho "$1 $SOAPSVC_PUSH_ID" > {told}\n')
    command.chmod(0o755)
    with running(tmp_path, "A command", of_0="/usr/local/bin/take-report", by_0=str(command)) as server:
        push = delivered(server)
    assert told.read_text() == f"--now {push['id']}\n"
    assert json.loads(Path(f"{told}.json").read_text())["job"] == {"xdn": "test2", "mrn": "1000001"}


def test_consumers_that_ask(tmp_path: Path) -> None:
    with running(tmp_path, "Consumers that ask: pull by lease") as server:
        assert post(server.public_url, envelope()).acknowledged
        api = f"{server.admin_url}api/v1/pushes"
        leased = json.loads(post(f"{api}/next?hold=900", b"", {}).body)
        document = get(f"{api}/{leased['push']['id']}/documents/1")
        assert (leased["attempt"], document.body) == (1, REPORT)
        assert post(f"{api}/next?hold=900", b"", {}).status == 204, "it is hidden"
        assert post(f"{api}/{leased['push']['id']}/confirm?lease={leased['lease']}", b"", {}).status == 204
        push = json.loads(get(f"{api}/{leased['push']['id']}").body)
    assert [one["state"] for one in push["deliveries"]] == ["delivered"]


def test_every_example_is_settings_that_load(tmp_path: Path) -> None:
    assert set(EXAMPLES) > set(RECIPES.values())
    for example in EXAMPLES:
        tomllib.loads(example)
        (tmp_path / "soapsvc.toml").write_text(example)
        load_settings({}, tmp_path / "soapsvc.toml")


def test_every_key_option_state_schedule_and_command_is_told() -> None:
    told = {
        name for cell in re.findall(r"^\| (`[^|]*`) \|", DOCS, re.MULTILINE) for name in re.findall(r"`(.*?)`", cell)
    }
    assert set(DeliverySettings.model_fields) <= told
    assert {one.name for one in dataclasses.fields(TargetOptions)} - {"clock"} <= told
    assert {str(state) for state in DeliveryState} <= told
    for (state, _), to in NEXT_STATE.items():
        (line,) = [line for line in DOCS.splitlines() if line.startswith(f"| `{state}` |")]
        assert f"`{to}`" in line, (state, to)
    for name, gaps in SCHEDULES.items():
        assert re.search(rf"`{name}`: {len(gaps) + 1}\b", DOCS), name
    assert all(f"{{{field}" in DOCS for field in FIELDS)
    assert all(f"`{bound}`" in DOCS for bound in Bounds.model_fields)
    for group, names in (
        (target, ["list", "pause", "resume", "cancel"]), (inbox, ["requeue", "export", "retention", "hold", "release"])
    ):  # fmt: skip
        for name in names:
            assert name in group.commands
            assert re.search(rf"^\| `soapsvc {group.name} .*\b{name}\b", DOCS, re.MULTILINE), name
