"""Options of a network's parts: what cannot be built is refused where the config says it, and nothing is ignored."""

from __future__ import annotations

import inspect
import re
import warnings

import paddle
import pytest

from scenetext.config import load_config
from scenetext.config.construct import construct
from scenetext.config.options import ANYTHING, checked, kind_of
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.models.build import BACKBONES, HEADS, NECKS, TRANSFORMS
from scenetext.models.heads.nrtr_head import NRTRHead
from scenetext.models.necks.sequence_encoder import MAP_ENCODERS, SEQUENCE_ENCODERS, SequenceEncoder

CLASSES = 9
# for each backbone the options that make it small
SMALL = {
    "MobileNetV3": {"scale": 0.35},
    "PPLCNetV3": {"scale": 0.1, "conv_kxk_num": 1},
    "PPLCNetV4": {"model_size": "tiny"},
    "ResNet": {"layers": 18},
    "SVTRNet": {
        "img_size": [16, 24],
        "embed_dim": [8, 8, 16],
        "depth": [1, 1, 1],
        "num_heads": [2, 2, 2],
        "mixer": ["Local", "Conv", "Global"],
        "local_mixer": [[3, 5], [3, 5], [3, 5]],
    },
    "SVTRv2": {
        "dims": [16, 16, 32],
        "depths": [1, 1, 1],
        "num_heads": [2, 2, 2],
        "mixer": [["Conv"], ["Conv"], ["Global"]],
    },
}
TPS = {"name": "TPS", "num_fiducial": 6}
STN_ON = {"name": "STN_ON", "tps_inputsize": [32, 64], "tps_outputsize": [16, 24], "num_control_points": 6}
STN_ON |= {"tps_margins": [0.05, 0.05], "stn_activation": "none"}
RNN = {"name": "SequenceEncoder", "encoder_type": "rnn", "hidden_size": 4}
SVTR = {"name": "SequenceEncoder", "encoder_type": "svtr", "dims": 8, "hidden_dims": 8, "num_heads": 2}
LIGHT = {"name": "SequenceEncoder", "encoder_type": "lightsvtr", "dims": 8, "num_heads": 2}
RESHAPE = {"name": "SequenceEncoder", "encoder_type": "reshape"}
CTC = {"name": "CTCHead"}
ATTENTION = {"name": "AttentionHead", "hidden_size": 4}


def backbone(name, **options):
    return {"Backbone": {"name": name, **SMALL[name], **options}}


def multi_head(ctc=None, guide=None, **options):
    listed = [{"CTCHead": ctc or {}}, *([{"NRTRHead": guide}] if guide else [])]
    return {"Neck": None, "Head": {"name": "MultiHead", "head_list": listed, **options}}


def build(change):
    whole = {**backbone("MobileNetV3"), "Neck": RNN, "Head": CTC} | change
    return build_model({"Architecture": whole}, CLASSES)


BACKBONE, NECK, HEAD, TRANSFORM = (f"Architecture.{part}" for part in ("Backbone", "Neck", "Head", "Transform"))
REFUSED = [
    # a word of no table, with those that are
    (backbone("PPLCNetV4", model_size="base"), f"{BACKBONE}.model_size must be one of tiny, small, medium, not 'base'"),
    (backbone("MobileNetV3", model_name="medium"), f"{BACKBONE}.model_name must be one of large, small, not 'medium'"),
    (
        backbone("MobileNetV3", model_name=["small"]),
        f"{BACKBONE}.model_name must be one of large, small, not ['small']",
    ),
    (backbone("ResNet", layers=35), f"{BACKBONE}.layers must be one of 18, 34, 50, 101, 152, 200, not 35"),
    (backbone("ResNet", layers="35"), "101, 152, 200, not '35'"),
    ({"Neck": RESHAPE | {"encoder_type": "gru"}}, f"{NECK}.encoder_type is 'gru'; known are reshape, rnn"),
    (backbone("PPLCNetV4", model_size=None, config_name="base"), f"{BACKBONE}.config_name is 'base'; known are tiny"),
    ({"Transform": TPS | {"model_name": "tiny"}}, f"{TRANSFORM}.model_name is 'tiny'; known are small, large"),
    ({"Transform": TPS | {"input_size": [0, 10]}}, f"{TRANSFORM}.input_size must be a list of 2 whole numbers"),
    (
        {"Transform": STN_ON | {"tps_inputsize": [16, 64]}},
        f"{TRANSFORM}.tps_inputsize must be a list of 2 whole numbers",
    ),
    (
        {"Transform": STN_ON | {"stn_activation": "tanh"}},
        f"{TRANSFORM}.stn_activation is 'tanh'; known are none, sigmoid",
    ),
    # sizes that no memory holds, and factors that leave nothing
    (backbone("MobileNetV3", scale=10**9), f"{BACKBONE}.scale is 1000000000: no network has a part of more than 10000"),
    ({"Neck": RNN | {"hidden_size": 10**6}}, f"{NECK}.hidden_size is 1000000: no network has a part of more than"),
    (backbone("SVTRv2", dims=[128, 256, 10**5]), f"{BACKBONE}.dims is [128, 256, 100000]: no network has a part of"),
    (backbone("SVTRNet", qk_scale=0), f"{BACKBONE}.qk_scale must be a number above 0 or nothing, not 0"),
    (backbone("SVTRNet", epsilon=0), f"{BACKBONE}.epsilon must be a number above 0, not 0"),
    # another type
    (backbone("MobileNetV3", scale="half"), f"{BACKBONE}.scale must be a number above 0, not 'half'"),
    (backbone("MobileNetV3", scale=True), f"{BACKBONE}.scale must be a number above 0, not True"),
    (backbone("MobileNetV3", scale=None), f"{BACKBONE}.scale must be a number above 0, not None"),
    (backbone("MobileNetV3", scale=float("nan")), f"{BACKBONE}.scale must be a number above 0, not nan"),
    (backbone("MobileNetV3", disable_se=1), f"{BACKBONE}.disable_se must be true or false, not 1"),
    (backbone("PPLCNetV3", conv_kxk_num=1.5), f"{BACKBONE}.conv_kxk_num must be a whole number of at least 1, not 1.5"),
    (
        backbone("PPLCNetV4", lr_mult_list=1.0),
        f"{BACKBONE}.lr_mult_list must be a list of numbers of at least 0, not 1.0",
    ),
    (backbone("SVTRv2", dims=48), f"{BACKBONE}.dims must be a list of whole numbers of at least 1, not 48"),
    (backbone("SVTRv2", mixer="Conv"), f"{BACKBONE}.mixer must be a list of lists of texts, not 'Conv'"),
    (
        {"Transform": TPS | {"num_fiducial": "many"}},
        f"{TRANSFORM}.num_fiducial must be a whole number of at least 1, not 'many'",
    ),
    (
        {"Transform": TPS | {"input_size": 32}},
        f"{TRANSFORM}.input_size must be a list of 2 whole numbers of at least 1, not 32",
    ),
    ({"Transform": STN_ON | {"tps_margins": 0.1}}, f"{TRANSFORM}.tps_margins must be a list of 2 numbers, not 0.1"),
    ({"Neck": RNN | {"hidden_size": "wide"}}, f"{NECK}.hidden_size must be a whole number of at least 1, not 'wide'"),
    ({"Neck": SVTR | {"dims": "big"}}, f"{NECK}.dims must be a whole number of at least 1, not 'big'"),
    (
        {"Head": CTC | {"mid_channels": "wide"}},
        f"{HEAD}.mid_channels must be a whole number of at least 1 or nothing, not 'wide'",
    ),
    (multi_head(use_pool="no"), f"{HEAD}.use_pool must be true or false, not 'no'"),
    (multi_head(head_list=None), f"{HEAD}.head_list must be a list of mappings, not None"),
    (multi_head(head_list={"CTCHead": None}), f"{HEAD}.head_list must be a list of mappings, not {{'CTCHead': None}}"),
    (
        multi_head(guide={"nrtr_dim": "wide"}),
        f"{HEAD}.head_list.NRTRHead.nrtr_dim must be a multiple of 32, not 'wide'",
    ),
    (
        multi_head({"Head": {"fc_decay": "little"}}),
        f"{HEAD}.head_list.CTCHead.Head.fc_decay must be a number of at least 0, not 'little'",
    ),
    (multi_head({"Head": [1]}), "CTCHead.Head must be a mapping of options, not [1]"),
    # too many, too few
    (
        backbone("MobileNetV3", small_stride=[1, 2]),
        f"{BACKBONE}.small_stride must be a list of 4 whole numbers of at least",
    ),
    (backbone("PPLCNetV3", lr_mult_list=[1, 1, 1]), f"{BACKBONE}.lr_mult_list has 3 factors; it takes 6"),
    (backbone("PPLCNetV4", lr_mult_list=[1, 1, 1]), f"{BACKBONE}.lr_mult_list has 3 factors; it takes 6"),
    (
        backbone("SVTRNet", img_size=[32]),
        f"{BACKBONE}.img_size must be a list of 2 whole numbers of at least 1, not [32]",
    ),
    (
        backbone("SVTRNet", depth=[1, 2]),
        f"{BACKBONE}.depth must be a list of 3 whole numbers of at least 1, not [1, 2]",
    ),
    # numbers out of range
    (backbone("MobileNetV3", scale=0), f"{BACKBONE}.scale must be a number above 0, not 0"),
    (backbone("PPLCNetV3", scale=0), f"{BACKBONE}.scale must be a number above 0, not 0"),
    (backbone("PPLCNetV3", lr_mult_list=[-1] * 6), f"{BACKBONE}.lr_mult_list must be a list of numbers of at least 0"),
    (backbone("SVTRNet", drop_rate=2), f"{BACKBONE}.drop_rate must be a number from 0 to 1, not 2"),
    (
        backbone("SVTRNet", local_mixer=[[2, 5]] * 3),
        f"{BACKBONE}.local_mixer must be a list of 3 lists of 2 odd numbers",
    ),
    (backbone("SVTRv2", conv_kernels=[4]), f"{BACKBONE}.conv_kernels must be a list of odd numbers above 0, not [4]"),
    (backbone("SVTRv2", sub_k=[[-1, 1], [2, 1], [-1, -1]]), f"{BACKBONE}.sub_k.0 is [-1, 1]"),
    (
        {"Neck": SVTR | {"kernel_size": [1, 2]}},
        f"{NECK}.kernel_size must be a list of 2 odd numbers above 0, not [1, 2]",
    ),
    (
        {"Neck": RNN, "Head": ATTENTION | {"batch_max_length": 0}},
        f"{HEAD}.batch_max_length must be a whole number of at",
    ),
    (
        multi_head(guide={"num_decoder_layers": 0}),
        f"{HEAD}.head_list.NRTRHead.num_decoder_layers must be a whole number of",
    ),
    # heads that do not divide the channels
    (backbone("SVTRNet", num_heads=[2, 3, 2]), f"{BACKBONE}.num_heads.1 is 3, which does not divide embed_dim.1, 8"),
    (backbone("SVTRv2", num_heads=[2, 2, 5]), f"{BACKBONE}.num_heads.2 is 5, which does not divide dims.2, 32"),
    (backbone("SVTRv2", num_heads=[3, 2, 2]), f"{BACKBONE}.num_heads.0 is 3, which does not divide dims.0, 16"),
    (
        {"Neck": SVTR | {"hidden_dims": 100, "num_heads": 8}},
        f"{NECK}.num_heads is 8, which does not divide hidden_dims, 100",
    ),
    ({"Neck": LIGHT | {"dims": 9}}, f"{NECK}.num_heads is 2, which does not divide dims, 9"),
    (multi_head({"Neck": {"name": "svtr", "hidden_dims": 9}}), ".num_heads is 8, which does not divide hidden_dims, 9"),
    (multi_head({"Neck": {"name": "gru"}}), ".encoder_type is 'gru'; known are reshape, rnn, lightsvtr, svtr"),
    (multi_head(guide={"nrtr_dim": 100}), f"{HEAD}.head_list.NRTRHead.nrtr_dim must be a multiple of 32, not 100"),
    # what another class takes, or none
    ({"Neck": RESHAPE | {"dims": 64}}, f"{NECK}.dims is an option of an encoder, and reshape is none"),
    ({"Neck": RNN | {"dims": 64}}, f"{NECK}.dims is not an argument of EncoderWithRNN"),
    ({"Head": {"name": "AttentionHead"}}, f"{HEAD}.hidden_size is missing, and AttentionHead needs it"),
    (backbone("PPLCNetV3", det=True), f"{BACKBONE}.det is true, which means a detector's backbone; set det: false"),
    (backbone("PPLCNetV4", det=True), f"{BACKBONE}.det is true, which means a detector's backbone; set det: false"),
    (backbone("PPLCNetV4", use_rep=False), f"{BACKBONE}.use_rep is False; the network of size tiny has True"),
    (
        backbone("PPLCNetV4", stem_type="branch"),
        f"{BACKBONE}.stem_type is 'branch'; the network of size tiny has 'simple'",
    ),
    (backbone("PPLCNetV4", stem_channels=96), f"{BACKBONE}.stem_channels is 96; the network of size tiny has 48"),
    (backbone("PPLCNetV4", config_name="small"), f"{BACKBONE}.config_name is 'small' and model_size 'tiny'"),
    # what only Paddle finds out
    (
        {"Head": CTC | {"mid_channels": 0}},
        f"{HEAD}.mid_channels must be a whole number of at least 1 or nothing, not 0",
    ),
    ({"Head": CTC | {"fc_decay": -1e-5}}, f"{HEAD}.fc_decay must be a number of at least 0, not -1e-05"),
    (multi_head({"Neck": {"dims": 8}}), f"{HEAD}.head_list.CTCHead.Neck lacks a name; known are reshape"),
    (multi_head({"Neck": {"dims": 8}}), HEAD),  # an encoder without a name
]


@pytest.mark.parametrize("change, message", REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_built_is_refused_where_the_config_says_it(change, message):
    with pytest.raises(InputError, match=re.escape(message)):
        build(change)


@pytest.mark.parametrize(
    "change, quoted",
    [
        (backbone("PPLCNetV3", scale=0.1), backbone("PPLCNetV3", scale="0.1")),
        (backbone("ResNet", layers=18), backbone("ResNet", layers="18")),
        ({"Transform": TPS | {"num_fiducial": 6}}, {"Transform": TPS | {"num_fiducial": "6"}}),
        (
            {"Head": CTC | {"mid_channels": 8, "fc_decay": 1e-5}},
            {"Head": CTC | {"mid_channels": "8", "fc_decay": "1e-5"}},
        ),
        (multi_head(guide={"nrtr_dim": 32}), multi_head(guide={"nrtr_dim": "32"})),
        (backbone("SVTRv2"), backbone("SVTRv2", dims=["16", 16.0, 32])),
    ],
)
def test_a_number_in_quotes_is_one_as_elsewhere_in_a_config(change, quoted):
    plain, own = (build(each) for each in (change, quoted))
    assert [(k, p.shape) for k, p in own.named_parameters()] == [(k, p.shape) for k, p in plain.named_parameters()]
    if change.get("Head", {}).get("fc_decay"):
        assert own.head.fc1.weight.regularizer._coeff == plain.head.fc1.weight.regularizer._coeff == 1e-5


def test_within_a_distillation_the_place_is_the_networks_own():
    networks = {"Teacher": backbone("MobileNetV3") | {"Neck": RNN, "Head": CTC}}
    networks["Student"] = backbone("PPLCNetV3", lr_mult_list=[1]) | {"Neck": RNN, "Head": CTC}
    config = {"Architecture": {"name": "DistillationModel", "algorithm": "Distillation", "Models": networks}}
    with pytest.raises(InputError, match=r"^Architecture\.Models\.Student\.Backbone\.lr_mult_list has 1 factors"):
        build_model(config, CLASSES)


@pytest.mark.parametrize(
    "change, location, own",
    [
        ({"Head": CTC | {"out_channels": 7}}, f"{HEAD}.out_channels is 7", CLASSES),  # the dictionary's classes
        ({"Head": CTC | {"in_channels": 7}}, f"{HEAD}.in_channels is 7", 8),  # the neck's channels
        ({"Neck": RNN | {"in_channels": "x"}}, f"{NECK}.in_channels is 'x'", 200),  # the backbone's
        (backbone("MobileNetV3", in_channels=1), f"{BACKBONE}.in_channels is 1", 3),  # the image's
        (multi_head({"Head": {"out_channels": 7}}), "CTCHead.Head.out_channels is 7", CLASSES),
    ],
)
def test_channels_and_classes_that_the_network_knows_count_with_a_warning(change, location, own):
    with pytest.warns(UserWarning, match=f"{re.escape(location)}, and by .* it is {own}, which counts"):
        model = build(change)
    assert model.head.classifier.weight.shape[1] == CLASSES


def test_the_same_number_again_is_no_matter():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build({"Head": CTC | {"out_channels": CLASSES}})


@pytest.mark.parametrize(
    "size, older",
    [
        ("tiny", {"config_name": "tiny", "use_rep": True, "stem_type": "simple", "stem_channels": 48}),
        ("small", {"use_rep": True, "stem_type": "branch"}),  # small was the default
        ("tiny", {"config_name": "tiny", "model_size": "tiny"}),
        ("tiny", {"model_size": "tiny", "det": False}),
    ],
)
def test_options_of_an_earlier_pplcnetv4_build_todays(size, older):
    models = [build({"Backbone": {"name": "PPLCNetV4", **options}}) for options in ({"model_size": size}, older)]
    first, second = ([(k, v.shape) for k, v in model.state_dict().items()] for model in models)
    assert first == second


@pytest.mark.parametrize("encoder", ["reshape", "rnn", "svtr", "lightsvtr"])
def test_a_map_of_several_rows_is_refused_by_its_height(encoder):
    neck = SequenceEncoder(16, encoder)
    assert neck(paddle.zeros([1, 16, 1, 5])).shape[:2] == [1, 5]
    with pytest.raises(InputError, match="has the height 2 .* divide the images' height.* image_shape .* by 2"):
        neck(paddle.zeros([1, 16, 2, 5]))
    with pytest.raises(InputError, match="gives a sequence .*last_stage: true"):
        neck(paddle.zeros([1, 5, 16]))


def test_images_of_another_height_are_refused_by_what_to_change():
    model = build({})
    model.eval()
    with pytest.raises(InputError, match="height 2 .* image_shape"):
        model(paddle.zeros([1, 3, 128, 32]))


@pytest.mark.parametrize("encoder", ["reshape", "rnn", "svtr", "lightsvtr"])
def test_a_map_of_unknown_height_and_width_is_traced(encoder, tmp_path):
    neck = SequenceEncoder(16, encoder)
    neck.eval()
    x = paddle.randn([2, 16, 1, 5])
    expected = neck(x).numpy()
    spec = paddle.static.InputSpec([None, 16, None, None], "float32")
    paddle.jit.save(paddle.jit.to_static(neck, input_spec=[spec], full_graph=True), str(tmp_path / "neck"))
    assert abs(paddle.jit.load(str(tmp_path / "neck"))(x).numpy() - expected).max() < 1e-5


PARTS = [
    *(
        cls
        for table in (BACKBONES, NECKS, HEADS, TRANSFORMS, SEQUENCE_ENCODERS, MAP_ENCODERS)
        for cls in table.values()
    ),
    NRTRHead,
]


@pytest.mark.parametrize("cls", PARTS, ids=lambda cls: cls.__name__)
def test_every_option_has_a_type_and_a_default_of_it(cls):
    for key, parameter in inspect.signature(cls, eval_str=True).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            continue
        assert kind_of(parameter.annotation) is not ANYTHING, key
        if parameter.default is not parameter.empty:
            value = checked(parameter.default, parameter.annotation, key)
            assert type(value) is type(parameter.default) or isinstance(parameter.default, tuple), key


def test_a_fault_within_a_class_names_the_section_and_what_it_says():
    class Part:
        def __init__(self, size: int):
            {}[size]

    with pytest.raises(InputError, match=r"^Some\.Place: no Part can be made of \{'size': 3\} \(KeyError: 3\)\.$"):
        construct(Part, "Some.Place", {"size": 3})


def test_every_config_still_builds_without_a_warning(root):
    for path in sorted((root / "configs").glob("*.yml")):
        config = load_config(path)
        if "Architecture" not in config:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            build_model(config, 20)
