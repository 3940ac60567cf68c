"""Characters and labels: dictionaries, encodings, label files, records."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "charset": ["Charset"],
        "label_files": ["read_label_file", "read_label_table"],
    },
)
