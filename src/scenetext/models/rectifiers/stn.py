"""STN_ON: a spatial transformer that rectifies a text line before it is read.

Papers: Jaderberg et al., Spatial Transformer Networks, arXiv:1506.02025; the thin-plate spline (Bookstein, PAMI 1989)
on points along the upper and the lower edge of the text is Shi et al., ASTER, PAMI 2018, section 3.1.
Reference: ppocr/modeling/transforms/stn.py and tps_spatial_transformer.py.
A small network predicts points on the edges of the text. A spline maps fixed points of the output image to these
points, and thereby each output pixel to the coordinates at which the image is sampled. Coordinates are (x, y) in 0..1.
Different here: the spline is linear in the points, so it is one constant matrix, computed in double precision.
PaddleOCR inverts its system in single precision and multiplies by two matrices, which moves the coordinates by up to
1e-5 of the image. The spline of RARE (tps.py) has other points, other coordinates and another value at distance zero.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import paddle
from paddle import Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import Assign, Constant, Normal

from scenetext.config.kinds import INT, Count, at_least
from scenetext.config.options import OptionError
from scenetext.models.blocks.layers import FoldableConv, conv2d, exact_matmul

CONV_CHANNELS = (32, 64, 128, 256, 256, 256)  # a 2x2 pool stands between each two
FEATURES = 512
FIRST_MARGIN = 0.01  # between the edges of the image and the points before training
ACTIVATIONS = ("none", "sigmoid")
Side = Annotated[int, at_least(INT, 2 ** (len(CONV_CHANNELS) - 1))]  # pixels; the pools leave at least one of them


def edge_points(count: int, margin_x: float, margin_y: float) -> np.ndarray:
    """Points along the edges of an image, half of them along the upper edge, half along the lower one, evenly spaced.

    Args:
        count: points, an even number.
        margin_x, margin_y: distance of the points from the image's edges, in 0..1 of its size.

    Returns:
        (count, 2) float64, x and y in 0..1.
    """
    x = np.linspace(margin_x, 1.0 - margin_x, count // 2)
    return np.stack([np.tile(x, 2), np.repeat([margin_y, 1.0 - margin_y], count // 2)], axis=1)


def spline_matrix(targets: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The thin-plate spline as a matrix.

    A spline f with f(targets[i]) = sources[i] bends least when it is f(p) = a + B p + sum_i c_i phi(|p - targets[i]|)
    with phi(r) = r^2 log r, sum_i c_i = 0 and sum_i c_i targets[i]^T = 0. These conditions are a linear system for
    (c, a, B) with `sources` on its right side, so that f(positions) = spline_matrix(targets, positions) @ sources.

    Args:
        targets: (N, 2) points whose values under f are given.
        positions: (P, 2) points at which f is evaluated.

    Returns:
        (P, N) float64.
    """

    def basis(points: np.ndarray) -> np.ndarray:
        square = np.square(points[:, None] - targets[None]).sum(axis=-1)  # r^2
        phi = 0.5 * square * np.log(np.where(square > 0.0, square, 1.0))
        return np.concatenate([phi, np.ones((len(points), 1)), points], axis=1)  # (P, N + 3)

    count = len(targets)
    system = np.zeros((count + 3, count + 3))
    system[:count] = basis(targets)
    system[count:, :count] = system[:count, count:].T
    return basis(positions) @ np.linalg.inv(system)[:, :count]


def shrink(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear interpolation that keeps the corners. (B, C, H, W) → (B, C, *size).

    It takes the place of F.interpolate(align_corners=True), which Paddle Inference with oneDNN computes as if
    align_corners were False.

    Args:
        x: the images.
        size: (height, width) in pixels, at least 2 each.
    """

    def weights(before: int, after: int) -> Tensor:
        """(after, before): 1 where a pixel is sampled, falling to 0 at a distance of 1 pixel."""
        sampled = paddle.arange(after, dtype="float32") * ((before - 1) / (after - 1))
        return F.relu(1.0 - (sampled.unsqueeze(1) - paddle.arange(before, dtype="float32")).abs())

    rows, columns = map(weights, x.shape[2:], size)
    return paddle.matmul(rows, paddle.matmul(x, columns, transpose_y=True))  # (B, C, *size)


class ConvBlock(FoldableConv):
    """3x3 convolution with a bias, batch normalisation, ReLU (keys `0`, `1`). (B, C, H, W) → (B, out, H, W)."""

    CONV = "0"
    BN = "1"

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(
            conv2d(in_channels, out_channels, 3, padding=1, bias=True), nn.BatchNorm2D(out_channels), nn.ReLU()
        )


class LinearBlock(nn.Sequential):
    """Linear layer, batch normalisation, ReLU (keys `0`, `1`). (B, in_features) → (B, out_features)."""

    def __init__(self, in_features: int, out_features: int):
        linear = nn.Linear(in_features, out_features, weight_attr=Normal(0.0, 0.001), bias_attr=Constant(0.0))
        super().__init__(linear, nn.BatchNorm1D(out_features), nn.ReLU())

    @paddle.no_grad()
    def fuse(self) -> None:
        """Folds the batch normalisation into the linear layer, in place; a second call changes nothing."""
        linear, bn = self[0], self[1]
        if isinstance(bn, nn.BatchNorm1D):
            factor = bn.weight / paddle.sqrt(bn._variance + bn._epsilon)
            linear.weight.set_value(linear.weight * factor)
            linear.bias.set_value(bn.bias + (linear.bias - bn._mean) * factor)
            self[1] = nn.Identity()


class STN(nn.Layer):
    """The localisation network, which predicts points on the text's edges. (B, in_channels, H, W) → (B, points, 2).

    Args:
        in_channels: channels of the image.
        input_size: (H, W) in pixels, at least 32 each.
        points: number of the points.
        activation: "none", or "sigmoid" to keep the points inside the image.
    """

    def __init__(self, in_channels: int, input_size: tuple[int, int], points: int, activation: str):
        super().__init__()
        layers = []
        for before, after in zip((in_channels, *CONV_CHANNELS), CONV_CHANNELS, strict=False):
            layers += [ConvBlock(before, after), nn.MaxPool2D(2, 2)]
        self.stn_convnet = nn.Sequential(*layers[:-1])
        rows, columns = (side // 2 ** (len(CONV_CHANNELS) - 1) for side in input_size)
        self.stn_fc1 = LinearBlock(CONV_CHANNELS[-1] * rows * columns, FEATURES)
        start = edge_points(points, FIRST_MARGIN, FIRST_MARGIN)
        if activation == "sigmoid":
            start = np.log(start / (1.0 - start))
        self.stn_fc2 = nn.Linear(
            FEATURES, points * 2, weight_attr=Constant(0.0), bias_attr=Assign(start.astype("float32").ravel())
        )
        self.points_shape = [0, points, 2]
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        x = self.stn_fc1(self.stn_convnet(x).flatten(1))  # (B, features)
        x = self.stn_fc2(0.1 * x).reshape(self.points_shape)
        return F.sigmoid(x) if self.activation == "sigmoid" else x  # (B, points, 2)


class STN_ON(nn.Layer):
    """(B, in_channels, H, W) → (B, in_channels, *tps_outputsize), the line rectified.

    Args:
        in_channels: channels of the image.
        tps_inputsize: (H, W) in pixels of the copy that the localisation network sees.
        tps_outputsize: (H, W) in pixels of the rectified image.
        num_control_points: points on the text's edges, an even number.
        tps_margins: distance (x, y) of the output's points from its edges, in 0..1 of its size.
        stn_activation: "none", or "sigmoid" to keep the points inside the image.
        input_size: (H, W) in pixels that lines are stretched to. A config without it takes the size that training
            images are resized to. The layer accepts any size, but a line must be resized as in training.

    Raises:
        OptionError: `stn_activation` is unknown, or `num_control_points` is odd.
    """

    def __init__(
        self,
        in_channels: int,
        tps_inputsize: tuple[Side, Side],
        tps_outputsize: tuple[Count, Count],
        num_control_points: Count,
        tps_margins: tuple[float, float],
        stn_activation: str,
        input_size: tuple[Count, Count] = (64, 256),
    ):
        super().__init__()
        if stn_activation not in ACTIVATIONS:
            raise OptionError(f"stn_activation is {stn_activation!r}; known are {', '.join(ACTIVATIONS)}.")
        if num_control_points % 2:
            raise OptionError(f"num_control_points is {num_control_points}; it must be even.")
        self.stn_head = STN(in_channels, tuple(tps_inputsize), num_control_points, stn_activation)
        self.tps_inputsize = tuple(tps_inputsize)
        height, width = tps_outputsize
        x, y = np.meshgrid(np.linspace(0.0, 1.0, width), np.linspace(0.0, 1.0, height))
        pixels = np.stack([x.ravel(), y.ravel()], axis=1)  # (H * W, 2)
        spline = spline_matrix(edge_points(num_control_points, *tps_margins), pixels).astype("float32")
        self.register_buffer("spline", paddle.to_tensor(spline), persistable=False)  # (H * W, points)
        self.grid_shape = [0, height, width, 2]
        self.input_size = tuple(input_size)
        self.out_channels = in_channels

    def forward(self, x: Tensor) -> Tensor:
        points = self.stn_head(shrink(x, self.tps_inputsize))
        grid = exact_matmul(self.spline, points)  # (B, H * W, 2)
        grid = paddle.clip(grid, 0.0, 1.0).reshape(self.grid_shape)  # outside the image, its edge
        return F.grid_sample(x, grid * 2.0 - 1.0, align_corners=True)  # (B, C, H, W)
