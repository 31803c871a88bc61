package attacks

import (
	"errors"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// plant makes a file in dir and removes it again.
func plant(dir string) error {
	if dir == "" {
		return errAbsent
	}
	f, err := os.CreateTemp(dir, "gosandbox-hostile-*")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

// edit opens an existing file for writing and leaves it as it was.
func edit(path string) error {
	if path == "" {
		return errAbsent
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func gorootWrite(t *targets) (string, error) {
	dirs := []string{t.Goroot, filepath.Join(t.Goroot, "bin"), filepath.Join(t.Goroot, "src", "fmt"), filepath.Join(t.Goroot, "pkg", "tool")}
	if at, err := first(dirs, plant); err == nil {
		return "made a file in " + at, nil
	}
	at, err := first([]string{filepath.Join(t.Goroot, "src", "fmt", "print.go"), filepath.Join(t.Goroot, "VERSION")}, edit)
	return "opened " + at, err
}

func gorootChmod(t *targets) (string, error) {
	path := filepath.Join(t.Goroot, "VERSION")
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return "changed the mode of " + path, os.Chmod(path, info.Mode().Perm())
}

// gocachePoison opens a cached result for writing, which `go build` would link unseen.
func gocachePoison(t *targets) (string, error) {
	entries, _ := filepath.Glob(filepath.Join(t.Gocache, "[0-9a-f][0-9a-f]", "*-d"))
	sort.Strings(entries)
	if len(entries) > 16 {
		entries = entries[:16]
	}
	if at, err := first(entries, edit); err == nil {
		return "opened " + at, nil
	}
	at, err := first([]string{t.Gocache, filepath.Join(t.Gocache, "00")}, plant)
	return "made a file in " + at, err
}

func gomodcachePoison(t *targets) (string, error) {
	// Extracted modules are read-only to everybody; their owner changes that first.
	dirs, _ := filepath.Glob(filepath.Join(t.Gomodcache, "*", "*", "*@*"))
	for _, dir := range dirs {
		if err := replant(dir); err == nil {
			return "made a file in " + dir, nil
		}
	}
	places := []string{t.Gomodcache, filepath.Join(t.Gomodcache, "cache", "download")}
	at, err := first(places, plant)
	return "made a file in " + at, err
}

func replant(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, info.Mode().Perm()|0o200); err != nil {
		return err
	}
	defer os.Chmod(dir, info.Mode().Perm())
	return plant(dir)
}

func secretRead(names ...string) func(*targets) (string, error) {
	return func(t *targets) (string, error) {
		at, err := first(under(t.Home, names), func(path string) error {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.Read(make([]byte, 1))
			return err
		})
		return "read " + at, err
	}
}

func homeAppend(names ...string) func(*targets) (string, error) {
	return func(t *targets) (string, error) {
		at, err := first(under(t.Home, names), edit)
		return "opened " + at, err
	}
}

func under(dir string, names []string) []string {
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join(dir, name))
	}
	return paths
}

func environmentTokens(*targets) (string, error) {
	var found []string
	for _, pair := range os.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		for _, word := range []string{"TOKEN", "SECRET", "PASSWORD", "API_KEY"} {
			if value != "" && strings.Contains(name, word) {
				found = append(found, name)
				break
			}
		}
	}
	if len(found) == 0 {
		return "", errAbsent
	}
	return "found " + strings.Join(found, ", "), nil
}

func githubFile(name string) func(*targets) (string, error) {
	return func(t *targets) (string, error) {
		path := t.GithubEnv
		if name == "GITHUB_PATH" {
			path = t.GithubPath
		}
		return "opened " + path, edit(path)
	}
}

func gitHookPlant(t *targets) (string, error) {
	git := filepath.Join(t.Repository, ".git")
	if at, err := first([]string{filepath.Join(git, "hooks"), git}, plant); err == nil {
		return "made a file in " + at, nil
	}
	path := filepath.Join(git, "config")
	return "opened " + path, edit(path)
}

// workflowPlant makes the folders that are missing, and removes those again.
func workflowPlant(t *targets) (string, error) {
	github := filepath.Join(t.Repository, ".github")
	dir := filepath.Join(github, "workflows")
	for _, made := range []string{github, dir} {
		if err := os.Mkdir(made, 0o755); err == nil {
			defer os.Remove(made)
		} else if !errors.Is(err, os.ErrExist) {
			return "", err
		}
	}
	if err := plant(dir); err != nil || !staged(t.Repository) {
		return "made a file in " + dir, err
	}
	return "", errStaged
}

// errStaged: the file went into an overlay over the repository, of which gosandbox applies nothing
// in .github.
var errStaged = errors.New("staged: refused when the changes are applied")

// staged says whether an overlay is mounted at exactly the repository.
func staged(repository string) bool {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return false
	}
	for _, line := range strings.Split(string(mounts), "\n") {
		mount, kind, _ := strings.Cut(line, " - ")
		fields := strings.Fields(mount)
		if len(fields) > 4 && fields[4] == repository && strings.HasPrefix(kind, "overlay ") {
			return true
		}
	}
	return false
}

func pathFakeGo(t *targets) (string, error) {
	at, err := first(t.Path, plant)
	return "made a file in " + at, err
}
