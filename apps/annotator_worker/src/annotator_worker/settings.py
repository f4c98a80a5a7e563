"""What comes from the environment: addresses, credentials, limits. A secret may also lie in a file: NAME_FILE."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from annotator_worker.errors import UnusableInputError

BROKER: Final = "CELERY_BROKER_URL"
STORE: Final = "ANNOTATOR_STORE"
AUDIO_ROOT: Final = "ANNOTATOR_AUDIO_ROOT"
LLM_PER_MINUTE: Final = "ANNOTATOR_LLM_PER_MINUTE"
LLM_KEY: Final = "OPENAI_API_KEY"
_TLS: Final = {"REDIS_CA_CERTS": "ssl_ca_certs", "REDIS_CERT": "ssl_certfile", "REDIS_KEY": "ssl_keyfile"}


def setting(name: str, environ: Mapping[str, str] | None = None) -> str | None:
    """The environment variable `name`, or what the file holds that NAME_FILE names; `None` where there is neither."""
    environ = os.environ if environ is None else environ
    if value := environ.get(name):
        return value
    path = environ.get(f"{name}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip() or None
    except OSError as error:
        raise UnusableInputError(f"{name}_FILE names {path}, which cannot be read: {error.strerror}") from error


def number(name: str, default: float) -> float:
    """The positive number that the environment variable `name` holds."""
    text = setting(name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise UnusableInputError(f"{name} must be a positive number, got {text!r}")
    return value


def redis_tls(url: str | None) -> dict[str, Any] | None:
    """How to check the certificate of a rediss:// server and show one's own; `None` for a connection without TLS."""
    if url is None or urlsplit(url).scheme != "rediss":
        return None
    files = {option: value for name, option in _TLS.items() if (value := setting(name))}
    return {"ssl_cert_reqs": "required", **files}
