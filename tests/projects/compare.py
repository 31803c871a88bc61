"""Compares the verdicts that `run` collected, project by project, and writes the page.

compare.py FOLDER DIFFERENCES [PAGE]
"""

import pathlib
import re
import sys

folder, known = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
page = sys.argv[3] if len(sys.argv) > 3 else None


def verdicts(*paths):
    """Of tests, all that each has had; a package's own verdict follows from theirs, but where none ran."""
    found = {}
    for path in paths:
        for line in path.read_text().splitlines() if path.exists() else []:
            package, test, verdict = line.split("\t")
            found.setdefault((package, test), set()).add(verdict)
    return found


def reasons():
    """Lines of `differences`: profile or `both`, MODULE, PACKAGE and TEST as one regular expression, and the reason."""
    found = []
    for line in known.read_text().splitlines():
        if line and not line.startswith("#"):
            profile, pattern, reason = line.split(maxsplit=2)
            found.append((profile, re.compile(pattern), reason))
    return found


explained = reasons()
lines, why_lines, same, unexplained, bad_bytes, total = [], [], {"strict": 0, "ci": 0}, 0, 0, 0
for line in (folder / "results").read_text().splitlines():
    module, version, name, programs, count = line.split("\t")
    out = folder / "out" / name
    bare = verdicts(out / "bare", out / "bare.again")
    total += 1
    bad_bytes += programs not in ("same", "fails")
    cells = []
    for kind in ("strict", "ci"):
        inside = verdicts(out / kind, out / f"{kind}.again")
        differing = sorted(key for key, had in bare.items() if not had & inside.get(key, set()))
        # Subtests and the package go with the test that differs.
        tops = sorted({(package, test.split("/")[0]) for package, test in differing if test} or {(p, t) for p, t in differing})
        same[kind] += not tops
        cells.append("same" if not tops else f"{len(tops)} of {len({(p, t.split('/')[0]) for p, t in bare if t})}")
        for package, test in tops:
            where = f"{package}.{test}" if test else package
            why = next((why for profile, pattern, why in explained if profile in (kind, "both") and pattern.fullmatch(where)), None)
            if why is None:
                unexplained += 1
                had = ["/".join(sorted(all.get((package, test), {"not run"}))) for all in (bare, inside)]
                print(f"{kind}: {where}: {had[0]} bare, {had[1]} inside")
            why_lines.append((where, kind, why or "not explained"))
    lines.append(f"| `{module}` {version} | {programs} ({count}) | {cells[0]} | {cells[1]} |")

figures = f"Of {total} projects, programs are the same in {total - bad_bytes}, all verdicts in {same['strict']} with strict and {same['ci']} with ci."
print(figures)
if page:
    by_test = {}
    for where, kind, why in why_lines:
        by_test.setdefault((where, why), []).append(kind)
    text = [
        "# Projects that were tried",
        "",
        "`tests/projects/run GOSANDBOX --write` has written this page. It builds each project and runs its",
        "tests (`go test -short ./...`, CGO_ENABLED=0) bare and in gosandbox, as an ordinary user with",
        "namespaces. Programs are compared byte by byte, and each test's verdict with its verdict bare.",
        "Packages with a test that differs are tested once more, bare and inside: what agrees then goes by",
        "the clock, and not by where it runs.",
        "",
        figures,
        "",
        "| project | programs | strict | ci |",
        "|---|---|---|---|",
        *lines,
        "",
        "| test | profiles | why |",
        "|---|---|---|",
        *(f"| `{where}` | {', '.join(kinds)} | {why} |" for (where, why), kinds in sorted(by_test.items())),
        "",
    ]
    pathlib.Path(page).write_text("\n".join(text))
sys.exit(1 if unexplained or bad_bytes else 0)
