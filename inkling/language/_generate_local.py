"""A generative model in this process: a causal language model by name or folder, through transformers."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from inkling.core.errors import ConfigError, MissingExtraError
from inkling.language._generate_speaker import Failed, Said
from inkling.training.extra import need_torch


class LocalModel:
    """Answers by greedy decoding. The model is opened with the first question."""

    def __init__(self, place: str, *, most_read: int = 2048) -> None:
        """Name a folder or a model of the hub; ``most_read`` is the longest question in tokens."""
        self.name = f"local#{place}"
        self._place, self._most_read = place, most_read
        self._opened: tuple[Any, Any] | None = None
        self._lock = threading.Lock()

    def _open(self) -> tuple[Any, Any]:
        if self._opened is None:
            need_torch("A local generative model")
            try:
                from transformers import AutoModelForCausalLM, AutoTokenizer
            except ImportError as error:
                raise MissingExtraError(
                    "A local generative model needs transformers.", hint="Run: pip install 'inkling[train]'"
                ) from error
            try:
                tokenizer = AutoTokenizer.from_pretrained(self._place)
                model = AutoModelForCausalLM.from_pretrained(self._place).eval()
            except (OSError, ValueError) as error:
                raise ConfigError(
                    f"'{self._place}' is no causal language model: {error}.",
                    hint="Name a folder or a model of the hub.",
                ) from error
            self._opened = (tokenizer, model)
        return self._opened

    def say(self, messages: Sequence[Mapping[str, str]], *, most_tokens: int) -> Said:
        """Return what the model goes on with.

        Raises:
            MissingExtraError: torch or transformers is not installed.
            ConfigError: The folder or name holds no causal language model.
            Failed: The question leaves no room for an answer.
        """
        with self._lock:
            tokenizer, model = self._open()
            import torch

            ids = tokenizer(_prompt(tokenizer, messages), return_tensors="pt")["input_ids"][:, : self._most_read]
            room = int(getattr(model.config, "max_position_embeddings", 0) or ids.shape[1] + most_tokens)
            n_new = min(most_tokens, room - ids.shape[1])
            if n_new <= 0:
                raise Failed(f"the question has {ids.shape[1]} tokens, the model reads {room}", again=False)
            with torch.inference_mode():
                out = model.generate(
                    ids,
                    attention_mask=torch.ones_like(ids),
                    max_new_tokens=n_new,
                    do_sample=False,
                    pad_token_id=tokenizer.eos_token_id or 0,
                )
            text = tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)
            return Said(str(text), int(out.shape[1]))


def _prompt(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> str:
    if getattr(tokenizer, "chat_template", None):
        return str(tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True))
    return "\n\n".join(f"{one['role']}: {one['content']}" for one in messages) + "\n\nassistant: "
