//! What lies on the disk after a run, seen from outside: where an id-mapped mount hides it inside.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::support::{Env, Site};

const PROGRAM: &str = r#"package main

import (
	"os"
	"syscall"
)

func main() {
	// Without a mount view only what lies in folders of the work tree can be written.
	os.Chdir("own")
	os.WriteFile("made", []byte("x"), 0o755)
	syscall.Chmod("made", 0o4755)
	syscall.Chmod("made", 0o6755)
	f, _ := os.OpenFile("opened", os.O_CREATE|os.O_WRONLY, 0o755|os.ModeSetuid)
	f.Close()
	syscall.Mknod("node", syscall.S_IFREG|0o4755, 0)
	syscall.Mkdir("folder", 0o2755)
	syscall.Chmod("folder", 0o2755)
	syscall.Setxattr("made", "security.capability", []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0)
	syscall.Mknod("device", syscall.S_IFCHR|0o666, 1<<8|3)
}
"#;

fn set_ids(site: &Site) -> Vec<String> {
    let bad = |mode: u32| mode & 0o6000 != 0 || mode & libc::S_IFMT == libc::S_IFCHR;
    site.listing()
        .iter()
        .filter_map(|path| Some((path, fs::symlink_metadata(path).ok()?)))
        .filter(|(_, found)| bad(found.permissions().mode()))
        .map(|(path, found)| format!("{} {:o} uid {}", path.display(), found.mode(), found.uid()))
        .collect()
}

fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("main.go", PROGRAM);
    site.file("own/README", "");
    site.settle();
    site
}

#[test]
fn no_set_id_file_reaches_the_disk() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = site(env);
        site.run(&[], &["go", "run", "."]).expect(0);
        site.run(&[], &["sh", "-c", "cd own; touch mine; chmod u+s mine; cp -p made copy; install -m 4755 made installed; true"]);
        assert_eq!(set_ids(&site), Vec::<String>::new(), "{env:?}");
        assert!(
            site.work.join("own/made").exists(),
            "{env:?}: the program could not write at all"
        );
    }
}

#[test]
fn set_id_files_reach_the_disk_without_gosandbox() {
    let site = site(Env::User);
    crate::support::Ended::of(&mut site.bare(&["go", "run", "."])).expect(0);
    assert!(!set_ids(&site).is_empty());
}

#[test]
fn what_is_made_in_roots_work_tree_is_roots() {
    if !crate::support::needs_root("id-mapped mounts need root") {
        return;
    }
    let site = site(Env::Root);
    site.run(&[], &["go", "build", "-o", "out", "."]).expect(0);
    assert_eq!(fs::metadata(site.work.join("out")).unwrap().uid(), 0);
}
