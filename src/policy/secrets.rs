//! Where secrets lie in a home folder.

use std::path::Path;

/// Folders and files of a home that hold secrets. No help suggests a grant of them. Formats that can deny a
/// path although it is granted deny them.
pub const SECRETS: [&str; 14] = [
    ".aws",
    ".azure",
    ".bash_history",
    ".config/gcloud",
    ".config/gh",
    ".config/go/env",
    ".docker",
    ".git-credentials",
    ".gnupg",
    ".kube",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".ssh",
];

/// Whether a path is one of these, or lies in one, in whoever's home.
pub fn is_secret(path: &Path) -> bool {
    path.ancestors()
        .any(|above| SECRETS.iter().any(|secret| above.ends_with(secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name_and_by_what_it_lies_in() {
        for path in [
            "/home/dev/.ssh",
            "/root/.ssh/keys/id",
            "/h/.config/gh/hosts.yml",
            ".netrc",
        ] {
            assert!(is_secret(Path::new(path)), "{path}");
        }
        for path in [
            "/home/dev",
            "/home/dev/.config",
            "/home/dev/ssh",
            "/home/dev/.sshd",
            "/",
        ] {
            assert!(!is_secret(Path::new(path)), "{path}");
        }
    }
}
