"""SVTRv2 as in its paper: rearranged features, guidance by neighbouring characters, OpenOCR's numbers."""

from __future__ import annotations

import cv2
import numpy as np
import paddle
import pytest
from parity import randomise_statistics

from scenetext.config import load_config
from scenetext.errors import InputError
from scenetext.models import build_model
from scenetext.models.heads.frm import FeatureRearrangement, RCTCDecoder
from scenetext.models.heads.semantic_guidance import SemanticGuidance, contexts
from scenetext.models.targets import Targets
from scenetext.predict.decode import ctc_greedy
from scenetext.text.charset import Charset
from scenetext.train.losses import ctc_loss, guidance_loss
from scenetext.weights.openocr import from_openocr

CLASSES = 95  # 94 printable characters of ASCII and the blank
PAPER = {"tiny": 5.13e6, "small": 11.25e6, "base": 19.76e6}  # parameters without guidance, by OpenOCR's readme
NARROW = {  # the tiny network with fewer channels and blocks
    "Backbone": {
        "name": "SVTRv2",
        "dims": [32, 64, 128],
        "depths": [1, 2, 1],
        "num_heads": [1, 2, 4],
        "mixer": [["Conv"], ["Conv", "Global"], ["Global"]],
        "conv_kernels": [3, 3],
        "stem_bias": False,
        "sub_k": [[1, 1], [2, 1], [-1, -1]],
        "use_pool": False,
        "feat2d": True,
    },
    "Head": {"name": "RCTCDecoder", "sub_str_len": 5},
}


def narrow(classes: int = CLASSES, **backbone):
    paddle.seed(1)
    return build_model({"Architecture": {**NARROW, "Backbone": {**NARROW["Backbone"], **backbone}}}, classes)


def targets(*labels: list[int]) -> Targets:
    longest = max(map(len, labels))
    ids = np.array([label + [0] * (longest - len(label)) for label in labels], np.int32)
    return Targets(paddle.to_tensor(ids), paddle.to_tensor(np.array([len(label) for label in labels], np.int64)))


@pytest.mark.parametrize("size", PAPER)
def test_parameter_counts_are_the_papers(root, size):
    model = build_model(load_config(root / "configs" / f"svtrv2_paper_{size}.yml"), CLASSES)
    count = sum(int(np.prod(p.shape)) for k, p in model.named_parameters() if not k.startswith("head.sgm."))
    statistics = sum(int(np.prod(v.shape)) for k, v in model.state_dict().items() if k.endswith(("_mean", "_variance")))
    assert count - statistics == pytest.approx(PAPER[size], abs=5e3)


def test_the_configs_dictionary_is_printable_ascii(root, monkeypatch):
    monkeypatch.chdir(root)
    characters = build_model(root / "configs" / "svtrv2_paper_tiny.yml").charset.characters
    assert sorted(characters) == [chr(code) for code in range(33, 127)]


@pytest.mark.parametrize(
    "size, steps",
    [
        ((32, 128), 32),  # the usual line
        ((32, 70), 18),  # a width that is no multiple of 4
        ((48, 200), 50),  # the paper's other heights
        ((64, 64), 16),
        ((40, 8), 2),  # an odd number of rows, and the narrowest line
    ],
)
def test_there_is_a_time_step_for_every_4_pixels_at_every_height(size, steps):
    model = narrow()
    for mode in (model.train, model.eval):
        mode()
        assert model(paddle.zeros([2, 3, *size])).shape == [2, steps, CLASSES]


def test_every_parameter_gets_a_gradient():
    model = narrow()
    model.train()
    outputs = model(paddle.randn([2, 3, 32, 64]), targets([3, 4, 5], [7]))
    assert {name: value.shape for name, value in outputs.items()} == {"ctc": [2, 16, CLASSES], "sgm": [2, 6, CLASSES]}
    (outputs["ctc"].square().mean() + outputs["sgm"].square().mean()).backward()
    assert [k for k, p in model.named_parameters() if not p.stop_gradient and p.grad is None] == []


@pytest.mark.parametrize("output", ["ctc", "sgm"])
def test_ctc_and_guidance_both_train_the_backbone(output):
    model = narrow()
    model.train()
    model(paddle.randn([2, 3, 32, 64]), targets([3, 4], [7]))[output].square().mean().backward()
    assert all(float(p.grad.abs().sum()) > 0 for k, p in model.backbone.named_parameters() if k.endswith("weight"))


def test_a_line_is_read_alike_whatever_its_batch_mates():
    model = narrow()
    model.eval()
    images = paddle.randn([3, 3, 32, 64])
    np.testing.assert_allclose(model(images)[1:2].numpy(), model(images[1:2]).numpy(), atol=1e-5)


def test_fused_network_gives_the_same_logits_and_has_no_auxiliary_branch():
    model = narrow()
    randomise_statistics(model)
    model.eval()
    images = paddle.randn([2, 3, 32, 96])
    before = model(images).numpy()
    for _ in range(2):
        model.fuse()
    np.testing.assert_allclose(model(images).numpy(), before, atol=1e-4 * max(1.0, np.abs(before).max()))
    assert [k for k in model.state_dict() if k.endswith(("_mean", "_variance")) or k.startswith("head.sgm.")] == []
    assert list(model(images, targets([1], [2]))) == ["ctc"]


def test_a_traced_network_reads_any_width_and_holds_no_auxiliary_branch(tmp_path):
    model = narrow()
    model.eval()
    spec = [paddle.static.InputSpec([None, 3, 32, None], "float32")]
    paddle.jit.save(model, str(tmp_path / "net"), input_spec=spec)
    sizes = [int(np.prod(p.shape)) for p in model.parameters()]
    auxiliary = sum(int(np.prod(p.shape)) for p in model.head.sgm.parameters())
    stored = (tmp_path / "net.pdiparams").stat().st_size
    assert stored < 4 * (sum(sizes) - auxiliary) + 100 * len(sizes)
    loaded = paddle.jit.load(str(tmp_path / "net"))
    loaded.eval()
    for batch, width in ((1, 40), (3, 100)):
        images = paddle.randn([batch, 3, 32, width])
        np.testing.assert_allclose(loaded(images).numpy(), model(images).numpy(), atol=1e-5)


def test_rearrangement_chooses_among_the_rows_of_each_column_and_mixes_along_rows_only():
    frm = FeatureRearrangement(32)
    frm.eval()
    x = paddle.randn([1, 32, 3, 5])
    frm.selecting_token.set_value(paddle.zeros_like(frm.selecting_token))  # no row is better than another
    even = frm(x)  # (1, 5, 32)
    np.testing.assert_allclose(frm(x.flip([2])).numpy(), even.numpy(), atol=1e-5)  # rows in another order
    np.testing.assert_allclose(frm(x.flip([3])).numpy(), even.flip([1]).numpy(), atol=1e-5)  # columns too


def test_contexts_are_the_neighbours_in_reading_order():
    left, right = contexts(paddle.to_tensor([[1, 2, 3, 4], [5, 6, 0, 0]], "int32"), 2)
    assert left.tolist() == [[[0, 0], [0, 1], [1, 2], [2, 3]], [[0, 0], [0, 5], [5, 6], [6, 0]]]
    assert right.tolist() == [[[2, 3], [3, 4], [4, 0], [0, 0]], [[6, 0], [0, 0], [0, 0], [0, 0]]]


def test_guidance_does_not_depend_on_batch_mates_nor_on_padding():
    sgm = SemanticGuidance(64, 12, 3)
    features = paddle.randn([2, 64, 2, 6])
    both = sgm(features, paddle.to_tensor([[1, 2, 3, 4, 5], [6, 7, 0, 0, 0]], "int32")).numpy()
    alone = sgm(features[1:], paddle.to_tensor([[6, 7]], "int32")).numpy()
    np.testing.assert_allclose(both[1:, [0, 1, 5, 6]], alone, atol=1e-5)


def test_a_characters_own_class_is_hidden_from_its_query():
    sgm = SemanticGuidance(64, 12, 3)
    features = paddle.randn([1, 64, 2, 6])
    first, second = (sgm(features, paddle.to_tensor([[1, c, 3]], "int32")).numpy() for c in (2, 9))
    np.testing.assert_allclose(first[:, [1, 4]], second[:, [1, 4]], atol=1e-6)
    assert np.abs(first[:, 2] - second[:, 2]).max() > 1e-4  # but its neighbours see it


def test_guidance_loss_is_the_mean_over_real_characters_of_both_sides():
    logits = np.random.default_rng(0).normal(size=(2, 6, 5)).astype(np.float32)
    ids = np.array([[1, 4, 2], [3, 0, 0]], np.int32)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    costs = [-log_p[b, side * 3 + i, ids[b, i]] for side in (0, 1) for b, i in ((0, 0), (0, 1), (0, 2), (1, 0))]
    loss = guidance_loss(paddle.to_tensor(logits), paddle.to_tensor(ids))
    assert float(loss) == pytest.approx(np.mean(costs), rel=1e-5)
    assert float(guidance_loss(paddle.to_tensor(logits), paddle.zeros([2, 3], "int32"))) == 0.0  # labels without text


def test_openocrs_names_become_ours_one_by_one():
    dim, classes, length = 64, 12, 5
    shapes = {
        "decoder.ctc_decoder.char_token": (1, 1, dim),
        **_linear("decoder.ctc_decoder.fc", dim, classes),
        **_linear("decoder.ctc_decoder.fc_kv", dim, 2 * dim),
        **_norm("decoder.ctc_decoder.w_atten_block.norm1", dim),
        "decoder.ctc_decoder.w_atten_block.attn.qkv.weight": (3 * dim, dim),
        **_linear("decoder.ctc_decoder.w_atten_block.attn.proj", dim, dim),
        **_norm("decoder.ctc_decoder.w_atten_block.norm2", dim),
        **_linear("decoder.ctc_decoder.w_atten_block.mlp.fc1", dim, 4 * dim),
        **_linear("decoder.ctc_decoder.w_atten_block.mlp.fc2", 4 * dim, dim),
        "decoder.gtc_decoder.char_embed.embedding.weight": (classes + 4, dim),
        **{f"decoder.gtc_decoder.{side}_token": (1, 1, 1, dim) for side in ("next", "pre")},
        **{f"decoder.gtc_decoder.prompt_{side}_embed": (1, 1, length + 1, dim) for side in ("next", "pre")},
        **_norm("decoder.gtc_decoder.norm_pred", dim),
        **_linear("decoder.gtc_decoder.ques1_head", dim, classes + 1),
    }
    for attention, norms in (("images_to_question", 1), ("question_to_images", 2)):
        place = "decoder.gtc_decoder.cmff_decoder.0."
        for name, out in (("q", dim), ("kv", 2 * dim), ("proj", dim)):
            shapes |= _linear(f"{place}{attention}_cross_attn.{name}", dim, out)
        for name in (f"normq{norms}", f"normkv{norms}"):
            shapes |= _norm(place + name, dim)
    found = from_openocr({key: np.zeros(shape) for key, shape in shapes.items()})
    ours = RCTCDecoder(dim, classes, sub_str_len=length).state_dict()
    assert {k: list(v.shape) for k, v in found.items()} == {f"head.{k}": list(v.shape) for k, v in ours.items()}


def test_openocrs_backbone_and_batch_statistics_are_renamed_and_linear_layers_turned():
    found = from_openocr(
        {
            "encoder.pope.patch_embed.0.norm.running_mean": np.zeros(4),
            "encoder.pope.patch_embed.0.norm.num_batches_tracked": np.zeros(()),
            **{f"encoder.stages.0.blocks.0.mixer.{n}.weight": np.zeros((4, 2, 3, 3)) for n in (0, 1)},
            "encoder.stages.0.blocks.0.mlp.fc1.weight": np.zeros((16, 4)),
            "decoder.fc.weight": np.zeros((10, 4)),  # trained without guidance
        }
    )
    assert {key: value.shape for key, value in found.items()} == {
        "backbone.pope.patch_embed.0.norm._mean": (4,),
        **{f"backbone.stages.0.blocks.0.mixer.{n}.weight": (4, 2, 3, 3) for n in (0, 1)},
        "backbone.stages.0.blocks.0.mlp.fc1.weight": (4, 16),
        "head.ctc_head.fc.weight": (4, 10),
    }


@pytest.mark.parametrize("img_mode, order", [("RGB", [2, 1, 0]), ("BGR", [0, 1, 2])])
def test_a_network_that_openocr_trained_on_rgb_sees_the_same_colours_in_bgr(img_mode, order):
    weight = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    found = from_openocr({"encoder.pope.patch_embed.0.conv.weight": weight}, img_mode)
    np.testing.assert_array_equal(found["backbone.pope.patch_embed.0.conv.weight"], weight[:, order])
    with pytest.raises(InputError, match="'GREY'; known are RGB and BGR"):
        from_openocr({}, "GREY")


@pytest.mark.parametrize("channels, length", [(40, 5), (64, -1)])
def test_impossible_settings_of_the_head_are_refused(channels, length):
    with pytest.raises(InputError, match="RCTCDecoder needs|sub_str_len"):
        RCTCDecoder(channels, 10, sub_str_len=length)


def test_a_few_drawn_lines_are_overfitted_to_the_last_character():
    texts = ["R66", "24h", "bus", "no5", "A7"]
    characters = sorted(set("".join(texts)))
    images = np.ones((len(texts), 32, 64, 3), np.float32)
    for image, text in zip(images, texts, strict=True):
        cv2.putText(image, text, (2, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.75, (-1.0, -1.0, -1.0), 2)
    model = narrow(len(characters) + 1, dims=[32, 32, 64], drop_path_rate=0.0)
    batch = paddle.to_tensor(images.transpose(0, 3, 1, 2))
    labels = targets(*([characters.index(c) + 1 for c in text] for text in texts))
    rate = paddle.optimizer.lr.LinearWarmup(2e-3, 10, 0.0, 2e-3)
    optimiser = paddle.optimizer.AdamW(rate, parameters=model.parameters(), weight_decay=0.0)
    for step in range(1, 241):  # usually 100
        model.train()
        outputs = model(batch, labels)
        loss = 0.1 * ctc_loss(outputs["ctc"], labels.ids, labels.lengths, focal=False) + guidance_loss(
            outputs["sgm"], labels.ids
        )
        loss.backward()
        optimiser.step()
        optimiser.clear_grad()
        rate.step()
        if step % 20 == 0:
            model.eval()
            read = [text for text, _ in ctc_greedy(model(batch).numpy(), Charset(tuple(characters)))]
            if read == texts:
                break
    assert read == texts


def _linear(name: str, fan_in: int, fan_out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (fan_out, fan_in), f"{name}.bias": (fan_out,)}


def _norm(name: str, dim: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}
