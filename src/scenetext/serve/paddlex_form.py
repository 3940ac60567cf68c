"""Requests and answers in the form of PaddleX's serving of its OCR pipeline (`/ocr`), so that its clients work here.

The names are PaddleX's (https://paddlepaddle.github.io/PaddleX/latest/en/pipeline_usage/tutorials/ocr_pipelines/OCR.html,
"Development Integration/Deployment"). What this server cannot do is refused by name: addresses instead of pictures, PDF
files, networks that it does not have, thresholds that the exported detector's `inference.yml` sets.
"""

from __future__ import annotations

import base64
import uuid
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import BaseModel

from scenetext.data.transforms import decode_image
from scenetext.plots.photos import draw_photo
from scenetext.predict.detection_settings import DetectionSettings
from scenetext.serve.forms import DIGITS, from_base64
from scenetext.serve.limits import Refused
from scenetext.serve.service import ReadPhoto

PATH = "/ocr"
IMAGE = 1  # of fileType; 0 is PDF
JPEG_QUALITY = 85
NO_ANGLE = -1  # of a line whose direction was not looked at
ADDRESSES = ("http://", "https://")


class OcrRequest(BaseModel):
    """PaddleX's request for its OCR pipeline."""

    file: str
    fileType: Literal[0, 1] | None = None
    useDocOrientationClassify: bool | None = None
    useDocUnwarping: bool | None = None
    useTextlineOrientation: bool | None = None
    textDetLimitSideLen: int | None = None
    textDetLimitType: str | None = None
    textDetThresh: float | None = None
    textDetBoxThresh: float | None = None
    textDetUnclipRatio: float | None = None
    textRecScoreThresh: float | None = None
    returnWordBox: bool | None = None
    visualize: bool | None = None
    logId: str | None = None

    def picture(self) -> bytes:
        """The picture's bytes.

        Raises:
            Refused: the request asks for what this server cannot do.
        """
        for name in ("useDocOrientationClassify", "useDocUnwarping", "useTextlineOrientation", "returnWordBox"):
            if getattr(self, name):
                raise Refused(422, f"{name}: this server has no network for it; send false or leave it out.", "form")
        for name in self.model_fields_set:
            if name.startswith("textDet") and getattr(self, name) is not None:
                raise Refused(422, f"{name}: the exported detector's inference.yml sets it; leave it out.", "form")
        if self.file.startswith(ADDRESSES):
            raise Refused(422, "file is an address, which this server does not fetch: send the file in base64.", "form")
        if self.fileType not in (None, IMAGE):
            raise Refused(422, "fileType 0 is a PDF, and this server reads no PDFs: send pages as images.", "form")
        return from_base64(self.file, "file")


class OcrResult(BaseModel):
    """The texts of a picture in PaddleX's form, and the picture with them drawn beside it."""

    prunedResult: dict[str, Any]
    ocrImage: str | None = None
    inputImage: str | None = None


class ImageInfo(BaseModel):
    """The size of a picture."""

    width: int
    height: int
    type: Literal["image"] = "image"


class OcrResults(BaseModel):
    """The results of a request: one, of its picture."""

    ocrResults: list[OcrResult]
    dataInfo: ImageInfo


class OcrAnswer(BaseModel):
    """PaddleX's answer."""

    logId: str
    result: OcrResults
    errorCode: Literal[0] = 0
    errorMsg: Literal["Success"] = "Success"


class OcrProblem(BaseModel):
    """PaddleX's answer to a request that failed."""

    logId: str
    errorCode: int
    errorMsg: str


def new_log_id() -> str:
    """An identifier for an answer."""
    return str(uuid.uuid4())


def ocr_answer(request: OcrRequest, picture: bytes, read: ReadPhoto) -> OcrAnswer:
    """PaddleX's answer for a photo that was read.

    Args:
        request: what was asked.
        picture: the bytes of the picture.
        read: its texts.
    """
    result = OcrResult(prunedResult=pruned_result(read))
    if request.visualize in (None, True):
        image, lines = decode_image(picture, "The picture"), read.texts.lines
        drawn = draw_photo(image, [line.points for line in lines], [line.text for line in lines])
        result.ocrImage, result.inputImage = _jpeg(drawn), _jpeg(image)
    info = ImageInfo(width=read.width_px, height=read.height_px)
    return OcrAnswer(logId=request.logId or new_log_id(), result=OcrResults(ocrResults=[result], dataInfo=info))


def pruned_result(read: ReadPhoto) -> dict[str, Any]:
    """PaddleX's `prunedResult` of a photo that was read: the boxes of all texts, then those that are sure enough."""
    lines = read.texts.lines
    outlines = [line.points.tolist() for line in lines]
    return {
        "model_settings": {"use_doc_preprocessor": False, "use_textline_orientation": False},
        "dt_polys": outlines + [line.points.tolist() for line in read.texts.rejected],
        "text_det_params": _detection_params(read.model.detection),
        "text_type": "general",
        "textline_orientation_angles": [NO_ANGLE] * len(lines),
        "text_rec_score_thresh": read.min_confidence,
        "return_word_box": False,
        "rec_texts": [line.text for line in lines],
        "rec_scores": [round(line.confidence, DIGITS) for line in lines],
        "rec_polys": outlines,
        "rec_boxes": [np.concatenate([line.points.min(axis=0), line.points.max(axis=0)]).tolist() for line in lines],
    }


def _detection_params(detection: DetectionSettings | None) -> dict[str, Any]:
    if detection is None:
        return {}
    return {
        "limit_side_len": detection.size.limit_side_len,
        "limit_type": detection.size.limit_type,
        "max_side_limit": detection.size.longest_px,
        "thresh": detection.rule.thresh,
        "box_thresh": detection.rule.box_thresh,
        "unclip_ratio": detection.rule.unclip_ratio,
    }


def _jpeg(image: np.ndarray) -> str:
    _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    return base64.b64encode(data.tobytes()).decode()
