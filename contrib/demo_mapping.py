#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Keep a file mapped while foldctl folds it, and show what the mapping shows.

    demo_mapping.py FILE      of eight pages of one letter each; for contrib/demo
"""

import mmap
import os
import subprocess
import sys

PAGE = 4096


def main():
    path = sys.argv[1]
    with open(path, "r+b") as file:
        mapping = mmap.mmap(file.fileno(), 8 * PAGE)

        def letter(page):
            return chr(mapping[page * PAGE] or ord("-"))

        def show(command):
            # Not past the end of the file: there, a mapping raises SIGBUS.
            pages = os.fstat(file.fileno()).st_size // PAGE
            print(f"    {command:34} {' '.join(letter(i) for i in range(pages))}")

        def fold(operation, at, length, expected):
            words = [operation, path, f"{4 * at}K", f"{4 * length}K"]
            subprocess.run(["foldctl"] + words, check=True)
            words[1] = os.path.basename(path)
            show("foldctl " + " ".join(words))
            for page, wanted in enumerate(expected):
                if letter(page) != wanted:
                    sys.exit(f"page {page} should show {wanted}")

        show("(just mapped)")
        mapping[2 * PAGE] = ord("c")
        show("(a store, not yet written back)")
        fold("collapse", 1, 1, "AcDEFGH")
        fold("insert", 4, 1, "AcDE-FGH")
        fold("punch", 0, 1, "-cDE-FGH")


main()
