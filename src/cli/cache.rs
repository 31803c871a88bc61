//! `gosandbox cache`: what gosandbox keeps on disk.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::args::{CacheArgs, RunArgs, Verbosity};
use super::print;
use super::terminal::{Terminal, request};
use crate::refusal::{Code, Refused};
use crate::run::cache::{self, Cleaned, Kept, Kind, Outcome, Wanted};
use crate::run::start_folder;
use crate::text::{visible_json, visible_lines};

/// The version of the JSON that `--json` prints.
const SCHEMA: u32 = 1;

/// Does what the words after `cache` say.
pub(super) fn work(args: &CacheArgs) -> anyhow::Result<u8> {
    let request = request(&RunArgs {
        cache_dir: args.cache_dir.clone(),
        ..RunArgs::default()
    });
    let console = Terminal(Verbosity::Normal);
    match &args.clean {
        None => {
            let all = cache::list(&request, &console)?;
            let text = match args.json {
                true => visible_json(&list_as_json(&all)),
                false => list(&all),
            };
            print(visible_lines(&text).as_bytes())
        }
        Some(wanted) => {
            let project = wanted.project.as_deref();
            let wanted = Wanted {
                project: project
                    .map(|folder| start_folder(Some(folder)))
                    .transpose()?,
                ..wanted.clone()
            };
            let cleaned = cache::clean(&request, &wanted, &console)?;
            let text = match args.json {
                true => visible_json(&cleaned_as_json(&cleaned)),
                false => said(&cleaned),
            };
            print(visible_lines(&text).as_bytes())?;
            left(&cleaned, &wanted)
        }
    }
}

/// What a cache is of, in words.
fn about(kept: &Kept) -> String {
    let path = kept.path.display().to_string();
    let path = path.replace('\n', "\u{fffd}");
    match (&kept.project, kept.kind) {
        (Some(project), _) => {
            let project = project.display().to_string().replace('\n', "\u{fffd}");
            let gone = if kept.is_abandoned {
                ", which is gone"
            } else {
                ""
            };
            format!("{project}{gone}  ({path})")
        }
        (None, Kind::Project) => format!("a project that is not known  ({path})"),
        (None, Kind::GoBuild) => format!("{path}  (plain go's too: go clean -cache)"),
        (None, Kind::GoModules) => format!("{path}  (plain go's too: go clean -modcache)"),
        (None, _) => path,
    }
}

fn list(all: &[Kept]) -> String {
    if all.is_empty() {
        return "Nothing is kept.\n".to_owned();
    }
    let mut text = format!("{:<10}  {:>9}  {:<10}  WHAT\n", "KIND", "SIZE", "LAST USED");
    for kept in all {
        let used = match kept.is_held {
            true => "in use".to_owned(),
            false => day(kept.used),
        };
        let _writing_to_a_string_succeeds = writeln!(
            text,
            "{:<10}  {:>9}  {used:<10}  {}",
            kept.kind.word(),
            size(kept.bytes),
            about(kept)
        );
    }
    let total = all.iter().map(|kept| kept.bytes).sum();
    let _writing_to_a_string_succeeds = writeln!(text, "{:<10}  {:>9}", "total", size(total));
    text
}

fn list_as_json(all: &[Kept]) -> Value {
    let caches: Vec<Value> = all.iter().map(as_json).collect();
    let total: u64 = all.iter().map(|kept| kept.bytes).sum();
    json!({ "schema": SCHEMA, "caches": caches, "bytes": total })
}

fn as_json(kept: &Kept) -> Value {
    let time = jiff::Timestamp::from_second(kept.used).ok();
    json!({
        "kind": kept.kind.word(),
        "path": kept.path.to_string_lossy(),
        "project": kept.project.as_ref().map(|project| project.to_string_lossy()),
        "project_is_gone": kept.is_abandoned,
        "bytes": kept.bytes,
        "last_used": time.map(|time| time.to_string()),
        "in_use": kept.is_held,
        "shared_with_go": kept.kind.is_gos(),
    })
}

/// The word for what became of a cache.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Would => "would remove",
        Outcome::Removed => "removed",
        Outcome::InUse => "in use",
        Outcome::Stays => "stays",
    }
}

fn said(cleaned: &[Cleaned]) -> String {
    if cleaned.is_empty() {
        return "Nothing is to be removed.\n".to_owned();
    }
    let mut text = String::new();
    for one in cleaned {
        let _writing_to_a_string_succeeds = writeln!(
            text,
            "{:<12}  {:<10}  {:>9}  {}",
            word(one.outcome),
            one.kept.kind.word(),
            size(one.kept.bytes),
            about(&one.kept)
        );
    }
    let freed = cleaned.iter().map(|one| one.freed).sum();
    let would = cleaned.iter().any(|one| one.outcome == Outcome::Would);
    let verb = if would { "would free" } else { "freed" };
    let _writing_to_a_string_succeeds = writeln!(text, "{verb} {}", size(freed));
    text
}

fn cleaned_as_json(cleaned: &[Cleaned]) -> Value {
    let caches: Vec<Value> = cleaned
        .iter()
        .map(|one| {
            let mut value = as_json(&one.kept);
            value["outcome"] = word(one.outcome).replace(' ', "-").into();
            value["freed"] = one.freed.into();
            value
        })
        .collect();
    let freed: u64 = cleaned.iter().map(|one| one.freed).sum();
    json!({ "schema": SCHEMA, "caches": caches, "freed": freed })
}

/// The status: a refusal where something that was to be removed stays. What a run uses is left alone unless it was named.
fn left(cleaned: &[Cleaned], wanted: &Wanted) -> anyhow::Result<u8> {
    let is_named = wanted.project.is_some();
    let stays = cleaned.iter().find(|one| match one.outcome {
        Outcome::Stays => true,
        Outcome::InUse => is_named,
        _ => false,
    });
    let Some(stays) = stays else {
        return Ok(0);
    };
    let path = stays.kept.path.display();
    let (text, help) = match stays.outcome {
        Outcome::InUse => (
            format!("cannot remove the cache {path}: a run uses it"),
            "gosandbox cache clean --project, when the run has ended".to_owned(),
        ),
        _ => (
            format!("cannot remove the whole of the cache {path}"),
            format!("ls -la {}", crate::refusal::shell_path(&stays.kept.path)),
        ),
    };
    Err(Refused::new(Code::CacheLeft, text).words(help).into())
}

/// A day, as it is written.
fn day(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds);
    time.map_or_else(
        |_| "-".to_owned(),
        |time| time.to_string().chars().take(10).collect(),
    )
}

/// Bytes, as a reader has them: three digits.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ if value < 10.0 => format!("{value:.1} {}", UNITS[unit]),
        _ => format!("{value:.0} {}", UNITS[unit]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_few_digits() {
        let shown = [0, 1023, 1024, 10 << 20, 5 << 30].map(size);
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "10 MiB", "5.0 GiB"]);
    }
}
