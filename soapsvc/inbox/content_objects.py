"""Large contents as objects of a store such as S3, through fsspec.

    PREFIX/inbox-id                  the id of the database that the others belong to
    PREFIX/TTTT/PPPPPPPPPP…-DDDD…    as the files of content_files.py

The store answers a PUT, or the end of a multipart upload, when it keeps the object: no name is to be synced after it.
Who may read and write there is asked where s3fs asks it: AWS_ACCESS_KEY_ID, AWS_PROFILE, the machine's role.
"""

from __future__ import annotations

import contextlib
import io
import shutil
from typing import TYPE_CHECKING, Any, BinaryIO

from soapsvc.errors import StoreError
from soapsvc.inbox.content_files import COPY_BYTES, DIRECTORY_CHARS, Key, checked
from soapsvc.inbox.failures import InboxDamaged, lost, not_usable
from soapsvc.spool import Content

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CONNECT_SECONDS = 2
ANSWER_SECONDS = 4  # for one request to the store, of which a large content needs several
BLOCK_BYTES = 5 * 1024 * 1024  # of a multipart upload: the least that S3 takes; so much is held in memory
_S3 = {
    "config_kwargs": {
        "connect_timeout": CONNECT_SECONDS,
        "read_timeout": ANSWER_SECONDS,
        "retries": {"max_attempts": 2},
    },
    "use_listings_cache": False,  # another machine writes there too
}


class ContentObjects:
    """Objects below one URL. Whatever the store complains of comes out as OSError.

    url       such as s3://bucket/prefix
    inbox_id  of the database whose rows name the objects
    options   for the file system of fsspec
    """

    def __init__(self, url: str, inbox_id: str, **options: Any):
        try:
            from fsspec.core import url_to_fs

            self._files, self._root = url_to_fs(url, **(_S3 if url.startswith("s3:") else {}), **options)
        except ImportError:
            raise StoreError("documents in S3 need s3fs: pip install 'soapsvc[s3]'") from None
        self._url, self._inbox_id = url, inbox_id
        self._ours = False

    @property
    def where(self) -> str:
        return self._url

    def is_anothers(self) -> bool:
        with _as_os_error():
            owner = self._owner()
            return owner is not None and owner != self._inbox_id

    def make(self) -> None:
        with _as_os_error():
            owner = self._owner()
            if owner is None:
                self._files.pipe_file(f"{self._root}/inbox-id", self._inbox_id.encode())
            elif owner != self._inbox_id:
                raise InboxDamaged("the place of the documents belongs to another inbox")
        self._ours = True

    def place(self, file_id: str, content: Content) -> None:
        if not self._ours:
            self.make()
        path = self._path((file_id, content.sha256))
        with _as_os_error():
            with content.open() as reader, self._files.open(path, "wb", block_size=BLOCK_BYTES) as writer:
                shutil.copyfileobj(reader, writer, COPY_BYTES)
            found = self._files.info(path)["size"]
        if found != content.size_bytes:
            raise OSError(f"the object has {found} bytes, not {content.size_bytes}")

    def open(self, key: Key, size_bytes: int, what: str) -> BinaryIO:
        damaged = f"{what} is damaged in the store of documents"
        try:
            with _as_os_error():
                found = self._files.info(self._path(key))["size"]
                source = self._files.open(self._path(key), "rb", block_size=COPY_BYTES, cache_type="readahead")
        except FileNotFoundError:
            raise lost(f"{what} is missing in the store of documents") from None
        if found != size_bytes:
            raise lost(damaged)
        return checked(_Object(source, what), key[1], size_bytes, damaged)

    def holds(self, key: Key, size_bytes: int) -> bool:
        with _as_os_error():
            try:
                return bool(self._files.info(self._path(key))["size"] == size_bytes)
            except FileNotFoundError:
                return False

    def discard(self, key: Key) -> None:
        with contextlib.suppress(FileNotFoundError), _as_os_error():
            self._files.rm_file(self._path(key))

    def _path(self, key: Key) -> str:
        return f"{self._root}/{key[0][:DIRECTORY_CHARS]}/{key[0]}-{key[1]}"

    def _owner(self) -> str | None:
        try:
            return str(self._files.cat_file(f"{self._root}/inbox-id").decode("ascii", "replace").strip())
        except FileNotFoundError:
            return None


class _Object(io.RawIOBase):
    def __init__(self, source: Any, what: str):
        self._source, self._what = source, what

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer).cast("B")
        try:
            with _as_os_error():
                piece = self._source.read(len(view))
        except OSError as cause:
            raise not_usable(cause, self._what) from cause
        view[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._source.close()
        super().close()


class _as_os_error:  # noqa: N801  (used as a statement)
    """What botocore and aiohttp raise beside OSError is no OSError; to the caller it is one failure of a disk."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, OSError | InboxDamaged | StoreError):
            raise OSError(f"{type(error).__name__}: {error}") from error
