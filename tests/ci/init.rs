//! `gosandbox init`.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::{Ended, Env, Site};

fn project() -> Site {
    let site = Site::new(Env::User);
    site.file("go.mod", "module example.test/hello\n\ngo 1.21\n");
    site.file("hello.go", "package hello\n");
    site.file(
        ".git/config",
        "[remote \"origin\"]\n\turl = git@github.com:example/hello.git\n",
    );
    site.file(".git/HEAD", "ref: refs/heads/main\n");
    site.settle();
    site
}

fn init(site: &Site, words: &[&str]) -> Ended {
    let words = [&["init"][..], words].concat();
    Ended::of(&mut site.subcommand(&words))
}

#[test]
fn the_files_of_the_ci_that_the_project_uses_are_written_and_hold() {
    let site = project();
    let ended = init(&site, &[]).expect(0);
    ended
        .says(".github/workflows/gosandbox.yml: written")
        .says("GOSANDBOX_SHA256");
    let text = fs::read_to_string(site.work.join(".github/workflows/gosandbox.yml")).unwrap();
    let workflow: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
    let steps = workflow["jobs"]["test"]["steps"].as_sequence().unwrap();
    let own = steps.last().unwrap();
    assert_eq!(own["uses"].as_str(), Some("./.github/actions/gosandbox"));
    let action = fs::read_to_string(site.work.join(".github/actions/gosandbox/action.yml"));
    let action: serde_yaml_ng::Value = serde_yaml_ng::from_str(&action.unwrap()).unwrap();
    // What the workflow gives the action knows.
    for (name, _) in own["with"].as_mapping().unwrap() {
        assert!(!action["inputs"][name].is_null(), "{name:?}");
    }
    // A run takes the project's own file.
    site.run(&[], &["go", "list", "-m"]).expect(0);
    let shown = Ended::of(&mut site.subcommand(&["policy", "show"])).expect(0);
    shown.says("1h");
    let ended = init(&site, &["gitlab"]).expect(0);
    let ended = ended.says(".gosandbox.toml: left as it is");
    ended.says(".gitlab-ci.yml: written");
    let text = fs::read_to_string(site.work.join(".gitlab-ci.yml")).unwrap();
    let pipeline: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
    assert_eq!(
        pipeline["gosandbox"]["extends"].as_str(),
        Some(".gosandbox")
    );
}

#[test]
fn a_module_in_a_folder_of_the_repository_is_run_there() {
    let site = project();
    fs::rename(site.work.join("go.mod"), site.work.join("go.mod.old")).unwrap();
    site.file("sub dir/go.mod", "module example.test/sub\n\ngo 1.21\n");
    site.settle();
    init(&site, &["-C", "sub dir"])
        .expect(0)
        .says("sub dir/.gosandbox.toml");
    let text = fs::read_to_string(site.work.join(".github/workflows/gosandbox.yml")).unwrap();
    let workflow: serde_yaml_ng::Value = serde_yaml_ng::from_str(&text).unwrap();
    let steps = workflow["jobs"]["test"]["steps"].as_sequence().unwrap();
    assert_eq!(steps[2]["with"]["directory"].as_str(), Some("sub dir"));
    let version = steps[1]["with"]["go-version-file"].as_str();
    assert_eq!(version, Some("sub dir/go.mod"));
}

#[test]
fn nothing_that_is_there_is_changed_and_no_link_leads_out() {
    let site = project();
    site.file(".github/workflows/gosandbox.yml", "mine\n");
    let victim = site.outside.join("victim");
    symlink(&victim, site.work.join(".gosandbox.toml")).unwrap();
    symlink(&site.outside, site.work.join(".gitlab")).unwrap();
    site.settle();
    let ended = init(&site, &["github"]).expect(0);
    ended
        .says("gosandbox.yml: left as it is")
        .says(".gosandbox.toml: left as it is");
    assert_eq!(
        fs::read_to_string(site.work.join(".github/workflows/gosandbox.yml")).unwrap(),
        "mine\n"
    );
    init(&site, &["gitlab"]).expect(125).refused("init-refused");
    assert_eq!(fs::read_dir(&site.outside).unwrap().count(), 0);
}

#[test]
fn a_folder_without_a_module_is_refused() {
    let site = Site::new(Env::User);
    site.settle();
    init(&site, &[]).expect(125).refused("init-refused");
    init(&site, &["jenkins"])
        .expect(125)
        .refused("command-unclear");
    assert_eq!(site.listing(), [""; 0].map(std::path::PathBuf::from));
}
