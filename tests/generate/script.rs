//! The script that installs the SELinux module, with stand-ins for the tools that change a system.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gosandbox::generate::{Backend, Model, selinux::Selinux};

use crate::reachable::write_executable;
use crate::{policy, site};

/// Keeps one module, says what it was asked for, and fails where it is told to.
const SEMODULE: &str = r#"#!/bin/sh
cd "$(dirname "$0")/../state" && state=$PWD && cd "$OLDPWD"
[ "$*" = -lfull ] || echo "semodule $*" >>"$state/log"
case "$*" in
    -lfull) [ ! -e "$state/module" ] || echo '400 gosandbox   cil' ;;
    '-X 400 -c -E gosandbox') cp "$state/module" gosandbox.cil ;;
    '-X 400 -i '*) [ ! -e "$state/refuse" ] || exit 1; cp "$4" "$state/module" ;;
    '-X 400 -r gosandbox') rm "$state/module" ;;
    *) exit 9 ;;
esac
"#;
const RESTORECON: &str = r#"#!/bin/sh
state=$(dirname "$0")/../state
for last; do :; done
echo "restorecon $last" >>"$state/log"
[ ! -e "$state/fail" ] || { rm "$state/fail"; exit 3; }
"#;

/// A folder with the script, the module, and the stand-ins.
struct Host(tempfile::TempDir);

impl Host {
    fn new(tree: &str) -> Host {
        let host = Host(tempfile::tempdir().unwrap());
        for folder in ["bin", "state"] {
            fs::create_dir(host.path(folder)).unwrap();
        }
        let tools = [
            ("semodule", SEMODULE),
            ("restorecon", RESTORECON),
            ("id", "#!/bin/sh\necho 0\n"),
            ("chcon", "#!/bin/sh\n"),
        ];
        for (tool, text) in tools {
            let path = host.path("bin").join(tool);
            write_executable(&path, text);
        }
        let (policy, mut site) = (policy(), site(Path::new(tree)));
        // Something that is there to be labelled.
        site.gocache = host.path("state");
        for file in Selinux
            .render(&Model::new(&policy, &site).unwrap())
            .unwrap()
        {
            fs::write(host.path(&file.name), file.content).unwrap();
        }
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn tell(&self, name: &str) {
        fs::write(self.path("state").join(name), "").unwrap();
    }

    fn module(&self) -> Option<String> {
        fs::read_to_string(self.path("state/module")).ok()
    }

    /// The status, and what was asked of the tools.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let log = self.path("state/log");
        fs::write(&log, "").unwrap();
        let done = Command::new("/bin/sh")
            .arg(self.path("install"))
            .args(arguments)
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", self.path("bin").display()),
            )
            .output()
            .unwrap();
        (done.status.code(), fs::read_to_string(log).unwrap())
    }
}

#[test]
fn the_install_script_is_a_script_whatever_the_folders_are_called() {
    for tree in ["/srv/project", "/srv/$(touch x)`y`'\"; exit 7 #\n&"] {
        let host = Host::new(tree);
        let (status, said) = host.run(&[]);
        assert_eq!(status, Some(0), "{tree}: {said}");
        assert!(
            said.starts_with("semodule -X 400 -i gosandbox.cil\nrestorecon "),
            "{said}"
        );
        assert!(host.module().is_some());
        let (status, said) = host.run(&["undo"]);
        assert_eq!(status, Some(0));
        assert!(
            said.starts_with("semodule -X 400 -r gosandbox\nrestorecon "),
            "{said}"
        );
        assert_eq!(host.module(), None);
        assert_eq!(host.run(&["undo"]).0, Some(0));
        assert_eq!(host.run(&["again"]).0, Some(2));
        assert!(!host.path("x").exists());
    }
}

#[test]
fn a_step_that_fails_leaves_what_was_there_before() {
    let host = Host::new("/srv/project");
    for step in ["refuse", "fail"] {
        host.tell(step);
        assert_eq!(
            host.run(&[]).0,
            Some(if step == "fail" { 3 } else { 1 }),
            "{step}"
        );
        assert_eq!(host.module(), None, "{step}");
        let _may_be_gone = fs::remove_file(host.path("state").join(step));
    }

    // Over another version of it.
    assert_eq!(host.run(&[]).0, Some(0));
    let older = format!("; older\n{}", host.module().unwrap());
    fs::write(host.path("state/module"), &older).unwrap();
    for step in ["refuse", "fail"] {
        host.tell(step);
        let (status, said) = host.run(&[]);
        assert_ne!(status, Some(0), "{step}: {said}");
        assert_eq!(host.module().as_deref(), Some(&*older), "{step}: {said}");
        let _may_be_gone = fs::remove_file(host.path("state").join(step));
    }
}
