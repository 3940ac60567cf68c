"""Global: length and rhythm of the training, where it starts, the dictionary, the device and its precision."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from scenetext.config.kinds import (
    COUNT,
    INT,
    INTERVAL,
    MOST_CHARACTERS,
    SEED,
    Count,
    Decay,
    Factor,
    Flag,
    Natural,
    OptionalText,
    OptionalTexts,
    Share,
    UnreadFlag,
    UnreadInt,
    UnreadShape,
    UnreadText,
    between,
    one_of,
    optional,
)
from scenetext.config.section import Section, wrong_below


class GlobalSettings(Section):
    """The section Global. Marked "(ours)": what PaddleOCR does not know."""

    epoch_num: Count = Field(100, description="times that the training set is seen")
    save_model_dir: OptionalText = Field(None, description="the run's folder")
    save_epoch_step: Count = Field(10**9, description="epochs between numbered checkpoints")
    eval_batch_step: Annotated[int | list[int], INTERVAL] = Field(
        [0, 2000], description="steps between evaluations, or the first step and the steps between"
    )
    eval_batch_epoch: Annotated[int | None, optional(COUNT)] = Field(
        None, description="epochs between evaluations, instead of eval_batch_step"
    )
    early_stop_evals: Natural = Field(
        0, description="(ours) stop after this many evaluations without a better one, 0 = never"
    )
    seed: Annotated[int, SEED] = Field(1024, description="seed of weights, order and augmentation")
    print_batch_step: Count = Field(10, description="steps between log lines")
    log_smooth_window: Count = Field(20, description="steps over which logged values are smoothed")
    pretrained_model: OptionalText = Field(
        None, description="weights to start from: file, prefix, address, tar, or rapidocr:PP-OCRv6_rec_small"
    )
    pth_img_mode: Annotated[str, one_of("RGB", "BGR")] = Field(
        "RGB", description="(ours) order of colours with which OpenOCR trained the weights of a .pth file"
    )
    weight_interpolation: Share = Field(
        1.0, description="(ours) the best weights are this far from the pretrained to the trained ones; 1 = all the way"
    )
    use_ema: Flag = Field(False, description="the best weights are a moving average over the steps")
    ema_decay: Decay = Field(0.9998, description="decay of that average; it rises to this over the first steps")
    ema_decay_type: Annotated[str, one_of("threshold")] = Field(
        "threshold", description="how the decay rises: min(ema_decay, (1 + step) / (10 + step))"
    )
    checkpoints: OptionalText = Field(None, description="prefix of the checkpoint from which training resumes")
    character_dict_path: OptionalText = Field(
        None, description="the dictionary, one character a line; without one 0-9a-z"
    )
    use_space_char: Flag = Field(False, description="whether a space follows the dictionary's characters")
    unknown_characters: Annotated[str, one_of("error", "drop")] = Field(
        "error",
        description="(ours) characters of training labels that the dictionary lacks: error, or drop them as PaddleOCR",
    )
    max_text_length: Annotated[int, between(INT, 1, MOST_CHARACTERS)] = Field(
        25, description="training leaves out lines with more characters"
    )
    use_gpu: Flag = Field(True, description="compute on a GPU where Paddle finds one")
    use_visualdl: Flag = Field(True, description="write curves and sample images for VisualDL")
    model_name: OptionalText = Field(
        None, description="the name by which the paddleocr package knows the exported folder"
    )
    use_amp: Flag = Field(False, description="train in mixed precision where there is a GPU")
    amp_level: Annotated[str, one_of("O1", "O2")] = Field(
        "O2", description="O1 halves operations that are known as safe, O2 almost all"
    )
    amp_dtype: Annotated[str, one_of("float16", "bfloat16")] = Field(
        "float16", description="half precision's number format"
    )
    amp_custom_black_list: OptionalTexts = Field(None, description="operations kept out of half precision")
    amp_custom_white_list: OptionalTexts = Field(None, description="operations taken into half precision")
    scale_loss: Factor = Field(
        1.0, description="float16's loss is multiplied by this at first, and its gradient divided"
    )
    use_dynamic_loss_scaling: Flag = Field(
        False, description="that factor falls when gradients overflow and rises in time"
    )

    @model_validator(mode="after")
    def _check_lists(self) -> GlobalSettings:
        both = sorted({*(self.amp_custom_black_list or ())} & {*(self.amp_custom_white_list or ())})
        if both:
            raise wrong_below(f"and amp_custom_white_list both hold {both[0]!r}: keep one.", "amp_custom_black_list")
        return self

    debug: UnreadFlag = Field(None, description="more logging")
    infer_mode: UnreadFlag = Field(None, description="prediction never squeezes long lines here")
    infer_img: UnreadText = Field(None, description="pictures to read: `scenetext predict --images` says which")
    infer_list: UnreadText = Field(None, description="pictures to read, by a list")
    save_res_path: UnreadText = Field(None, description="where to write texts: `scenetext predict --out` says where")
    save_inference_dir: UnreadText = Field(None, description="where to export to: `scenetext export --out` says where")
    character_type: UnreadText = Field(None, description="the language, a leftover of version 1")
    distributed: UnreadFlag = Field(None, description="several processes: paddle.distributed.launch says so by itself")
    d2s_train_image_shape: UnreadShape = Field(None, description="image shape when a static graph is trained")
    to_static: UnreadFlag = Field(None, description="train a static graph")
    export_with_pir: UnreadFlag = Field(None, description="the exported format: `scenetext export --format` says which")
    uniform_output_enabled: UnreadFlag = Field(None, description="PaddleX's output folders")
    calc_epoch_interval: UnreadInt = Field(None, description="epochs between scores of the training batches")
    load_static_weights: UnreadFlag = Field(None, description="weights of Paddle 1")
    use_sync_bn: UnreadFlag = Field(None, description="batch statistics over all GPUs")
    use_xpu: UnreadFlag = Field(None, description="another kind of device")
    use_npu: UnreadFlag = Field(None, description="another kind of device")
    use_mlu: UnreadFlag = Field(None, description="another kind of device")
    use_gcu: UnreadFlag = Field(None, description="another kind of device")
    cal_metric_during_train: UnreadFlag = Field(None, description="score the training batches, too")
