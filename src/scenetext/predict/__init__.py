"""Pictures to texts."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "alignment": ["align"],
        "attention": ["attention_maps"],
        "images": ["predict_images"],
        "photo_files": ["read_photos"],
        "photo_reader": ["PhotoReader"],
        "ngram": ["NGramModel"],
        "recognizer": ["Recognizer", "predict_to_file"],
        "trained_model": ["load_pretrained_reader", "load_reader", "load_trained_model"],
    },
)
