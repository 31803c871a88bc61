use std::path::PathBuf;

use super::super::flags::Id;
use super::*;
use crate::policy::Layer;
use crate::profile::Selection;
use crate::refusal::{Code, Help, Refuse, Refused};
use crate::run::cache::Wanted;

fn low(line: &str) -> Result<Request, String> {
    parse(
        line.split(' ')
            .filter(|word| !word.is_empty())
            .map(OsString::from),
    )
    .map_err(|error| error.to_string())
}

/// The options of a run.
fn options(line: &str) -> RunArgs {
    match low(line) {
        Ok(Request::Run(args, _)) => args,
        other => panic!("{line}: {other:?}"),
    }
}

fn ran(line: &str) -> Vec<String> {
    match low(line) {
        Ok(Request::Run(_, command)) => [command.program]
            .into_iter()
            .chain(command.arguments)
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn options_after_the_dashes_or_after_go_belong_to_the_command() {
    assert_eq!(ran("-- go build ./..."), ["go", "build", "./..."]);
    assert_eq!(ran("go -C x build"), ["go", "-C", "x", "build"]);
    assert_eq!(ran("-v go --help"), ["go", "--help"]);
    assert_eq!(ran("-C d -- make -v -- x"), ["make", "-v", "--", "x"]);
    assert_eq!(ran("go run . -- -x"), ["go", "run", ".", "--", "-x"]);
    assert_eq!(ran("-- audit"), ["audit"]);
    assert_eq!(ran("-- --profile"), ["--profile"]);
    let args = options("-C d go -C x build");
    assert_eq!(args.directory, Some(PathBuf::from("d")));
}

#[test]
fn every_option_of_the_contract_is_read() {
    let args = options(
        "--profile=ci -Cdir --ro a --ro /b --rw c --allow-host Example.org:443 --allow-program unzip --env A --env B=c=d \
         --user build --cache-dir k --goroot g --stage review --timeout 1h30m --memory 4GiB --pids 99 \
         --require landlock --best-effort --dry-run --report - --audit-log l -vv -- true",
    );
    let rules = &args.overrides;
    assert_eq!(args.profile, Selection::Name("ci".into()));
    assert_eq!(args.directory, Some("dir".into()));
    assert_eq!(rules.read, [PathBuf::from("a"), "/b".into()]);
    assert_eq!(rules.write, [PathBuf::from("c")]);
    assert_eq!(rules.allow_host, ["example.org:443"]);
    assert_eq!(rules.allow_program, [PathBuf::from("unzip")]);
    assert_eq!(rules.pass, ["A"]);
    assert_eq!(rules.set, [("B".to_owned(), "c=d".to_owned())]);
    assert_eq!(rules.user.as_deref(), Some("build"));
    assert_eq!(
        (rules.timeout, rules.memory, rules.pids),
        (Some(5400), Some(4 << 30), Some(99))
    );
    assert_eq!(rules.require, [Layer::Landlock]);
    assert!(rules.best_effort && args.dry_run);
    assert_eq!(rules.stage, Some(crate::policy::Staging::Review));
    assert_eq!(args.report, Some(Output::Standard));
    assert_eq!(args.audit_log, Some("l".into()));
    assert_eq!(
        (args.cache_dir, args.goroot),
        (Some("k".into()), Some("g".into()))
    );
    assert_eq!(args.verbosity, Verbosity::Verbose);
}

#[test]
fn a_profile_with_a_slash_or_a_suffix_is_a_file() {
    for (text, file) in [
        ("ci", false),
        ("./ci", true),
        ("ci.toml", true),
        (".gosandbox.toml", true),
    ] {
        let args = options(&format!("--profile {text} go"));
        assert_eq!(matches!(args.profile, Selection::File(_)), file, "{text}");
    }
}

#[test]
fn subcommands_take_their_own_options_before_and_after_their_name() {
    let list = PolicyListArgs { json: true };
    assert_eq!(low("--json policy list"), Ok(Request::PolicyList(list)));
    let doctor = DoctorArgs {
        form: FindingsForm::Json,
    };
    assert_eq!(low("doctor --json"), Ok(Request::Doctor(doctor)));
    assert_eq!(low("policy --help"), Ok(Request::Help(Some("policy"))));
    assert_eq!(low("--version"), Ok(Request::Version));
    assert_eq!(low("completions zsh"), Ok(Request::Completions(Shell::Zsh)));
}

/// Each form of the command line, where its options go (`@`), and those that mean something for it.
const FORMS: [(&str, &str); 25] = [
    (
        "@ -- true",
        "profile C ro rw allow-host allow-program service publish env user cache-dir goroot stage timeout memory pids require best-effort dry-run report \
         audit-log verbose quiet",
    ),
    ("doctor @", "json format"),
    (
        "policy show @",
        "profile C ro rw allow-host allow-program service publish env user stage timeout memory pids require best-effort json",
    ),
    ("policy list @", "json"),
    (
        "profile apparmor @",
        "profile C ro rw allow-host allow-program service publish env user cache-dir goroot stage timeout memory pids require best-effort output mode format \
         quiet",
    ),
    // `--install` and `--uninstall` make another form of it.
    ("profile auto @", "C install uninstall"),
    (
        "profile auto --install @",
        "profile C ro rw allow-host allow-program service publish env user cache-dir goroot stage timeout memory pids require best-effort mode format quiet",
    ),
    ("profile auto --uninstall @", "C quiet"),
    ("changes @", "json"),
    ("changes list @", "json"),
    ("changes show @", "C json"),
    ("changes show 1 @", "json"),
    ("changes apply @", "C json"),
    ("changes apply 1 @", "json"),
    // `--all` makes another form of it.
    ("changes drop @", "C json all"),
    ("changes drop 1 @", "json"),
    ("changes drop --all @", "json"),
    ("cache list @", "cache-dir format json"),
    (
        "audit @",
        "C format fail-on baseline write-baseline fix undo",
    ),
    ("audit --fix @", "C format fail-on baseline write-baseline"),
    // `--all` and `--project` make other forms of it.
    (
        "cache clean @",
        "cache-dir dry-run all older project format json",
    ),
    ("cache clean --all @", "cache-dir dry-run format json"),
    ("completions bash @", ""),
    ("man @", ""),
    ("help @", ""),
];

#[test]
fn every_option_is_used_or_refused_by_every_form() {
    for (form, meant) in FORMS {
        let plain = form.replace('@', "");
        let without = low(&plain).unwrap_or_else(|error| panic!("{plain}: {error}"));
        for flag in FLAGS {
            let name = match flag.short {
                Some(short) if flag.long.is_empty() => short.to_string(),
                _ => flag.long.to_owned(),
            };
            if matches!(flag.id, Id::Help | Id::Version) || form.contains(&flag.shown()) {
                continue;
            }
            let value = match flag.id {
                Id::Timeout | Id::Older | Id::Memory | Id::Pids | Id::Service | Id::Publish => "9",
                Id::Require => "landlock",
                Id::Stage => "review",
                Id::Mode => "complain",
                Id::Form => "json",
                Id::FailOn => "low",
                _ => "x",
            };
            let value = flag.value.map_or("", |_| value);
            let line = form.replace('@', &format!("{} {value}", flag.shown()));
            let words = line.split_whitespace().map(OsString::from);
            let parsed = parse(words);
            let is_meant = meant.split(' ').any(|one| one == name);
            match parsed {
                Ok(request) => {
                    assert!(is_meant, "{line} is not refused");
                    assert_ne!(request, without, "{line} is ignored");
                }
                Err(error) => {
                    assert!(!is_meant, "{line}: {error}");
                    assert!(error.to_string().contains(&flag.shown()), "{line}: {error}");
                    assert_eq!(error.code(), Code::OptionMisplaced, "{line}");
                    let status = if form.starts_with('@') { 125 } else { 2 };
                    assert_eq!(error.status(), status, "{line}");
                }
            }
        }
    }
}

#[test]
fn all_options_that_do_not_go_with_a_form_are_named_at_once() {
    assert_eq!(
        low("--profile ci doctor --ro a --json --ro b"),
        Err("`--profile`, `--ro` do not go with `doctor`".to_owned())
    );
    let error = parse(["profile", "selinux", "--install"].map(OsString::from)).unwrap_err();
    let help = Help::Words("gosandbox profile auto --install".to_owned());
    assert_eq!(error.help(), [help]);
}

/// A line, the code of its refusal, what the message names, and what helps.
#[rustfmt::skip]
const MISTAKES: [(&str, Code, &str, &str); 20] = [
    ("", Code::CommandUnclear, "no command", "gosandbox go test ./... "),
    ("--", Code::CommandUnclear, "no command", "gosandbox go test ./... "),
    ("make all", Code::CommandUnclear, "`make`", "put -- before the command"),
    ("-q test ./...", Code::CommandUnclear, "(did you mean `gosandbox go test`?)", "put go before the command"),
    ("polcy show", Code::CommandUnclear, "(did you mean `policy`?)", "gosandbox policy"),
    ("scan", Code::CommandUnclear, "`scan`", "gosandbox -- scan"),
    ("--proflie ci go", Code::OptionUnknown, "(did you mean `--profile`?)", "gosandbox --help"),
    ("-x go", Code::OptionUnknown, "`-x`; an option of the command goes after `--`", "gosandbox --help"),
    ("--profile", Code::OptionValue, "--profile NAME|FILE", "gosandbox --help"),
    ("--profile -- go", Code::OptionValue, "--profile NAME|FILE", "gosandbox --help"),
    ("--profile= go", Code::OptionValue, "--profile NAME|FILE", "gosandbox --help"),
    ("-C a -C b go", Code::OptionValue, "`-C`", "gosandbox --help"),
    ("--dry-run=yes go", Code::OptionValue, "`yes`", "gosandbox --help"),
    ("--memory 4Gx go", Code::OptionValue, "as in 4GiB", "gosandbox --help"),
    ("--user root go", Code::OptionValue, "`root`", "gosandbox --help"),
    ("--json go", Code::OptionMisplaced, "`--json`", "gosandbox --help"),
    ("policy show --dry-run", Code::OptionMisplaced, "`policy show`", "gosandbox help policy"),
    ("policy", Code::CommandUnclear, "gosandbox policy show|list", "gosandbox help policy"),
    ("policy shw", Code::CommandUnclear, "`shw`", "gosandbox help policy"),
    ("man -- x", Code::CommandUnclear, "`-- x`", "gosandbox help man"),
];

#[test]
fn mistakes_are_named_with_what_to_write_instead() {
    for (line, code, named, help) in MISTAKES {
        let words = line.split_whitespace().map(OsString::from);
        let refused = Refused::of(&parse(words).expect_err(line));
        assert_eq!(refused.code(), code, "{line}");
        assert!(refused.message().contains(named), "{line}: {refused}");
        assert!(refused.remedies()[0].starts_with(help), "{line}");
    }
}

#[test]
fn an_empty_command_is_none() {
    assert!(matches!(
        parse(["--".into(), "".into()]),
        Err(UsageError::NoCommand)
    ));
}

#[test]
fn a_path_need_not_be_utf8_and_a_variable_must() {
    use std::os::unix::ffi::OsStringExt;
    let odd = OsString::from_vec(vec![b'a', 0xff]);
    let go = || OsString::from("go");
    assert!(parse(["--ro".into(), odd.clone(), go()]).is_ok());
    assert!(parse(["--env".into(), odd, go()]).is_err());
}

#[test]
fn cache_takes_an_action_and_what_chooses_caches() {
    let wanted = |line: &str| match low(line) {
        Ok(Request::Cache(cache)) => Ok(cache.clean),
        Ok(other) => panic!("{line}: {other:?}"),
        Err(error) => Err(error),
    };
    assert_eq!(wanted("cache list"), Ok(None));
    assert_eq!(wanted("cache clean"), Ok(Some(Wanted::default())));
    let of = |project: &str| {
        Ok(Some(Wanted {
            project: Some(project.into()),
            ..Wanted::default()
        }))
    };
    assert_eq!(wanted("cache clean --project"), of("."));
    assert_eq!(wanted("cache clean --project a/b"), of("a/b"));
    let older = wanted("cache clean --older 2h").unwrap().unwrap();
    assert_eq!(older.older, Some(7200));
    for line in [
        "cache",
        "cache frob",
        "cache list a",
        "cache clean a",
        "cache clean --project a b",
        "cache clean --older 0",
        "cache clean --older soon",
        "cache clean --all --older 1d",
        "cache clean --all --project",
        "cache clean --project --older 1d",
        "cache list --format sarif",
        "cache list --all",
    ] {
        assert!(wanted(line).is_err(), "{line}");
    }
}

#[test]
fn changes_takes_an_action_and_a_run() {
    let changes = |line: &str| match low(line) {
        Ok(Request::Changes(changes)) => Ok((changes.action, changes.run, changes.all)),
        Ok(other) => panic!("{line}: {other:?}"),
        Err(error) => Err(error),
    };
    assert_eq!(changes("changes"), Ok((ChangesAction::List, None, false)));
    assert_eq!(
        changes("changes show 12ab"),
        Ok((ChangesAction::Show, Some("12ab".into()), false))
    );
    assert_eq!(
        changes("changes drop --all"),
        Ok((ChangesAction::Drop, None, true))
    );
    for line in [
        "changes frob",
        "changes apply a b",
        "changes apply --all",
        "changes drop 12 --all",
        "doctor --all",
        "--stage later -- true",
    ] {
        assert!(low(line).is_err(), "{line}");
    }
}
