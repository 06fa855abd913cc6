"""Listening to the modules of a network while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def hooks(
    module: nn.Module,
    before: Callable[[str, Any, Any], None],
    after: Callable[[str, nn.Module, Any], None],
    only: Collection[str] | None = None,
) -> Iterator[None]:
    """Call `before(path, args, kwargs)` and `after(path, module, output)` around the forwards of modules.

    Passes that other threads run through the same network meanwhile are not listened to.
    """
    here = threading.get_ident()

    def listen(name: str, part: nn.Module) -> Iterator[Any]:
        def pre(_module: nn.Module, args: Any, kwargs: Any) -> None:
            if threading.get_ident() == here:
                before(name, args, kwargs)

        def post(module: nn.Module, _args: Any, output: Any) -> None:
            if threading.get_ident() == here:
                after(name, module, output)

        yield part.register_forward_pre_hook(pre, with_kwargs=True)
        yield part.register_forward_hook(post)

    parts = [(name, part) for name, part in module.named_modules() if only is None or name in only]
    handles = [handle for name, part in parts for handle in listen(name, part)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
