//! No path can inject a rule: it is quoted as the format has it, or refused by name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use proptest::prelude::*;

use gosandbox::generate::{Backend, Error, Model, apparmor::AppArmor, selinux::Selinux};

use crate::{policy, site};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever a folder is called, the lines of the file are the same but for the path in them.
    #[test]
    fn no_path_gets_a_rule_of_its_own_into_a_file(name in prop::collection::vec(any::<u8>().prop_filter("no separator", |byte| *byte != 0 && *byte != b'/'), 1..24)) {
        let tree = Path::new("/srv").join(OsStr::from_bytes(&name));
        prop_assume!(name != b"." && name != b".." && name != b"out");
        let policy = policy();
        let (odd, plain) = (site(&tree), site(Path::new("/srv/plain")));
        let (odd, plain) = (Model::new(&policy, &odd).unwrap(), Model::new(&policy, &plain).unwrap());
        let backends: [&dyn Backend; 2] = [&AppArmor, &Selinux];
        for backend in backends {
            let files = match backend.render(&odd) {
                Ok(files) => files,
                Err(Error::Path { path, .. }) => {
                    prop_assert!(path.starts_with(&tree));
                    continue;
                }
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            };
            for (odd, plain) in files.iter().zip(backend.render(&plain).unwrap()) {
                // A shell's single quotes may hold a newline; no other format's may.
                if odd.executable { continue; }
                let body = |text: &str| text.lines().filter(|line| !line.contains("policy digest")).count();
                prop_assert_eq!(body(&odd.content), body(&plain.content));
                for (odd, plain) in odd.content.lines().zip(plain.content.lines()).filter(|(_, plain)| !plain.contains("plain") && !plain.contains("policy digest")) {
                    prop_assert_eq!(odd, plain);
                }
                prop_assert!(!odd.content.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            }
        }
    }
}

#[test]
fn a_path_that_apparmor_cannot_hold_is_refused_by_name() {
    let policy = policy();
    for tree in [&b"/srv/a\nb"[..], b"/srv/\xff", b"/srv/a\x1b[0m"] {
        let tree = Path::new(OsStr::from_bytes(tree));
        let site = site(tree);
        let error = AppArmor
            .render(&Model::new(&policy, &site).unwrap())
            .unwrap_err();
        assert!(
            matches!(&error, Error::Path { path, .. } if path == tree),
            "{error}"
        );
        assert!(!error.to_string().chars().any(char::is_control));
    }
}
