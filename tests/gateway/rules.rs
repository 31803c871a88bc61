//! The policy by path, as the go command and a raw client see it.

use gosandbox::policy::Modules;

use crate::inside::{Inside, modules, of};
use crate::modules::{Module, OLD, Tree};
use crate::proxy::Proxy;

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|one| (*one).to_owned()).collect()
}

fn young() -> String {
    format!("{:.0}", jiff::Timestamp::now())
}

/// Three old versions, and one of now.
fn ages() -> Tree {
    let (mut tree, now) = (Tree::default(), young());
    for (version, time) in [
        ("v1.0.0", OLD),
        ("v1.1.0", OLD),
        ("v1.10.0-rc.1", OLD),
        ("v1.2.0", now.as_str()),
    ] {
        tree.module(&Module {
            path: "example.com/a",
            version,
            time,
            files: &[("a.go", "package a\n")],
            requires: "",
        });
    }
    let latest = tree.0["/example.com/a/@v/v1.2.0.info"].clone();
    tree.0.insert("/example.com/a/@latest".to_owned(), latest);
    tree
}

#[test]
fn what_is_denied_or_not_allowed_is_never_asked_for() {
    let tree = ages();
    let proxy = Proxy::https(move |asked| tree.answer(asked));
    let inside = Inside::new(Modules {
        allow: words(&["example.com/*"]),
        deny: words(&["example.com/evil"]),
        places: [(
            "modules.deny example.com/evil".to_owned(),
            "/p.toml:7".to_owned(),
        )]
        .into(),
        ..of(&proxy)
    });
    for path in [
        "@v/list",
        "@latest",
        "@v/v1.0.0.info",
        "@v/v1.0.0.mod",
        "@v/v1.0.0.zip",
    ] {
        assert_eq!(
            inside.status_line(&format!("example.com/evil/{path}")),
            "HTTP/1.1 403 refused by gosandbox: modules.deny example.com/evil (/p.toml:7)"
        );
        let line = inside.status_line(&format!("example.org/a/{path}"));
        assert_eq!(
            line,
            "HTTP/1.1 403 refused by gosandbox: modules.allow does not name it"
        );
    }
    // An escaped letter is the same module.
    let line = inside.status_line("example.com/%65vil/@v/list");
    assert!(line.starts_with("HTTP/1.1 400 "), "{line}");
    assert!(proxy.asked().is_empty());
    let refused = inside.events("module-refused");
    assert_eq!(
        refused[0]["rule"],
        "modules.deny example.com/evil (/p.toml:7)"
    );
    assert_eq!(refused[0]["module"], "example.com/evil");
    assert_eq!(refused[0]["code"], "module-denied");
    assert_eq!(refused[0]["layer"], "gateway");
    assert_eq!(refused[0]["run"], super::inside::RUN);
    assert_eq!(refused[0]["schema"], 2);
    let others = |line: &&serde_json::Value| line["code"] == "module-not-allowed";
    assert_eq!(
        refused.iter().find(others).unwrap()["subject"],
        "example.org/a"
    );
    let summary = inside.finish();
    assert!(
        summary
            .refused
            .iter()
            .any(|one| one.contains("example.com/evil@v1.0.0: "))
    );
}

#[test]
fn a_version_that_is_too_young_is_refused_and_left_out() {
    let tree = ages();
    let proxy = Proxy::https(move |asked| tree.answer(asked));
    let inside = Inside::new(Modules {
        min_age: Some(7 * 86400),
        ..of(&proxy)
    });
    let text = |path: &str| String::from_utf8(inside.get(path).1.unwrap()).unwrap();
    assert_eq!(
        text("example.com/a/@v/list"),
        "v1.0.0\nv1.1.0\nv1.10.0-rc.1\n"
    );
    assert!(text("example.com/a/@latest").contains("v1.1.0"));
    for kind in ["info", "mod", "zip"] {
        let line = inside.status_line(&format!("example.com/a/@v/v1.2.0.{kind}"));
        assert!(
            line.starts_with("HTTP/1.1 403 refused by gosandbox: modules.min-age wants"),
            "{line}"
        );
        assert_eq!(
            inside.get(&format!("example.com/a/@v/v1.1.0.{kind}")).0,
            "200"
        );
    }
    // What was learnt is not asked for again.
    let infos = || {
        proxy
            .paths()
            .iter()
            .filter(|path| path.ends_with("v1.2.0.info"))
            .count()
    };
    let before = infos();
    assert_eq!(text("example.com/a/@v/list").lines().count(), 3);
    assert_eq!(infos(), before);
}

#[test]
fn an_age_that_cannot_be_told_is_too_young() {
    let mut tree = ages();
    for (version, info) in [
        ("v1.0.0", r#"{"Version":"v1.0.0"}"#),
        ("v1.1.0", r#"{"Version":"v1.1.0","Time":"yesterday"}"#),
        // The time of another version.
        (
            "v1.10.0-rc.1",
            r#"{"Version":"v1.0.0","Time":"2020-01-02T03:04:05Z"}"#,
        ),
    ] {
        tree.0
            .insert(format!("/example.com/a/@v/{version}.info"), info.into());
    }
    let proxy = Proxy::https(move |asked| tree.answer(asked));
    let inside = Inside::new(Modules {
        min_age: Some(60),
        ..of(&proxy)
    });
    for version in ["v1.0.0", "v1.1.0", "v1.10.0-rc.1"] {
        assert_eq!(
            inside.get(&format!("example.com/a/@v/{version}.zip")).0,
            "403",
            "{version}"
        );
    }
    assert_eq!(inside.get("example.com/a/@v/list").1.unwrap(), b"");
    assert_eq!(inside.get("example.com/a/@latest").0, "403");
    assert_eq!(inside.get("example.com/a/@v/v9.9.9.zip").0, "404");
}

#[test]
fn a_private_module_is_asked_of_its_own_upstream_only() {
    let mut own = Tree::default();
    own.module(&Module {
        path: "git.example.com/p",
        version: "v1.0.0",
        time: &young(),
        files: &[("p.go", "package p\n")],
        requires: "",
    });
    let private = Proxy::https(move |asked| own.answer(asked));
    // It would answer for private names too, as a dependency confusion does.
    let mut confused = ages();
    confused.hello("git.example.com/p", "v9.0.0");
    let public = Proxy::https(move |asked| confused.answer(asked));
    let inside = Inside::new(Modules {
        ca: vec![private.ca.clone(), public.ca.clone()],
        private: words(&["git.example.com/*"]),
        private_upstreams: [("git.example.com/*".to_owned(), private.address.clone())].into(),
        min_age: Some(3600),
        ..modules(&public.address)
    });
    // However young: it is the user's own.
    assert_eq!(
        inside.get("git.example.com/p/@v/list").1.unwrap(),
        b"v1.0.0\n"
    );
    assert_eq!(inside.get("git.example.com/p/@v/v1.0.0.zip").0, "200");
    assert_eq!(inside.get("git.example.com/q/@v/list").0, "404");
    assert!(public.asked().is_empty());
    assert_eq!(inside.get("example.com/a/@v/v1.0.0.zip").0, "200");
    assert!(
        private
            .paths()
            .iter()
            .all(|path| path.starts_with("/git.example.com/"))
    );
}
