//! The codes of findings.

use serde::{Serialize, Serializer};

/// What was found. docs/findings.md has a section for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingCode {
    /// No layer of this host holds a guarantee.
    GuaranteeMissing,
    /// This host does not have a mechanism.
    MechanismMissing,
    /// Something is not confined on this host, although every guarantee is held.
    NotConfined,
}

impl FindingCode {
    /// Every code, in the order of docs/findings.md.
    pub const ALL: [FindingCode; 3] = [
        FindingCode::GuaranteeMissing,
        FindingCode::MechanismMissing,
        FindingCode::NotConfined,
    ];

    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            FindingCode::GuaranteeMissing => "guarantee-missing",
            FindingCode::MechanismMissing => "mechanism-missing",
            FindingCode::NotConfined => "not-confined",
        }
    }
}

impl Serialize for FindingCode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.word())
    }
}
