//! Verdicts with checks on arguments, as rules that libseccomp takes.
//!
//! A rule holds one comparison for each argument, and rules of one call may come in any order: so a
//! verdict becomes patterns that do not overlap. "None of these values" has no operator there; it is
//! spelled as the patterns of bits that are left over, never as a comparison of the whole register,
//! which a bit in the high half would pass (CVE-2019-10063).

use std::collections::BTreeMap;

use crate::policy::syscalls::{Action, Clause, Test, Verdict, Width};

/// Bits of an argument that are looked at, and what they must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    /// Which bits.
    pub mask: u64,
    /// Their values.
    pub value: u64,
}

/// What must hold of each argument, by its index.
pub type Patterns = BTreeMap<u8, Pattern>;

/// The verdict as patterns that do not overlap, each with its action.
///
/// Where none applies the filter's default does, so that what has the action `default` is left out; and
/// so is what would take more than `most` patterns to refuse with another error number.
pub fn lower(verdict: &Verdict, default: Action, most: usize) -> Vec<(Patterns, Action)> {
    let mut found = Vec::new();
    match verdict {
        Verdict::Always(action) => found.push((Patterns::new(), *action)),
        Verdict::Checked { clauses, otherwise } => {
            decide(Patterns::new(), clauses, *otherwise, &mut found);
        }
    }
    found.retain(|(_, action)| *action != default);
    let refused = |action: Action| found.iter().filter(|(_, a)| *a == action).count();
    let too_long: Vec<Action> = found
        .iter()
        .map(|(_, action)| *action)
        .filter(|action| matches!(action, Action::Errno(_)) && refused(*action) > most)
        .collect();
    found.retain(|(_, action)| !too_long.contains(action));
    found
}

/// The first clause whose tests hold decides.
fn decide(
    known: Patterns,
    clauses: &[Clause],
    otherwise: Action,
    found: &mut Vec<(Patterns, Action)>,
) {
    match clauses.split_first() {
        None => found.push((known, otherwise)),
        Some((clause, rest)) => try_tests(known, clause, clause.tests, rest, otherwise, found),
    }
}

fn try_tests(
    known: Patterns,
    clause: &Clause,
    tests: &[Test],
    rest: &[Clause],
    otherwise: Action,
    found: &mut Vec<(Patterns, Action)>,
) {
    let Some((test, further)) = tests.split_first() else {
        found.push((known, clause.action));
        return;
    };
    let before = known.get(&test.argument).copied().unwrap_or_default();
    let mut sides = Sides::default();
    split(before, test, &mut sides);
    let with = |pattern: Pattern| {
        let mut known = known.clone();
        if pattern.mask != 0 {
            known.insert(test.argument, pattern);
        }
        known
    };
    for pattern in sides.holds {
        try_tests(with(pattern), clause, further, rest, otherwise, found);
    }
    for pattern in sides.fails {
        decide(with(pattern), rest, otherwise, found);
    }
}

/// The patterns in which a test holds, and those in which it does not.
#[derive(Default)]
struct Sides {
    holds: Vec<Pattern>,
    fails: Vec<Pattern>,
}

fn split(pattern: Pattern, test: &Test, sides: &mut Sides) {
    let counted = match test.width {
        Width::Int => test.mask & u64::from(u32::MAX),
        Width::Long => test.mask,
    };
    let possible = |value: &u64| (value ^ pattern.value) & pattern.mask & counted == 0;
    let is_found = test.values.iter().any(possible);
    let open = counted & !pattern.mask;
    if !is_found || open == 0 {
        let side = match is_found != test.negated {
            true => &mut sides.holds,
            false => &mut sides.fails,
        };
        side.push(pattern);
        return;
    }
    // From the high end, so that what is left over is few and large.
    let bit = 1 << (63 - open.leading_zeros());
    for value in [0, bit] {
        let narrower = Pattern {
            mask: pattern.mask | bit,
            value: pattern.value | value,
        };
        split(narrower, test, sides);
    }
}
