"""The fonts that come with the project's dependencies: where they lie, what they cover, and glyphs from them.

Every file is part of a pinned package, so the same pictures come out wherever the same packages are:
`indico-fonts` (Noto Sans CJK and Noto Serif CJK as variable fonts, AR PL UMing, Liberation, Libertine,
Biolinum), `font-fredoka-one`, `font-amatic-sc` and `pylopdf-fonts-zh-cn` (static Noto Sans SC for plots).

The two variable Noto files carry Japanese default forms; the forms a mainland sign shows (直, 骨, 今, 门)
are reached through the `locl` feature for Simplified Chinese. Text shaping (Raqm) is not in every Pillow, so
the substitutions are written into the font's character map, which the plain layout then follows.
"""

from __future__ import annotations

import importlib.util
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTFont
from PIL import ImageFont

from scenetext.errors import RunError

EM_PX = 64  # every glyph is drawn at this size and scaled afterwards, so that each font is held in memory once


@dataclass(frozen=True, slots=True)
class Face:
    """One typeface.

    Attributes:
        name: how the project calls it.
        package: the importable package that carries the file.
        file: path inside that package.
        chinese: it holds the characters of GB2312; otherwise ASCII only is asked of it.
        weights: least and largest weight of a variable font, None for a static one.
        capitals_only: its small letters look like capitals, so it must not set small letters.
        japanese_default: its default forms are Japanese; Simplified Chinese ones are switched on.
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
    """The path of a file inside an installed package, found without importing the package.

    Raises:
        RunError: the package or the file is not installed.
    """
    spec = importlib.util.find_spec(package)
    for folder in spec.submodule_search_locations or () if spec else ():
        path = Path(folder, file)
        if path.is_file():
            return path
    raise RunError(f"{file} of the package {package} is not installed: install the project again (pip install .).")


def cjk_font_path() -> Path:
    """A static sans-serif font with Chinese characters: matplotlib draws variable ones hairline thin."""
    return package_file("pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf")


def load_font(name: str, weight: int) -> ImageFont.FreeTypeFont:
    """The face `name` at EM_PX and `weight`.

    A variable face is one object in memory, tens of megabytes large; asking for another weight changes it. So ask
    anew for every use instead of keeping two weights of one face. Not for several threads at once.

    Args:
        name: a key of FACES.
        weight: 100 (hairline) to 900 (black), brought into the face's range; static faces ignore it.
    """
    font, limits = _open(name), FACES[name].weights
    if limits:
        weight = min(max(weight, limits[0]), limits[1])
        if _weights_in_use.get(name) != weight:
            font.set_variation_by_axes([weight])
            _weights_in_use[name] = weight
    return font


_weights_in_use: dict[str, int] = {}


@cache
def _open(name: str) -> ImageFont.FreeTypeFont:
    face = FACES[name]
    path = package_file(face.package, face.file)
    source = _with_simplified_forms(path) if face.japanese_default else str(path)
    return ImageFont.truetype(source, EM_PX, layout_engine=ImageFont.Layout.BASIC)


def lacking(name: str, text: str) -> list[str]:
    """The characters of `text`, white space aside, for which the face `name` has no glyph."""
    return [each for each in text if ord(each) not in _code_points(name) and not each.isspace()]


@cache
def _code_points(name: str) -> frozenset[int]:
    face = FACES[name]
    with TTFont(package_file(face.package, face.file), fontNumber=0, lazy=True) as font:
        return frozenset(font.getBestCmap())


def _with_simplified_forms(path: Path) -> io.BytesIO:
    """The font file with its character map pointing at the Simplified Chinese forms of the `locl` feature."""
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
