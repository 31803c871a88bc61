//! The launcher has none of the C library's functions that load what /etc/nsswitch.conf names.

use std::fs;
use std::path::Path;

use crate::support::gosandbox;

const ASKERS: [&str; 3] = ["getaddrinfo", "getgrouplist", "gethostbyname"];

/// Those of a static executable, by its table of symbols.
fn askers(path: &Path) -> Vec<&'static str> {
    let bytes = fs::read(path).unwrap();
    let has = |name: &&str| {
        let entry = [b"\0", name.as_bytes(), b"\0"].concat();
        bytes.windows(entry.len()).any(|part| part == entry)
    };
    ASKERS.into_iter().filter(has).collect()
}

#[test]
fn the_launcher_has_no_function_that_loads_modules_of_the_name_service() {
    // This very test has one: tests beside it resolve names by the C library.
    assert!(askers(&std::env::current_exe().unwrap()).contains(&"getaddrinfo"));
    assert_eq!(askers(gosandbox()), [""; 0]);
}
