use super::*;
use proptest::prelude::*;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn verdict(command: &str, line: &str) -> Result<(), String> {
    let judge = Judge {
        command,
        place: "the command line",
        allow: &[],
        cwd: Path::new("/p"),
        root: Some(Path::new("/p")),
        race: false,
        keeps_requirements: true,
    };
    judge
        .check(&parse(command, &words(line)).flags)
        .map_err(|e| e.refused[0].flag.clone())
}

#[test]
fn dangerous_flags_are_refused_in_every_spelling() {
    for (command, line, flag) in [
        ("build", "-toolexec /tmp/x ./...", "-toolexec"),
        ("build", "--toolexec=/tmp/x ./...", "-toolexec"),
        ("build", "-v -o out -toolexec=x", "-toolexec"),
        ("test", "./... -exec= -v", "-exec"),
        ("test", "-run X ./... -count=1 --exec /tmp/x", "-exec"),
        ("run", "-exec=/tmp/x .", "-exec"),
        ("vet", "-vettool=/tmp/x", "-vettool"),
        ("fix", "-fixtool /tmp/x", "-fixtool"),
        ("build", "-overlay=o.json", "-overlay"),
        ("build", "-modfile=/tmp/go.mod", "-modfile"),
        ("build", "-modfile=../go.mod", "-modfile"),
        ("build", "-ldflags=-extld=/tmp/x", "-ldflags"),
        ("list", "-mod=mod ./...", "-mod=mod"),
        ("test", "-race ./...", "-race"),
        ("build", "-compiler=gccgo", "-compiler"),
    ] {
        assert_eq!(
            verdict(command, line),
            Err(flag.to_owned()),
            "{command} {line}"
        );
    }
}

#[test]
fn ordinary_lines_pass() {
    for (command, line) in [
        ("build", "-o /tmp/x -trimpath -ldflags -s ./..."),
        ("test", "-run -exec ./..."),
        ("test", "./... -args -exec=x"),
        ("test", ". -custom -- -exec=x"),
        ("run", ". -exec=x -toolexec=y"),
        ("build", "-buildmode=c-shared -linkshared"),
        ("mod tidy", "-v"),
        ("build", "-mod=vendor -race=false"),
        ("build", "-tags -toolexec=x"),
    ] {
        assert_eq!(verdict(command, line), Ok(()), "{command} {line}");
    }
}

#[test]
fn a_flag_that_the_profile_allows_passes() {
    let allow = ["-overlay".to_owned()];
    let judge = Judge {
        command: "build",
        place: "",
        allow: &allow,
        cwd: Path::new("/"),
        root: None,
        race: false,
        keeps_requirements: false,
    };
    assert_eq!(
        judge.check(&parse("build", &words("-overlay o.json")).flags),
        Ok(())
    );
}

#[test]
fn a_caller_who_asks_for_it_has_go_change_go_mod() {
    let judge = |keeps_requirements| Judge {
        command: "build",
        place: "",
        allow: &[],
        cwd: Path::new("/"),
        root: None,
        race: false,
        keeps_requirements,
    };
    let flags = parse("build", &words("-mod=mod ./...")).flags;
    assert_eq!(judge(false).check(&flags), Ok(()));
    let refused = judge(true).check(&flags).unwrap_err();
    assert_eq!(refused.refused[0].flag, "-mod=mod");
}

#[test]
fn test_lines_are_taken_apart_as_go_test_does() {
    let parsed = parse("test", &words("-v a b -custom c -run X d -count=1"));
    assert_eq!(parsed.arguments, words("a b"));
    assert_eq!(parsed.value("run"), Some(OsStr::new("X")));
    assert_eq!(parsed.program, words("-custom c d -count=1"));
    let parsed = parse("test", &words("a -test.cpuprofile=c.out -args x -v"));
    assert_eq!(parsed.value("test.cpuprofile"), Some(OsStr::new("c.out")));
    assert_eq!(parsed.program, words("x -v"));
}

proptest! {
    #[test]
    fn no_line_panics_or_loses_a_word(line in prop::collection::vec("-{0,3}[a-z.=]{0,8}", 0..8)) {
        let words: Vec<OsString> = line.iter().map(OsString::from).collect();
        for command in ["test", "build", "run", "mod edit"] {
            let parsed = parse(command, &words);
            prop_assert!(parsed.arguments.len() + parsed.program.len() + parsed.flags.len() <= words.len());
        }
    }

    #[test]
    fn no_harmless_flags_in_front_hide_an_exec(front in prop::collection::vec(prop::sample::select(vec!["-v", "-run=X", "-count=1", "-trimpath", "-tags=a", "-cover"]), 0..5), packages in 0usize..3) {
        let mut line: Vec<OsString> = front.iter().map(OsString::from).collect();
        line.extend(std::iter::repeat_n(OsString::from("./..."), packages));
        line.push("-exec=/tmp/x".into());
        prop_assert!(parse("test", &line).flags.iter().any(|f| f.name == "exec"));
    }
}
