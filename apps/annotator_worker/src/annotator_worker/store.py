"""Where distributed annotation keeps audio and results: a folder, or a bucket of any S3-compatible service.

Both write an object whole or not at all and replace what was there, so writing the same key twice is safe. Keys are
slash-separated, relative, and never end in a slash. Nothing here rests on conditional writes: not every S3 gateway
honours them.
"""
# ruff: noqa: D102 - what the methods do is said once, at the protocol

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from annotator_worker.errors import ObjectNotFoundError, StoreAccessError, StoreError, StoreUnavailableError
from annotator_worker.settings import setting
from speech_records import atomic_path

if TYPE_CHECKING:
    from minio import Minio

_KEY = re.compile(r"(?!.*(?:^|/)\.{1,2}(?:/|$))[\w.=+@%-]+(?:/[\w.=+@%-]+)*", re.ASCII)
_REFUSED = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"})
MAX_CONNECTIONS = 8
"""Requests that one store object serves at once without opening connections that it cannot keep."""
_CONNECT_TIMEOUT_S = 5.0
_READ_TIMEOUT_S = 60.0


class ObjectStore(Protocol):
    """Named blobs. Every method raises a `StoreError`; of a missing object `ObjectNotFoundError`."""

    def put(self, key: str, data: bytes) -> None:
        """Store `data` under `key`, whole or not at all."""

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        """The bytes under `key`, or `length` of them from `offset`."""

    def upload(self, key: str, path: Path) -> None:
        """Store the file at `path` under `key` without holding it in memory."""

    def download(self, key: str, path: Path) -> None:
        """Write the object under `key` to the file `path`."""

    def exists(self, key: str) -> bool:
        """Whether there is an object under `key`."""

    def delete(self, key: str) -> None:
        """Remove the object under `key`; nothing happens when there is none."""

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys in the folder `prefix` (which ends in a slash) and below, in no particular order."""


def open_store(uri: str, *, environ: Mapping[str, str] | None = None) -> ObjectStore:
    """The store that `file:///folder` or `s3://bucket/prefix` names.

    An S3 endpoint and its credentials come from the environment, or files that it names (`settings.setting`):
    `AWS_ENDPOINT_URL` (such as `http://127.0.0.1:9000`), `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, where it
    matters, `AWS_REGION` and `AWS_CA_BUNDLE`, a file of the certificates to trust.
    """
    parts = urlsplit(uri)
    if parts.scheme == "file" and not parts.netloc and parts.path:
        return FolderStore(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.hostname and parts.netloc == parts.hostname:
        client = _s3_client(os.environ if environ is None else environ)
        return S3Store(client, parts.netloc, prefix=parts.path.strip("/"))
    raise StoreError("a store is named file:///absolute/folder or s3://bucket/prefix (without credentials)")


class FolderStore:
    """Objects as files below one folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> None:
        with self._replacing(key) as temporary:
            temporary.write_bytes(data)

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        with _file_errors(key), self._path(key).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def upload(self, key: str, path: Path) -> None:
        with self._replacing(key) as temporary:
            shutil.copyfile(path, temporary)

    def download(self, key: str, path: Path) -> None:
        with _file_errors(key):
            shutil.copyfile(self._path(key), path)

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def delete(self, key: str) -> None:
        with _file_errors(key):
            self._path(key).unlink(missing_ok=True)

    def keys(self, prefix: str) -> Iterator[str]:
        for path in self._path(prefix.rstrip("/")).rglob("*"):
            if path.is_file() and not (path.name.startswith(".") and path.name.endswith(".tmp")):
                yield path.relative_to(self._root).as_posix()

    def _path(self, key: str) -> Path:
        return self._root / _checked(key)

    @contextmanager
    def _replacing(self, key: str) -> Iterator[Path]:
        target = self._path(key)
        with _file_errors(key):
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(target) as temporary:
                yield temporary


class S3Store:
    """Objects of one bucket below one prefix, through the S3 protocol. The bucket must exist."""

    def __init__(self, client: Minio, bucket: str, *, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    def put(self, key: str, data: bytes) -> None:
        with self._errors(key):
            self._client.put_object(self._bucket, self._name(key), io.BytesIO(data), len(data))

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> bytes:
        with self._errors(key):
            response = self._client.get_object(self._bucket, self._name(key), offset, length or 0)
            try:
                return bytes(response.read())
            finally:
                response.close()
                response.release_conn()

    def upload(self, key: str, path: Path) -> None:
        with self._errors(key):
            self._client.fput_object(self._bucket, self._name(key), str(path))

    def download(self, key: str, path: Path) -> None:
        with self._errors(key):
            # One request: minio's own fget_object asks for the size of the object before it asks for the object.
            response = self._client.get_object(self._bucket, self._name(key))
            try:
                with path.open("wb") as file:
                    shutil.copyfileobj(response, file)
            finally:
                response.close()
                response.release_conn()

    def exists(self, key: str) -> bool:
        try:
            with self._errors(key):
                self._client.stat_object(self._bucket, self._name(key))
        except ObjectNotFoundError:
            return False
        return True

    def delete(self, key: str) -> None:
        with self._errors(key):
            self._client.remove_object(self._bucket, self._name(key))

    def keys(self, prefix: str) -> Iterator[str]:
        _checked(prefix.rstrip("/"))
        with self._errors(prefix):
            found = self._client.list_objects(self._bucket, self._prefix + prefix, recursive=True)
            for item in found:
                # After deletes some gateways list the empty folder itself, which is not an object.
                if item.object_name is not None and not item.object_name.endswith("/"):
                    yield item.object_name.removeprefix(self._prefix)

    def _name(self, key: str) -> str:
        return self._prefix + _checked(key)

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        from minio.error import MinioException, S3Error
        from urllib3.exceptions import HTTPError

        where = f"{self._bucket}/{self._prefix}{key}"
        try:
            yield
        except S3Error as error:
            if error.code in ("NoSuchKey", "NoSuchObject"):
                raise ObjectNotFoundError(f"no object {where}") from error
            if error.code == "NoSuchBucket":
                raise StoreError(f"bucket {self._bucket!r} does not exist: create it first") from error
            if error.code in _REFUSED:
                raise StoreAccessError(
                    f"access to {where} was refused ({error.code}): check the credentials"
                ) from error
            raise StoreUnavailableError(f"the store failed at {where}: {error.code}") from error
        except (HTTPError, MinioException, OSError) as error:
            raise StoreUnavailableError(f"the store cannot be used at {where}: {type(error).__name__}") from error


def _s3_client(environ: Mapping[str, str]) -> Minio:
    import urllib3
    from minio import Minio

    names = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    found = {name: setting(name, environ) or "" for name in names}
    missing = [name for name, value in found.items() if not value]
    if missing:
        raise StoreAccessError(f"an s3:// store needs the environment variable(s) {', '.join(missing)}")
    endpoint = urlsplit(found["AWS_ENDPOINT_URL"])
    if endpoint.scheme not in ("http", "https") or not endpoint.netloc or endpoint.path.strip("/"):
        raise StoreError("AWS_ENDPOINT_URL must look like http://host:port, without a path")
    return Minio(
        endpoint.netloc,
        access_key=found["AWS_ACCESS_KEY_ID"],
        secret_key=found["AWS_SECRET_ACCESS_KEY"],
        session_token=setting("AWS_SESSION_TOKEN", environ),
        region=environ.get("AWS_REGION") or "us-east-1",
        secure=endpoint.scheme == "https",
        http_client=urllib3.PoolManager(
            maxsize=MAX_CONNECTIONS,
            cert_reqs="CERT_REQUIRED",
            ca_certs=environ.get("AWS_CA_BUNDLE") or None,
            timeout=urllib3.Timeout(connect=_CONNECT_TIMEOUT_S, read=_READ_TIMEOUT_S),
            retries=urllib3.Retry(total=3, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504]),
        ),
    )


def _checked(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise StoreError(f"{key!r} is not an object key: relative, letters, digits and _.=+@%- between single slashes")
    return key


@contextmanager
def _file_errors(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectNotFoundError(f"no object {key}") from error
    except OSError as error:
        raise StoreUnavailableError(f"the folder store failed at {key}: {error.strerror}") from error
