//! Runs beside each other in one work tree.

use std::io::Read as _;
use std::process::Stdio;

use crate::support::Ended;
use crate::support::wait::wait_for_file;
use crate::{DIRECT, changes, environments, listed, planted, site};

#[test]
fn a_run_that_is_alive_is_not_looked_at() {
    for env in environments() {
        let site = site(env, "mkdir -p a/.git; : > done; sleep 600");
        site.settle();
        let mut command = site.gosandbox(&DIRECT, &["sh", "script.sh", "own"]);
        command.stderr(std::process::Stdio::piped());
        let child = command.spawn().unwrap();
        wait_for_file(&site.work.join("own/done"));
        let line = listed(&site).unwrap();
        assert!(line.contains("running"), "{env:?} {line}");
        for verb in ["apply", "show", "drop"] {
            changes(&site, &[verb])
                .expect(125)
                .refused("changes-in-use");
        }
        // It was there when this run began.
        site.run(&DIRECT, &["true"]).expect(0);
        assert_eq!(planted(&site), ["./own/a/.git"], "{env:?}");
        // SAFETY: it takes plain numbers; the child was not waited for.
        #[allow(unsafe_code)]
        unsafe {
            libc::kill(child.id() as i32, libc::SIGTERM)
        };
        let ended: crate::support::Ended = child.wait_with_output().unwrap().into();
        ended
            .expect(125)
            .refused("protected-path")
            .says("own/a/.git");
        assert_eq!(planted(&site), [""; 0], "{env:?}");
        assert_eq!(listed(&site), None, "{env:?}");
    }
}

#[test]
fn runs_do_not_take_what_stands_in_for_protected_paths_for_an_attack() {
    for env in environments() {
        for _ in 0..3 {
            let site = site(env, "");
            site.settle();
            let run = || {
                let mut command = site.gosandbox(&DIRECT, &["sh", "-c", "echo started; cat"]);
                command.stdin(Stdio::piped()).stdout(Stdio::piped());
                command.stderr(Stdio::piped()).spawn().unwrap()
            };
            let mut runs: Vec<_> = (0..4).map(|_| run()).collect();
            // All of them have started, or have ended, before one may end.
            for run in &mut runs {
                let _ended = run.stdout.as_mut().unwrap().read_exact(&mut [0; 8]);
            }
            for mut run in runs {
                drop(run.stdin.take());
                let ended = Ended::from(run.wait_with_output().unwrap());
                // Where two make the same name at one moment, one does not start.
                let starts = !ended.stderr.contains("cannot start the sandbox");
                assert!(!starts || ended.status == 0, "{env:?} {ended:?}");
                assert!(!ended.stderr.contains("moved away"), "{env:?} {ended:?}");
            }
            let listing = site.listing();
            let is_junk =
                |path: &&std::path::PathBuf| path.to_string_lossy().contains("quarantine");
            assert_eq!(listing.iter().find(is_junk), None, "{env:?}");
        }
    }
}
