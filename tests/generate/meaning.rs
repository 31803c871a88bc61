//! What the policy means, told apart from the rules and from every backend.

use std::ffi::OsStr;
use std::path::Path;

use gosandbox::generate::Site;
use gosandbox::generate::rules::Subject;
use gosandbox::policy::secrets::SECRETS;
use gosandbox::policy::{Policy, TreeAccess};

/// One subject's part of it.
pub struct Meaning<'a> {
    pub site: &'a Site,
    pub policy: &'a Policy,
    pub subject: Subject,
}

impl Meaning<'_> {
    fn is_secret(&self, path: &Path) -> bool {
        SECRETS.iter().any(|name| {
            path.starts_with(Path::new("/root").join(name))
                || path.ancestors().any(|up| {
                    up.parent().and_then(Path::parent) == Some(Path::new("/"))
                        && up.starts_with("/home")
                        && path.starts_with(up.join(name))
                })
        })
    }

    fn is_protected(&self, path: &Path) -> bool {
        let Ok(below) = path.strip_prefix(&self.site.tree) else {
            return false;
        };
        if self
            .site
            .protected
            .iter()
            .any(|led_to| path.starts_with(led_to))
        {
            return true;
        }
        let matcher = self.policy.files.matcher();
        let named = |part: &OsStr| matcher.matches(part.as_encoded_bytes());
        match self.subject {
            Subject::Tool => below.iter().next().is_some_and(named),
            _ => matcher.protects(below),
        }
    }

    pub fn writes(&self, path: &Path, own: bool) -> bool {
        let site = self.site;
        let caches = [&site.gocache, &site.gomodcache];
        if self.is_secret(path) || self.is_protected(path) || path.starts_with(&site.goroot) {
            return false;
        }
        if caches.iter().any(|cache| path.starts_with(cache)) {
            return self.subject == Subject::Tool;
        }
        let tree = match self.subject {
            Subject::Tool => TreeAccess::Write,
            Subject::Program => self.policy.files.run,
            Subject::Test => self.policy.files.test,
        };
        let in_tree = path.strip_prefix(&site.tree).is_ok_and(|below| {
            tree == TreeAccess::Write
                || tree == TreeAccess::Testdata && below.iter().any(|part| part == "testdata")
        });
        in_tree
            || path.starts_with(&site.program_cache)
            || path.starts_with("/srv/out")
            || path.starts_with("/tmp") && own
    }

    pub fn reads(&self, path: &Path, own: bool) -> bool {
        let site = self.site;
        let granted = [
            &site.goroot,
            &site.gocache,
            &site.gomodcache,
            &site.program_cache,
            &site.tree,
        ];
        !self.is_secret(path)
            && (granted.iter().any(|folder| path.starts_with(folder))
                || path.starts_with("/usr/lib/x86_64-linux-gnu")
                || path.starts_with("/srv/out")
                || path == Path::new("/usr/bin/sed")
                || path == site.launcher && self.subject == Subject::Tool
                || path.starts_with("/tmp") && own)
    }
}
