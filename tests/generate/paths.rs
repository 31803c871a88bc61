//! No path can inject a rule: it is quoted as the format has it, or refused by name.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use gosandbox::generate::{Backend, Error, Model, Site, apparmor::AppArmor, selinux::Selinux};
use gosandbox::policy::Access;

use crate::{policy, site};

/// Every place that a path of the project's or the user's own comes from.
const PLACES: [fn(&mut Site, PathBuf); 10] = [
    |site, path| site.tree = path,
    |site, path| site.goroot = path,
    |site, path| site.gocache = path,
    |site, path| site.gomodcache = path,
    |site, path| site.program_cache = path,
    |site, path| site.launcher = path,
    |site, path| site.home = path,
    |site, path| site.write = vec![(path, true)],
    |site, path| site.system.push((path, Access::Execute, false)),
    |site, path| site.protected = vec![site.tree.join(path.file_name().unwrap())],
];

/// What `odd` has beside the lines of `plain`, which are more than the name in them.
fn further(odd: &str, plain: &str) -> (Vec<String>, usize) {
    let lines = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.contains("policy digest"));
        lines.map(str::to_owned).collect()
    };
    let mut left = lines(odd);
    let mut named = 0;
    for line in lines(plain) {
        match left.iter().position(|one| *one == line) {
            Some(at) => drop(left.swap_remove(at)),
            None if line.contains("plain") => named += 1,
            None => left.push(format!("missing: {line}")),
        }
    }
    (left, named)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Whatever a folder is called, the lines of the file are the same but for the path in them.
    #[test]
    fn no_path_gets_a_rule_of_its_own_into_a_file(
        name in prop_oneof![
            prop::collection::vec(any::<u8>().prop_filter("no separator", |byte| *byte != 0 && *byte != b'/'), 1..24),
            prop::collection::vec(prop::sample::select(b"\n\r\t \"'\\,;#@{}[]()*?^$`&|<>%~=:.-+x".to_vec()), 1..12),
        ],
        place in prop::sample::select(&PLACES[..]),
    ) {
        prop_assume!(![&b"."[..], b"..", b"out", b"project"].contains(&name.as_slice()));
        let policy = policy();
        let with = |name: &OsStr| {
            let mut site = site(Path::new("/srv/project"));
            place(&mut site, Path::new("/srv").join(name));
            site
        };
        let (odd, plain) = (with(OsStr::from_bytes(&name)), with(OsStr::new("plain")));
        let (mut odd, mut plain) = (Model::new(&policy, &odd).unwrap(), Model::new(&policy, &plain).unwrap());
        let backends: [&dyn Backend; 2] = [&AppArmor, &Selinux];
        for backend in backends {
            for form in std::iter::once(None).chain(backend.forms().iter().map(|form| Some((*form).to_owned()))) {
                (odd.form, plain.form) = (form.clone(), form);
                let files = match backend.render(&odd) {
                    Ok(files) => files,
                    Err(Error::Path { path, .. }) => {
                        prop_assert!(path.as_os_str().as_bytes().windows(name.len()).any(|part| part == name));
                        continue;
                    }
                    Err(other) => return Err(TestCaseError::fail(other.to_string())),
                };
                for (odd, plain) in files.iter().zip(backend.render(&plain).unwrap()) {
                    // A shell's single quotes may hold a newline; no other format's may.
                    if odd.executable { continue; }
                    let (further, named) = further(&odd.content, &plain.content);
                    prop_assert_eq!(further.len(), named, "{}: {:#?}", odd.name, further);
                    prop_assert!(!further.iter().any(|line| line.starts_with("missing: ")), "{:#?}", further);
                    prop_assert!(!odd.content.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
                }
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
