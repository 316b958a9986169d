"""A push with markup in every field that can hold text: whatever of it ran would set `window.owned`."""

from __future__ import annotations

from base64 import b64encode
from xml.sax.saxutils import escape

from tests.pushing import ENVELOPE

MARKUP = "zzmarkup\"'><script>owned=1</script><img src=x onerror=owned=1>{{7*7}}"
_DOCUMENT = f"status,{MARKUP}\r\n{MARKUP},Sent\r\n{MARKUP},Sent\r\n=cmd(),Busy\r\n".encode()


def hostile_envelope(*, well: bool) -> bytes:
    """Kept strictly to the shipped WSDL, or refused for its job id, which is markup too."""
    said = escape(MARKUP)
    text = ENVELOPE.format(mrn=666 if well else said, document=b64encode(_DOCUMENT).decode())
    for element in ("ProcessingID", "SubmitId", "XDN", "DocType", "Filename"):
        head, _, rest = text.partition(f"<{element}>")
        text = f"{head}<{element}>{said}{rest[rest.index(f'</{element}>') :]}"
    for name in ("UserAccountNumber", "Subject"):
        head, _, rest = text.partition(f'<Property name="{name}">')
        text = f'{head}<Property name="{name}">{said}{rest[rest.index("</Property>") :]}'
    attribute = escape(MARKUP, {'"': "&quot;"})
    own = f'<Property name="{attribute}">{said}</Property>'
    return text.replace("</JobDocumentDataExtension>", f"{own}</JobDocumentDataExtension>").encode()
