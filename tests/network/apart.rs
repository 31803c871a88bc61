//! Namespaces of a test's own, in which it can have any address and any name.

use std::process::Command;
use std::sync::Arc;

use crate::support::{Ended, Lacks, gosandbox, needs_root, skip};
use crate::{dns, write};

/// Runs this very test again in namespaces of its own; there it returns true.
pub fn is(test: &str) -> bool {
    const MARK: &str = "GOSANDBOX_TEST_APART";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    // In a user namespace with one user in it, root's files are nobody's, and no such Go is run.
    if !needs_root("a name server of its own needs root") {
        return false;
    }
    let mut command = Command::new("unshare");
    let ended = Ended::of(
        command
            .args(["--net", "--mount"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env("GOSANDBOX_TEST_COPIED", gosandbox())
            .env(MARK, "1"),
    );
    if ended.stderr.starts_with("unshare: ") {
        skip(Lacks::Host, &format!("no namespaces: {}", ended.stderr));
        return false;
    }
    assert!(ended.stdout.contains("1 passed"), "{ended:?}");
    eprint!("{}", ended.stderr);
    false
}

fn root_command(words: &[&str]) {
    let status = Command::new(words[0]).args(&words[1..]).status();
    assert!(status.is_ok_and(|status| status.success()), "{words:?}");
}

/// Brings loopback up, with these addresses beside its own.
pub fn set_up(addresses: &[&str]) {
    root_command(&["ip", "link", "set", "lo", "up"]);
    for address in addresses {
        root_command(&["ip", "address", "add", address, "dev", "lo"]);
    }
}

/// Makes a name server of the test's own the only one.
pub fn resolve(zone: Arc<dns::Zone>) {
    let folder = tempfile::tempdir().unwrap().keep();
    for (name, content) in [
        ("resolv.conf", "nameserver 127.0.0.1\n"),
        ("nsswitch.conf", "hosts: files dns\n"),
    ] {
        let own = folder.join(name);
        write(&own, content);
        let place = format!("/etc/{name}");
        root_command(&["mount", "--bind", own.to_str().unwrap(), &place]);
    }
    dns::serve("127.0.0.1:53".parse().unwrap(), zone).unwrap();
}
