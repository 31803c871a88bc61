//! Forms of the command line, a bit each: [`super::Flag::place`] says with which an option goes.

/// To run a command.
pub const RUN: u16 = 1;
/// `doctor`.
pub const DOCTOR: u16 = 1 << 1;
/// `policy show`.
pub const POLICY_SHOW: u16 = 1 << 2;
/// `policy list`.
pub const POLICY_LIST: u16 = 1 << 3;
/// `profile FORMAT`.
pub const PROFILE: u16 = 1 << 4;
/// `profile auto`, which says what to run.
pub const ADVICE: u16 = 1 << 5;
/// `profile auto --install`.
pub const INSTALL: u16 = 1 << 6;
/// `profile auto --uninstall`.
pub const UNINSTALL: u16 = 1 << 7;
/// `changes list`.
pub const CHANGES_LIST: u16 = 1 << 8;
/// `changes show`, `apply` and `drop`, of the folder's newest run.
pub const CHANGES_HERE: u16 = 1 << 9;
/// `changes show`, `apply` and `drop`, of a run that is named.
pub const CHANGES_NAMED: u16 = 1 << 10;
/// `changes drop --all`.
pub const CHANGES_ALL: u16 = 1 << 11;
/// `init`.
pub const INIT: u16 = 1 << 12;
/// `shim install`.
pub const SHIM_INSTALL: u16 = 1 << 13;
/// `cache list`.
pub const CACHE_LIST: u16 = 1 << 14;
/// `cache clean`.
pub const CACHE_CLEAN: u16 = 1 << 15;
/// Everywhere.
pub const ALL: u16 = u16::MAX;

/// Both forms of `policy`.
pub const POLICY: u16 = POLICY_SHOW | POLICY_LIST;
/// Every form of `profile`.
pub const PROFILES: u16 = PROFILE | ADVICE | INSTALL | UNINSTALL;
/// Every form of `changes`.
pub const CHANGES: u16 = CHANGES_LIST | CHANGES_HERE | CHANGES_NAMED | CHANGES_ALL;
/// Both forms of `cache`.
pub const CACHE: u16 = CACHE_LIST | CACHE_CLEAN;
/// The forms that resolve a project's policy.
pub const RULES: u16 = RUN | POLICY_SHOW | PROFILE | INSTALL;
/// The forms that find a project's toolchain and caches too.
pub const SITE: u16 = RUN | PROFILE | INSTALL;
