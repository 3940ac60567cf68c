"""Where pictures lie: a folder, zips or LMDBs, behind one door."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "images": ["open_images"],
    },
)
