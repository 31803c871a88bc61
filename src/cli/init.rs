//! `gosandbox init`: the files of a project that uses gosandbox. It writes what is missing and changes nothing that is there.

use std::path::{Path, PathBuf};

use super::low::{Ci, InitArgs};
use super::print;
use crate::files::{Keeper, Place, look, make_folders};
use crate::go::workspace::{self, Start};
use crate::refusal::{Code, Refused, shell_path};
use crate::run;

/// What a project's own file says at first.
const RULES: &str = include_str!("../../ci/gosandbox.toml");
const ACTION: &str = include_str!("../../ci/github/action.yml");
const WORKFLOW: &str = include_str!("../../ci/github/workflow.yml");
const TEMPLATE: &str = include_str!("../../ci/gitlab/gosandbox.yml");
const PIPELINE: &str = include_str!("../../ci/gitlab/pipeline.yml");

/// No configuration of git's that counts is longer.
const LONGEST: usize = 1 << 20;

/// Writes the files.
pub(super) fn work(args: &InitArgs) -> anyhow::Result<u8> {
    let folder = run::start_folder(args.directory.as_deref())?;
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let workspace = workspace::discover(&Start {
        cwd: &folder,
        gowork: None,
        writes_work: false,
        home: home.as_deref(),
        temp: Some(&std::env::temp_dir()),
        granted: &[],
        written: &[],
    })?;
    if workspace.go_mod.is_none() && workspace.go_work.is_none() {
        let text = format!("there is no go.mod at or above {}", folder.display());
        return Err(Refused::new(Code::InitRefused, text)
            .words("go mod init example.com/project")
            .into());
    }
    let top = workspace.repository.as_deref().unwrap_or(&workspace.root);
    let ci = args.ci.or_else(|| found_ci(top));
    let mut files = vec![(workspace.root.join(".gosandbox.toml"), RULES.to_owned())];
    files.extend(of_ci(ci, top, &workspace.root));
    let mut said = String::new();
    for (path, content) in &files {
        refuse_led(path, top)?;
        let outcome = match write(path, content)? {
            true => "written",
            false => "left as it is",
        };
        let shown = path.strip_prefix(top).unwrap_or(path);
        said.push_str(&format!("{}: {outcome}\n", shell_path(shown)));
    }
    said.push_str(match ci {
        Some(Ci::Github) => {
            "next: set the variables GOSANDBOX_URL and GOSANDBOX_SHA256 of the repository\n"
        }
        Some(Ci::Gitlab) => {
            "next: set the CI/CD variables GOSANDBOX_URL and GOSANDBOX_SHA256 of the project\n"
        }
        None => "no CI service is found here: gosandbox init github, or gosandbox init gitlab\n",
    });
    print(said.as_bytes())
}

/// The CI files of a repository. The module may lie in a folder below.
fn of_ci(ci: Option<Ci>, top: &Path, module: &Path) -> Vec<(PathBuf, String)> {
    let below = module.strip_prefix(top).ok().and_then(Path::to_str);
    let below = below.filter(|below| !below.is_empty());
    match ci {
        None => Vec::new(),
        Some(Ci::Github) => {
            let action = top.join(".github/actions/gosandbox/action.yml");
            let mut workflow = WORKFLOW.to_owned();
            if let Some(below) = below {
                let quoted = format!("{below:?}");
                workflow = workflow
                    .replace(
                        "go-version-file: go.mod",
                        &format!("go-version-file: {:?}", format!("{below}/go.mod")),
                    )
                    .replace(
                        "          profile: ci\n",
                        &format!("          profile: ci\n          directory: {quoted}\n"),
                    );
            }
            vec![
                (action, ACTION.to_owned()),
                (top.join(".github/workflows/gosandbox.yml"), workflow),
            ]
        }
        Some(Ci::Gitlab) => {
            let mut pipeline = PIPELINE.to_owned();
            if let Some(below) = below {
                let word = crate::refusal::shell_word(below);
                pipeline = pipeline.replace("--profile ci", &format!("--profile ci -C {word}"));
            }
            vec![
                (top.join(".gitlab/gosandbox.yml"), TEMPLATE.to_owned()),
                (top.join(".gitlab-ci.yml"), pipeline),
            ]
        }
    }
}

/// Whose CI a repository uses: by its files, else by where it was cloned from.
fn found_ci(top: &Path) -> Option<Ci> {
    if look::exists(top.join(".github")) {
        return Some(Ci::Github);
    }
    if look::exists(top.join(".gitlab-ci.yml")) {
        return Some(Ci::Gitlab);
    }
    let configuration = look::read(top.join(".git/config")).ok()?;
    let configuration = configuration.get(..LONGEST.min(configuration.len()))?;
    let text = String::from_utf8_lossy(configuration);
    let urls = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("url ="));
    let mut found = urls.filter_map(|url| match url {
        url if url.contains("github.com") => Some(Ci::Github),
        url if url.contains("gitlab") => Some(Ci::Gitlab),
        _ => None,
    });
    found.next()
}

/// A link of the repository's own must not choose where something is written.
fn refuse_led(path: &Path, top: &Path) -> anyhow::Result<()> {
    let mut above = path.ancestors().skip(1);
    let there = above.find(|at| look::symlink_metadata(at).is_ok());
    let real = there.and_then(|at| look::canonicalize(at).ok());
    let top = look::canonicalize(top)?;
    if real.is_some_and(|real| real.starts_with(&top)) {
        return Ok(());
    }
    let text = format!(
        "cannot write {}: a link leads out of {}",
        path.display(),
        top.display()
    );
    let words = format!("ls -l {}", shell_path(path.parent().unwrap_or(path)));
    Err(Refused::new(Code::InitRefused, text).words(words).into())
}

/// Writes a file where none is, with the folders above it. Whether it has.
fn write(path: &Path, content: &str) -> anyhow::Result<bool> {
    // A link is there, too, wherever it leads.
    if look::symlink_metadata(path).is_ok() {
        return Ok(false);
    }
    let written = || -> std::io::Result<bool> {
        if let Some(folder) = path.parent() {
            make_folders(folder, Keeper::caller())?;
        }
        let place = Place::find(path, Keeper::caller(), None)?;
        if place.look()?.is_some() {
            return Ok(false);
        }
        place.replace(content.as_bytes())?;
        Ok(true)
    };
    written().map_err(|error| {
        let text = format!("cannot write {}: {error}", path.display());
        Refused::new(Code::InitRefused, text)
            .words(format!(
                "ls -ld {}",
                shell_path(path.parent().unwrap_or(path))
            ))
            .into()
    })
}
