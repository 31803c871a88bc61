//! The policy's table against libseccomp: its numbers, and the container's filter as libseccomp compiles it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use gosandbox::generate::oci;
use gosandbox::policy::syscalls::{Action, Arch, Call, Verdict};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{Lacks, skip};
use crate::{bpf, folder, render};

const ALLOW: u32 = 0x7fff_0000;
const ERRNO: u32 = 0x0005_0000;
const X86_64: u32 = 0xc000_003e;
const I386: u32 = 0x4000_0003;

/// Runs a script that uses libseccomp, where that is installed.
fn libseccomp(script: &str) -> Option<Command> {
    let python = Path::new("/usr/bin/python3");
    let known = Command::new(python)
        .args(["-c", "import seccomp"])
        .stderr(Stdio::null())
        .status();
    if !known.is_ok_and(|status| status.success()) {
        skip(
            Lacks::Host,
            "libseccomp's Python binding is not installed (package python3-seccomp)",
        );
        return None;
    }
    let mut command = Command::new(python);
    command.args(["-c", script]);
    Some(command)
}

/// The first number that all architectures have in common: a call's number there is the same on each.
const COMMON: u32 = 424;

/// Every call that libseccomp knows of an architecture, with its number.
fn calls_of(architecture: &str) -> Option<BTreeMap<String, u32>> {
    const SCRIPT: &str = r#"
import seccomp, sys
for number in range(1000):
    try:
        print(seccomp.resolve_syscall(seccomp.Arch(sys.argv[1]), number).decode(), number)
    except ValueError:
        pass  # a number that is no call's
"#;
    let done = libseccomp(SCRIPT)?.arg(architecture).output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    let call = |line: &str| {
        let (name, number) = line.split_once(' ')?;
        Some((name.to_owned(), number.parse().ok()?))
    };
    Some(text.lines().filter_map(call).collect())
}

#[test]
fn numbers_are_those_that_libseccomp_knows() {
    for (name, arch) in [("x86_64", Arch::X86_64), ("aarch64", Arch::Aarch64)] {
        let Some(known) = calls_of(name) else {
            return;
        };
        assert!(known.len() > 250, "{} calls of {name}", known.len());
        for call in Call::ALL {
            match known.get(call.name()) {
                Some(number) => assert_eq!(call.number(arch), Some(*number), "{call:?} on {name}"),
                // Newer than this libseccomp, or of the other architecture.
                None => assert!(
                    call.number(arch).is_none_or(|number| number >= COMMON)
                        || *call == Call::uretprobe,
                    "{call:?} is no call of {name}"
                ),
            }
        }
        let newest = Call::ALL.iter().filter_map(|call| call.number(arch)).max();
        for (call, number) in known
            .into_iter()
            .filter(|(_, number)| Some(*number) <= newest)
        {
            let named = Call::ALL.iter().any(|one| one.name() == call);
            assert!(named, "{call}, {number} on {name}, has no name here");
        }
    }
}

#[test]
fn numbers_are_common_where_architectures_have_them_in_common() {
    for call in Call::ALL {
        let [intel, arm] = [Arch::X86_64, Arch::Aarch64].map(|arch| call.number(arch));
        if intel.max(arm) >= Some(COMMON) {
            assert_eq!(intel, arm, "{call:?}");
        }
    }
}

/// The filter as libseccomp, which every container engine uses, compiles it.
fn compiled(form: Option<&str>) -> Option<Vec<bpf::Instruction>> {
    const SCRIPT: &str = r#"
import json, seccomp, sys
profile = json.load(open(sys.argv[1]))
def action(rule):
    return seccomp.ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else seccomp.ERRNO(rule["errnoRet"])
filter = seccomp.SyscallFilter(seccomp.ERRNO(profile["defaultErrnoRet"]))
for rule in profile["syscalls"]:
    for name in rule["names"]:
        if seccomp.resolve_syscall(seccomp.Arch(), name) < 0:
            continue  # newer than this libseccomp, which engines pass over too
        arguments = [seccomp.Arg(a["index"], seccomp.MASKED_EQ, a["value"], a["valueTwo"]) for a in rule.get("args", [])]
        filter.add_rule(action(rule), name, *arguments)
filter.export_bpf(open(sys.argv[2], "wb"))
"#;
    let mut libseccomp = libseccomp(SCRIPT)?;
    let folder = folder(form.unwrap_or("launcher"));
    let (json, out) = (folder.join("filter.json"), folder.join("filter.bpf"));
    fs::write(
        &json,
        render("oci-seccomp", form, Path::new("/work")).unwrap(),
    )
    .unwrap();
    let done = libseccomp.arg(&json).arg(&out).output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let program = bpf::read(&fs::read(&out).unwrap());
    fs::remove_dir_all(folder).unwrap();
    Some(program)
}

/// Values that a verdict's tests look for, their neighbours, and any others.
pub(crate) fn argument(verdict: &Verdict) -> BoxedStrategy<u64> {
    let mut values = vec![0, 1, u64::MAX];
    if let Verdict::Checked { clauses, .. } = verdict {
        for test in clauses.iter().flat_map(|clause| clause.tests) {
            values.extend(test.values);
            values.extend(test.values.iter().map(|value| value | 1 << 32));
            values.extend(test.values.iter().map(|value| value ^ 1));
            values.push(test.mask);
        }
    }
    prop_oneof![
        4 => proptest::sample::select(values),
        1 => any::<u64>(),
        1 => (0..64u32).prop_map(|bit| 1 << bit),
    ]
    .boxed()
}

#[test]
fn the_containers_filter_allows_what_the_table_allows_and_nothing_else() {
    let Some(program) = compiled(Some("bare")) else {
        return;
    };
    assert!(program.len() < 4096, "{} instructions", program.len());
    let table = oci::container_table();
    let calls: Vec<Call> = Call::ALL.to_vec();
    let case = proptest::sample::select(calls).prop_flat_map(move |call| {
        let verdict = *oci::container_table().verdict(call);
        let arguments = std::array::from_fn::<_, 6, _>(|_| argument(&verdict));
        arguments.prop_map(move |arguments| (call, arguments))
    });
    let mut runner = TestRunner::new(Config::with_cases(40_000));
    let outcome = runner.run(&case, |(call, arguments)| {
        let Some(number) = call.number(Arch::X86_64) else {
            return Ok(());
        };
        // Of these the filter leaves the sign to the kernel, which refuses it.
        let is_tree = [Call::socket, Call::setsockopt, Call::seccomp].contains(&call);
        let arguments = match is_tree {
            true => arguments.map(|argument| argument & !(1 << 31)),
            false => arguments,
        };
        let is = bpf::evaluate(&program, X86_64, number, &arguments);
        match table.verdict(call).decide(&arguments) {
            // A call that is newer than libseccomp stays refused.
            Action::Allow if number < 440 => {
                prop_assert_eq!(is, ALLOW, "{:?} {:x?}", call, arguments)
            }
            Action::Allow => prop_assert!(is == ALLOW || is == ERRNO | 38),
            _ => prop_assert_ne!(is, ALLOW, "{:?} {:x?}", call, arguments),
        }
        if let Verdict::Always(Action::Errno(errno)) = table.verdict(call)
            && number < 440
        {
            prop_assert_eq!(is, ERRNO | u32::from(*errno), "{:?}", call);
        }
        prop_assert_ne!(
            bpf::evaluate(&program, X86_64, number | 0x4000_0000, &arguments),
            ALLOW
        );
        prop_assert_ne!(bpf::evaluate(&program, I386, number, &arguments), ALLOW);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn the_launchers_own_calls_are_all_that_its_container_has_beyond() {
    let (Some(bare), Some(launcher)) = (compiled(Some("bare")), compiled(None)) else {
        return;
    };
    let own = [Call::seccomp, Call::keyctl, Call::ioctl, Call::prctl];
    for call in Call::ALL {
        let Some(number) = call.number(Arch::X86_64) else {
            continue;
        };
        for first in (0..64).chain([0xc050_2100, 0x5412]) {
            for second in [0, 1, 8, 0xc050_2100, 0x4008_2102, 0x5412, 1 << 32 | 0x5412] {
                let arguments = [first, second, 0, 0, 0, 0];
                let is = |program| bpf::evaluate(program, X86_64, number, &arguments) == ALLOW;
                if is(&launcher) != is(&bare) {
                    assert!(
                        is(&launcher) && own.contains(call),
                        "{call:?} {arguments:x?}"
                    );
                }
            }
        }
    }
    let listener = [1, 8, 0, 0, 0, 0];
    let number = Call::seccomp.number(Arch::X86_64).unwrap();
    assert_ne!(bpf::evaluate(&bare, X86_64, number, &listener), ALLOW);
    assert_eq!(bpf::evaluate(&launcher, X86_64, number, &listener), ALLOW);
}
