"""`lamina --help`, as the shell starts it."""

import contextlib
import io

from lamina.cli import main

with contextlib.redirect_stdout(io.StringIO()) as text, contextlib.suppress(SystemExit):
    import sys

    sys.argv = ["lamina", "--help"]
    main()
assert "Usage" in text.getvalue()
print("{}")
