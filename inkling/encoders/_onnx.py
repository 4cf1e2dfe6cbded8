"""Opening an ONNX network: on which processors, with how many threads, and what is said when it cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from inkling.core.errors import BundleError, ConfigError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CPU = ("CPUExecutionProvider",)


def open_session(
    content: bytes | str, *, providers: Sequence[str] = CPU, n_threads: int = 1, where: str = "The model"
) -> InferenceSession:
    """Return an ONNX network ready to run.

    Args:
        content: The network, or the path of its file where it has weights in further files beside it.
        providers: Where it runs, the first that can wins for each node; the processor is always the last resort.
        n_threads: Threads inside the network.
        where: What is opened, for messages.

    Raises:
        ConfigError: A provider is not there, or ``n_threads`` is out of range.
        BundleError: This is no network that ONNX Runtime can run.
    """
    import onnxruntime

    if n_threads < 1:
        raise ConfigError(f"n_threads is {n_threads}, expected at least 1.")
    _check_providers(providers, onnxruntime.get_available_providers())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised
    try:
        session: Any = onnxruntime.InferenceSession(content, options, providers=list(providers))
    except Exception as error:  # ONNX Runtime's errors share no class of their own
        raise BundleError(
            f"{where} is no ONNX network that onnxruntime {onnxruntime.__version__} can run: {_first_line(error)}",
            hint="Export it again for an operator set that this version knows (opset 17 is safe).",
        ) from error
    opened: InferenceSession = session
    return opened


def _check_providers(providers: Sequence[str], available: Sequence[str]) -> None:
    if isinstance(providers, str) or not providers:
        raise ConfigError(f"providers is {providers!r}, expected some names.", hint=f"Here: {', '.join(available)}.")
    absent = [name for name in providers if name not in available]
    if absent:
        raise ConfigError(
            f"The execution provider '{absent[0]}' is not there. Available: {', '.join(available)}.",
            hint="GPUs need the onnxruntime-gpu package in place of onnxruntime, OpenVINO onnxruntime-openvino.",
        )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
