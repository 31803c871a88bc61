//! Forms of the command line, a bit each: [`super::Flag::place`] says with which an option goes.

/// To run a command.
pub const RUN: u32 = 1;
/// `doctor`.
pub const DOCTOR: u32 = 1 << 1;
/// `policy show`.
pub const POLICY_SHOW: u32 = 1 << 2;
/// `policy list`.
pub const POLICY_LIST: u32 = 1 << 3;
/// `profile FORMAT`.
pub const PROFILE: u32 = 1 << 4;
/// `profile auto`, which says what to run.
pub const ADVICE: u32 = 1 << 5;
/// `profile auto --install`.
pub const INSTALL: u32 = 1 << 6;
/// `profile auto --uninstall`.
pub const UNINSTALL: u32 = 1 << 7;
/// `changes list`.
pub const CHANGES_LIST: u32 = 1 << 8;
/// `changes show`, `apply` and `drop`, of the folder's newest run.
pub const CHANGES_HERE: u32 = 1 << 9;
/// `changes show`, `apply` and `drop`, of a run that is named.
pub const CHANGES_NAMED: u32 = 1 << 10;
/// `changes drop --all`.
pub const CHANGES_ALL: u32 = 1 << 11;
/// `init`.
pub const INIT: u32 = 1 << 12;
/// `shim install`.
pub const SHIM_INSTALL: u32 = 1 << 13;
/// `cache list`.
pub const CACHE_LIST: u32 = 1 << 14;
/// `cache clean`.
pub const CACHE_CLEAN: u32 = 1 << 15;
/// `audit`.
pub const AUDIT: u32 = 1 << 16;
/// Everywhere.
pub const ALL: u32 = u32::MAX;

/// Both forms of `policy`.
pub const POLICY: u32 = POLICY_SHOW | POLICY_LIST;
/// Every form of `profile`.
pub const PROFILES: u32 = PROFILE | ADVICE | INSTALL | UNINSTALL;
/// Every form of `changes`.
pub const CHANGES: u32 = CHANGES_LIST | CHANGES_HERE | CHANGES_NAMED | CHANGES_ALL;
/// Both forms of `cache`.
pub const CACHE: u32 = CACHE_LIST | CACHE_CLEAN;
/// The forms that resolve a project's policy.
pub const RULES: u32 = RUN | POLICY_SHOW | PROFILE | INSTALL;
/// The forms that find a project's toolchain and caches too.
pub const SITE: u32 = RUN | PROFILE | INSTALL;
