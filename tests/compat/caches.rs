//! Caches that are kept from one run to the next.

use super::*;

const PROGRAM: &str = "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hi\") }\n";

fn program(site: &Site) {
    site.file("go.mod", MODULE);
    site.file("main.go", PROGRAM);
    site.settle();
}

/// With caches for this project alone: others have tests write the usual ones at the same time.
fn run(site: &Site, words: &[&str]) -> Ended {
    let cache = site.cache_apart();
    let options = ["--cache-dir", cache.to_str().unwrap()];
    Ended::of(&mut site.gosandbox_apart(&options, words))
}

/// `make` after `go build` does not compile the standard library again.
#[test]
fn what_the_go_command_has_built_is_there_for_go_commands_of_programs() {
    for site in sites() {
        program(&site);
        run(&site, &["go", "build", "-o", "program", "."]).expect(0);
        // Not the same program: go compiles nothing for one that is as it should be.
        let words = ["sh", "-c", "go build -v -o /dev/null . 2>&1"];
        let ended = run(&site, &words).expect(0);
        // The project's own package, and nothing of Go's.
        assert_eq!(ended.stdout, "example.com/m\n", "{:?}", site.env);
    }
}

/// What one project has built is nothing for the programs of another one to read.
#[test]
fn the_programs_cache_has_nothing_of_other_projects() {
    const SECRET: &str = "a-private-constant";
    for site in sites() {
        program(&site);
        let source = PROGRAM.replace("hi", SECRET);
        site.file("main.go", &source);
        site.settle();
        site.run(&[], &["go", "build", "-o", "program", "."])
            .expect(0);
        let other = Site::new(site.env);
        program(&other);
        let look = format!("go build . && grep -rl {SECRET} \"$GOCACHE\" || echo nothing");
        let ended = other.run(&[], &["sh", "-c", &look]).expect(0);
        assert_eq!(ended.stdout, "nothing\n", "{:?}", site.env);
    }
}

/// It is a copy: what programs write there is nobody else's.
#[test]
fn programs_poison_their_own_cache_alone() {
    for site in sites() {
        program(&site);
        let build = ["go", "build", "-o", "program", "."];
        run(&site, &build).expect(0);
        let poison = "go build -o program . && for file in \"$GOCACHE\"/??/*-d; do [ ! -f \"$file\" ] || \
                      echo evil >\"$file\"; done && echo poisoned";
        run(&site, &["sh", "-c", poison]).expect(0).says("poisoned");
        run(&site, &build).expect(0);
        run(&site, &["go", "vet", "."]).expect(0);
        let trusted = fs::read_dir(site.root.join("cache/go-build")).unwrap();
        let folders = trusted.flatten().map(|entry| entry.path());
        let files = folders
            .filter(|path| path.is_dir())
            .flat_map(|path| fs::read_dir(path).unwrap());
        let mut read = files
            .flatten()
            .filter_map(|file| fs::read(file.path()).ok());
        assert!(!read.any(|content| content == b"evil\n"), "{:?}", site.env);
    }
}

/// Tools keep what they know below `XDG_CACHE_HOME`: one for each project.
#[test]
fn tools_keep_their_caches_from_run_to_run_for_one_project() {
    for env in Env::ALL {
        if !env.is_here() {
            continue;
        }
        let (site, other) = (hello(env), hello(env));
        let words = |text| ["sh", "-c", text];
        let keep = "mkdir -p \"$XDG_CACHE_HOME/tool\" && echo known >\"$XDG_CACHE_HOME/tool/file\"";
        site.run(&[], &words(keep)).expect(0);
        let read = "cat \"$XDG_CACHE_HOME/tool/file\" || echo none";
        site.run(&[], &words(read)).expect(0).says("known");
        other.run(&[], &words(read)).expect(0).says("none");
    }
}

/// As CI services restore them. Here it is root who has saved them.
#[test]
fn a_cache_of_another_user_is_named_with_what_helps() {
    if !needs_root("caches of several users") {
        return;
    }
    for env in [Env::User, Env::Restricted, Env::Root, Env::Container] {
        let site = Site::new(env);
        program(&site);
        let cache = site.root.join("cache");
        let built = cache.join("go-build");
        fs::create_dir_all(built.join("00")).unwrap();
        let other = Some(4711);
        for folder in [&built, &built.join("00")] {
            std::os::unix::fs::chown(folder, other, other).unwrap();
        }
        let run = || {
            let mut command = site.gosandbox_apart(&[], &["go", "build", "-o", "program", "."]);
            command.env("GOCACHE", &built);
            Ended::of(&mut command)
        };
        let ended = run();
        assert_ne!(ended.status, 0, "{env:?}: {ended:?}");
        let ended = ended.says("belongs to user 4711").says("chown -R ");
        let line = ended
            .stderr
            .lines()
            .find_map(|line| line.split_once("chown -R "));
        let (owner, _) = line.unwrap().1.split_once(' ').unwrap();
        let owner = owner.parse().ok();
        for folder in [&built, &built.join("00")] {
            std::os::unix::fs::chown(folder, owner, None).unwrap();
        }
        run().expect(0);
    }
}
