//! System calls of the launcher that fail (strace's fault injection): an error never means that nothing is
//! there.

use std::process::Command;

use crate::support::in_environments;
use crate::support::{Ended, Env, gosandbox, needs_program};
use crate::{DIRECT, planted, site};

const SCRIPT: &str = "mkdir -p a/b/.git c/.git; ln -s ../b c/d; mkdir own; echo x > own/file";

/// The script's run with one failing call of the launcher's.
fn run(site: &crate::support::Site, call: &str, error: &str, when: u32) -> Ended {
    let inject = format!("inject={call}:error={error}:when={when}");
    let mut command = Command::new("strace");
    command.args(["-qq", "-o", "/dev/null", "-e"]);
    command.arg(format!("trace={call}")).arg("-e").arg(inject);
    command
        .arg(gosandbox())
        .arg("--cache-dir")
        .arg(site.cache());
    command.args(DIRECT).args(["--", "sh", "script.sh", "own"]);
    site.prepare(&mut command);
    crate::support::confined::enter(&mut command, site.env, site.caller());
    Ended::of(&mut command)
}

/// In the launcher's own process, as an ordinary user: strace does not follow into another one.
fn a_call_that_fails_hides_nothing(env: Env) {
    if !needs_program("strace", "strace") {
        return;
    }
    let mut hits = 0;
    for (call, error, most) in [
        ("getdents64", "EIO", 40),
        ("renameat2", "EIO", 6),
        ("openat", "EMFILE", 160),
    ] {
        for when in (1..most).step_by(if most > 100 { 5 } else { 1 }) {
            let site = site(env, SCRIPT);
            site.settle();
            let ended = run(&site, call, error, when);
            let found = planted(&site);
            let is_told = found.iter().all(|path| ended.stderr.contains(&path[2..]));
            let is_open = crate::listed(&site).is_some();
            // It was moved away, or the run says what stays and can be looked at again.
            let is_fine = found.is_empty() || ended.status == 125 && (is_told || is_open);
            assert!(
                is_fine,
                "{env:?} {call} {error} {when}: {found:?} {ended:?}"
            );
            hits += u32::from(ended.status == 125 && !found.is_empty());
            if !found.is_empty() && is_open {
                crate::changes(&site, &["apply"]).expect(0);
                assert_eq!(planted(&site), [""; 0], "{env:?} {call} {error} {when}");
            }
        }
    }
    assert!(hits > 0, "{env:?}: no fault has hit the look");
}

in_environments!(a_call_that_fails_hides_nothing: user User, restricted Restricted);
