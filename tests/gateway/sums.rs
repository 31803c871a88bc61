//! The checksum database through the gateway: the go command itself verifies what it says.

use gosandbox::policy::Modules;

use crate::database::{Database, NAME};
use crate::inside::{Inside, Project, of};
use crate::modules::{Module, OLD, Tree};
use crate::proxy::{Answer, Proxy};

const VERSIONS: [(&str, &str); 3] = [
    ("example.com/a", "v1.0.0"),
    ("example.com/b", "v1.0.0"),
    ("example.com/c", "v1.0.0"),
];

fn honest() -> Tree {
    let mut tree = Tree::default();
    for (path, version) in VERSIONS {
        tree.hello(path, version);
    }
    tree
}

fn tampered() -> Tree {
    let mut tree = honest();
    tree.module(&Module {
        path: "example.com/b",
        version: "v1.0.0",
        time: OLD,
        files: &[(
            "b.go",
            "package b\n\nfunc Hello() string { return \"evil\" }\n",
        )],
        requires: "",
    });
    tree
}

fn project(inside: &Inside, verifier: &str, module: &str) -> Project {
    let project = Project::new(inside).sumdb(verifier);
    project
        .file("go.mod", "module example.org/mine\n\ngo 1.21\n")
        .file(
            "a.go",
            &format!("package a\n\nimport _ \"example.com/{module}\"\n"),
        );
    project
}

/// The policy's database, by its name alone: it is asked through the upstream.
fn with_database(proxy: &Proxy, database: &Database) -> Modules {
    Modules {
        checksum_database: database.verifier(),
        ..of(proxy)
    }
}

#[test]
fn an_honest_module_passes_and_a_tampered_one_is_refused_by_go() {
    let database = Database::new(&honest(), &VERSIONS);
    let mut served = tampered();
    database.add_to(&mut served);
    let proxy = Proxy::https(move |asked| served.answer(asked));
    let inside = Inside::new(with_database(&proxy, &database));
    let verifier = database.verifier();
    for module in ["a", "c"] {
        let project = project(&inside, &verifier, module);
        project.good(&["mod", "tidy"]);
        project.good(&["build", "./..."]);
        assert!(
            project
                .read("go.sum")
                .contains(&format!("example.com/{module} v1.0.0 h1:"))
        );
    }
    let said = project(&inside, &verifier, "b").bad(&["mod", "tidy"]);
    assert!(
        said.contains("SECURITY ERROR") && said.contains("checksum mismatch"),
        "{said}"
    );
}

#[test]
fn a_database_with_an_address_is_asked_there_and_no_upstream_hears_of_it() {
    let database = Database::new(&honest(), &VERSIONS);
    let mut served = Tree::default();
    for (path, body) in database.paths() {
        served.0.insert(format!("/{path}"), body);
    }
    let own = Proxy::https(move |asked| served.answer(asked));
    let tree = honest();
    let upstream = Proxy::https(move |asked| tree.answer(asked));
    let inside = Inside::new(Modules {
        ca: vec![own.ca.clone(), upstream.ca.clone()],
        checksum_database: format!("{} {}", database.verifier(), own.address),
        ..of(&upstream)
    });
    let project = project(&inside, &database.verifier(), "a");
    project.good(&["mod", "tidy"]);
    assert!(
        own.paths()
            .iter()
            .any(|path| path.starts_with("/lookup/example.com/a@"))
    );
    assert!(upstream.paths().iter().all(|path| !path.contains("sumdb")));
}

#[test]
fn a_signature_that_was_tampered_with_is_refused_by_go() {
    let database = Database::new(&tampered(), &VERSIONS);
    let mut served = tampered();
    database.add_to(&mut served);
    // The record says what the upstream serves, but the tree's signature is not over it.
    let other = Database::new(&honest(), &VERSIONS).paths();
    for path in ["latest", "tile/8/0/000.p/3"] {
        served
            .0
            .insert(format!("/sumdb/{NAME}/{path}"), other[path].clone());
    }
    let proxy = Proxy::https(move |asked| served.answer(asked));
    let inside = Inside::new(with_database(&proxy, &database));
    let said = project(&inside, &database.verifier(), "b").bad(&["mod", "tidy"]);
    assert!(
        said.contains("SECURITY ERROR") || said.contains("verif"),
        "{said}"
    );
}

#[test]
fn a_module_that_cannot_be_looked_up_is_refused_and_written_down() {
    let database = Database::new(&honest(), &VERSIONS);
    let tree = honest();
    let proxy = Proxy::https(move |asked| match asked.path.starts_with("/sumdb/") {
        true if asked.path.ends_with("/supported") => Answer::Whole(Vec::new()),
        true => Answer::Status(500, "down".to_owned()),
        false => tree.answer(asked),
    });
    let inside = Inside::new(with_database(&proxy, &database));
    let said = project(&inside, &database.verifier(), "a").bad(&["mod", "tidy"]);
    assert!(said.contains("500 Internal Server Error"), "{said}");
    let refused = inside.events("module-refused");
    let lookup = refused
        .iter()
        .find(|line| line["module"] == "example.com/a")
        .unwrap();
    assert_eq!(lookup["code"], "checksum-unconfirmed");
    assert_eq!(lookup["rule"], "modules.checksum-database");
    assert_eq!(lookup["version"], "v1.0.0");
    assert!(
        inside
            .finish()
            .refused
            .iter()
            .any(|one| one.contains("modules.checksum-database"))
    );
}

#[test]
fn other_databases_and_private_names_are_not_passed_on() {
    let database = Database::new(&honest(), &VERSIONS);
    let mut served = honest();
    database.add_to(&mut served);
    let proxy = Proxy::https(move |asked| served.answer(asked));
    let inside = Inside::new(Modules {
        private: vec!["example.com/a".to_owned()],
        deny: vec!["example.com/b".to_owned()],
        ..with_database(&proxy, &database)
    });
    assert_eq!(inside.get(&format!("sumdb/{NAME}/supported")).0, "200");
    assert_eq!(inside.get("sumdb/sum.golang.org/supported").0, "404");
    assert_eq!(
        inside
            .get("sumdb/sum.golang.org/lookup/example.com/c@v1.0.0")
            .0,
        "404"
    );
    let lookup = |module: &str| inside.status_line(&format!("sumdb/{NAME}/lookup/{module}@v1.0.0"));
    assert!(lookup("example.com/a").contains("403 refused by gosandbox: modules.private"));
    assert!(lookup("example.com/b").contains("403 refused by gosandbox: modules.deny"));
    assert!(lookup("example.com/c").contains("200 OK"));
    let refused = inside.events("module-refused");
    let codes: Vec<_> = refused.iter().map(|line| &line["code"]).collect();
    assert_eq!(codes, ["module-private", "module-denied"]);
    assert!(
        proxy
            .paths()
            .iter()
            .all(|path| !path.contains("lookup/example.com/a@"))
    );
    // For which go does not ask either.
    let project = project(&inside, &database.verifier(), "a").nosumdb("example.com/a");
    project.good(&["mod", "tidy"]);
}

#[test]
fn a_private_module_that_is_not_exempt_is_looked_up_though_its_upstream_is_another() {
    let database = Database::new(&honest(), &VERSIONS);
    let mut served = Tree::default();
    database.add_to(&mut served);
    let public = Proxy::https(move |asked| served.answer(asked));
    for (tree, passes) in [(honest(), true), (tampered(), false)] {
        let own = Proxy::https(move |asked| tree.answer(asked));
        let inside = Inside::new(Modules {
            ca: vec![own.ca.clone(), public.ca.clone()],
            private_upstreams: [("example.com/b".to_owned(), own.address.clone())].into(),
            ..with_database(&public, &database)
        });
        let project = project(&inside, &database.verifier(), "b");
        match passes {
            true => project.good(&["mod", "tidy"]),
            false => project.bad(&["mod", "tidy"]),
        };
        let of_b = |paths: Vec<String>| paths.iter().any(|path| path.ends_with("/b/@v/v1.0.0.mod"));
        assert!(of_b(own.paths()) && !of_b(public.paths()));
        assert!(
            public
                .paths()
                .iter()
                .any(|path| path.contains("lookup/example.com/b@"))
        );
    }
}

#[test]
fn nothing_is_looked_up_where_upstreams_are_off() {
    let own = Proxy::https(|_| Answer::Whole(Vec::new()));
    let database = Database::new(&honest(), &VERSIONS);
    let inside = Inside::new(Modules {
        upstreams: "off".to_owned(),
        checksum_database: format!("{} {}", database.verifier(), own.address),
        ..of(&own)
    });
    for path in ["supported", "latest", "lookup/example.com/a@v1.0.0"] {
        let line = inside.status_line(&format!("sumdb/{NAME}/{path}"));
        assert!(line.contains("modules.upstreams is off"), "{line}");
    }
    assert!(own.asked().is_empty());
}
