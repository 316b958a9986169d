"""The start: what is done before most of the code is read, which takes longer than all else."""

from __future__ import annotations

import signal

from soapsvc.logs import configure_logs
from soapsvc.serving.contract_reading import look_at_contract
from soapsvc.serving.sockets import address_of, listening_socket
from soapsvc.settings import Settings
from soapsvc.shutdown import EndingSignals


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Errors: SettingsError, ContractError, StoreError at the start."""
    configure_logs(settings.log_format)
    signals = EndingSignals(signal.SIGTERM, signal.SIGINT)
    public = listening_socket(settings.listen, "listen")
    admin = listening_socket(settings.admin, "admin")
    settings = settings.model_copy(update={"listen": address_of(public), "admin": address_of(admin)})
    looking = look_at_contract(settings)
    from soapsvc.serving.service import serve_in_one_process, serve_in_several_processes

    serve_here = serve_in_several_processes if settings.processes > 1 else serve_in_one_process
    serve_here(settings, public, admin, looking, signals)
    return 0
