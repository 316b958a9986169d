"""What the admin application is given beside the inbox; whatever is missing, its page says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import abort

from soapsvc.clock import Clock, utc_now
from soapsvc.inbox.exchange import Exchange
from soapsvc.inbox.exchange_log import ExchangeLog
from soapsvc.inbox.search_index import SearchIndex
from soapsvc.web.contract_record import ContractInForce
from soapsvc.web.learned_record import Learner

NOT_KEPT = "No exchanges are kept: the setting exchanges_kept is 0."


@dataclass(frozen=True, slots=True)
class JudgedAgain:
    """What became of a push that was in quarantine.

    outcome      accepted, redelivery, conflict or refused
    of           id of the push that it is a redelivery of, or in conflict with; None for the others
    refused_for  ids of the rules for which it stays in quarantine
    """

    push_id: str
    outcome: str
    of: str | None = None
    refused_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Desk:
    """The means of the pages.

    index        None: nothing is searched, filtered or summed up
    exchanges    None: none are kept (the setting exchanges_kept)
    contract     the WSDL in force
    learner      tells what the traffic says of it
    judge_again  judges a push in quarantine by the settings in force. Errors: NoSuchPush, StoreUnavailable
    """

    index: SearchIndex | None = None
    exchanges: ExchangeLog | None = None
    contract: ContractInForce | None = None
    learner: Learner | None = None
    judge_again: Callable[[str], JudgedAgain] | None = None
    clock: Clock = utc_now


def asked_contract(desk: Desk) -> ContractInForce:
    """404: there is none."""
    if desk.contract is None:
        abort(404, "The contract is not shown here: this page was started without one.")
    return desk.contract


def asked_learner(desk: Desk) -> Learner:
    """404: there is none."""
    if desk.learner is None:
        abort(404, "Nothing is learned here: this page was started without a contract.")
    return desk.learner


def asked_log(desk: Desk) -> ExchangeLog:
    """404: there is none."""
    if desk.exchanges is None:
        abort(404, NOT_KEPT)
    return desk.exchanges


def asked_exchange(desk: Desk, n: str) -> Exchange:
    """The exchange of that number; 404."""
    number = int(n) if n.isascii() and n.isdigit() and len(n) < 19 else 0
    found = asked_log(desk).exchange(number)
    if found is None:
        abort(404, f"No exchange {n} is kept.")
    return found
