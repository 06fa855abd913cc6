"""Views: what the student and the teacher see of an image, batched. Random crops, turns, colours and mixtures.

A batch is float32 (n, 3, side, side) in 0..1.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from pretraining.vision.fields import Picture, Rng

SMALLEST_CROP = 28  # pixels of a photograph that may become a whole view


class Photographs:
    """The two that scikit-learn bundles (`china.jpg`, `flower.jpg`, both CC BY 2.0), cut at every scale."""

    def __init__(self) -> None:
        from sklearn.datasets import load_sample_images

        self.images = [Image.fromarray(image) for image in load_sample_images().images]

    def __call__(self, rng: Rng, side: int) -> Picture:
        """A random square of one of them, (side, side, 3) in 0..1."""
        image = self.images[int(rng.integers(len(self.images)))]
        size = float(np.exp(rng.uniform(math.log(SMALLEST_CROP), math.log(min(image.size)))))
        left, top = rng.uniform(0, image.width - size), rng.uniform(0, image.height - size)
        cut = image.resize((side, side), Image.Resampling.BICUBIC, box=(left, top, left + size, top + size))
        return np.asarray(cut, np.float32) / 255


def take(generator: torch.Generator, bases: Tensor, count: int, side: int) -> Tensor:
    """`count` views of random bases, uint8 (m, 3, h, h)."""
    chosen = torch.randint(len(bases), (count * 4 // 3,), generator=generator)
    views = _crop(generator, bases[chosen].float() / 255, side)
    views = views[views.std((1, 2, 3)).argsort(descending=True)[:count].sort().values]  # the flattest teach little
    views = _mix(generator, views)
    views = _recolour(generator, views)
    return _coarsen(generator, views).clamp_(0, 1)


def _uniform(generator: torch.Generator, count: int, low: float, high: float) -> Tensor:
    return torch.empty(count).uniform_(low, high, generator=generator)


def _crop(generator: torch.Generator, images: Tensor, side: int) -> Tensor:
    """A scaled, turned, stretched and mirrored part of each image."""
    count = len(images)
    scale = torch.exp(_uniform(generator, count, math.log(0.3), math.log(1.05)))
    stretch = torch.exp(_uniform(generator, count, -0.25, 0.25))
    turned = _uniform(generator, count, 0, 1) < 0.4
    angle = _uniform(generator, count, -0.5, 0.5) * turned
    mirror = (_uniform(generator, count, 0, 1) < 0.5).float() * 2 - 1
    room = (1 - scale).clamp(min=0)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = scale * stretch * angle.cos() * mirror
    theta[:, 0, 1] = -scale * angle.sin()
    theta[:, 1, 0] = scale * angle.sin() * mirror
    theta[:, 1, 1] = scale / stretch * angle.cos()
    theta[:, 0, 2] = _uniform(generator, count, -1, 1) * room
    theta[:, 1, 2] = _uniform(generator, count, -1, 1) * room
    places = F.affine_grid(theta, [count, 3, side, side], align_corners=False)
    return F.grid_sample(images, places, mode="bilinear", padding_mode="reflection", align_corners=False)


def _mix(generator: torch.Generator, views: Tensor) -> Tensor:
    """Three tenths get a rectangle of another view (CutMix, https://arxiv.org/abs/1905.04899), a tenth are blended."""
    side, mixed = views.shape[-1], views.clone()
    for index, choice in enumerate(_uniform(generator, len(views), 0, 1).tolist()):
        other = int(torch.randint(len(views), (1,), generator=generator))
        if choice < 0.3:
            x, y, w, h = (int(v) for v in _uniform(generator, 4, 0.15, 0.75) * side)
            mixed[index, :, y : y + h, x : x + w] = views[other, :, y : y + h, x : x + w]
        elif choice < 0.4:
            mixed[index].lerp_(views[other], float(_uniform(generator, 1, 0.2, 0.5)))
    return mixed


def _recolour(generator: torch.Generator, views: Tensor) -> Tensor:
    """Brightness, contrast, saturation, tint, grey, inverted, mirrored channels."""
    count = len(views)

    def each(low: float, high: float) -> Tensor:
        return _uniform(generator, count, low, high)[:, None, None, None]

    orders = torch.stack([torch.randperm(3, generator=generator) for _ in range(count)])
    orders[_uniform(generator, count, 0, 1) > 0.2] = torch.arange(3)
    views = views.gather(1, orders[:, :, None, None].expand_as(views))
    mean = views.mean((1, 2, 3), keepdim=True)
    views = ((views - mean) * each(0.6, 1.6) + mean * each(0.8, 1.4)).clamp(0.001, 1) ** each(0.5, 1.3)
    grey = views.mean(1, keepdim=True)
    saturation = each(0.3, 1.4) * (each(0, 1) > 0.1)
    views = grey + (views - grey) * saturation
    views = views * (1 + torch.empty(count, 3, 1, 1).uniform_(-0.12, 0.12, generator=generator))
    return torch.where(each(0, 1) < 0.05, 1 - views, views)


def _coarsen(generator: torch.Generator, views: Tensor) -> Tensor:
    """A quarter of the views lose their detail, as small photographs that were enlarged; a fifth get grain."""
    side = views.shape[-1]
    order = torch.randperm(len(views), generator=generator).split(max(1, len(views) // 16))
    for part in order[:4]:
        small = int(_uniform(generator, 1, 24, 72))
        shrunk = F.interpolate(views[part], size=small, mode="bilinear", antialias=True)
        views[part] = F.interpolate(shrunk, size=side, mode="bicubic")
    for part in order[4:7]:
        grain = torch.empty_like(views[part]).normal_(0, float(_uniform(generator, 1, 0.01, 0.06)), generator=generator)
        views[part] = views[part] + grain
    return views
