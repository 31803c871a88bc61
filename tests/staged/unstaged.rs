//! A host that refuses the mount that stages a work tree: nothing else of the sandbox goes with it.

use std::path::Path;

use rustix::mount::{MountFlags, mount};

use crate::support::mounts::among_own_mounts;
use crate::support::{Env, Site, needs_root};
use crate::{ENTRIES, site};

/// Puts the site's work tree onto two overlays, which is as deep as they go (FILESYSTEM_MAX_STACK_DEPTH,
/// include/linux/fs.h): one more over it is refused.
fn bury(site: &Site) {
    let layers = site.root.join("layers");
    let layer = |name: &str| {
        let folder = layers.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        site.give(&folder);
        folder.to_str().unwrap().to_owned()
    };
    let overlay = |lower: &str, name: &str, target: &Path| {
        let (upper, own) = (
            layer(&format!("{name}-upper")),
            layer(&format!("{name}-own")),
        );
        let options = format!("lowerdir={lower},upperdir={upper},workdir={own}");
        let options = std::ffi::CString::new(options).unwrap();
        mount(
            "overlay",
            target,
            "overlay",
            MountFlags::empty(),
            Some(options.as_c_str()),
        )
        .unwrap();
    };
    let below = layer("below");
    overlay(site.work.to_str().unwrap(), "first", Path::new(&below));
    overlay(&below, "second", &site.work);
}

#[test]
fn where_a_tree_cannot_be_staged_the_namespaces_stay() {
    if !needs_root("mounts below the work tree need root") {
        return;
    }
    for (options, words) in ENTRIES {
        let site = site(Env::User, "echo new > testdata/out; test ! -w ../outside");
        site.settle();
        among_own_mounts(|| {
            bury(&site);
            let report = site.outside.join("report.json");
            let report = ["--report", report.to_str().unwrap()];
            site.run(&[options, &report].concat(), words).expect(0);
            assert!(site.work.join("testdata/out").exists(), "{words:?}");
            let report = std::fs::read(report[1]).unwrap();
            let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
            assert_eq!(report["staged"], serde_json::Value::Null, "{words:?}");
            for layer in ["namespaces", "mount-view", "landlock", "seccomp"] {
                assert_eq!(report["enforced"][layer], true, "{layer} {words:?}");
            }
        });
    }
}
