"""TPS: a thin-plate spline that rectifies a text line before it is read.

Paper: Shi et al., Robust Scene Text Recognition with Automatic Rectification, CVPR 2016, arXiv:1603.03915, section 3.1;
the spline is Bookstein's (PAMI 1989), the sampler that of spatial transformers (arXiv:1506.02025).
Reference: ppocr/modeling/transforms/tps.py.
Different here: the two constant factors of the spline are computed once; the reference computes them for every batch.
Each is rounded to float32 alone, as in the reference: their product, rounded once, would be more exact by a thousandth
of a pixel but would change the reference's training losses by 0.7 %. The reference's linear layer for the three side
conditions of the spline has weights of zero and a learning rate of zero; it is kept, frozen, because weight files hold
it.
"""

from __future__ import annotations

import math

import numpy as np
import paddle
from paddle import ParamAttr, Tensor, nn
from paddle.nn import functional as F
from paddle.nn.initializer import Assign, Constant, Uniform

from scenetext.config.kinds import Count, Rate
from scenetext.config.options import OptionError
from scenetext.models.blocks.layers import ConvBN, exact_matmul, freeze

# channels of the localisation network's convolutions, width of its hidden layer
SIZES = {"small": ((16, 32, 64, 128), 64), "large": ((64, 128, 256, 512), 256)}
RADIUS_EPSILON = 1e-6  # the reference's, within the logarithm


class LocalizationNetwork(nn.Layer):
    """Predicts the fiducial points of the text. (B, 3, H, W) → (B, points, 2), x and y in [-1, 1].

    Before training, the points lie on two slanted lines in every image (figure 6a of the paper).

    Args:
        in_channels: channels of the image.
        num_fiducial: points.
        loc_lr: factor on the optimiser's learning rate for the linear layers.
        model_name: a key of SIZES.
    """

    def __init__(self, in_channels: int, num_fiducial: int, loc_lr: float, model_name: str):
        super().__init__()
        channels, hidden = SIZES[model_name]
        self.names = [f"loc_conv{index}" for index in range(len(channels))]
        for name, out_channels in zip(self.names, channels, strict=True):
            self.add_sublayer(name, ConvBN(in_channels, out_channels, 3, activation=nn.ReLU()))
            in_channels = out_channels
        bound = 1.0 / math.sqrt(in_channels)
        self.fc1 = nn.Linear(
            in_channels, hidden, weight_attr=ParamAttr(initializer=Uniform(-bound, bound), learning_rate=loc_lr)
        )
        points = slanted_lines(num_fiducial).ravel().astype(np.float32)
        self.fc2 = nn.Linear(
            hidden,
            num_fiducial * 2,
            weight_attr=ParamAttr(initializer=Constant(0.0), learning_rate=loc_lr),
            bias_attr=ParamAttr(initializer=Assign(points), learning_rate=loc_lr),
        )

    def forward(self, x: Tensor) -> Tensor:
        for name in self.names[:-1]:
            x = F.max_pool2d(getattr(self, name)(x), 2)
        x = F.adaptive_avg_pool2d(getattr(self, self.names[-1])(x), 1).flatten(1)  # (B, C)
        return self.fc2(F.relu(self.fc1(x))).reshape([0, -1, 2])  # (B, points, 2)


class GridGenerator(nn.Layer):
    """Evaluates the spline through the fiducial points at every pixel of the rectified image.

    (B, points, 2) → (B, height, width, 2), coordinates in the image to sample at.

    Args:
        num_fiducial: points.
        height_px, width_px: of the rectified image.
    """

    def __init__(self, num_fiducial: int, height_px: int, width_px: int):
        super().__init__()
        self.size = (height_px, width_px)
        self.fc = nn.Linear(num_fiducial * 2, 6, ParamAttr(initializer=Constant(0.0)))
        freeze(self.fc)
        base = base_points(num_fiducial)
        self._constant("solver", spline_solver(base))  # (points + 3, points + 3)
        self._constant("terms", spline_terms(base, height_px, width_px))  # (H * W, points + 3)

    def _constant(self, name: str, value: np.ndarray) -> None:
        self.register_buffer(name, paddle.to_tensor(value.astype(np.float32)), persistable=False)

    def forward(self, points: Tensor) -> Tensor:
        side = self.fc(points.flatten(1)).detach().reshape([0, 3, 2])  # (B, 3, 2), zero unless a weight file differs
        coefficients = exact_matmul(self.solver, paddle.concat([points, side], axis=1))  # (B, points + 3, 2)
        grid = exact_matmul(self.terms, coefficients)  # (B, H * W, 2)
        return grid.reshape([0, *self.size, 2])  # (B, H, W, 2)


class TPS(nn.Layer):
    """(B, 3, any height, any width) → (B, 3, H, W), the text rectified.

    Args:
        in_channels: channels of the image.
        num_fiducial: points that the spline goes through, half of them along the text's upper edge, half along its
            lower one.
        loc_lr: factor on the optimiser's learning rate for the last two layers that predict the points.
        model_name: "small" or "large", the network that predicts them.
        input_size: (height, width) in pixels, of the image and of the rectified image. A config without it takes the
            size that training images are resized to.

    Raises:
        OptionError: `model_name` is unknown, or `num_fiducial` is odd or below 6.
    """

    def __init__(
        self,
        in_channels: int,
        num_fiducial: Count = 20,
        loc_lr: Rate = 0.1,
        model_name: str = "small",
        input_size: tuple[Count, Count] = (32, 100),
    ):
        super().__init__()
        if model_name not in SIZES:
            raise OptionError(f"model_name is {model_name!r}; known are {', '.join(SIZES)}.")
        if num_fiducial < 6 or num_fiducial % 2:
            raise OptionError(f"num_fiducial is {num_fiducial}; it must be even, at least 6.")
        self.loc_net = LocalizationNetwork(in_channels, num_fiducial, loc_lr, model_name)
        self.grid_generator = GridGenerator(num_fiducial, *input_size)
        self.out_channels = in_channels
        self.input_size = tuple(input_size)

    def forward(self, images: Tensor) -> Tensor:
        grid = self.grid_generator(self.loc_net(images))
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=True)  # (B, C, H, W)


def slanted_lines(num_fiducial: int) -> np.ndarray:
    """The fiducial points before training, (points, 2) float64: two parallel lines that rise to the right."""
    x = np.linspace(-1.0, 1.0, num_fiducial // 2)
    upper, lower = np.linspace(0.0, -1.0, num_fiducial // 2), np.linspace(1.0, 0.0, num_fiducial // 2)
    return np.concatenate([np.stack([x, upper], 1), np.stack([x, lower], 1)])


def base_points(num_fiducial: int) -> np.ndarray:
    """The points of the rectified image that the fiducial points map to, (points, 2) float64: its two long edges."""
    x = np.linspace(-1.0, 1.0, num_fiducial // 2)
    return np.concatenate([np.stack([x, -np.ones_like(x)], 1), np.stack([x, np.ones_like(x)], 1)])


def spline_solver(base: np.ndarray) -> np.ndarray:
    """The matrix from the points and the three side conditions to the spline's coefficients (paper, equation 3).

    With base points c_i and the distance r of two points, the spline at p is a0 + a p + sum of b_i r(p, c_i)^2 log
    r(p, c_i).

    Args:
        base: (points, 2) float64, from `base_points`.

    Returns:
        (points + 3, points + 3) float64.
    """
    between = _distances(base, base) + np.eye(len(base))  # a point's distance to itself counts as 1, its logarithm 0
    ones = np.ones((len(base), 1))
    system = [
        [ones, base, between**2 * np.log(between)],
        [np.zeros((2, 3)), base.T],
        [np.zeros((1, 3)), ones.T],
    ]
    return np.linalg.inv(np.block(system))


def spline_terms(base: np.ndarray, height_px: int, width_px: int) -> np.ndarray:
    """The spline's terms at every pixel, row by row, to be multiplied by its coefficients.

    Args:
        base: (points, 2) float64, from `base_points`.
        height_px, width_px: of the rectified image.

    Returns:
        (height_px * width_px, points + 3) float64.
    """
    rows, columns = (np.arange(1 - n, n, 2) / n for n in (height_px, width_px))  # centres of the pixels
    pixels = np.stack(np.meshgrid(columns, rows), 2).reshape(-1, 2)  # (H * W, 2)
    distance = _distances(pixels, base)
    return np.concatenate([np.ones((len(pixels), 1)), pixels, distance**2 * np.log(distance + RADIUS_EPSILON)], 1)


def _distances(points: np.ndarray, base: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - base[None], axis=2)  # (len(points), len(base))
