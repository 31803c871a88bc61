//! A second opinion on compiled filters: those of the `seccompiler` crate, made from the same tables.
//!
//! seccompiler knows two answers a filter. So the two are compared by whether a call is allowed.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::compile;
use crate::policy::Cage;
use crate::policy::syscalls::{
    Action, Arch, Call, Clause, Network, Options, Signals, Test, Verdict, Width, table,
};

#[path = "../../../tests/bpf/mod.rs"]
mod bpf;

/// What must hold together.
type Conditions = Vec<SeccompCondition>;

fn condition(test: &Test, operator: SeccompCmpOp, value: u64) -> SeccompCondition {
    let length = match test.width {
        Width::Int => SeccompCmpArgLen::Dword,
        Width::Long => SeccompCmpArgLen::Qword,
    };
    SeccompCondition::new(test.argument, length, operator, value).unwrap()
}

/// A test as alternatives. `None`: seccompiler has no operator for it.
fn alternatives(test: &Test) -> Option<Vec<Conditions>> {
    let masked = SeccompCmpOp::MaskedEq(test.mask);
    let is_whole = match test.width {
        Width::Int => test.mask == u64::from(u32::MAX),
        Width::Long => test.mask == u64::MAX,
    };
    let values = test.values.iter().copied();
    if !test.negated {
        return Some(
            values
                .map(|value| vec![condition(test, masked.clone(), value)])
                .collect(),
        );
    }
    if is_whole {
        let differs = |value| condition(test, SeccompCmpOp::Ne, value);
        return Some(vec![values.map(differs).collect()]);
    }
    if test.values != [0] {
        return None;
    }
    // Not zero under the mask: any bit of it is set.
    let bits = (0..64)
        .map(|bit| 1 << bit)
        .filter(|bit| test.mask & bit != 0);
    Some(
        bits.map(|bit| vec![condition(test, SeccompCmpOp::MaskedEq(bit), bit)])
            .collect(),
    )
}

/// Clauses as rules: alternatives of conditions.
fn rules(clauses: &[Clause]) -> Option<Vec<SeccompRule>> {
    let mut rules = Vec::new();
    for clause in clauses {
        let mut all = vec![Conditions::new()];
        for test in clause.tests {
            let alternatives = alternatives(test)?;
            all = all
                .iter()
                .flat_map(|some| {
                    alternatives
                        .iter()
                        .map(|more| [some.clone(), more.clone()].concat())
                })
                .collect();
        }
        rules.extend(all.into_iter().map(|all| SeccompRule::new(all).unwrap()));
    }
    Some(rules)
}

/// seccompiler's filters for a table.
struct Judge {
    /// Calls that are allowed where a rule matches.
    allowing: BTreeMap<i64, Vec<SeccompRule>>,
    /// Calls that are refused where a rule matches.
    refusing: BTreeMap<i64, Vec<SeccompRule>>,
    /// Calls that no such filter expresses: clauses with different answers, one before the other.
    left_out: Vec<Call>,
}

impl Judge {
    fn of(cage: Cage, options: &Options, arch: Arch) -> Judge {
        let mut judge = Judge {
            allowing: BTreeMap::new(),
            refusing: BTreeMap::new(),
            left_out: Vec::new(),
        };
        let table = table(cage, options);
        for &call in Call::ALL {
            let Some(number) = call.number(arch).map(i64::from) else {
                continue;
            };
            let (clauses, otherwise) = match table.verdict(call) {
                Verdict::Always(Action::Allow) => {
                    // No rule: it matches always.
                    judge.allowing.insert(number, Vec::new());
                    continue;
                }
                Verdict::Always(_) => continue,
                Verdict::Checked { clauses, otherwise } => (clauses, *otherwise == Action::Allow),
            };
            let differs = |clause: &Clause| (clause.action == Action::Allow) != otherwise;
            // The last clauses change nothing where they allow or refuse as what comes after them does.
            let count = clauses.iter().rposition(differs).map_or(0, |last| last + 1);
            let clauses = &clauses[..count];
            if clauses.is_empty() {
                if otherwise {
                    judge.allowing.insert(number, Vec::new());
                }
                continue;
            }
            let rules = clauses
                .iter()
                .all(differs)
                .then(|| rules(clauses))
                .flatten();
            match (rules, otherwise) {
                (Some(rules), false) => drop(judge.allowing.insert(number, rules)),
                (Some(rules), true) => drop(judge.refusing.insert(number, rules)),
                (None, _) => judge.left_out.push(call),
            }
        }
        judge
    }

    /// The two programs, as bytes that the tests' reader of filters takes.
    fn programs(&self, arch: Arch) -> [Vec<bpf::Instruction>; 2] {
        let target = match arch {
            Arch::X86_64 => TargetArch::x86_64,
            Arch::Aarch64 => TargetArch::aarch64,
        };
        let refuse = SeccompAction::Errno(1);
        let program =
            |rules: &BTreeMap<_, _>, otherwise: &SeccompAction, matched: &SeccompAction| {
                let filter =
                    SeccompFilter::new(rules.clone(), otherwise.clone(), matched.clone(), target);
                let program: BpfProgram = filter.unwrap().try_into().unwrap();
                let read = |one: &seccompiler::sock_filter| bpf::Instruction {
                    code: one.code,
                    jump_true: one.jt,
                    jump_false: one.jf,
                    constant: one.k,
                };
                program.iter().map(read).collect()
            };
        let allow = SeccompAction::Allow;
        [
            program(&self.allowing, &refuse, &allow),
            program(&self.refusing, &allow, &refuse),
        ]
    }
}

/// Arguments that a verdict may tell apart: those that a clause wants, and those beside them.
fn arguments(verdict: &Verdict) -> Vec<[u64; 6]> {
    let mut all = vec![[0; 6], [u64::MAX; 6], [1; 6]];
    let Verdict::Checked { clauses, .. } = verdict else {
        return all;
    };
    for clause in *clauses {
        let mut wanted = [0; 6];
        for test in clause.tests {
            wanted[usize::from(test.argument)] = test.values.first().copied().unwrap_or(0);
        }
        all.push(wanted);
        for test in clause.tests {
            let near = test.values.iter().flat_map(|value| {
                let low = test.mask & test.mask.wrapping_neg();
                [
                    *value,
                    value ^ 1,
                    value ^ low,
                    value | 1 << 32,
                    value | test.mask,
                    !value,
                ]
            });
            for value in near {
                let mut changed = wanted;
                changed[usize::from(test.argument)] = value;
                all.push(changed);
            }
        }
    }
    all
}

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

#[test]
fn another_compiler_allows_and_refuses_the_same_calls() {
    let several = [
        (Network::Namespace, Signals::Scoped),
        (Network::Notify, Signals::Notify),
        (Network::None, Signals::Group),
    ];
    let mut options = Vec::new();
    for (network, signals) in several {
        for bits in 0..32 {
            options.push(Options {
                nesting: bits & 1 != 0,
                network,
                udp: bits & 2 != 0,
                signals,
                pid_namespace: bits & 4 != 0,
                ipc_namespace: bits & 8 != 0,
                debug: bits & 16 != 0,
            });
        }
    }
    let machines = [(Arch::X86_64, 0xc000_003e), (Arch::Aarch64, 0xc000_00b7)];
    for (cage, options) in [Cage::Tool, Cage::Program]
        .into_iter()
        .flat_map(|cage| options.iter().map(move |options| (cage, options)))
    {
        for (arch, audit) in machines {
            compare(cage, options, arch, audit);
        }
    }
}

fn compare(cage: Cage, options: &Options, arch: Arch, audit: u32) {
    let table = table(cage, options);
    let own: Vec<bpf::Instruction> = compile(&table, arch)
        .instructions()
        .iter()
        .map(|one| bpf::Instruction {
            code: one.code,
            jump_true: one.jump_true,
            jump_false: one.jump_false,
            constant: one.constant,
        })
        .collect();
    let judge = Judge::of(cage, options, arch);
    assert!(judge.left_out.len() <= 4, "{:?}", judge.left_out);
    let [allowing, refusing] = judge.programs(arch);
    for &call in Call::ALL
        .iter()
        .filter(|call| !judge.left_out.contains(call))
    {
        let Some(number) = call.number(arch) else {
            continue;
        };
        let judging = match judge.refusing.contains_key(&i64::from(number)) {
            true => &refusing,
            false => &allowing,
        };
        for arguments in arguments(table.verdict(call)) {
            let allows = |program| bpf::evaluate(program, audit, number, &arguments) == ALLOW;
            assert_eq!(
                allows(&own),
                allows(judging),
                "{} of {arch:?} with {arguments:x?} under {cage:?} {options:?}",
                call.name()
            );
        }
    }
}
