"""The words that are read here are those that SQLite's FTS5 reads."""

from __future__ import annotations

import sqlite3
import sys
import unicodedata
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from soapsvc.inbox.search_words import words_of

KNOWN = [
    chr(code) for code in range(sys.maxunicode + 1) if unicodedata.ucd_3_2_0.category(chr(code)) not in ("Cn", "Cs")
]
OTHERWISE = "\u01e0\u01e1\u1885\u1886"  # two of Latvian's neighbours, two of Mongolian


def words_of_fts5(texts: list[str]) -> list[list[str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute('CREATE VIRTUAL TABLE said USING fts5(text, tokenize="unicode61 remove_diacritics 2")')
        connection.execute("CREATE VIRTUAL TABLE instances USING fts5vocab(said, instance)")
        connection.executemany("INSERT INTO said (rowid, text) VALUES (?, ?)", enumerate(texts))
        words: list[list[str]] = [[] for _ in texts]
        for word, text in connection.execute("SELECT term, doc FROM instances ORDER BY doc, offset"):
            words[text].append(word)
        return words


def test_every_character_that_both_know_is_read_as_fts5_reads_it() -> None:
    texts = [f"a{one}b" for one in KNOWN]
    read = words_of_fts5(texts)
    differing = [one for one, text, words in zip(KNOWN, texts, read, strict=True) if words_of(text) != words]
    assert "".join(differing) == OTHERWISE


@given(st.lists(st.text(alphabet=st.sampled_from([one for one in KNOWN if one not in OTHERWISE]))))
def test_every_text_is_read_as_fts5_reads_it(texts: list[str]) -> None:
    assert [words_of(text) for text in texts] == words_of_fts5(texts)


def test_what_is_no_text_stands_between_words() -> None:
    assert words_of("a\0b\ud800C-d_\u00c9\u0301\r\n") == ["a", "b", "c", "d", "e"]
