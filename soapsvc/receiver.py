"""The way of one push, put together: gate, contract, inbox, answer. A WSGI application, bound to no server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog

from soapsvc.clock import Clock, utc_now
from soapsvc.contract.fault_detail import FaultDetails
from soapsvc.contract.push_service import PushService
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.errors import HttpRefused, StoreUnavailable
from soapsvc.inbox.store import InboxStore, Submit
from soapsvc.judge import Judge
from soapsvc.noted import Noted
from soapsvc.records import Accepted, Arrival, Push, RefusedPush, Verdict
from soapsvc.settings import Settings
from soapsvc.spool import Spool
from soapsvc.wire.envelope_reader import Stream
from soapsvc.wire.fault import XML_HEADERS, answer_for, fault_answer, server_fault
from soapsvc.wire.http_gate import HttpGate, recorded_headers
from soapsvc.wire.http_messages import AdmittedRequest, Answer, RequestHead
from soapsvc.wire.incoming_body import IncomingBody
from soapsvc.wire.plain_envelope import PLAIN_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = structlog.get_logger()

STORE_FULL = "The receiver is short of disk space and cannot take this message now; keep it and send it again later."
STORE_BROKEN = "The receiver cannot store this message now; keep it and send it again later."
INTERNAL = "The receiver failed on this message and has not taken it; keep it and send it again later."


@dataclass(frozen=True, slots=True)
class TakenAtOnce:
    """A push that is to be stored while the thread that took it goes on.

    prepare  make ready what is to be stored: what is returned stores it, and what came of that is told by another
             thread. None: nothing was done; the application has to be called
    answer   the answer that follows from what was told
    """

    prepare: Callable[[], Submit | None]
    answer: Callable[[Accepted | Exception], Answer]


class Receiver:
    """Takes pushes by one contract into one store.

    Promise  an acknowledgement leaves only after the store says that the push is on disk; what is refused is in
             quarantine before its fault leaves; whatever cannot be stored gets a Server fault.
    """

    def __init__(self, settings: Settings, wsdl: WsdlDocument, store: InboxStore, clock: Clock = utc_now):
        self._settings, self._wsdl, self._store, self._clock = settings, wsdl, store, clock
        self.noted = Noted()
        self._gate = HttpGate(settings, files=wsdl.files_beside)
        self._judge = Judge(settings, wsdl)
        self._service = PushService(wsdl, self._accept)
        self._details = FaultDetails(wsdl)
        self._served_wsdl = wsdl.served(settings.public_url or f"http://{settings.listen}/push")

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        stream = environ["wsgi.input"]
        admitted = stream.admitted if isinstance(stream, IncomingBody) else None
        head = request_head(environ) if admitted is None else admitted.head
        answer = self._guarded(head, lambda: self._answer(head, stream, admitted))
        reason = HTTPStatus(answer.status).phrase
        http_headers = [*answer.http_headers, ("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status} {reason}", http_headers)
        return [] if head.method == "HEAD" else [answer.body]

    def before_body(self, head: RequestHead) -> Answer | IncomingBody:
        """The answer to a request whose body need not be read, or what its body is to be put into: that is what the
        application then reads.

        A server that can asks this when the head is in. Of one that cannot, the application judges the head when the
        body has come.
        """
        try:
            source_ip = self._gate.admit(head)
            self._look_at_free_space(head)
        except HttpRefused as refused:
            return self._refused(refused, head)
        except StoreUnavailable as unavailable:
            log.error("push not taken", cause=str(unavailable), peer=head.peer)
            return self._server_fault(str(unavailable), unavailable.retry_after_seconds)
        except Exception:
            log.exception("push failed", peer=head.peer)
            return self._server_fault(INTERNAL)
        spool = Spool(self._store.spool_directory)
        return IncomingBody(spool, self._settings.max_documents, AdmittedRequest(head, source_ip))

    def at_once(self, body: IncomingBody) -> TakenAtOnce | None:
        """What nearly every push is, taken by a thread that must not be kept: read and judged. None: nothing was done;
        the application has to be called."""
        admitted = body.admitted
        if admitted is None or admitted.head.method != "POST" or len(body) > PLAIN_BYTES:
            return None
        began = time.perf_counter()
        try:
            judged = self._judge.judge_known(admitted.head, body, self._arrival(admitted.head, admitted.source_ip))
            push = None if judged is None else judged.accepted
            if judged is None or push is None or not self._service.may_be_stored_first(push):
                return None
        except Exception:  # it is met again by the thread that is called instead, and told there
            return None
        judged_at = time.perf_counter()

        def prepare() -> Submit | None:
            try:
                return self._store.prepare(push, judged.verdict)
            except Exception:  # as above
                return None

        def answer(outcome: Accepted | Exception) -> Answer:
            self.noted.resume(began, judged_at, admitted.source_ip)
            if isinstance(outcome, Exception):
                return self._instead(outcome, admitted.head)
            return self._guarded(admitted.head, lambda: self._acknowledged(push, judged.verdict, outcome))

        return TakenAtOnce(prepare, answer)

    def spool_failed(self) -> Answer:
        """The answer when the server could not write a request's body to disk."""
        return self._server_fault(STORE_FULL)

    def _answer(self, head: RequestHead, body: Stream, admitted: AdmittedRequest | None) -> Answer:
        source_ip = self._gate.admit(head) if admitted is None else admitted.source_ip
        return self._file(head) if head.method != "POST" else self._take(head, source_ip, body)

    def _guarded(self, head: RequestHead, answer: Callable[[], Answer]) -> Answer:
        """An answer, whatever happens."""
        try:
            return answer()
        except Exception as error:
            return self._instead(error, head)

    def _instead(self, error: Exception, head: RequestHead) -> Answer:
        """The answer where an error has left none."""
        match error:
            case HttpRefused():
                return self._refused(error, head)
            case StoreUnavailable():
                log.error("push not stored", cause=str(error.__cause__ or error), peer=head.peer)
                return self._server_fault(str(error), error.retry_after_seconds)
            case OSError():  # the spool could not be written
                log.error("push not stored", cause=str(error), peer=head.peer)
                return self._server_fault(STORE_BROKEN)
        log.error("push failed", peer=head.peer, exc_info=error)
        return self._server_fault(INTERNAL)

    def _file(self, head: RequestHead) -> Answer:
        """The WSDL, or a schema beside it: a stub generator resolves their relative locations against ours."""
        if head.query:
            return Answer(200, (("Content-Type", f"text/xml; charset={self._wsdl.charset}"),), self._served_wsdl)
        # without a charset: the file's own declaration tells (RFC 7303, 3)
        return Answer(200, (("Content-Type", "application/xml"),), self._wsdl.files_beside[head.path])

    def _refused(self, refused: HttpRefused, head: RequestHead) -> Answer:
        log.info("request refused", status=refused.http_status, rule=refused.rule, peer=head.peer)
        return answer_for(refused)

    def _take(self, head: RequestHead, source_ip: str, stream: Stream) -> Answer:
        with self._all_of(stream) as body:
            judged = self._judge.judge(head, body, self._arrival(head, source_ip))
            self.noted.judge(source_ip)
            push = judged.accepted
            if push is None:
                self._keep(judged.refused)
                if judged.head is not None:
                    return self._refused(judged.head, head)
                root = "" if judged.push is None else judged.push.root
                return fault_answer(judged.verdict, partial(self._details.entry, root))
            return _acknowledging(self._service.dispatch(push, judged.verdict))

    def _acknowledged(self, push: Push, verdict: Verdict, outcome: Accepted) -> Answer:
        self._note_accepted(push, verdict, outcome)
        return _acknowledging(self._service.acknowledge(push, outcome))

    def _all_of(self, stream: Stream) -> IncomingBody:
        """A server that can has taken the body as it should be taken already."""
        if isinstance(stream, IncomingBody):
            return stream
        spool = Spool(self._store.spool_directory)
        try:
            return IncomingBody.of(stream, spool, self._settings.max_documents)
        except BaseException:
            spool.close()
            raise

    def _arrival(self, head: RequestHead, source_ip: str) -> Arrival:
        return Arrival(self._clock(), source_ip, recorded_headers(head))

    def _accept(self, push: Push, verdict: Verdict) -> Accepted:
        accepted = self._store.accept(push, verdict)
        self._note_accepted(push, verdict, accepted)
        return accepted

    def _note_accepted(self, push: Push, verdict: Verdict, accepted: Accepted) -> None:
        outcome = "redelivery" if accepted.redelivery else "conflict" if accepted.conflict_of else "accepted"
        self.noted.store(accepted.id, outcome)
        log.info(
            "push accepted",
            id=accepted.id,
            source_ip=push.arrival.source_ip,
            documents=len(push.documents),
            deviations=len(verdict.deviations),
            redelivery=accepted.redelivery,
            conflict_of=accepted.conflict_of,
        )

    def _keep(self, refused: RefusedPush) -> None:
        push_id = self._store.quarantine(refused)
        self.noted.store(push_id, "quarantined" if push_id else "refused")
        rules = sorted({deviation.rule for deviation in refused.verdict.refused_for})
        log.warning("push quarantined", id=push_id, source_ip=refused.arrival.source_ip, rules=rules)

    def _look_at_free_space(self, head: RequestHead) -> None:
        """Refuse a body that the disk has no room for: three times its size (what was taken of it, all of it, and its
        documents once more: one that turned out at its end to be none that can be cut) and what is kept free anyway."""
        free = self._store.free_bytes()
        declared = head.values("Content-Length")
        size = int(declared[0]) if declared and declared[0].isdigit() else 0
        if head.method == "POST" and free is not None and free < self._settings.min_free_bytes + size * 3:
            raise StoreUnavailable(STORE_FULL, self._settings.retry_after_seconds)

    def _server_fault(self, sentence: str, retry_after_seconds: int | None = None) -> Answer:
        return server_fault(sentence, retry_after_seconds or self._settings.retry_after_seconds)


def _acknowledging(acknowledgement: bytes) -> Answer:
    if not acknowledgement:
        return Answer(202, (), b"")  # a one-way operation (BP 1.1 R2714)
    return Answer(200, XML_HEADERS, acknowledgement)


def request_head(environ: WSGIEnvironment) -> RequestHead:
    """The request's head as WSGI tells it (PEP 3333); repeated headers have been joined by the server."""
    http_headers = [
        (key[5:].replace("_", "-").title(), value) for key, value in environ.items() if key.startswith("HTTP_")
    ]
    for key, name in (("CONTENT_TYPE", "Content-Type"), ("CONTENT_LENGTH", "Content-Length")):
        if environ.get(key):
            http_headers.append((name, environ[key]))
    port = environ.get("REMOTE_PORT", "")
    return RequestHead(
        environ["REQUEST_METHOD"],
        environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""),
        environ.get("QUERY_STRING", ""),
        tuple(http_headers),
        environ.get("REMOTE_ADDR", ""),
        int(port) if port.isdigit() else 0,
        environ.get("SERVER_PROTOCOL", "HTTP/1.1").removeprefix("HTTP/"),
    )
