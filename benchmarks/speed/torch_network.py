"""The heatmap network of `lumbar.models` and its loss in PyTorch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def convolution(before: int, after: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    """Build a convolution without bias, batch normalisation and ReLU; the padding is that of Keras's "same"."""
    padding = (size - stride) // 2 if stride > 1 else size // 2
    return nn.Sequential(
        nn.Conv2d(before, after, size, stride, padding, bias=False),
        nn.BatchNorm2d(after, eps=1e-3, momentum=0.1),
        nn.ReLU(inplace=True),
    )


class Heatmap(nn.Module):
    """The network (batch, 1, 256, 256) → (batch, K, 64, 64), its layers in the order of `lumbar.models.heatmap`."""

    def __init__(self, channels: int, depth: int = 5, width: int = 16):
        super().__init__()
        filters = [min(2**step, 8) * width for step in range(depth)]
        self.first = convolution(1, 2 * width, 8, 4)
        self.down = nn.ModuleList(
            nn.Sequential(convolution(before, after), convolution(after, after))
            for before, after in zip([2 * width, *filters], filters, strict=False)
        )
        self.up = nn.ModuleList(
            nn.ModuleList([convolution(coarse, fine, 1), convolution(fine, fine)])
            for coarse, fine in zip(filters[:0:-1], filters[-2::-1], strict=True)
        )
        self.maps = nn.Conv2d(width, channels, 1)

    def forward(self, x):
        """Return the heatmaps of images."""
        x = self.first(x)
        skipped = []
        for step, block in enumerate(self.down):
            x = block(functional.max_pool2d(x, 2) if step else x)
            skipped.append(x)
        skipped.pop()
        for narrow, smooth in self.up:
            x = functional.interpolate(narrow(x), scale_factor=2, mode="bilinear", align_corners=False)
            x = smooth(x + skipped.pop())
        return self.maps(x)


def take_weights(network: Heatmap, weights: list) -> None:
    """Give the network the weights of the same network in Keras, as `keras.Model.get_weights` lists them."""
    waiting = iter(weights)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = torch.from_numpy(next(waiting).transpose(3, 2, 0, 1).copy())
            if layer.bias is not None:
                layer.bias.data = torch.from_numpy(next(waiting))
        elif isinstance(layer, nn.BatchNorm2d):
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(layer, name).data = torch.from_numpy(next(waiting))


def loss(points, maps, sigma: float = 0.45):
    """Return what `lumbar.losses.MapCrossEntropy` returns.

    Args:
        points: (batch, K, 2), unit coordinates; NaN where missing.
        maps: (batch, K, height, width), heatmaps before the softmax.
        sigma: Standard deviation of the Gaussian, pixels of the heatmap.
    """
    height, width = maps.shape[2:]
    missing = points.isnan().any(-1)
    target = torch.where(points.isnan(), 0.5, points)
    log_probability = functional.log_softmax(maps.flatten(2), dim=2).unflatten(2, (height, width))
    columns, rows = _gaussian(target[..., 0], width, sigma), _gaussian(target[..., 1], height, sigma)
    across = torch.einsum("bkx,bkyx->bky", columns, log_probability)
    each = -torch.einsum("bky,bky->bk", rows, across) - _entropy(columns) - _entropy(rows)
    return (each * ~missing).sum() / (~missing).sum().clamp(min=1)


def _gaussian(centre, size: int, sigma: float):
    grid = (torch.arange(size, dtype=torch.float32) + 0.5) / size
    density = torch.exp(-0.5 * ((grid - centre[..., None]) * (size / sigma)) ** 2)
    return density / density.sum(-1, keepdim=True)


def _entropy(probability):
    return -(probability * probability.clamp(min=1e-30).log()).sum(-1)


@torch.no_grad()
def mean_absolute_error(points, maps, reach: int = 3):
    """Return what `lumbar.losses.MeanAbsoluteErrorPixels` measures on one batch, pixels of the 256 frame."""
    height, width = maps.shape[2:]
    flat = maps.flatten(2)
    x = ((torch.arange(width) + 0.5) / width).repeat(height)
    y = ((torch.arange(height) + 0.5) / height).repeat_interleave(width)
    peak = flat.argmax(2, keepdim=True)
    far = torch.maximum((x - x[peak]).abs() * width, (y - y[peak]).abs() * height)
    probability = functional.softmax(torch.where(far < reach + 0.5, flat, -1e9), dim=2)
    return (probability @ torch.stack([x, y], 1) - points).abs().nanmean() * 256
