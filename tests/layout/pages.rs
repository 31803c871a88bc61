//! Each page of docs/ has a suite of its name: `tests/docs/NAME.rs`, which runs what the page shows
//! and says which other suites hold what it says.

use std::fs;
use std::path::Path;

/// Pages below `root` without a suite, suites without a page, and suites that do not name theirs.
pub fn without_suite(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    for folder in ["", "deploy", "generated"] {
        let pages = names(&root.join("docs").join(folder), ".md");
        let suites = names(&root.join("tests/docs").join(folder), ".rs");
        for page in &pages {
            let path = Path::new("docs").join(folder).join(format!("{page}.md"));
            let suite = page.replace('-', "_");
            let file = Path::new("tests/docs")
                .join(folder)
                .join(format!("{suite}.rs"));
            let text = fs::read_to_string(root.join(&file)).unwrap_or_default();
            if !text.contains(&format!("{:?}", path.display().to_string())) {
                wrong.push(format!(
                    "{} has no suite in {}",
                    path.display(),
                    file.display()
                ));
            }
        }
        let has_page = |suite: &String| pages.iter().any(|page| page.replace('-', "_") == *suite);
        let is_shared = |suite: &String| ["main", "mod", "examples"].contains(&suite.as_str());
        let left = suites
            .into_iter()
            .filter(|it| !has_page(it) && !is_shared(it));
        wrong.extend(left.map(|suite| format!("tests/docs/{folder}: {suite} has no page")));
    }
    wrong
}

fn names(folder: &Path, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some(name.strip_suffix(ending)?.to_owned())
        })
        .collect();
    names.sort();
    names
}

#[test]
fn every_page_has_a_suite_of_its_name() {
    let found = without_suite(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn a_page_without_a_suite_and_a_suite_without_a_page_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("docs/one-two.md", "");
    assert_eq!(without_suite(folder.path()).len(), 1);
    write("tests/docs/one_two.rs", "another page");
    assert_eq!(without_suite(folder.path()).len(), 1);
    write("tests/docs/one_two.rs", "page(\"docs/one-two.md\")");
    assert!(without_suite(folder.path()).is_empty());
    write("tests/docs/deploy/left.rs", "");
    assert_eq!(without_suite(folder.path()).len(), 1);
}
