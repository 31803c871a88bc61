//! `gosandbox policy show` and `gosandbox policy list`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;

use super::args::{PolicyListArgs, PolicyShowArgs};
use crate::go::workspace;
use crate::policy::Policy;
use crate::profile::{self, Key, Listed, Request, Resolved, Shown};
use crate::run::{caller, start_folder, whole_paths};
use crate::text::escape_json;
use crate::text::visible;

/// The version of the JSON that `--json` prints.
const SCHEMA: u32 = 1;

/// The resolved policy, with the origin of every rule.
pub fn show(args: &PolicyShowArgs) -> anyhow::Result<String> {
    let folder = start_folder(args.directory.as_deref())?;
    let overrides = whole_paths(&args.overrides)?;
    let granted: Vec<_> = overrides
        .read
        .iter()
        .chain(&overrides.write)
        .cloned()
        .collect();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let workspace = workspace::discover(&workspace::Start {
        cwd: &folder,
        gowork: std::env::var_os("GOWORK")
            .as_deref()
            .filter(|value| !value.is_empty()),
        writes_work: false,
        home: home.as_deref(),
        temp: Some(&std::env::temp_dir()),
        granted: &granted,
        written: &[],
    })?;
    let resolved = profile::resolve(&Request {
        profile: &args.profile,
        work_tree: Some(&workspace.root),
        overrides: &overrides,
        caller: &caller(Some(&workspace)),
    })?;
    if args.json {
        json(&resolved)
    } else {
        Ok(text(&resolved))
    }
}

/// The profiles that can be named.
pub fn list(args: PolicyListArgs) -> anyhow::Result<String> {
    let listed = profile::list(&caller(None));
    if args.json {
        return list_json(&listed);
    }
    let width = listed
        .iter()
        .map(|one| one.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for one in &listed {
        let what = match (&one.problem, &one.description) {
            (Some(problem), _) => format!("cannot be used: {problem}"),
            (None, Some(description)) => description.clone(),
            (None, None) => "no description".to_owned(),
        };
        let file = one
            .file
            .as_ref()
            .map_or_else(String::new, |file| format!(" ({})", file.display()));
        let line = format!("{:<width$}  {what}{file}", one.name);
        writeln!(text, "{}", visible(&line))?;
    }
    Ok(text)
}

fn list_json(listed: &[Listed]) -> anyhow::Result<String> {
    let profiles: Vec<BTreeMap<&str, Option<String>>> = listed
        .iter()
        .map(|one| {
            BTreeMap::from([
                ("name", Some(one.name.clone())),
                ("description", one.description.clone()),
                (
                    "file",
                    one.file.as_ref().map(|file| file.display().to_string()),
                ),
                ("problem", one.problem.clone()),
            ])
        })
        .collect();
    pretty(&BTreeMap::from([("profiles", profiles)]))
}

fn text(resolved: &Resolved) -> String {
    let rules = profile::rules(resolved);
    let width = |of: fn(&Shown) -> &str| {
        rules
            .iter()
            .map(|rule| of(rule).chars().count())
            .max()
            .unwrap_or(0)
    };
    let names = width(|rule| rule.key.name());
    let values = width(|rule| &rule.value).min(44);
    let mut text = format!("profile {}\n", visible(&resolved.policy.name));
    for section in Key::SECTIONS {
        text.push_str(&format!("\n[{section}]\n"));
        for key in Key::all().filter(|key| key.section() == section) {
            let mut of_key = rules.iter().filter(|rule| rule.key == key).peekable();
            if of_key.peek().is_none() {
                text.push_str(&format!("{:<names$}  (none)\n", key.name()));
            }
            for rule in of_key {
                let value = visible(&rule.value);
                let origin = rule.origin.to_string();
                let line = format!(
                    "{:<names$}  {value:<values$}  {}",
                    key.name(),
                    visible(&origin)
                );
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
    }
    text
}

/// Where a rule comes from, as JSON.
#[derive(Serialize)]
struct OriginRecord {
    rule: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<String>,
    origin: String,
}

/// What `policy show --json` prints.
#[derive(Serialize)]
struct Record<'a> {
    schema: u32,
    policy: &'a Policy,
    origins: Vec<OriginRecord>,
}

fn json(resolved: &Resolved) -> anyhow::Result<String> {
    let origins = profile::rules(resolved)
        .into_iter()
        .map(|rule| OriginRecord {
            rule: rule.key.to_string(),
            item: rule.item,
            origin: rule.origin.to_string(),
        });
    pretty(&Record {
        schema: SCHEMA,
        policy: &resolved.policy,
        origins: origins.collect(),
    })
}

fn pretty(value: &impl Serialize) -> anyhow::Result<String> {
    let mut text =
        serde_json::to_string_pretty(value).context("cannot write the policy as JSON")?;
    text.push('\n');
    Ok(escape_json(&text))
}
