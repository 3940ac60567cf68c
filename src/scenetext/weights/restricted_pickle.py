"""A reader of pickles that can only make numbers, texts, containers and numpy arrays.

Python's own unpickler runs what a file names, recurses in C and allocates what a file states. This one knows the
opcodes of protocols 2 to 5 that weights are written with and carries out a few functions itself; whatever else a file
asks for is refused. Every length is compared with the bytes that are left, the objects are counted, and the result's
depth is checked, so that a file costs no more memory and time than one of weights of its size.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from scenetext.weights.pickled_arrays import FUNCTIONS, Budget, Function, NoWeights, Type, call, checked_key, fill

MOST_OPCODES = 2_000_000  # PP-OCRv6 medium with its optimiser's state has less than 100,000
MOST_MARKS = 1000  # containers that are being made at a time
MAX_DEPTH = 32  # containers inside each other
_OPCODES = {code.code.encode("latin1"): code.name for code in pickletools.opcodes}


class ForbiddenName(NoWeights):
    """The pickle names a function or class that weights never need."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


_NAMES = (
    ("builtins", "tuple"),  # paddle.save makes (name, array) of a tensor inside other containers
    ("__builtin__", "tuple"),  # the same in protocol 2
    ("__builtin__", "bytes"),  # an empty array in protocol 2
    ("builtins", "bytes"),
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
)
KNOWN_NAMES: dict[tuple[str, str], Any] = {name: FUNCTIONS[name[1]] for name in _NAMES}
"""What a pickle of numpy arrays may name, by module and name."""


def _no_reference(reference: Any) -> Any:
    raise NoWeights("it refers to values outside of the file")


@dataclass(frozen=True)
class Dialect:
    """What a kind of pickles may name and refer to.

    Attributes:
        names: what each name becomes, by module and name.
        look_up: the value outside of the pickle that it refers to.
        ordered_dicts_have_states: attributes of an OrderedDict are dropped; otherwise they are refused.
    """

    names: Mapping[tuple[str, str], Any] = field(default_factory=lambda: KNOWN_NAMES)
    look_up: Callable[[Any], Any] = _no_reference
    ordered_dicts_have_states: bool = False


NUMPY = Dialect()


def read_pickle(file: IO[bytes], size_bytes: int, dialect: Dialect = NUMPY) -> Any:
    """The content of a pickle.

    Args:
        file: the open file, at the pickle's begin.
        size_bytes: the file's size, which bounds every length.
        dialect: what it may name.

    Returns:
        Numbers, texts, bytes, None, lists, tuples, dictionaries and numpy arrays, at most MAX_DEPTH inside each other.

    Raises:
        NoWeights: it is no pickle, ends too early, or asks for anything else.
    """
    try:
        value = _Machine(file, size_bytes, dialect).run()
    except NoWeights:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, OverflowError, struct.error) as error:
        raise NoWeights(f"{type(error).__name__}: {error}") from None
    _check_depth(value)
    return value


class _Machine:
    """The stack and the memo of one pickle."""

    def __init__(self, file: IO[bytes], size_bytes: int, dialect: Dialect) -> None:
        self.file, self.left, self.dialect = file, size_bytes, dialect
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.budget = Budget(size_bytes)

    def run(self) -> Any:
        for _ in range(MOST_OPCODES):
            code = self.take(1)
            name = _OPCODES.get(code)
            if name == "STOP":
                return self.pop()
            step = _STEPS.get(name)
            if step is None:
                raise NoWeights(f"the opcode {name or repr(code)} is not used by weights")
            step(self)
        raise NoWeights(f"more than {MOST_OPCODES} steps, which no weights need")

    def take(self, count: int) -> bytes:
        """The next bytes of the file."""
        if not 0 <= count <= self.left:
            raise NoWeights(f"{count} bytes are announced and {self.left} are left: the file is cut off or damaged")
        self.left -= count
        data = self.file.read(count)
        if len(data) != count:
            raise NoWeights("it ends too early")
        return data

    def number(self, form: str) -> int:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        data = self.file.readline(256)
        self.left -= len(data)
        if not data.endswith(b"\n"):
            raise NoWeights("a name has no end")
        return data[:-1].decode("utf-8")

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise NoWeights("a value is missing on the stack")
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        value = self.stack[-1]
        if type(value) is not kind:
            raise NoWeights(f"a {type(value).__name__} is filled as a {kind.__name__}")
        return value

    def since_mark(self) -> list[Any]:
        if not self.marks:
            raise NoWeights("a mark is missing on the stack")
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def name(self, module: Any, name: Any) -> None:
        if (module, name) not in self.dialect.names:
            raise ForbiddenName(f"{module}.{name}")
        self.stack.append(self.dialect.names[module, name])

    def call(self) -> None:
        arguments, function = self.pop(), self.pop()
        self.stack.append(call(function, arguments, self.budget))

    def build(self) -> None:
        state, value = self.pop(), self.stack[-1]
        if isinstance(value, Type):
            value.set_state(state)
        elif type(value) is np.ndarray:
            fill(value, state, self.budget)
        elif type(value) is dict and type(state) is dict and self.dialect.ordered_dicts_have_states:
            pass
        else:
            raise NoWeights(f"a {type(value).__name__} gets a state")


def _set_items(machine: _Machine, items: list[Any]) -> None:
    target = machine.top(dict)
    for key, value in zip(items[::2], items[1::2], strict=True):
        target[checked_key(key)] = value


def _push(read: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    return lambda machine: machine.stack.append(read(machine))


def _remember(read: Callable[[_Machine], int]) -> Callable[[_Machine], None]:
    def step(machine: _Machine) -> None:
        number = read(machine)
        if not machine.stack or number > MOST_OPCODES:
            raise NoWeights("it remembers what is not there")
        machine.memo[number] = machine.stack[-1]

    return step


def _recall(form: str) -> Callable[[_Machine], None]:
    def step(machine: _Machine) -> None:
        number = machine.number(form)
        if number not in machine.memo:
            raise NoWeights("it recalls what is not there")
        machine.stack.append(machine.memo[number])

    return step


def _tuple_of(count: int) -> Callable[[_Machine], None]:
    def step(machine: _Machine) -> None:
        machine.stack.append(tuple([machine.pop() for _ in range(count)][::-1]))

    return step


def _mark(machine: _Machine) -> None:
    if len(machine.marks) >= MOST_MARKS:
        raise NoWeights("the values are nested too deeply")
    machine.marks.append(len(machine.stack))


def _long(machine: _Machine) -> int:
    count = machine.number("<B")
    return int.from_bytes(machine.take(count), "little", signed=True)


def _append(machine: _Machine) -> None:
    value = machine.pop()
    machine.top(list).append(value)


def _set_item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    _set_items(machine, [key, value])


def _global(machine: _Machine) -> None:
    module = machine.line()
    machine.name(module, machine.line())


def _stack_global(machine: _Machine) -> None:
    name, module = machine.pop(), machine.pop()
    machine.name(module, name)


def _protocol(machine: _Machine) -> None:
    number = machine.number("<B")
    if number > 5:
        raise NoWeights(f"it is a pickle of protocol {number}")


def _text(form: str) -> Callable[[_Machine], str]:
    return lambda machine: machine.take(machine.number(form)).decode("utf-8", "surrogatepass")


def _old_text(form: str) -> Callable[[_Machine], str]:  # of Python 2
    return lambda machine: machine.take(machine.number(form)).decode("latin1")


def _data(form: str) -> Callable[[_Machine], bytes]:
    return lambda machine: machine.take(machine.number(form))


_STEPS: dict[str, Callable[[_Machine], Any]] = {
    "PROTO": _protocol,
    "FRAME": lambda machine: machine.number("<Q"),
    "MARK": _mark,
    "POP": lambda machine: machine.pop(),
    "POP_MARK": lambda machine: machine.since_mark(),
    "NONE": _push(lambda machine: None),
    "NEWTRUE": _push(lambda machine: True),
    "NEWFALSE": _push(lambda machine: False),
    "BININT": _push(lambda machine: machine.number("<i")),
    "BININT1": _push(lambda machine: machine.number("<B")),
    "BININT2": _push(lambda machine: machine.number("<H")),
    "LONG1": _push(_long),
    "BINFLOAT": _push(lambda machine: machine.number(">d")),
    "SHORT_BINSTRING": _push(_old_text("<B")),
    "BINSTRING": _push(_old_text("<i")),
    "SHORT_BINUNICODE": _push(_text("<B")),
    "BINUNICODE": _push(_text("<I")),
    "BINUNICODE8": _push(_text("<Q")),
    "SHORT_BINBYTES": _push(_data("<B")),
    "BINBYTES": _push(_data("<I")),
    "BINBYTES8": _push(_data("<Q")),
    "BYTEARRAY8": _push(_data("<Q")),
    "EMPTY_LIST": _push(lambda machine: []),
    "EMPTY_DICT": _push(lambda machine: {}),
    "EMPTY_TUPLE": _push(lambda machine: ()),
    "TUPLE": _push(lambda machine: tuple(machine.since_mark())),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "LIST": _push(lambda machine: machine.since_mark()),
    "APPEND": _append,
    "APPENDS": lambda machine: (lambda items: machine.top(list).extend(items))(machine.since_mark()),
    "SETITEM": _set_item,
    "SETITEMS": lambda machine: _set_items(machine, machine.since_mark()),
    "BINPUT": _remember(lambda machine: machine.number("<B")),
    "LONG_BINPUT": _remember(lambda machine: machine.number("<I")),
    "MEMOIZE": _remember(lambda machine: len(machine.memo)),
    "BINGET": _recall("<B"),
    "LONG_BINGET": _recall("<I"),
    "BINPERSID": lambda machine: machine.stack.append(machine.dialect.look_up(machine.pop())),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": lambda machine: machine.call(),
    "BUILD": lambda machine: machine.build(),
}


def _check_depth(value: Any) -> None:
    """Raises NoWeights if containers are more than MAX_DEPTH inside each other, contain themselves, or multiply."""
    level, steps = [value], 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for one in level:
            if isinstance(one, (Function, Type)):
                raise NoWeights("it holds a function or a type")
            if isinstance(one, dict):
                below.extend(one.values())
            elif isinstance(one, (list, tuple)):
                below.extend(one)
            if len(below) > MOST_OPCODES:
                raise NoWeights("its values multiply")
        steps += len(below)
        if steps > MOST_OPCODES:
            raise NoWeights("its values multiply")
        if not below:
            return
        level = below
    raise NoWeights("the values are nested too deeply")
