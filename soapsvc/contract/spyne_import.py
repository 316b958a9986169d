"""Makes `import spyne` work on Python 3.12 and later; import this module before Spyne.

Spyne 2.14.0, its newest release, carries a copy of `six` whose importer for `six.moves` has no `find_spec`, which
Python 3.12 demands. So the modules of the `six` on the package index stand in under the names of the copy. The copy
itself stays: Spyne needs its `get_function_name`. Python 3.13 lacks `cgi` besides, which the distribution legacy-cgi
brings back.
"""

from __future__ import annotations

import importlib
import sys

_MOVES = (
    "moves", "moves.collections_abc", "moves.http_cookies", "moves.urllib", "moves.urllib.error", "moves.urllib.parse",
    "moves.urllib.request",
)  # fmt: skip
"""What Spyne imports by name."""

if sys.version_info >= (3, 12):
    for _name in _MOVES:
        sys.modules.setdefault(f"spyne.util.six.{_name}", importlib.import_module(f"six.{_name}"))
