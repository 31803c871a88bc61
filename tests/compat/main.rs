//! Ordinary work gives what it gives without gosandbox: output, exit status, bytes, cached results.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use support::{Ended, Env, Site, age, checkout, copy_tree, goroot, needs_root, write};

mod answers;
mod caches;
mod cachesettings;
mod callers;
mod executed;
mod flags;
mod missing;
mod modcache;
mod named;
mod outputs;
mod places;
mod programs;
mod toolchains;
mod workspaces;

const MODULE: &str = "module example.com/m\n\ngo 1.21\n";

/// A project in each environment that is here and has a network of its own.
fn sites() -> impl Iterator<Item = Site> {
    Env::ALL
        .into_iter()
        .filter(|env| env.is_here())
        .map(Site::new)
}

fn hello(env: Env) -> Site {
    let site = Site::new(env);
    site.copy(&checkout().join("examples/hello"));
    age(&site.work);
    site.settle();
    site
}

/// Bare, with the caches that gosandbox uses: what is compared is the same work.
fn bare(site: &Site, words: &[&str]) -> Ended {
    let mut command = site.bare(words);
    command.env("CGO_ENABLED", "0").env("GOFLAGS", "");
    Ended::of(&mut command)
}

#[track_caller]
fn same(site: &Site, words: &[&str]) {
    let without = bare(site, words);
    let within = site.run(&[], words);
    assert_eq!(
        (
            within.status,
            masked(&within.stdout),
            masked(&within.stderr)
        ),
        (
            without.status,
            masked(&without.stdout),
            masked(&without.stderr)
        ),
        "{:?} {words:?}",
        site.env
    );
}

/// Times differ from run to run.
fn masked(text: &str) -> String {
    let word = |word: &str| {
        let number = word
            .trim_start_matches('(')
            .trim_end_matches(')')
            .trim_end_matches('s');
        if number.len() < word.len() && number.parse::<f64>().is_ok() || word == "(cached)" {
            "TIME".into()
        } else {
            word.to_owned()
        }
    };
    text.lines()
        .map(|line| {
            line.split([' ', '\t'])
                .map(word)
                .collect::<Vec<_>>()
                .join(" ")
                + "\n"
        })
        .collect()
}

#[test]
fn everyday_commands_say_and_return_the_same() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let site = hello(env);
        for words in [
            &["go", "build", "./..."][..],
            &["go", "vet", "./..."],
            &["go", "test", "./..."],
            &["go", "run", ".", "world"],
            &["go", "list", "./..."],
            &["go", "fmt", "./..."],
            &["go", "mod", "verify"],
            &["go", "mod", "tidy"],
            &["go", "version"],
            &["go", "generate", "./..."],
            &["go", "doc", "fmt.Println"],
            &["go", "tool", "compile", "-V"],
            &["go", "build", "./missing"],
            &["go", "vet", "-nosuchflag"],
            &["gofmt", "-l", "."],
        ] {
            same(&site, words);
        }
    }
}
