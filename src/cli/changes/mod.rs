//! `gosandbox changes`: what runs have changed in a work tree and left staged.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

pub(super) mod text;

use self::text::{MOST_LISTED, and_more, counted, is_refused, line, verdict_word};
use super::args::{Changes as Words, ChangesAction, LowArgs};
use super::{Helped, clean_lines, print, start_folder};
use crate::changes::{self, Change, Changes, Found, Landed, Stage, Verdict};

/// The version of the JSON that `--json` prints.
const SCHEMA: u32 = 1;
/// A longer command is cut, in characters.
const MOST_OF_COMMAND: usize = 60;

/// Does what the words after `changes` say.
pub(super) fn work(args: &LowArgs, words: &Words) -> anyhow::Result<u8> {
    let found = all();
    match words.action {
        ChangesAction::List => print(list(&found, args.json).as_bytes()),
        ChangesAction::Show => {
            let stage = open(choose(&found, args, words)?)?;
            show(&stage, args.json)
        }
        ChangesAction::Apply => {
            let found = choose(&found, args, words)?;
            apply(open(found)?, args.json)
        }
        ChangesAction::Drop if words.all => {
            let ended = found.iter().filter(|found| !found.is_running);
            drop_all(&ended.collect::<Vec<_>>(), args.json)
        }
        ChangesAction::Drop => drop_all(&[choose(&found, args, words)?], args.json),
    }
}

/// The stages of every folder in which runs of this user make them, newest first.
fn all() -> Vec<Found> {
    let uid = rustix::process::geteuid().as_raw();
    let named = ["GOTMPDIR", "TMPDIR"]
        .into_iter()
        .filter_map(std::env::var_os);
    let folders = named.map(PathBuf::from);
    let folders = folders.chain(["/tmp".into(), "/var/tmp".into()]);
    let mut bases: Vec<PathBuf> = folders
        .filter_map(|folder| folder.canonicalize().ok())
        .map(|folder| folder.join(format!("gosandbox-{uid}")))
        .filter(|base| base.ancestors().all(|folder| is_held(folder, uid)))
        .collect();
    bases.sort();
    bases.dedup();
    let mut found: Vec<Found> = bases.iter().flat_map(|base| changes::list(base)).collect();
    found.sort_by_key(|found| std::cmp::Reverse(found.record.started));
    found
}

/// Whether nobody but root and this user can replace what lies in a folder.
fn is_held(folder: &Path, uid: u32) -> bool {
    const STICKY: u32 = 0o1000;
    folder.symlink_metadata().is_ok_and(|found| {
        let is_own = found.uid() == 0 || found.uid() == uid;
        is_own && found.is_dir() && (found.mode() & 0o022 == 0 || found.mode() & STICKY != 0)
    })
}

/// The run that is named, else the newest one of the work tree that the caller is in.
fn choose<'f>(found: &'f [Found], args: &LowArgs, words: &Words) -> anyhow::Result<&'f Found> {
    if let Some(run) = &words.run {
        let named = found
            .iter()
            .filter(|found| found.record.run.starts_with(run));
        let named: Vec<&Found> = named.collect();
        return match named.as_slice() {
            [one] => Ok(one),
            [] => Err(unknown(format!(
                "cannot find the changes of run {run}: nothing is staged under this name"
            ))),
            _ => Err(unknown(format!(
                "cannot choose a run: {} of them begin with {run}",
                named.len()
            ))),
        };
    }
    let folder = start_folder(args)?;
    let here = found
        .iter()
        .find(|found| folder.starts_with(&found.record.tree));
    here.ok_or_else(|| {
        unknown(format!(
            "cannot find changes for {}: no run has left any staged for this work tree",
            folder.display()
        ))
    })
}

fn unknown(message: String) -> anyhow::Error {
    let help = "gosandbox changes list".to_owned();
    Helped { message, help }.into()
}

fn open(found: &Found) -> anyhow::Result<Stage> {
    Ok(Stage::open(&found.folder)?)
}

/// Why a stage is there, in one word.
fn state(found: &Found) -> &'static str {
    match found.state {
        _ if found.is_running => "running",
        None => "interrupted",
        Some(state) if state.is_for_review => "review",
        Some(state) if state.conflicts > 0 => "conflict",
        Some(state) if state.refused > 0 => "refused",
        Some(_) => "failed",
    }
}

/// When a run began, to the second.
fn when(found: &Found) -> String {
    let (seconds, _) = found.record.started;
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

/// The changes of a run that has ended.
fn listed(found: &Found) -> Option<Changes> {
    (!found.is_running).then(|| Stage::open(&found.folder).ok()?.changes().ok())?
}

fn list(found: &[Found], as_json: bool) -> String {
    let stages = found.iter().map(|found| (found, listed(found)));
    // A run that was interrupted before it changed anything has nothing to decide.
    let stages = stages.filter(|(_, changes)| changes.as_ref().is_none_or(|one| !one.is_empty()));
    if as_json {
        let stages: Vec<Value> = stages
            .map(|(found, changes)| {
                json!({
                    "run": found.record.run,
                    "started": when(found),
                    "state": state(found),
                    "tree": found.record.tree.to_string_lossy(),
                    "command": found.record.command,
                    "profile": found.record.profile,
                    "changes": changes.as_ref().map(counts),
                })
            })
            .collect();
        return format!("{:#}\n", json!({ "schema": SCHEMA, "stages": stages }));
    }
    let mut text = String::new();
    for (found, changes) in stages {
        let counted = match &changes {
            Some(changes) => counted(changes),
            None if found.is_running => "-".to_owned(),
            None => "cannot be listed".to_owned(),
        };
        let tree = found.record.tree.display();
        let command: String = found
            .record
            .command
            .join(" ")
            .chars()
            .take(MOST_OF_COMMAND)
            .collect();
        let line = format!(
            "{}  {}  {:<11}  {counted:<24}  {tree}  {command}",
            found.record.run,
            when(found),
            state(found)
        );
        let _writing_to_a_string_succeeds = writeln!(text, "{}", line.replace('\n', " "));
    }
    if text.is_empty() {
        return "No changes are staged.\n".to_owned();
    }
    let head = format!(
        "{:<16}  {:<20}  {:<11}  {:<24}  WORK TREE  COMMAND\n",
        "RUN", "STARTED", "STATE", "CHANGES"
    );
    head + &clean_lines(&text)
}

fn counts(changes: &Changes) -> Value {
    json!({
        "apply": changes.count(|verdict| verdict == Verdict::Apply),
        "refused": changes.count(is_refused),
        "conflict": changes.count(|verdict| verdict == Verdict::Conflict),
        "dropped": changes.count(|verdict| matches!(verdict, Verdict::Drop(_))),
    })
}

fn as_json(change: &Change) -> Value {
    let mut value = serde_json::to_value(change).unwrap_or(Value::Null);
    value["verdict"] = verdict_word(change.verdict).into();
    if let Verdict::Refuse(refusal) = change.verdict {
        value["code"] = refusal.code().into();
        value["remedy"] = refusal.remedy().into();
    }
    value
}

fn show(stage: &Stage, json: bool) -> anyhow::Result<u8> {
    let (changes, diffs) = stage.differences()?;
    if json {
        let listed: Vec<Value> = changes.iter().map(|change| as_json(&change)).collect();
        let value = json!({
            "schema": SCHEMA,
            "run": stage.record().run,
            "tree": stage.record().tree.to_string_lossy(),
            "changes": listed,
        });
        return print(format!("{value:#}\n").as_bytes());
    }
    print(text::shown(&changes, &diffs).as_bytes())
}

fn apply(stage: Stage, json: bool) -> anyhow::Result<u8> {
    let (run, tree) = (stage.record().run.clone(), stage.record().tree.clone());
    let landed = stage.apply()?;
    if json {
        let value = json!({
            "schema": SCHEMA,
            "run": run,
            "tree": tree.to_string_lossy(),
            "applied": landed.applied().map(|change| as_json(&change)).collect::<Vec<_>>(),
            "refused": landed.refused().map(|(change, _)| as_json(&change)).collect::<Vec<_>>(),
            "conflicts": landed.conflicts().map(|change| as_json(&change)).collect::<Vec<_>>(),
            "failed": landed.failed().map(|failure| {
                let mut value = as_json(&failure.change);
                value["cause"] = failure.cause.into();
                value
            }).collect::<Vec<_>>(),
        });
        print(format!("{value:#}\n").as_bytes())?;
    } else {
        print(done(&landed).as_bytes())?;
    }
    match landed.is_left() {
        false => Ok(0),
        true => Err(Helped {
            message: format!("cannot apply all changes of run {run}: the others are still staged"),
            help: format!("gosandbox changes show {run}"),
        }
        .into()),
    }
}

fn done(landed: &Landed) -> String {
    let mut text = String::new();
    let mut number = 0;
    let mut add = |line: &dyn Fn() -> String| {
        number += 1;
        if number <= MOST_LISTED {
            text.push_str(&line());
        }
    };
    for change in landed.applied() {
        add(&|| line(&change, "applied"));
    }
    for (change, _) in landed.refused() {
        add(&|| line(&change, "refused"));
    }
    for change in landed.conflicts() {
        add(&|| line(&change, "conflict"));
    }
    for failure in landed.failed() {
        let cause = crate::text::visible(&failure.cause).into_owned();
        add(&|| format!("{}          {cause}\n", line(&failure.change, "failed")));
    }
    and_more(&mut text, number);
    match text.is_empty() {
        true => "Nothing was to be applied.\n".to_owned(),
        false => text,
    }
}

fn drop_all(found: &[&Found], json: bool) -> anyhow::Result<u8> {
    let mut runs = Vec::new();
    for found in found {
        changes::discard(&found.folder)?;
        runs.push(found.record.run.clone());
    }
    let text = match json {
        true => format!("{:#}\n", json!({ "schema": SCHEMA, "dropped": runs })),
        false if runs.is_empty() => "No changes are staged.\n".to_owned(),
        false => runs.iter().map(|run| format!("dropped  {run}\n")).collect(),
    };
    print(text.as_bytes())
}
