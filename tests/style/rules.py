"""The house rules that a compiler does not know. Each rule yields (line, text) for its breaches.

The floors are those of docs/ARCHITECTURE.md. Only the standard library is used here.
"""
import ast
import re

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70
MAX_COLUMNS = 100

# folder -> folders it may include besides itself and base/.
MAY_INCLUDE = {
    "base": set(),
    "protocol": set(),
    "sql": set(),
    "types": set(),
    "crypto": set(),
    "policy": {"sql", "types"},
    "audit": {"crypto"},
    "config": {"protocol", "sql", "types", "crypto", "policy", "audit"},
}
MAY_INCLUDE["proxy"] = MAY_INCLUDE["config"] | {"config"}
MAY_INCLUDE["schema"] = MAY_INCLUDE["config"] | {"config"}
MAY_INCLUDE["app"] = MAY_INCLUDE["proxy"] | {"proxy", "schema"}
MAY_INCLUDE["bench"] = MAY_INCLUDE["app"] | {"app"}
MAY_INCLUDE["tests"] = MAY_INCLUDE["bench"] | {"bench"}

# library header -> places (folders or files) that may include it; tests/ and bench/ always may.
LIBRARIES = [
    (r"pg_query.*|protobuf-c/.*", ["sql"]),
    (r"boost/.*", ["proxy"]),
    (r"hiredis/.*", ["proxy"]),
    (r"spdlog/.*|fmt/.*", ["proxy"]),
    (r"prometheus/.*", ["proxy"]),
    (r"libpq-fe\.h|postgresql/.*", ["schema"]),
    (r"sodium\.h|sodium/.*", ["crypto"]),
    (r"openssl/.*", ["crypto", "proxy/net"]),
    (r"curl/.*", ["proxy/alerts"]),
    (r"stringprep\.h|idna\.h", ["crypto"]),
    (r"toml\+\+/.*", ["config/toml_document.cpp"]),
    (r"nlohmann/.*", ["audit", "config", "crypto", "proxy", "schema", "app"]),
    (r"zstd\.h|zlib\.h", ["audit", "crypto", "proxy", "schema"]),
    (r"doctest/.*", []),
]
SYSTEM = re.compile(r"[a-z0-9_]+|(sys|net|netinet|arpa|linux)/[a-z0-9_]+\.h|[a-z0-9_]+\.h")

# Functions longer than the limit, "path:name" -> reason.
LONG_FUNCTIONS = {}
# Files that may name paths of a machine, with the reason.
MACHINE_PATHS = {}

UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b")
MACHINE = re.compile(r"(?<![\w.])/(work|home|root)/\w")
INCLUDE = re.compile(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
CPP = (".cpp", ".hpp", ".def")
CODE = (".cpp", ".hpp", ".def", ".py", ".cmake", ".sh")


def folder_of(path):
    return path.split("/", 1)[0]


def included_from(path, places):
    return any(path == place or path.startswith(place + "/") for place in places)


def layering(path, text):
    """Includes go to lower floors only, with full paths; libraries stay in their folders."""
    folder = folder_of(path)
    if not path.endswith(CPP) or folder not in MAY_INCLUDE:
        return
    free = folder in ("tests", "bench")
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        own, library = match.groups()
        if own is not None:
            target = folder_of(own)
            if target not in MAY_INCLUDE:
                yield number, f'"{own}" is not a path from the root'
            elif target not in MAY_INCLUDE[folder] | {folder, "base"}:
                yield number, f"{folder}/ must not include {own}"
            continue
        for pattern, places in LIBRARIES:
            if re.fullmatch(pattern, library):
                if not free and not included_from(path, places):
                    yield number, f"<{library}> is for {', '.join(places) or 'tests'} only"
                break
        else:
            if not SYSTEM.fullmatch(library):
                yield number, f"<{library}> is a library no folder is allowed to use"


def pragma_once(path, text):
    """Every header is guarded."""
    if path.endswith(".hpp") and "#pragma once" not in text.splitlines():
        yield 1, "#pragma once is missing"


def length(path, text):
    """Files are short."""
    lines = text.count("\n")
    if is_code(path) and lines > MAX_FILE_LINES:
        yield lines, f"{lines} lines, {MAX_FILE_LINES} are allowed"


def columns(path, text):
    """Lines are short."""
    if not is_code(path):
        return
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > MAX_COLUMNS:
            yield number, f"{len(line)} columns, {MAX_COLUMNS} are allowed"


def unfinished(path, text):
    """Nothing is left for later."""
    for number, line in enumerate(text.splitlines(), 1):
        match = UNFINISHED.search(line)
        if match:
            yield number, f"{match.group(1)}: finish it or leave it out"


def machine_paths(path, text):
    """No file knows the machine it was written on."""
    if path in MACHINE_PATHS:
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = MACHINE.search(line)
        if match:
            yield number, f"{match.group(0)}… is a path of one machine"


def is_code(path):
    return path.endswith(CODE) or path in ("dev", ".ci/run") or path.endswith("CMakeLists.txt")


def blank_out(text):
    """C++ text with comments, strings and preprocessor lines replaced by blanks."""
    pattern = re.compile(
        r'R"(?P<tag>[^()\\ ]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"'
        r"|'(?:\\.|[^'\\\n])+'(?![0-9])|//[^\n]*|/\*.*?\*/"
        r"|^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.S | re.M)

    def blank(match):
        found = match.group(0)
        if found[0] == "'" and match.start() > 0 and text[match.start() - 1].isalnum():
            return found.replace("{", " ").replace("}", " ")
        return re.sub(r"[^\n]", " ", found)

    return pattern.sub(blank, text)


NOT_FUNCTION = re.compile(
    r"^(template\s*<.*>\s*)?(namespace|class|struct|enum|union|extern)\b", re.S)
NAME = re.compile(r"([~\w:]+)\s*\(")


def cpp_functions(text):
    """(name, first line, last line) of each outermost function; a simple brace matcher."""
    text = blank_out(text)
    stack = []  # (is it a function body, its name, line)
    inside = 0
    header_start = 0
    line = 1
    for at, char in enumerate(text):
        if char == "\n":
            line += 1
        elif char == ";" and not inside:
            header_start = at + 1
        elif char == "{":
            header = text[header_start:at].strip()
            scope = NOT_FUNCTION.match(header) or header.endswith("=")
            function = not inside and not scope and (header == "" or "(" in header)
            name = NAME.search(header)
            first = line - header.count("\n")
            stack.append((function, name.group(1) if name else "?", first))
            inside += function
            header_start = at + 1
        elif char == "}" and stack:
            function, name, first = stack.pop()
            if function:
                inside -= 1
                yield name, first, line
            header_start = at + 1


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno


def function_length(path, text):
    """Functions fit on a screen."""
    if path.endswith((".cpp", ".hpp")):
        functions = cpp_functions(text)
    elif path.endswith(".py"):
        functions = python_functions(text)
    else:
        return
    for name, first, last in functions:
        lines = last - first + 1
        if lines > MAX_FUNCTION_LINES and f"{path}:{name}" not in LONG_FUNCTIONS:
            yield first, f"{name} has {lines} lines, {MAX_FUNCTION_LINES} are allowed"


RULES = [layering, pragma_once, length, columns, unfinished, machine_paths, function_length]
