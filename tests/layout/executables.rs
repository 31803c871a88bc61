//! A test that writes a script while another one starts a child gives that child its descriptor for writing, and
//! the script cannot be executed (ETXTBSY, execve(2)): `write_executable` has another process write it.

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Expr, ExprCall, ExprMethodCall, LitByteStr, LitStr, Macro};

use crate::source::Files;

/// What writes a file by this process.
const WRITERS: [&str; 2] = ["write", "file"];

/// Each script that a test writes by itself.
pub fn written_here(files: &Files, known: &[(&str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, text) in files {
        let parsed = syn::parse_file(text).unwrap();
        let mut found = Scripts(0);
        found.visit_file(&parsed);
        let is_known = known.iter().any(|(name, _)| name == file);
        match (found.0, is_known) {
            (0, true) => wrong.push(format!("{file} writes no script: take it out of the table")),
            (0, false) | (_, true) => {}
            (count, false) => wrong.push(format!(
                "{file} writes {count} scripts: use `write_executable`"
            )),
        }
    }
    wrong
}

struct Scripts(usize);

impl Scripts {
    fn look<'a>(&mut self, name: &str, arguments: impl IntoIterator<Item = &'a Expr>) {
        let mut script = Script(false);
        for argument in arguments {
            script.visit_expr(argument);
        }
        self.0 += usize::from(WRITERS.contains(&name) && script.0);
    }
}

impl<'ast> Visit<'ast> for Scripts {
    fn visit_expr_call(&mut self, one: &'ast ExprCall) {
        if let Expr::Path(path) = &*one.func
            && let Some(last) = path.path.segments.last()
        {
            self.look(&last.ident.to_string(), &one.args);
        }
        visit::visit_expr_call(self, one);
    }

    fn visit_expr_method_call(&mut self, one: &'ast ExprMethodCall) {
        self.look(&one.method.to_string(), &one.args);
        visit::visit_expr_method_call(self, one);
    }
}

/// Whether a text begins as a script does.
struct Script(bool);

impl Script {
    fn look(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.look(group.stream()),
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    let content = text.trim_start_matches(['b', 'r', '#']);
                    self.0 |= content.starts_with("\"#!");
                }
                _ => {}
            }
        }
    }
}

impl Visit<'_> for Script {
    fn visit_lit_str(&mut self, one: &LitStr) {
        self.0 |= one.value().starts_with("#!");
    }

    fn visit_lit_byte_str(&mut self, one: &LitByteStr) {
        self.0 |= one.value().starts_with(b"#!");
    }

    fn visit_macro(&mut self, one: &Macro) {
        self.look(one.tokens.clone());
    }
}
