"""Installs what the project needs at the versions of lock.txt, into a virtual environment. Called by `make install`.

    python .ci/install.py --env .venv --extras cpu

It runs on Python 3.6 and newer, so that it can say which one is needed. A Paddle 3.0 to 3.3 that is installed already,
as on AI Studio, is kept. An installation that fails ends with one sentence.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOCK = os.path.join(ROOT, ".ci", "lock.txt")
PYTHONS = ((3, 10), (3, 13))
PADDLES = ((3, 0), (3, 3))
PADDLE = ("paddlepaddle", "paddlepaddle-gpu")
REPLACED = ("numpy", "pandas", "pillow", "onnx", "onnxruntime")
REPLACED += ("opencv-python", "opencv-contrib-python", "opencv-python-headless")
FOURTH_OPENCV = "opencv-contrib-python-headless"  # writes the folder cv2, too, and no dependency of ours brings it
REASONS = (  # in pip's output -> what to tell
    (r"No space left on device|Disk quota exceeded", "the disk is full: 5 GB are needed in {env} and {temp}"),
    (
        r"Failed to establish a new connection|Connection refused|Temporary failure in name resolution|"
        r"Network is unreachable|ConnectTimeout|ReadTimeout|Max retries exceeded|ProxyError",
        "the package index cannot be reached: check the network, or name a mirror by PIP_INDEX_URL=ADDRESS",
    ),
    (r"No module named pip$", "{env} has no pip: run `{env}/bin/python -m ensurepip` first"),
    (r"Permission denied", "{env} may not be written by this user: give another folder by ENV=DIR"),
    (
        r"DO NOT MATCH THE HASHES",
        "a downloaded package differs from the one in .ci/lock.txt: try again, or without the mirror in PIP_INDEX_URL",
    ),
    (
        r"error: command '\S*(gcc|cc|c\+\+|g\+\+)\S*' failed: No such file|Unable to find a compiler",
        "a package has to be compiled: install gcc first, on Debian by `apt install build-essential`",
    ),
    (
        r"No matching distribution found for (\S+)",
        "the package index has no {0} for this Python and system, or does not answer as an index: use Python 3.10 to "
        "3.12 on 64-bit Linux, or ask PyPI itself instead of a mirror by PIP_INDEX_URL=ADDRESS",
    ),
    (
        r"HTTP error (\d+) while getting \S*/(\S+)",
        "the package index answers {0} for {1}: try again later, or name another index by PIP_INDEX_URL=ADDRESS",
    ),
)


def stop(sentence: str) -> None:
    """Ends with exit status 2 and one sentence."""
    sys.stderr.write(f"make install: {sentence}.\n")
    sys.exit(2)


def check_python(version: list, executable: str) -> None:
    """Stops unless this Python is one that the project runs on."""
    if not PYTHONS[0] <= tuple(version[:2]) <= PYTHONS[1]:
        stop(
            f"{executable} is Python {version[0]}.{version[1]}, but scenetext needs Python 3.10 to 3.13: name one by "
            "PYTHON=/path/to/python3.11, or get one by `apt install python3 python3-venv`, `conda env create -f "
            "environment.yml` or `uv python install 3.11`"
        )


def make_environment(env: str) -> str:
    """Makes the virtual environment `env` with this Python and returns the path of its Python."""
    python = os.path.join(env, "bin", "python")
    if os.path.exists(python):
        return python
    if importlib.util.find_spec("ensurepip") is None:
        stop(
            f"{sys.executable} has no module venv that works: on Debian `apt install "
            f"python{sys.version_info[0]}.{sys.version_info[1]}-venv` brings it"
        )
    run([sys.executable, "-m", "venv", env], env)
    return python


def run(command: list, env: str) -> None:
    """Runs a command, passes its output on, and stops with one sentence when it fails."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if not line.startswith("WARNING: "):
            sys.stdout.write(line)
            sys.stdout.flush()
    if process.wait():
        stop(reason("".join(lines), env))


def reason(output: str, env: str) -> str:
    """What went wrong, from pip's output."""
    for pattern, sentence in REASONS:
        found = re.search(pattern, output, re.MULTILINE)
        if found:
            return sentence.format(*found.groups(), env=env, temp=tempfile.gettempdir())
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"the installation failed with: {lines[-1].rstrip('.') if lines else 'no message'}"


def installed_versions(python: str) -> dict:
    """Versions by normalised name of the packages that an environment holds."""
    code = (
        "import importlib.metadata as m\n"
        "for d in m.distributions(): print(d.metadata['Name'].lower().replace('_', '-'), d.version)"
    )
    output = subprocess.check_output([python, "-c", code], universal_newlines=True)
    return dict(line.split() for line in output.splitlines())


def kept_paddle(installed: dict) -> str:
    """The name of an installed Paddle, which is kept, or ""; stops when its version is not supported."""
    names = [name for name in PADDLE if name in installed]
    for name in names:
        version = tuple(int(part) for part in re.findall(r"\d+", installed[name])[:2])
        if not PADDLES[0] <= version <= PADDLES[1]:
            stop(
                f"this environment holds {name} {installed[name]}, but scenetext needs Paddle 3.0 to 3.3: uninstall "
                f"it by `pip uninstall {name}`, or install into an environment of its own by ENV=.venv"
            )
    if len(names) == 2:
        stop("this environment holds both paddlepaddle and paddlepaddle-gpu, which share a folder: uninstall one first")
    return names[0] if names else ""


def read_lock() -> list:
    """The entries of the lock by name, each with its lines: `name==version ; marker` and its hashes."""
    entries = []
    with open(LOCK, encoding="utf-8") as file:
        for line in file:
            if line[:1].isalpha():
                entries.append((line.split("==")[0], [line]))
            elif entries and line.strip():
                entries[-1][1].append(line)
    return entries


def replaced(before: dict, after: dict) -> list:
    """Half-sentences about packages that were there and have another version now."""
    return [
        f"{name} {before[name]} was replaced by {after[name]}"
        for name in REPLACED
        if name in before and before[name] != after.get(name, before[name])
    ]


def install(python: str, env: str, extras: set) -> None:
    """Installs the locked packages without Paddle, then Paddle unless it is there, then the project itself."""
    installed = installed_versions(python)
    if FOURTH_OPENCV in installed:
        stop(f"this environment holds {FOURTH_OPENCV}, which shares a folder with other OpenCVs: uninstall it first")
    paddle = kept_paddle(installed)
    entries = read_lock()
    if paddle:
        print(f"make install: {paddle} {installed[paddle]} is kept.")
    wanted = [entry for entry in entries if entry[0] != "paddlepaddle" or ("cpu" in extras and not paddle)]
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--use-pep517"]
    with tempfile.TemporaryDirectory() as folder:
        requirements = os.path.join(folder, "requirements.txt")
        with open(requirements, "w", encoding="utf-8") as file:
            file.writelines(line for _, lines in wanted for line in lines)
        run([*pip, "--no-deps", "--require-hashes", "-r", requirements], env)
    if "gpu" in extras and not paddle:  # on Paddle's own index, so not in the lock
        run([*pip, "paddlepaddle-gpu>=3.0,<3.4"], env)
    run([*pip, "--no-deps", "--no-build-isolation", "-e", ROOT], env)
    for sentence in replaced(installed, installed_versions(python)):
        print(f"make install: {sentence} in {env}.")


def screenless_opencv(python: str, env: str) -> None:
    """Where the machine has no libGL, lets the OpenCV that needs no screen take the place of the other two."""
    if subprocess.call([python, "-c", "import cv2"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        version = installed_versions(python)["opencv-python-headless"]
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        run([*pip, "--no-deps", "--force-reinstall", f"opencv-python-headless=={version}"], env)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", required=True, help="virtual environment; it is made when missing")
    parser.add_argument("--extras", default="cpu", help="the build of Paddle: cpu or gpu")
    chosen = parser.parse_args()
    check_python(sys.version_info, sys.executable)
    python = make_environment(chosen.env)
    version = subprocess.check_output([python, "-c", "import sys; print(*sys.version_info[:2])"])
    check_python([int(part) for part in version.split()], python)
    install(python, chosen.env, set(chosen.extras.split(",")))
    screenless_opencv(python, chosen.env)
    run([python, "-W", "ignore", "-c", "import cv2, paddle, scenetext"], chosen.env)


if __name__ == "__main__":
    main()
