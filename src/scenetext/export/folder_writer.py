"""Writing the program and the parameters of a network into the folder of an export, once for each try at its size."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scenetext.export.network import ExportedNetwork
from scenetext.export.trace import Tracer
from scenetext.predict.model_files import FILE_NAME
from scenetext.predict.model_folder import ONNX
from scenetext.predict.onnx_conversion import convert_to_onnx

if TYPE_CHECKING:
    from scenetext.export.compress import QuantisedTensor


class FolderWriter:
    """Writes one network in one format.

    Args:
        network: what is exported, its model fused, its weights float32.
        tracer: traces the program; for ONNX in the format "json".
        format: "json", "pdmodel" or "onnx".
        folder: holds `inference.yml` already; the files are written beside it.
        scratch: a folder for intermediate files.
    """

    def __init__(
        self,
        network: ExportedNetwork,
        tracer: Tracer,
        format: str,
        folder: Path,
        scratch: Path,
    ):
        self.network = network
        self.tracer, self.format, self.folder, self.scratch = tracer, format, folder, scratch

    def write(self, quantised: Mapping[str, QuantisedTensor]) -> int:
        """Writes the network with these quantised weights in place of an earlier try.

        Returns:
            The bytes that count for the budget: program and parameters.
        """
        job = Path(tempfile.mkdtemp(prefix="trace-", dir=self.scratch))
        files = self.tracer.trace(self.network, quantised, job)
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
