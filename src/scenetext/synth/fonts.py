"""The fonts of the project's dependencies: their files, the characters that they have, and loaded faces.

Every file of FACES is part of a pinned package, so the same packages draw the same images everywhere:
`indico-fonts` (Noto Sans CJK and Noto Serif CJK as variable fonts, AR PL UMing, Liberation, Libertine,
Biolinum), `font-fredoka-one`, `font-amatic-sc` and `pylopdf-fonts-zh-cn` (static Noto Sans SC for plots).

The default forms of the two variable Noto files are Japanese. The forms on mainland signs (直, 骨, 今, 门) belong to
the `locl` feature for Simplified Chinese. Not every Pillow has text shaping (Raqm), so these substitutions are written
into the font's character map, which Pillow's basic layout uses, too.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont
from PIL import ImageFont

from scenetext.errors import InputError, RunError
from scenetext.system.file_names import shown_path
from scenetext.system.untrusted import reading

FONT_ENDINGS = (".ttf", ".otf", ".ttc")
EM_PX = 64  # size at which all glyphs are drawn and scaled afterwards, so that each font is in memory only once


@dataclass(frozen=True, slots=True)
class Face:
    """One typeface.

    Attributes:
        name: its name in this project.
        package: the importable package that contains the file.
        file: path inside that package.
        chinese: whether it has the characters of GB2312; otherwise it is used for ASCII only.
        weights: least and greatest weight of a variable font, None for a static one.
        capitals_only: whether its small letters look like capitals, so that it must not set small letters.
        japanese_default: whether its default forms are Japanese and the Simplified Chinese ones must be switched on.
    """

    name: str
    package: str
    file: str
    chinese: bool = False
    weights: tuple[int, int] | None = None
    capitals_only: bool = False
    japanese_default: bool = False


def _latin(name: str, file: str) -> Face:
    return Face(name, "indico_fonts", file)


FACES: dict[str, Face] = {
    face.name: face
    for face in (
        Face("hei", "indico_fonts", "NotoSansCJKjp-VF.ttf", True, (100, 900), japanese_default=True),
        Face("song", "indico_fonts", "NotoSerifCJKjp-VF.ttf", True, (200, 900), japanese_default=True),
        Face("ming", "indico_fonts", "uming.ttc", True),
        _latin("sans", "LiberationSans-Regular.ttf"),
        _latin("sans-bold", "LiberationSans-Bold.ttf"),
        _latin("sans-bold-italic", "LiberationSans-BoldItalic.ttf"),
        _latin("serif", "LiberationSerif-Regular.ttf"),
        _latin("serif-bold", "LiberationSerif-Bold.ttf"),
        _latin("serif-italic", "LiberationSerif-Italic.ttf"),
        _latin("mono-bold", "LiberationMono-Bold.ttf"),
        _latin("biolinum", "LinBiolinum_R.otf"),
        _latin("biolinum-bold", "LinBiolinum_RB.otf"),
        _latin("libertine-bold", "LinLibertine_RB.otf"),
        _latin("libertine-bold-italic", "LinLibertine_RBI.otf"),
        Face("fredoka", "font_fredoka_one", "files/FredokaOne-Regular.ttf"),
        Face("amatic", "font_amatic_sc", "files/AmaticSC-Bold.ttf", capitals_only=True),
    )
}


def package_file(package: str, file: str) -> Path:
    """Finds a file inside an installed package without importing the package.

    Args:
        package: an importable name.
        file: path inside the package.

    Raises:
        RunError: the package or the file is not installed.
    """
    spec = importlib.util.find_spec(package)
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder, file)
        if path.is_file():
            return path
    raise RunError(f"{file} of the package {package} is not installed: install the project again (pip install .).")


def given_fonts(paths: Iterable[str | Path]) -> list[str]:
    """Font files of the user's own, as names that the functions of this module take beside the keys of FACES.

    Args:
        paths: TrueType or OpenType files, and folders of them; of a collection the first font is used.

    Returns:
        One name per file, in the order given; those of a folder in alphabetical order.

    Raises:
        InputError: a path does not exist, is no font, or a folder holds none.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in FONT_ENDINGS) if path.is_dir() else [path]
        if not inside or not path.exists():
            raise InputError(
                f"{shown_path(path)} is no font: give {', '.join(FONT_ENDINGS)} files or a folder of them."
            )
        files += inside
    names = list(dict.fromkeys(str(file.resolve()) for file in files))
    for name in names:
        with reading(name, "a font", f"give a whole {' or '.join(FONT_ENDINGS)} file"):
            _code_points(name)
            _open(name).getbbox("a")
    return names


def has_ink(name: str, character: str) -> bool:
    """Whether a face draws anything for a character; some files map characters to empty glyphs."""
    left, top, right, bottom = _open(name).getbbox(character)
    return right > left and bottom > top


def cjk_font_path() -> Path:
    """The path of a static sans-serif font with Chinese characters; matplotlib draws variable ones hairline thin.

    Raises:
        RunError: the package of the font is not installed.
    """
    return package_file("pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf")


def load_font(name: str, weight: int) -> ImageFont.FreeTypeFont:
    """Loads a face at EM_PX and a weight.

    A variable face is one object of tens of megabytes in memory, and loading it with another weight changes this
    object. So load it for every use instead of keeping two weights of one face, and in one thread only.

    Args:
        name: a key of FACES, or one of `given_fonts`.
        weight: 100 (hairline) to 900 (black), clipped to the face's range; static faces ignore it.

    Raises:
        RunError: the package of the font is not installed.
    """
    font, limits = _open(name), _face(name).weights
    if limits:
        weight = min(max(weight, limits[0]), limits[1])
        if _weights_in_use.get(name) != weight:
            font.set_variation_by_axes([weight])
            _weights_in_use[name] = weight
    return font


_weights_in_use: dict[str, int] = {}


def _face(name: str) -> Face:
    """The face of that name, or the font file of that path."""
    return FACES.get(name) or Face(name, "", name, chinese=True)


def _file(face: Face) -> Path:
    return package_file(face.package, face.file) if face.package else Path(face.file)


@cache
def _open(name: str) -> ImageFont.FreeTypeFont:
    face = _face(name)
    path = _file(face)
    source = _with_simplified_forms(path) if face.japanese_default else str(path)
    return ImageFont.truetype(source, EM_PX, layout_engine=ImageFont.Layout.BASIC)


def lacking(name: str, text: str) -> list[str]:
    """The characters of a text for which a face has no glyph.

    Args:
        name: a key of FACES, or one of `given_fonts`.
        text: its white space is not looked at.
    """
    return [each for each in text if ord(each) not in _code_points(name) and not each.isspace()]


@cache
def _code_points(name: str) -> frozenset[int]:
    with TTFont(_file(_face(name)), fontNumber=0, lazy=True) as font:
        return frozenset(font.getBestCmap())


def _with_simplified_forms(path: Path) -> io.BytesIO:
    """The font file with a character map that points to the Simplified Chinese forms of its `locl` feature."""
    with TTFont(path, lazy=True) as font:
        table = font["GSUB"].table
        script = next(record.Script for record in table.ScriptList.ScriptRecord if record.ScriptTag == "hani")
        system = next(record.LangSys for record in script.LangSysRecord if record.LangSysTag == "ZHS ")
        features = [table.FeatureList.FeatureRecord[index] for index in system.FeatureIndex]
        forms: dict[str, str] = {}
        for feature in features:
            if feature.FeatureTag == "locl":
                for lookup in feature.Feature.LookupListIndex:
                    for subtable in table.LookupList.Lookup[lookup].SubTable:
                        forms.update(getattr(subtable, "ExtSubTable", subtable).mapping)
        full = next(subtable for subtable in font["cmap"].tables if subtable.format == 12)
        full.cmap = {code: forms.get(glyph, glyph) for code, glyph in full.cmap.items()}
        font["cmap"].tables = [full]
        out = io.BytesIO()
        font.save(out, reorderTables=None)
    out.seek(0)
    return out
