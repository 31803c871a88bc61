//! Which paths have which type, as file contexts.
//!
//! A path becomes a regular expression in which everything but letters, digits, `_`, `-` and `/` is a
//! number, so that no name of a file can be a pattern, a field of its own, or a line of its own.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::names;
use crate::generate::rules::{Role, Subject};
use crate::generate::{Error, Model};
use crate::policy::protected::is_pattern;

/// What kind of file a context is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every kind.
    Any,
    /// Files.
    File,
}

impl Kind {
    pub(super) fn cil(self) -> &'static str {
        match self {
            Kind::Any => "any",
            Kind::File => "file",
        }
    }
}

/// A pattern and its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// A regular expression for a whole path.
    pub pattern: String,
    /// What kind of file.
    pub kind: Kind,
    /// The type.
    pub name: &'static str,
    /// The path that the pattern begins with, to be labelled anew.
    pub root: PathBuf,
}

/// Folders that every SELinux system labels as others (file_contexts.subs_dist).
const ALIASES: [(&str, &str); 6] = [
    ("/usr/local/lib64", "/usr/lib"),
    ("/usr/local/lib32", "/usr/lib"),
    ("/usr/local/lib", "/usr/lib"),
    ("/usr/lib64", "/usr/lib"),
    ("/usr/lib32", "/usr/lib"),
    ("/var/run", "/run"),
];

/// The contexts, general ones first: of those that match the last one counts.
///
/// # Errors
/// A path that holds a zero byte or is not absolute.
pub fn contexts(model: &Model<'_>) -> Result<Vec<Context>, Error> {
    let home = &model.site.home;
    let mut found = Vec::new();
    // The tool cage has every role.
    let of_tool = |role| {
        let rules = model.rules.iter();
        rules.filter(move |rule| rule.subject == Subject::Tool && rule.role == role)
    };
    let mut add = |root: &Path, below: &str, kind, name| -> Result<(), Error> {
        let pattern = pattern(root, home)? + below;
        if !found
            .iter()
            .any(|one: &Context| one.pattern == pattern && one.name == name)
        {
            found.push(Context {
                pattern,
                kind,
                name,
                root: root.to_owned(),
            });
        }
        Ok(())
    };
    let all = "(/.*)?";
    for rule in of_tool(Role::Work) {
        add(&rule.path, all, Kind::Any, names::WORK)?;
        let testdata = "/(.*/)?testdata(/.*)?";
        add(&rule.path, testdata, Kind::Any, names::TESTDATA)?;
    }
    for rule in of_tool(Role::Protected) {
        add(&rule.path, all, Kind::Any, names::PROTECTED)?;
    }
    let patterns = model.policy.files.protected.iter();
    for item in patterns.filter(|item| is_pattern(item)) {
        let below = escaped(item).replace("\\x2a", "[^/]*");
        let below = format!("/{below}{all}");
        for rule in of_tool(Role::Work) {
            add(&rule.path, &below, Kind::Any, names::PROTECTED)?;
        }
    }
    for (role, below, kind, name) in [
        (Role::ModuleCache, all, Kind::Any, names::MODCACHE),
        (Role::Cache, all, Kind::Any, names::CACHE),
        (Role::ProgramCache, all, Kind::Any, names::PROGRAM_CACHE),
        (Role::Goroot, all, Kind::Any, names::GOROOT),
        (Role::GorootTool, "/.*", Kind::File, names::GOROOT_EXEC),
        (Role::Launcher, "", Kind::File, names::EXEC),
    ] {
        for rule in of_tool(role) {
            add(&rule.path, below, kind, name)?;
        }
    }
    Ok(found)
}

/// A path as a regular expression that matches nothing else.
fn pattern(path: &Path, home: &Path) -> Result<String, Error> {
    let fail = |why| Error::Path {
        path: path.to_owned(),
        format: "selinux",
        why,
    };
    if !path.is_absolute() {
        return Err(fail("it is not absolute"));
    }
    if path.as_os_str().as_bytes().contains(&0) {
        return Err(fail("it has a zero byte"));
    }
    let is_home =
        home.starts_with("/home") && home.components().count() == 3 || home == Path::new("/root");
    // What lies in a home is looked up among the contexts of homes, which come after all others.
    if let (true, Ok(below)) = (is_home, path.strip_prefix(home)) {
        return Ok(format!("HOME_DIR{}", escaped(&Path::new("/").join(below))));
    }
    let aliased = ALIASES.iter().find_map(|(from, to)| {
        let below = path.strip_prefix(from).ok()?;
        Some(Path::new(to).join(below))
    });
    Ok(escaped(aliased.as_deref().unwrap_or(path)))
}

fn escaped(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'/' => {
                text.push(char::from(*byte))
            }
            b'.' => text += "\\.",
            other => text += &format!("\\x{other:02x}"),
        }
    }
    if text.len() > 1 && text.ends_with('/') {
        text.pop();
    }
    text
}

/// Lines for `semanage fcontext`, for those who want the labels alone: what it adds counts more than the
/// contexts of homes, so that these are named as they are.
pub fn semanage(header: &[String], contexts: &[Context], home: &Path) -> String {
    let mut text: String = header.iter().map(|line| format!("# {line}\n")).collect();
    text +=
        "# the types must be known: load the module first, then restorecon -RF what is labelled\n";
    for context in contexts {
        let kind = if context.kind == Kind::File {
            " -f f"
        } else {
            ""
        };
        let pattern = context.pattern.replacen("HOME_DIR", &escaped(home), 1);
        text += &format!(
            "semanage fcontext -a{kind} -t {} '{pattern}'\n",
            context.name
        );
    }
    text
}

/// The .fc file of a reference policy.
pub fn reference(header: &[String], contexts: &[Context]) -> String {
    let mut text: String = header.iter().map(|line| format!("# {line}\n")).collect();
    for context in contexts {
        let kind = if context.kind == Kind::File { "--" } else { "" };
        text += &format!(
            "{}\t{kind}\tgen_context(system_u:object_r:{},s0)\n",
            context.pattern, context.name
        );
    }
    text
}
