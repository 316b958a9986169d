"""The start: what is done before most of the code is read, which takes longer than all else."""

from __future__ import annotations

import gc

from soapsvc.logs import configure_logs
from soapsvc.serving.contract_reading import look_at_contract
from soapsvc.serving.sockets import bound_sockets
from soapsvc.settings import Settings
from soapsvc.shutdown import ENDING_SIGNALS, EndingSignals


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Errors: SettingsError, ContractError, StoreError at the start."""
    configure_logs(settings.log_format)
    signals = EndingSignals(*ENDING_SIGNALS)
    public, admin, settings = bound_sockets(settings)
    looking = look_at_contract(settings)
    gc.disable()  # what is read now stays: to look at it again and again takes a fifth of the time
    try:
        from soapsvc.serving.service import serve_in_one_process, serve_in_several_processes
    finally:
        gc.enable()
    serve_here = serve_in_several_processes if settings.processes > 1 else serve_in_one_process
    serve_here(settings, public, admin, looking, signals)
