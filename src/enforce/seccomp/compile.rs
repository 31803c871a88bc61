//! From a table to a program: a balanced tree over the call numbers, whose leaves are verdicts.
//!
//! Numbers in a row with the same verdict are one leaf, and a verdict that does not depend on
//! arguments loads none, so that the kernel's bitmap answers such calls without running the
//! filter (Linux 5.11). The tree covers all numbers: x32's, with bit 30 set, lie in the last leaf.

use crate::policy::syscalls::{Action, Arch, Call, Clause, Table, Test, Verdict, Width};

use super::Program;
use super::assemble::{Assembler, Compare, Place};

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// Numbers from `from` up to the next leaf.
struct Leaf {
    from: u32,
    verdict: Verdict,
}

/// Compiles a table.
///
/// A call by another convention (i386's `int 0x80`, 32-bit ARM) ends the process with SIGSYS. An
/// error number would do no more: a program for that convention can then neither report nor exit,
/// while "bad system call" is what shells and `go test` print of the signal.
pub fn compile(table: &Table, arch: Arch) -> Program {
    let leaves = leaves(table, arch);
    let mut assembler = Assembler::new();
    let tree = tree(&mut assembler, &leaves);
    assembler.fall_to(tree);
    let start = assembler.load(NUMBER);
    let foreign = assembler.give(libc::SECCOMP_RET_KILL_PROCESS);
    let audit = match arch {
        Arch::X86_64 => 0xc000_003e,
        Arch::Aarch64 => 0xc000_00b7,
    };
    assembler.branch(Compare::Equal, audit, start, foreign);
    assembler.load(ARCHITECTURE);
    Program::new(assembler.finish())
}

fn leaves(table: &Table, arch: Arch) -> Vec<Leaf> {
    let mut numbered: Vec<(u32, Verdict)> = Vec::with_capacity(Call::ALL.len());
    for &call in Call::ALL {
        if let Some(number) = call.number(arch) {
            numbered.push((number, *table.verdict(call)));
        }
    }
    if !numbered.is_sorted_by_key(|(number, _)| *number) {
        numbered.sort_unstable_by_key(|(number, _)| *number);
    }
    let unknown = Verdict::Always(Table::UNKNOWN);
    let mut leaves: Vec<Leaf> = Vec::with_capacity(numbered.len());
    let mut next = 0;
    let mut add = |from: u32, verdict: Verdict| {
        if !leaves
            .last()
            .is_some_and(|last| same(&last.verdict, &verdict))
        {
            leaves.push(Leaf { from, verdict });
        }
    };
    for (number, verdict) in numbered {
        if number > next {
            add(next, unknown);
        }
        add(number, verdict);
        next = number + 1;
    }
    add(next, unknown);
    leaves
}

/// Whether two verdicts are written the same way; clauses are told apart by where they lie.
fn same(a: &Verdict, b: &Verdict) -> bool {
    match (a, b) {
        (Verdict::Always(a), Verdict::Always(b)) => a == b,
        (
            Verdict::Checked {
                clauses: a,
                otherwise: x,
            },
            Verdict::Checked {
                clauses: b,
                otherwise: y,
            },
        ) => std::ptr::eq(*a, *b) && x == y,
        _ => false,
    }
}

fn tree(assembler: &mut Assembler, leaves: &[Leaf]) -> Place {
    match leaves {
        [leaf] => verdict(assembler, &leaf.verdict),
        // One number between two alike: a single comparison.
        [before, one, after]
            if same(&before.verdict, &after.verdict) && after.from == one.from + 1 =>
        {
            let around = verdict(assembler, &before.verdict);
            let at = verdict(assembler, &one.verdict);
            assembler.branch(Compare::Equal, one.from, at, around)
        }
        _ => {
            let (below, above) = leaves.split_at(leaves.len() / 2);
            let yes = tree(assembler, above);
            let no = tree(assembler, below);
            assembler.branch(Compare::AtLeast, above[0].from, yes, no)
        }
    }
}

fn verdict(assembler: &mut Assembler, verdict: &Verdict) -> Place {
    match verdict {
        Verdict::Always(action) => assembler.give(value(*action)),
        Verdict::Checked { clauses, otherwise } => checks(assembler, clauses, *otherwise),
    }
}

fn value(action: Action) -> u32 {
    match action {
        Action::Allow => libc::SECCOMP_RET_ALLOW,
        Action::Errno(errno) => libc::SECCOMP_RET_ERRNO | u32::from(errno),
        Action::Notify => libc::SECCOMP_RET_USER_NOTIF,
    }
}

/// Where a clause begins, and which argument it loads there without changing it.
struct Entry {
    place: Place,
    loads: Option<u8>,
}

fn checks(assembler: &mut Assembler, clauses: &[Clause], otherwise: Action) -> Place {
    let mut after = Entry {
        place: assembler.give(value(otherwise)),
        loads: None,
    };
    for clause in clauses.iter().rev() {
        let mut yes = assembler.give(value(clause.action));
        for test in clause.tests.iter().rev() {
            // The first test of the clause after may want what this one has loaded already.
            let kept = plain(test).filter(|_| clause.tests.len() == 1);
            let no = match after.loads {
                Some(argument) if kept == Some(argument) => after.place.next(),
                _ => after.place,
            };
            yes = match test.width {
                Width::Int => int(assembler, test, yes, no),
                Width::Long => long(assembler, test, yes, no),
            };
        }
        after = Entry {
            place: yes,
            loads: clause.tests.first().and_then(plain),
        };
    }
    after.place
}

/// The argument that a test leaves in the accumulator as it is.
fn plain(test: &Test) -> Option<u8> {
    (test.width == Width::Int && test.mask == u64::from(u32::MAX)).then_some(test.argument)
}

fn int(assembler: &mut Assembler, test: &Test, yes: Place, no: Place) -> Place {
    let (found, missing) = if test.negated { (no, yes) } else { (yes, no) };
    let mut at = missing;
    for wanted in test.values.iter().rev() {
        at = assembler.branch(Compare::Equal, *wanted as u32, found, at);
    }
    assembler.fall_to(at);
    if test.mask != u64::from(u32::MAX) {
        assembler.and(test.mask as u32);
    }
    assembler.load(half(test.argument, 0))
}

fn long(assembler: &mut Assembler, test: &Test, yes: Place, no: Place) -> Place {
    let (found, missing) = if test.negated { (no, yes) } else { (yes, no) };
    let mut at = missing;
    for wanted in test.values.iter().rev() {
        let low = assembler.branch(Compare::Equal, *wanted as u32, found, at);
        assembler.fall_to(low);
        assembler.and(test.mask as u32);
        let low = assembler.load(half(test.argument, 0));
        let high = assembler.branch(Compare::Equal, (*wanted >> 32) as u32, low, at);
        assembler.fall_to(high);
        assembler.and((test.mask >> 32) as u32);
        at = assembler.load(half(test.argument, 4));
    }
    at
}

/// Where half of an argument lies; both architectures are little-endian.
fn half(argument: u8, half: u32) -> u32 {
    ARGUMENTS + 8 * u32::from(argument) + half
}
