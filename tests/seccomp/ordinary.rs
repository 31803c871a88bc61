//! Ordinary programs give the same result under the filter as without.

use std::path::Path;

use super::*;

/// Runs a shell script bare and under both filters, and demands the same result.
fn same_as_bare(folder: &Path, script: &str) {
    let run = |under: Under| {
        let output = helper_command(under)
            .env("SECCOMP_TEST_SCRIPT", script)
            .env("GOFLAGS", "-count=1")
            .current_dir(folder)
            .output()
            .expect("the helper");
        // The test harness announces itself before the script runs.
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let text = text
            .trim_start()
            .trim_start_matches("running 1 test\n")
            .to_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text, errors)
    };
    let bare = run(Under::Nothing);
    assert_eq!(bare.0, Some(0), "bare: {bare:?}");
    for under in [TOOL, PROGRAM] {
        assert_eq!(run(under), bare, "{script} under {under:?}");
    }
}

fn go_is_there() -> bool {
    let there = Command::new("go")
        .arg("version")
        .output()
        .is_ok_and(|o| o.status.success());
    if !there {
        skip(Lacks::Host, "go is not in PATH");
    }
    there
}

const MODULE: &[(&str, &str)] = &[
    ("go.mod", "module example.test/hello\n\ngo 1.21\n"),
    (
        "main.go",
        "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n",
    ),
    (
        "main_test.go",
        r#"package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

func TestHTTP(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "ok")
	}))
	defer s.Close()
	r, err := http.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
}

func TestUDP(t *testing.T) {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.WriteTo([]byte("x"), c.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, _, err := c.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
}

func TestUnix(t *testing.T) {
	p := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", p)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", p)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestExec(t *testing.T) {
	out, err := exec.Command("sh", "-c", "echo $((1+1)); kill -0 $$").Output()
	if err != nil || string(out) != "2\n" {
		t.Fatal(string(out), err)
	}
	if _, err := net.Interfaces(); err != nil {
		t.Fatal(err)
	}
}

func TestFiles(t *testing.T) {
	d := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(d, "f"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d, "g"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(d, "g"), 0o755); err != nil {
		t.Fatal(err)
	}
}
"#,
    ),
];

fn module() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in MODULE {
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

#[test]
fn go_builds_runs_vets_and_tests_as_bare() {
    if !go_is_there() {
        return;
    }
    let folder = module();
    same_as_bare(folder.path(), "go build -o out . && ./out && cksum < out");
    same_as_bare(folder.path(), "go vet ./... && go run . && go list ./...");
    same_as_bare(
        folder.path(),
        "go test -v ./... | grep -v '^ok' | sed 's/ (.*//'",
    );
}

#[test]
fn shell_git_make_and_base_tools_work_as_bare() {
    let folder = module();
    same_as_bare(
        folder.path(),
        "echo \"a b\" | sed s/a/c/ | grep -c c; (exit 3); echo $?; sleep 0.01 & wait; trap 'echo got' USR1; kill -USR1 $$",
    );
    same_as_bare(
        folder.path(),
        "rm -rf r && git init -q r && cd r && touch f && git add f && git -c user.name=a -c user.email=a@b.c commit -qm m \
         && git status --short && git log --format=%s && git gc -q && git fsck",
    );
    same_as_bare(
        folder.path(),
        "mkdir -p d/e && cp -a go.mod d/ && cp -a d d2 && mv d2 d3 && tar czf a.tgz d && tar tzf a.tgz && rm -r d d3 \
         && ls a.tgz && install -m 755 go.mod i && mktemp -u XXX | wc -c && touch -d 2001-01-01 t && find . -name t && ln -sf t l \
         && stat -c %s go.mod && date -d @0 +%s && sort < go.mod | uniq | tail -1 && df . > df.out && timeout 600 true && nproc > np && xargs echo < np > x",
    );
    same_as_bare(
        folder.path(),
        "printf 'all: a b\\na b:\\n\\t@echo $@\\n' > Makefile && make -j1 && make -s -j2 > out2 && sort out2",
    );
}
