//! `gosandbox changes`: what runs have changed in a work tree and left staged.

mod show;
pub(super) mod text;

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use self::text::{MOST_LISTED, and_more, counted, is_refused, line, verdict_word};
use super::args::{ChangesAction, ChangesArgs};
use super::{looks, print};
use crate::changes::look::{self, Unchecked};
use crate::changes::{self, Change, Changes, Found, Landed, Stage, Verdict};
use crate::refusal::{Code, Refused};
use crate::run::{run_folders, start_folder};
use crate::text::{visible_json, visible_lines};

/// The version of the JSON that `--json` prints.
const SCHEMA: u32 = 1;
/// A longer command is cut, in characters.
const MOST_OF_COMMAND: usize = 60;

/// Does what the words after `changes` say.
pub(super) fn work(args: &ChangesArgs) -> anyhow::Result<u8> {
    let found = all();
    match args.action {
        ChangesAction::List => print(list(&found, args.json).as_bytes()),
        ChangesAction::Show => match choose(&found, args)? {
            Left::Stage(found) => show::show(&open(found)?, args.json),
            Left::Look(found) => looks::show(found, args.json),
        },
        ChangesAction::Apply => match choose(&found, args)? {
            Left::Stage(found) => apply(open(found)?, args.json),
            Left::Look(found) => looks::apply(found, args.json),
        },
        ChangesAction::Drop if args.all => {
            // A look that is left to do drops nothing that the run has made: it stays.
            let stages = found.iter().filter_map(|left| match left {
                Left::Stage(found) => Some(found),
                Left::Look(_) => None,
            });
            let ended = stages.filter(|found| !found.is_running);
            drop_all(&ended.collect::<Vec<_>>(), args.json)
        }
        ChangesAction::Drop => match choose(&found, args)? {
            Left::Stage(found) => drop_all(&[found], args.json),
            Left::Look(found) => looks::forget(found, args.json),
        },
    }
}

/// What a run has left to be done.
enum Left {
    /// Changes in its stage.
    Stage(Found),
    /// The look at the work tree, after its launcher was killed.
    Look(Unchecked),
}

impl Left {
    fn run(&self) -> &str {
        match self {
            Left::Stage(found) => &found.record.run,
            Left::Look(found) => &found.record.run,
        }
    }

    fn tree(&self) -> &Path {
        match self {
            Left::Stage(found) => &found.record.tree,
            Left::Look(found) => &found.record.before.tree.path,
        }
    }

    fn started(&self) -> i64 {
        match self {
            Left::Stage(found) => found.record.started.0,
            Left::Look(found) => found.record.started,
        }
    }

    fn command(&self) -> &[String] {
        match self {
            Left::Stage(found) => &found.record.command,
            Left::Look(found) => &found.record.command,
        }
    }

    fn state(&self) -> &'static str {
        match self {
            Left::Stage(found) => state(found),
            Left::Look(found) => looks::state(found),
        }
    }
}

/// What runs of this user have left, in every folder in which they leave it, newest first.
fn all() -> Vec<Left> {
    let mut found = Vec::new();
    for base in run_folders() {
        found.extend(changes::list(&base).into_iter().map(Left::Stage));
        found.extend(look::list(&base).into_iter().map(Left::Look));
    }
    found.sort_by_key(|left| std::cmp::Reverse(left.started()));
    found
}

/// The run that is named, else the newest one of the work tree that the caller is in.
fn choose<'f>(found: &'f [Left], args: &ChangesArgs) -> anyhow::Result<&'f Left> {
    if let Some(run) = &args.run {
        let named = found.iter().filter(|left| left.run().starts_with(run));
        let named: Vec<&Left> = named.collect();
        return match named.as_slice() {
            [one] => Ok(one),
            [] => Err(not_understood(run).unwrap_or_else(|| {
                unknown(format!(
                    "cannot find the changes of run {run}: nothing is staged under this name"
                ))
            })),
            _ => Err(unknown(format!(
                "cannot choose a run: {} of them begin with {run}",
                named.len()
            ))),
        };
    }
    let folder = start_folder(args.directory.as_deref())?;
    let here = found.iter().find(|left| folder.starts_with(left.tree()));
    here.ok_or_else(|| {
        unknown(format!(
            "cannot find changes for {}: no run has left any staged for this work tree",
            folder.display()
        ))
    })
}

/// The runs of this user whose records cannot be understood, and why.
fn unreadable() -> impl Iterator<Item = (String, changes::Error)> {
    let bases = run_folders().into_iter();
    bases.flat_map(|base| changes::unreadable(&base))
}

fn not_understood(run: &str) -> Option<anyhow::Error> {
    let (_, error) = unreadable().find(|(name, _)| name.starts_with(run))?;
    Some(error.into())
}

fn unknown(message: String) -> anyhow::Error {
    Refused::new(Code::ChangesUnknown, message).into()
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
fn when(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "-".to_owned(), |time| time.to_string())
}

/// The changes of a run that has ended.
fn listed(left: &Left) -> Option<Changes> {
    let Left::Stage(found) = left else {
        return None;
    };
    (!found.is_running).then(|| Stage::open(&found.folder).ok()?.changes().ok())?
}

fn list(found: &[Left], as_json: bool) -> String {
    let runs = found.iter().map(|left| (left, listed(left)));
    // A run that was interrupted before it changed anything has nothing to decide.
    let runs = runs.filter(|(_, changes)| changes.as_ref().is_none_or(|one| !one.is_empty()));
    if as_json {
        let runs = runs.map(|(left, changes)| match left {
            Left::Look(found) => looks::listed(found, &when(left.started())),
            Left::Stage(found) => json!({
                "run": found.record.run,
                "started": when(left.started()),
                "state": left.state(),
                "tree": found.record.tree.to_string_lossy(),
                "command": found.record.command,
                "profile": found.record.profile,
                "changes": changes.as_ref().map(counts),
            }),
        });
        let runs: Vec<Value> = runs.collect();
        return visible_json(&json!({ "schema": SCHEMA, "stages": runs }));
    }
    let mut text = String::new();
    for (left, changes) in runs {
        let counted = match (&changes, left) {
            (Some(changes), _) => counted(changes),
            (None, _) if left.state() == "running" => "-".to_owned(),
            (None, Left::Stage(_)) => "cannot be listed".to_owned(),
            (None, Left::Look(_)) => looks::NOT_YET.to_owned(),
        };
        let command = left.command().join(" ");
        let command: String = command.chars().take(MOST_OF_COMMAND).collect();
        let line = format!(
            "{}  {}  {:<11}  {counted:<24}  {}  {command}",
            left.run(),
            when(left.started()),
            left.state(),
            left.tree().display()
        );
        let _writing_to_a_string_succeeds = writeln!(text, "{}", line.replace('\n', " "));
    }
    for (run, error) in unreadable() {
        let line = format!("{run}  {:<20}  {:<11}  {error}", "-", "unreadable");
        let _writing_to_a_string_succeeds = writeln!(text, "{}", line.replace('\n', " "));
    }
    if text.is_empty() {
        return "No changes are staged.\n".to_owned();
    }
    let head = format!(
        "{:<16}  {:<20}  {:<11}  {:<24}  WORK TREE  COMMAND\n",
        "RUN", "STARTED", "STATE", "CHANGES"
    );
    head + &visible_lines(&text)
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
        value["code"] = refusal.word().into();
        value["remedy"] = refusal.remedy().into();
    }
    value
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
        true => {
            let text =
                format!("cannot apply all changes of run {run}: the others are still staged");
            Err(Refused::new(Code::ChangesLeft, text)
                .words(format!("gosandbox changes show {run}"))
                .into())
        }
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
        true => visible_json(&json!({ "schema": SCHEMA, "dropped": runs })),
        false if runs.is_empty() => "No changes are staged.\n".to_owned(),
        false => runs.iter().map(|run| format!("dropped  {run}\n")).collect(),
    };
    print(text.as_bytes())
}
