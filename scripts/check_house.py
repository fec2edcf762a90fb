#!/usr/bin/env python3
"""Checks the rules of the source tree that can be counted, over Swift and C in Sources/. Exits 1 if one is broken.

    python3 scripts/check_house.py [--modules] [--bare] [--many]     also prints each module's figures,
                                    public declarations without documentation, and public ones of seven parameters or more

- No file has over 500 lines.
- At most 5 % of all lines have over 100 columns.
- Modules do not import each other in a circle.
- At most three files of a module form a circle by the types that they declare and name. The mention of a type counts,
  an extension's too; calls of another file's functions do not.
- Benchmarks, and what was measured and is not used, stay out of other modules: only the command line's folder Bench
  and tests import MnemeBench.
- At most 214 Swift functions and initialisers take five parameters or more, and 19 public ones seven or more: what
  goes together is a struct, whose fields have names and defaults. Lower the bounds as they fall.
- At most 5 % of public Swift declarations have no documentation comment. Cases of public enums and requirements of public
  protocols count; operators, `init(from:)`, `encode(to:)`, `hash(into:)` and literals' initialisers do not.
- At least 20 % of the lines that are not blank are comments.
"""
import pathlib
import re
import sys

MOST_LINES, MOST_COLUMNS, MOST_WIDE, MOST_BARE, LEAST_COMMENTS = 500, 100, 0.05, 0.05, 0.20
MOST_IN_CIRCLE = 3
# Parameters that are many, those that are too many for others to call, and how many declarations may have so many.
MANY, TOO_MANY, MOST_WITH_MANY, MOST_PUBLIC_WITH_TOO_MANY = 5, 7, 214, 19
IMPORT = re.compile(
    r"^(?:@\w+ )?(?:public |package |internal |private )?import "
    r"(?:struct |protocol |class |enum |func |typealias )?(\w+)", re.M)
# A declaration that others can name.
PUBLIC = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))? )*public (?!import|extension)(?:[a-z]+(?:\(set\))? )*?"
    r"(?:func|var|let|init|subscript|case|struct|class|enum|protocol|actor|typealias|associatedtype)\b[?!]? ?`?(\w*|\S+)")
# A type that other files of the module can name.
TYPE = re.compile(
    r"^(?:@\w+(?:\([^)]*\))? )*(?:public |package |internal )?(?:final |indirect )?"
    r"(?:struct|class|enum|protocol|actor|typealias) (\w+)", re.M)
# Comments and texts, in which a type's name is no use of it.
PROSE = re.compile(r'/\*.*?\*/|//[^\n]*|"""\n.*?"""|"(?:\\.|[^"\\\n])*"', re.S)
# What opens a body whose members are public without the word: cases of an enum, requirements of a protocol.
OPENS = re.compile(r"^(\s*)(?:@\w+(?:\([^)]*\))? )*public (?:indirect )?(enum|protocol) .*\{\s*$")
MEMBER = {
    "enum": re.compile(r"^(?:indirect )?case \S"),
    "protocol": re.compile(
        r"^(?:@\w+ )*(?:static |mutating |nonisolated )*(?:func|var|init|subscript|associatedtype|typealias)\b")}
# A function or an initialiser, up to its list of parameters. A call `.init(` is none.
CALLABLE = re.compile(r"(?<!\.)\b(?:func\s+[^\s(<]+|init[?!]?)\s*(?:<[^>{]*>)?\(")
# Declarations whose meaning the language fixes: operators, coding, hashing, and literals' initialisers.
FIXED = re.compile(
    r"\bfunc [^\w`\s]|\binit\(from \w+: |\bfunc encode\(to \w+: |\bfunc hash\(into \w+: |\binit\(\w+Literal ")


def public_declarations(lines):
    """Each public declaration of a Swift file that wants a comment, with whether it has one."""
    bodies, before, in_text = [], "", False
    for line in lines:
        # Lines of a text between three quotes declare nothing.
        quotes, was_text = line.count('"""'), in_text
        in_text ^= quotes % 2 == 1
        if was_text:
            continue
        stripped, indent = line.strip(), len(line) - len(line.lstrip())
        while bodies and stripped and indent <= bodies[-1][0]:
            bodies.pop()
        member = bodies and indent == bodies[-1][0] + 4 and MEMBER[bodies[-1][1]].match(stripped)
        if (member or PUBLIC.match(line)) and not FIXED.search(line):
            yield stripped, before.startswith("///") or before.endswith("*/")
        if opened := OPENS.match(line):
            bodies.append((len(opened[1]), opened[2]))
        # Attributes stand between a declaration and its comment.
        if not re.match(r"^@\w+(\(.*\))?$", stripped):
            before = stripped


def parameter_counts(code):
    """Of each function and initialiser in Swift without comments and texts: its line's start, and its parameters."""
    for found in CALLABLE.finditer(code):
        depth, commas, end = 0, 0, found.end() - 1
        for end in range(found.end() - 1, len(code)):
            depth += (code[end] in "([{") - (code[end] in ")]}")
            if depth == 0:
                break
            commas += code[end] == "," and depth == 1
        parameters = code[found.end():end].strip().rstrip(",")
        line = code[code.rfind("\n", 0, found.start()) + 1:found.start()]
        yield line + found[0], commas + 1 if parameters else 0


sources = sorted(f for f in pathlib.Path("Sources").rglob("*") if f.suffix in (".swift", ".c", ".h"))
texts = {f: f.read_text(encoding="utf-8") for f in sources}
broken, figures, imports = [], {}, {}
wide = lines_in_all = comments_in_all = filled_in_all = public = bare = 0

for file in sources:
    module = file.parts[1]
    text = texts[file]
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        broken.append(f"{file} has {len(lines)} lines; {MOST_LINES} are allowed: give each idea a file of its own.")
    filled = [line.strip() for line in lines if line.strip()]
    comments = sum(line.startswith(("//", "/*", "*")) for line in filled)
    comments_in_all, filled_in_all = comments_in_all + comments, filled_in_all + len(filled)
    wide, lines_in_all = wide + sum(len(line) > MOST_COLUMNS for line in lines), lines_in_all + len(lines)
    figure = figures.setdefault(module, [0, 0, 0])
    figure[0], figure[1] = figure[0] + comments, figure[1] + len(filled)
    if file.suffix == ".swift":
        imports.setdefault(module, set()).update(IMPORT.findall(text))
        for declaration, documented in public_declarations(lines):
            public += 1
            if not documented:
                bare += 1
                figure[2] += 1
                if "--bare" in sys.argv[1:]:
                    print(f"{file}: {declaration}")


def circle(module, path):
    """The first way from a module back to itself, if there is one."""
    for other in sorted(imports[module] & imports.keys()):
        if other == path[0]:
            return path + [other]
        if other not in path and (found := circle(other, path + [other])):
            return found
    return None


for module in sorted(imports):
    if found := circle(module, [module]):
        broken.append("Imports run in a circle: " + " → ".join(found))
        break


def circles(graph):
    """The groups of files that lead to each other (strongly connected components, Tarjan 1972), those of one left out."""
    order, low, stack, found = {}, {}, [], []

    def visit(file):
        order[file] = low[file] = len(order)
        stack.append(file)
        for other in sorted(graph[file]):
            if other not in order:
                visit(other)
            if other in stack:
                low[file] = min(low[file], low[other])
        if low[file] == order[file]:
            group = stack[stack.index(file):]
            del stack[stack.index(file):]
            if len(group) > 1:
                found.append(sorted(group))

    for file in sorted(graph):
        if file not in order:
            visit(file)
    return found


largest = with_many = public_with_too_many = 0
for file, text in texts.items():
    if file.suffix == ".swift":
        for declaration, count in parameter_counts(PROSE.sub(" ", text)):
            with_many += count >= MANY
            if count >= TOO_MANY and "public " in declaration:
                public_with_too_many += 1
                if "--many" in sys.argv[1:]:
                    print(f"{file}: {declaration.strip()} {count}")
for module in sorted(imports):
    code = {f: PROSE.sub(" ", text) for f, text in texts.items() if f.parts[1] == module and f.suffix == ".swift"}
    declared = {}
    for file, text in code.items():
        for name in TYPE.findall(text):
            declared.setdefault(name, set()).add(file)
    # A name that two files declare, for two systems, is nobody's.
    homes = {name: min(files) for name, files in declared.items() if len(files) == 1}
    uses = {file: {homes[name] for name in set(re.findall(r"\b[A-Z]\w*", text)) & homes.keys()} - {file}
            for file, text in code.items()}
    for group in circles(uses):
        largest = max(largest, len(group))
        if len(group) > MOST_IN_CIRCLE:
            broken.append(f"{len(group)} files of {module} form a circle; {MOST_IN_CIRCLE} are allowed. Move what they "
                          "share into a file of its own: " + ", ".join(str(file) for file in group))

for file, text in texts.items():
    if "MnemeBench" in IMPORT.findall(text) and file.parts[1] != "MnemeBench" and file.parts[1:3] != ("mneme-cli", "Bench"):
        broken.append(f"{file} imports MnemeBench, which is for Sources/mneme-cli/Bench and tests alone.")

if wide / lines_in_all > MOST_WIDE:
    broken.append(f"{wide / lines_in_all:.1%} of the lines have over {MOST_COLUMNS} columns; {MOST_WIDE:.0%} are allowed.")
if bare / max(1, public) > MOST_BARE:
    broken.append(f"{bare / public:.1%} of {public} public declarations have no documentation comment; "
                  f"{MOST_BARE:.0%} are allowed.")
if with_many > MOST_WITH_MANY:
    broken.append(f"{with_many} functions and initialisers take {MANY} parameters or more; {MOST_WITH_MANY} are allowed: "
                  "make a struct of what goes together.")
if public_with_too_many > MOST_PUBLIC_WITH_TOO_MANY:
    broken.append(f"{public_with_too_many} public functions and initialisers take {TOO_MANY} parameters or more; "
                  f"{MOST_PUBLIC_WITH_TOO_MANY} are allowed (--many names them).")
share = comments_in_all / filled_in_all
if share < LEAST_COMMENTS:
    broken.append(f"Comments are {share:.2%} of the lines that are not blank; {LEAST_COMMENTS:.0%} are the least: say why, "
                  "in what unit, what always holds, and where a number comes from (--modules shows where they are few).")

if "--modules" in sys.argv[1:]:
    for module, (comments, filled, missing) in sorted(figures.items()):
        print(f"{module:18} comments {comments / filled:6.1%} of {filled:6} lines, {missing} public without")
print(f"{len(sources)} files, {lines_in_all} lines, {wide / lines_in_all:.1%} over {MOST_COLUMNS} columns; "
      f"{bare} of {public} public declarations without documentation; "
      f"{largest} files in the largest circle; {with_many} calls with {MANY} parameters or more, "
      f"{public_with_too_many} public ones with {TOO_MANY} or more; {share:.1%} comments")
if broken:
    sys.exit("\n".join(broken))
