//! The compiled filter decides as the table does, for every number, argument and convention.

mod bpf;

use gosandbox::enforce::seccomp::{Instruction, Program, compile};
use gosandbox::policy::Cage;
use gosandbox::policy::syscalls::{
    Action, Arch, Call, Network, Options, Signals, Table, Verdict, rows, table,
};
use proptest::prelude::*;

const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;
const AARCH64: u32 = 0xc000_00b7;
const ARM: u32 = 0x4000_0028;

/// Runs a filter as the kernel would.
fn evaluate(program: &Program, arch: u32, number: u32, arguments: &[u64; 6]) -> u32 {
    let instruction = |one: &Instruction| bpf::Instruction {
        code: one.code,
        jump_true: one.jump_true,
        jump_false: one.jump_false,
        constant: one.constant,
    };
    let instructions: Vec<_> = program.instructions().iter().map(instruction).collect();
    bpf::evaluate(&instructions, arch, number, arguments)
}

fn value(action: Action) -> u32 {
    match action {
        Action::Allow => 0x7fff_0000,
        Action::Errno(errno) => 0x0005_0000 | u32::from(errno),
        Action::Notify => 0x7fc0_0000,
    }
}

fn decide(table: &Table, arch: Arch, number: u32, arguments: &[u64; 6]) -> u32 {
    let action = Call::ALL
        .iter()
        .find(|call| call.number(arch) == Some(number))
        .map_or(Table::UNKNOWN, |call| {
            table.verdict(*call).decide(arguments)
        });
    value(action)
}

fn every_option() -> Vec<(Cage, Options)> {
    let mut all = Vec::new();
    for cage in [Cage::Tool, Cage::Program] {
        for network in [Network::Namespace, Network::None, Network::Notify] {
            for signals in [Signals::Scoped, Signals::Group, Signals::Notify] {
                for bits in 0..32 {
                    let options = Options {
                        nesting: bits & 1 != 0,
                        network,
                        udp: bits & 2 != 0,
                        signals,
                        pid_namespace: bits & 4 != 0,
                        ipc_namespace: bits & 8 != 0,
                        debug: bits & 16 != 0,
                    };
                    all.push((cage, options));
                }
            }
        }
    }
    all
}

fn any_options() -> impl Strategy<Value = (Cage, Options)> {
    proptest::sample::select(every_option())
}

/// Numbers near those that the table looks for, and any other.
fn any_argument() -> impl Strategy<Value = u64> {
    let mut interesting: Vec<u64> = vec![0, 1, 6, 17, 262, 0o6755, 0o100_755, 0o102_000, 0x80];
    for (cage, options) in every_option() {
        let table = table(cage, &options);
        for call in Call::ALL {
            if let Verdict::Checked { clauses, .. } = table.verdict(*call) {
                for test in clauses.iter().flat_map(|clause| clause.tests) {
                    interesting.extend(test.values);
                    interesting.push(test.mask);
                }
            }
        }
    }
    interesting.sort_unstable();
    interesting.dedup();
    let low = prop_oneof![
        8 => proptest::sample::select(interesting),
        1 => any::<u64>(),
        1 => any::<u32>().prop_map(u64::from),
    ];
    let high = prop_oneof![6 => Just(0u64), 1 => Just(1u64 << 32), 1 => any::<u64>()];
    let toggled = prop_oneof![4 => Just(0u64), 1 => (0u32..34).prop_map(|bit| 1 << bit)];
    (low, high, toggled).prop_map(|(low, high, bit)| (low | (high & !0xffff_ffff)) ^ bit)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn filter_decides_as_the_table_does(
        (cage, options) in any_options(),
        arm in any::<bool>(),
        number in prop_oneof![8 => 0u32..600, 1 => any::<u32>()],
        arguments in proptest::array::uniform6(any_argument()),
    ) {
        let table = table(cage, &options);
        let (arch, audit) = if arm { (Arch::Aarch64, AARCH64) } else { (Arch::X86_64, X86_64) };
        let program = compile(&table, arch);
        prop_assert_eq!(
            evaluate(&program, audit, number, &arguments),
            decide(&table, arch, number, &arguments)
        );
    }
}

#[test]
fn filter_decides_as_the_table_does_for_every_number_and_option() {
    for (cage, options) in every_option() {
        let table = table(cage, &options);
        for (arch, audit) in [(Arch::X86_64, X86_64), (Arch::Aarch64, AARCH64)] {
            let program = compile(&table, arch);
            for number in 0..600 {
                for arguments in [[0; 6], [u64::MAX; 6], [1; 6], [2, 1, 262, 0, 0, 0]] {
                    assert_eq!(
                        evaluate(&program, audit, number, &arguments),
                        decide(&table, arch, number, &arguments),
                        "call {number} of {arch:?} with {arguments:?} under {cage:?} {options:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn x32_numbers_are_never_answered() {
    for (cage, options) in every_option() {
        let program = compile(&table(cage, &options), Arch::X86_64);
        for number in 0..1100 {
            for bit in [1 << 30, 1 << 31, 3 << 30] {
                assert_eq!(
                    evaluate(&program, X86_64, number | bit, &[0; 6]),
                    value(Action::Errno(libc::ENOSYS as u16))
                );
            }
        }
    }
}

#[test]
fn other_conventions_end_the_process() {
    for (cage, options) in every_option() {
        let table = table(cage, &options);
        let kill = libc::SECCOMP_RET_KILL_PROCESS;
        for number in [0, 1, 4, 11, 20, 102, 120, 400] {
            let intel = compile(&table, Arch::X86_64);
            for arch in [I386, AARCH64, ARM, 0] {
                assert_eq!(evaluate(&intel, arch, number, &[0; 6]), kill);
            }
            let arm = compile(&table, Arch::Aarch64);
            for arch in [I386, X86_64, ARM, 0] {
                assert_eq!(evaluate(&arm, arch, number, &[0; 6]), kill);
            }
        }
    }
}

#[test]
fn a_call_stands_in_one_group_only() {
    let mut named: Vec<Call> = [
        rows::ALLOWED,
        rows::FORBIDDEN,
        rows::ABSENT,
        rows::UNSUPPORTED,
    ]
    .concat()
    .into_iter()
    .chain(rows::CHECKED.iter().map(|(call, _)| *call))
    .collect();
    let count = named.len();
    named.sort_unstable();
    named.dedup();
    assert_eq!(count, named.len());
}

#[test]
fn only_the_tool_cage_nests_and_only_where_asked() {
    for (cage, options) in every_option() {
        let table = table(cage, &options);
        let nests = cage == Cage::Tool && options.nesting;
        let unshare = |flags: u64| table.verdict(Call::unshare).decide(&[flags, 0, 0, 0, 0, 0]);
        let eperm = Action::Errno(libc::EPERM as u16);
        let expected = if nests { Action::Allow } else { eperm };
        assert_eq!(unshare(0x5002_0000), expected);
        assert_eq!(table.verdict(Call::mount_setattr).decide(&[0; 6]), expected);
        for flags in [
            0x1000_0000,
            0x0002_0000,
            0x7002_0000,
            0x5002_0080,
            0x1_5002_0000,
        ] {
            assert_eq!(unshare(flags), eperm, "{flags:#x}");
        }
    }
}

#[test]
fn a_filter_survives_being_written_down() {
    for (cage, options) in every_option() {
        let program = compile(&table(cage, &options), Arch::X86_64);
        let text = serde_json::to_string(&program).expect("a string");
        let back: Program = serde_json::from_str(&text).expect("the same filter");
        assert_eq!(program, back);
    }
    for wrong in [
        "\"0\"",
        "\"00200000000000zz\"",
        "\"+0200000000000000\"",
        "7",
        "\"é000000000000000\"",
    ] {
        assert!(serde_json::from_str::<Program>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn filters_stay_short() {
    for (cage, options) in every_option() {
        for arch in [Arch::X86_64, Arch::Aarch64] {
            let length = compile(&table(cage, &options), arch).instructions().len();
            assert!(
                length < 500,
                "{length} instructions under {cage:?} {options:?}"
            );
        }
    }
}
