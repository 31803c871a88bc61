//! Random profiles: what a work tree says never grants more.

use proptest::prelude::*;

use super::*;

/// The lines of a random profile, as TOML.
fn lines() -> impl Strategy<Value = String> {
    let path = prop::sample::subsequence(vec!["/a", "/b", "/c", "/lib"], 0..4);
    let word = prop::sample::subsequence(vec!["A", "LANG", "TERM"], 0..3);
    let host = prop::sample::subsequence(vec!["a.example", "b.example:1"], 0..3);
    let access = prop::sample::select(vec!["read", "testdata", "write"]);
    let need = prop::sample::select(vec!["off", "preferred", "required"]);
    let limit = prop::sample::select(vec!["\"none\"", "1", "60", "\"1h\""]);
    let source = prop::sample::select(vec!["off", "https://a.example", "https://b.example"]);
    let stage = prop::sample::select(vec!["discard", "review", "apply", "direct"]);
    let direct = prop::sample::subsequence(vec!["test", "run", "generate", "command"], 0..5);
    let list = (
        path,
        word,
        host,
        direct,
        prop::sample::select(vec!["", "add", "remove"]),
    );
    let reach = prop::sample::select(vec!["loopback", "services", "hosts"]);
    let ports = prop::sample::subsequence(vec!["1", "2", "h:1"], 0..4);
    let loose = prop::sample::select(vec!["refuse", "verify", "allow"]);
    let rest = (
        access,
        need,
        limit,
        source,
        any::<bool>(),
        stage,
        (reach, ports, loose),
    );
    let values = (list, rest);
    (values, prop::collection::vec(any::<bool>(), 24)).prop_map(|((list, rest), keep)| {
        let (paths, words, hosts, direct, verb) = list;
        let (access, need, limit, source, on, stage, (reach, ports, loose)) = rest;
        let list = |items: &[&str]| match verb {
            "" => format!("{items:?}"),
            verb => format!("{{ {verb} = {items:?} }}"),
        };
        let all = [
            format!("files.read = {}", list(&paths)),
            format!("files.write = {}", list(&paths)),
            format!("files.protected = {}", list(&hosts)),
            format!("files.test = \"{access}\""),
            format!("files.command = \"{access}\""),
            format!("files.stage = \"{stage}\""),
            format!("files.direct = {}", list(&direct)),
            format!(
                "files.keep-staged = {}",
                limit.replace("\"none\"", "\"30d\"")
            ),
            format!("programs.cgo = \"{}\"", if on { "warn" } else { "refuse" }),
            format!("programs.stamping = {on}"),
            format!("programs.race = {on}"),
            format!("programs.debug = {on}"),
            format!("modules.upstreams = \"{source}\""),
            format!("toolchain.loose = \"{loose}\""),
            format!("network.allow = {}", list(&hosts)),
            format!("network.programs = \"{reach}\""),
            format!("network.services = {}", list(&ports)),
            format!("network.publish = {}", list(&ports).replace("h:", "")),
            format!("modules.deny = {}", list(&hosts)),
            format!("modules.allow = {}", list(&hosts)),
            format!("modules.min-age = {limit}"),
            format!("environment.pass = {}", list(&words)),
            format!("environment.set = {{ A = \"{access}\" }}"),
            format!("limits.timeout = {limit}"),
            format!("layers.landlock = \"{need}\""),
            format!("guarantees.no-privilege = \"{need}\""),
        ];
        let kept = all.into_iter().zip(keep).filter(|(_, keep)| *keep);
        kept.map(|(line, _)| line + "\n").collect()
    })
}

/// What a policy lets happen, for a few accesses; told apart from the order in `tighten.rs`.
fn granted(policy: &Policy) -> Vec<bool> {
    let mut all = Vec::new();
    for path in ["/a", "/b", "/c", "/lib", "/usr/lib"].map(PathBuf::from) {
        let write = policy.files.write.contains(&path);
        all.extend([write, write || policy.files.read.contains(&path)]);
    }
    for path in [".git", "a.example", "b.example:1"] {
        all.push(!policy.files.protected.contains(&path.into()));
    }
    for host in ["a.example", "b.example:1"].map(str::to_owned) {
        let tool = policy.network.allow.contains(&host);
        all.extend([tool, tool && policy.network.programs == Reach::Hosts]);
    }
    for port in ["1", "2", "h:1"].map(str::to_owned) {
        let (reach, network) = (policy.network.programs, &policy.network);
        all.push(network.services.contains(&port) && reach >= Reach::Services);
        all.push(network.publish.contains(&port) && reach == Reach::Hosts);
    }
    for host in ["a.example", "b.example", "c.example"] {
        let one_of = |list: &[String]| {
            list.iter()
                .any(|p| crate::policy::pattern::matches(p, host))
        };
        all.push(one_of(&policy.modules.allow) && !one_of(&policy.modules.deny));
    }
    for age in [0, 1, 59, 60, 3600] {
        all.push(policy.modules.min_age.is_none_or(|least| age >= least));
    }
    for one in ["A", "LANG", "TERM", "TZ"].map(str::to_owned) {
        all.push(policy.environment.pass.contains(&one));
    }
    for value in ["read", "testdata", "write"] {
        all.push(
            policy
                .environment
                .set
                .get("A")
                .is_some_and(|set| set == value),
        );
    }
    for seconds in [1, 2, 60, 61, 3600, 3601] {
        all.push(policy.limits.timeout.is_none_or(|limit| limit >= seconds));
    }
    for access in TreeAccess::ALL {
        all.extend([policy.files.test >= access, policy.files.command >= access]);
    }
    for (runs, staging) in Runs::ALL
        .iter()
        .flat_map(|runs| Staging::ALL.map(|one| (*runs, one)))
    {
        all.push(policy.files.staging(runs) >= staging);
    }
    for seconds in [1, 2, 60, 61, 3600, 3601, 604_800, 604_801] {
        all.push(policy.files.keep_staged >= seconds);
    }
    for need in [Requirement::Preferred, Requirement::Required] {
        all.push(policy.layer(Layer::Landlock) < need);
        all.push(policy.guarantee(Guarantee::NoPrivilege) < need);
    }
    for source in [
        "https://a.example",
        "https://b.example",
        "https://proxy.golang.org",
    ] {
        all.push(policy.modules.upstreams == source);
    }
    all.extend(Loose::ALL.map(|loose| policy.toolchain.loose >= loose));
    all.push(policy.programs.cgo == crate::policy::Cgo::Warn);
    all.push(policy.programs.stamping);
    all.push(policy.programs.race);
    all.push(policy.programs.debug);
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_a_work_tree_says_never_grants_more(base in lines(), tree in lines()) {
        let before = profile(&base).expect("resolves").policy;
        if let Ok(after) = tightened(&base, &tree) {
            prop_assert_eq!(is_at_least_as_tight(&after.policy, &before), Ok(()));
            for (after, before) in granted(&after.policy).into_iter().zip(granted(&before)) {
                prop_assert!(!after || before);
            }
        }
    }

    #[test]
    fn a_refusal_in_the_work_tree_is_never_for_nothing(base in lines()) {
        // What the profile itself says loosens nothing; an edit said twice changes nothing.
        prop_assert!(tightened(&base, &base).is_ok());
    }

    #[test]
    fn the_order_is_reflexive_and_transitive(one in lines(), two in lines(), three in lines()) {
        let [one, two, three] = [one, two, three].map(|text| profile(&text).expect("resolves").policy);
        prop_assert_eq!(is_at_least_as_tight(&one, &one), Ok(()));
        if is_at_least_as_tight(&one, &two).is_ok() && is_at_least_as_tight(&two, &three).is_ok() {
            prop_assert_eq!(is_at_least_as_tight(&one, &three), Ok(()));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "(\\PC|\n){0,200}") {
        let _outcome = parse::parse(&text, origin::Source::BuiltIn("random"));
    }
}
