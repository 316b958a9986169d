"""That the contract in force can be read is known at the start: a child reads it, while the service starts."""

from __future__ import annotations

import sys
from multiprocessing.context import ForkProcess

import structlog

from soapsvc.contract.compiled_schema import CompiledSchema
from soapsvc.contract.contract_difference import contract_difference
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.errors import ContractError
from soapsvc.serving.forks import FORK, end_with_parent, start_fork
from soapsvc.settings import Settings
from soapsvc.shipped import WSDL_FILE

log = structlog.get_logger()


def contract_in_force(settings: Settings) -> WsdlDocument:
    """Errors: ContractError."""
    return WsdlDocument.load(settings.wsdl or WSDL_FILE)


def read_contract(settings: Settings) -> None:
    """With what explains deviations by it. Errors: ContractError."""
    CompiledSchema(contract_in_force(settings))


def look_at_contract(settings: Settings) -> ForkProcess:
    """Read it in a child: a receiver whose pushes do not deviate needs neither what explains deviations nor its memory.
    To be called before there are threads."""
    looking = FORK.Process(target=_end_with_contract, args=(settings,), name="contract")
    start_fork(looking)
    return looking


def hold_contract(settings: Settings, looking: ForkProcess) -> None:
    """Wait for the child. Errors: ContractError, what it found."""
    looking.join()
    if looking.exitcode:
        read_contract(settings)


def tell_contract(settings: Settings) -> None:
    """Log which contract is in force, and how far it is from the shipped one."""
    wsdl = contract_in_force(settings)
    found = contract_difference(WsdlDocument.load(WSDL_FILE), wsdl)
    log.info(
        "contract in force",
        file=wsdl.path.name,
        sha256=wsdl.sha256,
        beside_the_shipped=found.contract,
        differences=len(found.differences),
    )


def _end_with_contract(settings: Settings) -> None:
    end_with_parent()
    try:
        read_contract(settings)
    except ContractError:
        sys.exit(1)
