"""Writing the program and the parameters of a network into the folder of an export, once for each try at its size."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scenetext.config import Config
from scenetext.data.transforms import Canvas
from scenetext.export.trace import Tracer
from scenetext.predict.model_files import FILE_NAME
from scenetext.predict.model_folder import ONNX
from scenetext.predict.onnx_conversion import convert_to_onnx

if TYPE_CHECKING:
    from scenetext.export.compress import QuantisedTensor
    from scenetext.models.recognition_model import RecognitionModel


class FolderWriter:
    """Writes one network in one format.

    Args:
        model: fused, its weights float32.
        config: the configuration it was built from.
        canvas: what lines are laid on.
        tracer: traces the program; for ONNX in the format "json".
        format: "json", "pdmodel" or "onnx".
        folder: holds `inference.yml` already; the files are written beside it.
        scratch: a folder for intermediate files.
    """

    def __init__(
        self,
        model: RecognitionModel,
        config: Config,
        canvas: Canvas,
        tracer: Tracer,
        format: str,
        folder: Path,
        scratch: Path,
    ):
        self.model, self.config, self.canvas = model, config, canvas
        self.tracer, self.format, self.folder, self.scratch = tracer, format, folder, scratch

    def write(self, quantised: Mapping[str, QuantisedTensor]) -> int:
        """Writes the network with these quantised weights in place of an earlier try.

        Returns:
            The bytes that count for the budget: program and parameters.
        """
        job = Path(tempfile.mkdtemp(prefix="trace-", dir=self.scratch))
        files = self.tracer.trace(self.model, self.config, quantised, job, self.canvas)
        for path in self.folder.iterdir():
            if path.is_file() and path.name != FILE_NAME:
                path.unlink()
        if self.format == "onnx":
            shutil.copy(self.folder / FILE_NAME, job)
            convert_to_onnx(job, self.folder / ONNX)
            files = [self.folder / ONNX]
        else:
            files = [Path(shutil.move(path, self.folder)) for path in files]
        shutil.rmtree(job)
        return sum(path.stat().st_size for path in files)
