//! An ordinary user's project and a folder of root's beside it, for a launcher that runs as root.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Env, ORDINARY, Site, needs_root, root_folder};

/// In a form that readers of go.mod, profiles and git's configuration show in their errors.
pub const SECRET: &str = "decoysecret=\"is here\"\n";

/// Both are removed with the value.
pub struct UserProject {
    pub site: Site,
    /// Only root can look into it. Each file of it holds [`SECRET`].
    pub root_folder: PathBuf,
    files: Vec<PathBuf>,
}

impl UserProject {
    /// `files` are the names of root's files. Returns `None` after a skip, where the tests do not
    /// run as root.
    pub fn new(files: &[&str]) -> Option<UserProject> {
        if !needs_root("a launcher that runs as root") {
            return None;
        }
        let site = Site::new(Env::User);
        site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
        site.settle();
        let root_folder = root_folder();
        let files: Vec<PathBuf> = files.iter().map(|it| root_folder.join(it)).collect();
        for file in &files {
            fs::write(file, SECRET).unwrap();
        }
        fs::set_permissions(&root_folder, fs::Permissions::from_mode(0o700)).unwrap();
        Some(UserProject {
            site,
            root_folder,
            files,
        })
    }

    /// A command as root with every capability and the user's HOME, as sudo may leave it.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        self.site.prepare(&mut command);
        command
    }

    /// Has the user make a link to a place in or below root's folder.
    pub fn link(&self, at: &Path, below: &str) {
        symlink(self.root_folder.join(below), at).unwrap();
        lchown(at, Some(ORDINARY), Some(ORDINARY)).unwrap();
    }

    /// Whether root's folder is as it was.
    pub fn is_kept(&self) -> bool {
        let found = fs::metadata(&self.root_folder).unwrap();
        let entries = fs::read_dir(&self.root_folder).unwrap();
        (found.uid(), found.mode() & 0o7777) == (0, 0o700)
            && entries.count() == self.files.len()
            && self.files.iter().all(|path| {
                let is_roots = fs::symlink_metadata(path).is_ok_and(|it| it.uid() == 0);
                is_roots && fs::read_to_string(path).is_ok_and(|text| text == SECRET)
            })
    }
}

impl Drop for UserProject {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root_folder);
    }
}
