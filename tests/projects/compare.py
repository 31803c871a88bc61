"""Compares the verdicts that `run` collected, project by project, and writes the page.

compare.py FOLDER DIFFERENCES [PAGE]
"""

import pathlib
import re
import sys

folder, known = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
page = sys.argv[3] if len(sys.argv) > 3 else None


def verdicts(path):
    """Of tests; a package's own verdict follows from theirs, but where none ran."""
    found = {}
    if path.exists():
        for line in path.read_text().splitlines():
            package, test, verdict = line.split("\t")
            found[package, test] = verdict
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
    bare, again = verdicts(out / "bare"), verdicts(out / "again")
    total += 1
    bad_bytes += programs not in ("same", "fails")
    cells = []
    for kind in ("strict", "ci"):
        inside = verdicts(out / kind)
        steady = {key: verdict for key, verdict in bare.items() if again.get(key, verdict) == verdict}
        differing = sorted(key for key, verdict in steady.items() if inside.get(key) != verdict)
        # Subtests and the package go with the test that differs.
        tops = sorted({(package, test.split("/")[0]) for package, test in differing if test} or {(p, t) for p, t in differing})
        same[kind] += not tops
        cells.append("same" if not tops else f"{len(tops)} of {len({(p, t.split('/')[0]) for p, t in bare if t})}")
        for package, test in tops:
            where = f"{package}.{test}" if test else package
            why = next((why for profile, pattern, why in explained if profile in (kind, "both") and pattern.fullmatch(where)), None)
            if why is None:
                unexplained += 1
                print(f"{kind}: {where}: {steady.get((package, test), '?')} bare, {inside.get((package, test), 'not run')} inside")
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
