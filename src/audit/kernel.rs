//! Settings of the kernel's that leave open what could be closed.

use std::path::Path;

use super::Found;
use super::machine::{Machine, Report};
use crate::finding::FindingCode;

/// A setting, what it must not be, and why that matters.
struct Knob {
    path: &'static str,
    /// Whether the value is open.
    is_open: fn(&str) -> bool,
    why: &'static str,
    /// The value that closes it.
    closed: &'static str,
}

fn is_zero(value: &str) -> bool {
    value == "0"
}

const KNOBS: [Knob; 8] = [
    Knob {
        path: "kernel/yama/ptrace_scope",
        is_open: is_zero,
        why: "any process of yours can read the memory of any other, such as the agent that holds your keys",
        closed: "1",
    },
    Knob {
        path: "kernel/io_uring_disabled",
        is_open: is_zero,
        why: "io_uring is a large and young part of the kernel, which few programs need",
        closed: "2",
    },
    Knob {
        path: "kernel/unprivileged_bpf_disabled",
        is_open: is_zero,
        why: "every user can load BPF programs into the kernel",
        closed: "2",
    },
    Knob {
        path: "kernel/perf_event_paranoid",
        is_open: |value| value.parse::<i32>().is_ok_and(|value| value < 2),
        why: "every user can measure the kernel and other processes",
        closed: "2",
    },
    Knob {
        path: "fs/protected_symlinks",
        is_open: is_zero,
        why: "links of other users in /tmp are followed",
        closed: "1",
    },
    Knob {
        path: "fs/protected_hardlinks",
        is_open: is_zero,
        why: "every user can link to files that they cannot write",
        closed: "1",
    },
    Knob {
        path: "fs/suid_dumpable",
        is_open: |value| value == "1",
        why: "set-id programs write their memory to files",
        closed: "0",
    },
    Knob {
        path: "vm/mmap_min_addr",
        is_open: is_zero,
        why: "a null pointer of the kernel's can lead to a page of a program's",
        closed: "65536",
    },
];

/// Looks at the settings.
pub(super) fn examine(machine: &Machine, report: &Report) {
    let sys = Path::new("/proc/sys");
    let value = |path: &str| {
        let lines = report.lines(machine, &sys.join(path));
        lines
            .into_iter()
            .next()
            .map(|(_, text)| text.trim().to_owned())
    };
    for knob in &KNOBS {
        if let Some(value) = value(knob.path).filter(|value| (knob.is_open)(value)) {
            let name = knob.path.replace('/', ".");
            let message = format!(
                "is {value}: {}; sysctl -w {name}={} closes it",
                knob.why, knob.closed
            );
            report.add(Found::about(FindingCode::KernelSetting, name, message));
        }
    }
    let pattern = "kernel/core_pattern";
    if let Some(value) = value(pattern) {
        let name = pattern.replace('/', ".");
        // A handler of the system's runs as root, outside of every cage.
        let program = value.strip_prefix('|').unwrap_or_default();
        let program = program.split_whitespace().next().unwrap_or_default();
        let known = ["systemd-coredump", "apport", "abrt-hook-ccpp", "kdump"];
        let is_known =
            known.iter().any(|one| program.ends_with(one)) && program.starts_with("/usr/");
        let is_told = !program.is_empty() && !is_known;
        let told = is_told.then(|| format!("has root run {program} whenever a program crashes"));
        if let Some(message) = told {
            report.add(Found::about(FindingCode::KernelSetting, name, message));
        }
    }
}
