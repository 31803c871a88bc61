//! What the profiles refuse by name, whatever else grants it.

use std::path::Path;

use super::Abi;
use super::path::literal;
use super::profile::Family;
use crate::generate::rules::{Role, Subject};
use crate::generate::{Error, Model};
use crate::policy::protected::is_pattern;
use crate::policy::secrets::SECRETS;

/// Refusals, which win over every grant.
pub(super) fn denials(
    lines: &mut Vec<String>,
    model: &Model<'_>,
    subject: Subject,
) -> Result<(), Error> {
    lines.push("audit deny \"@{GOROOT}/{,**}\" wl,".into());
    if subject != Subject::Tool {
        lines.push("audit deny \"@{GOCACHE}/{,**}\" wl,".into());
        lines.push("audit deny \"@{GOMODCACHE}/{,**}\" wl,".into());
    }
    let protected = model
        .rules
        .iter()
        .filter(|rule| rule.role == Role::Protected);
    for rule in protected.filter(|rule| rule.subject == subject) {
        let below = rule
            .path
            .strip_prefix(&model.site.tree)
            .unwrap_or(&rule.path);
        let name = literal(&Path::new("/").join(below))?;
        // What lies deeper is the go command's to write, such as a vendored module's own folders; what git
        // is led to lies in one place.
        let is_there_only = subject == Subject::Tool || model.site.protected.contains(&rule.path);
        let at = if is_there_only { "/" } else { "/{,**/}" };
        let name = &name[1..];
        lines.push(format!("audit deny \"@{{WORK}}{at}{name}{{,/**}}\" wl,"));
    }
    let items = model.policy.files.protected.iter();
    for item in items.filter(|item| is_pattern(item)) {
        // A star of theirs is any part of one name too.
        let name = literal(&Path::new("/").join(item))?.replace("\\*", "*");
        let name = &name[1..];
        let at = if subject == Subject::Tool {
            "/"
        } else {
            "/{,**/}"
        };
        lines.push(format!("audit deny \"@{{WORK}}{at}{name}{{,/**}}\" wl,"));
    }
    secrets(lines, model)
}

/// The usual secrets in every home, and in the user's own where that lies elsewhere.
fn secrets(lines: &mut Vec<String>, model: &Model<'_>) -> Result<(), Error> {
    let site = model.site;
    let granted = [&site.goroot, &site.gocache, &site.gomodcache, &site.tree];
    let named = model.rules.iter().filter(|rule| rule.role == Role::Named);
    let granted: Vec<&Path> = named
        .map(|rule| rule.path.as_path())
        .chain(granted.into_iter().map(|path| path.as_path()))
        .collect();
    let usual = site.home == Path::new("/root") || site.home.parent() == Some(Path::new("/home"));
    for secret in SECRETS {
        let own = site.home.join(secret);
        // What the user has granted by name is no secret; what lies around it stays one.
        if granted.iter().any(|path| path.starts_with(&own)) {
            continue;
        }
        lines.push(format!(
            "audit deny \"/{{root,home/*}}/{secret}{{,/**}}\" mrwkl,"
        ));
        if !usual && site.home.is_absolute() {
            let own = literal(&own)?;
            lines.push(format!("audit deny \"{own}{{,/**}}\" mrwkl,"));
        }
    }
    Ok(())
}

/// Mechanisms that no build needs, refused by name so that no other file's rule can grant them.
pub(super) fn mechanisms(lines: &mut Vec<String>, family: Family, abi: Abi, subject: Subject) {
    let nests = family == Family::Launched && subject == Subject::Tool;
    for mechanism in ["mount", "umount", "pivot_root", "dbus"] {
        lines.push(format!("audit deny {mechanism},"));
    }
    if !nests {
        lines.push("audit deny capability,".into());
    }
    if abi >= Abi::V4 {
        lines.push("audit deny mqueue,".into());
        if !nests {
            lines.push("audit deny userns,".into());
        }
    }
    match abi {
        Abi::V5 => {
            lines.push(
                "# Its kernel thread and others' credentials; a ring itself only seccomp refuses."
                    .into(),
            );
            lines.push("audit deny io_uring,".into());
        }
        _ => lines.push("# io_uring is told apart from abi 5.0 on; seccomp refuses it.".into()),
    }
}
