"""What the admin pages are given: the index and who fills it, the exchanges, the contract,
who learns what the traffic says of it, and who judges again."""

from __future__ import annotations

import structlog

from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.errors import StoreError
from soapsvc.inbox.exchange_log import ExchangeLog
from soapsvc.inbox.indexer import Indexer
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.intake.drop_reader import DropReader
from soapsvc.judge import Judge
from soapsvc.judging_again import judge_again
from soapsvc.serving.contract_page import contract_in_force
from soapsvc.serving.learner import PageLearner
from soapsvc.settings import Settings
from soapsvc.shipped import WSDL_FILE
from soapsvc.web.desk import Desk, JudgedAgain

log = structlog.get_logger()


class AdminDesk:
    """Opened with the admin listener, closed with it."""

    def __init__(self, settings: Settings, wsdl: WsdlDocument, store: SqlStore, exchanges: ExchangeLog | None):
        self._settings, self._wsdl, self._store, self._exchanges = settings, wsdl, store, exchanges
        self._indexer: Indexer | None = None
        self._learner = PageLearner(settings, wsdl.sha256, store)

    def opened(self) -> Desk:
        """Begin to follow the inbox. Where there can be no index now, the search is away until there can, not the
        service."""
        index = self._store.search_index()
        indexer = self._indexer = Indexer(self._store, index, self._settings.search_text_bytes)
        indexer.start()
        judge = Judge(self._settings, self._wsdl)
        reader = DropReader(self._settings, judge)

        def again(push_id: str) -> JudgedAgain:
            done = judge_again(self._store, judge, reader, push_id)
            log.info("push judged again", id=push_id, outcome=done.outcome, of=done.of)
            try:
                indexer.look_again([push_id])
            except StoreError as cause:
                log.warning("search index behind", cause=str(cause))
            return JudgedAgain(done.push_id, done.outcome, done.of, done.refused_for)

        contract = contract_in_force(self._wsdl, WsdlDocument.load(WSDL_FILE))
        return Desk(index=index, exchanges=self._exchanges, contract=contract, learner=self._learner,
                    judge_again=again)  # fmt: skip

    def close(self) -> None:
        self._learner.close()
        if self._indexer is not None:
            self._indexer.close()
