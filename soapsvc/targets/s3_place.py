"""A bucket of an object store as a place for files: an object is there when its upload is complete."""

from __future__ import annotations

import shutil
import tempfile
from typing import Any, BinaryIO

from soapsvc.errors import SettingsError
from soapsvc.targets.deadline import Deadline
from soapsvc.targets.options import TargetOptions
from soapsvc.targets.places import PIECE_BYTES, as_os_error


class S3Place:
    """A prefix of a bucket; a conditional put replaces nothing."""

    def __init__(self, bucket: str, prefix: str, endpoint_url: str | None, options: TargetOptions, deadline: Deadline):
        try:
            import s3fs
        except ImportError:
            raise SettingsError("s3: needs s3fs: pip install 'soapsvc[s3]'") from None
        client: dict[str, Any] = {"verify": str(options.ca_file)} if options.ca_file else {}
        self._files: Any = s3fs.S3FileSystem(
            endpoint_url=endpoint_url,
            client_kwargs=client,
            config_kwargs={
                "connect_timeout": deadline.left(options.connect_seconds),
                "read_timeout": deadline.left(),
                "retries": {"max_attempts": 1},  # whoever delivers has a schedule
            },
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        self._root = "/".join(part for part in (bucket, prefix.strip("/")) if part)

    def size_bytes(self, path: str) -> int | None:
        with as_os_error():
            try:
                return int(self._files.info(self._at(path))["size"])
            except FileNotFoundError:
                return None

    def open(self, path: str) -> BinaryIO:
        with as_os_error():
            return self._files.open(self._at(path), "rb")  # type: ignore[no-any-return]

    def put(self, path: str, source: BinaryIO, mark: str) -> bool:
        with tempfile.NamedTemporaryFile() as copy:  # its size decides between one put and an upload in parts
            shutil.copyfileobj(source, copy, PIECE_BYTES)
            copy.flush()
            with as_os_error():
                try:
                    self._files.put_file(copy.name, self._at(path), mode="create")
                except FileExistsError:
                    return False
                except OSError as error:
                    if self._is_taken(error):
                        return False
                    raise
        return True

    def clear(self, directory: str, mark: str) -> None:
        """Nothing is there under another name; an upload in parts that was cut off is the bucket's to end."""

    @staticmethod
    def _is_taken(error: OSError) -> bool:
        return "PreconditionFailed" in f"{error} {error.__cause__}" or "pre-conditions" in str(error)

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def close(self) -> None:
        """s3fs keeps its connections for itself, and lets them go with the file system."""
