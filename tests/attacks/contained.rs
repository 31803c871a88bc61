//! Runs the attacker and compares what it says with the table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::decoys::Decoys;
use crate::support::killed::send;
use crate::support::wait::processes_with;
use crate::support::{Ended, Env, base, content, is_root};
use crate::table::{EXCEPTIONS, MAYBE, ROOT};

/// From where the attacks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Test,
    Run,
    Generate,
    Plain,
    Shell,
}

impl Entry {
    fn words(self) -> &'static [&'static str] {
        match self {
            Entry::Test => &["go", "test", "-v", "-count=1", "."],
            Entry::Run => &["go", "run", "."],
            Entry::Generate => &["go", "generate", "."],
            Entry::Plain => &["./attacker.bin"],
            Entry::Shell => &["sh", "-c", "./attacker.bin"],
        }
    }
}

/// What came of one try.
#[derive(Clone, Debug, serde::Deserialize)]
struct Tried {
    name: String,
    outcome: String,
    errno: i32,
    detail: String,
}

type Results = BTreeMap<String, Tried>;

fn results(ended: &Ended) -> Results {
    let complete = ended.stdout.contains("ATTACKS DONE");
    assert!(complete, "the attacker did not come to its end: {ended:#?}");
    let lines = ended
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("ATTACK "));
    lines
        .map(|line| serde_json::from_str::<Tried>(line).unwrap())
        .map(|tried| (tried.name.clone(), tried))
        .collect()
}

/// Without gosandbox, by an ordinary user and by root: what succeeds for either.
fn bare(env: Env) -> Results {
    let decoys = Decoys::new(env);
    // Makes the folder of the caches.
    decoys.site.bare(&["true"]);
    decoys.aim(&base().join(format!("bare-{}", decoys.site.caller())));
    let mut command = decoys.site.bare(&["go", "test", "-v", "-count=1", "."]);
    decoys.expose(&mut command);
    let mut found = results(&Ended::of(&mut command));
    judge_straggler(&mut found, &decoys);
    found
}

/// Whether the child that was left lives on when the command has ended. Ends it.
fn judge_straggler(found: &mut Results, decoys: &Decoys) {
    let living = processes_with(decoys.straggler().to_str().unwrap());
    for process in &living {
        send(*process, libc::SIGKILL);
    }
    let tried = found.get_mut("straggler").unwrap();
    assert!(
        tried.detail.contains("the harness looks for it"),
        "it was not left: {tried:?}"
    );
    if !living.is_empty() {
        tried.outcome = "succeeded".into();
    }
}

fn bare_user() -> &'static Results {
    static FOUND: OnceLock<Results> = OnceLock::new();
    FOUND.get_or_init(|| bare(Env::User))
}

fn bare_root() -> &'static Results {
    static FOUND: OnceLock<Results> = OnceLock::new();
    FOUND.get_or_init(|| bare(Env::Root))
}

#[test]
fn every_attack_succeeds_without_gosandbox() {
    let user = bare_user();
    let root = is_root().then(bare_root);
    let mut wrong = Vec::new();
    for (name, tried) in user {
        let needs_root = ROOT.contains(&name.as_str());
        let succeeds = tried.outcome == "succeeded"
            || needs_root && root.is_none_or(|root| root[name].outcome == "succeeded");
        let excused = MAYBE.iter().any(|(maybe, _)| maybe == name);
        if !succeeds && !excused {
            wrong.push(format!(
                "{name}: {tried:?}; root: {:?}",
                root.map(|root| &root[name])
            ));
        }
        if needs_root && tried.outcome == "succeeded" {
            wrong.push(format!("{name}: an ordinary user succeeds, too: {tried:?}"));
        }
    }
    let known = ROOT.iter().chain(MAYBE.iter().map(|(name, _)| name));
    let known = known.chain(EXCEPTIONS.iter().map(|exception| &exception.name));
    for name in known {
        if !user.contains_key(*name) {
            wrong.push(format!("{name}: in the table, and not an attack"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All attacks from one entry in one environment.
fn contained(env: Env, entry: Entry) {
    if !env.is_here() {
        return;
    }
    let decoys = Decoys::new(env);
    let cache = decoys.site.cache();
    // So that there is something to poison.
    decoys
        .site
        .run(
            &[],
            &["go", "build", "-buildvcs=false", "-o", "/dev/null", "."],
        )
        .expect(0);
    decoys.aim(&cache);
    // Where go runs beside the programs, strict wants Landlock between them.
    let options: &[&str] = match (env, entry) {
        (Env::NoLandlock, Entry::Test | Entry::Run) => &["--best-effort"],
        _ => &[],
    };
    if entry == Entry::Generate {
        decoys.site.warm_own_cache();
    }
    let before = content(&decoys.site.work);
    let mut command: Command = decoys.site.gosandbox(options, entry.words());
    decoys.expose(&mut command);
    let ended = Ended::of(&mut command);
    // Every attack takes back what it has done, so that nothing may be left of them.
    let after = content(&decoys.site.work);
    let changed: Vec<_> = before
        .iter()
        .filter(|(path, found)| after.get(*path) != Some(found))
        .map(|(path, _)| path)
        .chain(after.keys().filter(|path| !before.contains_key(*path)))
        // What the table lets them write: the source's mode and time, and files without the set-id bit.
        .filter(|path| !path.ends_with("go.mod") && !is_left_plain(&after, path))
        .collect();
    let mut found = results(&ended);
    judge_straggler(&mut found, &decoys);
    let mut wrong = Vec::new();
    for (name, tried) in &found {
        let is_control = name.starts_with("control-");
        let exception = EXCEPTIONS.iter().find(|exception| {
            exception.name == name
                && exception.environments.contains(&env)
                && (exception.entries.is_empty() || exception.entries.contains(&entry))
        });
        let expected = is_control != exception.is_some();
        if (tried.outcome == "succeeded") != expected {
            let why = exception.map_or("", |exception| exception.why);
            wrong.push(format!(
                "{name}: {} (errno {}) {} {why}",
                tried.outcome, tried.errno, tried.detail
            ));
        }
    }
    if env.has_namespaces() && !changed.is_empty() {
        wrong.push(format!("the work tree is another: {changed:?}"));
    }
    if ended.status != 0 {
        wrong.push(format!("exit status {}: {}", ended.status, ended.stderr));
    }
    assert!(wrong.is_empty(), "{env:?} {entry:?}:\n{}", wrong.join("\n"));
}

/// Whether it is a file of `testdata` that got no bit by which it would run as another.
fn is_left_plain(found: &BTreeMap<PathBuf, (u32, i64, Vec<u8>)>, path: &Path) -> bool {
    let in_testdata = path.components().any(|part| part.as_os_str() == "testdata");
    in_testdata && found.get(path).is_some_and(|(mode, ..)| mode & 0o6000 == 0)
}

macro_rules! every {
    ($($name:ident: $env:ident $entry:ident;)*) => {
        $(#[test]
        fn $name() {
            contained(Env::$env, Entry::$entry);
        })*
    };
}

every! {
    attacks_by_a_test_are_contained_as_an_ordinary_user: User Test;
    attacks_by_a_run_program_are_contained_as_an_ordinary_user: User Run;
    attacks_by_a_generate_command_are_contained_as_an_ordinary_user: User Generate;
    attacks_by_a_plain_command_are_contained_as_an_ordinary_user: User Plain;
    attacks_by_a_shell_are_contained_as_an_ordinary_user: User Shell;
    attacks_by_a_test_are_contained_without_user_namespaces: Restricted Test;
    attacks_by_a_run_program_are_contained_without_user_namespaces: Restricted Run;
    attacks_by_a_generate_command_are_contained_without_user_namespaces: Restricted Generate;
    attacks_by_a_plain_command_are_contained_without_user_namespaces: Restricted Plain;
    attacks_by_a_test_are_contained_as_root: Root Test;
    attacks_by_a_run_program_are_contained_as_root: Root Run;
    attacks_by_a_generate_command_are_contained_as_root: Root Generate;
    attacks_by_a_plain_command_are_contained_as_root: Root Plain;
    attacks_by_a_shell_are_contained_as_root: Root Shell;
    attacks_by_a_test_are_contained_as_root_of_a_container: Container Test;
    attacks_by_a_run_program_are_contained_as_root_of_a_container: Container Run;
    attacks_by_a_generate_command_are_contained_as_root_of_a_container: Container Generate;
    attacks_by_a_plain_command_are_contained_as_root_of_a_container: Container Plain;
    attacks_by_a_test_are_contained_without_landlock: NoLandlock Test;
    attacks_by_a_run_program_are_contained_without_landlock: NoLandlock Run;
    attacks_by_a_plain_command_are_contained_without_landlock: NoLandlock Plain;
}
