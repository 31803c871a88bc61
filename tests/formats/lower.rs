//! What the filter's rules are made of: patterns that do not overlap and say what the policy's table says.

use gosandbox::generate::oci::lower::{Patterns, lower};
use gosandbox::policy::Cage;
use gosandbox::policy::syscalls::{Action, Call, Network, Options, Signals, Verdict, table};
use proptest::prelude::*;

use crate::filter::argument;

fn applies(patterns: &Patterns, arguments: &[u64; 6]) -> bool {
    patterns
        .iter()
        .all(|(index, p)| arguments[usize::from(*index)] & p.mask == p.value)
}

fn verdicts() -> Vec<(Call, Verdict)> {
    let options = Options {
        nesting: false,
        network: Network::Namespace,
        udp: true,
        signals: Signals::Scoped,
        pid_namespace: false,
        ipc_namespace: true,
        debug: false,
    };
    let table = table(Cage::Tool, &options);
    Call::ALL
        .iter()
        .map(|call| (*call, *table.verdict(*call)))
        .collect()
}

fn case() -> impl Strategy<Value = (Call, Verdict, [u64; 6])> {
    proptest::sample::select(verdicts()).prop_flat_map(|(call, verdict)| {
        let arguments = std::array::from_fn::<_, 6, _>(|_| argument(&verdict));
        arguments.prop_map(move |arguments| (call, verdict, arguments))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn exactly_one_pattern_applies_and_says_what_the_table_says((call, verdict, arguments) in case()) {
        let lowered = lower(&verdict, Action::Errno(0), usize::MAX);
        let applying: Vec<_> = lowered.iter().filter(|(p, _)| applies(p, &arguments)).collect();
        prop_assert_eq!(applying.len(), 1, "{:?} {:?}", call, applying);
        prop_assert_eq!(applying[0].1, verdict.decide(&arguments), "{:?} {:x?}", call, arguments);
    }
}

#[test]
fn patterns_stay_few() {
    for (call, verdict) in verdicts() {
        let lowered = lower(&verdict, Action::Errno(38), 64);
        assert!(lowered.len() < 260, "{call:?}: {}", lowered.len());
    }
}
