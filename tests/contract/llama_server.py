"""llama.cpp's own server for the model file that is named (group `llm`), as a script.

It serves on a free loopback port and tells its address in one line.
"""

from __future__ import annotations

import signal
import sys

import xllamacpp


def serve(model: str) -> None:
    """Serve until the process is ended."""
    options = xllamacpp.CommonParams()
    options.model.path = model
    options.model_alias = {"smollm2"}
    options.port = 0
    options.n_ctx = 2048
    options.n_parallel = 1
    # With two it waits for the slower one where cores are shared.
    options.cpuparams.n_threads = options.cpuparams_batch.n_threads = 1
    options.ui = False
    options.warmup = False
    server = xllamacpp.Server(options)
    print(f"\nserving {server.listening_address}", flush=True)  # noqa: T201
    signal.pause()


if __name__ == "__main__":
    serve(sys.argv[1])
