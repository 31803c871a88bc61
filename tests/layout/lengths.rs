//! How long files and functions are.

use std::collections::BTreeMap;

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, Signature};

use crate::source::Files;

/// So many lines a file may have.
pub const MOST_OF_FILE: usize = 400;
/// So many lines a function may have.
pub const MOST_OF_FUNCTION: usize = 80;

/// Files that are too long, and what of the table is out of date.
pub fn files(files: &Files, known: &[(&str, usize)]) -> Vec<String> {
    let lengths = files
        .iter()
        .map(|(name, text)| (name.clone(), text.lines().count()));
    judged(lengths.collect(), MOST_OF_FILE, known)
}

/// Functions that are too long, as `file::name`, and what of the table is out of date.
pub fn functions(files: &Files, known: &[(&str, usize)]) -> Vec<String> {
    let mut lengths = BTreeMap::new();
    for (name, text) in files {
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut walk = Walk {
            file: name,
            lengths: &mut lengths,
        };
        walk.visit_file(&parsed);
    }
    judged(lengths, MOST_OF_FUNCTION, known)
}

fn judged(lengths: BTreeMap<String, usize>, most: usize, known: &[(&str, usize)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, length) in &lengths {
        let had = known
            .iter()
            .find(|(one, _)| one == name)
            .map(|(_, had)| *had);
        match had {
            None if *length > most => wrong.push(format!("{name} has {length} lines, over {most}")),
            Some(had) if *length > had => {
                wrong.push(format!("{name} has grown from {had} lines to {length}"));
            }
            Some(_) if *length <= most => {
                wrong.push(format!(
                    "{name} has {length} lines: take it out of the table"
                ));
            }
            Some(had) if *length < had => {
                wrong.push(format!("{name} has {length} lines: write that for {had}"));
            }
            _ => {}
        }
    }
    let gone = known
        .iter()
        .filter(|(name, _)| !lengths.contains_key(*name));
    wrong.extend(gone.map(|(name, _)| format!("{name} is gone: take it out of the table")));
    wrong
}

struct Walk<'a> {
    file: &'a str,
    lengths: &'a mut BTreeMap<String, usize>,
}

impl Walk<'_> {
    fn add(&mut self, signature: &Signature, body: &Block) {
        let first = signature.span().start().line;
        let length = body.brace_token.span.close().end().line + 1 - first;
        let name = format!("{}::{}", self.file, signature.ident);
        let longest = self.lengths.entry(name).or_default();
        *longest = length.max(*longest);
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item_fn(&mut self, one: &'ast syn::ItemFn) {
        self.add(&one.sig, &one.block);
        visit::visit_item_fn(self, one);
    }

    fn visit_impl_item_fn(&mut self, one: &'ast syn::ImplItemFn) {
        self.add(&one.sig, &one.block);
        visit::visit_impl_item_fn(self, one);
    }

    fn visit_trait_item_fn(&mut self, one: &'ast syn::TraitItemFn) {
        if let Some(body) = &one.default {
            self.add(&one.sig, body);
        }
        visit::visit_trait_item_fn(self, one);
    }
}
