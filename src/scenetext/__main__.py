"""`python -m scenetext VERB`."""

import sys

from scenetext.cli import main

if __name__ == "__main__":
    sys.exit(main())
