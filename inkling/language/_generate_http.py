"""A generative model behind an OpenAI-compatible endpoint: Ollama, vLLM, llama.cpp and hosted ones speak it."""

from __future__ import annotations

import http.client
import os
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from inkling.core.errors import ConfigError
from inkling.language._generate_speaker import Failed, Said

_MOST_BYTES = 1 << 20
_MOST_WAIT_S = 60.0


class ChatEndpoint:
    """Asks ``POST base_url/chat/completions``. One connection a call; redirects are not followed."""

    def __init__(self, base_url: str, model: str, *, key_variable: str = "", timeout_s: float = 30.0) -> None:
        """Name the endpoint.

        Args:
            base_url: Such as ``http://localhost:11434/v1``.
            model: The model's name there.
            key_variable: Name of the environment variable that holds the key; "" sends none.
            timeout_s: Time for a connection, for each piece of the answer, and for all of it.

        Raises:
            ConfigError: The address is none of http or https, or the environment has no such variable.
        """
        self._address = urlsplit(base_url)
        if self._address.scheme not in ("http", "https") or not self._address.hostname:
            raise ConfigError(
                f"'{base_url}' is no address of a model.", hint="Write http://host:port/v1 or https://host/v1."
            )
        if key_variable and not os.environ.get(key_variable):
            raise ConfigError(
                f"The environment has no {key_variable}, which should hold the model's key.",
                hint=f"Set {key_variable}, or leave the key out.",
            )
        self.name = f"{base_url}#{model}"
        self._model, self._key_variable, self._timeout_s = model, key_variable, timeout_s
        self._json_mode = True

    def say(self, messages: Sequence[Mapping[str, str]], *, most_tokens: int) -> Said:
        """Return what the model answers.

        Raises:
            Failed: It did not answer, or not in the form that the protocol has.
        """
        asked: dict[str, Any] = {"model": self._model, "messages": list(messages), "temperature": 0, "stream": False}
        asked["max_tokens"] = most_tokens
        if self._json_mode:
            asked["response_format"] = {"type": "json_object"}
        status, body, wait_s = self._post(msgspec.json.encode(asked))
        if status == 400 and self._json_mode:  # not every server knows the JSON mode
            self._json_mode = False
            return self.say(messages, most_tokens=most_tokens)
        if status == 429 or status >= 500:
            raise Failed(f"it answered {status}", again=True, wait_s=wait_s)
        if status != 200:
            raise Failed(f"it answered {status}", again=False)
        return _said(body)

    def _post(self, body: bytes) -> tuple[int, bytes, float]:
        connection = _connection(self._address, self._timeout_s)
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key_variable:
            headers["Authorization"] = f"Bearer {os.environ.get(self._key_variable, '')}"
        try:
            connection.request("POST", f"{self._address.path.rstrip('/')}/chat/completions", body, headers)
            answer = connection.getresponse()
            content = _read(answer, time.monotonic() + self._timeout_s)
            return answer.status, content, _seconds(answer.getheader("Retry-After"))
        except (TimeoutError, OSError, http.client.HTTPException, ValueError) as error:
            raise Failed(f"{type(error).__name__}: {error}", again=True) from error
        finally:
            connection.close()


def _read(answer: http.client.HTTPResponse, until: float) -> bytes:
    """Return the whole body, within limits of size and time: a server that drips must not hold a thread for ever."""
    parts, size = [], 0
    while part := answer.read1(65_536):
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise Failed(f"its answer is longer than {_MOST_BYTES} bytes", again=False)
        if time.monotonic() > until:
            raise Failed("its answer takes too long", again=True)
    return b"".join(parts)


def _connection(address: SplitResult, timeout_s: float) -> http.client.HTTPConnection:
    if address.scheme == "https":
        return http.client.HTTPSConnection(
            address.hostname or "", address.port, timeout=timeout_s, context=ssl.create_default_context()
        )
    return http.client.HTTPConnection(address.hostname or "", address.port, timeout=timeout_s)


def _seconds(retry_after: str | None) -> float:
    return min(float(retry_after), _MOST_WAIT_S) if retry_after and re.fullmatch(r"\d{1,6}", retry_after) else 0.0


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message


class _Usage(msgspec.Struct):
    total_tokens: int = 0


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


def _said(body: bytes) -> Said:
    try:
        found = msgspec.json.decode(body, type=_Completion)
        text = found.choices[0].message.content or ""
    except (msgspec.MsgspecError, IndexError, UnicodeError, RecursionError) as error:
        raise Failed(f"its answer is of another form: {error}", again=True) from error
    return Said(text, max(found.usage.total_tokens, 0) if found.usage else 0)
