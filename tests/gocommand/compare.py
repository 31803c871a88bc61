"""Compares the verdicts that `run` collected, and writes the table.

compare.py FOLDER DIFFERENCES [PAGE]
"""

import pathlib
import re
import sys

folder, known = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
page = sys.argv[3] if len(sys.argv) > 3 else None


def verdicts(kind):
    lines = (folder / f"{kind}.verdicts").read_text().splitlines()
    return dict(line.split("\t") for line in lines)


def outputs(kind):
    """What each script printed: its output follows a line that names it, until another is named."""
    said, name = {}, None
    for line in (folder / f"{kind}.out").read_text(errors="replace").splitlines():
        named = re.match(r"(?:===|---) *(?:RUN|PAUSE|CONT|NAME|PASS:|FAIL:|SKIP:) +TestScript/(\S+)", line.strip())
        if named:
            name = named.group(1)
        elif name:
            said.setdefault(name, []).append(line)
    return said


def reasons():
    """Lines of `differences`: the profile or `both`, the script or a pattern, and the reason."""
    found = []
    for line in known.read_text().splitlines():
        if line and not line.startswith("#"):
            profile, pattern, reason = line.split(maxsplit=2)
            found.append((profile, re.compile(pattern), reason))
    return found


bare = verdicts("bare")
passed = [name for name, verdict in bare.items() if verdict == "pass"]
explained = reasons()
rows, unexplained, figures = [], [], {}
for kind in ("strict", "dev"):
    inside, said = verdicts(kind), outputs(kind)
    differing = [name for name in passed if inside.get(name) != "pass"]
    figures[kind] = len(passed) - len(differing)
    for name in differing:
        codes = re.findall(r"^\s*gosandbox: .*\(([a-z][a-z-]+)\)$", "\n".join(said.get(name, [])), re.M)
        why = next((why for profile, pattern, why in explained if profile in (kind, "both") and pattern.fullmatch(name)), None)
        if why is None and codes:
            why = " ".join(f"`{code}`" for code in dict.fromkeys(codes))
        if why is None:
            unexplained.append((kind, name))
            failed = [line.strip() for line in said.get(name, []) if "FAIL" in line]
            print(f"{kind}: {name} passes bare, and not inside: {' '.join(failed) or inside.get(name, 'did not run')}")
        rows.append((name, kind, why or "not explained"))

table = [
    f"| {len(passed)} scripts that pass bare | strict | dev |",
    "|---|---|---|",
    "| the same inside | " + " | ".join(f"{figures[kind]} ({100 * figures[kind] // max(1, len(passed))} %)" for kind in ("strict", "dev")) + " |",
]
print("\n".join(table))
if page:
    by_name = {}
    for name, kind, why in rows:
        by_name.setdefault((name, why), []).append(kind)
    text = [
        "# The go command's own tests",
        "",
        "`tests/gocommand/run GOSANDBOX --write` has written this page. It runs the script tests of the go",
        "command with the installed go, bare and inside, as an ordinary user with namespaces. A script's",
        "first refusal ends it, so that one code can stand for a script of many commands.",
        "",
        *table,
        "",
        "| script | profiles | why |",
        "|---|---|---|",
        *(f"| `{name}` | {', '.join(kinds)} | {why} |" for (name, why), kinds in sorted(by_name.items())),
        "",
    ]
    pathlib.Path(page).write_text("\n".join(text))
sys.exit(1 if unexplained else 0)
