//! Waiting for events. No test is decided by how long something takes.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

/// Only what hangs takes so long, also on a machine that is busy or stands still for a while.
pub const DEADLINE: Duration = Duration::from_secs(180);

/// Waits until a condition holds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    found(what, || holds().then_some(()));
}

/// Waits until something is there.
#[track_caller]
pub fn found<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < DEADLINE, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for a path.
#[track_caller]
pub fn wait_for_file(path: &Path) {
    eventually(&format!("{} appears", path.display()), || {
        path.symlink_metadata().is_ok()
    });
}

/// Waits for the end of a child, which may have anything left to say. Kills one that does not end.
#[track_caller]
pub fn ends(child: &mut Child) {
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begin.elapsed() > DEADLINE {
            let _it_may_have_ended = child.kill();
            panic!("it does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until nobody holds the other end of a pipe, and returns what came through it.
#[track_caller]
pub fn closed(mut pipe: impl Read + Send + 'static) -> String {
    let (done, text) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _broken = pipe.read_to_end(&mut bytes);
        done.send(String::from_utf8_lossy(&bytes).into_owned())
    });
    text.recv_timeout(DEADLINE)
        .expect("somebody still holds the pipe")
}

/// Processes of which one argument is this word, in all namespaces.
pub fn processes_with(word: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let holds = |pid: &i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        words.any(|found| found == word.as_bytes())
    };
    pids.filter(holds).collect()
}
