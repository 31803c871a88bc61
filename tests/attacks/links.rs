//! Protected names that are links: what they lead to in the work tree is what tools outside read.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Stdio;

use crate::support::{Ended, Env, Site};

/// Each name, what it leads to, and a file by which what is planted would be found.
const LINKS: [(&str, &str, &str); 6] = [
    (".envrc", "tools/envrc", ".envrc"),
    (".vscode", "tools/editor", ".vscode/settings.json"),
    (".husky", "tools/none/husky", ".husky/pre-commit"),
    (".idea", "nowhere", ".idea/workspace.xml"),
    ("below/.envrc", "../tools/deep", "below/.envrc"),
    ("below/.vscode", "../nowhere", "below/.vscode/settings.json"),
];

const SCRIPT: &str = r#"
plant() { mkdir -p "$(dirname "$1")"; echo planted > "$1"; }
for file in .envrc .vscode/settings.json .husky/pre-commit below/.envrc tools/envrc tools/deep \
    tools/editor/settings.json tools/none/husky/pre-commit nowhere/workspace.xml nowhere/settings.json; do
    plant "$file"
done
mkdir -p own; plant own/envrc; rm .envrc below/.envrc; ln -s own/envrc .envrc; ln -s ../own/envrc below/.envrc
mv tools away; for file in envrc deep editor/settings.json none/husky/pre-commit; do plant "tools/$file"; done
true
"#;

fn site(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    for file in [
        "tools/envrc",
        "tools/deep",
        "tools/editor/settings.json",
        "below/README",
    ] {
        site.file(file, "kept\n");
    }
    for (name, end, _) in LINKS {
        symlink(end, site.work.join(name)).unwrap();
    }
    site.settle();
    site
}

fn planted(site: &Site) -> Vec<&'static str> {
    let files = LINKS.into_iter().map(|(_, _, file)| file);
    let is_planted = |file: &&str| {
        let text = fs::read_to_string(site.work.join(file)).unwrap_or_default();
        text.contains("planted")
    };
    files.filter(is_planted).collect()
}

#[test]
fn nothing_is_planted_through_links_of_protected_names() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = site(env);
        // A link that leads nowhere is no reason to refuse.
        site.run(&[], &["cat", "tools/envrc"])
            .expect(0)
            .says("kept");
        site.run(&[], &["sh", "-c", SCRIPT]);
        assert_eq!(planted(&site), [""; 0], "{env:?}");
    }
}

#[test]
fn much_is_planted_through_them_without_gosandbox() {
    let site = site(Env::User);
    Ended::of(&mut site.bare(&["sh", "-c", SCRIPT])).expect(0);
    let found = planted(&site);
    assert!(
        found.contains(&".envrc") && found.contains(&".husky/pre-commit"),
        "{found:?}"
    );
    assert!(
        found.contains(&"below/.envrc") && found.contains(&".vscode/settings.json"),
        "{found:?}"
    );
}

/// A profile protects paths too, and git is led to some: `deploy` and `ci` are links here.
const WAYS: [&str; 3] = ["deploy/run.sh", "deploy/late.sh", "ci/hooks/pre-push"];

const PROFILE: &str =
    "extends = \"strict\"\nfiles.protected = [\"deploy/run.sh\", \"deploy/late.sh\"]\n";

/// Writes them, makes the one that is missing, and lets the links lead elsewhere.
const OVER_WAYS: &str = "for file in deploy/run.sh tools/deploy/late.sh ci/hooks/pre-push; do echo planted > $file; done; \
    rm deploy ci; mkdir -p own/hooks; ln -s own deploy; ln -s own ci; \
    for file in run.sh late.sh hooks/pre-push; do echo planted > own/$file; done; true";

fn site_of_ways(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    site.file("tools/deploy/run.sh", "kept\n");
    site.file("tools/ci/hooks/pre-push", "kept\n");
    site.file("own/README", "");
    site.file(".git/HEAD", "ref: refs/heads/main\n");
    site.file(".git/config", "[core]\n\thooksPath = ci/hooks\n");
    symlink("tools/deploy", site.work.join("deploy")).unwrap();
    symlink("tools/ci", site.work.join("ci")).unwrap();
    site.settle();
    site
}

fn planted_by_ways(site: &Site) -> Vec<&'static str> {
    let is_planted = |file: &&str| {
        fs::read_to_string(site.work.join(file)).is_ok_and(|text| text.contains("planted"))
    };
    WAYS.into_iter().filter(is_planted).collect()
}

#[test]
fn nothing_is_planted_at_protected_paths_that_links_lead_to() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = site_of_ways(env);
        let profile = site.profile(PROFILE);
        let options = ["--profile", profile.to_str().unwrap()];
        let read = ["cat", "deploy/run.sh", "ci/hooks/pre-push"];
        site.run(&options, &read).expect(0).says("kept\nkept\n");
        site.run(&options, &["sh", "-c", OVER_WAYS]);
        assert_eq!(planted_by_ways(&site), [""; 0], "{env:?}");
        let kept = fs::read_to_string(site.work.join("tools/deploy/run.sh")).unwrap();
        assert_eq!(kept, "kept\n", "{env:?}");
    }
}

#[test]
fn all_is_planted_there_without_gosandbox() {
    let site = site_of_ways(Env::User);
    Ended::of(&mut site.bare(&["sh", "-c", OVER_WAYS])).expect(0);
    assert_eq!(planted_by_ways(&site), WAYS);
}

/// An editor that saves by renaming takes away what is mounted over the file, in every mount namespace.
#[test]
fn a_protected_file_that_is_replaced_from_outside_does_not_stay_with_what_a_run_wrote_to_it() {
    const WRITE: &str = "echo started; until test -e own/go; do sleep 0.05; done; \
        echo planted >> .envrc; echo planted >> below/.envrc; true";
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = Site::new(env);
        site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
        for file in [".envrc", "below/.envrc", "own/README"] {
            site.file(file, "kept\n");
        }
        site.settle();
        let save = |file: &str| {
            let saved = site.outside.join("saved");
            fs::write(&saved, "edited\n").unwrap();
            site.give(&saved);
            fs::rename(&saved, site.work.join(file)).unwrap();
        };
        let ended = std::thread::scope(|scope| {
            let mut command = site.gosandbox(&[], &["sh", "-c", WRITE]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = command.spawn().unwrap();
            let mut started = [0; 8];
            let mut output = child.stdout.take().unwrap();
            output.read_exact(&mut started).unwrap();
            let run = scope.spawn(|| Ended::from(child.wait_with_output().unwrap()));
            save(".envrc");
            save("below/.envrc");
            fs::write(site.work.join("own/go"), "").unwrap();
            run.join().unwrap()
        });
        let said = match env.has_namespaces() {
            true => "protected-path",
            false => "was replaced",
        };
        ended.expect(125).says(said);
        assert_eq!(planted(&site), [""; 0], "{env:?}");
    }
}

/// A folder can be moved aside with the mounts in it, and another put in its place.
#[test]
fn a_protected_file_in_a_folder_that_is_exchanged_does_not_stay() {
    const EXCHANGE: &str = "mv below away && mkdir below && echo planted > below/.envrc";
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = Site::new(env);
        site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
        site.file("below/.envrc", "kept\n");
        site.settle();
        let ended = site.run(&[], &["sh", "-c", EXCHANGE]);
        assert_ne!(ended.status, 0, "{env:?}");
        assert_eq!(planted(&site), [""; 0], "{env:?}");
    }
    let site = Site::new(Env::User);
    site.file("below/.envrc", "kept\n");
    site.settle();
    Ended::of(&mut site.bare(&["sh", "-c", EXCHANGE])).expect(0);
    assert_eq!(planted(&site), ["below/.envrc"]);
}

/// `GOCACHE=$PWD/.cache/go-build` is how CI services have caches kept.
#[test]
fn a_link_in_the_work_tree_makes_no_cache_of_what_it_leads_to() {
    const READ: &str = "package main\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestRead(t *testing.T) {\n\t\
        data, _ := os.ReadFile(\"SECRET\")\n\tprintln(string(data))\n}\n";
    let make = |env: Env, link: &str, to: &str| {
        let site = Site::new(env);
        let secret = site.outside.join("keys/secret");
        crate::support::write(&secret, "decoysecret\n");
        fs::create_dir(site.outside.join("keys/cache")).unwrap();
        site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
        site.file(
            "main_test.go",
            &READ.replace("SECRET", secret.to_str().unwrap()),
        );
        let link = site.work.join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(to, link).unwrap();
        site.settle();
        site
    };
    let variables = |site: &Site, command: &mut std::process::Command| {
        for (name, place) in [
            ("GOCACHE", ".cache/go-build"),
            ("GOMODCACHE", ".cache/mod"),
            ("XDG_CACHE_HOME", ".cache"),
        ] {
            command.env(name, site.work.join(place));
        }
        Ended::of(command)
    };
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        for (link, to) in [
            (".cache", "../outside/keys"),
            (".cache/go-build", "../../outside/keys"),
            (".cache/mod", "../../outside/keys"),
            (".cache/mod/cache/download", "../../../../outside/keys"),
        ] {
            let site = make(env, link, to);
            let secret = site.outside.join("keys/secret");
            for words in [
                &["go", "test", "-count=1", "."][..],
                &["cat", secret.to_str().unwrap()],
            ] {
                if link.ends_with("download") && words[0] == "go" {
                    // It would compile all anew, and asks the folder for nothing.
                    continue;
                }
                let mut command = site.gosandbox_apart(&[], words);
                let ended = variables(&site, &mut command);
                let said = format!("{}{}", ended.stdout, ended.stderr);
                assert!(!said.contains("decoysecret"), "{env:?} {link}: {ended:?}");
                if !link.ends_with("download") {
                    ended.expect(125).refused("cache-unusable");
                }
            }
            assert_eq!(fs::read_dir(site.outside.join("keys")).unwrap().count(), 2);
        }
    }
}

/// The work tree's owner is who runs inside, and has the folder that the caches are in.
#[test]
fn a_link_of_the_sandbox_users_makes_no_cache_of_what_is_roots() {
    if !crate::support::needs_root("a cache of another user's takes root") {
        return;
    }
    let site = Site::new(Env::User);
    site.file("go.mod", "module example.com/m\n\ngo 1.21\n");
    let secret = site.outside.join("secret");
    let read = "package main\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestRead(t *testing.T) {\n\t\
        data, _ := os.ReadFile(\"SECRET\")\n\tprintln(string(data))\n}\n";
    site.file(
        "main_test.go",
        &read.replace("SECRET", secret.to_str().unwrap()),
    );
    site.file("empty/empty.go", "package empty\n");
    let cache = site.root.join("cache");
    fs::create_dir(&cache).unwrap();
    symlink("../outside", cache.join("go-build")).unwrap();
    site.settle();
    // What root keeps from everybody.
    crate::support::write(&secret, "decoysecret\n");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::chown(&site.outside, Some(0), Some(0)).unwrap();
    let test = ["go", "test", "-count=1", "."];
    let run = |option: &std::path::Path, words: &[&str]| {
        let mut command = std::process::Command::new(crate::support::gosandbox());
        command.arg("--cache-dir").arg(option).arg("--").args(words);
        site.prepare(&mut command);
        Ended::of(&mut command)
    };
    let ended = run(&cache, &test);
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(!said.contains("decoysecret"), "{ended:?}");
    // Nobody is told to give root's folder to the one who made the link.
    assert!(!said.contains("chown"), "{ended:?}");
    ended
        .expect(125)
        .refused("cache-refused")
        .says("--cache-dir");
    assert_eq!(fs::read_dir(&site.outside).unwrap().count(), 1);
    // Nor is a folder made for that user where the user could make none.
    fs::remove_file(cache.join("go-build")).unwrap();
    symlink("outside", site.root.join("led")).unwrap();
    std::os::unix::fs::lchown(site.root.join("led"), Some(1000), Some(1000)).unwrap();
    run(&site.root.join("led/own"), &test).expect(125);
    assert!(!site.outside.join("own").exists());
    // Nor is a folder of root's that this user can put there: whoever owns the folder above can rename it.
    let theirs = site.root.join("roots");
    fs::create_dir_all(theirs.join("go-build")).unwrap();
    run(&theirs, &test)
        .expect(125)
        .refused("cache-refused")
        .says("--cache-dir");
    // Root's own folder in root's own is used as the sandbox user's.
    let own = crate::support::root_folder();
    fs::create_dir_all(own.join("go-build")).unwrap();
    run(&own, &["go", "build", "./empty"]).expect(0);
    assert_ne!(fs::read_dir(own.join("go-build")).unwrap().count(), 0);
    fs::remove_dir_all(&own).unwrap();
}
