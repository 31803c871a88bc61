//! go.work, found and named by GOWORK.

use super::*;

fn project(env: Env) -> Site {
    let site = Site::new(env);
    site.file("go.mod", MODULE);
    site.file("m.go", "package m\n");
    site.file("ws/go.work", "go 1.21\n\nuse (\n\t..\n\t../other\n)\n");
    site.file("other/go.mod", "module example.com/other\n\ngo 1.21\n");
    site.file("other/other.go", "package other\n");
    site.settle();
    site
}

/// In a folder of the work tree.
fn run(site: &Site, folder: &str, gowork: &str, options: &[&str], words: &[&str]) -> Ended {
    let mut command = site.gosandbox(options, words);
    command.env("GOWORK", gowork);
    Ended::of(command.current_dir(site.work.join(folder)))
}

#[test]
fn one_within_the_module_applies_in_its_folder() {
    for site in Env::ALL
        .into_iter()
        .filter(|env| env.is_here())
        .map(project)
    {
        let list = ["go", "list", "-m"];
        let within = run(&site, "ws", "", &[], &list).expect(0);
        assert_eq!(within.stdout, "example.com/m\nexample.com/other\n");
        let above = run(&site, "", "", &[], &list).expect(0);
        assert_eq!(above.stdout, "example.com/m\n");
    }
}

#[test]
fn the_one_that_gowork_names_may_have_any_name_and_need_not_be_there() {
    for site in Env::ALL
        .into_iter()
        .filter(|env| env.is_here())
        .map(project)
    {
        let odd = site.file("odd", "go   1.21\n");
        site.give(&odd);
        let shown = run(
            &site,
            "",
            odd.to_str().unwrap(),
            &[],
            &["go", "work", "edit", "-print", "-fmt"],
        );
        assert_eq!(shown.expect(0).stdout, "go 1.21\n");
        let missing = site.work.join("missing.work");
        let missing = missing.to_str().unwrap();
        let ended = run(&site, "", missing, &[], &["go", "list", "-m"]).expect(1);
        assert!(
            ended.stderr.contains("missing.work") && !ended.stderr.contains("gosandbox"),
            "{ended:?}"
        );
        run(&site, "", missing, &[], &["go", "version"]).expect(0);
        // Without namespaces go makes no file at the top of the tree.
        let new = site.work.join("other/new.work");
        run(
            &site,
            "",
            new.to_str().unwrap(),
            &[],
            &["go", "work", "init", "."],
        )
        .expect(0);
        let text = fs::read_to_string(&new).unwrap();
        assert!(text.contains("use .."), "{text}");
    }
}

#[test]
fn one_apart_from_the_project_is_used_as_far_as_it_is_granted() {
    for site in Env::ALL
        .into_iter()
        .filter(|env| env.is_here())
        .map(project)
    {
        let folder = site.outside.join("ws");
        let file = folder.join("go.work");
        write(&file, "go 1.21\n");
        site.give(&folder);
        site.give(&file);
        let [folder, file] = [&folder, &file].map(|path| path.to_str().unwrap());
        let shows = ["go", "work", "edit", "-json"];
        let init = ["go", "work", "init"];
        let new = format!("{folder}/new.work");
        run(&site, "", file, &[], &shows)
            .expect(125)
            .refused("go-work-refused");
        run(&site, "", file, &["--ro", folder], &shows).expect(0);
        run(&site, "", &new, &[], &init)
            .expect(125)
            .refused("go-work-refused");
        // Go itself says nothing of a file that it cannot write.
        run(&site, "", &new, &["--ro", folder], &init)
            .expect(125)
            .refused("go-work-refused");
        assert!(!Path::new(&new).exists(), "{:?}", site.env);
        run(&site, "", &new, &["--rw", folder], &init).expect(0);
        assert!(Path::new(&new).exists(), "{:?}", site.env);
    }
}
