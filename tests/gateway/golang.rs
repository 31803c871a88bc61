//! The real go command, run bare, with nothing but the gateway to fetch from.

use gosandbox::policy::Modules;

use crate::inside::{Inside, Project, modules, of};
use crate::modules::{Module, OLD, Tree};
use crate::proxy::{Answer, Asked, Proxy};
use crate::reachable::{Lacks, goroot, skip};

/// A library, one that requires it, and a command.
fn tree() -> Tree {
    let mut tree = Tree::default();
    tree.hello("example.com/low", "v1.0.0")
        .hello("example.com/low", "v1.1.0")
        .hello("example.com/Upper", "v1.0.0");
    tree.module(&Module {
        path: "example.com/high",
        version: "v1.0.0",
        time: OLD,
        files: &[(
            "high.go",
            "package high\n\nimport \"example.com/low\"\n\nfunc Hello() string { return low.Hello() }\n",
        )],
        requires: "\nrequire example.com/low v1.0.0\n",
    });
    tree.module(&Module {
        path: "example.com/tool",
        version: "v1.0.0",
        time: OLD,
        files: &[(
            "main.go",
            "package main\n\nimport \"example.com/high\"\n\nfunc main() { println(high.Hello()) }\n",
        )],
        requires: "\nrequire (\n\texample.com/high v1.0.0\n\texample.com/low v1.0.0\n)\n",
    });
    // go.sum of the command, as `go run pkg@version` needs none but a module that is built does.
    tree
}

fn proxy(tree: Tree) -> Proxy {
    Proxy::https(move |asked: &Asked| tree.answer(asked))
}

fn project(inside: &Inside) -> Project {
    let project = Project::new(inside);
    project
        .file("go.mod", "module example.org/mine\n\ngo 1.21\n")
        .file(
            "main.go",
            "package main\n\nimport \"example.com/high\"\n\nfunc main() { println(high.Hello()) }\n",
        )
        .file(
            "main_test.go",
            "package main\n\nimport (\n\t\"testing\"\n\n\t\"example.com/high\"\n)\n\n\
             func TestHello(t *testing.T) {\n\tif high.Hello() != \"example.com/low v1.0.0\" {\n\t\tt.Fatal(high.Hello())\n\t}\n}\n",
        );
    project
}

#[test]
fn the_whole_life_of_a_project_goes_through_the_gateway() {
    let proxy = proxy(tree());
    let inside = Inside::new(of(&proxy));
    let project = project(&inside);
    project.good(&["mod", "tidy"]);
    assert!(project.read("go.mod").contains("example.com/high v1.0.0"));
    project.good(&["mod", "download"]);
    project.good(&["build", "./..."]);
    project.good(&["test", "./..."]);
    assert_eq!(project.good(&["run", "."]).trim(), "example.com/low v1.0.0");
    project.good(&["get", "example.com/low@v1.1.0"]);
    assert_eq!(project.good(&["run", "."]).trim(), "example.com/low v1.1.0");
    project.good(&["get", "example.com/Upper@latest"]);
    let said = project.good(&["run", "example.com/tool@v1.0.0"]);
    assert!(said.contains("example.com/low v1.0.0"), "{said}");
    let listed = project.good(&["list", "-m", "-versions", "example.com/low"]);
    assert_eq!(listed.trim(), "example.com/low v1.0.0 v1.1.0");
    project.good(&["mod", "verify"]);
    let fetched: std::collections::BTreeSet<_> = inside
        .events("module-fetched")
        .into_iter()
        .filter(|line| line["file"] == "zip")
        .map(|line| format!("{}@{}", line["module"], line["version"]).replace('"', ""))
        .collect();
    let expected = [
        "example.com/Upper@v1.0.0",
        "example.com/high@v1.0.0",
        "example.com/low@v1.0.0",
        "example.com/low@v1.1.0",
        "example.com/tool@v1.0.0",
    ];
    assert_eq!(fetched.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn go_prints_the_rule_that_refused() {
    let proxy = proxy(tree());
    let inside = Inside::new(Modules {
        deny: vec!["example.com/low".to_owned()],
        places: [(
            "modules.deny example.com/low".to_owned(),
            "/p.toml:7".to_owned(),
        )]
        .into(),
        ..of(&proxy)
    });
    let said = project(&inside).bad(&["mod", "tidy"]);
    let rule = "403 refused by gosandbox: modules.deny example.com/low (/p.toml:7)";
    assert!(said.contains(rule), "{said}");
}

#[test]
fn go_picks_an_older_version_where_the_newest_is_too_young() {
    let mut tree = tree();
    let now = format!("{:.0}", jiff::Timestamp::now());
    tree.module(&Module {
        path: "example.com/low",
        version: "v1.2.0",
        time: &now,
        files: &[(
            "low.go",
            "package low\n\nfunc Hello() string { return \"new\" }\n",
        )],
        requires: "",
    });
    let proxy = proxy(tree);
    let inside = Inside::new(Modules {
        min_age: Some(86400),
        ..of(&proxy)
    });
    let project = project(&inside);
    project.good(&["get", "example.com/low@latest"]);
    assert!(project.read("go.mod").contains("example.com/low v1.1.0"));
    let said = project.bad(&["get", "example.com/low@v1.2.0"]);
    let refused = inside.events("module-refused");
    assert_eq!(refused[0]["code"], "module-too-young");
    assert_eq!(refused[0]["subject"], "example.com/low@v1.2.0");
    assert!(
        said.contains("modules.min-age wants versions that are 1 days old"),
        "{said}"
    );
}

#[test]
fn a_zip_that_go_sum_does_not_know_or_that_breaks_off_is_refused_by_go() {
    let known = tree();
    let mut tampered = tree();
    tampered.module(&Module {
        path: "example.com/low",
        version: "v1.0.0",
        time: OLD,
        files: &[(
            "low.go",
            "package low\n\nfunc Hello() string { return \"evil\" }\n",
        )],
        requires: "",
    });
    let sums = known.sums("example.com/low", "v1.0.0");
    let go = |answers: Proxy| {
        let inside = Inside::new(of(&answers));
        let project = Project::new(&inside);
        project
            .file(
                "go.mod",
                "module example.org/mine\n\ngo 1.21\n\nrequire example.com/low v1.0.0\n",
            )
            .file("go.sum", &sums)
            .file("a.go", "package a\n\nimport _ \"example.com/low\"\n");
        let output = project.go(&["build", "./..."]);
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    assert!(go(proxy(known.clone())).0);
    let (passed, said) = go(proxy(tampered));
    assert!(!passed && said.contains("checksum mismatch"), "{said}");
    let cut = Proxy::https(move |asked| match asked.path.ends_with(".zip") {
        true => {
            let whole = &known.0[&asked.path];
            Answer::Cut(whole.len(), whole[..whole.len() - 10].to_vec())
        }
        false => known.answer(asked),
    });
    let (passed, said) = go(cut);
    assert!(!passed && said.contains("EOF"), "{said}");
}

#[test]
fn go_sees_what_an_upstream_says_and_how_it_fails() {
    for (status, expected) in [
        (404, "404 Not Found"),
        (410, "410 Gone"),
        (500, "500 Internal Server Error"),
    ] {
        let proxy = Proxy::https(move |_| Answer::Status(status, "as upstream says".to_owned()));
        let inside = Inside::new(of(&proxy));
        let said = Project::new(&inside)
            .file("go.mod", "module example.org/mine\n\ngo 1.21\n")
            .bad(&["get", "example.com/low@v1.0.0"]);
        assert!(
            said.contains(expected) && said.contains("as upstream says"),
            "{said}"
        );
    }
}

/// The module proxy that this machine is configured for.
fn real_upstream() -> Option<(String, Option<String>)> {
    let output = std::process::Command::new(goroot().join("bin/go"))
        .args(["env", "GOPROXY"])
        .output()
        .ok()?;
    let list = String::from_utf8(output.stdout).ok()?;
    let first = list
        .trim()
        .split([',', '|'])
        .find(|one| one.starts_with("http"))?;
    // Credentials in the address would be the machine's own: they are not passed on.
    let (scheme, rest) = first.split_once("://")?;
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    Some((
        format!("{scheme}://{host}"),
        std::env::var("HTTPS_PROXY").ok(),
    ))
}

#[test]
fn a_real_module_comes_from_a_real_proxy() {
    let Some((upstream, https_proxy)) = real_upstream() else {
        return skip(Lacks::Internet, "no module proxy is configured here");
    };
    let caller = gosandbox::gateway::Caller {
        https_proxy,
        no_proxy: std::env::var("NO_PROXY").ok(),
        ..Default::default()
    };
    let inside = Inside::with(
        Modules {
            checksum_database: "sum.golang.org".to_owned(),
            ..modules(&upstream)
        },
        Default::default(),
        caller,
        gosandbox::gateway::Service::ModulesAndTunnel,
    );
    let line = inside.status_line("golang.org/x/text/@v/v0.3.0.mod");
    if !line.contains(" 200 ") {
        let reason = format!("the configured module proxy does not answer: {line}");
        return skip(Lacks::Internet, &reason);
    }
    let sums = inside.status_line("sumdb/sum.golang.org/lookup/golang.org/x/text@v0.3.0");
    let project = Project::new(&inside);
    let project = match sums.contains(" 200 ") {
        true => project.sumdb("sum.golang.org"),
        false => {
            let reason = format!("the checksum database cannot be reached from here: {sums}");
            skip(Lacks::Internet, &reason);
            project
        }
    };
    project
        .file(
            "go.mod",
            "module example.org/mine\n\ngo 1.21\n\nrequire golang.org/x/text v0.3.0\n",
        )
        .file(
            "a.go",
            "package a\n\nimport _ \"golang.org/x/text/unicode/norm\"\n",
        );
    project.good(&["mod", "tidy"]);
    project.good(&["build", "./..."]);
    let sum = "golang.org/x/text v0.3.0 h1:g61tztE5qeGQ89tm6NTjjM9VPIm088od1l6aSorWRWg=";
    assert!(
        project.read("go.sum").contains(sum),
        "{}",
        project.read("go.sum")
    );
    assert!(
        inside
            .events("module-fetched")
            .iter()
            .any(|line| line["file"] == "zip")
    );
}
