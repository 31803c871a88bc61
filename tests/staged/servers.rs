//! A server that reloads its templates, and a watcher, beside a user who edits.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use crate::staging;
use crate::support::wait::DEADLINE;
use crate::support::{Env, Site};

/// Serves a page from templates that it reads again for each visitor, and visits itself.
const SERVER: &str = r#"package main

import (
	"fmt"
	"html/template"
	"io"
	"net"
	"time"
)

func serve(visitor net.Conn) {
	defer visitor.Close()
	all, err := template.ParseGlob("templates/*.html")
	if err == nil {
		err = all.ExecuteTemplate(visitor, "page.html", "<you>")
	}
	if err != nil {
		fmt.Fprint(visitor, err)
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			if visitor, err := listener.Accept(); err == nil {
				go serve(visitor)
			}
		}
	}()
	for {
		server, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			panic(err)
		}
		page, _ := io.ReadAll(server)
		server.Close()
		fmt.Printf("saw %s\n", page)
		time.Sleep(50 * time.Millisecond)
	}
}
"#;

/// Prints what inotify(7) tells of a folder, and what a look at a file shows.
const WATCHER: &str = r#"package main

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"
)

func events(fd int) {
	buffer := make([]byte, 4096)
	for {
		n, err := syscall.Read(fd, buffer)
		if err != nil || n <= 0 {
			return
		}
		for at := 0; at < n; {
			event := (*syscall.InotifyEvent)(unsafe.Pointer(&buffer[at]))
			at += syscall.SizeofInotifyEvent
			name := bytes.TrimRight(buffer[at:at+int(event.Len)], "\x00")
			at += int(event.Len)
			fmt.Printf("heard %s\n", name)
		}
	}
}

func main() {
	fd, err := syscall.InotifyInit1(syscall.IN_NONBLOCK)
	if err != nil {
		panic(err)
	}
	mask := uint32(syscall.IN_MODIFY | syscall.IN_CLOSE_WRITE | syscall.IN_MOVED_TO | syscall.IN_CREATE)
	if _, err := syscall.InotifyAddWatch(fd, "templates", mask); err != nil {
		panic(err)
	}
	os.WriteFile("templates/own.html", nil, 0o644)
	last := ""
	for {
		events(fd)
		page, _ := os.ReadFile("templates/page.html")
		if string(page) != last {
			last = string(page)
			fmt.Printf("saw %s\n", last)
			// What was done before it was seen was told of before, too.
			events(fd)
			fmt.Println("all")
		}
		time.Sleep(50 * time.Millisecond)
	}
}
"#;

/// How a developer would start it, and whether the tree is staged then.
const STARTS: [(&[&str], bool); 2] = [
    (&["--stage", "apply"], true),
    (&["--profile", "dev"], false),
];

struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn start(site: &Site, options: &[&str]) -> Running {
        let mut command = site.gosandbox(options, &["go", "run", "."]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Running { child, lines }
    }

    /// The lines up to this one, and how long it took to come.
    #[track_caller]
    fn until(&mut self, wanted: &str) -> (Vec<String>, Duration) {
        let start = Instant::now();
        let mut lines = Vec::new();
        while start.elapsed() < DEADLINE {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(
                read > 0,
                "{wanted:?} does not come: it has ended after {lines:?}"
            );
            lines.push(line.trim_end().to_owned());
            if line.trim_end() == wanted {
                return (lines, start.elapsed());
            }
        }
        panic!("{wanted:?} does not come, but {:?}", lines.last());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _may_have_ended = self.child.kill();
        let _ = self.child.wait();
    }
}

fn project(env: Env, program: &str) -> Site {
    let site = Site::new(env);
    site.stage_apart();
    site.file("go.mod", "module example.com/m\n\ngo 1.22\n");
    site.file("main.go", program);
    site.file("templates/page.html", "one {{.}}");
    site.settle();
    site
}

/// As editors save.
fn save(site: &Site, name: &str, text: &str) {
    let new = site.work.join("templates/new.tmp");
    fs::write(&new, text).unwrap();
    fs::rename(&new, site.work.join("templates").join(name)).unwrap();
}

#[test]
fn a_server_that_reloads_its_templates_serves_what_is_edited() {
    for env in staging() {
        for (options, is_staged) in STARTS {
            let site = project(env, SERVER);
            let mut server = Running::start(&site, options);
            server.until("saw one &lt;you&gt;");
            let mut took = Vec::new();
            save(&site, "page.html", "two {{.}}");
            took.push(server.until("saw two &lt;you&gt;").1);
            fs::write(site.work.join("templates/page.html"), "three {{.}}").unwrap();
            took.push(server.until("saw three &lt;you&gt;").1);
            save(&site, "part.html", "four {{.}}");
            save(&site, "page.html", r#"{{template "part.html" .}}"#);
            took.push(server.until("saw four &lt;you&gt;").1);
            eprintln!("{env:?}, staged {is_staged}: served after {took:?}");
        }
    }
}

/// An overlay does not tell of changes of its lower layer (docs/differences.md): a watcher in a
/// staged tree hears of what programs write, and must look at files for what is edited outside.
/// With profile dev it hears of both.
#[test]
fn a_watcher_sees_what_is_edited_and_hears_of_it_where_the_tree_is_not_staged() {
    for env in staging() {
        for (options, is_staged) in STARTS {
            let site = project(env, WATCHER);
            let mut watcher = Running::start(&site, options);
            // It hears of what it has written itself in any case.
            watcher.until("heard own.html");
            watcher.until("saw one {{.}}");
            watcher.until("all");
            save(&site, "page.html", "two");
            let (mut lines, took) = watcher.until("saw two");
            lines.extend(watcher.until("all").0);
            let is_heard = lines.iter().any(|line| line == "heard page.html");
            assert_eq!(is_heard, !is_staged, "{env:?} {options:?}: {lines:?}");
            eprintln!("{env:?}, staged {is_staged}: seen after {took:?}");
        }
    }
}
