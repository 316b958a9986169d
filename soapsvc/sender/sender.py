"""The vendor's half: a push goes to the receiver by its retry schedule, and then to the backup destinations."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from soapsvc.clock import Clock, utc_now
from soapsvc.sender.faults import Faults
from soapsvc.sender.made_push import MadePush, PushMaker
from soapsvc.sender.outcome import Attempt, Holder, Outcome
from soapsvc.sender.profile import Backup, Profile
from soapsvc.sender.push_content import PushContent
from soapsvc.sender.retry_schedule import RetrySchedule
from soapsvc.targets.opening import open_target
from soapsvc.targets.options import TargetOptions, shown, split
from soapsvc.targets.soap_contract import Acknowledged
from soapsvc.targets.soap_target import SoapTarget, Through, content_type_of
from soapsvc.targets.target import DeliveryFailed, Receipt, Target

OnAttempt = Callable[[MadePush, Attempt, float | None], None]
"""Hears of each attempt, and in how many seconds the next one follows at the same destination; None: none does."""
Sleep = Callable[[float], object]
_NO_FAULTS = Faults()


class Sender:
    """Sends pushes by a profile. `send` may be called by several threads at once, `make` and `replay` by one at a time.

    options     for the backups and, but for what the profile says, for the receiver: TLS authorities, mail server, …
    faults      what goes wrong on purpose
    sleep       waits between attempts; the clock tells the time of records, and never how long to wait
    on_attempt  hears of each attempt as it ends
    Errors      SettingsError, ContractError, SendError from the constructor: profile, WSDL or a destination is unusable
    """

    def __init__(
        self,
        profile: Profile,
        *,
        options: TargetOptions | None = None,
        faults: Faults = _NO_FAULTS,
        clock: Clock = utc_now,
        sleep: Sleep = time.sleep,
        on_attempt: OnAttempt | None = None,
    ):
        self._profile, self._faults, self._clock, self._sleep = profile, faults, clock, sleep
        self._on_attempt = on_attempt
        self._maker = PushMaker(profile.wsdl, profile.operation)
        common = replace(
            options or TargetOptions(), wsdl=profile.wsdl, clock=clock, connect_seconds=profile.connect_seconds
        )
        self._receiver = SoapTarget(
            profile.receiver, replace(common, total_seconds=profile.timeout_seconds, password=profile.password)
        )
        self._backups = [
            _opened(backup, replace(common, total_seconds=profile.backup_seconds)) for backup in profile.backups
        ]
        self._receiver_key = shown(split(profile.receiver))

    @property
    def receiver_url(self) -> str:
        """Without secrets."""
        return self._receiver.url

    def make(self, content: PushContent, name: str | None = None) -> MadePush:
        """A push of documents, with the profile's properties before its own. Errors: SendError."""
        given = replace(content, properties=(*self._profile.properties, *content.properties))
        return self._maker.make(given, now=self._clock(), receiver=self._receiver_key, name=name)

    def replay(self, envelope: bytes, name: str = "envelope") -> MadePush:
        """A push of an envelope that is sent as it is."""
        return self._maker.replay(envelope, now=self._clock(), name=name)

    def push(self, content: PushContent) -> Outcome:
        """Make a push and send it. Errors: SendError: it cannot be made; nothing was sent."""
        return self.send(self.make(content))

    def send(self, push: MadePush) -> Outcome:
        """Hand the push to the receiver, else to the first backup that takes it; whatever happens is in the outcome."""
        attempts: list[Attempt] = []
        schedule = self._profile.schedule
        if self._faults.spoil_the_first and schedule.attempts == 1:
            schedule = RetrySchedule.of(2, 0.0)  # or the fault would hide what the receiver does with the repeat
        answers: list[Acknowledged | DeliveryFailed] = []

        def to_receiver(number: int) -> Receipt:
            answers[:] = self._to_receiver(push, number)
            return Receipt(self._receiver.url, self._clock(), _said(answers))

        receipt = self._try(push, self._receiver, False, schedule, to_receiver, attempts)
        if receipt is not None:
            raw = next(one.raw for one in answers if isinstance(one, Acknowledged))
            return Outcome(push.id, push.name, Holder.RECEIVER, receipt, tuple(attempts), raw)
        for backup in self._backups:

            def to_backup(number: int, backup: Target = backup) -> Receipt:
                return backup.deliver(replace(push.outgoing, is_repeat=number > 1))

            receipt = self._try(push, backup, True, self._profile.backup_schedule, to_backup, attempts)
            if receipt is not None:
                return Outcome(push.id, push.name, Holder.BACKUP, receipt, tuple(attempts))
        return Outcome(push.id, push.name, Holder.NOBODY, None, tuple(attempts))

    def close(self) -> None:
        """Let go of every destination."""
        for target in (self._receiver, *self._backups):
            target.close()

    def __enter__(self) -> Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _try(
        self,
        push: MadePush,
        target: Target,
        is_backup: bool,
        schedule: RetrySchedule,
        deliver: Callable[[int], Receipt],
        attempts: list[Attempt],
    ) -> Receipt | None:
        """One destination by its schedule; None: it has not taken the push."""
        for number in range(1, schedule.attempts + 1):
            at, begun = self._clock(), time.perf_counter()
            receipt, failed = None, None
            try:
                receipt = deliver(number)
            except DeliveryFailed as error:
                failed = error
            seconds = time.perf_counter() - begun
            final = failed is not None and not failed.may_repeat
            after = failed.retry_after_seconds if failed is not None else None
            told = receipt.reference if receipt is not None else str(failed)
            attempt = Attempt(target.url, is_backup, at, seconds, receipt is not None, told, final, after)
            attempts.append(attempt)
            wait = None if receipt is not None or final else schedule.wait_seconds(number, after)
            if self._on_attempt is not None:
                self._on_attempt(push, attempt, wait)
            if wait is None:
                return receipt
            self._sleep(wait)
        return None

    def _to_receiver(self, push: MadePush, number: int) -> list[Acknowledged | DeliveryFailed]:
        """What one attempt brought, an acknowledgement at least. Errors: DeliveryFailed: there is none."""
        through = self._faults.through(number)
        if not (self._faults.twice_at_once and number == 1):
            return [self._post(push, through)]
        together = threading.Barrier(2)

        def one() -> Acknowledged | DeliveryFailed:
            together.wait()
            try:
                return self._post(push, through)
            except DeliveryFailed as error:
                return error

        with ThreadPoolExecutor(2) as pool:
            came = [future.result() for future in [pool.submit(one), pool.submit(one)]]
        if not any(isinstance(answer, Acknowledged) for answer in came):
            raise next(answer for answer in came if isinstance(answer, DeliveryFailed))
        return came

    def _post(self, push: MadePush, through: Through | None) -> Acknowledged:
        content_type = content_type_of(push.outgoing)
        return self._receiver.post(push.outgoing.open_raw, content_type=content_type, through=through)


def _opened(backup: Backup, options: TargetOptions) -> Target:
    """A backup's target: it always gets record and envelope too, so that the very push can be taken in from there."""
    return open_target(
        backup.url,
        replace(
            options, side_files=True, password=backup.password, private_key=backup.private_key,
            known_hosts=backup.known_hosts,
        ),
    )  # fmt: skip


def _said(answers: list[Acknowledged | DeliveryFailed]) -> str:
    """The acknowledgement in a line; of two at once, what became of the other one."""
    taken = [answer for answer in answers if isinstance(answer, Acknowledged)]
    if len(answers) == 1:
        return taken[0].summary
    refused = next((answer for answer in answers if isinstance(answer, DeliveryFailed)), None)
    if refused is not None:
        return f"{taken[0].summary}; one of two at once was not acknowledged: {refused}"
    same = "with the same bytes" if taken[0].raw == taken[1].raw else "with different answers"
    return f"{taken[0].summary}; both of two at once were acknowledged, {same}"
