//! What git itself reads, and what is found, in random repositories.

use proptest::prelude::*;

use super::*;

/// The files that git reads as configuration in a tree, and the folder of its hooks.
fn git_reads(root: &Path, home: &Path) -> Option<(Vec<PathBuf>, PathBuf)> {
    let git = |words: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(words).current_dir(root).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", home).env("GIT_CONFIG_NOSYSTEM", "1");
        let ended = command.output().ok()?;
        ended.status.success().then_some(ended.stdout)
    };
    let listed = git(&["config", "--list", "--show-origin", "--null"])?;
    let records = listed.split(|byte| *byte == 0);
    let files = records.filter_map(|record| record.strip_prefix(b"file:"));
    let files = files.map(|file| root.join(OsStr::from_bytes(file)));
    let hooks = git(&["rev-parse", "--git-path", "hooks"])?;
    let hooks = root.join(OsStr::from_bytes(hooks.strip_suffix(b"\n")?));
    Some((files.collect(), hooks))
}

/// A repository in a home folder, whose configurations include each other by many spellings.
fn repositories() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let names = ["one", "deep/two", "three"];
    let lines = prop::sample::select(vec![
        "[include]\n\tpath = ../one\n",
        "[include]\n\tpath = one\n",
        "[include]\n\tpath = deep/two\n",
        "[include]\n\tpath = ../deep/../three\n",
        "[include]\n\tpath = ~/tree/deep/two\n",
        "[include] path = \"ROOT/\\\n\tthree\" # x\n",
        "[include]\n\tpath = ROOT/deep/./two ; x\n",
        "[includeIf \"gitdir:ROOT/\"]\n\tpath = ~/tree/one\n",
        "[includeIf \"gitdir/i:root/\"]\n\tpath = ../one\n",
        "[includeIf \"onbranch:main\"]\n\tpath = ../three\n",
        "[INCLUDE]PATH=../three\n",
        "[include \"x\"]\n\tpath = ../one\n",
        "[core]\n\thooksPath = one-hooks\n",
        "[core]\n\thooksPath = ROOT/deep/hooks\n",
        "[core]\n\thooksPath = ~/tree/home-hooks\n",
        "[core]\n\tHooksPath = \"a b\"/./../c\n",
        "[user]\n\tname = x\n",
        "# J\u{fc}rgen \\\n",
    ]);
    let text = prop::collection::vec(lines, 0..4).prop_map(|lines| lines.concat());
    let texts = prop::collection::vec(text, names.len() + 2);
    texts.prop_map(move |texts| {
        let files = names.into_iter().chain([".git/more", ".gitconfig"]);
        let mut files: Vec<_> = files.zip(texts).collect();
        // What git needs, and a way into the others.
        files[3].0 = ".git/config";
        files[3]
            .1
            .insert_str(0, "[core]\n\trepositoryformatversion = 0\n\tbare = false\n");
        files.extend([
            (".git/HEAD", "ref: refs/heads/main\n".to_owned()),
            (".git/objects/x", String::new()),
            (".git/refs/x", String::new()),
        ]);
        files
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_git_reads_and_executes_is_found(files in repositories()) {
        let bytes: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
        let (_folder, root) = tree(&bytes);
        let home = root.join("home");
        fs::create_dir(&home).unwrap();
        std::os::unix::fs::symlink(&root, home.join("tree")).unwrap();
        fs::rename(root.join(".gitconfig"), home.join(".gitconfig")).unwrap();
        let user = User {
            homes: vec![home.clone()],
            home_of: None,
            configurations: vec![home.join(".gitconfig")],
        };
        // Where git is not there, or gives up for a circle of includes.
        if let Some((read, hooks)) = git_reads(&root, &home) {
            let found = led_to(&root, &user).unwrap();
            let real = |path: &Path| {
                let there = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
                let (above, real) = there.unwrap();
                clean(&real.join(path.strip_prefix(above).unwrap()))
            };
            let found: Vec<_> = found.iter().map(|path| real(path)).collect();
            for file in read.iter().filter(|file| !file.ends_with(".gitconfig")) {
                let file = real(file);
                let is_found = found.iter().any(|path| file.starts_with(path));
                prop_assert!(is_found, "{}: {:?}", file.display(), found);
            }
            let hooks = real(&hooks);
            let is_found = found.iter().any(|path| hooks.starts_with(path));
            prop_assert!(is_found, "{}: {:?}", hooks.display(), found);
        }
    }
}

#[test]
fn git_reads_the_repositories_that_the_random_test_makes() {
    let files = [
        (
            ".git/config",
            &b"[core]\n\thooksPath = h\n[include]\n\tpath = ../one\n"[..],
        ),
        (".git/HEAD", b"ref: refs/heads/main\n"),
        (".git/objects/x", b""),
        (".git/refs/x", b""),
        ("one", b"[user]\n\tname = x\n"),
    ];
    let (_folder, root) = tree(&files);
    if std::process::Command::new("git")
        .arg("version")
        .output()
        .is_ok()
    {
        let (read, hooks) = git_reads(&root, &root).expect("git reads it");
        assert!(
            read.iter().any(|file| clean(file) == root.join("one")),
            "{read:?}"
        );
        assert_eq!(hooks, root.join("h"));
    }
}
