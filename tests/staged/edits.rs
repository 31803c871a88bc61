//! What changes outside while a program runs, as it sees it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use crate::support::Site;
use crate::support::wait::DEADLINE;
use crate::{site, staging};

/// Prints what it sees, over and over, as a server that reads its templates at each request.
const WATCH: &str = r#"
while :; do
    echo "saw $(cat page.txt 2>/dev/null) $(ls -d new.txt sub/new.txt 2>/dev/null | tr '\n' ' ')"
    sleep 0.05
done
"#;

struct Watcher {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watcher {
    fn start(site: &Site) -> Watcher {
        let mut child = site
            .gosandbox(&[], &["sh", "script.sh"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Watcher { child, lines }
    }

    /// Reads on until a line says what is wanted.
    #[track_caller]
    fn sees(&mut self, wanted: &str) -> Duration {
        let start = Instant::now();
        let mut last = String::new();
        while start.elapsed() < DEADLINE {
            last.clear();
            let read = self.lines.read_line(&mut last).unwrap();
            assert!(read > 0, "{wanted:?} was not seen: it has ended");
            if last.trim_end() == format!("saw {wanted}").trim_end() {
                return start.elapsed();
            }
        }
        panic!("{wanted:?} was not seen, but {last:?}");
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn edits_by_renaming_and_in_place_new_files_and_removed_ones_are_seen() {
    for env in staging() {
        let site = site(env, WATCH);
        site.file("page.txt", "one");
        site.file("sub/x", "");
        site.settle();
        let mut watcher = Watcher::start(&site);
        watcher.sees("one ");
        let path = site.work.join("page.txt");
        let mut took = Vec::new();
        fs::write(site.work.join("page.tmp"), "two").unwrap();
        fs::rename(site.work.join("page.tmp"), &path).unwrap();
        took.push(watcher.sees("two "));
        fs::write(&path, "three").unwrap();
        took.push(watcher.sees("three "));
        fs::write(site.work.join("new.txt"), "").unwrap();
        fs::write(site.work.join("sub/new.txt"), "").unwrap();
        took.push(watcher.sees("three new.txt sub/new.txt "));
        fs::remove_file(site.work.join("new.txt")).unwrap();
        took.push(watcher.sees("three sub/new.txt "));
        fs::rename(site.work.join("sub"), site.work.join("moved")).unwrap();
        took.push(watcher.sees("three "));
        eprintln!("{env:?}: seen after {took:?}");
    }
}

#[test]
fn a_checkout_is_seen() {
    for env in staging() {
        let site = site(env, WATCH);
        site.file("page.txt", "old");
        site.settle();
        let git = |words: &[&str]| {
            let words = [
                &["git", "-c", "user.name=a", "-c", "user.email=a@example.com"],
                words,
            ];
            crate::support::Ended::of(&mut site.bare(&words.concat())).expect(0)
        };
        git(&["init", "-q", "-b", "main", "."]);
        git(&["add", "-A"]);
        git(&["commit", "-qm", "one"]);
        git(&["checkout", "-qb", "other"]);
        fs::write(site.work.join("page.txt"), "new").unwrap();
        git(&["commit", "-qam", "two"]);
        git(&["checkout", "-q", "main"]);
        let mut watcher = Watcher::start(&site);
        watcher.sees("old ");
        git(&["checkout", "-q", "other"]);
        watcher.sees("new ");
        git(&["checkout", "-q", "main"]);
        watcher.sees("old ");
    }
}

#[test]
fn what_another_run_has_applied_is_seen() {
    for env in staging() {
        let site = site(env, WATCH);
        site.file("page.txt", "one");
        site.settle();
        let mut watcher = Watcher::start(&site);
        watcher.sees("one ");
        site.run(&[], &["sh", "-c", "printf two > page.txt"])
            .expect(0);
        watcher.sees("two ");
    }
}
