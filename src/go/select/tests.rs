use super::*;
use crate::go::workspace::Line;

struct Scene {
    found: Toolchain,
    lines: Lines,
    wish: Wish,
    range: Option<(String, String)>,
    cache: Option<PathBuf>,
    below: PathBuf,
}

impl Scene {
    fn new(go: Option<&str>, toolchain: Option<&str>) -> Scene {
        let line = |text: &str| Line {
            file: PathBuf::from("/p/go.mod"),
            line: 3,
            text: text.to_owned(),
        };
        Scene {
            found: Toolchain {
                go: PathBuf::from("/go/bin/go"),
                goroot: PathBuf::from("/go"),
                version: "1.26.8".parse().expect("version"),
                tool_dir: PathBuf::from("/go/pkg/tool"),
                linked: Vec::new(),
                settings: Vec::new(),
                is_dynamic: false,
                copy: None,
            },
            lines: Lines {
                go: go.map(line),
                toolchain: toolchain.map(line),
            },
            wish: Wish::Auto,
            range: None,
            cache: None,
            below: PathBuf::from("/"),
        }
    }

    fn select(&self) -> Result<Toolchain, SelectError> {
        let uid =
            std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("self"));
        select(&Request {
            found: &self.found,
            lines: &self.lines,
            wish: &self.wish,
            module_cache: self.cache.as_deref(),
            trust: Trust {
                uid,
                gid: u32::MAX,
                below: &self.below,
                noted: None,
            },
            range: self.range.as_ref(),
        })
    }
}

#[test]
fn an_older_or_equal_line_keeps_the_toolchain_found() {
    for (go, toolchain) in [
        (None, None),
        (Some("1.21"), Some("go1.26.8")),
        (Some("1.26.8"), Some("default")),
        (Some("1.26"), None),
    ] {
        assert_eq!(
            Scene::new(go, toolchain).select().expect("selected").goroot,
            Path::new("/go")
        );
    }
}

#[test]
fn a_newer_line_is_taken_from_the_module_cache_or_says_how_to_get_it() {
    let mut scene = Scene::new(Some("1.26"), Some("go1.27.3"));
    let error = scene.select().expect_err("missing").to_string();
    assert!(
        error.contains("/p/go.mod:3")
            && error.contains("golang.org/toolchain@v0.0.1-go1.27.3.linux-"),
        "{error}"
    );

    let dir = tempfile::tempdir().expect("tempdir");
    let base = dir.path().canonicalize().expect("real path");
    let goroot = base.join(format!(
        "golang.org/toolchain@v0.0.1-go1.27.3.linux-{}",
        host_arch()
    ));
    let tools = goroot.join(format!("pkg/tool/linux_{}", host_arch()));
    for folder in [
        goroot.join("bin"),
        goroot.join("src/runtime"),
        tools.clone(),
    ] {
        std::fs::create_dir_all(folder).expect("folders");
    }
    for file in [
        goroot.join("bin/go"),
        tools.join("compile"),
        tools.join("link"),
        tools.join("asm"),
    ] {
        std::fs::write(file, "\x7fELF").expect("file");
    }
    std::fs::write(goroot.join("VERSION"), "go1.27.3\n").expect("file");
    scene.cache = Some(base.clone());
    scene.below = base;
    assert_eq!(scene.select().expect("selected").version.as_str(), "1.27.3");
}

#[test]
fn the_range_of_the_policy_holds() {
    let mut scene = Scene::new(Some("1.27.3"), None);
    scene.range = Some(("1.21".to_owned(), "1.26.9".to_owned()));
    assert!(matches!(
        scene.select(),
        Err(SelectError::OutOfRange { .. })
    ));
    for newest in ["1.27.3", "1.27", "1.28"] {
        scene.range = Some(("1.21".to_owned(), newest.to_owned()));
        assert!(
            matches!(scene.select(), Err(SelectError::Absent { .. })),
            "{newest}"
        );
    }
}

#[test]
fn under_local_the_one_found_runs_and_says_itself_what_it_is_not_content_with() {
    let mut scene = Scene::new(Some("1.27.0"), Some("go1.27.3"));
    scene.wish = Wish::parse("local").expect("wish");
    let selected = scene.select().expect("selected");
    assert_eq!(selected.version.as_str(), "1.26.8");
}

#[test]
fn a_line_that_makes_no_sense_is_named() {
    assert!(matches!(
        Scene::new(Some("1.x"), None).select(),
        Err(SelectError::Line { .. })
    ));
    assert!(matches!(
        Scene::new(None, Some("go/../../x")).select(),
        Err(SelectError::Line { .. })
    ));
    assert!(Wish::parse("/tmp/go").is_err());
}

#[test]
fn a_toolchain_named_by_the_caller_is_that_one() {
    let mut scene = Scene::new(Some("1.21"), Some("go1.27.3"));
    scene.wish = Wish::parse("go1.26.8").expect("wish");
    assert!(scene.select().is_ok());
    for older in ["go1.25.1", "go1.26.9+auto"] {
        scene.wish = Wish::parse(older).expect("wish");
        assert!(
            matches!(scene.select(), Err(SelectError::Absent { .. })),
            "{older}"
        );
    }
    // One that is older than the one found is run all the same, unless a line asks for a newer one.
    scene.wish = Wish::parse("go1.25.1+auto").expect("wish");
    for (go, toolchain, wanted) in [
        (None, None, "1.25.1"),
        (Some("1.21"), Some("go1.25.0"), "1.25.1"),
        (Some("1.25.2"), None, "1.25.2"),
        (Some("1.25.2"), Some("go1.27.3"), "1.27.3"),
    ] {
        scene.lines = Scene::new(go, toolchain).lines;
        let error = scene.select().expect_err("absent").to_string();
        assert!(error.contains(&format!("asks for go{wanted},")), "{error}");
    }
    scene.lines = Scene::new(Some("1.26.8"), None).lines;
    assert!(scene.select().is_ok());
}
