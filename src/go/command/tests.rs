use super::*;

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn call(line: &str) -> Result<GoCommand, CommandError> {
    let words = words(line);
    classify(&Call {
        words: &words,
        cwd: Path::new("/p"),
        root: Some(Path::new("/p")),
        allow_flags: &[],
        race: false,
        pins_mod: false,
        gobin: Some(Path::new("/home/u/go/bin")),
        gocoverdir: None,
        goflags: None,
        toolchain: None,
    })
}

fn outputs(line: &str) -> Vec<(String, Kind)> {
    let command = call(line).expect(line);
    command
        .outputs
        .iter()
        .map(|o| (o.path.display().to_string(), o.kind))
        .collect()
}

#[test]
fn commands_go_to_their_cage() {
    for (line, cage, programs) in [
        ("build ./...", Cage::Tool, Programs::None),
        ("test ./...", Cage::Tool, Programs::Test),
        ("test -c .", Cage::Tool, Programs::None),
        ("run . -c", Cage::Tool, Programs::Run),
        ("run example.com/x@latest", Cage::Tool, Programs::Run),
        ("generate ./...", Cage::Program, Programs::None),
        ("tool", Cage::Tool, Programs::None),
        ("tool compile -V", Cage::Tool, Programs::None),
        ("tool test2json", Cage::Tool, Programs::None),
        ("tool test2json -t ./x.test", Cage::Program, Programs::None),
        ("tool -n stringer", Cage::Program, Programs::None),
        (
            "tool golang.org/x/tools/cmd/stringer",
            Cage::Program,
            Programs::None,
        ),
        ("frobnicate -x", Cage::Tool, Programs::None),
        ("", Cage::Tool, Programs::None),
    ] {
        let command = call(line).expect(line);
        assert_eq!((command.cage, command.programs), (cage, programs), "{line}");
    }
}

#[test]
fn chdir_counts_before_and_after_the_subcommand() {
    for (line, position) in [
        ("-C sub test -v", 3),
        ("test -C sub -v", 3),
        ("test -C=sub", 2),
        ("mod tidy -C sub", 4),
    ] {
        let command = call(line).expect(line);
        assert_eq!(command.changed_dir, Some(PathBuf::from("/p/sub")), "{line}");
        assert_eq!(command.exec_position, position, "{line}");
    }
    let command = call("test -v -C sub").expect("parsed");
    assert_eq!((command.changed_dir, command.exec_position), (None, 1));
}

#[test]
fn chdir_can_be_set_to_another_folder() {
    for (line, changed) in [
        ("-C sub test -C x", "-C /q test -C x"),
        ("test --C sub -v", "test --C /q -v"),
        ("mod tidy -C=sub", "mod tidy -C=/q"),
        ("test -v -C=sub", "test -v -C=sub"),
        ("test . -C", "test . -C"),
    ] {
        let mut found = words(line);
        set_changed_dir(&mut found, Path::new("/q"));
        assert_eq!(found, words(changed));
    }
}

#[test]
fn named_outputs_are_resolved() {
    let file = |p: &str| (p.to_owned(), Kind::File);
    let program = |p: &str| (p.to_owned(), Kind::Program);
    let folder = |p: &str| (p.to_owned(), Kind::Folder);
    for (line, expected) in [
        ("build -o /tmp/app .", vec![program("/tmp/app")]),
        ("build -o ../bin/ ./...", vec![folder("/bin")]),
        ("build -o /tmp .", vec![folder("/tmp")]),
        ("build -o /dev/null .", vec![]),
        ("build .", vec![]),
        ("-C /q build -o x .", vec![program("/q/x")]),
        (
            "test -coverprofile=/tmp/c.out ./...",
            vec![file("/tmp/c.out")],
        ),
        (
            "test -coverprofile=c.out -outputdir /tmp/o .",
            vec![file("/tmp/o/c.out")],
        ),
        (
            "test -coverprofile=c.out -trace t -outputdir /tmp/o .",
            vec![folder("/tmp/o"), file("/tmp/o/c.out"), file("/tmp/o/t")],
        ),
        (
            "test -coverprofile=c.out -outputdir /tmp/o . -args -test.trace=t",
            vec![folder("/tmp/o"), file("/tmp/o/c.out"), file("/tmp/o/t")],
        ),
        (
            "test -cpuprofile c -memprofile=/tmp/m -trace t .",
            vec![file("/p/c"), file("/p/t"), file("/tmp/m")],
        ),
        (
            "test . -args -test.gocoverdir=/tmp/cov",
            vec![folder("/tmp/cov")],
        ),
        ("test -c -o /tmp/x.test .", vec![program("/tmp/x.test")]),
        (
            "test -artifacts .",
            vec![("/p/_artifacts".to_owned(), Kind::Artifacts)],
        ),
        ("install ./cmd/x", vec![folder("/home/u/go/bin")]),
        ("mod vendor -o ../v", vec![folder("/v")]),
        (
            "tool covdata textfmt -i=in -o /tmp/c.txt",
            vec![file("/tmp/c.txt")],
        ),
        ("tool link -o /tmp/x x.o", vec![program("/tmp/x")]),
    ] {
        let mut expected = expected;
        expected.sort();
        let mut found = outputs(line);
        found.sort();
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn named_inputs_are_listed() {
    let command = call("build -pgo=/q/cpu.pprof .").expect("parsed");
    assert_eq!(command.inputs, [PathBuf::from("/q/cpu.pprof")]);
    for (line, inputs) in [
        ("mod edit -json /q/go.mod", &["/q/go.mod"][..]),
        ("work edit /q/go.work", &["/q/go.work"]),
        ("work init . .. /q", &["/go.mod", "/p/go.mod", "/q/go.mod"]),
        ("work use /q", &["/q/go.mod"]),
        ("work use -r /q", &["/q"]),
    ] {
        let found = call(line).expect(line).inputs;
        let wanted: Vec<PathBuf> = inputs.iter().map(PathBuf::from).collect();
        assert_eq!(found, wanted, "{line}");
    }
    let command = call("run /q/x.go y.go z").expect("parsed");
    assert_eq!(
        command.inputs,
        [PathBuf::from("/p/y.go"), PathBuf::from("/q/x.go")]
    );
}

#[test]
fn a_package_with_its_version_is_told_from_one_of_the_project() {
    for (line, versioned) in [
        ("run example.com/x@latest -v", true),
        ("install example.com/x/...@v1", true),
        ("run ./a@b", false),
        ("run . x@y", false),
        ("run a@b.go", false),
        ("get x@y", false),
    ] {
        assert_eq!(call(line).expect(line).versioned, versioned, "{line}");
    }
}

#[test]
fn fuzzing_is_told_from_testing() {
    assert!(call("test -fuzz=FuzzX .").expect("parsed").fuzzes);
    assert!(!call("test -run -fuzz=x .").expect("parsed").fuzzes);
    assert!(!call("test -fuzz= .").expect("parsed").fuzzes);
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    for line in [
        "env -w GOFLAGS=-v",
        "env -u GOFLAGS",
        "telemetry on",
        "doc -http",
        "test -exec=x .",
        "run -exec x .",
    ] {
        assert!(call(line).is_err(), "{line}");
    }
    for line in [
        "env",
        "env -json GOROOT",
        "telemetry",
        "clean -cache",
        "clean -modcache",
        "doc fmt.Println",
        "bug",
        "help env",
        "version -m /p/x",
    ] {
        assert!(call(line).is_ok(), "{line}");
    }
}

#[test]
fn what_goflags_say_of_stamping_is_what_go_reads() {
    for (text, says) in [
        ("", None),
        ("-v", None),
        ("-buildvcs", Some(true)),
        ("--buildvcs=true -buildvcs=F", Some(false)),
        ("-buildvcs=false '-buildvcs=1'", Some(true)),
        ("-buildvcs=true -buildvcs=auto", None),
        // What stands within quotes is another flag's.
        ("-buildvcs=true '-tags=a -buildvcs=false'", Some(true)),
        ("'-buildvcs=true", None),
    ] {
        assert_eq!(buildvcs_in_goflags(text), says, "{text}");
    }
}

#[test]
fn what_go_refuses_itself_is_left_to_it() {
    for line in [
        "env -w GOWORK=off",
        "env -w GOFLAGS=-x GOMOD=x",
        "env -w GOVERSION",
    ] {
        assert!(call(line).is_ok(), "{line}");
    }
    for line in [
        "env -w GOFLAGS=-x",
        "env -w",
        "env -u GOWORK",
        "env -w GOWORKX=1",
    ] {
        assert!(
            matches!(call(line), Err(CommandError::Pointless { .. })),
            "{line}"
        );
    }
}

#[test]
fn a_list_that_compiles_is_no_mere_list() {
    for (line, expected) in [
        ("list ./...", true),
        ("list -deps -test -json ./...", true),
        ("list -m all", true),
        ("list -export=false .", true),
        ("list -export .", false),
        ("list -compiled .", false),
        ("list -toolexec=x .", false),
        ("build .", false),
        ("vet .", false),
    ] {
        let allowed = ["-toolexec".to_owned()];
        let words = words(line);
        let command = classify(&Call {
            words: &words,
            cwd: Path::new("/p"),
            root: Some(Path::new("/p")),
            allow_flags: &allowed,
            race: false,
            pins_mod: false,
            gobin: None,
            gocoverdir: None,
            goflags: None,
            toolchain: None,
        });
        assert_eq!(command.expect(line).only_lists, expected, "{line}");
    }
    let words = words("list .");
    let exports = Call {
        words: &words,
        cwd: Path::new("/p"),
        root: None,
        allow_flags: &[],
        race: false,
        pins_mod: false,
        gobin: None,
        gocoverdir: None,
        goflags: Some(OsStr::new("-export")),
        toolchain: None,
    };
    assert!(!classify(&exports).expect("GOFLAGS").only_lists);
}

#[test]
fn only_the_place_of_a_file_is_asked_of_any_go() {
    for (line, expected) in [
        ("env GOMOD", true),
        ("env GOWORK", true),
        ("env GOVERSION", false),
        ("env GOMOD GOWORK", false),
        ("env -json GOMOD", false),
        ("env", false),
    ] {
        assert_eq!(only_names_project(&words(line)), expected, "{line}");
    }
}
