import pytest

from scenetext.errors import InputError, RunError
from scenetext.system.untrusted import reading


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        (FileNotFoundError(2, "No such file"), "x.zip does not exist."),
        (
            PermissionError(13, "Permission denied"),
            "x.zip cannot be read as a zip file (Permission denied): fetch it again.",
        ),
        (KeyError("a"), "x.zip is not a zip file that can be read (KeyError: 'a'): fetch it again."),
        (RecursionError(), "x.zip is not a zip file that can be read (RecursionError): fetch it again."),
        (MemoryError(), "x.zip is not a zip file that can be read (MemoryError): fetch it again."),
        (ValueError("two\nlines"), "x.zip is not a zip file that can be read (ValueError: two lines): fetch it again."),
    ],
)
def test_whatever_a_reader_raises_names_the_file_and_the_remedy(raised, sentence):
    with pytest.raises(InputError) as error, reading("x.zip", "a zip file", "fetch it again"):
        raise raised
    assert str(error.value) == sentence


@pytest.mark.parametrize("own", [InputError("x.zip: entry 3"), RunError("full"), KeyboardInterrupt()])
def test_own_errors_and_interrupts_pass_unchanged(own):
    with pytest.raises(type(own)) as error, reading("x.zip", "a zip file", "fetch it again"):
        raise own
    assert error.value is own


def test_a_fault_of_the_disk_is_not_called_one_of_the_file():
    with pytest.raises(RunError) as error, reading("x.zip", "a zip file", "fetch it again"):
        raise OSError(5, "Input/output error")
    told = "x.zip cannot be read as a zip file (Input/output error): "
    assert str(error.value) == told + "the disk or the system fails; repeat this when it is mended."
