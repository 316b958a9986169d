"""On which line of the raw envelope each element begins: found out by reading it once more, for deviating pushes alone.

libxml2 keeps lines in 16 bits and the parser target gets none, so this reads with expat, which counts exactly. It reads
no further than the first reader came, so a token that was too large for that one is not searched again and again here
(expat before 2.6 takes quadratic time for a token that comes in many pieces).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from xml.parsers import expat  # a DTD ends the reading before anything of it is used

from soapsvc.wire.encoding import UndecodableBody

EXPAT_PIECE_BYTES = 1024 * 1024  # large, for the reason above


class _ReadEnough(Exception):
    """Nothing after this place is looked for."""


class LineIndex:
    """Lines, from 1.

    element_lines      of the start tags, in document order
    instruction_lines  of the processing instructions, in document order
    end_line           where the reading ended: of the token that was not finished, if one was not
    """

    def __init__(self) -> None:
        self.element_lines = array("L")
        self.instruction_lines = array("L")
        self.end_line = 1

    def line_of(self, ordinal: int) -> int:
        """Of the element with this number in document order, from 0. Where expat stopped earlier than libxml2 (names
        are those of XML 1.0's fourth edition to it), the line where it stopped."""
        return self.element_lines[ordinal] if ordinal < len(self.element_lines) else self.end_line

    def line_of_instruction(self, number: int) -> int:
        """Of the processing instruction with this number, from 0; where expat stopped earlier, as above."""
        return self.instruction_lines[number] if number < len(self.instruction_lines) else self.end_line


def index_lines(utf8: Iterable[bytes]) -> LineIndex:
    """The lines of an envelope, as far as it is well-formed and free of a DTD."""
    index = LineIndex()
    parser = expat.ParserCreate("utf-8")

    def start(_name: str, _attributes: object) -> None:
        index.element_lines.append(parser.CurrentLineNumber)

    def instruction(_target: str, _content: str) -> None:
        index.instruction_lines.append(parser.CurrentLineNumber)

    def doctype(*_: object) -> None:
        raise _ReadEnough

    parser.StartElementHandler = start
    parser.ProcessingInstructionHandler = instruction
    parser.StartDoctypeDeclHandler = doctype
    try:
        for piece in utf8:
            parser.Parse(piece, False)
    except (_ReadEnough, UndecodableBody, expat.ExpatError):
        pass  # the first reader has said what is wrong there; the lines before it are what is asked for
    finally:  # a parser that its handlers hold would keep the message until the garbage collector comes, which is rare
        parser.StartElementHandler = parser.ProcessingInstructionHandler = parser.StartDoctypeDeclHandler = None
    index.end_line = parser.CurrentLineNumber
    return index
