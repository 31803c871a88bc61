package attacks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// targets is what the attempts aim at. A field that is absent from the file has its default.
type targets struct {
	Goroot     string   `json:"goroot"`
	Gocache    string   `json:"gocache"`
	Gomodcache string   `json:"gomodcache"`
	Home       string   `json:"home"`
	GithubEnv  string   `json:"github_env"`
	GithubPath string   `json:"github_path"`
	Repository string   `json:"repository"` // holds .git and .github
	Path       []string `json:"path"`       // folders of PATH
	Compilers  []string `json:"compilers"`
	TCP        string   `json:"tcp"`
	UDP        string   `json:"udp"`
	Name       string   `json:"name"`
	Unix       []string `json:"unix"`
	Pid        int      `json:"pid"`
	Straggler  string   `json:"straggler"` // written by a child that stays behind
}

func discover() *targets {
	t := defaults()
	if data, err := os.ReadFile(targetsFile()); err == nil {
		if err := json.Unmarshal(data, t); err != nil {
			panic("targets: " + err.Error())
		}
	}
	return t
}

// targetsFile is testdata/targets.json of this module, else what HOSTILE_TARGETS names.
func targetsFile() string {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			file := filepath.Join(dir, "testdata", "targets.json")
			if _, err := os.Stat(file); err == nil {
				return file
			}
			break
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	return os.Getenv("HOSTILE_TARGETS")
}

func defaults() *targets {
	home, _ := os.UserHomeDir()
	goroot := os.Getenv("GOROOT")
	if goroot == "" {
		goroot = runtime.GOROOT()
	}
	// Not $GOCACHE: programs in the sandbox have a cache of their own, which they may write.
	gocache := filepath.Join(home, ".cache", "go-build")
	gomodcache := os.Getenv("GOMODCACHE")
	if gomodcache == "" {
		gomodcache = filepath.Join(home, "go", "pkg", "mod")
	}
	return &targets{
		Goroot:     goroot,
		Gocache:    gocache,
		Gomodcache: gomodcache,
		Home:       home,
		GithubEnv:  os.Getenv("GITHUB_ENV"),
		GithubPath: os.Getenv("GITHUB_PATH"),
		Repository: repository(),
		Path:       filepath.SplitList(os.Getenv("PATH")),
		Compilers: []string{
			"/usr/bin/gcc", "/usr/bin/cc", "/usr/bin/clang", "/usr/bin/as", "/usr/bin/ld",
			"/usr/local/bin/gcc", "/usr/local/bin/clang",
		},
		TCP:  "192.0.2.1:80",
		UDP:  "192.0.2.1:53",
		Name: "gosandbox-hostile.invalid",
		Unix: []string{
			"/var/run/docker.sock", "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket",
			"/run/systemd/private", os.Getenv("SSH_AUTH_SOCK"),
			strings.TrimPrefix(os.Getenv("DBUS_SESSION_BUS_ADDRESS"), "unix:path="),
		},
	}
}

// repository is the nearest folder above with a .git, else the current folder.
func repository() string {
	dir, err := os.Getwd()
	if err != nil {
		return "."
	}
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}
