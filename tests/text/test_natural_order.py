"""Names in the order in which people count them."""

from __future__ import annotations

import random
import re

import pytest

from scenetext.text.natural_order import natural_key, natural_order


@pytest.mark.parametrize(
    "ordered",
    [
        ["1.jpg", "2.jpg", "10.jpg", "100.jpg"],
        ["1.jpg", "2.jpg", "10.jpg", "a1b2.jpg", "a1b10.jpg", "a2.jpg", "img_9.png", "img_10.png"],
        ["a1b2", "a1b10", "a2b1"],
        ["img_9.png", "img_10.png"],
        ["007.jpg", "7.jpg", "8.jpg"],  # equal numbers: by their digits
        ["1", "1.jpg", "a"],
        ["9", "9a"],
        ["0.jpg", "00.jpg", "000.jpg", "1.jpg"],
        ["a.jpg", "a/1.jpg"],
        ["12345678901234567890.jpg", "12345678901234567891.jpg"],
        ["9" * 5000, "1" + "0" * 5000],  # beyond what Python turns into a number
        ["a٣", "a٤", "a１"],  # digits of other scripts are characters
        ["", "0", "a", "\udcff", "😀"],
    ],
)
def test_names_are_ordered_as_people_count(ordered: list[str]) -> None:
    assert natural_order(reversed(ordered)) == ordered


def test_names_that_differ_have_different_keys() -> None:
    assert natural_key("01.jpg") != natural_key("1.jpg")


def test_keys_compare_as_tuples_of_texts_and_numbers_do_and_so_do_their_bytes() -> None:
    def pairs(name: str) -> tuple:
        parts = re.split("([0-9]+)", name)
        return (*zip(parts[::2], map(int, parts[1::2]), strict=False), (parts[-1], -1), name)

    chance = random.Random(0)
    names = ["".join(chance.choices("01290aAb/.-_ 图招\x01\udcff😀", k=chance.randrange(9))) for _ in range(3000)]
    expected = sorted(names, key=pairs)
    assert natural_order(names) == expected
    assert sorted(names, key=lambda name: natural_key(name).encode("utf-8", "surrogatepass")) == expected
