//! What ARCHITECTURE.md says of the source, held by a parser: who may see whom, how long files and
//! functions are, and where unsafe code, printing and paths are.
//!
//! Each rule is a function from source text to what is wrong with it. A small source that breaks
//! the rule shows that it is looked for at all.

#![allow(clippy::unwrap_used)]

mod broken;
mod executables;
mod lengths;
mod pages;
mod paths;
mod source;
mod tables;
mod untested;
mod words;

use std::collections::BTreeSet;

use syn::visit::{self, Visit};

use source::{Crate, End, Files, files};
use words::{Named, named};

/// Each use of a room by one that may not see it. What a room hands on (`pub use`) is of the room
/// that defines it, unless `handed_on` has the reader, the definer, and the room between.
fn unseen_rooms(
    of: &Crate,
    all: &[Named],
    may_see: &[(&str, &[&str])],
    handed_on: &[(&str, &str, &str)],
) -> Vec<String> {
    let mut wrong = BTreeSet::new();
    let mut used = BTreeSet::new();
    for one in all.iter().filter(|one| one.room != "lib") {
        let Some((_, allowed)) = may_see.iter().find(|(room, _)| *room == one.room) else {
            wrong.insert(format!("{} is in no room of ARCHITECTURE.md", one.file));
            continue;
        };
        for other in one.modules.iter().filter_map(|module| of.room(*module)) {
            if other == one.room || allowed.contains(&other) {
                continue;
            }
            let is_known = |(room, of_room, through): &&(&str, &str, &str)| {
                let mut rooms = one.modules.iter().filter_map(|module| of.room(*module));
                *room == one.room && *of_room == other && rooms.any(|room| room == *through)
            };
            if let Some(known) = handed_on.iter().find(is_known) {
                used.insert(*known);
            } else {
                let Named {
                    file, line, text, ..
                } = one;
                wrong.insert(format!("{file}:{line}: `{text}` is of `{other}`"));
            }
        }
    }
    for known in handed_on.iter().filter(|known| !used.contains(*known)) {
        wrong.insert(format!(
            "{known:?} hands on nothing: take it out of the table"
        ));
    }
    wrong.into_iter().collect()
}

/// Files that are in no module of the crate, so that no rule sees them.
fn unread_files(of: &Crate, files: &Files) -> Vec<String> {
    let read: BTreeSet<_> = of
        .modules
        .iter()
        .map(|module| module.file.as_str())
        .collect();
    let is_read = |name: &&String| read.contains(name.as_str()) || of.tests.contains(*name);
    files
        .keys()
        .filter(|name| !is_read(name))
        .cloned()
        .collect()
}

/// The rooms that have unsafe code or attributes, and in each a place.
fn unsafe_places(of: &Crate, all: &[Named]) -> Vec<(String, String)> {
    /// Finds the keyword.
    struct Walk(Vec<usize>);
    impl<'ast> Visit<'ast> for Walk {
        fn visit_item_mod(&mut self, _: &'ast syn::ItemMod) {}
        fn visit_expr_unsafe(&mut self, one: &'ast syn::ExprUnsafe) {
            self.0.push(one.unsafe_token.span.start().line);
            visit::visit_expr_unsafe(self, one);
        }
        fn visit_safety(&mut self, one: &'ast syn::Safety) {
            if let syn::Safety::Unsafe(token) = one {
                self.0.push(token.span.start().line);
            }
        }
        fn visit_item_impl(&mut self, one: &'ast syn::ItemImpl) {
            self.0
                .extend(one.unsafety.as_ref().map(|token| token.span.start().line));
            visit::visit_item_impl(self, one);
        }
        fn visit_item_trait(&mut self, one: &'ast syn::ItemTrait) {
            self.0
                .extend(one.unsafety.as_ref().map(|token| token.span.start().line));
            visit::visit_item_trait(self, one);
        }
        fn visit_item_foreign_mod(&mut self, one: &'ast syn::ItemForeignMod) {
            self.0.push(one.abi.extern_token.span.start().line);
            visit::visit_item_foreign_mod(self, one);
        }
    }
    let mut found = Vec::new();
    for (number, module) in of.modules.iter().enumerate() {
        let mut walk = Walk(Vec::new());
        module.items.iter().for_each(|item| walk.visit_item(item));
        let room = of.room(number).unwrap_or("lib");
        let places = walk.0.into_iter();
        found.extend(places.map(|line| (room.to_owned(), format!("{}:{line}", module.file))));
    }
    // In attributes and macros.
    for one in all.iter().filter(|one| one.text == "unsafe") {
        found.push((one.room.clone(), format!("{}:{}", one.file, one.line)));
    }
    found
}

/// Where unsafe code is that should not be.
fn misplaced_unsafe(of: &Crate, all: &[Named]) -> Vec<String> {
    let mut places = unsafe_places(of, all);
    places.retain(|(room, _)| room != "sys");
    // The entry's `no_mangle` is an unsafe attribute.
    let entry = places.iter().position(|(room, _)| room == "main");
    if let Some(entry) = entry {
        places.remove(entry);
    }
    places.into_iter().map(|(_, place)| place).collect()
}

/// Where something is printed outside the command line.
fn misplaced_prints(all: &[Named]) -> Vec<String> {
    const MACROS: [&str; 5] = ["print", "println", "eprint", "eprintln", "dbg"];
    const STREAMS: [&str; 2] = ["stdout", "stderr"];
    let prints = |one: &&Named| {
        let last = one.text.rsplit("::").next().unwrap_or_default();
        let is_stream = one.ends.iter().any(|end| match end {
            End::Outside(path) => {
                let of_io = path.len() > 1 && path[path.len() - 2] == "io";
                of_io && STREAMS.contains(&path[path.len() - 1].as_str())
            }
            _ => false,
        });
        is_stream || one.is_macro && MACROS.contains(&last)
    };
    let outside = all
        .iter()
        .filter(|one| !["cli", "main"].contains(&one.room.as_str()));
    outside
        .filter(prints)
        .map(|one| format!("{}:{}: {}", one.file, one.line, one.text))
        .collect()
}

/// Files that do not say what they are for.
fn unexplained_files(of: &Crate, files: &Files) -> Vec<String> {
    let code = files.iter().filter(|(name, _)| !of.tests.contains(*name));
    code.filter(|(_, text)| !text.starts_with("//! "))
        .map(|(name, _)| name.clone())
        .collect()
}

fn read() -> (Files, Crate) {
    let files = files();
    let read = Crate::read(&files);
    (files, read)
}

const NONE: [String; 0] = [];

#[test]
fn rooms_see_only_the_rooms_they_may() {
    let (files, of) = read();
    assert_eq!(
        unseen_rooms(&of, &named(&of), &tables::MAY_SEE, &tables::HANDED_ON),
        NONE
    );
    assert_eq!(unread_files(&of, &files), NONE);
}

#[test]
fn the_table_of_rooms_is_that_of_the_architecture() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md");
    let page = std::fs::read_to_string(page).unwrap();
    for (room, others) in tables::MAY_SEE {
        let names = [format!("| `{room}/` |"), format!("| `{room}.rs` |")];
        let mut lines = page.lines();
        let line = lines.find(|line| names.iter().any(|name| line.starts_with(name.as_str())));
        let line = line.unwrap_or_else(|| panic!("{room} is not in ARCHITECTURE.md"));
        let column = line.trim_end_matches(" |").rsplit("| ").next().unwrap();
        let mut shown: Vec<&str> = column.split(", ").filter(|word| *word != "–").collect();
        let mut held = others.to_vec();
        shown.sort_unstable();
        held.sort_unstable();
        assert_eq!(shown, held, "{room}");
    }
}

#[test]
fn unsafe_code_is_in_sys_and_in_the_entry_only() {
    let (_, of) = read();
    let all = named(&of);
    assert_eq!(misplaced_unsafe(&of, &all), NONE);
    let places = unsafe_places(&of, &all);
    assert!(
        places.iter().any(|(room, _)| room == "sys"),
        "nothing was found"
    );
    assert!(
        places.iter().any(|(room, _)| room == "main"),
        "nothing was found"
    );
}

#[test]
fn only_the_command_line_prints() {
    let (_, of) = read();
    assert_eq!(misplaced_prints(&named(&of)), NONE);
}

#[test]
fn every_file_says_what_it_is_for() {
    let (files, of) = read();
    assert_eq!(unexplained_files(&of, &files), NONE);
}

#[test]
fn no_file_and_no_function_grows_too_long() {
    let files = files();
    assert_eq!(lengths::files(&files, &tables::LONG_FILES), NONE);
    assert_eq!(lengths::functions(&files, &tables::LONG_FUNCTIONS), NONE);
}

#[test]
fn paths_are_walked_in_one_room() {
    let (_, of) = read();
    let all = named(&of);
    assert_eq!(
        paths::misplaced(&all, &paths::CHANGES, &tables::CHANGE_PATHS),
        NONE
    );
    assert_eq!(
        paths::misplaced(&all, &paths::LOOKS, &tables::LOOK_AT_PATHS),
        NONE
    );
    assert_eq!(paths::methods(&of, &tables::LOOKING_METHODS), NONE);
}

#[test]
fn what_tests_execute_is_written_by_another_process() {
    let files = source::files_in("tests");
    assert_eq!(
        executables::written_here(&files, &tables::SCRIPTS_NEVER_RUN),
        NONE
    );
}
