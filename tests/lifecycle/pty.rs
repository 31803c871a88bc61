//! A terminal with a shell on it, as a person has one.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::launch::{Place, child_of};
use crate::support::wait::DEADLINE;

pub struct Terminal {
    master: File,
    shell: Child,
    seen: String,
}

impl Terminal {
    /// Starts an interactive bash with job control.
    pub fn open(place: &Place) -> Terminal {
        let (mut master, mut slave) = (-1, -1);
        // SAFETY: openpty stores two new descriptors, which nobody else owns; the rest may be null.
        let (master, slave) = unsafe {
            let null = std::ptr::null_mut();
            let made = libc::openpty(&mut master, &mut slave, null, null.cast(), null.cast());
            assert_eq!(made, 0);
            libc::fcntl(master, libc::F_SETFD, libc::FD_CLOEXEC);
            libc::fcntl(master, libc::F_SETFL, libc::O_NONBLOCK);
            (File::from_raw_fd(master), File::from_raw_fd(slave))
        };
        let mut command = Command::new("bash");
        // The terminal is taken before the user is changed and the filter is loaded.
        let descriptor = slave.as_raw_fd();
        // SAFETY: system calls only.
        unsafe {
            command.pre_exec(move || {
                if libc::setsid() < 0 || libc::ioctl(descriptor, libc::TIOCSCTTY, 0) < 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            })
        };
        place.settle(&mut command);
        let shell = command
            .args(["--norc", "--noprofile", "-i"])
            .env("PS1", "")
            .env("TERM", "dumb")
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::from(slave.try_clone().unwrap()))
            .stderr(Stdio::from(slave))
            .spawn()
            .unwrap();
        let mut terminal = Terminal {
            master,
            shell,
            seen: String::new(),
        };
        terminal.send("stty -echo; echo rea''dy\n");
        terminal.expect("ready");
        terminal
    }

    pub fn send(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for a text, and takes what came up to it.
    pub fn expect(&mut self, text: &str) -> String {
        let came = self.wait(text, DEADLINE);
        came.unwrap_or_else(|| {
            panic!(
                "waited for {text:?}, saw {:?}\n{}",
                self.seen,
                self.processes()
            )
        })
    }

    /// What runs on the terminal, for the message of a failure.
    fn processes(&self) -> String {
        let session = self.shell.id().to_string();
        let mut list = Command::new("ps");
        list.args([
            "-o",
            "pid,ppid,pgid,tpgid,stat,wchan:20,args",
            "-s",
            &session,
        ]);
        let output = list.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Presses keys until a text comes. A dash that is about to start a command waits for that to die
    /// of an interrupt which came just before it was there; so it does without a sandbox.
    pub fn press_until(&mut self, keys: &str, text: &str) {
        let begin = Instant::now();
        while begin.elapsed() < DEADLINE {
            self.send(keys);
            if self.wait(text, Duration::from_secs(1)).is_some() {
                return;
            }
        }
        panic!("pressed for {text:?}, saw {:?}", self.seen);
    }

    /// What the shell runs in the foreground.
    pub fn foreground(&self) -> i32 {
        child_of(self.shell.id() as i32)
    }

    fn wait(&mut self, text: &str, patience: Duration) -> Option<String> {
        let begin = Instant::now();
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return Some(std::mem::replace(&mut self.seen, rest));
            }
            let mut bytes = [0; 4096];
            match self.master.read(&mut bytes) {
                Ok(n) if n > 0 => self.seen.push_str(&String::from_utf8_lossy(&bytes[..n])),
                _ => std::thread::sleep(Duration::from_millis(10)),
            }
            if begin.elapsed() > patience {
                return None;
            }
        }
    }

    pub fn resize(&self, rows: u16, columns: u16) {
        let size = libc::winsize {
            ws_row: rows,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        // SAFETY: TIOCSWINSZ reads a winsize.
        let done =
            unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(done, 0);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.shell.kill().ok();
        self.shell.wait().ok();
    }
}
