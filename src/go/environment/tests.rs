use super::*;
use std::path::PathBuf;

fn make(
    caller: &[(&str, &str)],
    settings: &[(&str, &str)],
    policy: &policy::Environment,
) -> Result<Environment, EnvironmentError> {
    let caller: Vec<(OsString, OsString)> =
        caller.iter().map(|(n, v)| (n.into(), v.into())).collect();
    let toolchain = Toolchain {
        go: PathBuf::from("/go/bin/go"),
        goroot: PathBuf::from("/go"),
        version: "1.26.8".parse().expect("version"),
        tool_dir: PathBuf::from("/go/pkg/tool/linux_amd64"),
        linked: Vec::new(),
        settings: settings
            .iter()
            .map(|(n, v)| (n.to_string(), v.to_string()))
            .collect(),
        is_dynamic: false,
        copy: None,
    };
    let modules = policy::Modules {
        upstreams: "https://proxy.golang.org".to_owned(),
        ..policy::Modules::closed()
    };
    rebuild(&Inputs {
        caller: &caller,
        toolchain: &toolchain,
        build_cache: Path::new("/c/build"),
        module_cache: Path::new("/c/mod"),
        gopath: Path::new("/c/gopath"),
        home: Path::new("/home/u"),
        tmp: Path::new("/tmp"),
        user: "u",
        proxy: "http://127.0.0.1:1/x",
        hosts: None,
        modules: &modules,
        policy,
        command: "build",
        allow_flags: &[],
        race: false,
        vendor: false,
        add_flags: &["-buildvcs=false".to_owned()],
        stamping: &Stamping::None,
    })
}

fn value<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment
        .pairs
        .iter()
        .find(|(n, _)| n == name)
        .and_then(|(_, v)| v.to_str())
}

#[test]
fn what_steers_go_is_forced_and_never_empty() {
    let hostile = [
        ("GOENV", "/tmp/x"),
        ("GOPROXY", "direct"),
        ("GOSUMDB", "off"),
        ("GOTOOLCHAIN", "auto"),
        ("GOROOT", "/tmp/x"),
        ("CGO_ENABLED", "1"),
        ("GOVCS", "*:all"),
        ("GOAUTH", "/tmp/x"),
        ("PATH", "/tmp/x::."),
        ("GOCACHE", ""),
        ("HOME", "/root"),
    ];
    let made = make(&hostile, &[], &Default::default()).expect("made");
    for (name, expected) in [
        ("GOENV", "off"),
        ("GOPROXY", "http://127.0.0.1:1/x"),
        ("GOSUMDB", "sum.golang.org"),
        ("GOTOOLCHAIN", "local"),
        ("GOROOT", "/go"),
        ("CGO_ENABLED", "0"),
        ("GOVCS", "*:off"),
        ("GOAUTH", "off"),
        ("PATH", "/go/bin:/usr/local/bin:/usr/bin:/bin"),
        ("GOCACHE", "/c/build"),
        ("HOME", "/home/u"),
    ] {
        assert_eq!(value(&made, name), Some(expected), "{name}");
    }
    assert!(made.pairs.iter().all(|(_, v)| !v.is_empty()));
    assert!(made.pairs.is_sorted());
}

#[test]
fn what_is_not_named_does_not_pass() {
    let names = [
        "GOCACHEPROG",
        "GOPACKAGESDRIVER",
        "CC",
        "CXX",
        "PKG_CONFIG",
        "CGO_CFLAGS",
        "GOINSECURE",
        "GOPRIVATE",
        "GONOSUMDB",
        "GIT_SSH_COMMAND",
        "GIT_HTTP_USER_AGENT",
        "LD_PRELOAD",
        "GITHUB_ENV",
        "GITHUB_TOKEN",
        "HTTPS_PROXY",
        "SSL_CERT_FILE",
        "GO111MODULE",
        "GOSSADIR",
        "NETRC",
        "SSH_AUTH_SOCK",
        "BROWSER",
    ];
    let caller: Vec<(&str, &str)> = names.iter().map(|n| (*n, "x")).collect();
    let made = make(&caller, &[], &Default::default()).expect("made");
    for name in names {
        assert_eq!(value(&made, name), None, "{name}");
        assert!(made.dropped.iter().any(|d| d == name), "{name}");
    }
}

#[test]
fn harmless_variables_and_targets_pass() {
    let caller = [
        ("LANG", "de_DE.UTF-8"),
        ("LC_ALL", "C"),
        ("GOOS", "windows"),
        ("GOMAXPROCS", "2"),
        ("TZ", "UTC"),
        ("GOWORK", "off"),
    ];
    let made = make(&caller, &[], &Default::default()).expect("made");
    for (name, expected) in caller {
        assert_eq!(value(&made, name), Some(expected));
    }
    assert!(matches!(
        make(&[("GOOS", "../x")], &[], &Default::default()),
        Err(EnvironmentError::Target { .. })
    ));
}

#[test]
fn godebug_passes_key_by_key() {
    let made = make(
        &[(
            "GODEBUG",
            "gctrace=1,execerrdot=0,x509sha1=1,madvdontneed=1",
        )],
        &[],
        &Default::default(),
    )
    .expect("made");
    assert_eq!(value(&made, "GODEBUG"), Some("gctrace=1,madvdontneed=1"));
    assert_eq!(made.dropped, ["GODEBUG=execerrdot", "GODEBUG=x509sha1"]);
}

#[test]
fn goflags_keep_what_is_harmless_and_gain_what_is_added() {
    let made = make(
        &[("GOFLAGS", "-v '-ldflags=-s -w'")],
        &[],
        &Default::default(),
    )
    .expect("made");
    assert_eq!(
        value(&made, "GOFLAGS"),
        Some("-v '-ldflags=-s -w' -buildvcs=false")
    );
    assert!(make(&[("GOFLAGS", "-toolexec=x")], &[], &Default::default()).is_err());
}

#[test]
fn the_go_command_is_not_told_where_the_checksum_database_is() {
    for (written, expected) in [
        (
            "sum.example+1+key https://sum.example/x",
            "sum.example+1+key",
        ),
        ("sum.golang.google.cn", "sum.golang.org"),
        ("off", "off"),
    ] {
        let modules = policy::Modules {
            checksum_database: written.to_owned(),
            ..policy::Modules::closed()
        };
        assert_eq!(modules.gosumdb(), expected);
    }
}

#[test]
fn go_env_of_goroot_does_not_shine_through() {
    let settings = [
        ("GOPROXY", "direct"),
        ("GOPRIVATE", "*"),
        ("GOSUMDB", "off"),
        ("CC", "/tmp/x"),
    ];
    let made = make(&[], &settings, &Default::default()).expect("made");
    assert_eq!(value(&made, "GOPRIVATE"), Some("none.invalid"));
    assert_eq!(value(&made, "GOSUMDB"), Some("sum.golang.org"));
    assert!(matches!(
        make(&[], &[("GOCACHEPROG", "x")], &Default::default()),
        Err(EnvironmentError::GoEnv { .. })
    ));
}

#[test]
fn a_profile_passes_and_sets_but_not_what_is_reserved() {
    let mut policy = policy::Environment {
        pass: vec!["EDITOR".into(), "ABSENT".into()],
        set: [("A".into(), "b".into())].into(),
    };
    let made = make(&[("EDITOR", "vi")], &[], &policy).expect("made");
    assert_eq!(
        (
            value(&made, "EDITOR"),
            value(&made, "A"),
            value(&made, "ABSENT")
        ),
        (Some("vi"), Some("b"), None)
    );
    for name in [
        "LD_PRELOAD",
        "GOCACHEPROG",
        "GOPROXY",
        "GIT_SSH_COMMAND",
        "PATH",
    ] {
        policy.pass = vec![name.to_owned()];
        assert!(
            matches!(
                make(&[], &[], &policy),
                Err(EnvironmentError::Reserved { .. })
            ),
            "{name}"
        );
    }
    policy = policy::Environment {
        pass: Vec::new(),
        set: [("A=B".into(), "c".into())].into(),
    };
    assert!(matches!(
        make(&[], &[], &policy),
        Err(EnvironmentError::Unwritable(_))
    ));
}

#[test]
fn programs_get_a_cache_and_folders_of_their_own_and_no_modules() {
    let made = make(&[("GOFLAGS", "-v")], &[], &Default::default()).expect("made");
    let mut pairs = made.pairs.clone();
    pairs.retain(|(n, _)| n != "GOFLAGS");
    pairs.push(("GOFLAGS".into(), "-v '-exec=/x y'".into()));
    let programs = for_programs(
        &Environment {
            pairs,
            dropped: Vec::new(),
        },
        Path::new("/p/cache"),
        Path::new("/p/home"),
        Path::new("/p/tmp"),
    );
    assert_eq!(value(&programs, "GOCACHE"), Some("/p/cache"));
    assert_eq!(value(&programs, "HOME"), Some("/p/home"));
    assert_eq!(value(&programs, "TMPDIR"), Some("/p/tmp"));
    assert_eq!(value(&programs, "GOPROXY"), Some("off"));
    assert_eq!(value(&programs, "GOFLAGS"), Some("-v -buildvcs=false"));
}
