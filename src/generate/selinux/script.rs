//! The script that loads the module and labels the files, and takes both back.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::contexts::Context;

/// The script. It can be run again, and ends with what was there before where a step fails.
pub fn install(header: &[String], contexts: &[Context]) -> String {
    let mut text = String::from("#!/bin/sh\n");
    text.extend(header.iter().map(|line| format!("# {line}\n")));
    text += "\
#
# Call it as root: `./install` loads the module and labels the files, `./install undo` takes both back.
set -eu
cd \"$(dirname \"$0\")\"
[ \"$(id -u)\" = 0 ] || { echo 'install: call it as root' >&2; exit 2; }

label() {
    set --
";
    let mut roots: Vec<&Path> = contexts
        .iter()
        .map(|context| context.root.as_path())
        .collect();
    roots.sort_unstable();
    roots.dedup();
    // The script may not say what a folder's name means to the shell.
    let outer: Vec<&Path> = roots
        .iter()
        .filter(|root| {
            !roots
                .iter()
                .any(|other| root.starts_with(other) && *root != other)
        })
        .copied()
        .collect();
    for root in outer {
        let quoted = quote(root);
        text += &format!("    [ ! -e {quoted} ] || set -- \"$@\" {quoted}\n");
    }
    text += "\
    [ \"$#\" = 0 ] || restorecon -RF -- \"$@\"
}

undo() {
    semodule -X 400 -r gosandbox 2>/dev/null || true
    label
}

case ${1-} in
    '') ;;
    undo) undo; exit 0 ;;
    *) echo 'install: [undo]' >&2; exit 2 ;;
esac
trap 'status=$?; [ $status = 0 ] || { echo \"install: failed; taking it back\" >&2; undo; }; exit $status' EXIT
semodule -X 400 -i gosandbox.cil
label
";
    text
}

/// In single quotes, which only a single quote ends.
fn quote(path: &Path) -> String {
    let text = String::from_utf8_lossy(path.as_os_str().as_bytes()).replace('\'', "'\\''");
    format!("'{text}'")
}
