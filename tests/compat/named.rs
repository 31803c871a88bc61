//! What a command line names itself is reached, wherever it lies.

use super::*;

const MODULE: &str = "module example.com/m\n\ngo 1.24\n";

/// A project in a folder of a module, and modules apart from both.
fn site(env: Env) -> Site {
    let site = Site::new(env);
    for folder in ["", "dir/", "dir/foo/"] {
        site.file(&format!("{folder}go.mod"), MODULE);
    }
    for file in ["one/go.mod", "two/go.mod", "apart.mod"] {
        let path = site.outside.join(file);
        write(&path, MODULE);
        site.give(path.parent().unwrap());
        site.give(&path);
    }
    site.file("dir/m.go", "package m\n");
    site.file(
        "dir/m_test.go",
        "package m\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) { t.Log(\"ran\") }\n",
    );
    site.settle();
    site
}

#[test]
fn workspaces_are_made_of_modules_apart_from_the_project() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let work = |inside: bool| {
            let site = site(env);
            let one = site.outside.join("one");
            let words = [
                "go",
                "work",
                "init",
                ".",
                "..",
                "foo",
                one.to_str().unwrap(),
            ];
            let folder = site.work.join("dir");
            let mut command = match inside {
                true => site.gosandbox(&[], &words),
                false => site.bare(&words),
            };
            Ended::of(command.current_dir(&folder)).expect(0);
            let text = fs::read_to_string(folder.join("go.work")).unwrap();
            text.replace(one.to_str().unwrap(), "ONE")
        };
        let (bare, inside) = (work(false), work(true));
        assert!(bare.contains("..") && bare.contains("ONE"), "{bare}");
        assert_eq!(inside, bare, "{env:?}");
    }
}

#[test]
fn a_go_mod_apart_from_the_project_is_shown_and_edited() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = site(env);
        let file = site.outside.join("apart.mod");
        let name = file.to_str().unwrap();
        let shown = site
            .run(&[], &["go", "mod", "edit", "-json", name])
            .expect(0);
        assert!(shown.stdout.contains("example.com/m"), "{shown:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), MODULE);
        site.run(&[], &["go", "mod", "edit", "-go=1.25", name])
            .expect(0);
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            MODULE.replace("1.24", "1.25")
        );
    }
}

#[test]
fn a_test_binary_is_executed_by_the_tool_that_converts_its_output() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = site(env);
        let folder = site.work.join("dir");
        let run = |words: &[&str]| Ended::of(site.gosandbox(&[], words).current_dir(&folder));
        run(&["go", "test", "-c", "-o", "m.test", "."]).expect(0);
        let words = ["go", "tool", "test2json", "-p", "x", "./m.test", "-test.v"];
        let ended = run(&words).expect(0);
        assert!(
            ended.stdout.contains(r#""Action":"pass","Package":"x""#),
            "{ended:?}"
        );
    }
}

#[test]
fn go_mod_is_changed_by_whoever_asks_for_it() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let site = Site::new(env);
        site.file("go.mod", "module example.com/m\n\ngo 1.24\n\nrequire example.com/d v0.0.0\n\nreplace example.com/d => ./d\n");
        site.file("d/go.mod", "module example.com/d\n\ngo 1.24\n\nrequire example.com/e v0.0.0\n\nreplace example.com/e => ../e\n");
        site.file("d/d.go", "package d\n");
        site.file(
            "m.go",
            "package m\n\nimport _ \"example.com/d\"\nimport _ \"example.com/e\"\n",
        );
        site.file("e/go.mod", "module example.com/e\n\ngo 1.24\n");
        site.file("e/e.go", "package e\n");
        let text = fs::read_to_string(site.work.join("go.mod")).unwrap();
        site.file("go.mod", &format!("{text}\nreplace example.com/e => ./e\n"));
        site.settle();
        site.run(&[], &["go", "build", "./..."]).expect(1);
        // What a repository says in GOFLAGS is nobody's wish.
        let flags = site
            .gosandbox(&[], &["go", "build", "./..."])
            .env("GOFLAGS", "-mod=mod")
            .output();
        assert_eq!(flags.unwrap().status.code(), Some(1));
        let words = ["go", "build", "-mod=mod", "./..."];
        let pinned = site.file(".gosandbox.toml", "[modules]\nmod-flag = \"readonly\"\n");
        site.give(&pinned);
        site.run(&[], &words).expect(125).refused("flag-refused");
        fs::remove_file(pinned).unwrap();
        site.run(&[], &words).expect(0);
        let after = fs::read_to_string(site.work.join("go.mod")).unwrap();
        assert!(after.contains("example.com/e v0.0.0"), "{after}");
    }
}
