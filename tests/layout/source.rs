//! The crate as modules: which names each has, and where they come from.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::Visit;
use syn::{Item, ItemMod, ItemUse, UseTree};

use crate::untested;

/// Texts by their path below `src`, or another folder.
pub type Files = BTreeMap<String, String>;

/// The files of this crate.
pub fn files() -> Files {
    files_in("src")
}

/// The files of a folder of the project.
pub fn files_in(folder: &str) -> Files {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![source.clone()];
    let mut files = Files::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&source).unwrap().to_str().unwrap();
                files.insert(name.to_owned(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

/// A module of the crate.
pub struct Module {
    /// The names from the crate's root down.
    pub path: Vec<String>,
    /// The file that it stands in.
    pub file: String,
    /// Its items, without those that only tests have.
    pub items: Vec<Item>,
    names: BTreeMap<String, Vec<Name>>,
    globs: Vec<Words>,
}

/// A path as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// Whether it begins with `::`.
    pub is_outside: bool,
    /// Its words.
    pub words: Vec<String>,
}

/// What a name of a module stands for.
enum Name {
    Item,
    Module(usize),
    Import(Words),
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// A module of this crate.
    Module(usize),
    /// Something that this module defines.
    Item(usize),
    /// A path of another crate.
    Outside(Vec<String>),
}

/// All modules; the first is the crate's root.
pub struct Crate {
    /// The modules.
    pub modules: Vec<Module>,
    /// Files that only tests have.
    pub tests: BTreeSet<String>,
}

impl Crate {
    /// Reads the modules that `lib.rs` leads to, and `main.rs` as a module beside them.
    pub fn read(files: &Files) -> Crate {
        let mut read = Crate {
            modules: Vec::new(),
            tests: BTreeSet::new(),
        };
        read.file(files, "lib.rs", "", Vec::new());
        if files.contains_key("main.rs") {
            read.file(files, "main.rs", "", vec!["main".to_owned()]);
        }
        read
    }

    fn file(&mut self, files: &Files, file: &str, folder: &str, path: Vec<String>) -> usize {
        let text = files
            .get(file)
            .unwrap_or_else(|| panic!("{file} is not there"));
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        self.module(files, file, folder, path, parsed.items)
    }

    fn module(
        &mut self,
        files: &Files,
        file: &str,
        folder: &str,
        path: Vec<String>,
        items: Vec<Item>,
    ) -> usize {
        let number = self.modules.len();
        self.modules.push(Module {
            path: path.clone(),
            file: file.to_owned(),
            items: Vec::new(),
            names: BTreeMap::new(),
            globs: Vec::new(),
        });
        for item in &items {
            if let Item::Mod(module) = item
                && module.content.is_none()
                && untested::is_test(&module.attrs)
            {
                self.mark_tests(files, &place(files, folder, &module.ident.to_string()));
            }
        }
        let mut kept = untested::items(items);
        let mut imports = Imports(Vec::new());
        for item in &mut kept {
            imports.visit_item(item);
            match item {
                Item::Mod(module) => {
                    let name = module.ident.to_string();
                    let below = [path.as_slice(), std::slice::from_ref(&name)].concat();
                    let inner = format!("{folder}{name}/");
                    let child = match module.content.take() {
                        Some((_, items)) => self.module(files, file, &inner, below, items),
                        None => self.file(files, &place(files, folder, &name), &inner, below),
                    };
                    self.name(number, name, Name::Module(child));
                }
                other => {
                    if let Some(name) = defined(other) {
                        self.name(number, name, Name::Item);
                    }
                }
            }
        }
        for (name, words) in imports.0 {
            match name {
                Some(name) => self.name(number, name, Name::Import(words)),
                None => self.modules[number].globs.push(words),
            }
        }
        self.modules[number].items = kept;
        number
    }

    fn name(&mut self, module: usize, name: String, what: Name) {
        let names = &mut self.modules[module].names;
        names.entry(name).or_default().push(what);
    }

    /// Marks a file that only tests have, and those that its modules stand in.
    fn mark_tests(&mut self, files: &Files, file: &str) {
        let folder = file
            .strip_suffix("/mod.rs")
            .or_else(|| file.strip_suffix(".rs"))
            .unwrap();
        let below = format!("{folder}/");
        let others = files.keys().filter(|name| name.starts_with(&below));
        self.tests.extend(others.cloned());
        self.tests.insert(file.to_owned());
    }

    /// The room that a module is in: the module below the root, itself or above it.
    pub fn room(&self, module: usize) -> Option<&str> {
        self.modules[module].path.first().map(String::as_str)
    }

    /// What `words` lead to from a module, and in `seen` every module on the way.
    pub fn resolve(&self, from: usize, words: &Words, seen: &mut BTreeSet<usize>) -> Vec<End> {
        Search {
            of: self,
            seen,
            under_way: Vec::new(),
        }
        .resolve(from, words)
    }

    fn child(&self, path: &[String]) -> usize {
        let found = self.modules.iter().position(|module| module.path == path);
        found.unwrap_or(0)
    }
}

/// One search for what a path leads to.
struct Search<'a> {
    of: &'a Crate,
    seen: &'a mut BTreeSet<usize>,
    /// Names that are being looked for: imports may go round in a circle.
    under_way: Vec<(usize, String)>,
}

impl Search<'_> {
    fn resolve(&mut self, from: usize, words: &Words) -> Vec<End> {
        let Some(first) = words.words.first() else {
            return Vec::new();
        };
        if words.is_outside {
            return vec![End::Outside(words.words.clone())];
        }
        let is_main = self.of.room(from) == Some("main");
        let mut at = match first.as_str() {
            "crate" if is_main => self.of.child(&["main".to_owned()]),
            "crate" => 0,
            "gosandbox" if is_main => 0,
            "self" => from,
            "super" => self.above(from),
            _ => {
                let found = self.walk(from, &words.words);
                return match found.is_empty() {
                    true => vec![End::Outside(words.words.clone())],
                    false => found,
                };
            }
        };
        let mut rest = &words.words[1..];
        while rest.first().is_some_and(|word| word == "super") {
            at = self.above(at);
            rest = &rest[1..];
        }
        self.seen.insert(at);
        self.walk(at, rest)
    }

    fn above(&self, module: usize) -> usize {
        let path = &self.of.modules[module].path;
        self.of.child(&path[..path.len().saturating_sub(1)])
    }

    fn walk(&mut self, at: usize, words: &[String]) -> Vec<End> {
        let Some((name, rest)) = words.split_first() else {
            return vec![End::Module(at)];
        };
        let mut ends = Vec::new();
        for end in self.named(at, name) {
            match end {
                End::Module(module) => {
                    self.seen.insert(module);
                    ends.extend(self.walk(module, rest));
                }
                End::Item(module) => {
                    self.seen.insert(module);
                    ends.push(End::Item(module));
                }
                End::Outside(path) => {
                    ends.push(End::Outside([path.as_slice(), rest].concat()));
                }
            }
        }
        ends
    }

    /// What a name of a module stands for: its own, or one that a glob brings.
    fn named(&mut self, at: usize, name: &str) -> Vec<End> {
        let key = (at, name.to_owned());
        if self.under_way.contains(&key) {
            return Vec::new();
        }
        self.under_way.push(key);
        let of = self.of;
        let module = &of.modules[at];
        let mut ends = Vec::new();
        for one in module.names.get(name).into_iter().flatten() {
            match one {
                Name::Item => ends.push(End::Item(at)),
                Name::Module(child) => ends.push(End::Module(*child)),
                Name::Import(words) => ends.extend(self.resolve(at, words)),
            }
        }
        if ends.is_empty() {
            for glob in &module.globs {
                for end in self.resolve(at, glob) {
                    if let End::Module(module) = end {
                        ends.extend(self.named(module, name));
                    }
                }
            }
        }
        self.under_way.pop();
        ends
    }
}

/// The file of a module that is declared in a folder.
fn place(files: &Files, folder: &str, name: &str) -> String {
    let flat = format!("{folder}{name}.rs");
    match files.contains_key(&flat) {
        true => flat,
        false => format!("{folder}{name}/mod.rs"),
    }
}

fn flatten(
    tree: &UseTree,
    is_outside: bool,
    before: &mut Vec<String>,
    found: &mut Vec<(Option<String>, Words)>,
) {
    let words = |before: &[String], last: Option<String>| Words {
        is_outside,
        words: before.iter().cloned().chain(last).collect(),
    };
    match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            flatten(&path.tree, is_outside, before, found);
            before.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            found.push((before.last().cloned(), words(before, None)));
        }
        UseTree::Name(name) => {
            let name = name.ident.to_string();
            found.push((Some(name.clone()), words(before, Some(name))));
        }
        UseTree::Rename(rename) => {
            let last = (rename.ident != "self").then(|| rename.ident.to_string());
            found.push((Some(rename.rename.to_string()), words(before, last)));
        }
        UseTree::Glob(_) => found.push((None, words(before, None))),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, is_outside, before, found);
            }
        }
    }
}

/// Every `use` of a module, those in its functions too, with the name that each brings.
struct Imports(Vec<(Option<String>, Words)>);

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_use(&mut self, one: &'ast ItemUse) {
        self.0.extend(imports(one));
    }

    fn visit_item_mod(&mut self, _: &'ast ItemMod) {}
}

/// The names that a `use` brings, `None` for a glob, each with its path.
pub fn imports(one: &ItemUse) -> Vec<(Option<String>, Words)> {
    let mut found = Vec::new();
    let is_outside = one.leading_colon.is_some();
    flatten(&one.tree, is_outside, &mut Vec::new(), &mut found);
    found
}

fn defined(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
