"""That the contract in force can be read is known at the start: a child reads it, while the service starts."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from multiprocessing.context import ForkProcess

from soapsvc.contract.compiled_schema import CompiledSchema
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.errors import ContractError
from soapsvc.settings import Settings
from soapsvc.shipped import WSDL_FILE


def contract_in_force(settings: Settings) -> WsdlDocument:
    """Errors: ContractError."""
    return WsdlDocument.load(settings.wsdl or WSDL_FILE)


def read_contract(settings: Settings) -> None:
    """With what explains deviations by it. Errors: ContractError."""
    CompiledSchema(contract_in_force(settings))


def look_at_contract(settings: Settings) -> ForkProcess:
    """Read it in a child: a receiver whose pushes do not deviate needs neither what explains deviations nor its memory.
    To be called before there are threads."""
    looking = multiprocessing.get_context("fork").Process(target=_end_with_contract, args=(settings,), name="contract")
    looking.start()
    return looking


def hold_contract(settings: Settings, looking: ForkProcess) -> None:
    """Wait for the child. Errors: ContractError, what it found."""
    looking.join()
    if looking.exitcode:
        read_contract(settings)


def _end_with_contract(settings: Settings) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):  # what is kept of them is the service's
        signal.signal(number, signal.SIG_DFL)
    try:
        read_contract(settings)
    except ContractError:
        sys.exit(1)
