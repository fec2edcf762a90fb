#!/usr/bin/env python3
"""Writes a man page for mneme and for each of its commands, from what the program says of itself.

    man_pages.py PROGRAM FOLDER

ArgumentParser describes all commands as JSON (--experimental-dump-help), from which --help is made, too."""
import json
import pathlib
import subprocess
import sys


def escaped(text: str) -> str:
    """Text that troff takes as it is; a line that begins with a dot would be a request."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return "\n".join(r"\&" + line if line.startswith((".", "'")) else line for line in text.split("\n"))


def spelled(name: dict) -> str:
    return ("--" if name["kind"] == "long" else "-") + name["name"]


def heading(argument: dict) -> str:
    """An argument as a definition's term: its names and its value."""
    value = r"\fI%s\fR" % escaped(argument.get("valueName", ""))
    if argument["kind"] == "positional":
        return value
    names = ", ".join(r"\fB%s\fR" % escaped(spelled(name)) for name in argument["names"])
    return names if argument["kind"] == "flag" else f"{names} {value}"


def page(command: dict, path: list[str], version: str) -> str:
    name = "-".join(path)
    lines = [f'.TH "{name.upper()}" 1 "" "mneme {version}" "Mneme"', ".SH NAME",
             f"{escaped(name)} \\- {escaped(command.get('abstract', '').rstrip('.'))}", ".SH SYNOPSIS",
             r".B " + escaped(" ".join(path))]
    arguments = [a for a in command.get("arguments", []) if a.get("shouldDisplay", True)]
    for argument in arguments:
        term = heading(argument) + ("..." if argument["isRepeating"] else "")
        lines.append(f"[{term}]" if argument["isOptional"] else term)
    children = [c for c in command.get("subcommands", []) if c.get("shouldDisplay", True) and c["commandName"] != "help"]
    if children:
        lines.append(r"\fIcommand\fR")
    if command.get("discussion"):
        lines += [".SH DESCRIPTION", escaped(command["discussion"])]
    if arguments:
        lines.append(".SH OPTIONS")
        for argument in arguments:
            default = f" Default: {argument['defaultValue']}." if argument.get("defaultValue") else ""
            lines += [".TP", heading(argument), escaped(argument.get("abstract", "") + default)]
    if children:
        lines.append(".SH COMMANDS")
        for child in children:
            lines += [".TP", r"\fB%s\fR(1)" % escaped("-".join(path + [child["commandName"]])),
                      escaped(child.get("abstract", ""))]
    lines += [".SH EXIT STATUS", "0: done. 1: it failed, or a check found something. 2: something else has to be asked for.",
              ".SH FILES", r"\fI~/.mneme\fR, or the folder in \fBMNEME_HOME\fR: memories, models, keys, settings."]
    if len(path) > 1:
        lines += [".SH SEE ALSO", r"\fB%s\fR(1)" % escaped("-".join(path[:-1]))]
    return "\n".join(lines) + "\n"


def write(command: dict, path: list[str], version: str, folder: pathlib.Path) -> None:
    (folder / ("-".join(path) + ".1")).write_text(page(command, path, version), encoding="utf-8")
    for child in command.get("subcommands", []):
        if child["commandName"] != "help" and child.get("shouldDisplay", True):
            write(child, path + [child["commandName"]], version, folder)


def main() -> None:
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)

    def said(*arguments: str) -> str:
        return subprocess.run([program, *arguments], capture_output=True, check=True, text=True).stdout

    write(json.loads(said("--experimental-dump-help"))["command"], ["mneme"], said("--version").strip(), folder)


main()
