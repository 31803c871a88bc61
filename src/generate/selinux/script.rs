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
    text += TAIL;
    text
}

/// What follows the list of what is there to be labelled.
const TAIL: &str = r#"    [ "$#" = 0 ] || restorecon -RF -- "$@"
}

# Whether the module is loaded. What cannot be asked is no answer.
loaded() {
    modules=$(semodule -lfull) || { echo 'install: cannot list the modules' >&2; exit 1; }
    echo "$modules" | grep -q '^400 *gosandbox '
}

undo() {
    if loaded; then semodule -X 400 -r gosandbox || return 1; fi
    label
}

case ${1-} in
    '') ;;
    undo) undo; exit 0 ;;
    *) echo 'install: [undo]' >&2; exit 2 ;;
esac

# What was there before, to be put back where a step fails.
before=$(mktemp -d)
# semodule may write only where its own domain may.
chcon -t semanage_tmp_t "$before" 2>/dev/null || true
extract() (cd "$1" && semodule -X 400 -c -E gosandbox >/dev/null)
if loaded; then extract "$before"; fi
back() {
    if [ ! -e "$before/gosandbox.cil" ]; then undo; return; fi
    mkdir "$before/now" || return 1
    if ! loaded || ! extract "$before/now" || ! cmp -s "$before/gosandbox.cil" "$before/now/gosandbox.cil"; then
        semodule -X 400 -i "$before/gosandbox.cil" || return 1
    fi
    label
}
end() {
    status=$?
    trap - EXIT
    if [ $status != 0 ]; then
        echo 'install: failed; taking it back' >&2
        (back) || echo 'install: what was there before could not be put back: see semodule -lfull, and restorecon' >&2
    fi
    rm -r "$before"
    exit $status
}
trap end EXIT
trap 'exit 130' INT TERM HUP
semodule -X 400 -i gosandbox.cil
label
"#;

/// In single quotes, which only a single quote ends.
fn quote(path: &Path) -> String {
    let text = String::from_utf8_lossy(path.as_os_str().as_bytes()).replace('\'', "'\\''");
    format!("'{text}'")
}
