#!/usr/bin/python3
"""The generated pages in docs/ are what the program prints: pages.py POSTERN DOCS."""
import pathlib
import subprocess
import sys


def main():
    postern, docs = sys.argv[1], pathlib.Path(sys.argv[2])
    stale = []
    for page in ("config", "errors", "metrics"):
        printed = subprocess.run([postern, "explain", page], capture_output=True, check=True)
        if (docs / f"{page}.md").read_bytes() != printed.stdout:
            stale.append(page)
            print(f"docs/{page}.md is stale: run ./dev docs")
    return 1 if stale else 0


sys.exit(main())
