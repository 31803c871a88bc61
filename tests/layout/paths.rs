//! Calls that walk to a path by its name. `files` walks by descriptors instead: the launcher may be
//! root beside a user who can exchange any folder of such a path for a link.

use std::collections::{BTreeMap, BTreeSet};

use syn::ExprMethodCall;
use syn::visit::{self, Visit};

use crate::source::{Crate, End};
use crate::words::Named;

/// What changes something at a path.
#[rustfmt::skip]
pub const CHANGES: [&str; 31] = [
    "std::fs::write", "std::fs::rename", "std::fs::remove_file", "std::fs::remove_dir",
    "std::fs::remove_dir_all", "std::fs::create_dir", "std::fs::create_dir_all",
    "std::fs::set_permissions", "std::fs::hard_link", "std::fs::copy", "std::fs::soft_link",
    "std::fs::DirBuilder::new", "std::fs::OpenOptions::new", "std::fs::File::create",
    "std::fs::File::create_new", "std::fs::File::options", "std::os::unix::fs::symlink",
    "std::os::unix::fs::chown", "std::os::unix::fs::lchown", "std::os::unix::fs::chroot",
    "std::os::unix::net::UnixListener::bind", "rustix::fs::mkdir", "rustix::fs::chmod",
    "rustix::fs::unlink", "rustix::fs::rmdir", "rustix::fs::rename", "rustix::fs::link",
    "rustix::fs::symlink", "rustix::fs::chown", "rustix::fs::truncate", "rustix::fs::mknod",
];

/// What opens a path or looks at what is there. Methods of `Path` have no path of their own: they
/// are counted.
#[rustfmt::skip]
pub const LOOKS: [&str; 16] = [
    "std::fs::metadata", "std::fs::symlink_metadata", "std::fs::read", "std::fs::read_to_string",
    "std::fs::read_dir", "std::fs::read_link", "std::fs::canonicalize", "std::fs::exists",
    "std::fs::File::open", "rustix::fs::open", "rustix::fs::stat", "rustix::fs::lstat",
    "rustix::fs::access", "rustix::fs::readlink", "rustix::fs::statfs", "rustix::fs::statvfs",
];

/// Uses of `calls` outside `files` and the files of the table, and what of the table is out of date.
pub fn misplaced(all: &[Named], calls: &[&str], known: &[(&str, &str)]) -> Vec<String> {
    let is_call = |one: &&Named| {
        one.ends.iter().any(|end| match end {
            End::Outside(path) => calls.contains(&path.join("::").as_str()),
            _ => false,
        })
    };
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    let outside = all.iter().filter(|one| one.room != "files");
    for one in outside.filter(is_call) {
        let is_known = |(place, _): &&(&str, &str)| match place.ends_with('/') {
            true => one.file.starts_with(place),
            false => one.file == *place,
        };
        match known.iter().find(is_known) {
            Some((place, _)) => {
                used.insert(*place);
            }
            None => wrong.push(format!("{}:{}: {}", one.file, one.line, one.text)),
        }
    }
    let unused = known.iter().filter(|(place, _)| !used.contains(place));
    wrong.extend(unused.map(|(place, _)| format!("{place} has none: take it out of the table")));
    wrong
}

/// Methods of `Path` that look at what is there. `Metadata` has some of the same names: they count
/// too, since a parser knows no types.
const METHODS: [&str; 10] = [
    "canonicalize",
    "exists",
    "is_dir",
    "is_file",
    "is_symlink",
    "metadata",
    "read_dir",
    "read_link",
    "symlink_metadata",
    "try_exists",
];

/// Files outside `files` and `changes` with more such calls than the table has, and what of the
/// table is out of date.
pub fn methods(of: &Crate, known: &[(&str, usize)]) -> Vec<String> {
    /// Counts the calls.
    struct Walk(usize);
    impl<'ast> Visit<'ast> for Walk {
        fn visit_item_mod(&mut self, _: &'ast syn::ItemMod) {}
        fn visit_expr_method_call(&mut self, one: &'ast ExprMethodCall) {
            let name = one.method.to_string();
            self.0 += usize::from(one.args.is_empty() && METHODS.contains(&name.as_str()));
            visit::visit_expr_method_call(self, one);
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, module) in of.modules.iter().enumerate() {
        if matches!(of.room(number), Some("files" | "changes")) {
            continue;
        }
        let mut walk = Walk(0);
        module.items.iter().for_each(|item| walk.visit_item(item));
        *counts.entry(&module.file).or_default() += walk.0;
    }
    let known: BTreeMap<&str, usize> = known.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in counts.keys().chain(known.keys()).collect::<BTreeSet<_>>() {
        let (now, most) = (counts.get(*file).copied(), known.get(*file).copied());
        let (now, most) = (now.unwrap_or(0), most.unwrap_or(0));
        match now.cmp(&most) {
            std::cmp::Ordering::Greater => {
                wrong.push(format!(
                    "{file} has {now} calls, over {most}: use crate::files"
                ));
            }
            std::cmp::Ordering::Less => {
                wrong.push(format!("{file} has {now} calls: write that for {most}"));
            }
            std::cmp::Ordering::Equal => {}
        }
    }
    wrong
}
