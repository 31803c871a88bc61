//! What the kernel tells of a process in one line, `/proc/PID/stat` (proc_pid_stat(5)).

use std::fs;

/// The fields that gosandbox uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessStat {
    /// Field 3. `Z` and `X` are processes that have ended.
    pub state: char,
    /// Field 4: the parent's process id.
    pub parent: i32,
    /// Field 22: when it started, in ticks since the system's start.
    pub started: u64,
}

impl ProcessStat {
    /// Of a process. `None`: it has ended, or there is no /proc.
    pub fn of(pid: i32) -> Option<ProcessStat> {
        // The command's name may be no UTF-8.
        parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether a process is this one or a child of it.
    pub fn is_own(pid: i32) -> bool {
        let own = std::process::id().cast_signed();
        pid == own || ProcessStat::of(pid).is_some_and(|process| process.parent == own)
    }

    /// Whether the process has not ended. One that waits to be reaped has.
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X' | 'x')
    }
}

/// Field 2, the command's name in brackets, may hold brackets, blanks and line ends. No later field does.
fn parse(line: &[u8]) -> Option<ProcessStat> {
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(&line[name_end + 1..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    Some(ProcessStat {
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        started: fields.nth(17)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_and_its_children_are_its_own() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("cat");
        assert!(ProcessStat::is_own(child.id().cast_signed()));
        assert!(ProcessStat::is_own(std::process::id().cast_signed()));
        assert!(!ProcessStat::is_own(1));
        drop(child.stdin.take());
        assert!(child.wait().is_ok_and(|status| status.success()));
    }

    const REST: &str = "S 17 40 40 34816 99 4194304 1 2 3 4 5 6 7 8 20 0 1 0 1234567 8 9\n";

    #[test]
    fn a_name_with_brackets_and_blanks_is_no_field() {
        let expected = ProcessStat {
            state: 'S',
            parent: 17,
            started: 1_234_567,
        };
        for name in ["go", "a) R 1 2", ") Z 1", "((", "a b\nc", ""] {
            let line = format!("42 ({name}) {REST}");
            assert_eq!(parse(line.as_bytes()), Some(expected), "{name:?}");
        }
        let odd = [b"42 (\xff\xfe)) ".as_slice(), REST.as_bytes()].concat();
        assert_eq!(parse(&odd), Some(expected));
    }

    #[test]
    fn a_line_that_ends_early_tells_nothing() {
        for line in ["", "42 (go", "42 (go)", "42 (go) S", "42 (go) S 17 40 40"] {
            assert_eq!(parse(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn a_process_with_an_odd_name_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("a) R 1 (b c");
        std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
        let mut child = std::process::Command::new(&program)
            .arg("60")
            .spawn()
            .unwrap();
        let pid = child.id() as i32;
        let found = ProcessStat::of(pid).unwrap();
        assert_eq!(found.parent, std::process::id() as i32);
        assert!(found.is_alive() && found.started > 0);
        child.kill().unwrap();
        // Not waited for yet.
        while ProcessStat::of(pid).unwrap().is_alive() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.wait().unwrap();
        assert_eq!(ProcessStat::of(pid), None);
    }
}
