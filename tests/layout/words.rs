//! Every path that a module's code names: in items, expressions, attributes and macros.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, Macro, Path};

use crate::source::{Crate, End, Words, imports};

/// A path, and what it leads to.
pub struct Named {
    /// The file that it stands in.
    pub file: String,
    /// Its line.
    pub line: usize,
    /// The room that it stands in.
    pub room: String,
    /// As it is written.
    pub text: String,
    /// What it leads to.
    pub ends: Vec<End>,
    /// Every module on the way.
    pub modules: BTreeSet<usize>,
    /// Whether `!` follows.
    pub is_macro: bool,
}

/// Every path of the crate.
pub fn named(of: &Crate) -> Vec<Named> {
    let mut all = Vec::new();
    for (number, module) in of.modules.iter().enumerate() {
        let mut walk = Walk(Vec::new());
        for item in &module.items {
            walk.visit_item(item);
        }
        for (words, line, is_macro) in walk.0 {
            let mut modules = BTreeSet::new();
            let ends = of.resolve(number, &words, &mut modules);
            all.push(Named {
                file: module.file.clone(),
                line,
                room: of.room(number).unwrap_or("lib").to_owned(),
                text: words.words.join("::"),
                ends,
                modules,
                is_macro,
            });
        }
    }
    all
}

/// Paths with their lines, and whether each is a macro's.
struct Walk(Vec<(Words, usize, bool)>);

impl Walk {
    fn add(&mut self, is_outside: bool, words: Vec<String>, at: Span, is_macro: bool) {
        let words = Words { is_outside, words };
        self.0.push((words, at.start().line, is_macro));
    }

    fn path(&mut self, path: &Path, is_macro: bool) {
        let words = path.segments.iter().map(|one| one.ident.to_string());
        let at = path
            .segments
            .first()
            .map_or_else(Span::call_site, |one| one.ident.span());
        self.add(path.leading_colon.is_some(), words.collect(), at, is_macro);
    }

    /// Paths in what is not parsed. A text that is a path, as serde takes them, counts.
    fn tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, c: char| matches!(tokens.get(at), Some(TokenTree::Punct(one)) if one.as_char() == c);
        let colons = |at: usize| is(at, ':') && is(at + 1, ':');
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(first) => {
                    let is_outside = at >= 2 && colons(at - 2);
                    let mut words = vec![first.to_string()];
                    while colons(at + 1)
                        && let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                    {
                        words.push(next.to_string());
                        at += 3;
                    }
                    // `crate::{a, b}` in a macro's own `use`.
                    if colons(at + 1)
                        && let Some(TokenTree::Group(group)) = tokens.get(at + 3)
                        && group.delimiter() == Delimiter::Brace
                    {
                        for tree in group.stream() {
                            if let TokenTree::Ident(last) = tree {
                                let words = [words.as_slice(), &[last.to_string()]].concat();
                                self.add(is_outside, words, last.span(), false);
                            }
                        }
                    }
                    self.add(is_outside, words, first.span(), is(at + 1, '!'));
                }
                TokenTree::Literal(literal) => {
                    if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
                        && let Ok(path) = text.parse::<Path>()
                        && path.segments.len() > 1
                    {
                        let words = path.segments.iter().map(|one| one.ident.to_string());
                        self.add(false, words.collect(), literal.span(), false);
                    }
                }
                TokenTree::Punct(_) => {}
            }
            at += 1;
        }
    }
}

impl<'ast> Visit<'ast> for Walk {
    fn visit_path(&mut self, path: &'ast Path) {
        self.path(path, false);
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, one: &'ast ItemUse) {
        for (_, words) in imports(one) {
            self.0.push((words, one.use_token.span.start().line, false));
        }
    }

    /// An inline module is one of the crate's, with its own names.
    fn visit_item_mod(&mut self, _: &'ast ItemMod) {}

    fn visit_macro(&mut self, one: &'ast Macro) {
        self.path(&one.path, true);
        self.tokens(one.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        self.path(attribute.path(), false);
        match &attribute.meta {
            syn::Meta::List(list) => self.tokens(list.tokens.clone()),
            syn::Meta::Path(_) | syn::Meta::NameValue(_) => {}
        }
    }
}
