//! Small sources, each of which breaks a rule.

use crate::source::{Crate, Files};
use crate::words::{Named, named};
use crate::{executables, lengths, paths};

const MAY_SEE: [(&str, &[&str]); 4] = [("a", &["b"]), ("b", &["c"]), ("c", &[]), ("main", &["a"])];

fn sources(list: &[(&str, &str)]) -> Files {
    let pairs = list
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    pairs.collect()
}

fn parsed(list: &[(&str, &str)]) -> (Crate, Vec<Named>) {
    let of = Crate::read(&sources(list));
    let all = named(&of);
    (of, all)
}

/// What is wrong with `code` in room `a`, which may see `b`, which may see `c`.
fn unseen(code: &str, handed_on: &[(&str, &str, &str)]) -> Vec<String> {
    let (of, all) = parsed(&[
        ("lib.rs", "mod a; mod b; mod c;"),
        ("a.rs", code),
        (
            "b/mod.rs",
            "pub use crate::c::Thing; pub use crate::c as renamed; pub mod inner; pub struct Own;",
        ),
        ("b/inner.rs", "pub use super::super::c::*;"),
        (
            "c.rs",
            "pub struct Thing; pub fn call() {} pub mod deep { pub struct Deep; }",
        ),
    ]);
    crate::unseen_rooms(&of, &all, &MAY_SEE, handed_on)
}

#[test]
fn a_room_that_is_seen_and_may_not_be_is_found_wherever_it_is_named() {
    for code in [
        "use crate::c;",
        "use crate::{b::Own, c::Thing};",
        "use crate::{b, c::{deep::{self, Deep}}};",
        "use super::c::Thing as Other;",
        "use self::super::c;",
        "use crate as root; fn f() { root::c::call() }",
        "pub(crate) use crate::c::*;",
        "fn f(x: crate::c::Thing) {}",
        "fn f() { crate::c::call() }",
        "fn f() { super::c::call() }",
        "fn f() { use crate::c::call; call() }",
        "fn f() { vec![crate::c::call()]; }",
        "macro_rules! m { () => { $crate::c::call() } }",
        "fn f() { m! { use crate::{c, b}; } }",
        "#[serde(with = \"crate::c\")] struct S;",
        "struct S { #[serde(default = \"crate::c::call\")] field: u8 }",
        "impl crate::c::Deep for u8 {}",
        "mod inner { fn f() { super::super::c::call() } }",
        "#[cfg(test)] mod tests {} fn f() { crate::c::call() }",
        // Through what another room hands on.
        "use crate::b::Thing;",
        "use crate::b; fn f(x: b::Thing) {}",
        "fn f() { crate::b::renamed::call() }",
        "use crate::b::inner::Thing;",
        "use crate::b::inner::*; fn f(x: Thing) {}",
        "use crate::b::*; fn f() { renamed::call() }",
    ] {
        assert_ne!(unseen(code, &[]), crate::NONE, "{code}");
    }
}

#[test]
fn what_may_be_seen_and_what_tests_see_is_not_found() {
    for code in [
        "use crate::b::Own;",
        "use crate::b::inner;",
        "#[cfg(test)] mod tests { use crate::c; }",
        "#[cfg(all(test, unix))] use crate::c;",
        "#[test] fn f() { crate::c::call() }",
        "fn f() { #[cfg(test)] crate::c::call!(); #[cfg(test)] { crate::c::call() } }",
        "struct S; impl S { #[cfg(test)] fn f() { crate::c::call() } }",
        "struct S { #[cfg(test)] field: crate::c::Thing }",
        "/// [`crate::c::call`]\nfn f() {}",
        "use ::c::call; fn f() { ::c::call() }",
        "fn f() { let text = \"see crate::c\"; }",
    ] {
        assert_eq!(unseen(code, &[]), crate::NONE, "{code}");
    }
}

#[test]
fn what_a_room_hands_on_may_be_seen_where_the_table_says_so() {
    let known = [("a", "c", "b")];
    let allowed = |code| unseen(code, &known);
    assert_eq!(allowed("use crate::b::Thing;"), crate::NONE);
    assert_eq!(
        allowed("use crate::c::Thing; use crate::b::Thing as T;").len(),
        1
    );
    assert_eq!(allowed("use crate::b::Own;").len(), 1);
}

#[test]
fn a_file_that_no_module_has_is_found() {
    let list = [("lib.rs", "mod a;"), ("a.rs", ""), ("a/lost.rs", "")];
    let files = sources(&list);
    let lost = crate::unread_files(&Crate::read(&files), &files);
    assert_eq!(lost, ["a/lost.rs"]);
    let list = [
        ("lib.rs", "mod a;"),
        ("a.rs", "#[cfg(test)] mod tests;"),
        ("a/tests.rs", ""),
    ];
    let files = sources(&list);
    assert_eq!(
        crate::unread_files(&Crate::read(&files), &files),
        crate::NONE
    );
}

#[test]
fn unsafe_code_is_found_in_every_form() {
    for code in [
        "fn f() { unsafe { g() } }",
        "unsafe fn f() {}",
        "struct S; unsafe impl Send for S {}",
        "unsafe trait T {}",
        "extern \"C\" { fn f(); }",
        "#[unsafe(no_mangle)] fn f() {}",
        "fn f() { m!(unsafe { g() }) }",
        "macro_rules! m { () => { unsafe { g() } } }",
        "#[cfg(test)] mod tests {} fn f() { unsafe { g() } }",
    ] {
        let (of, all) = parsed(&[("lib.rs", "mod a;"), ("a.rs", code)]);
        assert_eq!(crate::misplaced_unsafe(&of, &all).len(), 1, "{code}");
        let (of, all) = parsed(&[("lib.rs", "mod sys;"), ("sys.rs", code)]);
        assert_eq!(crate::misplaced_unsafe(&of, &all), crate::NONE, "{code}");
    }
    let entry = "#[unsafe(no_mangle)] fn main() { unsafe { f() } }";
    let (of, all) = parsed(&[("lib.rs", ""), ("main.rs", entry)]);
    assert_eq!(crate::misplaced_unsafe(&of, &all).len(), 1);
}

#[test]
fn printing_is_found_in_every_form() {
    for code in [
        "fn f() { println!(); }",
        "fn f() { std::eprint!(\"x\"); }",
        "fn f() { dbg!(1); }",
        "fn f() { m!(eprintln!()); }",
        "use std::io; fn f() { io::stdout(); }",
        "fn f() { std::io::stderr(); }",
        "use std::io::stdout as out; fn f() { out(); }",
        "#[cfg(test)] mod tests {} fn f() { print!(\"x\"); }",
    ] {
        let (_, all) = parsed(&[("lib.rs", "mod a;"), ("a.rs", code)]);
        assert_ne!(crate::misplaced_prints(&all), crate::NONE, "{code}");
        let (_, all) = parsed(&[("lib.rs", "mod cli;"), ("cli.rs", code)]);
        assert_eq!(crate::misplaced_prints(&all), crate::NONE, "{code}");
    }
}

#[test]
fn a_file_that_does_not_say_what_it_is_for_is_found() {
    let files = sources(&[("lib.rs", "//! All.\nmod a;"), ("a.rs", "// A.\n")]);
    assert_eq!(
        crate::unexplained_files(&Crate::read(&files), &files),
        ["a.rs"]
    );
}

#[test]
fn what_is_too_long_and_what_has_grown_shorter_is_found() {
    let long = "\n".repeat(lengths::MOST_OF_FILE + 3);
    let files = sources(&[("lib.rs", &long), ("a.rs", "")]);
    for known in [
        &[][..],
        &[("lib.rs", lengths::MOST_OF_FILE + 2)],
        &[("lib.rs", lengths::MOST_OF_FILE + 4)],
        &[("lib.rs", lengths::MOST_OF_FILE + 3), ("a.rs", 401)],
        &[("lib.rs", lengths::MOST_OF_FILE + 3), ("gone.rs", 401)],
    ] {
        assert_eq!(lengths::files(&files, known).len(), 1, "{known:?}");
    }
    let known = [("lib.rs", lengths::MOST_OF_FILE + 3)];
    assert_eq!(lengths::files(&files, &known), crate::NONE);

    let body = "\n".repeat(lengths::MOST_OF_FUNCTION);
    for code in [
        format!("fn f() {{{body}}}"),
        format!("impl S {{ fn f() {{{body}}} }}"),
        format!("trait T {{ fn f() {{{body}}} }}"),
        format!("mod m {{ fn g() {{ fn f() {{{body}}} }} }}"),
    ] {
        let files = sources(&[("lib.rs", &code)]);
        assert!(!lengths::functions(&files, &[]).is_empty(), "{code}");
    }
    let short = "\n".repeat(lengths::MOST_OF_FUNCTION - 1);
    let files = sources(&[("lib.rs", &format!("fn f() {{{short}}}"))]);
    assert_eq!(lengths::functions(&files, &[]), crate::NONE);
}

#[test]
fn a_call_that_takes_a_path_is_found_by_any_name() {
    for code in [
        "fn f() { std::fs::write(a, b); }",
        "use std::fs; fn f() { fs::write(a, b); }",
        "use std::fs as disk; fn f() { disk::remove_file(a); }",
        "use std::fs::{rename as move_it}; fn f() { move_it(a, b); }",
        "use std::fs::File; fn f() { File::create(a); }",
        "fn f() { use std::fs; fs::OpenOptions::new(); }",
        "use rustix::fs::chmod; fn f() { chmod(a, b); }",
        "use std::fs; fn f() { m!(fs::write(a, b)); }",
        "use super::disk; fn f() { disk::write(a, b); }",
        "use std::fs::*; fn f() { std::fs::copy(a, b); }",
        "#[cfg(test)] mod tests {} fn f() { std::fs::write(a, b); }",
    ] {
        let root = "mod a; mod files; use std::fs as disk;";
        let (_, all) = parsed(&[("lib.rs", root), ("a.rs", code), ("files.rs", code)]);
        let found = paths::misplaced(&all, &paths::CHANGES, &[]);
        assert!(!found.is_empty(), "{code}");
        assert!(
            found.iter().all(|one| one.starts_with("a.rs:")),
            "{found:?}"
        );
        assert_eq!(
            paths::misplaced(&all, &paths::CHANGES, &[("a.rs", "why")]),
            crate::NONE
        );
        let known = [("a.rs", "why"), ("b/", "why")];
        assert_eq!(paths::misplaced(&all, &paths::CHANGES, &known).len(), 1);
    }
}

#[test]
fn a_method_that_looks_at_a_path_is_counted() {
    let count = |code: &str, known: &[(&str, usize)]| {
        let (of, _) = parsed(&[("lib.rs", "mod a;"), ("a.rs", code)]);
        paths::methods(&of, known)
    };
    for code in [
        "fn f(p: &Path) { p.exists() }",
        "fn f(p: &Path) { g(p.join(a).metadata()) }",
        "#[cfg(test)] mod tests {} fn f(p: &Path) { p.read_dir() }",
        "mod inner { fn f(p: &Path) { p.is_dir() } }",
    ] {
        assert_eq!(count(code, &[]).len(), 1, "{code}");
        assert!(count(code, &[("a.rs", 1)]).is_empty(), "{code}");
        assert_eq!(count(code, &[("a.rs", 2)]).len(), 1, "{code}");
    }
    for code in [
        "#[cfg(test)] mod tests { fn f(p: &Path) { p.exists() } }",
        "fn f(p: &Path) { p.exists(1); exists(p) }",
    ] {
        assert!(count(code, &[]).is_empty(), "{code}");
    }
}

#[test]
fn a_script_that_a_test_writes_is_found() {
    for code in [
        "fn f() { fs::write(a, \"#!/bin/sh\\n\"); }",
        "fn f() { std::fs::write(a, b\"#!/bin/sh\\n\"); }",
        "fn f() { site.file(a, &format!(\"#!/bin/sh\\n{b}\")); }",
        "fn f() { m!(x); write(&a.join(b), &(c + r#\"#!/bin/sh\"#)); }",
    ] {
        let files = sources(&[("a.rs", code)]);
        assert_eq!(executables::written_here(&files, &[]).len(), 1, "{code}");
        let known = [("a.rs", "why")];
        assert_eq!(executables::written_here(&files, &known), crate::NONE);
    }
    let files = sources(&[("a.rs", "fn f() { write_executable(a, \"#!/bin/sh\"); }")]);
    assert_eq!(executables::written_here(&files, &[]), crate::NONE);
    assert_eq!(
        executables::written_here(&files, &[("a.rs", "why")]).len(),
        1
    );
}
