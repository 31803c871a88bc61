//! What is not there says so (`os.IsNotExist`), as without gosandbox, also where nothing is granted.

use super::*;

const TEST: &str = include_str!("../fixtures/missing_test.go");

/// Folders that every view shows, and others that none does.
const SHOWN: [&str; 4] = ["/", "/etc", "/usr", "/usr/bin"];
const HIDDEN: [&str; 3] = ["/opt", "/srv", "/gosandbox-nowhere"];

/// Calls for which the kernel looks at a read-only mount before it looks for the file.
const READ_ONLY_FIRST: [&str; 3] = ["remove", "rename", "rmdir"];

/// The lines in which a call on a missing file says something else.
fn others(ended: &Ended) -> Vec<String> {
    assert_eq!(ended.status, 0, "{ended:?}");
    let lines = ended.stdout.lines();
    let mut found: Vec<String> = lines
        .filter_map(|line| Some(line.split_once("OTHER ")?.1.to_owned()))
        .collect();
    found.sort();
    found
}

#[test]
fn what_is_missing_is_missing_inside_except_for_removal_from_a_read_only_mount() {
    for site in sites() {
        let env = site.env;
        site.file("go.mod", MODULE);
        site.file("m_test.go", TEST);
        site.settle();
        let folders = [&SHOWN[..], &HIDDEN[..]].concat().join(":");
        let test = ["go", "test", "-count=1", "-v", "."];
        let without = Ended::of(
            site.bare(&test)
                .env("FOLDERS", &folders)
                .env("CGO_ENABLED", "0"),
        );
        assert!(others(&without).is_empty(), "{env:?}: {without:?}");
        let variable = format!("FOLDERS={folders}");
        let inside = others(&site.run(&["--env", &variable], &test));
        let goroot = goroot();
        let shown = SHOWN.into_iter().chain(goroot.to_str());
        let mut expected: Vec<String> = match env.has_namespaces() {
            true => shown
                .flat_map(|folder| READ_ONLY_FIRST.map(|call| format!("{folder} {call} true")))
                .collect(),
            false => Vec::new(),
        };
        expected.sort();
        assert_eq!(inside, expected, "{env:?}");
    }
}
