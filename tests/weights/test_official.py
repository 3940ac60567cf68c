"""Official weights: fetched once, checked, and compared with what came the first time."""

from __future__ import annotations

@pytest.fixture(scope="module")
def training_tar(tmp_path_factory):
    members = [("rec_train/latest.pdparams", b"old"), ("rec_train/best_accuracy.pdparams", b"weights")]
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    return tar_of(path, [(name, data, tarfile.REGTYPE) for name, data in members]).read_bytes()


def test_official_weights_come_out_of_their_archive_and_are_kept(server, tmp_path, training_tar):
    server.files["/rec_train.tar"] = training_tar
    for _ in range(2):
        weights = fetch_official(server.url("/rec_train.tar"), tmp_path, progress=False)
        assert weights.name == "best_accuracy.pdparams" and weights.read_bytes() == b"weights"
    assert len(server.requests) == 1


def test_official_weights_as_a_single_file_come_as_they_are(server, tmp_path):
    server.files["/x_pretrained.pdparams"] = b"weights"
    weights = fetch_official(server.url("/x_pretrained.pdparams"), tmp_path, progress=False)
    assert weights.suffix == ".pdparams" and weights.read_bytes() == b"weights"


def test_an_archive_without_weights_is_an_error(server, tmp_path):
    server.files["/x.tar"] = tar_of(tmp_path / "x.tar", [("readme", b"1", tarfile.REGTYPE)]).read_bytes()
    with pytest.raises(InputError, match="holds no .pdparams file"):
        fetch_official(server.url("/x.tar"), tmp_path / "cache", progress=False)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("PP-OCRv6_smal_rec", "the nearest is PP-OCRv6_small_rec"),
        ("weights", "valid are crnn_mobile_pre, .*PP-OCRv6_small_rec"),
    ],
)
def test_unknown_official_weights_name_the_known_ones(tmp_path, name, hint):
    with pytest.raises(InputError, match=f"no official weights {name!r}; {hint}"):
        fetch_official(name, tmp_path)
    assert all(url.startswith("https://") for entry in OFFICIAL_WEIGHTS.values() for url in entry.urls)
