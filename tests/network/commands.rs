//! Commands that fetch a program and run it.

use crate::{Env, Scene};

const PROGRAM: &str = "package main\n\nimport \"net\"\n\nfunc main() {\n\t_, err := net.Dial(\"tcp\", \"127.0.0.1:9419\")\n\tprintln(\"fetched and run\", err != nil)\n}\n";

/// A module with a program, which says whether the gateway's port is out of its reach.
fn with_program(env: Env) -> Scene {
    let scene = Scene::new(env);
    let files = [
        ("go.mod", "module example.test/tools\n\ngo 1.21\n"),
        ("say/main.go", PROGRAM),
    ];
    scene.modules.add("example.test/tools", "v1.0.0", &files);
    scene.settle();
    scene
}

#[test]
fn go_run_of_a_version_fetches_and_the_program_has_no_way_out() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let scene = with_program(env);
        let words = ["go", "run", "example.test/tools/say@v1.0.0"];
        scene
            .run(&[], &words)
            .expect(0)
            .says("fetched and run true");
    }
}

#[test]
fn go_install_of_a_version_fetches_and_leaves_the_program_where_bare_go_does() {
    let scene = with_program(Env::User);
    let words = ["go", "install", "example.test/tools/say@v1.0.0"];
    scene.run(&[], &words).expect(0);
    assert!(scene.site.home.join("go/bin/say").exists());
}

#[test]
fn a_tool_that_is_missing_is_fetched_first_and_runs_without_network() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let scene = with_program(env);
        let words = ["go", "get", "-tool", "example.test/tools/say@v1.0.0"];
        scene.run(&[], &words).expect(0);
        scene.forget();
        scene.site.warm_cache_of_home();
        let ended = scene.run(&[], &["go", "tool", "say"]).expect(0);
        ended.says("fetched and run true");
    }
}

/// Directives run without network: what they name is fetched before, and needs no checksum database then.
#[test]
fn what_directives_run_by_its_version_is_fetched_first() {
    for env in Env::ALL.into_iter().filter(|env| env.is_here()) {
        let scene = with_program(env);
        for version in ["v1.0.0", "latest"] {
            let directive =
                format!("package main\n\n//go:generate go run example.test/tools/say@{version}\n");
            scene.site.file("generate.go", &directive);
            scene.settle();
            scene.site.warm_cache_of_home();
            let ended = scene.run(&[], &["go", "generate"]).expect(0);
            ended.says("fetched and run true");
            scene.forget();
        }
    }
}

#[test]
fn what_a_directive_runs_and_cannot_be_fetched_is_named_with_what_helps() {
    let scene = with_program(Env::User);
    let directive = "package main\n\n//go:generate go run example.test/none/x@v1.0.0\n";
    scene.site.file("generate.go", directive);
    scene.settle();
    let ended = scene.run(&[], &["go", "generate"]);
    assert_ne!(ended.status, 0);
    ended
        .says("cannot fetch example.test/none/x@v1.0.0")
        .says("go get -tool example.test/none/x@v1.0.0");
}
