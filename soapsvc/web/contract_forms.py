"""The contract in force as JSON."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

from soapsvc.web.contract_record import ContractInForce


def contract_object(contract: ContractInForce) -> dict[str, Any]:
    """All that the page tells, and each file with its digest."""
    return {
        "file_name": contract.file_name,
        "sha256": contract.sha256,
        "target_namespace": contract.target_namespace,
        "is_shipped": contract.is_shipped,
        "beside_shipped": contract.beside_shipped,
        "operations": [asdict(operation) for operation in contract.operations],
        "differences": [asdict(difference) for difference in contract.differences],
        "files": [
            {"name": name, "size_bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
            for name, raw in contract.files.items()
        ],
    }
