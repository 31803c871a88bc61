//! The profiles that are compiled in.

/// A profile that is compiled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// Its TOML text.
    pub text: &'static str,
}

/// The profiles that are compiled in, by name.
pub const BUILT_IN: [BuiltIn; 4] = [
    BuiltIn {
        name: "airgap",
        text: include_str!("../../profiles/airgap.toml"),
    },
    BuiltIn {
        name: "ci",
        text: include_str!("../../profiles/ci.toml"),
    },
    BuiltIn {
        name: "dev",
        text: include_str!("../../profiles/dev.toml"),
    },
    BuiltIn {
        name: "strict",
        text: include_str!("../../profiles/strict.toml"),
    },
];

impl BuiltIn {
    /// The profile of that name.
    pub fn find(name: &str) -> Option<BuiltIn> {
        BUILT_IN.into_iter().find(|one| one.name == name)
    }
}
