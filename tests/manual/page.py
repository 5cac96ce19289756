"""The manual page, judged by the programs that people read it with."""

import re

from tools import Place, expect, run, tool

SECTIONS = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "ENVIRONMENT",
    "FILES",
    "EXIT STATUS",
    "SIGNALS",
    "EXAMPLES",
    "SEE ALSO",
]


def mandoc_finds_nothing_to_warn_of(place: Place) -> None:
    mandoc = tool("mandoc")
    page = str(place.text("--man"))
    run([mandoc, "-Tlint", "-Wwarning", page], place.folder)
    expect_reads_well(place, run([mandoc, "-Tutf8", "-O", "width=100", page], place.folder))


def man_formats_it_without_a_warning(place: Place) -> None:
    man = tool("man")
    tool("groff")
    expect_reads_well(place, run([man, "--warnings", "-l", str(place.text("--man"))], place.folder))


def groff_formats_it_for_print_without_a_warning(place: Place) -> None:
    groff = tool("groff")
    printed = run([groff, "-man", "-ww", "-Tps", str(place.text("--man"))], place.folder)
    expect(printed.startswith("%!PS"), "groff prints no PostScript")


def expect_reads_well(place: Place, formatted: str) -> None:
    """Every flag and variable that the program knows can be found on the page as it is typed."""
    # What terminals make bold is overstruck, or dressed in escape sequences.
    text = re.sub(r".\x08|\x1b\[[0-9;]*m", "", formatted)
    headlines = [line for line in text.splitlines() if line in SECTIONS]
    expect(headlines == SECTIONS, f"the sections are {headlines}")
    help_text = run([str(place.binary), "--help"], place.folder)
    names = set(re.findall(r"--[a-z][a-z-]+|\b[A-Z]+_[A-Z_]+[A-Z]\b", help_text)) - {"NAME_FILE"}
    expect(len(names) > 60, f"--help tells of {len(names)} flags and variables only")
    missing = sorted(name for name in names if name not in text)
    expect(not missing, f"these are not on the page as they are typed: {missing}")
