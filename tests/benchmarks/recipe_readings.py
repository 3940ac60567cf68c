"""What turned reading and a tuned beam add to a recipe: the folds of `recipe_folds.py`, read in four ways.

    python tests/benchmarks/recipe_readings.py WORK --texts FILE [FILE ...] [--name NAME] [--share 0.75]

WORK and NAME are those of `recipe_folds.py`, whose folds must be finished; SHARE is the share of the way to the trained
weights that its report names. TEXTS teach a language model; texts that are labels of these lines are left out. Weight
and length bonus of a fold's beam are tuned on what the pretrained network reads on the other folds. So neither a line's
network nor its beam has seen it; the share is the same for all folds.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from scenetext.config import Config, load_config
from scenetext.data.pipeline import canvas_of
from scenetext.data.sources.images import open_images
from scenetext.evaluate.comparison import compare_texts
from scenetext.evaluate.decoding_tuning import tune_decoding
from scenetext.models import build_model
from scenetext.models.device import choose_device
from scenetext.predict.beam_search import ctc_beam
from scenetext.predict.images import read_records
from scenetext.predict.model_reader import ModelReader
from scenetext.predict.ngram import NGramModel
from scenetext.predict.trained_model import load_pretrained_reader
from scenetext.runs.folders import BEST
from scenetext.system.files import read_json, write_json
from scenetext.system.process import prepare_process
from scenetext.text.label_files import read_label_file
from scenetext.text.normalise import normalise_for_score
from scenetext.text.records import Record
from scenetext.text.text_files import read_texts
from scenetext.train.folds import FOLDS, HELD_OUT, PRETRAINED
from scenetext.train.weight_interpolation import WeightInterpolation
from scenetext.weights.loading import load_weights

MARGIN = 0.15  # of turned readings, the default
BEAM_WIDTH = 10


def unseen_texts(files: list[str], records: list[Record]) -> list[str]:
    """The texts of some files without those that are labels of the lines, however they are written."""
    labels = {normalise_for_score(record.text) for record in records}
    return [text for file in files for text in read_texts(file) if normalise_for_score(text) not in labels]


def tuned_beam(config: Config, model: NGramModel, records: list[Record], images: Path) -> partial | None:
    """The decoder that is tuned on lines; None where greedy decoding reads them no worse."""
    tuning = tune_decoding(load_pretrained_reader(config), records, images, [model], BEAM_WIDTH)
    print(f"tuned: {tuning}", flush=True)
    settings = {"lm_weight": tuning.lm_weight, "length_bonus": tuning.length_bonus}
    return partial(ctc_beam, width=BEAM_WIDTH, language_model=model, **settings) if tuning.gains else None


def fold_texts(folder: Path, share: float, beam: partial | None, images: Path) -> dict[str, dict[str, str]]:
    """The texts of a fold's lines by the way of reading and the line's name."""
    config, records = load_config(folder / "config.yml"), read_label_file(folder / HELD_OUT)
    model = build_model(config)
    load_weights(model, config.Global.pretrained_model)
    way = WeightInterpolation(model, share)
    load_weights(model, folder / BEST, strict=True)
    model.eval()
    texts: dict[str, dict[str, str]] = {}
    with way.applied():
        for turned, turning in ((None, "upright"), (MARGIN, "turned")):
            for decoder, decoding in ((None, "greedily"), (beam, "by the tuned beam")):
                reader = ModelReader(model, canvas_of(config, model.input_size), turned)
                reader.decode = decoder or reader.decode
                read = read_records(reader, records, open_images(images), False)
                texts[f"{turning}, {decoding}"] = {r.name: p.text for r, p in zip(records, read, strict=True)}
    return texts


def main() -> None:
    """Reads all folds in four ways and compares each with the pretrained network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--texts", nargs="+", required=True)
    parser.add_argument("--name", default="recipe")
    parser.add_argument("--share", type=float, default=0.75)
    chosen = parser.parse_args()
    prepare_process()
    choose_device(False)
    root, images = chosen.work / chosen.name / FOLDS, chosen.work / "prepared" / "images"
    records = list(read_label_file(chosen.work / "prepared" / "train.txt"))
    model = NGramModel.train(unseen_texts(chosen.texts, records))
    texts: dict[str, dict[str, str]] = {}
    for folder in sorted(root.glob("fold_*")):
        held_out = {record.name for record in read_label_file(folder / HELD_OUT)}
        others = [record for record in records if record.name not in held_out]
        beam = tuned_beam(load_config(folder / "config.yml"), model, others, images)
        for way, read in fold_texts(folder, chosen.share, beam, images).items():
            texts.setdefault(way, {}).update(read)
    names, targets = [record.name for record in records], [record.text for record in records]
    pretrained = [text for text, _ in read_json(root / PRETRAINED)]
    for way, read in texts.items():
        ours = [read[name] for name in names]
        print(compare_texts(names, targets, pretrained, ours, ("pretrained", f"trained, {way},")))
    write_json(chosen.work / f"{chosen.name}_readings.json", texts)


if __name__ == "__main__":
    main()
