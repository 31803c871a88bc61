//! The documentation: a module for each page, of its name, with what the page shows and says. Suites that hold more of a
//! page are named there.

#![allow(clippy::unwrap_used)]

mod deploy;
mod examples;
mod generated;

mod audit;
mod audit_log;
mod caches;
mod cgo;
mod changes;
mod ci;
mod command_line;
mod debug;
mod differences;
mod editors;
mod environments;
mod findings;
mod gateway;
mod generate;
mod glossary;
mod life_cycle;
mod limits;
mod network;
mod private_modules;
mod profiles;
mod protected;
mod race;
mod refusals;
mod services;
mod speed;
mod toolchains;

use std::fs;
use std::path::PathBuf;

use examples::{differences, root};

/// Every page of the documentation.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = [
        "README.md",
        "SECURITY.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
    ]
    .map(|name| root().join(name))
    .into();
    for folder in ["docs", "docs/deploy", "docs/generated"] {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        pages.extend(entries.map(|entry| entry.unwrap().path()));
    }
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    pages
}

#[test]
fn what_the_readme_shows_is_what_is_printed() {
    let wrong = differences(&root().join("README.md"), 6);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_the_pages_beside_it_show_is_what_is_printed() {
    for page in ["SECURITY.md", "ARCHITECTURE.md", "CHANGELOG.md"] {
        examples::hold(page);
    }
}

/// As a page's headings are linked to.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    for file in &pages() {
        let text = fs::read_to_string(file).unwrap();
        for part in text.split("](").skip(1) {
            let link = part.split(')').next().unwrap_or_default();
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => file.clone(),
                path => file.parent().unwrap().join(path),
            };
            let shown = file.display();
            assert!(target.exists(), "{shown} links to {link}");
            let is_there = || anchors(&fs::read_to_string(&target).unwrap());
            assert!(
                anchor.is_empty() || is_there().iter().any(|one| one == anchor),
                "{shown} links to {link}"
            );
        }
    }
}
