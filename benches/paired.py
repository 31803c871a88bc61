"""Times commands in turn, each round in another order."""

import json
import pathlib
import random
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def launcher(named):
    if named:
        return named.resolve()
    words = ["cargo", "build", "--release", "--quiet", "--message-format", "json"]
    told = subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout.splitlines()
    built = (json.loads(line).get("executable") for line in told)
    return [executable for executable in built if executable][-1]


def packages(folder, number=6):
    """A module of a few packages, each with a test. What go does for them is mostly to make and remove files."""
    for name in (f"p{index}" for index in range(number)):
        package = folder / name
        package.mkdir(parents=True)
        (package / "p.go").write_text(f"package {name}\n\nfunc One() int {{ return 1 }}\n")
        test = f'package {name}\n\nimport "testing"\n\nfunc TestOne(t *testing.T) {{\n\tif One() != 1 {{\n\t\tt.Fatal()\n\t}}\n}}\n'
        (package / "p_test.go").write_text(test)
    (folder / "go.mod").write_text("module example.com/small\n\ngo 1.21\n")
    return folder


def remove_many(folder, number=20000):
    """Makes as many files in a folder, and removes them."""
    files = [folder / f"removed-{index}" for index in range(number)]
    for file in files:
        file.touch()
    for file in files:
        file.unlink()


def measure(cases, rounds):
    """Seconds by name; each round runs every case once, in random order."""
    times = {name: [] for name, _, _ in cases}
    for number in range(rounds + 1):
        for name, words, (folder, environment, prepare) in random.sample(cases, len(cases)):
            if prepare:
                prepare()
            start = time.perf_counter()
            done = subprocess.run(words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            took = time.perf_counter() - start
            if done.returncode:
                sys.exit(f"{name}: {' '.join(map(str, words))} failed: {done.stderr.decode(errors='replace')}")
            if number:  # the first round warms up
                times[name].append(took)
    return times


def report(title, times, base="bare"):
    """A line: the medians, and the median of the ratios to the base within a round."""
    bases = times[base]
    cells = []
    for name, values in times.items():
        ratio = statistics.median(value / base for value, base in zip(values, bases))
        median = statistics.median(values)
        cells.append(f"{name} {median * 1000:9.2f} ms ({ratio:5.2f})")
    print(f"{title:<34}" + "   ".join(cells), flush=True)
