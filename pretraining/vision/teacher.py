"""The teacher: an ImageNet network whose pooled features and inner maps the student learns to foretell.

Frozen, so what it says of a view is computed once and kept (`pretraining.vision.dataset`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from icecore import backbones

TEACHER = "hf:google/mobilenet_v2_1.0_224"
MAPS = {"middle": ("layer.11", 6), "late": ("layer.15", 3)}  # name: (module of the base network, side that is kept)
Answers = dict[str, NDArray[np.float32]]


class Teacher:
    """MobileNetV2 of Transformers, at a resolution of our choice.

    Args:
        reference: `hf:` id or folder.
        side: of the views, in pixels.
        batch: views a pass.
        fast: bfloat16 in OpenVINO; without it float32 in torch.
    """

    def __init__(self, reference: str, side: int, batch: int, *, fast: bool) -> None:
        whole: Any = backbones.load(reference, device="cpu").module
        self.classifier: nn.Linear = whole.classifier
        self.side, self.batch = side, batch
        mapped = Mapped(whole.mobilenet_v2).eval()
        self._run = _in_openvino(mapped, (batch, 3, side, side)) if fast else _in_torch(mapped)

    def __call__(self, views: Tensor) -> Answers:
        """Views (n, 3, side, side) in 0..1 -> `pooled` (n, 1280) and the maps (n, channels, kept, kept)."""
        parts = [self._pass(part) for part in views.split(self.batch)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _pass(self, views: Tensor) -> Answers:
        filled = F.pad(views * 2 - 1, (0, 0, 0, 0, 0, 0, 0, self.batch - len(views)))
        answers = self._run(filled)
        return {name: answer[: len(views)] for name, answer in zip(("pooled", *MAPS), answers, strict=True)}


class Mapped(nn.Module):
    """Pooled features and inner maps of a Transformers MobileNetV2, in one pass."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.kept: dict[str, Tensor] = {}
        for name, (path, side) in MAPS.items():
            network.get_submodule(path).register_forward_hook(self._keeper(name, side))

    def _keeper(self, name: str, side: int) -> Callable[[nn.Module, Any, Tensor], None]:
        def keep(module: nn.Module, arguments: Any, output: Tensor) -> None:
            del module, arguments
            self.kept[name] = F.adaptive_avg_pool2d(output, side)

        return keep

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(n, 3, h, w) in -1..1 -> pooled, then the maps in the order of MAPS."""
        pooled = self.network(x).pooler_output
        return (pooled, *(self.kept[name] for name in MAPS))


def _in_torch(network: nn.Module) -> Callable[[Tensor], list[NDArray[np.float32]]]:
    def run(views: Tensor) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            return [answer.numpy() for answer in network(views)]

    return run


def _in_openvino(network: nn.Module, shape: tuple[int, ...]) -> Callable[[Tensor], list[NDArray[np.float32]]]:
    import openvino

    model = openvino.convert_model(network, example_input=torch.zeros(shape))
    model.reshape(list(shape))
    settings = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    request = openvino.compile_model(model, "CPU", settings).create_infer_request()

    def run(views: Tensor) -> list[NDArray[np.float32]]:
        request.infer([views.numpy()])
        return [np.array(request.get_output_tensor(index).data) for index in range(1 + len(MAPS))]

    return run
