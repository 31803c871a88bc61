use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};

use rustix::fs::mknodat;

use super::*;

const USER: u32 = 1000;

/// A folder of another user's in one of root's, and a file that only root may read. Nothing where this is not root.
struct Scene {
    base: tempfile::TempDir,
}

impl Scene {
    fn new() -> Option<Scene> {
        if !crate::skip::needs_root("another user's files are made by root") {
            return None;
        }
        let base = tempfile::tempdir().unwrap();
        fs::set_permissions(base.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let scene = Scene { base };
        fs::create_dir(scene.at("theirs")).unwrap();
        fs::create_dir(scene.at("closed")).unwrap();
        fs::write(scene.at("closed/secret"), "decoysecret").unwrap();
        fs::write(scene.at("theirs/own"), "own").unwrap();
        fs::set_permissions(scene.at("closed"), fs::Permissions::from_mode(0o700)).unwrap();
        for name in ["theirs", "theirs/own"] {
            lchown(scene.at(name), Some(USER), Some(USER)).unwrap();
        }
        fs::set_permissions(scene.at("theirs/own"), fs::Permissions::from_mode(0o600)).unwrap();
        Some(scene)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    fn link(&self, target: impl AsRef<Path>, name: &str) -> PathBuf {
        let link = self.at(name);
        symlink(target, &link).unwrap();
        lchown(&link, Some(USER), Some(USER)).unwrap();
        link
    }
}

/// The thread's user and group for files, whether it overrules permissions, and how many groups it has.
fn identity() -> (String, String, bool, usize) {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let last = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().last().unwrap().to_owned()
    };
    let groups = rustix::process::getgroups().unwrap().len();
    (
        last("Uid:"),
        last("Gid:"),
        crate::sys::has_capability(1),
        groups,
    )
}

#[test]
fn another_users_link_shows_root_nothing_that_the_user_cannot_read() {
    let Some(scene) = Scene::new() else {
        return;
    };
    let before = identity();
    let file = scene.link(scene.at("closed/secret"), "theirs/file");
    let folder = scene.link(scene.at("closed"), "theirs/folder");
    // The control: by its path, root reads it.
    assert_eq!(fs::read_to_string(&file).unwrap(), "decoysecret");
    assert!(read(&file).is_err() && open(&file).is_err() && metadata(&file).is_err());
    assert!(read_dir(&folder).is_err() && canonicalize(folder.join("secret")).is_err());
    assert!(!exists(folder.join("secret")) && !is_file(&file));
    // A link of the user's in a folder of root's is the user's too.
    let in_roots = scene.link(scene.at("closed/secret"), "link");
    assert!(read(in_roots).is_err());
    assert_eq!(identity(), before);
    // What is the user's own is read, and so is what is root's, by a path of root's.
    assert_eq!(read_to_string(scene.at("theirs/own")).unwrap(), "own");
    assert_eq!(read(scene.at("closed/secret")).unwrap(), b"decoysecret");
    assert_eq!(identity(), before);
}

/// What a file of another user's names is read with that user's rights, also by an absolute path.
#[test]
fn paths_that_another_user_has_written_down_are_walked_with_that_users_rights() {
    let Some(scene) = Scene::new() else {
        return;
    };
    let before = identity();
    let secret = scene.at("closed/secret");
    assert!(with_rights_of(&scene.at("theirs"), || read(&secret)).is_err());
    assert!(with_rights_of(&scene.at("theirs/own"), || read(scene.at("theirs/own"))).is_ok());
    assert!(with_rights_of(&scene.at("theirs/none"), || read(&secret)).is_err());
    assert_eq!(identity(), before);
    assert!(with_rights_of(&scene.at("closed"), || read(&secret)).is_ok());
    let folder = scene.link(scene.base.path(), "theirs/up");
    assert!(canonicalize(&folder).is_ok() && canonicalize_folder(&folder).is_err());
    assert!(canonicalize_folder(scene.at("theirs")).is_ok());
}

#[test]
fn what_anybody_can_exchange_is_read_as_nobody() {
    let Some(scene) = Scene::new() else {
        return;
    };
    fs::create_dir(scene.at("open")).unwrap();
    fs::set_permissions(scene.at("open"), fs::Permissions::from_mode(0o777)).unwrap();
    symlink(scene.at("closed/secret"), scene.at("open/link")).unwrap();
    symlink(scene.at("theirs/own"), scene.at("open/other")).unwrap();
    assert!(read(scene.at("open/link")).is_err() && read(scene.at("open/other")).is_err());
    fs::write(scene.at("open/file"), "all").unwrap();
    assert_eq!(read(scene.at("open/file")).unwrap(), b"all");
}

#[test]
fn links_and_names_are_as_std_has_them() {
    let base = tempfile::tempdir().unwrap();
    let at = |name: &str| base.path().join(name);
    fs::create_dir_all(at("a/b")).unwrap();
    fs::write(at("a/b/file"), "text").unwrap();
    for (target, name) in [
        ("b/file", "a/link"),
        ("../a/link", "a/two"),
        ("missing", "a/none"),
        ("loop", "a/loop"),
        ("b", "a/folder"),
    ] {
        symlink(target, at(name)).unwrap();
    }
    for name in [
        "a",
        "a/link",
        "a/two",
        "a/none",
        "a/loop",
        "a/folder",
        "a/folder/file",
        "a/link/x",
        "a/../a/b",
        "x/y",
    ] {
        let path = at(name);
        let kind = |found: io::Result<Metadata>| {
            found
                .map(|it| (it.ino(), it.mode()))
                .map_err(|it| it.kind())
        };
        assert_eq!(kind(metadata(&path)), kind(fs::metadata(&path)), "{name}");
        assert_eq!(
            kind(symlink_metadata(&path)),
            kind(fs::symlink_metadata(&path)),
            "{name}"
        );
        assert_eq!(
            canonicalize(&path).ok(),
            fs::canonicalize(&path).ok(),
            "{name}"
        );
        assert_eq!(read_link(&path).ok(), fs::read_link(&path).ok(), "{name}");
        assert_eq!(read(&path).ok(), fs::read(&path).ok(), "{name}");
    }
    let names = |path: &Path| {
        let mut names: Vec<_> = read_dir(path)
            .unwrap()
            .iter()
            .map(|it| (it.file_name(), it.kind()))
            .collect();
        names.sort_by(|one, other| one.0.cmp(&other.0));
        names
    };
    assert_eq!(names(&at("a/b")), [("file".into(), FileType::RegularFile)]);
    assert_eq!(names(&at("a")).len(), 6);
    assert!(open_unlinked(at("a/link")).is_err() && open_unlinked(at("a/b/file")).is_ok());
    let real = base.path().canonicalize().unwrap();
    assert!(open_in_place(real.join("a/folder/file")).is_err());
    assert!(open_in_place(real.join("a/b/file")).is_ok());
}

#[test]
fn nothing_waits_for_a_fifo_and_no_device_is_read() {
    let base = tempfile::tempdir().unwrap();
    let fifo = base.path().join("fifo");
    mknodat(
        rustix::fs::CWD,
        &fifo,
        FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    assert!(
        read(&fifo).is_err() && read("/dev/zero").is_err() && read_to_string("/dev/zero").is_err()
    );
    assert!(read(base.path()).is_err());
}

/// Everything that can be asked of a path, and what it says.
fn answers(path: &Path) -> Vec<String> {
    let kind = |found: io::Result<Metadata>| found.map(|found| (found.ino(), found.mode()));
    let told = |read: io::Result<Vec<u8>>| read.map_err(|error| error.kind());
    let names = read_dir(path).map(|found| {
        let mut names: Vec<_> = found.iter().map(Entry::file_name).collect();
        names.sort();
        names
    });
    let opened = |file: io::Result<File>| kind(file.and_then(|file| file.metadata()));
    vec![
        format!("{:?}", kind(metadata(path))),
        format!("{:?}", kind(symlink_metadata(path))),
        format!("{:?}", canonicalize(path)),
        format!("{:?}", canonicalize_folder(path)),
        format!("{:?}", read_link(path)),
        format!("{:?}", told(read(path))),
        format!("{:?}", opened(open_unlinked(path))),
        format!("{:?}", opened(open_in_place(path))),
        format!("{names:?}"),
        format!("{:?}", with_rights_of(path, || told(read(path)))),
    ]
}

#[test]
fn a_folder_that_is_known_to_be_roots_changes_no_answer() {
    let Some(scene) = Scene::new() else {
        return;
    };
    scene.link(scene.at("closed/secret"), "link");
    scene.link(scene.at("closed"), "theirs/folder");
    symlink("closed", scene.at("roots")).unwrap();
    symlink("none", scene.at("dangling")).unwrap();
    let names = [
        "",
        "link",
        "link/",
        "roots",
        "roots/",
        "roots/secret",
        "dangling",
        "none",
        "none/none",
        "closed",
        "closed/",
        "closed/secret",
        "closed/secret/",
        "closed/../theirs/own",
        "theirs",
        "theirs/",
        "theirs/own",
        "theirs/folder",
        "theirs/folder/secret",
        "closed/./secret",
        "theirs/../closed/secret",
        "roots/../link",
    ];
    for name in names {
        let path = scene.at(name);
        crate::files::forget();
        let first = answers(&path);
        let _walks_through_it = (
            metadata(scene.at("closed/secret")),
            metadata(scene.at("link")),
        );
        assert!(
            kept::entry(&scene.at("closed")).is_some()
                && kept::entry(&scene.at("closed/x")).is_some()
        );
        assert_eq!(answers(&path), first, "{name}");
    }
    assert!(
        kept::entry(&scene.at("theirs/own")).is_none()
            && kept::entry(&scene.at("roots/secret")).is_none()
    );
    crate::files::forget();
    assert!(kept::entry(&scene.at("closed")).is_none());
}
