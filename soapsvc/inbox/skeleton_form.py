"""How a skeleton is stored.

Numbers are LEB128, offsets and sizes in bytes.
    format version       1 byte: 1
    dictionary           1 byte: its number in _DICTIONARIES
    own size, places     numbers: bytes of the envelope that are its own; how many texts were taken out
    each place           numbers: own bytes before it since the last one, size of the text, document, coding, width;
                         where the width is not 0: size of the line end, and its bytes
    own bytes            raw deflate with that dictionary
    check                4 bytes, big-endian: CRC-32 of all before
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from soapsvc.skeleton import MAX_LINE_END_BYTES, MAX_OWN_BYTES, MAX_WIDTH, Coding, Place, Skeleton, SkeletonDamaged

FORMAT, DICTIONARY = 1, 1  # those that are written; each that was ever written is read
MAX_NUMBER_BYTES = 8
_DEFLATE_LEVEL = 3  # two thirds of the time of 6, and a tenth more is left
_MEMORY_LEVEL = 6  # 8, the default, is more to be cleared for each, and makes few envelopes smaller
_WINDOW_BITS = -14  # 16 KiB, raw: envelopes with thousands of properties are no smaller with more, and take longer
_MAX_WINDOW_BITS = -15  # whatever was written can be read
_KNOWN_CODINGS = frozenset(Coding)


def to_bytes(skeleton: Skeleton) -> bytes:
    """The stored form."""
    stored = bytearray((FORMAT, DICTIONARY))
    stored += _number(len(skeleton.own)) + _number(len(skeleton.places))
    end = 0
    for place in skeleton.places:
        for number in (place.at - end, place.size_bytes, place.document, place.coding, place.width):
            stored += _number(number)
        if place.width:
            stored += _number(len(place.line_end)) + place.line_end
        end = place.at + place.size_bytes
    deflate = zlib.compressobj(
        _DEFLATE_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, zdict=_DICTIONARIES[DICTIONARY]
    )
    stored += deflate.compress(skeleton.own)
    stored += deflate.flush()
    return bytes(stored + zlib.crc32(stored).to_bytes(4))


def from_bytes(stored: bytes) -> Skeleton:
    """The skeleton whose stored form this is. Errors: SkeletonDamaged."""
    if len(stored) < 6 or zlib.crc32(stored[:-4]) != int.from_bytes(stored[-4:]):
        raise SkeletonDamaged(f"{len(stored)} bytes whose check does not agree")
    if stored[0] != FORMAT:
        raise SkeletonDamaged(f"format version {stored[0]} is not known")
    if stored[1] not in _DICTIONARIES:
        raise SkeletonDamaged(f"dictionary {stored[1]} is not known")
    fields = _Fields(stored[2:-4])
    own_bytes = fields.number()
    places = tuple(_read_places(fields, own_bytes))
    return Skeleton(_inflated(fields.rest(), own_bytes, _DICTIONARIES[stored[1]]), places)


class _Fields:
    """Reads what lies before the deflated bytes. Errors: SkeletonDamaged."""

    def __init__(self, stored: bytes):
        self._stored, self._at = stored, 0

    def number(self) -> int:
        value = 0
        for n in range(MAX_NUMBER_BYTES):
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << 7 * n
            if byte < 0x80:
                return value
        raise SkeletonDamaged("a number without an end")

    def take(self, size_bytes: int) -> bytes:
        taken = self._stored[self._at : self._at + size_bytes]
        if len(taken) < size_bytes:
            raise SkeletonDamaged("it ends within a field")
        self._at += size_bytes
        return taken

    def rest(self) -> bytes:
        return self._stored[self._at :]


def _number(value: int) -> bytes:
    digits = bytearray()
    while value > 0x7F:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)


def _read_places(fields: _Fields, own_bytes: int) -> Iterator[Place]:
    own, end = 0, 0
    for _ in range(fields.number()):
        before = fields.number()
        own += before
        size_bytes, document, coding, width = (fields.number() for _ in range(4))
        line_end = fields.take(fields.number()) if width else b""
        if own > own_bytes:
            raise SkeletonDamaged("a place after the end of the envelope")
        lines_are_known = width <= MAX_WIDTH and bool(line_end) == bool(width) and len(line_end) <= MAX_LINE_END_BYTES
        if coding not in _KNOWN_CODINGS or size_bytes == 0 or not lines_are_known:
            raise SkeletonDamaged("a place that no text can have")
        yield Place(end + before, size_bytes, document, Coding(coding), width, line_end)
        end += before + size_bytes


def _inflated(deflated: bytes, size_bytes: int, dictionary: bytes) -> bytes:
    if size_bytes > MAX_OWN_BYTES:
        raise SkeletonDamaged(f"an envelope of {size_bytes} bytes without its documents")
    inflate = zlib.decompressobj(_MAX_WINDOW_BITS, zdict=dictionary)
    try:
        own = inflate.decompress(deflated, size_bytes + 1)  # no more memory, whatever the bytes would become
    except zlib.error as cause:
        raise SkeletonDamaged(f"the envelope's own bytes: {cause}") from None
    if len(own) != size_bytes or not inflate.eof or inflate.unused_data:
        raise SkeletonDamaged(f"the envelope's own bytes are not {size_bytes}")
    return own


# -- the dictionaries ----------------------------------------------------------------------------------------------

_DICTIONARIES = {
    1: b"""\
Request><ResponseRequired>ResultRequired>yes<RequestID>Authentication><XDDSAuth><RequesterID>TargetID>Password>\
ErrorList><Error><ErrorCode>1</ErrorCode><ErrorMessage></ErrorMessage>USER/ BillingCode charge pages duration status \
completed_time delivered destination recipient sender reference attempts cover_sheet fax_number to_name from_name \
xsi:type="xsd:string" xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xmlns:xsd="http://www.w3.org/2001/XMLSchema" encodingStyle="http://schemas.xmlsoap.org/soap/encoding/" \
http://www.w3.org/2003/05/soap-envelope http://premconn.premiereconnect.com/2011/01 \
encoding="utf-16" encoding="ISO-8859-1" standalone="yes" encoding="utf-8"?>&lt;&gt;&amp;&quot;&#13;
text/csv image/tiff application/pdf <DocType>TIFF</DocType><DocType>PDF</DocType>.pdf</Filename>.tif</Filename>\
.txt</Filename>.csv</Filename><DocData format="text"> b64charset="ISO-8859-1">
 b64charset="binary"> b64charset="UTF-8"><CharacterSet>ISO-8859-1</CharacterSet>\
</Segment><Segment name="USER"><Property name="USER"><Property name="orig_email_subject">\
<Property name="ORIG_EMAIL_FROM"><Property name="start_time">11/4/12 8:05:45 ET</Property>\
<Property name="entry_time"><DocumentExtension name="</DocumentExtension>
<?xml version="1.0" encoding="UTF-8"?>
<SOAP-ENV:Envelope xmlns:SOAP-ENV=</soap:Header><soap:Body></soap:Body></soap:Envelope><s:Header>\
<soap:Envelope xmlns:soap=<s:Envelope xmlns:s="<soapenv:Envelope xmlns:soapenv="\
http://schemas.xmlsoap.org/soap/envelope/">
  <soapenv:Header>
    <Response xmlns="http://premconn.premiereconnect.com/2007/02" soapenv:actor="\
http://schemas.xmlsoap.org/soap/actor/next" soapenv:mustUnderstand="0">
      <SenderKey>http://</SenderKey>
      <ReceiverKey>https://</ReceiverKey>
      <ProcessingID></ProcessingID>
    </Response>
  </soapenv:Header>
  <soapenv:Body>
    <JobDocumentTransmitResult xmlns="http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10">
      <Status>
        <StatusCode>0</StatusCode>
        <StatusMessage>OK</StatusMessage>
        <SubmissionTime>2026-</SubmissionTime>
        <CompletionTime>2026-</CompletionTime>
      </Status>
      <SubmitId></SubmitId>
      <JobDocumentData>
        <JobId>
          <XDN></XDN>
          <MRN></MRN>
        </JobId>
        <Document>
          <DocType>text</DocType>
          <Filename></Filename>
          <DocData format="base64"></DocData>
          <CharacterSet>UTF-8</CharacterSet>
        </Document>
        <JobDocumentDataExtension name="Default">
          <Property name="UserAccountNumber"></Property>
          <Property name="Subject"></Property>
          <Property name="OrigFromAddress">@</Property>
          <Property name="StartTime">2026-</Property>
          <Property name="EntryTime">2026-</Property>
        </JobDocumentDataExtension>
      </JobDocumentData>
    </JobDocumentTransmitResult>
  </soapenv:Body>
</soapenv:Envelope>
""",
}
"""Words of such an envelope, the likeliest last, by number. One that was ever written must never change by a byte:
better words are a further number."""
